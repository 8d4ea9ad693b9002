// Automatic retries beside other work.

import { assertEquals } from "../support/assert.ts";
import { agentOf, gated, openGate } from "../support/gated.ts";
import { makeBox } from "../support/program.ts";

Deno.test("an automatic retry takes the place of what failed, however long others run", async () => {
  await using box = await makeBox();
  box.config({ max_concurrent: 1, retry: { base: 0 } });
  const long = await box.start("shell", gated());
  const fails = await box.start("--auto-retry", "--max-retries=2", "shell", "exit 7");
  // Each launches one more.
  await box.ok("run");
  await box.ok("run");
  await agentOf(box, long);
  const second = await box.until("the first retry", () => box.task(fails).retriedBy);
  const third = await box.until("the second retry", () => box.task(second).retriedBy);
  assertEquals((await box.settled(third)).failureClass, "exit");
  assertEquals(box.task(long).status, "running");
  openGate(box);
  await box.settled(long);
});

Deno.test("run --wait tells of a retry without calling it blocked", async () => {
  await using box = await makeBox();
  box.config({ retry: { base: 0 } });
  const first = await box.start("shell", "true");
  await box.start("--auto-retry", "--max-retries=1", "--depends-on", first, "shell", "exit 7");
  const { code, stderr } = await box.run("run", "--all", "--wait");
  assertEquals(code, 1);
  assertEquals(/blocked|exist/.test(stderr), false, stderr);
  const ends = stderr.split("\n").filter((line) => line.includes("Process exited with code 7"));
  assertEquals(ends.length, 2, stderr);
});
