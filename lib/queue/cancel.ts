// Cancels tasks, and ends them by hand as timed out. What a task has ended with before counts: a success
// that is on disk stays one. The mark is written before the task's own file, so that a kill in between
// loses no order; it is not synced, for the task, written next, tells the same.

import { formatTime, isTerminal, type Task } from "../task/fields.ts";
import type { Aliveness } from "./observe.ts";
import type { Queue, Rules } from "./queue.ts";
import { NOTHING_MORE, step } from "./step.ts";

/** What came of cancelling one task. */
export type Cancelled =
  /** It is as it is now: cancelled by us, or ended by itself before we came. */
  | { readonly id: string; readonly task: Task | undefined; readonly cancelled: boolean }
  /** Its files did not let us. */
  | { readonly id: string; readonly error: unknown };

const NOBODY_LOOKED: Aliveness = () => "unknown";

/** Cancels pending and running tasks at once; what lives of them is ended by `endTask`. */
export function cancel(
  queue: Queue,
  ids: readonly string[],
  reason: string | null,
  rules: Rules,
): Cancelled[] {
  const outcomes: Cancelled[] = [];
  queue.store.lockedEach(ids, (id) => {
    try {
      outcomes.push(cancelOne(queue, id, reason, rules));
    } catch (error) {
      outcomes.push({ id, error });
    }
  });
  return outcomes;
}

function cancelOne(queue: Queue, id: string, reason: string | null, rules: Rules): Cancelled {
  const look = () => step(queue, id, rules, NOBODY_LOOKED, NOTHING_MORE).task;
  // It may have ended, and nobody has looked.
  const before = look();
  if (before === undefined || isTerminal(before.status)) {
    return { id, task: before, cancelled: false };
  }
  orderCancel(queue, id, reason);
  const task = look();
  return { id, task, cancelled: task?.status === "cancelled" };
}

/** Writes that a task is to be cancelled; whoever looks next does it. */
export function orderCancel({ store, now }: Queue, id: string, reason: string | null): void {
  const text = { timestamp: formatTime(now()), ...(reason === null ? {} : { reason }) };
  store.writeHint(id, "cancelled", JSON.stringify(text) + "\n");
}

/** Ends a running task as timed out, at once; undefined where it does not run. */
export function timeOut(queue: Queue, id: string, rules: Rules): Task | undefined {
  return queue.store.locked(() => {
    const look = () => step(queue, id, rules, NOBODY_LOOKED, NOTHING_MORE).task;
    if (look()?.status !== "running") return undefined;
    const text = { timeout: null, timestamp: formatTime(queue.now()), manual: true };
    queue.store.writeHint(id, "timeout", JSON.stringify(text) + "\n");
    return look();
  });
}
