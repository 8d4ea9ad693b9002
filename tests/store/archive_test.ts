// The archive is out of the way: it costs what it must.

import { assert, assertEquals } from "../support/assert.ts";
import { archivedIds, archiveFinished } from "../../lib/store/archive.ts";
import { DEFAULT_CONFIG } from "../../lib/settings/config_fields.ts";
import { readiness } from "../../lib/decide/dependencies.ts";
import { openQueue } from "../../lib/queue/queue.ts";
import { refresh } from "../../lib/queue/refresh.ts";
import { formatTask } from "../../lib/task/fields.ts";
import { ON_POSIX } from "../support/needs.ts";
import { Folder, idOf, make, names, NOW } from "../support/store.ts";

Deno.test("archiving many tasks lists their folder to choose and to make sure, and moves no more than it may", () => {
  using folder = new Folder();
  const store = folder.store();
  const ids = Array.from({ length: 50 }, (_, at) => idOf(at + 1));
  for (const id of ids) {
    const ended = new Date(NOW - 86_400_000).toISOString();
    store.createAll([{ ...make(id), status: "complete", completedAt: ended, claim: 1 }]);
    Deno.writeTextFileSync(`${store.tasksDir}/${id}.done`, "");
    Deno.writeTextFileSync(`${store.tasksDir}/${id}.1.pid`, "1 - 1\n");
  }
  const policy = { ...DEFAULT_CONFIG.archive, max_completed_age_days: 1 };
  const problem = (text: string) => assert(false, text);
  const own = Deno.readDirSync;
  const { lockSync } = Deno.FsFile.prototype;
  let lists = 0;
  let sections = 0;
  Deno.readDirSync = (path) => {
    lists++;
    return own(path);
  };
  Deno.FsFile.prototype.lockSync = function (exclusive) {
    sections++;
    return lockSync.call(this, exclusive);
  };
  try {
    const first = archiveFinished(store, policy, NOW, problem, 20);
    assertEquals(first.map(({ taskId }) => taskId), ids.slice(0, 20));
    assertEquals(archiveFinished(store, policy, NOW, problem).length, 30);
  } finally {
    Deno.readDirSync = own;
    Deno.FsFile.prototype.lockSync = lockSync;
  }
  // Once to choose, and once in each section to make sure.
  assertEquals(lists, 2 + sections);
  // Where moving is slow, others get in between.
  if (ON_POSIX === null) assertEquals(sections, 2);
  assertEquals(names(store.tasksDir), []);
  assertEquals(archivedIds(store), ids);
});

Deno.test("a look at the queue reads nothing of the archive but what a pending task depends on", async () => {
  using folder = new Folder();
  const store = folder.store();
  const archived = [idOf(1), idOf(2)];
  for (const id of archived) {
    const text = formatTask({ ...make(id), status: "complete" });
    Deno.writeTextFileSync(`${store.dir}/archive/${id}.json`, text);
  }
  Deno.writeTextFileSync(
    `${store.tasksDir}/${idOf(3)}.json`,
    formatTask({ ...make(idOf(3)), dependsOn: [idOf(2)] }),
  );
  const read: string[] = [];
  const names = ["readDirSync", "openSync", "readFileSync", "readTextFileSync"] as const;
  const own = names.map((name) => Deno[name]);
  for (const [at, name] of names.entries()) {
    Object.assign(Deno, {
      [name]: (path: string, ...rest: unknown[]) => {
        if (path.includes("/archive")) read.push(path.slice(store.dir.length + 1));
        return Reflect.apply(own[at]!, Deno, [path, ...rest]);
      },
    });
  }
  try {
    const { tasks, index } = await refresh(openQueue(folder.path));
    assertEquals(tasks.map(({ taskId }) => taskId), [idOf(3)]);
    assertEquals(readiness(tasks[0]!, index).kind, "ready");
  } finally {
    for (const [at, name] of names.entries()) Object.assign(Deno, { [name]: own[at] });
  }
  assertEquals(read, [`archive/${idOf(2)}.json`]);
});
