// When a failed task is tried again, and the successor that does it. Pure: the clock and the
// random number are arguments.

import { retryOf, type TaskIndex } from "./dependencies.ts";
import {
  type FailureClass,
  formatTime,
  newTask,
  parseTime,
  type RetryEntry,
  type Task,
} from "../task/fields.ts";
import { inheritedOptions } from "../task/options.ts";
import { hadWorktree, sessionOf } from "./session.ts";

/** How failures are retried. */
export interface RetryPolicy {
  /** Seconds before the first retry, at most. */
  base: number;
  /** By what each further wait grows. */
  factor: number;
  /** Longest wait, seconds. */
  cap: number;
  /** Draw each wait evenly between zero and its full length. */
  jitter: boolean;
  /** Failures that are worth another try. */
  on: readonly FailureClass[];
}

/** The label that tells which agent a task was queued for, where another has it now. */
export const QUEUED_FOR = "queued-for";

/** The labels of a task that another agent gets. */
export function labelsHandedOn({ agent, labels }: Pick<Task, "agent" | "labels">): Task["labels"] {
  return { [QUEUED_FOR]: agent, ...labels };
}

/** Failures that another try cannot mend, whatever the settings say. */
export const NEVER_RETRIED: readonly FailureClass[] = [
  "conflict",
  "spawn",
  "dependency",
  "budget",
  "billing",
];

/** How often a task was queued anew because a quota was used up: that uses up no retry. */
export function handovers({ retryHistory, retryCount }: Task): number {
  return Math.max(0, retryHistory.length - retryCount);
}

/**
 * Seconds to wait before the retry of a task: exponential backoff with full jitter
 * (https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/). With the default
 * base and factor that is at most 2^n seconds after the n-th retry, as the ancestor waited.
 *
 * @param retryCount retries that came before
 * @param policy base, factor and cap
 * @param random from 0 to 1
 */
export function retryDelay(retryCount: number, policy: RetryPolicy, random: number): number {
  // Beyond some hundred retries the power has no number any more, and 0 times that neither.
  const growth = Math.min(policy.factor ** retryCount, Number.MAX_VALUE);
  const full = Math.min(policy.cap, policy.base * growth);
  return policy.jitter ? full * random : full;
}

/** Whether a failure of this class may be retried by itself. */
export function mayRetry(
  task: Pick<Task, "autoRetry" | "retryCount" | "maxRetries">,
  failure: FailureClass,
  policy: Pick<RetryPolicy, "on">,
): boolean {
  return task.autoRetry && task.retryCount < task.maxRetries && policy.on.includes(failure) &&
    !NEVER_RETRIED.includes(failure);
}

/**
 * When the retry of a task falls due, in milliseconds since the epoch; null where none is due by
 * itself. Tasks that the ancestor settled carry no `retryAt`: theirs follows from `completedAt`.
 */
export function retryDue(task: Task, index: TaskIndex, policy: RetryPolicy): number | null {
  if (task.status !== "failed" || task.retriedBy !== null) return null;
  if (index.successors.has(task.taskId)) return null;
  if (task.schemaVersion >= 3) return parseTime(task.retryAt);
  if (!task.autoRetry || task.retryCount >= task.maxRetries) return null;
  // The ancestor could queue two retries of one task; only the one it named last goes on.
  const earlier = retryOf(task) === null ? undefined : index.byId.get(retryOf(task)!);
  if (earlier !== undefined && earlier.retriedBy !== task.taskId) return null;
  const ended = parseTime(task.completedAt) ?? parseTime(task.createdAt) ?? 0;
  return ended + retryDelay(task.retryCount, { ...policy, jitter: false }, 1) * 1000;
}

/** Whether something follows a failed task by itself. */
export function isFollowed(task: Task): boolean {
  if (task.status !== "failed" || task.retriedBy !== null) return false;
  // The ancestor did not write when.
  return task.retryAt !== null ||
    (task.schemaVersion < 3 && task.autoRetry && task.retryCount < task.maxRetries);
}

/** The same, and whether it has a successor that its maker did not live to name. */
export function mayBeFollowed(task: Task, { successors }: TaskIndex): boolean {
  return isFollowed(task) ||
    ((task.status === "failed" || task.status === "cancelled") && task.retriedBy === null &&
      successors.has(task.taskId));
}

/** When what follows a task is to be queued, or named; null where nothing is by itself. */
export function followDue(task: Task, index: TaskIndex, policy: RetryPolicy): number | null {
  if (!mayBeFollowed(task, index)) return null;
  return index.successors.has(task.taskId) ? 0 : retryDue(task, index, policy);
}

/** Whether a task was queued by the queue itself, as a retry or because of a pause. */
export function isAutomatic(task: Task): boolean {
  const { length } = task.retryHistory;
  // What follows a pause is queued whether retries are wanted or not.
  return length > 0 && (task.autoRetry || handovers(task) > 0);
}

/** What a retry may change. */
export interface RetryOptions {
  /** Most retries from now on. */
  maxRetries?: number;
  /** Whether further failures are retried by themselves. */
  autoRetry?: boolean;
  /** Another agent takes the work over. */
  agent?: string;
  /** A pause of the lane rather than a failure: uses up no retry. */
  free?: boolean;
  /** Milliseconds since the epoch. */
  notBefore?: number;
  /** Its agent goes on in the session of the attempt before, and in its worktree. */
  resume?: boolean;
}

/**
 * The successor of a settled task: same work, one retry more, and the history of what went before.
 *
 * @param task the task that failed
 * @param id id of the successor
 * @param options what differs
 * @param now milliseconds since the epoch
 */
export function successorOf(task: Task, id: string, options: RetryOptions, now: number): Task {
  const attempt = task.retryCount + (options.free ? 0 : 1);
  const entry: RetryEntry = {
    attempt,
    timestamp: formatTime(now),
    error: task.errorMessage,
    retriedFrom: task.taskId,
  };
  return {
    ...newTask(id, {
      agent: options.agent ?? task.agent,
      prompt: task.prompt,
      ...inheritedOptions(task),
      ...(options.agent === undefined || options.agent === task.agent
        ? {}
        : { labels: labelsHandedOn(task) }),
      ...(options.maxRetries === undefined ? {} : { maxRetries: options.maxRetries }),
      ...(options.autoRetry === undefined ? {} : { autoRetry: options.autoRetry }),
    }, now),
    retryCount: attempt,
    retryHistory: [...task.retryHistory, entry],
    parentTaskId: task.parentTaskId ?? task.taskId,
    ...(options.resume ? { resumes: sessionOf(task), worktree: hadWorktree(task) } : {}),
    notBefore: options.notBefore === undefined ? null : formatTime(options.notBefore),
  };
}
