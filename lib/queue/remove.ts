// Removes a task and everything that belongs to it. Its own file goes after all but the fences: a late
// shim finds its fence, or no task. Killed in between, the next `clean` finds the task still there.

import { placesOf, PLANS } from "../store/places.ts";
import { isOwnMark } from "../task/marks.ts";
import { OrchestraError } from "../task/error.ts";
import type { Task } from "../task/fields.ts";
import type { Queue } from "./queue.ts";

/**
 * Removes a settled task; inside the lock.
 *
 * @param marks what a scan found beside it, inside the same locked section
 */
export function removeTask({ store }: Queue, task: Task, marks: readonly string[]): void {
  const { planFile, logFile } = placesOf(store, task);
  const own = marks.filter(isOwnMark);
  const folder = own.find((mark) => store.isFolder(task.taskId, mark));
  if (folder !== undefined) {
    throw new OrchestraError("damaged", `.orchestra/tasks/${task.taskId}.${folder} is a folder`, {
      hint: "Move it out of the way.",
    });
  }
  const fences: string[] = [];
  for (const mark of own) {
    if (mark.endsWith(".pid")) fences.push(mark);
    else store.removeMark(task.taskId, mark);
  }
  for (const path of [planFile, logFile]) store.remove(path);
  for (const end of PLANS) store.remove(`${store.dir}/plans/${task.taskId}${end}`);
  store.leave(task, "removed", () => store.remove(`${store.tasksDir}/${task.taskId}.json`));
  for (const mark of fences) store.removeMark(task.taskId, mark);
}
