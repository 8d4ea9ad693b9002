// Removes a task and everything that belongs to it. Its own file goes after all but the fences: a late
// shim finds its fence, or no task. Killed in between, the next `clean` finds the task still there.

import { indexTasks } from "../decide/dependencies.ts";
import { type Stays, tasksThatStay } from "../decide/removing.ts";
import { archivedDependencies } from "../store/archive.ts";
import { placesOf, PLANS, setupLogOf } from "../store/places.ts";
import { closedOf, type Scan } from "../store/tasks.ts";
import { isOwnMark } from "../task/marks.ts";
import { OrchestraError } from "../task/error.ts";
import { isTerminal, type Task } from "../task/fields.ts";
import { noTask, type Queue } from "./queue.ts";

/** What came of a verb for one task: done, or why not. */
export interface Outcome {
  readonly id: string;
  /** Why it was not done; undefined where it was. */
  readonly error?: unknown;
}

/** The error for a finished task that may not be removed. */
export function staysError(id: string, why: Stays): OrchestraError {
  const reason = why === "needed"
    ? "a task that has not run yet depends on it"
    : "it is not over yet";
  return new OrchestraError("state", `${id} stays: ${reason}`, {
    hint: "Cancel what depends on it first, or wait.",
  });
}

/** Removes finished tasks with everything that belongs to them; what must stay is told, the others go. */
export function remove(queue: Queue, ids: readonly string[]): Outcome[] {
  const { store } = queue;
  const outcomes: Outcome[] = [];
  let scan: Scan = store.scan();
  const settled = closedOf(scan.tasks);
  let stays: ReadonlyMap<string, Stays>;
  store.lockedEach(ids, (id) => {
    try {
      const task = store.read(id);
      if (task === undefined) throw noTask(store, id);
      if (!isTerminal(task.status)) {
        throw new OrchestraError(
          "state",
          `${id} is ${task.status}: only finished tasks are removed`,
          { hint: `Cancel it first: orchestra cancel ${id}` },
        );
      }
      const why = stays.get(id);
      if (why !== undefined) throw staysError(id, why);
      removeTask(queue, task, scan.marks.get(id) ?? []);
      outcomes.push({ id });
    } catch (error) {
      outcomes.push({ id, error });
    }
  }, () => {
    // Somebody may have queued what depends on one of them.
    scan = store.scan(settled);
    const index = indexTasks(scan.tasks, archivedDependencies(store, scan.tasks));
    stays = tasksThatStay(scan.tasks, index);
  });
  return outcomes;
}

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
  for (const path of [planFile, logFile, setupLogOf(store, task.taskId)]) store.remove(path);
  for (const end of PLANS) store.remove(`${store.dir}/plans/${task.taskId}${end}`);
  store.leave(task, "removed", () => store.remove(`${store.tasksDir}/${task.taskId}.json`));
  for (const mark of fences) store.removeMark(task.taskId, mark);
}
