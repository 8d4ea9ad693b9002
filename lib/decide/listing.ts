// The order in which tasks are listed: what runs, then what waits, as it will be started, then what has
// ended, the last first. Pure.

import { compareTimes } from "../task/fields.ts";
import { compareIds, compareTasks } from "./schedule.ts";
import type { PhasedTask } from "./view.ts";

function rank({ task }: PhasedTask): number {
  return task.status === "running" ? 0 : task.status === "pending" ? 1 : 2;
}

/** Running first, then pending, then finished. */
export function comparePhased(a: PhasedTask, b: PhasedTask): number {
  const difference = rank(a) - rank(b);
  if (difference !== 0) return difference;
  if (rank(a) < 2) return compareTasks(a.task, b.task);
  return compareTimes(b.task.completedAt, a.task.completedAt) ||
    compareIds(b.task.taskId, a.task.taskId);
}
