// Changes of a task's limits while it waits or runs. One write of the task's file, inside the lock.

import { ranFor } from "../decide/reconcile.ts";
import { formatTime, isTerminal, type Task } from "../task/fields.ts";
import { OrchestraError } from "../task/error.ts";
import { noTask, type Queue } from "./queue.ts";

/**
 * Gives a task more time, running or not; one without a limit gets one, counted from now where it runs.
 *
 * @param seconds how much more
 * @returns the task before and after
 * @throws OrchestraError `no-task`, or `state` where it is settled
 */
export function extendTimeout(
  queue: Queue,
  id: string,
  seconds: number,
): { before: Task; after: Task } {
  return queue.store.locked(() => {
    const before = queue.store.read(id);
    if (before === undefined) throw noTask(queue.store, id);
    if (isTerminal(before.status)) {
      throw new OrchestraError("state", `${id} is ${before.status}: its time cannot be extended`, {
        hint: `Try it again with more: orchestra retry ${id}`,
      });
    }
    const had = before.timeout ?? Math.max(0, (ranFor(before, queue.now()) ?? 0) / 1000);
    const after = { ...before, timeout: had + seconds };
    queue.store.write(after);
    return { before, after };
  });
}

/**
 * Takes note that the machine slept, or that its clock was set: what runs has not had that time.
 *
 * @param seconds how long; less than zero where the clock was set back
 */
export function addSleep(queue: Queue, ids: readonly string[], seconds: number): void {
  queue.store.locked(() => {
    for (const id of ids) {
      const task = queue.store.read(id);
      if (task?.status !== "running") continue;
      const wokeAt = formatTime(queue.now());
      queue.store.write({ ...task, asleep: task.asleep + seconds, wokeAt });
    }
  });
}
