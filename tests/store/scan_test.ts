// All tasks of a workspace: in order, those of the ancestor too, and each damaged file by its name.

import {
  assert,
  assertEquals,
  assertExists,
  assertMatch,
  assertStringIncludes,
  assertThrows,
} from "../support/assert.ts";
import { linking, NOT_ROOT, ON_POSIX, test } from "../support/needs.ts";
import { LEGACY, LEGACY_TASKS, writeLegacyWorkspace } from "../support/legacy.ts";
import { OrchestraError } from "../../lib/task/error.ts";
import { openStore } from "../../lib/store/tasks.ts";
import { formatTask } from "../../lib/task/fields.ts";
import { Folder, ID, idOf, make, NOW } from "../support/store.ts";

Deno.test("every bad task file is reported by name, and the others are read", () => {
  using folder = new Folder();
  const store = folder.store();
  const good = [store.create(make, NOW), store.create(make, NOW)];
  const path = (number: number) => `${store.tasksDir}/${idOf(number)}.json`;
  const text = formatTask(make(idOf(30)));
  const bad: [number, () => void, RegExp][] = [
    [10, () => Deno.writeTextFileSync(path(10), ""), /empty/],
    [11, () => Deno.writeTextFileSync(path(11), text.slice(0, 200)), /JSON/],
    [12, () => Deno.writeTextFileSync(path(12), "\0".repeat(4096)), /JSON|empty/],
    [13, () => Deno.writeFileSync(path(13), new Uint8Array([0xff, 0xfe, 0xfd])), /JSON|read/],
    [14, () => Deno.mkdirSync(path(14)), /not a file/],
    [16, () => Deno.writeTextFileSync(path(16), text), /"taskId"/],
    [17, () => Deno.writeTextFileSync(path(17), "[]"), /object/],
    [18, () => Deno.writeTextFileSync(path(18), '{"taskId":"../../x"}'), /"status"/],
    [19, () => Deno.writeTextFileSync(path(19), "[".repeat(200_000)), /JSON/],
    [20, () => {
      Deno.writeTextFileSync(path(20), text.replaceAll(idOf(30), idOf(20)));
      Deno.truncateSync(path(20), 65 * 1024 ** 2);
    }, /too large/],
  ];
  if (linking() === null) {
    const link = () => Deno.symlinkSync(`${store.tasksDir}/${good[0]!.taskId}.json`, path(15));
    bad.push([15, link, /symbolic link/]);
  }
  for (const [, plant] of bad) plant();
  for (
    const name of [
      "foo.json",
      "task_1.json",
      ".json",
      "task_123456789012345678901.json",
    ]
  ) {
    Deno.writeTextFileSync(`${store.tasksDir}/${name}`, "{}");
  }
  Deno.writeTextFileSync(`${store.tasksDir}/notes.txt`, "not ours");
  const { tasks, damaged } = store.scan();
  assertEquals(tasks, good);
  for (const [number, , says] of bad) {
    const found = damaged.filter(({ file }) => file === `.orchestra/tasks/${idOf(number)}.json`);
    assertEquals(found.length, 1, `${number}`);
    assertMatch(found[0]!.problem, says);
    const error = assertThrows(() => store.read(idOf(number)), OrchestraError);
    assertEquals([error.code, error.exitCode], ["damaged", 5]);
    assertStringIncludes(error.message, idOf(number));
    assertExists(error.hint);
  }
  assertEquals(damaged.filter(({ problem }) => /not named after/.test(problem)).length, 4);
  assertEquals(damaged.length, bad.length + 4);
  // Reported and kept as they are.
  assertEquals(Deno.readTextFileSync(path(10)), "");
  assertEquals(Deno.readTextFileSync(path(17)), "[]");
});

test(
  "a pipe in the place of a task file or a sentinel is reported, not waited for",
  ON_POSIX,
  () => {
    using folder = new Folder();
    const store = folder.store();
    for (const mark of ["json", "done"]) {
      const { success } = new Deno.Command("mkfifo", { args: [store.markPath(ID, mark)] })
        .outputSync();
      assert(success);
    }
    assertMatch(store.scan().damaged[0]?.problem ?? "", /not a file/);
    assertThrows(() => store.read(ID), OrchestraError, "regular");
    assertEquals(store.readMark(ID, "done")?.text, "");
  },
);

test("a task that nobody may read is reported by name", NOT_ROOT, () => {
  using folder = new Folder();
  const store = folder.store();
  store.create(make, NOW);
  const other = store.create(make, NOW);
  Deno.chmodSync(`${store.tasksDir}/${ID}.json`, 0);
  const { tasks, damaged } = store.scan();
  assertEquals(tasks, [other]);
  assertMatch(damaged[0]!.problem, /cannot be read/);
});

Deno.test("scan lists tasks oldest first, whatever the order in the folder", () => {
  using folder = new Folder();
  const store = folder.store();
  const numbers = [1e13, 5, NOW, 1e12, 1e10, 123];
  for (const number of numbers) store.create(make, number);
  const found = store.scan().tasks.map(({ taskId }) => Number(taskId.slice(5)));
  assertEquals(found, [...numbers].sort((a, b) => a - b));
});

Deno.test("scan lists tasks oldest first, however long their ids are", () => {
  const lists = [
    // Too long for a number, so that the last digits count.
    ["task_9007199254740993", "task_9007199254740994", "task_12345678901234567890"],
    // Numbers, but too far apart to be packed with their places.
    ["task_0000000001", "task_0000000002", "task_9007199254740990"],
    // A long id with zeros in front comes after a short one.
    ["task_9999999999", "task_00000000007", "task_00000000008"],
    [],
  ];
  for (const ids of lists) {
    using folder = new Folder();
    const store = folder.store();
    for (const id of [...ids].reverse()) {
      Deno.writeTextFileSync(`${store.tasksDir}/${id}.json`, formatTask(make(id)));
    }
    assertEquals(store.scan().tasks.map(({ taskId }) => taskId), ids);
  }
});

Deno.test("the ancestor's workspace opens as it is: nine tasks, nothing damaged, nothing changed", () => {
  using folder = new Folder();
  writeLegacyWorkspace(folder.path);
  const store = openStore(folder.path);
  const { tasks, damaged, marks } = store.scan();
  assertEquals(tasks.map(({ taskId }) => taskId), Object.keys(LEGACY_TASKS).sort());
  assertEquals(damaged, []);
  assertEquals(marks, new Map([[LEGACY.cancelled, ["cancelled"]]]));
  for (const [id, text] of Object.entries(LEGACY_TASKS)) {
    assertEquals(Deno.readTextFileSync(`${store.tasksDir}/${id}.json`), text);
    assertEquals(store.read(id)?.taskId, id);
  }
});
