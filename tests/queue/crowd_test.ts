// Many processes at once: each task is made once and launched once.

import { assertEquals } from "../support/assert.ts";
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

Deno.test("two hundred processes that start a task at once make two hundred tasks", async () => {
  await using box = await makeBox();
  const outcomes = await Promise.all(
    Array.from({ length: 200 }, (_, at) => box.run("start", "-q", "shell", `echo ${at}`)),
  );
  const ids = outcomes.map(({ code, stdout, stderr }) => {
    assertEquals([code, stderr], [0, ""]);
    return stdout.trim();
  });
  assertEquals(new Set(ids).size, 200);
  for (const [at, id] of ids.entries()) assertEquals(box.task(id).prompt, `echo ${at}`);
  const names = [...Deno.readDirSync(box.path("tasks"))].map((item) => item.name);
  assertEquals(names.sort(), ids.map((id) => `${id}.json`).sort());
});
