// `orchestra run --wait`: the supervisor's loop in the foreground, with a live view.

import { removeDaemonInfo, tryDaemonLock, writeDaemonInfo } from "../supervise/watcher.ts";
import { type Readiness, retryChain } from "../decide/dependencies.ts";
import { indexTasks } from "../decide/dependencies.ts";
import { formatPlainEvent, formatStatus } from "../format/status.ts";
import { readProcesses } from "../launch/posix/processes.ts";
import type { Change, ChangeKind, Queue } from "../queue/queue.ts";
import { supervise } from "../supervise/loop.ts";
import { formatTime, isTerminal, type Task } from "../task/fields.ts";
import { viewTask } from "../decide/view.ts";
import { statusInput } from "./status_input.ts";
import type { Context } from "./context.ts";
import { createScreen } from "./screen.ts";
import { readKeys } from "./status_watch.ts";
import type { ReportTarget } from "./flags.ts";
import { readOrders } from "./supervision.ts";

/** What `run --wait` launches, and what it writes about it. */
export interface RunWaitFlags {
  parallel?: number;
  all?: boolean;
  report?: readonly ReportTarget[];
}

/** Changes that are told line by line where there is no terminal. */
const SHOWN: ReadonlySet<ChangeKind> = new Set([
  "launched",
  "complete",
  "failed",
  "cancelled",
  "released",
  "retried",
]);

/**
 * Launches and waits.
 *
 * @param flags what to launch, how many at once, which reports to write
 */
export async function runAndWait(
  this: Context,
  queue: Queue,
  flags: RunWaitFlags,
): Promise<void> {
  const all = flags.all ?? false;
  const wanted = flags.parallel;
  const began = performance.now();
  const config = await this.config(queue.store);
  const parallel = wanted ?? (all ? config.max_concurrent : 1);
  const before = await queue.look();
  const known = new Set(
    before.tasks.filter((task) => task.status !== "pending" && task.status !== "running")
      .map((task) => task.taskId),
  );
  const lock = tryDaemonLock(queue.store);
  const mine = {
    pid: Deno.pid,
    start: readProcesses([Deno.pid]).get(Deno.pid)?.start,
    startedAt: formatTime(Date.now()),
    kind: "run",
    launch: all ? "all" : "retries",
    parallel,
  } as const;
  if (lock !== undefined) writeDaemonInfo(queue.store, mine);
  this.endsByExit = true;
  const stop = new AbortController();
  let interrupted = false;
  const interrupt = () => {
    interrupted = true;
    stop.abort();
  };
  for (const name of ["SIGTERM", "SIGINT"] as const) Deno.addSignalListener(name, interrupt);
  const live = this.interactive && !this.globals.json;
  const screen = live
    ? createScreen(this, queue, {}, "q or Ctrl+C to leave; the agents go on")
    : undefined;
  const keys = screen === undefined ? undefined : readKeys(interrupt);
  const style = this.style();
  // What ended while we looked counts, also where somebody has archived or removed it since.
  const ended = new Map<string, Task>();
  const show = (change: Change) => {
    if (isTerminal(change.task.status)) ended.set(change.task.taskId, change.task);
    if (live || this.globals.json || !SHOWN.has(change.kind)) return;
    const index = indexTasks([change.task]);
    const view = viewTask(change.task, index, queue.now(), new Map<string, Readiness>());
    this.note(formatPlainEvent(view, { ...style, color: false }, queue.now()));
  };
  let tasks: ReadonlyMap<string, Task>;
  try {
    if (!all) {
      const { changes } = await queue.look({
        launch: { parallel: wanted ?? { more: 1 } },
      });
      for (const change of changes) show(change);
    }
    tasks = await supervise(queue, {
      launch: all ? "all" : "retries",
      parallel,
      until: all ? "drained" : "idle",
      signal: stop.signal,
      interval: config.interval,
      onChange: show,
      onTurn: (current) => screen?.update([...current.values()]),
      onProblem: (reason) =>
        this.note(`Watching the folder failed, looking at it now and then: ${reason}`),
      orders: lock === undefined ? undefined : readOrders(queue, mine),
      onIdle: () => {
        if (lock === undefined) return;
        removeDaemonInfo(queue.store);
        lock[Symbol.dispose]();
      },
    });
  } finally {
    keys?.close();
    screen?.close();
    if (stop.signal.aborted && lock !== undefined) {
      removeDaemonInfo(queue.store);
      lock[Symbol.dispose]();
    }
  }
  const seen = [...new Map([...ended, ...tasks]).values()];
  // What was never meant to be launched is none of our business.
  const launched = seen.filter((task) =>
    !known.has(task.taskId) && (all || task.status !== "pending")
  );
  const printed = flags.report?.some(({ path }) => path === "-") ?? false;
  await finish(this, queue, seen, launched, interrupted, !printed);
  if (flags.report !== undefined) {
    const { writeReports } = await import("./reports.ts");
    const seconds = (performance.now() - began) / 1000;
    writeReports.call(this, queue, seen, launched, flags.report, seconds);
  }
}

/** Prints how it ended, and sets the exit code: 1 where something that was run did not complete. */
async function finish(
  context: Context,
  queue: Queue,
  tasks: Task[],
  mine: readonly Task[],
  interrupted: boolean,
  table: boolean,
): Promise<void> {
  const index = indexTasks(tasks);
  const unmet = mine.filter((task) => retryChain(task, index).at(-1)?.status !== "complete");
  const snapshot = await queue.look({ retry: false });
  const input = statusInput(queue, snapshot, { ids: new Set(mine.map((task) => task.taskId)) });
  if (context.globals.json) {
    const { viewJson } = await import("./status_input.ts");
    context.printJson({
      tasks: input.views.map(viewJson),
      complete: mine.length - unmet.length,
      incomplete: unmet.length,
      interrupted,
    });
  } else if (table) context.print(formatStatus(input, context.style(), queue.now()));
  if (interrupted) {
    context.note("Interrupted: the agents go on. Watch them with: orchestra status --watch");
    context.fail(130);
  } else if (unmet.length > 0) context.fail(1);
}
