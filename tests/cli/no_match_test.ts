// What is said where no task is shown: that none matches is not that none is queued.

import { assertEquals, assertStringIncludes } from "../support/assert.ts";
import { makeBox } from "../support/program.ts";

Deno.test("a filter without a match says so, and only an empty queue is told how to begin", async () => {
  await using box = await makeBox();
  assertStringIncludes(await box.ok("status"), "Nothing is queued yet");
  assertEquals(await box.ok("run", "--wait"), "Nothing to start: no pending task is ready\n");
  const filters = [["--agent", "nobody"], ["--label", "a=b"], ["--status", "failed"]];
  for (const filter of filters) {
    assertEquals(await box.ok("status", ...filter), "No task matches.\n");
  }
  await box.start("shell", "true");
  await box.ok("run", "--wait");
  for (const filter of filters) {
    assertStringIncludes(await box.ok("status", ...filter), "No task matches.\n");
  }
  assertEquals(await box.ok("run", "--wait"), "Nothing to start: no pending task is ready\n");
  assertStringIncludes(await box.ok("status"), "1 complete");
});
