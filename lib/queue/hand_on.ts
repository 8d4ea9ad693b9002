// Gives pending tasks whose agent is paused to an agent that is not. One write of the task's file, inside
// the lock: the next turn launches it like any other.

import { parseTime, type Task } from "../task/fields.ts";
import { labelsHandedOn } from "../decide/retry.ts";
import type { HandedOn } from "../decide/turn.ts";
import { type Queue, readSound } from "./queue.ts";

/**
 * Hands tasks on that still wait.
 *
 * @param onRead told of each at once, as it is now
 */
export function handOn(
  queue: Queue,
  wanted: readonly HandedOn[],
  onRead: (task: Task) => void,
): void {
  const { store } = queue;
  store.lockedEach(wanted, ({ id, from, to, until }) => {
    const task = readSound(queue, id);
    if (task === undefined) return;
    if (task.status !== "pending" || task.agent !== from) {
      // Somebody else was faster.
      onRead(task);
      return;
    }
    // It may have been told to wait for the lane, which it leaves.
    const waits = (parseTime(task.notBefore) ?? 0) > until;
    const after = {
      ...task,
      agent: to,
      labels: labelsHandedOn(task),
      notBefore: waits ? task.notBefore : null,
    };
    store.write(after);
    onRead(after);
  });
}
