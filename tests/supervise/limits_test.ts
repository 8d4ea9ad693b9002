// Limits of time.

import { assert, assertEquals, assertMatch } from "../support/assert.ts";
import { makeBox, processesWith } from "../support/program.ts";
import { forge, gated, openGate } from "../support/gated.ts";
import { IDLING } from "../support/shell.ts";

Deno.test("an agent that takes too long, or prints nothing for too long, is ended by the supervisor", async () => {
  await using box = await makeBox();
  const [long, idle] = await Promise.all([
    box.start("shell", IDLING, "--timeout", "0.3"),
    box.start("shell", IDLING, "--idle-timeout", "0.3"),
  ]);
  await box.ok("run", "--parallel", "2");
  const [first, second] = await Promise.all([box.settled(long), box.settled(idle)]);
  assertEquals([first.status, first.failureClass], ["failed", "timeout"]);
  assertMatch(first.errorMessage!, /^Task timed out after 300ms$/);
  assert(first.timedOutAt !== null);
  assertEquals([second.status, second.failureClass], ["failed", "idle"]);
  assertEquals(processesWith("environ", [`ORCHESTRA_ROOT=${box.root}`]), []);
});

Deno.test("the supervisor takes a limit that is changed while the task runs", async () => {
  await using box = await makeBox();
  // No rescan helps: the change itself must be noticed.
  box.config({ interval: 3600 });
  const shortened = await box.start("shell", IDLING, "--timeout", "1h");
  await box.ok("run");
  // A first limit long enough for this machine to extend it in time; it tells when it was not.
  let limit = 1;
  let [extended, canary] = ["", ""];
  for (let late = true; late; limit *= 2) {
    extended = await box.start("shell", gated(), "--timeout", String(limit), "-p", "9");
    canary = await box.start("shell", IDLING, "--timeout", String(limit + 0.2));
    await box.ok("run", "--parallel", "3");
    late = (await box.run("timeout", "extend", extended, "1h")).code === 4;
    if (late) await box.settled(canary);
  }
  // By hand, for `extend` only gives: whoever changes the file, the new limit holds.
  forge(box, shortened, { timeout: 0.1 });
  assertEquals((await box.settled(shortened)).failureClass, "timeout");
  // When the canary is dead, the first limit of the other has passed.
  assertEquals((await box.settled(canary)).failureClass, "timeout");
  assertEquals(box.task(extended).status, "running");
  openGate(box);
  assertEquals((await box.settled(extended)).status, "complete");
});
