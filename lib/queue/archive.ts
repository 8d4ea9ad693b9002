// Named tasks into the archive, and back. A chain of retries goes as a whole, for what depends on its first
// attempt is met by its last. Killed in between, each task is here or there.

import { isOver } from "../decide/archiving.ts";
import { indexTasks, retryChain, type TaskIndex } from "../decide/dependencies.ts";
import { archiveTask, restoreTask } from "../store/archive.ts";
import { closedOf, type Scan } from "../store/tasks.ts";
import { OrchestraError } from "../task/error.ts";
import type { Task } from "../task/fields.ts";
import { activeTasks } from "./names.ts";
import { activeError, noTask, type Queue } from "./queue.ts";
import type { Outcome } from "./remove.ts";

/** Archives tasks that have come to their end, with their chains; what has not is told, the others go. */
export function archive({ store }: Queue, ids: readonly string[]): Outcome[] {
  const outcomes = new Map<string, Outcome>();
  let scan: Scan = store.scan();
  const settled = closedOf(scan.tasks);
  let index: TaskIndex;
  store.lockedEach(ids, (id) => {
    if (outcomes.has(id)) return;
    try {
      const task = index.byId.get(id) ?? store.read(id);
      if (task === undefined) throw noTask(store, id);
      if (!isOver(task, index)) {
        throw new OrchestraError(
          "state",
          `${id} is not over yet: only what has ended is archived`,
          {
            hint: `Cancel it first: orchestra cancel ${id}`,
          },
        );
      }
      for (const attempt of retryChain(task, index)) {
        if (!index.byId.has(attempt.taskId) || outcomes.has(attempt.taskId)) continue;
        archiveTask(store, attempt, scan.marks.get(attempt.taskId) ?? []);
        outcomes.set(attempt.taskId, { id: attempt.taskId });
      }
    } catch (error) {
      outcomes.set(id, { id, error });
    }
  }, () => {
    scan = store.scan(settled);
    index = indexTasks(scan.tasks);
  });
  return [...outcomes.values()];
}

/**
 * Brings an archived task back.
 *
 * @throws OrchestraError `no-task`, or `state` where it is not archived or its key is another's by now
 */
export function restore({ store }: Queue, id: string): Task {
  return store.locked(() => {
    if (store.read(id) !== undefined) throw activeError(id);
    const task = store.readArchived(id);
    if (task === undefined) {
      throw new OrchestraError("no-task", `No task ${id} in the archive`, {
        hint: "See what there is with: orchestra archive list",
      });
    }
    const taken = task.key === null ? undefined : activeTasks(store).keyed(task.key)[0];
    if (taken !== undefined) {
      throw new OrchestraError(
        "state",
        `${id} has the key ${JSON.stringify(task.key)}, and so has ${taken.taskId}`,
        { hint: `Archive or remove that one first: orchestra clean ${taken.taskId}` },
      );
    }
    restoreTask(store, task);
    return task;
  });
}
