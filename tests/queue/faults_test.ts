// What the system may do to a queue: a full disk in the middle of each kind of write, a folder that
// cannot be written to any more, a clock that is set, a machine that sleeps, a watcher that sees
// nothing. Whatever it is, the queue goes on where it stopped once it is over. What cannot be had on
// this machine is not tested, and its name says so.

import type { Launched, Launcher, LaunchSpec } from "../../lib/launch/launcher.ts";
import { createPosixLauncher } from "../../lib/launch/posix/launcher.ts";
import { openQueue, type Queue } from "../../lib/queue/queue.ts";
import { supervise, type SuperviseOptions } from "../../lib/supervise/loop.ts";
import type { Task } from "../../lib/task/fields.ts";
import { assert, assertEquals, assertMatch, assertStringIncludes } from "../support/assert.ts";
import {
  type Box,
  commandLine,
  kill,
  lives,
  makeFolder,
  openBox,
  spawn,
} from "../support/program.ts";

// --- Tools ---------------------------------------------------------------------------------------

function succeeds(command: string, ...args: string[]): boolean {
  try {
    return new Deno.Command(command, { args, stdin: "null", stdout: "null", stderr: "null" })
      .outputSync().success;
  } catch {
    return false;
  }
}

/** Whether small disks can be made here. */
const MOUNTS = (() => {
  const path = Deno.makeTempDirSync({ prefix: "orchestra-mount-" });
  const can = succeeds("mount", "-t", "tmpfs", "-o", "size=64k", "none", path);
  if (can) succeeds("umount", path);
  Deno.removeSync(path);
  return can;
})();

/** Whether a folder can be closed even to root. */
const CLOSES = (() => {
  const path = Deno.makeTempDirSync({ prefix: "orchestra-close-" });
  const can = succeeds("chattr", "+i", path);
  if (can) succeeds("chattr", "-i", path);
  Deno.removeSync(path);
  return can;
})();

/** Whether a process can be kept from watching folders. */
const BLINDS = succeeds(
  "unshare",
  "-Ur",
  "sh",
  "-c",
  "echo 0 >/proc/sys/user/max_inotify_instances",
);

function test(name: string, missing: string | null, fn: () => Promise<void>): void {
  const ignore = missing !== null;
  Deno.test({ name: ignore ? `not run: ${missing}: ${name}` : name, ignore, fn });
}

const onSmallDisk = (name: string, fn: (disk: Disk) => Promise<void>) =>
  test(name, MOUNTS ? null : "mounting a small disk is not allowed here", async () => {
    await using disk = await makeSite(true);
    await fn(disk);
  });

/** A workspace, and beside it what its agents use: a gate to wait at, and a ledger of launches. */
interface Site extends AsyncDisposable {
  box: Box;
  /** A fifo: whoever reads a line of it waits until {@linkcode openGate}. */
  gate: string;
  ledger: string;
}

/** A site on a disk of its own that can be filled up; gate and ledger are elsewhere. */
interface Disk extends Site {
  /** Leaves room for so many pages, that is for about as many small files. */
  fill(pages: number): void;
  free(): void;
}

const PAGE = 4096;

async function makeSite(small = false): Promise<Disk> {
  const folder = await makeFolder();
  const disk = `${folder.path}/disk`;
  const root = `${disk}/workspace`;
  const ballast = `${disk}/ballast`;
  const gate = `${folder.path}/gate`;
  const ledger = `${folder.path}/ledger`;
  Deno.mkdirSync(disk);
  if (small) assert(succeeds("mount", "-t", "tmpfs", "-o", "size=1m", "none", disk));
  Deno.mkdirSync(`${root}/.orchestra`, { recursive: true, mode: 0o700 });
  Deno.mkdirSync(`${root}/.orchestra-cli`);
  assert(succeeds("mkfifo", gate));
  Deno.writeTextFileSync(ledger, "");
  const box = openBox(root);
  box.agents({});
  box.config({ interval: 0.2, grace_period: 0.2 });
  const free = () => {
    if (succeeds("test", "-e", ballast)) Deno.removeSync(ballast);
  };
  return {
    box,
    gate,
    ledger,
    free,
    fill(pages) {
      using file = Deno.openSync(ballast, { write: true, create: true, truncate: true });
      let size = 0;
      try {
        for (const page = new Uint8Array(PAGE);;) size += file.writeSync(page);
      } catch {
        // Full.
      }
      file.truncateSync(Math.max(0, size - pages * PAGE));
    },
    async [Symbol.asyncDispose]() {
      free();
      try {
        await box[Symbol.asyncDispose]();
      } finally {
        if (small) assert(succeeds("umount", "--lazy", disk));
      }
      await folder[Symbol.asyncDispose]();
    },
  };
}

/** Checks that what was refused says why; anything else must have worked. */
function assertDone(outcome: { code: number; stderr: string }, what: string): boolean {
  if (outcome.code === 0) return true;
  assertEquals(outcome.code, 5, `${what}: ${JSON.stringify(outcome)}`);
  assertMatch(outcome.stderr, /disk is full|os error 28/, what);
  return false;
}

/** Shell that notes each run of its task. */
const noted = ({ ledger }: Site) => `printf '%s\\n' "$ORCHESTRA_TASK_ID" >>${ledger}`;

/** The same, then waits at the gate and ends. */
const gated = (site: Site, end = "exit 0") => `${noted(site)}; read -r _ <${site.gate}; ${end}`;

/** Lets go one that waits at the gate; opened for both, so that it never waits for a reader. */
function openGate({ gate }: Site): Disposable {
  const file = Deno.openSync(gate, { read: true, write: true });
  file.writeSync(new TextEncoder().encode("go\n"));
  return file;
}

function launchesOf({ ledger }: Site): string[] {
  return Deno.readTextFileSync(ledger).split("\n").filter((line) => line !== "");
}

// --- Disk full -----------------------------------------------------------------------------------

onSmallDisk("start on a full disk queues the task and prints it, or does neither", async (disk) => {
  const { box } = disk;
  const printed: string[] = [];
  for (let pages = 0; pages < 6; pages++) {
    disk.fill(pages);
    const outcome = await box.run("start", "-q", "shell", "true");
    if (assertDone(outcome, `start with ${pages} pages left`)) printed.push(outcome.stdout.trim());
    disk.free();
    assertEquals(box.tasks().map(({ taskId }) => taskId), printed, `${pages} pages left`);
  }
  assert(printed.length > 0, "with six pages left start must work");
  await box.ok("run", "--all", "--wait");
  for (const id of printed) assertEquals(box.task(id).status, "complete");
});

onSmallDisk("a launch that the full disk stops is made up for, once", async (disk) => {
  const { box } = disk;
  for (let pages = 0; pages < 6; pages++) {
    const id = await box.start("shell", noted(disk));
    disk.fill(pages);
    assertDone(await box.run("run"), `run with ${pages} pages left`);
    disk.free();
    await box.ok("run", "--all", "--wait");
    const { status, errorMessage } = box.task(id);
    assertEquals([status, errorMessage], ["complete", null], `${pages} pages left`);
    assertEquals(launchesOf(disk).at(-1), id);
  }
  assertEquals(launchesOf(disk).length, box.tasks().length);
});

onSmallDisk("a supervisor outlives a full disk, and goes on when there is room", async (disk) => {
  const { box } = disk;
  const first = await box.start("shell", gated(disk));
  const next = await box.start("shell", noted(disk));
  await using live = box.live({}, "run", "--all", "--wait", "--parallel=1");
  await box.until("the agent", () => launchesOf(disk).length === 1);
  disk.fill(0);
  using _opened = openGate(disk);
  await box.until("the end of the agent", () => !agentLives(first));
  disk.free();
  const { code, stderr } = await live.ended();
  assertEquals([code, launchesOf(disk)], [0, [first, next]], stderr);
});

for (
  const [agent, end] of [["shell", "exit 0"], ["signal", ': >"$ORCHESTRA_DONE_FILE"']] as const
) {
  onSmallDisk(`an end on a full disk is settled when there is room again: ${end}`, async (disk) => {
    const { box } = disk;
    for (let pages = 0; pages < 4; pages++) {
      const id = await box.start(agent, gated(disk, end));
      await box.ok("run");
      await box.until("the agent", () => launchesOf(disk).includes(id));
      disk.fill(pages);
      // The shim cannot write the exit code, or the supervisor cannot write the task: in any case
      // the agent itself has ended before there is room again.
      using _opened = openGate(disk);
      await box.until("the end of the agent", () => !agentLives(id));
      disk.free();
      const { status, errorMessage } = await box.settled(id);
      assertEquals([status, errorMessage], ["complete", null], `${pages} pages left`);
      assertEquals(launchesOf(disk).filter((line) => line === id), [id]);
    }
  });
}

/** Whether the agent of a task, not only its shim, is there. */
function agentLives(id: string): boolean {
  for (const { name } of Deno.readDirSync("/proc")) {
    if (!/^\d+$/.test(name)) continue;
    try {
      const environment = Deno.readTextFileSync(`/proc/${name}/environ`).split("\0");
      if (!environment.includes(`ORCHESTRA_TASK_ID=${id}`)) continue;
      const words = Deno.readTextFileSync(`/proc/${name}/cmdline`).split("\0");
      // Not the shim, nor what it sleeps with.
      if (words[0] === "sh" && !words.includes("orchestra-shim")) return true;
    } catch {
      // Gone.
    }
  }
  return false;
}

onSmallDisk("cancel on a full disk cancels, or says that it could not", async (disk) => {
  const { box } = disk;
  for (let pages = 0; pages < 4; pages++) {
    const id = await box.start("shell", gated(disk));
    await box.ok("run");
    await box.until("the agent", () => launchesOf(disk).includes(id));
    disk.fill(pages);
    const done = assertDone(await box.run("cancel", id), `cancel with ${pages} pages left`);
    disk.free();
    if (!done) {
      await box.run("cancel", id);
    }
    const { status } = await box.settled(id);
    assertEquals(status, "cancelled", `${pages} pages left`);
    assert(!agentLives(id), `the agent of ${id} lives`);
  }
});

onSmallDisk("a timeout on a full disk ends the task when there is room again", async (disk) => {
  const { box } = disk;
  const id = await box.start("--timeout=1", "shell", gated(disk));
  await box.ok("run");
  await box.until("the agent", () => launchesOf(disk).includes(id));
  disk.fill(0);
  const started = Date.parse(box.task(id).startedAt!);
  await box.until("the timeout to pass", () => Date.now() > started + 1500);
  disk.free();
  const { status, failureClass } = await box.settled(id);
  assertEquals([status, failureClass], ["failed", "timeout"]);
  assert(!agentLives(id));
});

onSmallDisk("retry on a full disk queues one successor, now or later", async (disk) => {
  const { box } = disk;
  for (let pages = 0; pages < 6; pages++) {
    const id = await box.start("shell", "exit 7");
    await box.run("run", "--wait");
    assertEquals(box.task(id).status, "failed");
    disk.fill(pages);
    const done = assertDone(await box.run("retry", id), `retry with ${pages} pages left`);
    disk.free();
    if (!done) await box.run("retry", id);
    await box.ok("status");
    const successors = box.tasks().filter((task) => task.retryHistory.at(-1)?.retriedFrom === id);
    assertEquals(
      successors.map(({ taskId }) => taskId),
      [box.task(id).retriedBy],
      `${pages} pages`,
    );
    await box.ok("cancel", "--all");
  }
});

// --- Permission ----------------------------------------------------------------------------------

test(
  "a folder that cannot be written to for a while stops nothing for good",
  CLOSES ? null : "no folder can be closed to us here (chattr +i)",
  async () => {
    await using site = await makeSite();
    const { box } = site;
    const running = await box.start("shell", gated(site));
    const waiting = await box.start("--depends-on", running, "shell", "true");
    await box.ok("run", "--all");
    await box.until("the agent", () => launchesOf(site).includes(running));
    const tasks = box.path("tasks");
    assert(succeeds("chattr", "+i", tasks));
    try {
      using _opened = openGate(site);
      const { text } = await box.fails(5, "start", "shell", "true");
      assertMatch(text, /os error 1\b|ermission|not permitted/);
      await box.until("the end of the agent", () => !agentLives(running));
      // Looking still works, and says what is there.
      const { stdout } = await box.run("status");
      assertStringIncludes(stdout, running);
    } finally {
      assert(succeeds("chattr", "-i", tasks));
    }
    assertEquals((await box.settled(running)).status, "complete");
    assertEquals((await box.settled(waiting)).status, "complete");
    assertEquals(launchesOf(site), [running]);
  },
);

// --- Clock and sleep -----------------------------------------------------------------------------

/** The system's clock, a jump later. */
class FakeClock {
  offset = 0;
  jumpedAt: number | undefined;

  jump(millis: number): void {
    this.offset += millis;
    this.jumpedAt = Date.now();
  }
}

/** A supervisor in this process, with a clock that can be set. */
interface Watched extends AsyncDisposable {
  queue: Queue;
  clock: FakeClock;
  over: Promise<ReadonlyMap<string, Task>>;
}

function watchOver(
  box: Box,
  options: Partial<SuperviseOptions> = {},
  onLaunch?: (clock: FakeClock) => void,
  launch: (spec: LaunchSpec, launcher: Launcher) => Launched = (spec, own) => own.launch(spec),
): Watched {
  const clock = new FakeClock();
  const launcher = createPosixLauncher();
  // The file system reads the same clock: what is written after a jump carries its time.
  const written = Deno.lstatSync;
  Deno.lstatSync = (path) => {
    const info = written(path);
    const { mtime } = info;
    if (mtime === null || mtime.getTime() < (clock.jumpedAt ?? Infinity)) return info;
    return { ...info, mtime: new Date(mtime.getTime() + clock.offset) };
  };
  const queue = openQueue(box.root, {
    now: () => Date.now() + clock.offset,
    launchers: {
      of: () => ({
        ...launcher,
        launch(spec) {
          const launched = launch(spec, launcher);
          onLaunch?.(clock);
          return launched;
        },
      }),
    },
  });
  const stop = new AbortController();
  const over = supervise(queue, {
    launch: "all",
    parallel: 3,
    until: "drained",
    interval: 0.2,
    signal: stop.signal,
    ...options,
  });
  return {
    queue,
    clock,
    over,
    async [Symbol.asyncDispose]() {
      stop.abort();
      await over;
      Deno.lstatSync = written;
    },
  };
}

const HOUR = 3_600_000;

Deno.test("a clock set back an hour delays no timeout beyond its length", async () => {
  await using site = await makeSite();
  const { box } = site;
  const id = await box.start("--timeout=1", "shell", "exec sleep 1000");
  await using watched = watchOver(box);
  await box.until("the launch", () => box.task(id).status === "running");
  watched.clock.jump(-HOUR);
  const { status, failureClass } = await box.settled(id);
  assertEquals([status, failureClass], ["failed", "timeout"]);
  assertEquals(box.task(id).claim, 1);
  await watched.over;
});

Deno.test("a clock set forward ten minutes ends what has had its time, and nothing else", async () => {
  await using site = await makeSite();
  const { box } = site;
  const late = await box.start("--timeout=300", "shell", "exec sleep 1000");
  const early = await box.start("--timeout=3600", "shell", "exec sleep 1000");
  await using watched = watchOver(box);
  await box.until("both launches", () => box.tasks().every((task) => task.status === "running"));
  watched.clock.jump(600_000);
  assertEquals((await box.settled(late)).failureClass, "timeout");
  assertEquals(box.task(early).status, "running");
  await box.ok("cancel", early);
  await watched.over;
});

for (const [what, jump] of [["back an hour", -HOUR], ["forward ten minutes", 600_000]] as const) {
  Deno.test(`a clock set ${what} between claim and launch costs at most one more claim`, async () => {
    await using site = await makeSite();
    const { box } = site;
    const ids = await Promise.all([1, 2].map(() => box.start("shell", `${noted(site)}; exit 0`)));
    let jumps = 0;
    await using watched = watchOver(box, {}, (clock) => {
      if (jumps++ === 0) clock.jump(jump);
    });
    await watched.over;
    for (const id of ids) {
      const task = box.task(id);
      assertEquals([task.status, task.errorMessage], ["complete", null]);
      assert(task.claim <= 2, `${id} was claimed ${task.claim} times`);
    }
    assertEquals(launchesOf(site).sort(), [...ids].sort());
  });

  Deno.test(`a claim whose launch never came is taken back once with a clock set ${what}`, async () => {
    await using site = await makeSite();
    const { box } = site;
    const id = await box.start("shell", `${noted(site)}; exit 0`);
    const path = box.path(`tasks/${id}.json`);
    Deno.writeTextFileSync(
      path,
      JSON.stringify({
        ...box.task(id),
        status: "running",
        claim: 1,
        startedAt: new Date(Date.now() - jump).toISOString(),
      }),
    );
    await using watched = watchOver(box);
    await watched.over;
    const { status, claim } = box.task(id);
    assertEquals([status, claim], ["complete", 2]);
    assertEquals(launchesOf(site), [id]);
  });
}

Deno.test("a shim that comes after its claim was taken back finds the fence and runs nothing", async () => {
  await using site = await makeSite();
  const { box } = site;
  const id = await box.start("shell", noted(site));
  const late = createPosixLauncher({
    shell: ["/bin/sh", "-c", `read -r _ <${site.gate}; exec /bin/sh "$@"`, "sh"],
  });
  let latecomer: number | undefined;
  await using watched = watchOver(box, {}, undefined, (spec, launcher) => {
    if (latecomer !== undefined) return launcher.launch(spec);
    const launched = late.launch(spec);
    latecomer = launched.pid;
    return launched;
  });
  assertEquals((await box.settled(id)).claim, 2);
  await watched.over;
  using _opened = openGate(site);
  await box.until("the end of the late shim", () => !lives(latecomer!));
  assertEquals(launchesOf(site), [id]);
});

Deno.test("a supervisor that was stopped catches up with all that happened meanwhile", async () => {
  await using site = await makeSite();
  const { box } = site;
  const ends = await box.start("shell", gated(site));
  const hangs = await box.start("--timeout=1", "shell", `${noted(site)}; exec sleep 1000`);
  const next = await box.start("--depends-on", ends, "shell", "true");
  await box.ok("run", "--all");
  await box.until("both agents", () => launchesOf(site).length === 2);
  const [supervisor] = await box.until("the supervisor", () => {
    const found = box.supervisors();
    return found.length > 0 && found;
  });
  // Inside the lock it would stop everybody else too: that is what a stopped process does.
  kill(supervisor!, "SIGSTOP");
  const opened = openGate(site);
  await box.until("the end of the agent", () => !agentLives(ends));
  const started = Date.parse(box.task(hangs).startedAt!);
  await box.until("the timeout to pass", () => Date.now() > started + 1500);
  opened[Symbol.dispose]();
  kill(supervisor!, "SIGCONT");
  assertEquals((await box.settled(ends)).status, "complete");
  assertEquals((await box.settled(hangs)).failureClass, "timeout");
  assertEquals((await box.settled(next)).status, "complete");
  await box.unwatched();
  assert(!lives(supervisor!));
});

Deno.test("a machine that slept ten minutes: its agents' time is up, and nothing is fenced", async () => {
  await using site = await makeSite();
  const { box } = site;
  const short = await box.start("--timeout=60", "shell", "exec sleep 1000");
  const long = await box.start("--timeout=3600", "shell", "exec sleep 1000");
  await using watched = watchOver(box);
  const shims = await box.until("both shims", () => {
    const found = [short, long].map((id) => {
      try {
        return Number(Deno.readTextFileSync(box.path(`tasks/${id}.1.pid`)).split(" ")[0]);
      } catch {
        return 0;
      }
    });
    return found.every((pid) => pid > 0) && found;
  });
  for (const pid of shims) kill(pid, "SIGSTOP");
  watched.clock.jump(600_000);
  for (const pid of shims) kill(pid, "SIGCONT");
  assertEquals((await box.settled(short)).failureClass, "timeout");
  const { status, claim } = box.task(long);
  assertEquals([status, claim], ["running", 1]);
  await box.ok("cancel", long);
  await watched.over;
});

// --- Watching ------------------------------------------------------------------------------------

test(
  "where folders cannot be watched, rescans do it all, and it is said once",
  BLINDS ? null : "no user namespace can be made here",
  async () => {
    await using site = await makeSite();
    const { box } = site;
    box.config({ interval: 0.1, grace_period: 0.2 });
    const command = commandLine("daemon", "run");
    const blind = 'echo 0 >/proc/sys/user/max_inotify_instances; exec "$@"';
    await using daemon = spawn("unshare", ["-Ur", "sh", "-c", blind, "sh", ...command], {
      cwd: box.root,
    });
    await daemon.printed((text) => text.includes("Watching over"));
    const first = await box.start("shell", "true");
    const cancelled = await box.start("shell", "exec sleep 1000");
    assertEquals((await box.settled(first)).status, "complete");
    await box.until("the launch", () => box.task(cancelled).status === "running");
    await box.ok("cancel", cancelled);
    assertEquals((await box.settled(cancelled)).status, "cancelled");
    const signals = await box.start("signal", ': >"$ORCHESTRA_DONE_FILE"');
    const last = await box.start("--depends-on", signals, "shell", "true");
    assertEquals((await box.settled(last)).status, "complete");
    assertEquals(daemon.stdout().split("Cannot watch the folder").length - 1, 1, daemon.stdout());
    daemon.kill("SIGTERM");
    assertEquals((await daemon.ended()).code, 0);
  },
);

Deno.test("a watcher that tells of nothing delays everything by no more than a rescan", async () => {
  await using site = await makeSite();
  const { box } = site;
  const original = Deno.watchFs;
  const silent = { close() {}, async *[Symbol.asyncIterator]() {}, [Symbol.dispose]() {} };
  let watched: Watched;
  Deno.watchFs = () => silent as unknown as Deno.FsWatcher;
  try {
    watched = watchOver(box, { until: "forever" });
    // It has read the settings and begun to watch once something it was not told of is launched.
    const first = await box.start("shell", "true");
    for (let turn = 0; box.task(first).status !== "complete" && turn < 500; turn++) {
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  } finally {
    Deno.watchFs = original;
  }
  await using _watched = watched;
  // Launched by another process, ended by itself, by its time, and by hand.
  const ends = await box.start("shell", "true");
  const signals = await box.start("signal", ': >"$ORCHESTRA_DONE_FILE"');
  const times = await box.start("--timeout=1", "shell", "exec sleep 1000");
  const cancelled = await box.start("shell", "exec sleep 1000");
  const after = await box.start("--depends-on", `${ends},${signals}`, "shell", "true");
  await box.until("the launch", () => box.task(cancelled).status === "running");
  await box.ok("cancel", cancelled);
  const fails = await box.start("--auto-retry", "--max-retries=1", "shell", "exit 7");
  assertEquals((await box.settled(ends)).status, "complete");
  assertEquals((await box.settled(signals)).status, "complete");
  assertEquals((await box.settled(times)).failureClass, "timeout");
  assertEquals((await box.settled(cancelled)).status, "cancelled");
  assertEquals((await box.settled(after)).status, "complete");
  const successor = await box.until("the retry", () => box.task(fails).retriedBy);
  assertEquals((await box.settled(successor)).failureClass, "exit");
});
