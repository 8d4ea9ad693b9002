// The history: each thing that happened once, and nothing else, whatever was killed.

import { hasHappened } from "../../lib/decide/history.ts";
import { type Chunk, readHistory } from "../../lib/store/history_read.ts";
import {
  formatCursor,
  historyPath,
  listParts,
  parseCursor,
} from "../../lib/store/history_files.ts";
import type { Store } from "../../lib/store/tasks.ts";
import { type HistoryEvent, parseEvent } from "../../lib/task/event.ts";
import { formatTime } from "../../lib/task/fields.ts";
import { assert, assertEquals, assertGreater } from "../support/assert.ts";
import { filePath } from "../support/file_path.ts";
import { ON_POSIX, test } from "../support/needs.ts";
import { Folder, ID, idOf, make, NOW } from "../support/store.ts";

async function chunksOf(dir: string, from?: string): Promise<Chunk[]> {
  const chunks: Chunk[] = [];
  for await (
    const chunk of readHistory(dir, { from: from === undefined ? undefined : parseCursor(from) })
  ) {
    chunks.push(chunk);
  }
  return chunks;
}

async function eventsOf(dir: string, from?: string): Promise<HistoryEvent[]> {
  const lines = (await chunksOf(dir, from)).flatMap(({ bytes }) =>
    new TextDecoder().decode(bytes).split("\n")
  );
  return lines.flatMap((line) => parseEvent(line) ?? []);
}

const told = (events: readonly HistoryEvent[]) =>
  events.map(({ task = "", event }) => `${task.slice(-3)} ${event}`);

/** All that history_program.ts does, in its order. */
const WHOLE = [
  "000 queued",
  "001 queued",
  "002 queued",
  "003 queued",
  "000 launched",
  "000 released",
  "000 launched",
  "000 complete",
  "001 launched",
  "001 failed",
  "001 lane-paused",
  "002 cancelled",
  "000 archived",
  "003 removed",
];

async function runProgram(folder: string, kill: number): Promise<Deno.CommandOutput> {
  const program = filePath(new URL("history_program.ts", import.meta.url));
  return await new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--no-lock", "--no-check", program, folder, String(kill)],
    stdin: "null",
  }).output();
}

test(
  "killed at any change of a file, the history tells what happened, and once",
  ON_POSIX,
  async () => {
    let kills = 0;
    for (let at = 1;; at++) {
      using folder = new Folder();
      folder.store();
      const { signal, success, stderr } = await runProgram(folder.path, at);
      assert(success || signal === "SIGKILL", new TextDecoder().decode(stderr));
      const store = folder.store();
      // Whoever takes the lock next lets the files decide.
      store.locked(() => {});
      const events = await eventsOf(store.dir);
      const seen = told(events);
      assertEquals(seen, WHOLE.slice(0, seen.length), `killed at ${at}`);
      assertEquals(new Set(events.map(({ key }) => key)).size, events.length);
      // The last of each task is what its file says; what a file says is told.
      const tasks = store.scan().tasks;
      const last = new Map(events.map((event) => [event.task, event]));
      for (const { taskId } of tasks) assert(last.has(taskId), `${taskId} is not told of: ${at}`);
      for (const event of last.values()) {
        const task = tasks.find(({ taskId }) => taskId === event.task);
        const isArchived = store.isArchived(event.task!);
        assert(hasHappened(event, { task, isArchived }), `${JSON.stringify(event)}: ${at}`);
      }
      for (const task of tasks) {
        const { event } = last.get(task.taskId)!;
        const status = {
          queued: "pending",
          launched: "running",
          released: "pending",
          "lane-paused": "failed",
        };
        assertEquals(status[event as keyof typeof status] ?? event, task.status, `${at}`);
      }
      if (success) {
        assertEquals(seen, WHOLE);
        break;
      }
      kills++;
    }
    assertGreater(kills, 40);
  },
);

Deno.test("a line that was written by half is mended, and its event told once", () => {
  for (const cut of [1, 30]) {
    using folder = new Folder();
    const store = folder.store();
    store.create(make, NOW);
    const path = historyPath(store.dir);
    const whole = Deno.readTextFileSync(path);
    const line = whole.split("\n")[1]!;
    // As a process leaves it that was killed while it wrote, or just before it emptied the lock file.
    for (const there of [whole.slice(0, -cut), whole, whole.slice(0, whole.indexOf("\n") + 1)]) {
      Deno.writeTextFileSync(path, there);
      Deno.writeTextFileSync(`${store.dir}/lock`, `#\n${line}\n`);
      store.locked(() => {});
      assertEquals(Deno.readTextFileSync(path), whole);
      assertEquals(Deno.readTextFileSync(`${store.dir}/lock`), "");
    }
    // What was announced by half was not begun.
    Deno.writeTextFileSync(`${store.dir}/lock`, `#\n${line.replaceAll(ID, idOf(1)).slice(0, -3)}`);
    store.locked(() => {});
    assertEquals(Deno.readTextFileSync(path), whole);
  }
});

Deno.test("what was not written is not told", async () => {
  using folder = new Folder();
  const store = folder.store();
  const task = store.create(make, NOW);
  const { renameSync } = Deno;
  const host = Deno as { renameSync: typeof Deno.renameSync };
  host.renameSync = () => {
    throw new Error("no room");
  };
  try {
    store.write({ ...task, status: "running", claim: 1, pid: 1, startedAt: formatTime(NOW) });
    assert(false, "it was written");
  } catch (error) {
    assertEquals((error as Error).message, "no room");
  } finally {
    host.renameSync = renameSync;
  }
  store.write({ ...task, status: "cancelled", completedAt: formatTime(NOW) });
  assertEquals(told(await eventsOf(store.dir)), ["000 queued", "000 cancelled"]);
});

Deno.test("what the history refuses is owed, and told when it can be", async () => {
  using folder = new Folder();
  const store = folder.store();
  const task = store.create(make, NOW);
  const path = historyPath(store.dir);
  const { openSync } = Deno;
  const host = Deno as { openSync: typeof Deno.openSync };
  host.openSync = (name, options) => {
    if (name === path) throw new Error("No space left on device (os error 28)");
    return openSync(name, options);
  };
  const running = {
    ...task,
    status: "running",
    claim: 1,
    pid: 1,
    startedAt: formatTime(NOW),
  } as const;
  try {
    store.write(running);
    store.write({ ...running, status: "complete", completedAt: formatTime(NOW) });
  } finally {
    host.openSync = openSync;
  }
  assertEquals(told(await eventsOf(store.dir)), ["000 queued"]);
  store.locked(() => {});
  assertEquals(told(await eventsOf(store.dir)), ["000 queued", "000 launched", "000 complete"]);
});

test("what stands in the place of the history is set aside", ON_POSIX, async () => {
  for (const plant of ["folder", "link", "pipe"] as const) {
    using folder = new Folder();
    const store = folder.store();
    const path = historyPath(store.dir);
    if (plant === "folder") Deno.mkdirSync(`${path}/inner`, { recursive: true });
    else if (plant === "link") Deno.symlinkSync(`${folder.path}/elsewhere`, path);
    else assert((await new Deno.Command("mkfifo", { args: [path] }).output()).success);
    store.create(make, NOW);
    assertEquals(told(await eventsOf(store.dir)), ["000 queued"], plant);
    assertEquals([...Deno.readDirSync(folder.path)].map(({ name }) => name), [".orchestra"]);
  }
});

Deno.test("a workspace without a history gets the past of its tasks", async () => {
  using folder = new Folder();
  const store = folder.store();
  const done = { status: "complete", claim: 1, startedAt: formatTime(NOW + 1000) } as const;
  const settled = { ...make(ID), ...done, completedAt: formatTime(NOW + 2000) };
  Deno.writeTextFileSync(`${store.dir}/archive/${ID}.json`, JSON.stringify(settled));
  Deno.writeTextFileSync(`${store.tasksDir}/${idOf(500)}.json`, JSON.stringify(make(idOf(500))));
  store.write({ ...make(idOf(500)), status: "cancelled", completedAt: formatTime(NOW + 3000) });
  assertEquals(told(await eventsOf(store.dir)), [
    "500 queued",
    "000 queued",
    "000 launched",
    "000 complete",
    "500 cancelled",
  ]);
});

/** Makes the history so large that it becomes a part with what is told next. */
function fill(store: Store): void {
  const event = { key: "k", time: formatTime(NOW), event: "drained", title: "x".repeat(1000) };
  const line = JSON.stringify(event) + "\n";
  Deno.writeTextFileSync(historyPath(store.dir), line.repeat(8500), { append: true });
}

Deno.test("a cursor goes on through parts, compressed or not, and from what is gone with what is there", async () => {
  using folder = new Folder();
  const store = folder.store();
  const cursors: string[] = [];
  const mark = async () => {
    const last = (await chunksOf(store.dir)).at(-1)!;
    cursors.push(formatCursor({ part: last.part, offset: last.start + last.bytes.length }));
  };
  for (let part = 0; part < 3; part++) {
    store.create((id) => make(id), NOW + 10 * part);
    await mark();
    store.create((id) => make(id), NOW + 10 * part + 1);
    if (part < 2) fill(store);
  }
  const after = async (cursor?: string) =>
    told((await eventsOf(store.dir, cursor)).filter(({ event }) => event === "queued"));
  const all = ["000", "001", "010", "011", "020", "021"].map((end) => `${end} queued`);
  const check = async () => {
    assertEquals(await after(), all);
    assertEquals(await after(cursors[0]), all.slice(1));
    assertEquals(await after(cursors[1]), all.slice(3));
    assertEquals(await after(cursors[2]), all.slice(5));
    assertEquals(await after("99.5"), all.slice(4));
  };
  assertEquals(listParts(store.dir).map(({ part }) => part), [1, 2]);
  await check();
  for (const { path } of listParts(store.dir)) {
    const packed = new Blob([Deno.readFileSync(path)]).stream().pipeThrough(
      new CompressionStream("gzip"),
    );
    Deno.writeFileSync(`${path}.gz`, new Uint8Array(await new Response(packed).arrayBuffer()));
    // Killed in between, both are there.
    await check();
    Deno.removeSync(path);
    await check();
  }
  Deno.removeSync(listParts(store.dir)[0]!.path);
  assertEquals(await after(cursors[0]), all.slice(2));
  assertEquals(await after(), all.slice(2));
});

Deno.test("lines that are none, or too long, are passed over", async () => {
  using folder = new Folder();
  const store = folder.store();
  store.create(make, NOW);
  const path = historyPath(store.dir);
  const long = JSON.stringify({
    key: "x",
    time: formatTime(NOW),
    event: "queued",
    title: "y".repeat(10_000_000),
  });
  for (const line of ["", "{", "[]", "null", '{"key":1}', `${"{".repeat(30_000)}`, long, "\0\0"]) {
    Deno.writeTextFileSync(path, line + "\n", { append: true });
  }
  store.create(make, NOW + 1);
  assertEquals(told(await eventsOf(store.dir)), ["000 queued", "001 queued"]);
  for (const { bytes } of await chunksOf(store.dir)) assert(bytes.length < 3_000_000);
});

Deno.test("a part that somebody else has put there is passed over, and disturbs none of ours", async () => {
  using folder = new Folder();
  const store = folder.store();
  store.create(make, NOW);
  Deno.mkdirSync(`${store.dir}/history`);
  for (const name of ["999999.jsonl", "999999999999.jsonl", "000001.jsonl"]) {
    Deno.writeTextFileSync(`${store.dir}/history/${name}`, "");
  }
  const queued = async (cursor?: string) => told(await eventsOf(store.dir, cursor));
  assertEquals(await queued(), ["000 queued"]);
  const [chunk] = await chunksOf(store.dir);
  const end = formatCursor({ part: chunk!.part, offset: chunk!.bytes.length });
  assertEquals(await queued(end), []);
  fill(store);
  store.create(make, NOW + 1);
  store.create(make, NOW + 2);
  const all = (await queued()).filter((line) => line.endsWith("queued"));
  assertEquals(all, ["000 queued", "001 queued", "002 queued"]);
  const after = (await queued(end)).filter((line) => line.endsWith("queued"));
  assertEquals(after, ["001 queued", "002 queued"]);
});

const CONFIG = filePath(new URL("../../deno.json", import.meta.url));

test(
  "a past that is written while somebody is killed is there whole, or not at all",
  ON_POSIX,
  async () => {
    using folder = new Folder();
    const store = folder.store();
    for (let at = 0; at < 3; at++) {
      Deno.writeTextFileSync(`${store.tasksDir}/${idOf(at)}.json`, JSON.stringify(make(idOf(at))));
    }
    const program = `
    import { openStore } from "${new URL("../../lib/store/tasks.ts", import.meta.url)}";
    import { make, NOW } from "${new URL("../support/store.ts", import.meta.url)}";
    const { renameSync } = Deno;
    Deno.renameSync = (from, to) => {
      if (String(to).endsWith("history.jsonl")) Deno.kill(Deno.pid, "SIGKILL");
      renameSync(from, to);
    };
    openStore(Deno.args[0]).create(make, NOW + 10);`;
    const path = `${folder.path}/program.ts`;
    Deno.writeTextFileSync(path, program);
    const { signal, stderr } = await new Deno.Command(Deno.execPath(), {
      args: ["run", "-A", "--no-lock", "--no-check", "--config", CONFIG, path, folder.path],
    }).output();
    assertEquals(signal, "SIGKILL", new TextDecoder().decode(stderr));
    store.locked(() => {});
    assertEquals(told(await eventsOf(store.dir)).length, 4);
  },
);
