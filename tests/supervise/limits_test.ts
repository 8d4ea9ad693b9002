// Limits of time.

import { assert, assertEquals, assertMatch } from "../support/assert.ts";
import { lives, makeBox } from "../support/program.ts";
import { agentOf, forge, gated, openGate } from "../support/gated.ts";

Deno.test("an agent that takes too long, or prints nothing for too long, is ended by the supervisor", async () => {
  await using box = await makeBox();
  const script = 'echo $$ >"$ORCHESTRA_WORKSPACE/$ORCHESTRA_TASK_ID"; exec sleep 1000';
  const [long, idle] = await Promise.all([
    box.start("shell", script, "--timeout", "0.3"),
    box.start("shell", script, "--idle-timeout", "0.3"),
  ]);
  await box.ok("run", "--parallel", "2");
  const [first, second] = await Promise.all([box.settled(long), box.settled(idle)]);
  assertEquals([first.status, first.failureClass], ["failed", "timeout"]);
  assertMatch(first.errorMessage!, /^Task timed out after 300ms$/);
  assert(first.timedOutAt !== null);
  assertEquals([second.status, second.failureClass], ["failed", "idle"]);
  for (const id of [long, idle]) assertEquals(lives(await agentOf(box, id)), false);
});

Deno.test("the supervisor takes a limit that is changed while the task runs", async () => {
  await using box = await makeBox();
  // No rescan helps: the change itself must be noticed.
  box.config({ interval: 3600 });
  const extended = await box.start("shell", gated(), "--timeout", "3");
  const canary = await box.start("shell", "exec sleep 1000", "--timeout", "3.3");
  const shortened = await box.start("shell", "exec sleep 1000", "--timeout", "1h");
  await box.ok("run", "--parallel", "3");
  await box.ok("timeout", "extend", extended, "1h");
  // By hand, for `extend` only gives: whoever changes the file, the new limit holds.
  forge(box, shortened, { timeout: 0.1 });
  assertEquals((await box.settled(shortened)).failureClass, "timeout");
  // When the canary is dead, the first limit of the other has passed.
  assertEquals((await box.settled(canary)).failureClass, "timeout");
  assertEquals(box.task(extended).status, "running");
  openGate(box);
  assertEquals((await box.settled(extended)).status, "complete");
});
