// Which pending tasks to launch now. Pure: the tasks, the limits and the clock come in, a list of
// tasks comes out.

import { compareTimes, parseTime, type Task } from "../task/fields.ts";
import type { Room } from "./room.ts";
import { believedTime, type PausedLane } from "./waits.ts";

/** What bounds a launch. */
export interface Limits {
  /** Most tasks running at once. */
  parallel: number;
  /** Most running at once by agent, for the agents that have such a limit. */
  perAgent: ReadonlyMap<string, number>;
  /** Agents that launch nothing for now. */
  lanes: ReadonlyMap<string, PausedLane>;
  /** What limits across workspaces, and tasks that touch the same files, leave; any where absent. */
  room?: Room;
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
 * @param ready pending tasks whose dependencies are met, best first
 * @param running what runs now
 * @param limits how many at once
 * @param now milliseconds since the epoch
 */
export function pickNext(
  ready: Iterable<Task>,
  running: Iterable<Task>,
  limits: Limits,
  now: number,
): Task[] {
  const used = new Map<string, number>();
  let free = limits.parallel;
  for (const task of running) {
    free--;
    used.set(task.agent, (used.get(task.agent) ?? 0) + 1);
  }
  const picked: Task[] = [];
  if (free <= 0) return picked;
  for (const task of ready) {
    const limit = limits.perAgent.get(task.agent);
    const count = used.get(task.agent) ?? 0;
    if (limit !== undefined && count >= limit) continue;
    if (heldUntil(task, limits.lanes, now) !== null) continue;
    if (limits.room !== undefined) {
      if (limits.room.held(task) !== null) continue;
      limits.room.take(task);
    }
    used.set(task.agent, count + 1);
    picked.push(task);
    if (picked.length >= free) break;
  }
  return picked;
}

/** When a task whose dependencies are met may be launched; null where it may be now. */
export function heldUntil(
  task: Task,
  lanes: ReadonlyMap<string, PausedLane>,
  now: number,
): number | null {
  const notBefore = believedTime(parseTime(task.notBefore), now);
  const until = Math.max(notBefore, lanes.get(task.agent)?.until ?? 0);
  return until > now ? until : null;
}
