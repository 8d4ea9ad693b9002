// The library: what a program is told where it asks for what cannot be, and that it is not kept
// waiting for what does not come.

import { openWorkspace } from "../../lib/library.ts";
import { OrchestraError } from "../../lib/task/error.ts";
import { assert, assertEquals, assertStringIncludes } from "../support/assert.ts";
import { makeBox, withPatience } from "../support/program.ts";

async function codeOf(action: () => unknown): Promise<string> {
  try {
    await action();
  } catch (error) {
    assert(error instanceof OrchestraError, String(error));
    return error.code;
  }
  return "nothing";
}

Deno.test("wait ends for a task that is blocked: nothing but a person can help it", async () => {
  await using box = await makeBox();
  const workspace = openWorkspace(box.root);
  const first = await workspace.start({ agent: "shell", prompt: "exit 1" });
  const second = await workspace.start({
    agent: "shell",
    prompt: "true",
    dependsOn: [first.taskId],
  });
  await workspace.run();
  const [latest] = await withPatience("wait", workspace.wait([second.taskId]));
  assertEquals([latest!.taskId, latest!.status], [second.taskId, "pending"]);
});

Deno.test("the library takes the names that people give to tasks", async () => {
  await using box = await makeBox();
  const workspace = openWorkspace(box.root);
  const build = await workspace.start({ agent: "shell", prompt: "exit 1", key: "build" });
  const test = await workspace.start({ agent: "shell", prompt: "true", dependsOn: "build" });
  assertEquals(test.dependsOn, [build.taskId]);
  assertEquals(workspace.task("@last")!.taskId, test.taskId);
  assertEquals((await workspace.cancel(["@last"])).map(({ taskId }) => taskId), [test.taskId]);
  await workspace.run();
  const again = workspace.retry("build", { maxRetries: 5 });
  assertEquals([again.parentTaskId, again.key, again.maxRetries], [build.taskId, "build", 5]);
  await workspace.run();
  const [latest] = await workspace.wait(["build"]);
  assertEquals([latest!.taskId, latest!.status], [again.taskId, "failed"]);
  assertEquals(await codeOf(() => workspace.task("nobody")), "no-task");
  assertEquals(await codeOf(() => workspace.wait(["../x"])), "usage");
  assertEquals(await codeOf(() => workspace.cancel(["task_1000000000000"])), "no-task");
  const only = await workspace.start({ agent: "shell", prompt: "exit 1", maxRetries: 0 });
  await workspace.run();
  assertEquals(await codeOf(() => workspace.retry(only.taskId)), "state");
  assertEquals(workspace.retry(only.taskId, { maxRetries: 1 }).retryCount, 1);
  assertEquals(workspace.task("task_1000000000000"), undefined);
});

Deno.test("what the library's own options cannot be is refused, and nothing happens", async () => {
  await using box = await makeBox();
  const workspace = openWorkspace(box.root);
  const { taskId } = await workspace.start({ agent: "shell", prompt: "true" });
  await workspace.cancel([taskId]);
  const before = box.tasks();
  for (const options of [{ maxRetries: -1 }, { maxRetries: 0.5 }, { autoRetry: "yes" as never }]) {
    assertEquals(await codeOf(() => workspace.retry(taskId, options)), "usage");
  }
  for (const parallel of [0, -1, 1.5, NaN]) {
    assertEquals(await codeOf(() => workspace.run({ parallel })), "usage");
  }
  assertEquals(box.tasks(), before);
  const error = await workspace.start({ agent: "shell", prompt: "x", priority: 99 })
    .catch((error) => error);
  assertStringIncludes(error.message, '"priority" must be a whole number from 1 to 10');
});

Deno.test("what the library does not know it refuses, and what its callers throw it passes on", async () => {
  await using box = await makeBox();
  const workspace = openWorkspace(box.root);
  const failed = await workspace.start({ agent: "shell", prompt: "exit 1" });
  await workspace.run();
  const wrong = [
    () => openWorkspace("/nowhere/at/all"),
    () => workspace.run({ paralel: 2 } as never),
    () => workspace.retry(failed.taskId, { foo: 1 } as never),
    () => workspace.retry(failed.taskId, { agent: "nobody" }),
    () => workspace.retry(failed.taskId, { agent: 3 } as never),
    () => workspace.retry(failed.taskId, { notBefore: NaN }),
    () => workspace.cancel("x" as never),
    () => workspace.wait([null] as never),
    () => workspace.task(null as never),
  ];
  const codes = await Promise.all(wrong.map(codeOf));
  assertEquals(codes, [
    ...["no-workspace", "usage", "usage", "no-agent", "no-agent"],
    ...["usage", "usage", "usage", "usage"],
  ]);
  assertEquals((await workspace.tasks()).length, 1);
  await workspace.start({ agent: "shell", prompt: "true" });
  const thrown = await workspace.run({
    onChange() {
      throw new RangeError("mine");
    },
  }).catch((error) => error);
  assert(thrown instanceof RangeError, String(thrown));
});

Deno.test("the library extends, ends, archives, restores and removes as the commands do", async () => {
  await using box = await makeBox();
  const workspace = openWorkspace(box.root);
  const start = (prompt: string, more = {}) => workspace.start({ agent: "shell", prompt, ...more });
  const first = await start("exit 1", { key: "first" });
  assertEquals(workspace.extend("first", "5m").timeout, 300);
  assertEquals(workspace.extend("first", 60).timeout, 360);
  const second = await start("true", { dependsOn: [first.taskId] });
  await workspace.run();
  const failed = first.taskId;
  const waits = second.taskId;
  for (
    const [wrong, code] of [
      [() => workspace.extend("first", "soon"), "usage"],
      [() => workspace.extend("first", 0), "usage"],
      [() => workspace.extend("first", NaN), "usage"],
      [() => workspace.extend("first", 5), "state"],
      [() => workspace.extend("task_1000000000", 5), "no-task"],
      [() => workspace.timeOut("first"), "state"],
      [() => workspace.archive([waits]), "state"],
      [() => workspace.remove([waits]), "state"],
      // Another one waits for it.
      [() => workspace.remove([failed]), "state"],
      [() => workspace.restore(failed), "state"],
      [() => workspace.archive(["nobody"]), "no-task"],
    ] as const
  ) assertEquals(await codeOf(wrong), code, String(wrong));
  await workspace.cancel([waits]);
  // A name that means none leaves the others alone, whichever comes first.
  assertEquals(await codeOf(() => workspace.archive(["nobody", failed])), "no-task");
  assertEquals(workspace.task(failed), undefined);
  workspace.restore(failed);
  const third = await start("true");
  await workspace.cancel([third.taskId]);
  assertEquals(await codeOf(() => workspace.remove(["nobody", third.taskId])), "no-task");
  assertEquals(workspace.task(third.taskId), undefined);
  assertEquals(await codeOf(() => workspace.remove("x" as never)), "usage");
  assertEquals(workspace.archive([failed]), [failed]);
  assertEquals(workspace.task(failed), undefined);
  assertEquals(workspace.restore(failed).taskId, failed);
  assertEquals(workspace.task(failed)!.status, "failed");
  assertEquals(workspace.remove([failed, waits]), [failed, waits]);
  assertEquals(await workspace.tasks(), []);
});

Deno.test("timeOut ends a running task with its processes; a chain is archived as a whole", async () => {
  await using box = await makeBox();
  const workspace = openWorkspace(box.root);
  const { taskId } = await workspace.start({ agent: "shell", prompt: "sleep 600" });
  await box.ok("run");
  const ended = await workspace.timeOut(taskId);
  assertEquals([ended.status, ended.failureClass, ended.reapAt], ["failed", "timeout", null]);
  const next = workspace.retry(taskId);
  assertEquals(await codeOf(() => workspace.archive([taskId])), "state");
  await workspace.cancel([next.taskId]);
  assertEquals(workspace.archive([taskId]).sort(), [taskId, next.taskId].sort());
  await box.unwatched();
});
