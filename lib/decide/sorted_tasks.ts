// Tasks in the order in which they are launched, kept while tasks come and go. Nothing is sorted before
// somebody asks: most commands never do.

import type { Task } from "../task/fields.ts";
import { compareTasks } from "./schedule.ts";

/** A changing set of tasks, best first. */
export interface SortedTasks extends Iterable<Task> {
  /** Adds a task; one with its id must not be there. */
  add(task: Task): void;
  /** Removes a task, which must be as it was when it was added. */
  delete(task: Task): void;
}

/** A set of tasks, best first; nothing in it. */
export function createSortedTasks(): SortedTasks {
  const waiting = new Map<string, Task>();
  let sorted: Task[] | undefined;

  /** The place of a task, or where it belongs. */
  function placeOf(list: readonly Task[], task: Task): number {
    let low = 0;
    let high = list.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (compareTasks(list[middle]!, task) < 0) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  return {
    add(task) {
      if (sorted === undefined) waiting.set(task.taskId, task);
      else sorted.splice(placeOf(sorted, task), 0, task);
    },
    delete(task) {
      if (sorted === undefined) {
        waiting.delete(task.taskId);
        return;
      }
      const isIt = (other: Task | undefined) => other?.taskId === task.taskId;
      const place = placeOf(sorted, task);
      // Times that others wrote may be in no order: then it is looked for.
      const found = isIt(sorted[place]) ? place : sorted.findIndex(isIt);
      if (found >= 0) sorted.splice(found, 1);
    },
    [Symbol.iterator]() {
      if (sorted === undefined) {
        sorted = [...waiting.values()].sort(compareTasks);
        waiting.clear();
      }
      return sorted[Symbol.iterator]();
    },
  };
}
