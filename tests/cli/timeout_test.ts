// timeout.

import { assertEquals, assertMatch, assertStringIncludes } from "../support/assert.ts";
import { makeBox } from "../support/program.ts";
import { lineOf, MISSING } from "../support/words.ts";

Deno.test("timeout lists limits, extends them, and ends a task by hand", async () => {
  await using box = await makeBox();
  assertStringIncludes(await box.ok("timeout", "list"), "No task has a timeout");
  const [long, free] = await Promise.all([
    box.start("shell", "sleep 1000", "--timeout", "10m"),
    box.start("shell", "true", "-p", "1"),
  ]);
  await box.fails(4, "timeout", long!);
  await box.ok("run");
  assertMatch(await box.ok("timeout", "extend", long!, "90"), /10m00s -> 11m30s/);
  assertEquals((await box.json("timeout", "extend", free!, "1h")).timeout, 3600);
  const list = await box.json("timeout", "list");
  assertEquals(list.map((item: { timeout: number }) => item.timeout).sort(), [3600, 690].sort());
  assertMatch(lineOf(await box.ok("timeout", "list"), long!), /running\s+11m30s/);
  assertStringIncludes(await box.ok("timeout", long!), "timed out");
  const task = await box.settled(long!);
  assertEquals([task.status, task.failureClass], ["failed", "timeout"]);
  await box.fails(4, "timeout", "extend", long!, "5");
  await box.fails(2, "timeout", "extend", free!, "soon");
  await box.fails(3, "timeout", MISSING);
  await box.fails(3, "timeout", "extend", MISSING, "5");
});
