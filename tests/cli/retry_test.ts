// retry.

import { assert, assertEquals, assertStringIncludes } from "../support/assert.ts";
import { makeBox } from "../support/program.ts";
import { MISSING } from "../support/words.ts";

Deno.test("retry queues a failed task again, once, as long as retries are left", async () => {
  await using box = await makeBox();
  const id = await box.start("shell", "exit 3", "--max-retries", "1", "-l", "a=b", "-p", "7");
  await box.fails(4, "retry", id);
  await box.run("run", "--wait");
  const text = await box.ok("retry", id, "--auto");
  const [, second] = /^Queued (task_\d+) as retry 1\/1 of/.exec(text) ?? [];
  assert(second !== undefined, text);
  const task = box.task(second);
  assertEquals(
    [task.status, task.parentTaskId, task.retryCount, task.autoRetry, task.priority, task.labels],
    ["pending", id, 1, true, 7, { a: "b" }],
  );
  assertEquals(task.retryHistory.map((item) => item.retriedFrom), [id]);
  assertEquals([box.task(id).status, box.task(id).retriedBy], ["failed", second]);
  const twice = await box.fails(4, "retry", id);
  assertStringIncludes(twice.hint!, second);
  await box.run("run", "--wait");
  const used = await box.fails(4, "retry", second);
  assertStringIncludes(used.hint!, "--max-retries 2");
  // Of four at once one succeeds.
  const outcomes = await Promise.all(
    [1, 2, 3, 4].map(() => box.run("--json", "retry", second, "--max-retries", "2")),
  );
  assertEquals(outcomes.map((outcome) => outcome.code).sort(), [0, 4, 4, 4]);
  const third = JSON.parse(outcomes.find((outcome) => outcome.code === 0)!.stdout);
  assertEquals(box.tasks().length, 3);
  assertEquals([third.retryCount, third.maxRetries, third.parentTaskId], [2, 2, id]);
  await box.fails(3, "retry", MISSING);
});
