// Readers never see half a file, nor does a power cut or a full disk leave one.

import {
  assert,
  assertEquals,
  assertExists,
  assertMatch,
  assertThrows,
} from "../support/assert.ts";
import { MODES, SYNCED_FOLDERS, test } from "../support/needs.ts";
import { Folder, ID, idOf, make, modeOf, names, NOW, Program } from "../support/store.ts";

Deno.test("readers never see half a file while another process rewrites it", async () => {
  using folder = new Folder();
  const store = folder.store();
  const { taskId } = store.create(make, NOW);
  await using writer = new Program("rewrite", folder.path, taskId);
  const seen = new Set<string>();
  // Until every content was seen many times over; a writer that fails ends the wait.
  let ended = false;
  writer.child.status.then(() => ended = true);
  const letters = (text: string) => new Set(text).size <= 1;
  for (let turn = 0; (turn < 300 || seen.size < 4) && !ended; turn++) {
    const task = store.read(taskId);
    assertExists(task);
    assert(letters(task.prompt) && (task.agent === "a" || task.prompt.startsWith(task.agent)));
    if (task.agent !== "a") {
      assertEquals(task.prompt.length, 1 + "abc".indexOf(task.agent) * 100_000);
    }
    seen.add(task.prompt[0] + task.agent);
    const { tasks, damaged } = store.scan();
    assertEquals([tasks.length, damaged.length], [1, 0]);
    const mark = store.readMark(taskId, "done");
    if (mark !== undefined) {
      assert(letters(mark.text));
      assertEquals(mark.text.length, 1 + "abc".indexOf(mark.text[0]!) * 20_000);
    }
    if (turn % 20 === 0) await new Promise<void>((resolve) => setTimeout(resolve, 0));
  }
  assertEquals(ended, false);
  Deno.writeTextFileSync(`${store.dir}/stop`, "");
  assert((await writer.child.status).success);
  assertEquals(names(store.tasksDir), [`${taskId}.done`, `${taskId}.json`]);
});

/** What the store asked of the system, in order, with paths relative to `.orchestra/`. */
function recordCalls(dir: string, action: () => void): string[] {
  const calls: string[] = [];
  const paths = new WeakMap<Deno.FsFile, string>();
  const { openSync, renameSync, linkSync, removeSync } = Deno;
  const { syncSync } = Deno.FsFile.prototype;
  const short = (path: string | URL) =>
    String(path).slice(dir.length + 1).replace(/(?:\.[^./]+)?\.tmp$/, ".tmp");
  const host = Deno as {
    openSync: typeof Deno.openSync;
    renameSync: typeof Deno.renameSync;
    linkSync: typeof Deno.linkSync;
    removeSync: typeof Deno.removeSync;
  };
  try {
    host.openSync = (path, options) => {
      const file = openSync(path, options);
      paths.set(file, short(path));
      return file;
    };
    host.renameSync = (
      from,
      to,
    ) => (calls.push(`rename ${short(from)} ${short(to)}`), renameSync(from, to));
    host.linkSync = (
      from,
      to,
    ) => (calls.push(`link ${short(from)} ${short(to)}`), linkSync(from, to));
    host.removeSync = (
      path,
      options,
    ) => (calls.push(`remove ${short(path)}`), removeSync(path, options));
    Deno.FsFile.prototype.syncSync = function () {
      calls.push(`sync ${paths.get(this)}`);
      return syncSync.call(this);
    };
    action();
  } finally {
    Object.assign(host, { openSync, renameSync, linkSync, removeSync });
    Deno.FsFile.prototype.syncSync = syncSync;
  }
  return calls;
}

Deno.test("a file is synced before it gets its name, and the folder after a new name", () => {
  using folder = new Folder();
  const store = folder.store();
  const tmp = `${ID}.json.tmp`;
  const json = `tasks/${ID}.json`;
  const record = (action: () => void) =>
    recordCalls(store.dir, action).filter((call) => !call.startsWith("remove"));
  const folderSync = (name: string) => SYNCED_FOLDERS === null ? [`sync ${name}`] : [];
  assertEquals(record(() => store.create(make, NOW)), [
    `sync ${tmp}`,
    `link ${tmp} ${json}`,
    // The first line of it, with which its file appears.
    "rename history.jsonl.tmp history.jsonl",
    ...folderSync("tasks"),
  ]);
  // The name was durable before: after a power cut it has the old content or the new one.
  assertEquals(record(() => store.write(make(ID))), [`sync ${tmp}`, `rename ${tmp} ${json}`]);
  // What a synced write right after it confirms is not synced itself.
  assertEquals(record(() => store.writeHint(ID, "timeout", "x")), [
    `rename ${ID}.timeout.tmp tasks/${ID}.timeout`,
  ]);
  assertEquals(record(() => store.createMark(ID, "1.pid", "x")), [
    `sync ${ID}.1.pid.tmp`,
    `link ${ID}.1.pid.tmp tasks/${ID}.1.pid`,
    ...folderSync("tasks"),
  ]);
  assertEquals(record(() => store.writeFile(`${store.dir}/config.json`, "{}")), [
    "sync config.json.tmp",
    "rename config.json.tmp config.json",
    ...folderSync(""),
  ]);
  // A batch: all contents, then all names, then the folder once.
  const batch = record(() => store.createAll([make(idOf(1)), make(idOf(2))]));
  assertEquals(batch, [
    ...[1, 2].map((number) => `sync ${idOf(number)}.json.tmp`),
    ...[1, 2].map((number) => `link ${idOf(number)}.json.tmp tasks/${idOf(number)}.json`),
    ...folderSync("tasks"),
  ]);
  assertEquals(names(store.dir).filter((name) => name.endsWith(".tmp")), []);
});

test("where folders cannot be synced, what was queued is told to be queued", SYNCED_FOLDERS, () => {
  using folder = new Folder();
  const store = folder.store();
  const { syncSync } = Deno.FsFile.prototype;
  for (const [code, number] of [["EINVAL", 22], ["EIO", 5]] as const) {
    let refused = 0;
    Deno.FsFile.prototype.syncSync = function () {
      if (!this.statSync().isDirectory) return syncSync.call(this);
      refused++;
      throw Object.assign(new Error(`refused (os error ${number})`), { code });
    };
    try {
      const { taskId } = store.create(make, NOW);
      assertEquals(store.createMark(taskId, "1.pid", "x"), true);
      assertEquals(store.createAll([make(idOf(number))]), true);
      store.writeFile(`${store.dir}/config.json`, "{}");
    } finally {
      Deno.FsFile.prototype.syncSync = syncSync;
    }
    assertEquals(refused, 4);
  }
  assertEquals(store.scan().tasks.length, 4);
});

Deno.test("what a killed process left of a write is in nobody's way", () => {
  using folder = new Folder();
  const store = folder.store();
  store.create(make, NOW);
  // The worst name: the one that this process would use.
  let used = "";
  const { openSync } = Deno;
  const host = Deno as { openSync: typeof Deno.openSync };
  host.openSync = (path, options) => {
    if (String(path).endsWith(".tmp")) used = String(path);
    return openSync(path, options);
  };
  try {
    store.write(make(ID));
  } finally {
    host.openSync = openSync;
  }
  assertMatch(used, /\.tmp$/);
  Deno.writeTextFileSync(used, "half a fi");
  store.write({ ...make(ID), agent: "b" });
  assertEquals(store.read(ID)!.agent, "b");
  Deno.writeTextFileSync(`${store.tasksDir}/${ID}.json.999999999.tmp`, "half a fi");
  const { tasks, damaged } = store.scan();
  assertEquals([tasks.length, damaged.length], [1, 0]);
});

/** Runs something where the file system has no hard links. */
function withoutLinks(action: () => void): void {
  const { linkSync } = Deno;
  const host = Deno as { linkSync: typeof Deno.linkSync };
  host.linkSync = () => {
    throw new Deno.errors.PermissionDenied("Operation not permitted (os error 1)");
  };
  try {
    action();
  } finally {
    host.linkSync = linkSync;
  }
}

Deno.test("without hard links ids and marks are exclusive all the same", () => {
  using folder = new Folder();
  const store = folder.store();
  withoutLinks(() => {
    for (const number of [0, 1, 2]) {
      assertEquals(store.create(make, NOW), make(idOf(number)));
      assertEquals(store.read(idOf(number)), make(idOf(number)));
    }
    assertEquals(store.createMark(ID, "1.pid", "one"), true);
    assertEquals(store.createMark(ID, "1.pid", "two"), false);
    assertEquals(store.readMark(ID, "1.pid")?.text, "one");
    store.createAll([3, 4].map((number) => make(idOf(number))));
  });
  assertEquals(store.scan().tasks.length, 5);
  assertEquals(names(store.tasksDir).filter((name) => name.endsWith(".tmp")), []);
});

Deno.test("without hard links a write that fails leaves no half file under a task's name", () => {
  using folder = new Folder();
  const store = folder.store();
  const { writeSync } = Deno.FsFile.prototype;
  for (const create of [() => store.create(make, NOW), () => store.createMark(ID, "1.pid", "x")]) {
    withoutLinks(() => {
      // The file beside still fits; the one under the real name does not.
      let files = 0;
      Deno.FsFile.prototype.writeSync = function (bytes) {
        if (++files > 1) throw new Error("No space left on device (os error 28)");
        return writeSync.call(this, bytes);
      };
      try {
        assertThrows(() => create(), Error, "os error 28");
      } finally {
        Deno.FsFile.prototype.writeSync = writeSync;
      }
    });
    assertEquals(names(store.tasksDir), []);
  }
});

Deno.test("fields that we do not know survive a rewrite", () => {
  using folder = new Folder();
  const store = folder.store();
  const foreign = { ...make(ID), x_team: { deep: [1, null] }, zzz: "日本" };
  Deno.writeTextFileSync(`${store.tasksDir}/${ID}.json`, JSON.stringify(foreign));
  store.write({ ...store.read(ID)!, status: "running" });
  assertEquals(JSON.parse(Deno.readTextFileSync(`${store.tasksDir}/${ID}.json`)), {
    ...foreign,
    status: "running",
  });
});

test("files are for their owner only, under any umask", MODES, async () => {
  using folder = new Folder();
  await using program = new Program("unmasked", folder.path);
  const id = await program.firstLine();
  await program.rest();
  const dir = `${folder.path}/.orchestra`;
  for (const name of ["", "/tasks", "/plans", "/logs", "/workspace", "/archive"]) {
    assertEquals(modeOf(`${dir}${name}`), 0o700, name);
  }
  for (const mark of ["json", "cancelled", "1.pid"]) {
    assertEquals(modeOf(`${dir}/tasks/${id}.${mark}`), 0o600, mark);
  }
  for (const name of ["config.json", "lock"]) {
    assertEquals(modeOf(`${dir}/${name}`), 0o600, name);
  }
});
