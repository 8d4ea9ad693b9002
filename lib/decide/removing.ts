// Which finished tasks may be removed. What still ends, will be retried, or is waited for by others must
// stay. Pure.

import { isTerminal, type Task } from "../task/fields.ts";
import { lookUp, retryChain, type TaskIndex } from "./dependencies.ts";

/** Why a task may not be removed. */
export type Stays = "needed" | "not over";

/**
 * Why tasks may not be removed, by their ids: of those that are not in it, what has ended may go.
 *
 * @param tasks all of them
 */
export function tasksThatStay(tasks: readonly Task[], index: TaskIndex): Map<string, Stays> {
  const stays = new Map<string, Stays>();
  for (const task of tasks) {
    const { taskId, status, reapAt, retryAt } = task;
    if (!isTerminal(status) || reapAt !== null || retryAt !== null) stays.set(taskId, "not over");
  }
  for (const task of tasks) {
    if (isTerminal(task.status)) continue;
    for (const id of task.dependsOn) {
      const dependency = lookUp(id, index);
      if (dependency === undefined) continue;
      for (const { taskId } of retryChain(dependency, index)) stays.set(taskId, "needed");
    }
  }
  return stays;
}
