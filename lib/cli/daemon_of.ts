// What a daemon does for one workspace, whether it has that one or all that are known: the loop, news
// beside it, and archiving now and then. All of it is on disk: killed at any point, whoever watches next
// goes on.

import type { Change } from "../decide/changes.ts";
import type { Queue } from "../queue/queue.ts";
import { loadConfig } from "../settings/config.ts";
import { archiveFinished } from "../store/archive.ts";
import { messageOf } from "../store/files.ts";
import { watchOver } from "../supervise/loop.ts";
import type { WatchLock } from "../supervise/watcher.ts";
import { formatDuration } from "../task/duration.ts";
import { sanitize } from "../text/width.ts";
import { openNews } from "./beside.ts";
import type { Context } from "./context.ts";
import type { ServePort } from "./daemon_flags.ts";

/** What a daemon was told on its command line. */
export interface DaemonOrders {
  /** Most tasks at once; the settings' `max_concurrent` where absent. */
  readonly maxConcurrent?: number;
  /** Seconds between rescans, at least; the settings' `interval` where absent. */
  readonly interval?: number;
  /** Where the page is served as well. */
  readonly serve?: ServePort;
}

/** How a daemon watches over one workspace. */
export interface DaemonWatch {
  /** Taken, and announced. */
  readonly lock: WatchLock;
  readonly orders: DaemonOrders;
  readonly signal: AbortSignal;
  /** Told of what happens, a line each. */
  readonly say: (text: string) => void;
  readonly onRest?: () => void;
  readonly crowd?: () => number;
  /** Told why earlier settings hold than the files say now, and null once they are mended. */
  readonly onStale?: (problem: string | null) => void;
  /** Gives up the lock at the end, and says who is next. */
  readonly leave: () => void | Promise<void>;
}

/** Milliseconds between looks for what may be archived. */
const ARCHIVE_EVERY = 3_600_000;
/** Most that are archived before others have their turn, tasks: some 100 ms. */
const ARCHIVE_AT_ONCE = 500;

/** Watches over a workspace until it is stopped, or the workspace or its lock is another one's. */
export async function watchAsDaemon(
  context: Pick<Context, "program">,
  queue: Queue,
  { lock, orders, signal, say, onRest, crowd, onStale, leave }: DaemonWatch,
): Promise<void> {
  using archiving = createArchiving(queue, say);
  try {
    await archiving.begin();
    await watchOver(queue, {
      wanted: () => ({ launch: "all", parallel: orders.maxConcurrent }),
      until: "forever",
      lock,
      beside: openNews(context, queue, say),
      signal,
      interval: orders.interval,
      onChange: (change) => say(describe(change)),
      onProblem: say,
      onRest,
      crowd,
      onStale,
    });
  } finally {
    await leave();
  }
}

/** What is old enough is archived: at once, and every hour, some at a time. */
function createArchiving(
  queue: Queue,
  say: (text: string) => void,
): { begin(): Promise<void> } & Disposable {
  let timer: ReturnType<typeof setTimeout> | undefined;
  let over = false;
  async function archiveNow(): Promise<void> {
    let isMore = false;
    try {
      const { store } = queue;
      // As they are now, not as they were when it began.
      const { archive } = (await loadConfig(store)).config;
      if (archive.enabled && !over) {
        const moved = archiveFinished(store, archive, queue.now(), say, ARCHIVE_AT_ONCE);
        for (const { taskId } of moved) say(`${taskId} archived`);
        isMore = moved.length === ARCHIVE_AT_ONCE;
      }
    } catch (error) {
      say(`Archiving failed: ${messageOf(error)}`);
    }
    if (!over) timer = setTimeout(archiveNow, isMore ? 1000 : ARCHIVE_EVERY);
  }
  return {
    begin: archiveNow,
    [Symbol.dispose]() {
      over = true;
      clearTimeout(timer);
    },
  };
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
