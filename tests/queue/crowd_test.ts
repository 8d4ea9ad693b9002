// Many processes at once: each task is made once and launched once.

import { assertEquals } from "../support/assert.ts";
import { startAtOnce } from "../support/crowd.ts";
import { makeBox } from "../support/program.ts";
import { textIn } from "../support/gated.ts";

Deno.test("twenty tasks and four that run them at once: each is launched once", async () => {
  await using box = await makeBox();
  const lines = Array.from(
    { length: 20 },
    () =>
      JSON.stringify({
        agent: "shell",
        prompt: 'echo "$ORCHESTRA_TASK_ID" >>"$ORCHESTRA_WORKSPACE/ran"',
      }),
  );
  await box.runWith({ stdin: lines.join("\n") }, "start", "--from", "-");
  await Promise.all([
    box.run("run", "--all", "--wait", "--parallel", "4"),
    box.run("run", "--all", "--parallel", "4"),
    box.run("run", "--parallel", "4"),
    box.run("run", "--all", "--wait", "--parallel", "4"),
  ]);
  assertEquals((await box.run("wait")).code, 0);
  const ran = textIn(box.path("workspace/ran"))!.trimEnd().split("\n");
  assertEquals(ran.sort(), box.tasks().map((task) => task.taskId));
  assertEquals(
    box.tasks().map((task) => [task.status, task.claim]),
    Array(20).fill(["complete", 1]),
  );
});

Deno.test("thirty processes that start a task at once make thirty tasks", () => startAtOnce(30));
