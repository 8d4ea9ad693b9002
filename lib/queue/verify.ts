// Orders the `verify` command of a task's current claim.

import { formatTime, type Task } from "../task/fields.ts";
import { giveOrder } from "./order.ts";
import { definitionOf, type Queue, type Rules } from "./queue.ts";

/** Starts it; inside the lock. Undefined where there is none. */
export function orderVerify(
  queue: Queue,
  task: Task,
  rules: Rules,
  now: number,
): Task | undefined {
  const command = task.verify ?? definitionOf(rules, task.agent)?.verify ?? [];
  if (command.length === 0) return undefined;
  const verifyClaim = task.verifyClaim + 1;
  const ordered: Task = { ...task, verifyClaim, verifyAt: formatTime(now) };
  const marks = { pid: `verify.${verifyClaim}.pid`, exit: "verifycode" } as const;
  giveOrder(queue, task, { command, ordered, marks }, rules);
  return ordered;
}
