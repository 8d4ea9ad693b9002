// Ids are never given twice, whoever asks for one at once.

import { assert, assertEquals } from "../support/assert.ts";
import { formatTask, type Task } from "../../lib/task/fields.ts";
import { linking, ON_POSIX, test } from "../support/needs.ts";
import { assertMode, Folder, idOf, make, names, NOW, Program } from "../support/store.ts";

test("create counts up over ids that are taken and leaves what is there alone", linking(), () => {
  using folder = new Folder();
  const store = folder.store();
  for (let number = 0; number < 5; number++) {
    assertEquals(store.create(make, NOW).taskId, idOf(number));
  }
  // Whatever stands in the way, be it no task at all, is never overwritten.
  const path = `${store.tasksDir}/${idOf(5)}.json`;
  Deno.writeTextFileSync(path, "garbage");
  Deno.mkdirSync(`${store.tasksDir}/${idOf(6)}.json`);
  Deno.symlinkSync(`${folder.path}/nowhere`, `${store.tasksDir}/${idOf(7)}.json`, { type: "file" });
  assertEquals(store.create(make, NOW).taskId, idOf(8));
  assertEquals(Deno.readTextFileSync(path), "garbage");
  assertEquals(names(folder.path), [".orchestra"]);
  assertEquals(names(store.tasksDir).length, 9);
});

Deno.test("create asks for the task of the id that it gives", () => {
  using folder = new Folder();
  const store = folder.store();
  const asked: string[] = [];
  const twice = (id: string) => (asked.push(id), make(id));
  store.create(twice, NOW);
  const task = store.create(twice, NOW);
  assertEquals(asked.at(-1), idOf(1));
  assert(asked.every((id) => id === idOf(0) || id === idOf(1)));
  assertEquals(store.read(task.taskId), task);
  assertEquals(task.logFile, `.orchestra/logs/${idOf(1)}.log`);
});

Deno.test("a batch of any size appears whole under ids that were free", () => {
  using folder = new Folder();
  const store = folder.store();
  store.create(make, NOW);
  for (const size of [1, 2, 20]) {
    const tasks: Task[] = [];
    for (let next = NOW; tasks.length < size; next = Number(tasks.at(-1)!.taskId.slice(5)) + 1) {
      tasks.push(make(store.freeId(next)));
    }
    const before = store.scan().tasks;
    assertEquals(store.createAll(tasks, () => false), false);
    assertEquals(store.scan().tasks, before);
    assertEquals(store.createAll(tasks), true);
    assertEquals(store.scan(), { tasks: [...before, ...tasks], damaged: [], marks: new Map() });
    assertMode(`${store.tasksDir}/${tasks[0]!.taskId}.json`, 0o600);
  }
});

Deno.test("a batch whose id was taken meanwhile overwrites nothing and leaves nothing", () => {
  using folder = new Folder();
  const store = folder.store();
  const taken = store.create(make, NOW + 1);
  const before = names(store.tasksDir);
  const batch = [0, 1, 2].map((n) => ({ ...make(idOf(n)), agent: "b" }));
  assertEquals(store.createAll(batch), false);
  assertEquals(store.read(taken.taskId), taken);
  assertEquals(names(store.tasksDir), before);
});

Deno.test("freeId passes over tasks and archived tasks", () => {
  using folder = new Folder();
  const store = folder.store();
  store.create(make, NOW);
  Deno.writeTextFileSync(`${store.dir}/archive/${idOf(1)}.json`, formatTask(make(idOf(1))));
  assertEquals(store.freeId(NOW), idOf(2));
  assertEquals(store.create(make, NOW).taskId, idOf(2));
});

Deno.test("a time before 2001 gives an id of ten digits all the same", () => {
  using folder = new Folder();
  const store = folder.store();
  assertEquals(store.create(make, 5).taskId, "task_0000000005");
  assertEquals(store.create(make, -5).taskId, "task_0000000000");
  assertEquals(store.scan().damaged, []);
});

// Under Wine eight that wait at their pipes at once wait for ever.
const PROCESSES = ON_POSIX === null ? 8 : 6;

Deno.test(`${PROCESSES} processes that create 25 tasks each, wanting the same ids, get ${25 * PROCESSES} different ones`, async () => {
  using folder = new Folder();
  const store = folder.store();
  const programs = Array.from(
    { length: PROCESSES },
    () => new Program("create", folder.path, "25", `${NOW}`, `${PROCESSES}`),
  );
  await using stack = new AsyncDisposableStack();
  for (const program of programs) stack.use(program);
  // All of them are there before the first begins.
  for (const program of programs) assertEquals(await program.firstLine(), "ready");
  await Promise.all(programs.map((program) => program.release()));
  const printed = (await Promise.all(programs.map((program) => program.rest())))
    .flatMap((text) => text.trim().split("\n"));
  // So many want each so-manieth id: whoever comes first, together they get all ids and no other.
  const wanted = Array.from({ length: 25 * PROCESSES }, (_, number) => idOf(number));
  assertEquals(printed.sort(), wanted);
  const { tasks, damaged, marks } = store.scan();
  assertEquals(tasks.map(({ taskId }) => taskId), wanted);
  assertEquals(damaged, []);
  assertEquals(marks.size, 0);
  // Every process got all of its own, with its own content.
  const owners = Object.groupBy(tasks, ({ agent }) => agent);
  assertEquals(Object.values(owners).map((own) => own!.length), Array(PROCESSES).fill(25));
});
