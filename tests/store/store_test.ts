// The files are the API: ids are never given twice, the lock excludes, readers never see half a
// file, nothing follows a link, one bad file disturbs no other, and a disk that refuses loses nothing.

import { createFolders, findRoot } from "../../lib/store/paths.ts";
import {
  assert,
  assertEquals,
  assertExists,
  assertGreater,
  assertLess,
  assertMatch,
  assertStringIncludes,
  assertThrows,
} from "../support/assert.ts";
import { LEGACY, LEGACY_TASKS, writeLegacyWorkspace } from "../support/legacy.ts";
import { OrchestraError, toOrchestraError } from "../../lib/task/error.ts";
import type { Launcher } from "../../lib/launch/launcher.ts";
import { archivedIds, archiveFinished } from "../../lib/store/archive.ts";
import { DEFAULT_CONFIG } from "../../lib/settings/config.ts";
import { readiness } from "../../lib/decide/dependencies.ts";
import { openQueue } from "../../lib/queue/queue.ts";
import { openStore, type Store } from "../../lib/store/tasks.ts";
import { formatTask, newTask, type Task } from "../../lib/task/fields.ts";

const NOW = Date.parse("2026-03-04T12:00:00Z");
const ID = `task_${NOW}`;
const ROOT = Deno.build.os !== "windows" && Deno.uid() === 0;
/** For the name of a test that root cannot run. */
const NOT_ROOT = ROOT ? " (not run: root may do anything)" : "";

/** A folder of its own for a test, gone afterwards. */
class Folder implements Disposable {
  readonly path = Deno.realPathSync(Deno.makeTempDirSync({ prefix: "orchestra_store_" }));
  [Symbol.dispose](): void {
    Deno.removeSync(this.path, { recursive: true });
  }
  /** An empty workspace in it. */
  store(): Store {
    createFolders(this.path);
    return openStore(this.path);
  }
}

function idOf(number: number): string {
  return `task_${NOW + number}`;
}

function make(id: string): Task {
  return newTask(id, { agent: "a", prompt: "p" }, NOW);
}

function names(path: string): string[] {
  return [...Deno.readDirSync(path)].map(({ name }) => name).sort();
}

function modeOf(path: string): number {
  return Deno.lstatSync(path).mode! & 0o777;
}

/** One of the processes of store_program.ts; killed when the test ends, however it ends. */
class Program implements AsyncDisposable {
  readonly child: Deno.ChildProcess;
  readonly #input: WritableStreamDefaultWriter<Uint8Array>;
  readonly #output: ReadableStreamDefaultReader<string>;
  #text = "";
  #ended = false;
  constructor(...args: string[]) {
    const program = new URL("./store_program.ts", import.meta.url).pathname;
    this.child = new Deno.Command(Deno.execPath(), {
      args: ["run", "-A", "--no-lock", "--no-check", program, ...args],
      stdin: "piped",
      stdout: "piped",
      stderr: "inherit",
    }).spawn();
    this.#input = this.child.stdin.getWriter();
    this.#output = this.child.stdout.pipeThrough(new TextDecoderStream()).getReader();
  }
  /** Lets it go on. */
  release(): Promise<void> {
    return this.#input.write(new Uint8Array([10]));
  }
  /** Its first line. */
  async firstLine(): Promise<string> {
    while (!this.#text.includes("\n") && !this.#ended) await this.#read();
    const [line = ""] = this.#text.split("\n", 1);
    this.#text = this.#text.slice(line.length + 1);
    return line;
  }
  /** What else it prints until its end, which must be a good one. */
  async rest(): Promise<string> {
    while (!this.#ended) await this.#read();
    assert((await this.child.status).success);
    return this.#text;
  }
  async #read(): Promise<void> {
    const { value, done } = await this.#output.read();
    this.#ended ||= done;
    this.#text += value ?? "";
  }
  async [Symbol.asyncDispose](): Promise<void> {
    try {
      this.child.kill("SIGKILL");
    } catch {
      // It has ended.
    }
    await this.child.status;
    await this.#input.abort().catch(() => {});
    await this.#output.cancel();
  }
}

// --- ids ---

Deno.test("create counts up over ids that are taken and leaves what is there alone", () => {
  using folder = new Folder();
  const store = folder.store();
  for (let number = 0; number < 5; number++) {
    assertEquals(store.create(make, NOW).taskId, idOf(number));
  }
  // Whatever stands in the way, be it no task at all, is never overwritten.
  const path = `${store.tasksDir}/${idOf(5)}.json`;
  Deno.writeTextFileSync(path, "garbage");
  Deno.mkdirSync(`${store.tasksDir}/${idOf(6)}.json`);
  Deno.symlinkSync(`${folder.path}/nowhere`, `${store.tasksDir}/${idOf(7)}.json`);
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
    store.createAll(tasks);
    assertEquals(store.scan(), { tasks: [...before, ...tasks], damaged: [], marks: new Map() });
    assertEquals(modeOf(`${store.tasksDir}/${tasks[0]!.taskId}.json`), 0o600);
  }
});

Deno.test("a batch whose id was taken meanwhile overwrites nothing and leaves nothing", () => {
  using folder = new Folder();
  const store = folder.store();
  const taken = store.create(make, NOW + 1);
  const before = names(store.tasksDir);
  assertThrows(() => store.createAll([0, 1, 2].map((n) => ({ ...make(idOf(n)), agent: "b" }))));
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

Deno.test("8 processes that create 25 tasks each, wanting the same ids, get 200 different ones", async () => {
  using folder = new Folder();
  const store = folder.store();
  const programs = Array.from(
    { length: 8 },
    () => new Program("create", folder.path, "25", `${NOW}`, "8"),
  );
  await using stack = new AsyncDisposableStack();
  for (const program of programs) stack.use(program);
  // All of them are there before the first begins.
  for (const program of programs) assertEquals(await program.firstLine(), "ready");
  await Promise.all(programs.map((program) => program.release()));
  const printed = (await Promise.all(programs.map((program) => program.rest())))
    .flatMap((text) => text.trim().split("\n"));
  // Eight want each eighth id: whoever comes first, together they get all ids and no other.
  const wanted = Array.from({ length: 200 }, (_, number) => idOf(number));
  assertEquals(printed.sort(), wanted);
  const { tasks, damaged, marks } = store.scan();
  assertEquals(tasks.map(({ taskId }) => taskId), wanted);
  assertEquals(damaged, []);
  assertEquals(marks.size, 0);
  // Every process got all of its own, with its own content.
  const owners = Object.groupBy(tasks, ({ agent }) => agent);
  assertEquals(Object.values(owners).map((own) => own!.length), Array(8).fill(25));
});

// --- the lock ---

Deno.test("a locked section excludes other processes", async () => {
  using folder = new Folder();
  const store = folder.store();
  Deno.writeTextFileSync(`${store.dir}/number`, "0");
  await using stack = new AsyncDisposableStack();
  const programs = Array.from(
    { length: 4 },
    () => stack.use(new Program("count", folder.path, "100")),
  );
  // All of them are there before the first begins.
  for (const program of programs) assertEquals(await program.firstLine(), "ready");
  await Promise.all(programs.map((program) => program.release()));
  await Promise.all(programs.map((program) => program.rest()));
  assertEquals(Deno.readTextFileSync(`${store.dir}/number`), "400");
});

Deno.test("the lock of a process that is killed with -9 is free", async () => {
  using folder = new Folder();
  const store = folder.store();
  await using holder = new Program("hold", folder.path);
  assertEquals(await holder.firstLine(), "held");
  using file = Deno.openSync(`${store.dir}/lock`, { read: true, write: true });
  assertEquals(file.tryLockSync(true), false);
  holder.child.kill("SIGKILL");
  await holder.child.status;
  assertEquals(file.tryLockSync(true), true);
  file.unlockSync();
  assertEquals(store.locked(() => 7), 7);
});

Deno.test("a locked section may be entered again from within, and an error leaves it", () => {
  using folder = new Folder();
  const store = folder.store();
  using file = Deno.openSync(`${folder.path}/.orchestra/lock`, { write: true, create: true });
  const free = () => {
    const got = file.tryLockSync(true);
    if (got) file.unlockSync();
    return got;
  };
  store.locked(() => {
    store.locked(() => assertEquals(free(), false));
    assertEquals(free(), false);
    assertThrows(
      () =>
        store.locked(() => {
          throw new Error("inner");
        }),
      Error,
      "inner",
    );
    assertEquals(free(), false);
  });
  assertEquals(free(), true);
  assertThrows(
    () =>
      store.locked(() => {
        throw new Error("outer");
      }),
    Error,
    "outer",
  );
  assertEquals(free(), true);
});

// --- whole files ---

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
  const tmp = `tasks/${ID}.json.tmp`;
  const json = `tasks/${ID}.json`;
  const record = (action: () => void) =>
    recordCalls(store.dir, action).filter((call) => !call.startsWith("remove"));
  assertEquals(record(() => store.create(make, NOW)), [
    `sync ${tmp}`,
    `link ${tmp} ${json}`,
    "sync tasks",
  ]);
  // The name was durable before: after a power cut it has the old content or the new one.
  assertEquals(record(() => store.write(make(ID))), [`sync ${tmp}`, `rename ${tmp} ${json}`]);
  // What a synced write right after it confirms is not synced itself.
  assertEquals(record(() => store.writeHint(ID, "timeout", "x")), [
    `rename tasks/${ID}.timeout.tmp tasks/${ID}.timeout`,
  ]);
  assertEquals(record(() => store.createMark(ID, "1.pid", "x")), [
    `sync tasks/${ID}.1.pid.tmp`,
    `link tasks/${ID}.1.pid.tmp tasks/${ID}.1.pid`,
    "sync tasks",
  ]);
  assertEquals(record(() => store.writeFile(`${store.dir}/config.json`, "{}")), [
    "sync config.json.tmp",
    "rename config.json.tmp config.json",
    "sync ",
  ]);
  // A batch: all contents, then all names, then the folder once.
  const batch = record(() => store.createAll([make(idOf(1)), make(idOf(2))]));
  assertEquals(batch, [
    ...[1, 2].map((number) => `sync tasks/${idOf(number)}.json.tmp`),
    ...[1, 2].map((number) => `link tasks/${idOf(number)}.json.tmp tasks/${idOf(number)}.json`),
    "sync tasks",
  ]);
  assertEquals(names(store.dir).filter((name) => name.endsWith(".tmp")), []);
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

Deno.test("files are for their owner only, under any umask", () => {
  if (Deno.build.os === "windows") return;
  const before = Deno.umask(0);
  try {
    using folder = new Folder();
    const store = folder.store();
    store.create(make, NOW);
    store.writeHint(ID, "cancelled", "{}");
    store.createMark(ID, "1.pid", "x");
    store.writeFile(`${store.dir}/config.json`, "{}");
    store.locked(() => store.write(make(ID)));
    for (
      const path of [
        store.dir,
        ...["tasks", "plans", "logs", "workspace", "archive"].map((name) => `${store.dir}/${name}`),
      ]
    ) {
      assertEquals(modeOf(path), 0o700, path);
    }
    for (
      const path of [
        `tasks/${ID}.json`,
        `tasks/${ID}.cancelled`,
        `tasks/${ID}.1.pid`,
        "config.json",
        "lock",
      ]
    ) {
      assertEquals(modeOf(`${store.dir}/${path}`), 0o600, path);
    }
  } finally {
    Deno.umask(before);
  }
});

// --- small files ---

Deno.test("a mark can be created once, replaced, read and removed", () => {
  using folder = new Folder();
  const store = folder.store();
  assertEquals(store.readMark(ID, "1.pid"), undefined);
  assertEquals(store.createMark(ID, "1.pid", "one"), true);
  assertEquals(store.createMark(ID, "1.pid", "two"), false);
  assertEquals(store.readMark(ID, "1.pid")?.text, "one");
  store.writeHint(ID, "1.pid", "three");
  assertEquals(store.readMark(ID, "1.pid")?.text, "three");
  store.writeHint(ID, "done", "");
  assertEquals(store.listMarks(ID), ["1.pid", "done"]);
  store.create(make, NOW);
  assertEquals(store.scan().marks, new Map([[ID, ["1.pid", "done"]]]));
  store.removeMark(ID, "1.pid");
  store.removeMark(ID, "1.pid");
  assertEquals(store.listMarks(ID), ["done"]);
});

Deno.test("of a huge sentinel only the beginning is read", () => {
  using folder = new Folder();
  const store = folder.store();
  const path = store.markPath(ID, "error");
  Deno.writeTextFileSync(path, "boom");
  Deno.truncateSync(path, 10 * 1024 ** 3);
  const { text } = store.readMark(ID, "error")!;
  assertLess(text.length, 100_000);
  assert(text.startsWith("boom"));
});

Deno.test("a sentinel that is a folder or not UTF-8 still says what its name says", () => {
  using folder = new Folder();
  const store = folder.store();
  Deno.mkdirSync(store.markPath(ID, "done"));
  assertEquals(store.readMark(ID, "done")?.text, "");
  Deno.writeFileSync(store.markPath(ID, "error"), new Uint8Array([0xff, 0xfe, 0x00, 0x41]));
  assertEquals(store.readMark(ID, "error")?.text, "\uFFFD\uFFFD\0A");
});

// --- damaged files ---

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
    [
      15,
      () => Deno.symlinkSync(`${store.tasksDir}/${good[0]!.taskId}.json`, path(15)),
      /symbolic link/,
    ],
    [16, () => Deno.writeTextFileSync(path(16), text), /"taskId"/],
    [17, () => Deno.writeTextFileSync(path(17), "[]"), /object/],
    [18, () => Deno.writeTextFileSync(path(18), '{"taskId":"../../x"}'), /"status"/],
    [19, () => Deno.writeTextFileSync(path(19), "[".repeat(200_000)), /JSON/],
    [20, () => {
      Deno.writeTextFileSync(path(20), text.replaceAll(idOf(30), idOf(20)));
      Deno.truncateSync(path(20), 65 * 1024 ** 2);
    }, /too large/],
  ];
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

Deno.test("a pipe in the place of a task file or a sentinel is reported, not waited for", {
  ignore: Deno.build.os === "windows",
}, () => {
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
});

Deno.test(`a task that nobody may read is reported by name${NOT_ROOT}`, { ignore: ROOT }, () => {
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

// --- the ancestor's workspace ---

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

// --- paths and links ---

Deno.test("what is no id never becomes a path", () => {
  using folder = new Folder();
  const store = folder.store();
  for (
    const id of [
      "../outside",
      "../../outside",
      "task_1/../../outside",
      "x",
      "",
      "task_1",
      `${ID}\0`,
      `${ID}/..`,
    ]
  ) {
    const outside = formatTask({ ...make(ID), taskId: id });
    for (const path of [`${store.dir}/outside.json`, `${folder.path}/outside.json`]) {
      Deno.writeTextFileSync(path, outside);
    }
    const before = [names(folder.path), names(store.dir), names(store.tasksDir)];
    const attempts: [string, () => unknown][] = [
      ["read", () => store.read(id)],
      ["readArchived", () => store.readArchived(id)],
      ["readMark", () => store.readMark(id, "json")],
      ["writeHint", () => store.writeHint(id, "done", "x")],
      ["createMark", () => store.createMark(id, "done", "x")],
      ["removeMark", () => store.removeMark(id, "json")],
      ["write", () => store.write({ ...make(ID), taskId: id })],
      ["create", () => store.create(() => ({ ...make(ID), taskId: id }), NOW)],
    ];
    for (const [name, attempt] of attempts) {
      let result: unknown;
      try {
        result = attempt();
      } catch (error) {
        assert(error instanceof OrchestraError, `${name} ${JSON.stringify(id)}: ${error}`);
      }
      assertEquals(result, undefined, `${name} took ${JSON.stringify(id)}`);
      assertEquals(
        [names(folder.path), names(store.dir), names(store.tasksDir)],
        before,
        `${name} ${id}`,
      );
    }
  }
});

Deno.test("a path in a task leads below .orchestra or nowhere", () => {
  using folder = new Folder();
  const store = folder.store();
  assertEquals(store.resolve(".orchestra/logs/x.log", "T"), `${store.dir}/logs/x.log`);
  assertEquals(store.resolve(".orchestra\\logs\\x.log", "T"), `${store.dir}/logs/x.log`);
  for (
    const path of [
      "/etc/passwd",
      "../x",
      ".orchestra/../x",
      ".orchestra/logs/../../x",
      ".orchestra/logs/./x",
      ".orchestra//logs/x",
      ".orchestra/logs/",
      ".orchestra/logs/x\0",
      ".orchestra",
      ".orchestra/lock",
      "logs/x",
      "",
      "C:\\x",
      "\\\\server\\x",
      `${store.dir}/logs/x.log`,
    ]
  ) {
    const error = assertThrows(() => store.resolve(path, "The log of T"), OrchestraError);
    assertEquals(error.code, "damaged", path);
    assertStringIncludes(error.message, "The log of T");
  }
});

Deno.test("a log or a plan that names another task's file is not taken for one", () => {
  using folder = new Folder();
  const store = folder.store();
  for (const path of [`.orchestra/tasks/${idOf(1)}.json`, `.orchestra/archive/${idOf(1)}.json`]) {
    const queue = openQueue(folder.path);
    const task = make(ID);
    for (const hostile of [{ ...task, logFile: path }, { ...task, planFile: path }]) {
      const error = assertThrows(() => queue.places(hostile), OrchestraError);
      assertEquals(error.code, "damaged");
    }
  }
  assertEquals(store.scan().damaged, []);
});

Deno.test("archiving many tasks lists their folder once, and moves no more than it may at once", () => {
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
  let lists = 0;
  Deno.readDirSync = (path) => {
    lists++;
    return own(path);
  };
  try {
    const first = archiveFinished(store, policy, NOW, problem, 20);
    assertEquals(first.map(({ taskId }) => taskId), ids.slice(0, 20));
    assertEquals(archiveFinished(store, policy, NOW, problem).length, 30);
  } finally {
    Deno.readDirSync = own;
  }
  assertEquals(lists, 2);
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
    const { tasks, index } = await openQueue(folder.path).look();
    assertEquals(tasks.map(({ taskId }) => taskId), [idOf(3)]);
    assertEquals(readiness(tasks[0]!, index).kind, "ready");
  } finally {
    for (const [at, name] of names.entries()) Object.assign(Deno, { [name]: own[at] });
  }
  assertEquals(read, [`archive/${idOf(2)}.json`]);
});

Deno.test("a folder of the workspace that is a link is refused, and its target untouched", () => {
  for (const name of ["", "/tasks", "/plans", "/logs", "/workspace", "/archive"]) {
    using folder = new Folder();
    const elsewhere = `${folder.path}/elsewhere`;
    Deno.mkdirSync(elsewhere);
    const work = `${folder.path}/work`;
    Deno.mkdirSync(work);
    createFolders(work);
    Deno.removeSync(`${work}/.orchestra${name}`, { recursive: true });
    Deno.symlinkSync(elsewhere, `${work}/.orchestra${name}`);
    for (const open of [() => openStore(work), () => createFolders(work)]) {
      const error = assertThrows(() => open(), OrchestraError, "symbolic link");
      assertEquals(error.code, "damaged");
      assertStringIncludes(error.message, `.orchestra${name}`);
    }
    assertEquals(names(elsewhere), []);
  }
});

Deno.test("a file in the place of the workspace or of one of its folders is refused", () => {
  for (const name of ["", "/tasks", "/logs"]) {
    using folder = new Folder();
    createFolders(folder.path);
    Deno.removeSync(`${folder.path}/.orchestra${name}`, { recursive: true });
    Deno.writeTextFileSync(`${folder.path}/.orchestra${name}`, "");
    assertEquals(
      assertThrows(() => openStore(folder.path), OrchestraError, "not a folder").code,
      "damaged",
    );
  }
});

Deno.test("no write goes through a link that was planted, and no read comes from behind it", () => {
  using folder = new Folder();
  const store = folder.store();
  const secret = `${folder.path}/secret`;
  const content = formatTask({ ...make(ID), prompt: "secret" });
  const plant = (path: string) => {
    Deno.writeTextFileSync(secret, content);
    Deno.symlinkSync(secret, path);
  };
  const untouched = () => assertEquals(Deno.readTextFileSync(secret), content);
  const json = `${store.tasksDir}/${ID}.json`;

  plant(json);
  assertThrows(() => store.read(ID), OrchestraError, "not a regular file");
  assertEquals(store.scan().tasks, []);
  assertMatch(store.scan().damaged[0]!.problem, /symbolic link/);
  assertEquals(store.create(make, NOW).taskId, idOf(1));
  store.write({ ...make(ID), agent: "b" });
  untouched();
  assertEquals(Deno.lstatSync(json).isSymlink, false);
  assertEquals(store.read(ID)!.agent, "b");

  const done = store.markPath(ID, "done");
  plant(done);
  assertEquals(store.readMark(ID, "done")?.text, "");
  assertEquals(store.createMark(ID, "done", "x"), false);
  untouched();
  store.writeHint(ID, "done", "ours");
  untouched();
  assertEquals(store.readMark(ID, "done")?.text, "ours");
  store.removeMark(ID, "done");
  plant(done);
  store.removeMark(ID, "done");
  untouched();
  // A link to nowhere must not be filled either.
  Deno.symlinkSync(`${folder.path}/nowhere`, done);
  assertEquals(store.createMark(ID, "done", "x"), false);
  assertEquals(names(folder.path), [".orchestra", "secret"]);

  const config = `${store.dir}/config.json`;
  plant(config);
  assertThrows(() => store.readFile(config), OrchestraError, "not a regular file");
  store.writeFile(config, "{}");
  untouched();

  plant(`${store.dir}/lock`);
  assertEquals(
    assertThrows(() => store.locked(() => {}), OrchestraError, "symbolic link").code,
    "damaged",
  );
  untouched();
  Deno.removeSync(`${store.dir}/lock`);
  Deno.symlinkSync(`${folder.path}/nowhere`, `${store.dir}/lock`);
  assertThrows(() => store.locked(() => {}), OrchestraError, "symbolic link");
  assertEquals(names(folder.path), [".orchestra", "secret"]);

  Deno.removeSync(`${store.dir}/logs`);
  Deno.symlinkSync(folder.path, `${store.dir}/logs`);
  assertThrows(
    () => store.resolve(".orchestra/logs/secret", "Reading"),
    OrchestraError,
    "symbolic link",
  );
});

Deno.test("a link planted under the name of a write in progress is not written through", () => {
  using folder = new Folder();
  const store = folder.store();
  const secret = `${folder.path}/secret`;
  Deno.writeTextFileSync(secret, "secret");
  // Whatever name is chosen for the file beside, it is opened exclusively.
  const { openSync } = Deno;
  const host = Deno as { openSync: typeof Deno.openSync };
  let planted = 0;
  host.openSync = (path, options) => {
    if (String(path).endsWith(".tmp") && planted === 0) {
      planted++;
      Deno.symlinkSync(secret, String(path));
    }
    return openSync(path, options);
  };
  try {
    store.write(make(ID));
  } finally {
    host.openSync = openSync;
  }
  assertEquals(planted, 1);
  assertEquals(Deno.readTextFileSync(secret), "secret");
  assertEquals(store.read(ID), make(ID));
  assertEquals(Deno.lstatSync(`${store.tasksDir}/${ID}.json`).isSymlink, false);
});

Deno.test("findRoot finds the nearest workspace upwards, and none above the top", () => {
  using folder = new Folder();
  const deep = `${folder.path}/a/b/c`;
  Deno.mkdirSync(deep, { recursive: true });
  createFolders(folder.path);
  assertEquals(findRoot(deep), folder.path);
  assertEquals(findRoot(`${deep}/`), folder.path);
  createFolders(`${folder.path}/a`);
  assertEquals(findRoot(deep), `${folder.path}/a`);
  assertEquals(findRoot(`${folder.path}/a`), `${folder.path}/a`);
  const error = assertThrows(() => openStore(deep), OrchestraError);
  assertEquals([error.code, error.exitCode], ["no-workspace", 3]);
  assertStringIncludes(error.hint ?? "", "orchestra init");
});

// --- one bad task among good ones ---

/** Starts nothing, and remembers what it should have started. */
function fakeLauncher(launched: string[]): Launcher {
  return {
    launch: ({ env }) => {
      launched.push(env.ORCHESTRA_TASK_ID!);
      return { pid: 1, ended: Promise.resolve() };
    },
    parsePidFile: () => undefined,
    probe: () => Promise.resolve(new Map()),
    marked: () => Promise.resolve("dead"),
    legacy: () => Promise.resolve(null),
    endTree: () => Promise.resolve({ signalled: 0, left: 0, unknown: false }),
  };
}

const HOSTILE: Record<string, (store: Store, id: string) => void> = {
  "a plan outside": (store, id) => store.write({ ...make(id), planFile: "../../etc/passwd" }),
  "a log outside": (store, id) => store.write({ ...make(id), logFile: "/etc/passwd" }),
  "a log that is a link": (store, id) =>
    Deno.symlinkSync("/etc/passwd", `${store.dir}/logs/${id}.log`),
  "a log that is a folder": (store, id) => Deno.mkdirSync(`${store.dir}/logs/${id}.log`),
  "a retry history of objects without a text": (store, id) =>
    Deno.writeTextFileSync(
      `${store.tasksDir}/${id}.json`,
      JSON.stringify({ ...make(id), retryHistory: [{ error: { toString: 1 } }] }),
    ),
  "a sentinel that is a folder with something in it": (store, id) =>
    Deno.mkdirSync(`${store.markPath(id, "done")}/x`, { recursive: true }),
  "a plan that is a folder": (store, id) => Deno.mkdirSync(`${store.dir}/plans/${id}_plan.md`),
  "a prompt file that is a folder with something in it": (store, id) =>
    Deno.mkdirSync(`${store.dir}/plans/${id}_prompt.md/x`, { recursive: true }),
  "a prompt with NUL": (store, id) => store.write({ ...make(id), prompt: "a\0b" }),
};

for (const [what, plant] of Object.entries(HOSTILE)) {
  Deno.test(`a task with ${what} keeps no other task from being launched`, async () => {
    using folder = new Folder();
    const store = folder.store();
    Deno.mkdirSync(`${folder.path}/.orchestra-cli`);
    Deno.writeTextFileSync(
      `${folder.path}/.orchestra-cli/agent-config.json`,
      JSON.stringify({ agents: { a: { command: "true", args: ["{prompt}"] } } }),
    );
    for (let number = 0; number < 3; number++) store.create(make, NOW);
    plant(store, idOf(1));
    const launched: string[] = [];
    const launcher = fakeLauncher(launched);
    const queue = openQueue(folder.path, { launchers: { of: () => launcher }, now: () => NOW });
    const rules = await queue.rules();
    queue.launch([idOf(0), idOf(1), idOf(2)], rules);
    assertEquals(launched.filter((id) => id !== idOf(1)), [idOf(0), idOf(2)]);
    const { tasks } = await queue.look();
    for (const number of [0, 2]) {
      assertEquals(tasks.find(({ taskId }) => taskId === idOf(number))?.status, "running");
    }
  });
}

// --- a system that refuses ---

/** Why no small file system can be mounted here; undefined where one can. */
function mountProblem(): string | undefined {
  if (Deno.build.os !== "linux") return "needs Linux";
  if (!ROOT) return "needs root to mount";
  const folder = Deno.makeTempDirSync();
  try {
    const { success } = mount(folder, "size=64k");
    if (!success) return "mount is not permitted";
    new Deno.Command("umount", { args: [folder] }).outputSync();
    return undefined;
  } catch {
    return "no mount command";
  } finally {
    Deno.removeSync(folder);
  }
}

function mount(folder: string, options: string): { success: boolean } {
  return new Deno.Command("mount", {
    args: ["-t", "tmpfs", "-o", options, "tmpfs", folder],
    stderr: "null",
  }).outputSync();
}

/** A small file system, unmounted afterwards. */
class SmallDisk implements Disposable {
  readonly #folder = new Folder();
  readonly path = this.#folder.path;
  constructor(options: string) {
    assert(mount(this.path, options).success);
  }
  remount(options: string): void {
    const { success } = new Deno.Command("mount", {
      args: ["-o", `remount,${options}`, this.path],
    }).outputSync();
    assert(success);
  }
  [Symbol.dispose](): void {
    const { success } = new Deno.Command("umount", { args: [this.path] }).outputSync();
    if (success) this.#folder[Symbol.dispose]();
  }
}

const MOUNT = mountProblem();

/** A test that needs a disk of its own; its name says why it does not run where it does not. */
function diskTest(name: string, test: () => void): void {
  const suffix = MOUNT === undefined ? "" : ` (not run: ${MOUNT})`;
  Deno.test(name + suffix, { ignore: MOUNT !== undefined }, test);
}

/** Each kind of write; all contents are too large for a disk with no free page. */
function writes(store: Store): Record<string, () => unknown> {
  const long = "x".repeat(10_000);
  const task = { ...make(ID), prompt: long };
  return {
    create: () => store.create((id) => ({ ...make(id), prompt: long }), NOW),
    createAll: () => store.createAll([1, 2, 3].map((n) => ({ ...make(idOf(n)), prompt: long }))),
    write: () => store.write(task),
    writeHint: () => store.writeHint(ID, "timeout", long),
    "writeHint anew": () => store.writeHint(ID, "cancelled", long),
    createMark: () => store.createMark(ID, "2.pid", long),
    writeFile: () => store.writeFile(`${store.dir}/config.json`, long),
  };
}

/** A workspace with a task, a mark and a setting, and what all of it looks like. */
function settled(path: string): { store: Store; state: () => string } {
  createFolders(path);
  const store = openStore(path);
  store.create(make, NOW);
  store.writeHint(ID, "timeout", "old");
  store.writeFile(`${store.dir}/config.json`, "{}");
  store.locked(() => {});
  const files = ["tasks", "."].flatMap((name) =>
    names(`${store.dir}/${name}`).map((file) => `${name}/${file}`)
  );
  const state = () =>
    JSON.stringify([
      ["tasks", "."].map((name) => names(`${store.dir}/${name}`)),
      files.map((file) => {
        const info = Deno.lstatSync(`${store.dir}/${file}`);
        return info.isFile ? Deno.readTextFileSync(`${store.dir}/${file}`) : "";
      }),
    ]);
  return { store, state };
}

function refusedWith(pattern: RegExp, store: Store, state: () => string): void {
  const before = state();
  for (const [name, write] of Object.entries(writes(store))) {
    const error = toOrchestraError(assertThrows(() => write(), name), "Writing");
    assertEquals([error.code, error.exitCode], ["environment", 5], `${name}: ${error.message}`);
    assertMatch(`${error.message} ${error.hint}`, pattern);
    assertEquals(state(), before, `${name} left something`);
  }
  assertEquals(store.scan().tasks, [make(ID)]);
  assertEquals(store.scan().damaged, []);
}

diskTest(
  "on a full disk every write fails, keeps the old content and leaves nothing behind",
  () => {
    using disk = new SmallDisk("size=1m");
    const { store, state } = settled(disk.path);
    const filler = Deno.openSync(`${disk.path}/filler`, { write: true, create: true });
    const block = new Uint8Array(4096);
    assertThrows(
      () => {
        for (let count = 0; count < 10_000; count++) filler.writeSync(block);
      },
      Error,
      "os error 28",
    );
    filler.close();
    refusedWith(/disk is full/, store, state);
    // Space again: everything works as before.
    Deno.removeSync(`${disk.path}/filler`);
    const { create, createAll, ...rest } = writes(store);
    for (const write of [createAll!, create!, ...Object.values(rest)]) write();
    assertEquals(store.scan().damaged, []);
    assertEquals(store.scan().tasks.length, 5);
  },
);

diskTest("on a disk that fills up within a write nothing is left behind either", () => {
  using disk = new SmallDisk("size=1m");
  const { store, state } = settled(disk.path);
  // Two pages stay free: the file beside can be begun and not ended.
  const filler = Deno.openSync(`${disk.path}/filler`, { write: true, create: true });
  const block = new Uint8Array(4096);
  let length = 0;
  assertThrows(() => {
    for (;;) length += filler.writeSync(block);
  });
  filler.truncateSync(length - 4096);
  filler.close();
  refusedWith(/disk is full/, store, state);
});

diskTest("with no free inode but one, nothing is created by half", () => {
  using disk = new SmallDisk("size=1m,nr_inodes=64");
  const { store, state } = settled(disk.path);
  let count = 0;
  assertThrows(() => {
    for (;; count++) Deno.writeTextFileSync(`${disk.path}/filler${count}`, "");
  });
  assertGreater(count, 10);
  // The file beside gets the last one; its second name needs another.
  Deno.removeSync(`${disk.path}/filler0`);
  const before = state();
  const { create, createMark } = writes(store);
  for (const write of [create!, createMark!]) {
    const error = toOrchestraError(assertThrows(() => write()), "Writing");
    assertEquals(error.code, "environment");
    assertEquals(state(), before);
  }
  // A rewrite needs no more than that.
  store.write({ ...make(ID), agent: "b" });
  assertEquals(store.read(ID)!.agent, "b");
});

diskTest("on a read-only disk every write fails, and every read works", () => {
  using disk = new SmallDisk("size=1m");
  const { store, state } = settled(disk.path);
  disk.remount("ro");
  refusedWith(/read-only|os error 30/i, store, state);
  assertEquals(openStore(disk.path).read(ID), make(ID));
  const error = toOrchestraError(assertThrows(() => store.locked(() => {})), "Locking");
  assertEquals(error.code, "environment");
  disk.remount("rw");
});

Deno.test(
  `in a folder that may not be written every write fails, and every read works${NOT_ROOT}`,
  {
    ignore: ROOT || Deno.build.os === "windows",
  },
  () => {
    using folder = new Folder();
    const { store, state } = settled(folder.path);
    for (const path of [store.tasksDir, store.dir]) Deno.chmodSync(path, 0o500);
    try {
      refusedWith(/os error 13|denied/i, store, state);
    } finally {
      for (const path of [store.dir, store.tasksDir]) Deno.chmodSync(path, 0o700);
    }
  },
);
