// `orchestra run`: launches what is ready, and leaves somebody to watch over it.

import {
  type DaemonInfo,
  daemonInfoTime,
  ensureSupervisor,
  isWatched,
  readDaemonInfo,
  removeDaemonInfo,
  tryDaemonLock,
  writeDaemonInfo,
} from "../../supervise/watcher.ts";
import { OrchestraError, printable } from "../../task/error.ts";
import type { Change, Queue } from "../../queue/queue.ts";
import type { LaunchMode } from "../../supervise/loop.ts";
import { formatTime, type Task } from "../../task/fields.ts";
import type { Context } from "../context.ts";

/** Options of `run`. */
export interface RunFlags {
  parallel?: number;
  all?: boolean;
  wait?: boolean;
  report?: readonly ReportTarget[];
}

/** A report to write: its kind and where to. */
export interface ReportTarget {
  kind: "junit" | "markdown" | "github";
  /** A file; `-` for standard error. */
  path: string;
}

/** Runs `orchestra run`. */
export async function run(this: Context, flags: RunFlags): Promise<void> {
  const queue = this.openQueue();
  const config = await this.config(queue.store);
  const parallel = flags.parallel ?? (flags.all ? config.max_concurrent : 1);
  if (flags.report !== undefined && !flags.wait) {
    throw new OrchestraError(
      "usage",
      "run --report needs --wait: there is nothing to report before",
      {
        hint: "For example: orchestra run --all --wait --report junit=report.xml",
      },
    );
  }
  if (flags.wait) {
    const { runAndWait } = await import("../run_wait.ts");
    return await runAndWait.call(this, queue, flags);
  }
  if (flags.all) tellLauncher(queue, parallel);
  // Without a number `run` launches one more task; with one it fills up to that many.
  const snapshot = await queue.look({
    launch: { parallel: flags.parallel === undefined && !flags.all ? { more: 1 } : parallel },
  });
  const { launched } = snapshot;
  const known = new Set(launched.map(({ task }) => task.taskId));
  const changes = snapshot.changes.filter(({ task }) => !known.has(task.taskId));
  for (const change of changes) if (change.kind !== "failed") this.note(describeChange(change));
  const running = snapshot.tasks
    .filter((task) => task.status === "running" && !known.has(task.taskId)).length;
  const watched = config.supervise && (launched.length > 0 || snapshot.unsettled || flags.all)
    ? watchOver(this, queue, flags.all ? "all" : "retries", parallel)
    : isWatched(queue.store);
  report(this, launched.map(({ task }) => task), changes, running, parallel, watched);
}

function watchOver(context: Context, queue: Queue, launch: LaunchMode, parallel: number): boolean {
  ensureSupervisor(queue.store, context.program, [
    `--parallel=${parallel}`,
    `--launch=${launch}`,
  ]);
  return true;
}

function report(
  context: Context,
  launched: readonly Task[],
  changes: readonly Change[],
  running: number,
  limit: number,
  watched: boolean,
): void {
  const failed = changes.filter((change) => change.kind === "failed");
  if (context.globals.json) {
    context.printJson({
      launched: launched.map(({ taskId, agent, pid }) => ({ taskId, agent, pid })),
      failed: failed.map(({ task }) => ({ taskId: task.taskId, error: task.errorMessage })),
      running: running + launched.length,
      supervised: watched,
    });
    return;
  }
  for (const task of launched) {
    context.print(`Started ${task.taskId} (${task.agent}, pid ${task.pid})`);
  }
  for (const { task } of failed) {
    context.print(`Failed  ${task.taskId}: ${printable(task.errorMessage ?? "")}`);
  }
  if (launched.length === 0 && failed.length === 0) {
    context.print(
      running >= limit && running > 0
        ? `Nothing started: ${running} running already, at most ${limit} at once`
        : "Nothing to start: no pending task is ready",
    );
  } else if (launched.length > 0) context.note("Follow it with: orchestra status --watch");
}

/** Tells whoever watches to launch everything from now on; read with its next turn. */
function tellLauncher(queue: Queue, parallel: number): void {
  const { store } = queue;
  const info = readDaemonInfo(store);
  if (info === undefined || info.launch === "all" || !isWatched(store)) return;
  writeDaemonInfo(store, { ...info, launch: "all", parallel });
}

/** One line about a change, for a person. */
export function describeChange({ kind, task }: Change): string {
  switch (kind) {
    case "retried":
      return `Queued ${task.taskId} as retry ${task.retryCount}/${task.maxRetries} of ${
        task.retryHistory.at(-1)?.retriedFrom
      }`;
    case "failed":
      return `Failed ${task.taskId}: ${task.errorMessage ?? "unknown error"}`;
    case "released":
      return `Took back ${task.taskId}: whoever launched it died before it began`;
    default:
      return `${kind[0]!.toUpperCase()}${kind.slice(1)} ${task.taskId}`;
  }
}

/** What the supervisor is told to launch since it began; undefined where nothing changed. */
export function readOrders(
  queue: Queue,
  mine: DaemonInfo,
): () => { launch: LaunchMode; parallel: number } | undefined {
  let seen = daemonInfoTime(queue.store);
  return () => {
    const time = daemonInfoTime(queue.store);
    if (time === seen) return undefined;
    seen = time;
    const info = readDaemonInfo(queue.store);
    if (info === undefined || info.pid !== mine.pid) return undefined;
    return { launch: info.launch, parallel: info.parallel };
  };
}

/** Options of the hidden command `_supervise`. */
export interface SuperviseFlags {
  parallel: number;
  launch: LaunchMode;
}

/** Runs the supervisor that `run` leaves in the background. */
export async function superviseInBackground(this: Context, flags: SuperviseFlags): Promise<void> {
  const { supervise } = await import("../../supervise/loop.ts");
  const { readProcesses } = await import("../../launch/posix/processes.ts");
  const queue = this.openQueue();
  if (this.globals.debug) await this.traceToFile(queue.store);
  // A command that only asks whether somebody watches holds the lock for a moment.
  let lock = tryDaemonLock(queue.store);
  for (let turn = 0; lock === undefined && turn < 20; turn++) {
    await new Promise((resolve) => setTimeout(resolve, 10));
    lock = tryDaemonLock(queue.store);
  }
  if (lock === undefined) return;
  this.endsByExit = true;
  const stop = new AbortController();
  for (const name of ["SIGTERM", "SIGINT"] as const) {
    Deno.addSignalListener(name, () => stop.abort());
  }
  const mine: DaemonInfo = {
    pid: Deno.pid,
    start: readProcesses([Deno.pid]).get(Deno.pid)?.start,
    startedAt: formatTime(Date.now()),
    kind: "supervisor",
    launch: flags.launch,
    parallel: flags.parallel,
  };
  writeDaemonInfo(queue.store, mine);
  const { config } = await queue.rules();
  if (config.debug_log && !this.globals.debug) await this.traceToFile(queue.store);
  const leave = () => {
    removeDaemonInfo(queue.store);
    lock[Symbol.dispose]();
  };
  await supervise(queue, {
    launch: flags.launch,
    parallel: flags.parallel,
    until: flags.launch === "all" ? "drained" : "idle",
    signal: stop.signal,
    interval: config.interval,
    orders: readOrders(queue, mine),
    // Inside the workspace lock: whoever launches next sees that nobody watches.
    onIdle: leave,
  });
  if (stop.signal.aborted) leave();
}
