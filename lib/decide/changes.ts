// What happened to a task between two looks at it, from how it was and how it is. Pure: whoever keeps
// tasks in memory learns of every change by this, whichever process made it.

import { isTerminal, type Task } from "../task/fields.ts";

/** What happened to a task. */
export type ChangeKind =
  | "queued"
  | "retried"
  | "launched"
  | "verifying"
  | "complete"
  | "failed"
  | "cancelled"
  | "released"
  | "handed-on"
  | "warning"
  | "reaped";

/** One change of one task. */
export interface Change {
  /** What happened. */
  kind: ChangeKind;
  /** The task as it is now. */
  task: Task;
}

/**
 * What happened between two looks, in the order in which it must have happened: a task that was
 * pending and is complete has been launched in between.
 *
 * @param before undefined where the task was not there
 * @param after as it is now
 */
export function changesBetween(before: Task | undefined, after: Task): ChangeKind[] {
  const kinds: ChangeKind[] = [];
  if (before === undefined) kinds.push(after.retryHistory.length > 0 ? "retried" : "queued");
  const claimed = after.claim > (before?.claim ?? 0);
  const wasRunning = before?.status === "running";
  if (after.status === "pending") {
    if (wasRunning || claimed) kinds.push("released");
    if (before !== undefined && before.agent !== after.agent) kinds.push("handed-on");
    return kinds;
  }
  const launched = after.status === "running" ? !wasRunning || claimed : claimed;
  // A launch that failed is none.
  if (launched && after.failureClass !== "spawn") kinds.push("launched");
  if (after.status === "running") {
    if (after.verifyAt !== null && (launched || before?.verifyAt === null)) kinds.push("verifying");
    return kinds;
  }
  const settled = before === undefined || !isTerminal(before.status);
  if (settled) kinds.push(after.status);
  else if (before.reapAt !== null && after.reapAt === null) kinds.push("reaped");
  return kinds;
}
