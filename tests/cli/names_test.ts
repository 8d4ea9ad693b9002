// Wherever a command takes the id of a task it takes what a person can type: the end of it, the key
// that it was given, @last.

import { newTask, type Task } from "../../lib/task/fields.ts";
import { assert, assertEquals, assertStringIncludes } from "../support/assert.ts";
import { type Box, makeBox } from "../support/program.ts";

/** Ids of which no two end alike in three digits; beside others, which the clock makes, it takes more. */
const IDS = ["task_1772625600111", "task_1772625600222", "task_1772625600333"] as const;
const TWIN = "task_1772625777333";
const [END_A, END_B, END_C] = IDS.map((id) => id.slice(-10)) as [string, string, string];

/** Pending tasks with the keys `a`, `b` and `c`, in this order. */
async function prepare(): Promise<Box> {
  const box = await makeBox();
  const task = box.task(await box.start("shell", "true"));
  Deno.removeSync(box.path(`tasks/${task.taskId}.json`));
  for (const [at, taskId] of IDS.entries()) put(box, { ...task, taskId, key: "abc"[at]! });
  return box;
}

function put(box: Box, { taskId, ...rest }: Task): void {
  const { planFile, logFile } = newTask(taskId, rest, 0);
  const text = JSON.stringify({ ...rest, taskId, planFile, logFile });
  Deno.writeTextFileSync(box.path(`tasks/${taskId}.json`), text);
}

Deno.test("an end, a key and @last are taken wherever an id is", async () => {
  await using box = await prepare();
  const [a, b, c] = IDS;
  for (const [name, id] of [["111", a], ["0111", a], ["b", b], ["@last", c], [c, c]]) {
    assertEquals((await box.json("show", name!)).task.taskId, id);
    assertEquals((await box.json("deps", "show", name!)).taskId, id);
    assertEquals((await box.json("logs", name!)).taskId, id);
  }
  const extended = await box.json("timeout", "extend", "a", "5m");
  assertEquals([extended.taskId, extended.timeout], [a, 300]);
  const waiting = await box.json(
    "start",
    "shell",
    "true",
    "--depends-on",
    `a,${END_B}`,
    "--key",
    "d",
  );
  assertEquals(waiting.dependsOn, [a, b]);
  assertEquals((await box.json("cancel", "a", END_B, "d")).cancelled, [a, b, waiting.taskId]);
  const retried = await box.json("retry", "a");
  assertEquals([retried.parentTaskId, retried.key], [a, "a"]);
  // A key is that of the chain: its latest attempt is meant.
  assertEquals((await box.json("show", "a")).task.taskId, retried.taskId);
  assertEquals((await box.json("show", END_A)).task.taskId, a);
  assertEquals((await box.json("clean", END_B, "--yes")).removed, [b]);
  const refused = await box.fails(3, "show", "b");
  assertStringIncludes(refused.text, '"b"');
  await box.ok("run", "--all");
  const { tasks } = await box.json("wait", "a", END_C);
  assertEquals(
    tasks.map((task: { taskId: string }) => task.taskId).sort(),
    [c, retried.taskId].sort(),
  );
  const other = await box.fails(4, "timeout", "now", "c");
  assertStringIncludes(other.text, c);
});

Deno.test("an end that several ids have is refused with their names, and no other task is touched", async () => {
  await using box = await prepare();
  put(box, { ...box.task(IDS[2]), taskId: TWIN, key: null });
  for (const command of ["show", "logs", "cancel", "retry", "wait", "clean", "start"]) {
    const args = command === "start"
      ? ["start", "shell", "x", "--depends-on", "333"]
      : [command, "333"];
    const { text } = await box.fails(2, ...args);
    for (const id of [IDS[2], TWIN]) assertStringIncludes(text, id);
  }
  assertEquals(box.tasks().map(({ status }) => status), Array(4).fill("pending"));
  assertEquals((await box.json("cancel", "777333")).cancelled, [TWIN]);
});

Deno.test("what is archived is found by its name where it is shown, and where it is restored", async () => {
  await using box = await prepare();
  const [a] = IDS;
  await box.ok("cancel", "a");
  Deno.renameSync(box.path(`tasks/${a}.json`), box.path(`archive/${a}.json`));
  assertEquals((await box.json("show", "111")).task.taskId, a);
  assertEquals((await box.json("show", "a")).task.taskId, a);
  // The way back is told.
  assertStringIncludes((await box.fails(4, "cancel", "a")).text, `archive restore ${a}`);
  // The key is free again; the task that has it now is meant, and the archive has its own.
  const again = await box.start("shell", "true", "--key", "a");
  assertEquals((await box.json("show", "a")).task.taskId, again);
  // Two of one key would be nobody's: the one in the archive stays there until the key is free.
  assertStringIncludes((await box.fails(4, "archive", "restore", END_A)).text, again);
  await box.ok("cancel", again);
  await box.ok("clean", "-y", again);
  assertEquals(await box.json("archive", "restore", END_A), { restored: a });
});

Deno.test("keys are proposed beside ids", async () => {
  await using box = await prepare();
  const proposed = async (...words: string[]) =>
    (await box.ok("_complete", ...words)).trim().split("\n");
  assertEquals(await proposed("show", ""), ["a", "b", "c", ...IDS]);
  assertEquals(await proposed("cancel", "b"), ["b"]);
  assertEquals(await proposed("start", "--depends-on", "task_17726256001"), [IDS[0]]);
});

Deno.test("a full id is not looked for in the folder", async () => {
  await using box = await prepare();
  const last = await box.fails(3, "show", "task_1772625600444");
  assertStringIncludes(last.text, "task_1772625600444");
  // Two tasks with one key, as a hand may have made them: the key names neither, the id does.
  put(box, { ...box.task(IDS[0]), key: "b" });
  const { text } = await box.fails(2, "show", "b");
  assertStringIncludes(text, `${IDS[0]}, ${IDS[1]}`);
  assert((await box.json("show", IDS[1])).task.taskId === IDS[1]);
});
