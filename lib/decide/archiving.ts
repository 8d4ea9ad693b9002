// What is old enough for the archive. Pure.

import { retryChain, type TaskIndex } from "./dependencies.ts";
import { isAtRest, parseTime, type Task } from "../task/fields.ts";

/** `archive` of the settings, as far as the decision needs it. */
export interface ArchivePolicy {
  /** Complete tasks older than so many days are archived. */
  max_completed_age_days: number;
  /** The same for failed and cancelled ones. */
  max_failed_age_days: number;
  /** Beyond this many finished tasks, the oldest are archived. */
  max_queue_size: number;
}

const DAY = 86_400_000;

/**
 * The tasks that the policy puts into the archive, oldest first: complete ones of a certain age,
 * failed and cancelled ones of another, and the oldest finished ones beyond the largest number.
 *
 * @param index all tasks
 * @param policy `archive` of the settings
 * @param now milliseconds since the epoch
 */
export function pickArchivable(
  index: TaskIndex,
  policy: ArchivePolicy,
  now: number,
): Task[] {
  const finished = [...index.byId.values()]
    .filter((task) => isOver(task, index))
    .sort((a, b) => endOf(a) - endOf(b));
  const surplus = finished.length - policy.max_queue_size;
  const old = new Set(finished.filter((task, place) => {
    const days = task.status === "complete"
      ? policy.max_completed_age_days
      : policy.max_failed_age_days;
    return place < surplus || now - endOf(task) >= days * DAY;
  }));
  // A chain of retries goes as a whole: what depends on its first attempt is met by its last.
  return [...old].filter((task) => retryChain(task, index).every((attempt) => old.has(attempt)));
}

function endOf(task: Task): number {
  return parseTime(task.completedAt) ?? parseTime(task.createdAt) ?? 0;
}

/** Whether a task and its whole chain are settled, with no retry due and nothing to be ended. */
export function isOver(task: Task, index: TaskIndex): boolean {
  return retryChain(task, index).every((attempt) => isAtRest(attempt) && attempt.retryAt === null);
}
