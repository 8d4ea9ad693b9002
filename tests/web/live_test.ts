// What a stream tells: changes soon after they are made, nothing missed by who comes back, and nothing that
// costs anything while nobody listens.

import { SCHEMAS } from "../../lib/web/schemas.ts";
import type { WireEvent, WireTasks } from "../../lib/web/wire.ts";
import { OrchestraError } from "../../lib/task/error.ts";
import { formatTime } from "../../lib/task/fields.ts";
import { assert, assertEquals, assertMatch } from "../support/assert.ts";
import { addWorkspace, listWorkspaces, removeWorkspace } from "../../lib/workspaces/registry.ts";
import { type Box, makeBox, makeFolder, withPatience } from "../support/program.ts";
import { assertFits } from "./fits.ts";
import { test } from "../support/needs.ts";
import { addTask } from "./support.ts";
import { BEARER, type Here, requestText, serveHere } from "./server.ts";

type Told = WireEvent & { id: string | undefined };

/** A stream, read event by event. */
interface Stream extends AsyncDisposable {
  /** Id that was told last. */
  readonly last: () => string;
  /** The first event from now on that passes. */
  until(check: (event: Told) => boolean): Promise<Told>;
}

async function listen(here: Here, query = "", headers = {}): Promise<Stream> {
  const response = await here.ask(`/events${query}`, { headers: { ...BEARER, ...headers } });
  assertEquals(response.status, 200);
  assertEquals(response.headers.get("content-type"), "text/event-stream");
  const reader = response.body!.pipeThrough(new TextDecoderStream()).getReader();
  let text = "";
  let last = "";
  async function next(): Promise<Told> {
    for (;;) {
      const end = text.indexOf("\n\n");
      if (end < 0) {
        const { value, done } = await reader.read();
        if (done) throw new Error("the stream has ended");
        text += value;
        continue;
      }
      const lines = text.slice(0, end).split("\n");
      text = text.slice(end + 2);
      const of = (name: string) =>
        lines.find((line) => line.startsWith(`${name}: `))?.slice(name.length + 2);
      const id = of("id");
      if (id !== undefined) last = id;
      const event = of("event");
      if (event !== undefined) return { event, data: JSON.parse(of("data")!), id } as Told;
      // The mark of where it begins is the last thing that is told before it goes on.
      if (id !== undefined) begun.resolve();
    }
  }
  const begun = Promise.withResolvers<void>();
  const told: Told[] = [];
  const waiting = new Set<() => void>();
  (async () => {
    try {
      for (;;) {
        told.push(await next());
        for (const wake of [...waiting]) wake();
      }
    } catch {
      // It has ended.
    }
  })();
  await withPatience("the beginning of a stream", begun.promise);
  return {
    last: () => last,
    until: (check) =>
      withPatience(
        "an event",
        (async () => {
          for (;;) {
            while (told.length > 0) {
              const event = told.shift()!;
              if (check(event)) return event;
            }
            await new Promise<void>((resolve) => {
              const wake = () => {
                waiting.delete(wake);
                resolve();
              };
              waiting.add(wake);
            });
          }
        })(),
      ),
    async [Symbol.asyncDispose]() {
      await reader.cancel();
    },
  };
}

const changes = (id: string, status: string) => (event: Told) =>
  event.event === "tasks" &&
  event.data.changed.some((row) => row.taskId === id && row.status === status);

const known = (boxes: readonly Box[]) => boxes.map(({ root }, at) => ({ name: `box-${at}`, root }));

async function serveBoxes(...boxes: Box[]) {
  return await serveHere(known(boxes));
}

Deno.test("what others do is told, with what happened and how it stands then", async () => {
  await using box = await makeBox();
  await using here = await serveBoxes(box);
  await using stream = await listen(here);
  const id = await box.start("shell", "true");
  const queued = await stream.until(changes(id, "pending"));
  assert(queued.event === "tasks");
  assertFits(queued.data, SCHEMAS.TasksEvent, "tasks");
  assertEquals(queued.data.counts.total, 1);
  await box.ok("run", "--all", "--wait");
  const done = await stream.until(changes(id, "complete"));
  assert(done.event === "tasks");
  assertMatch(done.id!, /^box-0=\d+\.\d+$/);
  await box.ok("clean", id);
  const gone = await stream.until(({ event, data }) =>
    event === "tasks" && data.removed.includes(id)
  );
  assert(gone.event === "tasks");
  assertEquals([gone.data.counts.total, gone.data.changed], [0, []]);
});

Deno.test("a task that others wait for tells of them too, and time alone brings news", async () => {
  await using box = await makeBox();
  await using here = await serveBoxes(box);
  const first = await box.start("shell", "true");
  const second = await box.start("shell", "true", "--depends-on", first);
  await using stream = await listen(here);
  await box.ok("cancel", first);
  const event = await stream.until((event) =>
    event.event === "tasks" && event.data.changed.some(({ phase }) => phase === "blocked")
  );
  assert(event.event === "tasks");
  const row = event.data.changed.find(({ taskId }) => taskId === second)!;
  assertMatch(row.blockedReason!, /was cancelled/);
  const file = box.path(`tasks/${first}.json`);
  const task = JSON.parse(Deno.readTextFileSync(file));
  const notBefore = new Date(Date.now() + 600).toISOString();
  const soon = { ...task, status: "pending", completedAt: null, notBefore };
  Deno.writeTextFileSync(`${file}.tmp`, JSON.stringify(soon));
  Deno.renameSync(`${file}.tmp`, file);
  await stream.until((event) =>
    event.event === "tasks" &&
    event.data.changed.some(({ taskId, phase }) => taskId === first && phase === "ready")
  );
});

Deno.test("who comes back is told what was missed, once, and then what comes", async () => {
  await using box = await makeBox();
  await using here = await serveBoxes(box);
  const before = await listen(here);
  const one = await box.start("shell", "true");
  await before.until(changes(one, "pending"));
  const id = before.last();
  await before[Symbol.asyncDispose]();
  // While nobody listens: one more, one less, and one that has ended.
  const two = await box.start("shell", "true");
  const three = await box.start("shell", "true");
  await box.ok("cancel", three);
  await box.ok("clean", three);
  await using stream = await listen(here, "", { "last-event-id": id });
  const missed = await stream.until(({ event }) => event === "tasks");
  assert(missed.event === "tasks");
  assertEquals(missed.data.changed.map(({ taskId }) => taskId).sort(), [one, two]);
  assertEquals(missed.data.removed, [three]);
  assertEquals(missed.data.happened.map(({ event, task }) => [event, task]), [
    ["queued", two],
    ["queued", three],
    ["cancelled", three],
    ["removed", three],
  ]);
  const four = await box.start("shell", "true");
  const next = await stream.until(({ event }) => event === "tasks");
  assert(next.event === "tasks");
  assertEquals(next.data.happened.map(({ task }) => task), [four]);
});

Deno.test("the cursor of a list is where a stream goes on", async () => {
  await using box = await makeBox();
  await using here = await serveBoxes(box);
  const { cursor }: WireTasks = await here.get("/workspaces/box-0/tasks");
  const id = await box.start("shell", "true");
  const since = encodeURIComponent(String(new URLSearchParams({ "box-0": cursor })));
  await using stream = await listen(here, `?since=${since}`);
  await stream.until(changes(id, "pending"));
});

Deno.test("what changes between the reading of a list and the beginning of a stream is told", async () => {
  await using box = await makeBox();
  // It stays in memory in between, however slow the machine is.
  await using here = await serveHere(known([box]), { linger: 600_000 });
  const list = async () => await here.get("/workspaces/box-0/tasks") as WireTasks;
  // For the first that listens, and for another one beside it.
  await list();
  const one = await box.start("shell", "true");
  await using first = await listen(here);
  await first.until(changes(one, "pending"));
  await list();
  const two = await box.start("shell", "true");
  await first.until(changes(two, "pending"));
  await box.ok("cancel", two);
  await first.until(changes(two, "cancelled"));
  await using second = await listen(here);
  const told = await second.until(changes(two, "cancelled"));
  assert(told.event === "tasks");
  // It happened before: nobody is to be notified.
  assertEquals(told.data.happened, []);
});

Deno.test("a place that the history does not have means: read all anew", async () => {
  await using box = await makeBox();
  await box.start("shell", "true");
  await using here = await serveBoxes(box);
  for (
    const since of ["box-0=99.1", "box-0=1.7", "box-0=x", "other=1.0", "%", "box-0=1.99999999"]
  ) {
    await using stream = await listen(here, "", { "last-event-id": since });
    const event = await stream.until(() => true);
    assertEquals([event.event, event.data], ["reset", { workspace: "box-0" }], since);
  }
});

Deno.test("one stream tells of all workspaces, and its ids of where each is", async () => {
  await using one = await makeBox();
  await using two = await makeBox();
  await using here = await serveBoxes(one, two);
  await using stream = await listen(here);
  assertMatch(stream.last(), /^box-0=\d+\.\d+&box-1=\d+\.\d+$/);
  const first = await one.start("shell", "true");
  const second = await two.start("shell", "true");
  const told = new Set<string>();
  await stream.until((event) => {
    if (event.event !== "tasks") return false;
    for (const { taskId } of event.data.changed) told.add(`${event.data.workspace} ${taskId}`);
    return told.has(`box-0 ${first}`) && told.has(`box-1 ${second}`);
  });
});

Deno.test("the growth of a log is told to who follows it", async () => {
  await using box = await makeBox();
  const id = await box.start("shell", "echo one; echo two");
  await using here = await serveBoxes(box);
  await using stream = await listen(here, `?log=box-0/${id}`);
  await box.ok("run", "--all", "--wait");
  const event = await stream.until((event) => event.event === "log" && event.data.size === 8);
  assertEquals(event.data, { workspace: "box-0", taskId: id, size: 8 });
});

Deno.test("a workspace that comes is told of and served, and one that goes is not any more", async () => {
  await using one = await makeBox();
  await using two = await makeBox();
  await using folder = await makeFolder();
  addWorkspace(one.root, "one", folder.path);
  await using here = await serveHere([], {
    list: () => listWorkspaces(folder.path),
    registry: folder.path,
  });
  await using stream = await listen(here);
  const named = (...names: string[]) => (event: Told) =>
    event.event === "workspaces" && event.data.map(({ name }) => name).join() === names.join();
  addWorkspace(two.root, "two", folder.path);
  await stream.until(named("one", "two"));
  const id = await two.start("shell", "true");
  const event = await stream.until(changes(id, "pending"));
  assert(event.event === "tasks");
  assertEquals(event.data.workspace, "two");
  removeWorkspace(two.root, folder.path);
  await stream.until(named("one"));
  const refused = await here.ask("/workspaces/two/tasks");
  await refused.body?.cancel();
  assertEquals(refused.status, 404);
});

/** How many folders this process watches; Linux tells. */
function watches(): number {
  let count = 0;
  for (const { name } of Deno.readDirSync("/proc/self/fdinfo")) {
    try {
      const text = Deno.readTextFileSync(`/proc/self/fdinfo/${name}`);
      count += text.split("\n").filter((line) => line.startsWith("inotify ")).length;
    } catch {
      // Closed meanwhile.
    }
  }
  return count;
}

const LINUX = Deno.build.os === "linux" ? null : "/proc tells on Linux alone";

test("when the last one has gone, nothing is watched any more", LINUX, async () => {
  await using box = await makeBox();
  await using here = await serveBoxes(box);
  const before = watches();
  const connections = await Promise.all([1, 2, 3].map(async () => {
    const connection = await Deno.connect({ hostname: "127.0.0.1", port: here.port });
    const headers = { host: `127.0.0.1:${here.port}`, ...BEARER };
    const text = requestText("GET", "/api/v1/events", headers);
    await connection.write(new TextEncoder().encode(text));
    await connection.read(new Uint8Array(1));
    return connection;
  }));
  // The tasks, and what stands beside them.
  const during = before + 2;
  await withPatience("the watching", watched(during));
  connections.pop()!.close();
  connections.pop()!.close();
  await here.get("");
  assertEquals(watches(), during);
  connections.pop()!.close();
  await withPatience("the end of the watching", watched(before));
});

/** Fulfilled when this process watches so many folders. */
async function watched(count: number): Promise<void> {
  while (watches() !== count) await new Promise((resolve) => setTimeout(resolve, 10));
}

Deno.test("who cannot be asked whether somebody watches keeps nobody from looking on", async () => {
  await using box = await makeBox();
  const running = addTask(box, { status: "running", pid: 2 ** 22 - 1, startedAt: formatTime(0) });
  let asked = 0;
  const problems: string[] = [];
  await using here = await serveHere(known([box]), {
    keeper: () =>
      Promise.resolve(() => {
        asked++;
        throw new OrchestraError("environment", "Somebody holds the lock");
      }),
    onProblem: (problem) => problems.push(problem),
  });
  await using stream = await listen(here);
  const id = addTask(box);
  await stream.until(changes(id, "pending"));
  assert(asked > 0);
  assertEquals(problems, ["box-0: Somebody holds the lock"]);
  assertEquals((await here.get(`/workspaces/box-0/tasks/${running}`)).task.status, "running");
});

Deno.test("a workspace that was away and is back is told of again, and read anew", async () => {
  await using box = await makeBox();
  box.config({ interval: 0.1 });
  const away = `${box.root}-away`;
  const noticed = Promise.withResolvers<void>();
  await using here = await serveHere(known([box]), { onProblem: () => noticed.resolve() });
  await using stream = await listen(here);
  const first = addTask(box);
  await stream.until(changes(first, "pending"));
  Deno.renameSync(box.root, away);
  await withPatience("the loop to notice", noticed.promise);
  Deno.renameSync(away, box.root);
  await stream.until(({ event }) => event === "reset");
  const second = addTask(box);
  await stream.until(changes(second, "pending"));
});
