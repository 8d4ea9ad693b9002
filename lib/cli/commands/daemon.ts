// `orchestra daemon`: the loop that never ends, in the foreground or in the background.

import { buildCommand, buildRouteMap } from "@stricli/core";
import { lstat, openNamed, openRegular, readExactly } from "../../store/files.ts";
import { pause } from "../../launch/pause.ts";
import { archiveFinished } from "../../store/archive.ts";
import {
  announce,
  type DaemonInfo,
  holdsLock,
  isRecorded,
  isWatched,
  readDaemonInfo,
  removeDaemonInfo,
  spawnDetached,
  tryDaemonLock,
  type WatchLock,
} from "../../supervise/watcher.ts";
import { formatDuration } from "../../task/duration.ts";
import { asJson, OrchestraError } from "../../task/error.ts";
import { sanitize } from "../../text/width.ts";
import { readProcesses } from "../../launch/posix/processes.ts";
import type { Change } from "../../decide/changes.ts";
import { loadRules, type Queue } from "../../queue/queue.ts";
import type { Store } from "../../store/tasks.ts";
import { loadConfig } from "../../settings/config.ts";
import { watchOver } from "../../supervise/loop.ts";
import { formatTime } from "../../task/fields.ts";
import { watchFolder } from "../../store/watch.ts";
import { openNews } from "../beside.ts";
import type { Context } from "../context.ts";
import { duration, integer } from "../flags.ts";
import { optional, parsed } from "../parameters.ts";
import { stopSignal } from "../look_on.ts";
import { createTextPrinter } from "../log_printer.ts";
import { tailFile } from "../tail.ts";
import { look } from "../supervision.ts";

interface DaemonFlags {
  maxConcurrent?: number;
  interval?: number;
}

interface DaemonRunFlags extends DaemonFlags {
  log?: boolean;
}

interface DaemonLogsFlags {
  follow?: boolean;
  lines?: number;
}

const flags = {
  maxConcurrent: parsed(integer(1, 1000), "most tasks at once (3)", "n"),
  interval: parsed(duration, "look at least this often (5s)", "time"),
} as const;
const aliases = { c: "maxConcurrent", i: "interval" } as const;

export const command = buildRouteMap({
  routes: {
    run: buildCommand({
      func: runDaemon,
      parameters: {
        flags: {
          ...flags,
          log: { ...optional("write to .orchestra/daemon.log"), hidden: true },
        },
        aliases,
      },
      docs: { brief: "Launch and watch over everything, in the foreground" },
    }),
    start: buildCommand({
      func: startDaemon,
      parameters: { flags, aliases },
      docs: { brief: "Launch and watch over everything, in the background" },
    }),
    stop: buildCommand({
      func: stopDaemon,
      parameters: {},
      docs: { brief: "Stop the one in the background; agents go on" },
    }),
    status: buildCommand({
      func: showDaemon,
      parameters: {},
      docs: { brief: "Say who watches" },
    }),
    logs: buildCommand({
      func: printDaemonLog,
      parameters: {
        flags: {
          follow: optional("go on until interrupted"),
          lines: parsed(integer(0), "only the last lines (50)", "n"),
        },
        aliases: { f: "follow", n: "lines" },
      },
      docs: { brief: "Print what the one in the background did" },
    }),
  },
  defaultCommand: "run",
  docs: { brief: "Launch everything as it comes, until stopped" },
});

/** Milliseconds between looks for what may be archived. */
const ARCHIVE_EVERY = 3_600_000;
/** Most that are archived before others have their turn, tasks: some 100 ms. */
const ARCHIVE_AT_ONCE = 500;
/** The daemon's own log is begun anew beyond this size, bytes. */
const MAX_LOG = 4 * 1024 * 1024;

function logPath(queue: Queue): string {
  return `${queue.store.dir}/daemon.log`;
}

/** Start time of a process as the system tells it; null where it cannot be told. */
function startOf(pid: number): string | null {
  const process = readProcesses([pid]).get(pid);
  return process === undefined || process.zombie ? null : process.start;
}

/** Asks a watcher to stop; one that has ended in the meantime needs no asking. */
function askToStop(pid: number): void {
  try {
    Deno.kill(pid, "SIGTERM");
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
}

/** Whether the process that the record names is still the one that wrote it, and watches. */
function isSame(store: Store, info: DaemonInfo): boolean {
  return isRecorded(info) && holdsLock(store, info.pid);
}

/** The error for a daemon where somebody watches who does not give way. */
function watchedBy({ kind, pid }: DaemonInfo): OrchestraError {
  return kind === "daemon"
    ? new OrchestraError("state", `A daemon runs for this workspace already (pid ${pid})`, {
      hint: "Stop it with: orchestra daemon stop",
    })
    : new OrchestraError("state", `A run --wait watches over this workspace (pid ${pid})`, {
      hint: "Wait until it is done, or interrupt it.",
    });
}

/**
 * Takes over the watch: a supervisor that `run` left is asked to go, for a daemon does all it does.
 *
 * @throws OrchestraError `state` where a daemon or a `run --wait` has it
 */
async function takeWatch(queue: Queue): Promise<WatchLock> {
  const { store } = queue;
  for (let turn = 0; turn < 200; turn++) {
    const lock = tryDaemonLock(store);
    if (lock !== undefined) return lock;
    const info = readDaemonInfo(store);
    // A record that a killed one left behind says nothing: somebody only asked, just now.
    const same = info !== undefined && isSame(store, info);
    if (same && info.kind !== "supervisor") throw watchedBy(info);
    if (same && turn === 0) askToStop(info.pid);
    await pause(10);
  }
  throw new OrchestraError(
    "state",
    "Somebody else holds .orchestra/daemon.lock and does not let go",
    {
      hint: "See who with: orchestra daemon status",
    },
  );
}

async function runDaemon(this: Context, flags: DaemonRunFlags): Promise<void> {
  const queue = await this.openQueue();
  const config = await this.config(queue.store);
  if (config.debug_log || (this.globals.debug && flags.log)) await this.traceToFile(queue.store);
  this.endsByExit = true;
  const stop = stopSignal();
  const lock = await takeWatch(queue);
  announce(queue.store, "daemon", { launch: "all", parallel: flags.maxConcurrent });
  const say = flags.log ? logTo(queue) : (message: string) =>
    this.print(
      this.globals.json ? asJson({ time: formatTime(queue.now()), message }) : message,
    );
  say(
    `Watching over ${queue.store.root}: at most ${
      flags.maxConcurrent ?? config.max_concurrent
    } at once, rescan every ${flags.interval ?? config.interval} s`,
  );
  const archiving = setInterval(archiveNow, ARCHIVE_EVERY);
  let rest: ReturnType<typeof setTimeout> | undefined;
  async function archiveNow() {
    try {
      const { store } = queue;
      // As they are now, not as they were when it began.
      const { archive } = (await loadConfig(store)).config;
      if (!archive.enabled) return;
      const moved = archiveFinished(store, archive, queue.now(), say, ARCHIVE_AT_ONCE);
      for (const { taskId } of moved) say(`${taskId} archived`);
      if (moved.length === ARCHIVE_AT_ONCE) rest = setTimeout(archiveNow, 1000);
    } catch (error) {
      say(`Archiving failed: ${error instanceof Error ? error.message : String(error)}`);
    }
  }
  try {
    await archiveNow();
    await watchOver(queue, {
      wanted: () => ({ launch: "all", parallel: flags.maxConcurrent }),
      until: "forever",
      lock,
      beside: openNews(this, queue, say),
      signal: stop.signal,
      interval: flags.interval,
      onChange: (change) => say(describe(change)),
      onProblem: say,
    });
  } finally {
    clearInterval(archiving);
    clearTimeout(rest);
    if (queue.store.isHere() && lock.keeps()) removeDaemonInfo(queue.store);
    lock[Symbol.dispose]();
  }
  say("Stopped; what runs goes on");
}

function describe({ kind, task }: Change): string {
  const what = sanitize(task.prompt.slice(0, 80));
  switch (kind) {
    case "launched":
      return `${task.taskId} launched: ${task.agent}, pid ${task.pid}: ${what}`;
    case "failed":
      return `${task.taskId} failed (${task.failureClass}): ${sanitize(task.errorMessage ?? "")}`;
    case "retried":
      return `${task.taskId} queued as retry ${task.retryCount}/${task.maxRetries} of ${
        task.retryHistory.at(-1)?.retriedFrom
      }`;
    case "warning":
      return `${task.taskId} has ${formatDuration(task.timeoutWarning ?? 0)} left`;
    default:
      return `${task.taskId} ${kind}`;
  }
}

/** Writes lines to the daemon's own log; what else stands in its place is not followed. */
function logTo(queue: Queue): (text: string) => void {
  const path = logPath(queue);
  const before = lstat(path);
  if (before !== undefined && (!before.isFile || before.size > MAX_LOG)) removeLog(path);
  let file: Deno.FsFile | undefined;
  return (text) => {
    try {
      // Another workspace in its place has a log of its own.
      if (!queue.store.isHere()) return;
      const named = lstat(path);
      if (file === undefined || named?.ino !== file.statSync().ino) {
        file?.close();
        file = undefined;
        file = openNamed(path, { append: true });
      }
      file?.writeSync(new TextEncoder().encode(`${formatTime(Date.now())} ${text}\n`));
    } catch {
      // The watching goes on without a log.
    }
  };
}

function removeLog(path: string): void {
  try {
    Deno.removeSync(path);
  } catch {
    // A folder that is not empty: nothing is logged.
  }
}

async function startDaemon(this: Context, flags: DaemonFlags): Promise<void> {
  const queue = await this.openQueue();
  await loadRules(queue); // A broken settings file is told here, not to a log.
  const before = readDaemonInfo(queue.store);
  if (before !== undefined && before.kind !== "supervisor" && isWatched(queue.store)) {
    throw watchedBy(before);
  }
  this.endsByExit = true;
  using watch = watchFolder(queue.store.dir);
  const { pid } = spawnDetached(this.program, queue.store.root, [
    "daemon",
    "run",
    "--log",
    ...(flags.maxConcurrent === undefined ? [] : [`--max-concurrent=${flags.maxConcurrent}`]),
    ...(flags.interval === undefined ? [] : [`--interval=${flags.interval}`]),
  ]);
  const deadline = performance.now() + 10_000;
  for (;;) {
    const info = readDaemonInfo(queue.store);
    if (info?.kind === "daemon" && info.pid === pid) break;
    if (performance.now() > deadline || startOf(pid) === null) {
      throw new OrchestraError("environment", "The daemon did not start", {
        hint: "See why in the foreground: orchestra daemon",
      });
    }
    await pause(100, undefined, [watch.changed()]);
    watch.take();
  }
  if (this.globals.json) this.printJson({ pid });
  else {
    this.print(`Daemon started (pid ${pid})`);
    this.note("Stop it with: orchestra daemon stop");
  }
}

async function stopDaemon(this: Context): Promise<void> {
  const queue = await this.openQueue();
  const info = readDaemonInfo(queue.store);
  if (info === undefined || !isWatched(queue.store)) {
    throw new OrchestraError("state", "No daemon runs for this workspace", {
      hint: "Start one with: orchestra daemon start",
    });
  }
  if (info.kind === "run") {
    throw new OrchestraError(
      "state",
      `A run --wait watches over this workspace (pid ${info.pid})`,
      {
        hint: "Interrupt it in its own terminal.",
      },
    );
  }
  if (!isSame(queue.store, info)) {
    throw new OrchestraError(
      "state",
      `Process ${info.pid} is not the one in .orchestra/daemon.json`,
      {
        hint: "The lock is held by another; find it with: fuser .orchestra/daemon.lock",
      },
    );
  }
  askToStop(info.pid);
  for (let turn = 0; isWatched(queue.store); turn++) {
    if (turn > 500) {
      throw new OrchestraError("environment", `The daemon (pid ${info.pid}) did not stop in time`, {
        hint: `End it with: kill -9 ${info.pid}   (nothing is lost)`,
      });
    }
    await pause(10);
  }
  if (this.globals.json) this.printJson({ stopped: info.pid });
  else this.print(`Stopped (pid ${info.pid}); what runs goes on`);
}

async function showDaemon(this: Context): Promise<void> {
  const queue = await this.openQueue();
  const watched = isWatched(queue.store);
  const info = watched ? readDaemonInfo(queue.store) : undefined;
  const { tasks } = await look(queue);
  const running = tasks.filter((task) => task.status === "running").length;
  if (this.globals.json) {
    this.printJson({ watched, ...info, running });
    return;
  }
  const { config } = await loadConfig(queue.store);
  if (info === undefined) {
    this.print(
      watched
        ? "Somebody watches, but does not say who"
        : `Nobody watches over this workspace${running > 0 ? `; ${running} running` : ""}`,
    );
    return;
  }
  const since = formatDuration((Date.now() - Date.parse(info.startedAt)) / 1000);
  this.print(
    `${info.kind} (pid ${info.pid}) since ${since}: launches ${
      info.launch === "all"
        ? `everything, at most ${info.parallel ?? config.max_concurrent} at once`
        : "retries"
    }; ${running} running`,
  );
}

async function printDaemonLog(this: Context, flags: DaemonLogsFlags): Promise<void> {
  const queue = await this.openQueue();
  const path = this.globals.debug ? `${queue.store.dir}/debug.log` : logPath(queue);
  const tail = tailFile(path, flags.lines ?? 50);
  if (this.globals.json) return this.printJson({ lines: tail?.lines ?? [] });
  if (tail === undefined && !flags.follow) return this.note("The daemon has written no log yet");
  for (const line of tail?.lines ?? []) this.print(sanitize(line));
  if (!flags.follow) return;
  this.endsByExit = true;
  const stop = new AbortController();
  const over = AbortSignal.any([stop.signal, this.readerGone]);
  Deno.addSignalListener("SIGINT", () => stop.abort());
  using watch = watchFolder(queue.store.dir);
  const printer = createTextPrinter(this);
  let at = tail?.end ?? 0;
  while (!over.aborted) {
    watch.take();
    const size = lstat(path)?.size ?? 0;
    if (size < at) at = 0; // It was begun anew.
    if (size > at) {
      using file = openRegular(path);
      const block = file === undefined ? new Uint8Array() : readExactly(file, at, size - at);
      at += block.length;
      printer.write(block);
    }
    await pause(1000, over, [watch.changed()]);
  }
}
