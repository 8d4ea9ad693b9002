// How long git may take over a task's worktree: it starts filters of the user's, which may hang, and a task
// is not to hang with them. Loaded only where a task has a worktree.

import { ranFor } from "../decide/reconcile.ts";
import type { Task } from "../task/fields.ts";
import { LONGEST, tooLong } from "../worktree/limit.ts";
import type { Queue, Rules } from "./queue.ts";

/** So long what a task left may take to be committed where its own time is over, milliseconds. */
const SHORT = 10_000;
/** So often it is looked whether it is still wanted, milliseconds. */
const LOOK = 500;

/** What was done, and whether the task is still as it was. */
export interface Done<T> {
  readonly value: T;
  /** False: somebody has ended it meanwhile, and git was ended for that. */
  readonly isWanted: boolean;
}

/**
 * Does something with git for a task. It is ended when it has had its time, and when the task has another
 * status than it had.
 *
 * @param act gets what ends it
 */
export async function inTime<T>(
  queue: Queue,
  task: Task,
  rules: Rules,
  act: (signal: AbortSignal) => Promise<T>,
): Promise<Done<T>> {
  const limit = timeOf(task, rules, queue.now());
  const stop = new AbortController();
  let isWanted = true;
  const timer = setTimeout(() => stop.abort(new Error(tooLong(limit))), limit);
  const looks = setInterval(() => {
    if (statusOf(queue, task) === task.status) return;
    isWanted = false;
    stop.abort(new Error("the task was ended"));
  }, LOOK);
  try {
    return { value: await act(stop.signal), isWanted };
  } finally {
    clearTimeout(timer);
    clearInterval(looks);
  }
}

/** What is left of the task's time, and at least a little; a while where it has no limit, or has failed. */
function timeOf(task: Task, { config }: Rules, now: number): number {
  const short = Math.max(SHORT, config.grace_period * 1000);
  if (task.status === "cancelled" || task.failureClass === "timeout") return short;
  if (task.status !== "running" || task.timeout === null) return LONGEST;
  const left = task.timeout * 1000 - (ranFor(task, now) ?? 0);
  return Math.min(LONGEST, Math.max(short, left));
}

/** Its status as its file tells; what cannot be read now tells nothing. */
function statusOf({ store }: Queue, { taskId, status }: Task): string | undefined {
  try {
    return store.read(taskId)?.status;
  } catch {
    return status;
  }
}
