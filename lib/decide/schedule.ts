// Which pending tasks to launch now. Pure: the tasks, the limits and the clock come in, a list of
// tasks comes out.

import { type Readiness, readinessOf, type TaskIndex } from "./dependencies.ts";
import { compareTimes, parseTime, type Task } from "../task/fields.ts";
import type { PausedLane } from "./view.ts";

/** What bounds a launch. */
export interface Limits {
  /** Most tasks running at once. */
  parallel: number;
  /** Most running at once by agent, for the agents that have such a limit. */
  perAgent: ReadonlyMap<string, number>;
  /** Agents that launch nothing for now. */
  lanes: ReadonlyMap<string, PausedLane>;
}

/** Order in which ready tasks are taken: higher priority first, then oldest, then by id. */
export function compareTasks(a: Task, b: Task): number {
  if (a.priority !== b.priority) return b.priority - a.priority;
  const difference = compareTimes(a.createdAt, b.createdAt);
  return difference !== 0 ? difference : compareIds(a.taskId, b.taskId);
}

/** Ids by the number in them: a shorter one is older. */
export function compareIds(a: string, b: string): number {
  if (a.length !== b.length) return a.length - b.length;
  return a < b ? -1 : a > b ? 1 : 0;
}

/**
 * The tasks to launch now, best first.
 *
 * @param pending candidates; others than pending are passed over
 * @param running what runs now
 * @param index all tasks, for the dependencies
 * @param limits how many at once
 * @param now milliseconds since the epoch
 */
export function pickNext(
  pending: Iterable<Task>,
  running: Iterable<Task>,
  index: TaskIndex,
  limits: Limits,
  now: number,
): Task[] {
  const used = new Map<string, number>();
  let free = limits.parallel;
  for (const task of running) {
    free--;
    used.set(task.agent, (used.get(task.agent) ?? 0) + 1);
  }
  if (free <= 0) return [];
  const memo = new Map<string, Readiness>();
  const picked: Task[] = [];
  if (free === 1) {
    // The usual case of a busy queue: one place became free. One pass, no sorting.
    let best: Task | undefined;
    for (const task of pending) {
      if (best !== undefined && compareTasks(task, best) > 0) continue;
      if (launchable(task, used, index, limits, now, memo)) best = task;
    }
    return best === undefined ? [] : [best];
  }
  const candidates: Task[] = [];
  for (const task of pending) {
    if (launchable(task, used, index, limits, now, memo)) candidates.push(task);
  }
  candidates.sort(compareTasks);
  for (const task of candidates) {
    if (picked.length >= free) break;
    const limit = limits.perAgent.get(task.agent);
    const count = used.get(task.agent) ?? 0;
    if (limit !== undefined && count >= limit) continue;
    used.set(task.agent, count + 1);
    picked.push(task);
  }
  return picked;
}

function launchable(
  task: Task,
  used: ReadonlyMap<string, number>,
  index: TaskIndex,
  limits: Limits,
  now: number,
  memo: Map<string, Readiness>,
): boolean {
  if (task.status !== "pending") return false;
  const notBefore = parseTime(task.notBefore);
  if (notBefore !== null && notBefore > now) return false;
  const lane = limits.lanes.get(task.agent);
  if (lane !== undefined && lane.until > now) return false;
  const limit = limits.perAgent.get(task.agent);
  if (limit !== undefined && (used.get(task.agent) ?? 0) >= limit) return false;
  return readinessOf(task, index, memo).kind === "ready";
}
