// `orchestra run --wait`: the loop of whoever watches, in the foreground, with a live view. However it is
// left (q, Ctrl+C, a closed terminal, a kill), a supervisor goes on in its place.

import type { Change, ChangeKind } from "../decide/changes.ts";
import { indexTasks, type Readiness, retryChain, type TaskIndex } from "../decide/dependencies.ts";
import { viewTask } from "../decide/view.ts";
import { formatPlainEvent, formatStatus } from "../format/status.ts";
import type { Queue } from "../queue/queue.ts";
import { type Lacking, refresh, type Snapshot } from "../queue/refresh.ts";
import { type Beside, watchOver } from "../supervise/loop.ts";
import type { Mirror } from "../supervise/mirror.ts";
import {
  announce,
  isWatched,
  removeDaemonInfo,
  type StandingOrder,
  startGuardian,
  tellWatcher,
  waitForDaemonLock,
  watcherOf,
} from "../supervise/watcher.ts";
import { isTerminal, type Task } from "../task/fields.ts";
import { type News, openNews } from "./beside.ts";
import type { Context } from "./context.ts";
import type { ReportTarget } from "./flags.ts";
import { stopSignal } from "./look_on.ts";
import { createScreen } from "./screen.ts";
import { readKeys } from "./keys.ts";
import { countLacking, wordsOfLacking } from "./lacking.ts";
import { openNotices } from "./notices.ts";
import { noteSetup } from "./setup_note.ts";
import { statusInput, viewJson } from "./status_input.ts";
import { followOrders, leaveSupervisor, look } from "./supervision.ts";

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
  "handed-on",
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
  const began = performance.now();
  const before = await look(queue, true);
  // What was never meant to be launched is none of our business.
  const settled = new Set(
    before.tasks.filter(({ status }) => isTerminal(status)).map(({ taskId }) => taskId),
  );
  const seen = await watchRun.call(this, queue, flags);
  const mine = seen.tasks.filter((task) =>
    !settled.has(task.taskId) && (all || task.status !== "pending")
  );
  // What was to end, and has no file any more that could tell how.
  const open = before.tasks.filter(({ status }) => !isTerminal(status)).map(({ taskId }) => taskId);
  const gone = [...new Set([...all ? open : [], ...seen.launched])]
    .filter((id) => !seen.index.byId.has(id) && !queue.store.isArchived(id));
  for (const id of gone) {
    this.note(`${id} cannot be told to have ended: its file was removed or spoilt`);
  }
  await noteSetup(this, queue, [...seen.launched].flatMap((id) => seen.index.byId.get(id) ?? []));
  const printed = flags.report?.some(({ path }) => path === "-") ?? false;
  finish(this, queue, seen, mine, gone.length, !printed);
  if (flags.report !== undefined) {
    const { writeReports } = await import("./reports.ts");
    const seconds = (performance.now() - began) / 1000;
    await writeReports.call(this, queue, seen.tasks, mine, flags.report, seconds);
  }
}

/** Where no supervisor may be left for what is owed at the end, it is waited for so long, milliseconds. */
const TELLING = 30_000;
/** That hooks are waited for is said after this, milliseconds. */
const SAID_AFTER = 2000;

/**
 * What is told beside it. Once all is settled nobody waits here for a receiver or for a hook that has not
 * begun, where a supervisor goes on with them. A hook that runs comes to its end, and we watch meanwhile:
 * otherwise whoever came next would run it again.
 */
function tellBeside(
  news: News,
  note: (text: string) => void,
  isOurs: () => boolean,
  supervise: boolean,
): Beside {
  /** Since when all is settled, time of the process. */
  let done = Infinity;
  /** Nobody goes on with what is owed: for a while it is waited for. */
  let isTelling = false;
  let said = false;
  let timer: ReturnType<typeof setTimeout> | undefined;
  const wakeAfter = (millis: number) => {
    clearTimeout(timer);
    timer = setTimeout(() => beside.onIdle(), millis);
    Deno.unrefTimer(timer);
  };
  function sayOfHooks(waited: number): void {
    if (said || news.hooks.length === 0) return;
    if (waited < SAID_AFTER) return wakeAfter(SAID_AFTER - waited);
    said = true;
    note(`All is settled; waits for hooks to end: ${news.hooks.join(", ")} (Ctrl+C ends them)`);
  }
  const beside: Beside = {
    look(config, isDone) {
      if (!isOurs()) return;
      const now = performance.now();
      done = isDone ? Math.min(done, now) : Infinity;
      isTelling = isDone && !supervise && now - done < TELLING;
      news.beginsHooks = !isDone || isTelling;
      news.look(config);
      if (isTelling) wakeAfter(TELLING - (now - done));
      else if (isDone) sayOfHooks(now - done);
    },
    get isBusy() {
      return news.hooks.length > 0 || (isTelling && news.isBusy);
    },
    get onIdle() {
      return news.onIdle;
    },
    set onIdle(wake) {
      news.onIdle = wake;
    },
    async close(stop) {
      clearTimeout(timer);
      await news.close(stop);
    },
  };
  return beside;
}

/** What was seen last, with what ended meanwhile and is archived or removed by now. */
interface Seen extends Pick<Snapshot, "tasks" | "index" | "damaged"> {
  readonly interrupted: boolean;
  /** What was launched meanwhile, by whomever. */
  readonly launched: ReadonlySet<string>;
  /** What was to be launched, and waits for its worktree still. */
  readonly lacking: readonly Lacking[];
}

/** Launches, and watches until it is finished or left. */
async function watchRun(
  this: Context,
  queue: Queue,
  flags: RunWaitFlags,
): Promise<Seen> {
  const { store } = queue;
  const config = await this.config(store);
  const order: StandingOrder = flags.all
    ? { launch: "all", parallel: flags.parallel }
    : { launch: "retries" };
  let lock = await waitForDaemonLock(store, () => watcherOf(store) !== undefined);
  const orders = lock === undefined
    ? () => order
    : followOrders(queue, announce(store, "run", order));
  const isOthers = lock === undefined && tellWatcher(store, order);
  const guardian = isOthers || !config.supervise
    ? undefined
    : startGuardian(store, this.program, order);
  this.endsByExit = true;
  let interrupted = false;
  const leave = () => {
    // What was ordered stays on record for who goes on with it.
    if (lock !== undefined && (!interrupted || guardian === undefined)) removeDaemonInfo(store);
    lock?.[Symbol.dispose]();
    lock = undefined;
  };
  const news = openNews(this, queue, (problem) => this.note(problem));
  /** Nobody is to wait for one that is stopped. */
  const handOver = () => {
    if (lock === undefined || !config.supervise) return;
    void news.close(AbortSignal.abort());
    lock[Symbol.dispose]();
    lock = undefined;
    leaveSupervisor(this, queue, orders());
  };
  const stop = stopSignal(() => interrupted = true);
  const notify = await openNotices(this, queue);
  const view = createView(this, queue, handOver, () => {
    interrupted = true;
    stop.abort();
  });
  try {
    const from = flags.all ? undefined : await refresh(queue, {
      launch: flags.parallel ?? { more: 1 },
    });
    for (const change of from?.changes ?? []) view.show(change, from!.index);
    for (const one of from?.lacking ?? []) this.note(wordsOfLacking(one));
    const mirror = await watchOver(queue, {
      wanted: orders,
      until: "finished",
      from: from?.tasks,
      signal: stop.signal,
      // Whoever watched before us may end before all is done: then it is ours.
      leaveToOthers: () => lock === undefined && isWatched(store),
      onChange(change, { index }) {
        view.show(change, index);
        notify?.(change);
      },
      onTurn: view.draw,
      beside: tellBeside(
        news,
        (text) => this.note(text),
        () => lock !== undefined,
        config.supervise,
      ),
      onProblem: (problem) => this.note(problem),
      onFinished: leave,
    });
    if (!interrupted) guardian?.dismiss();
    const tasks = [...new Map([...view.ended, ...mirror.index.byId]).values()];
    const index = indexTasks(tasks, mirror.index.archived);
    const { launched } = view;
    const damaged = [...mirror.damaged.values()];
    const lacking = (from?.lacking ?? []).filter(({ id }) =>
      index.byId.get(id)?.status === "pending"
    );
    return { tasks, index, damaged, interrupted, launched, lacking };
  } finally {
    view.close();
    // On Windows no guardian waits for our end: a supervisor is left now.
    if (interrupted && guardian === undefined) handOver();
    leave();
  }
}

/** What a person sees while it runs: a screen on a terminal, otherwise a line for each change. */
function createView(
  context: Context,
  queue: Queue,
  onSuspend: () => void,
  onLeave: () => void,
) {
  const live = context.interactive && !context.globals.json;
  const screen = live
    ? createScreen(context, queue, {}, "q or Ctrl+C to leave; a supervisor goes on", onSuspend)
    : undefined;
  const keys = screen === undefined ? undefined : readKeys(onLeave);
  const style = { ...context.style(), color: false };
  /** What ended while we looked counts, also where somebody has archived or removed it since. */
  const ended = new Map<string, Task>();
  const launched = new Set<string>();
  return {
    ended,
    launched,
    show({ kind, task }: Change, index: TaskIndex) {
      if (isTerminal(task.status)) ended.set(task.taskId, task);
      if (kind === "launched") launched.add(task.taskId);
      if (live || context.globals.json || !SHOWN.has(kind)) return;
      const view = viewTask(task, index, queue.now(), new Map<string, Readiness>());
      context.note(formatPlainEvent(view, style, queue.now()));
    },
    draw({ index, damaged, shared }: Mirror) {
      screen?.update([...index.byId.values()], [...damaged.values()], index, shared);
    },
    close() {
      keys?.close();
      screen?.close();
    },
  };
}

/** Prints how it ended, and sets the exit code: 1 where what was run, or was to be, did not complete. */
function finish(
  context: Context,
  queue: Queue,
  seen: Seen,
  mine: readonly Task[],
  gone: number,
  table: boolean,
): void {
  const { index, interrupted, lacking } = seen;
  const unmet = mine.filter((task) => retryChain(task, index).at(-1)?.status !== "complete");
  const input = statusInput(queue, seen, { ids: new Set(mine.map((task) => task.taskId)) });
  if (context.globals.json) {
    context.printJson({
      tasks: input.views.map(viewJson),
      complete: mine.length - unmet.length,
      incomplete: unmet.length + gone,
      interrupted,
      waitsFor: lacking.length > 0 ? countLacking(lacking.length) : null,
    });
  } else if (table && mine.length + gone === 0) {
    context.print(
      lacking.length > 0
        ? `Nothing started: ${countLacking(lacking.length)}`
        : "Nothing to start: no pending task is ready",
    );
  } else if (table) context.print(formatStatus(input, context.style(), queue.now()));
  if (interrupted) {
    context.note(
      "Left: the agents go on, and a supervisor with them. See: orchestra status --watch",
    );
    context.fail(130);
  } else if (unmet.length + gone + lacking.length > 0) context.fail(1);
}
