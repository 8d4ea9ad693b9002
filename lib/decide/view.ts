// What a person or a script is shown of a task beyond its file: derived, never stored. Pure.

import { type Readiness, readinessOf, type TaskIndex } from "./dependencies.ts";
import { parseTime, type Status, type Task } from "../task/fields.ts";

/** The stored status, refined for display. */
export type Phase =
  | Exclude<Status, "pending">
  /** Pending, and may be launched now. */
  | "ready"
  /** Pending, waiting for dependencies or for a time that will come. */
  | "waiting"
  /** Pending, and cannot start unless somebody acts. */
  | "blocked"
  /** Failed, and its retry is due at `retryAt`. */
  | "retrying";

/** A task with what is derived from the others and the clock. */
export interface TaskView {
  /** The task as it is stored. */
  task: Task;
  /** Its status, refined. */
  phase: Phase;
  /** Why it waits or is blocked: `blockedReason` for scripts, one line for people. */
  reason: string | null;
  /** The task that blocks it. */
  blockedBy: string | null;
  /** Seconds it has run or ran; null before it started. */
  elapsed: number | null;
  /** Seconds until its timeout; negative when overdue; null where it has none or does not run. */
  remaining: number | null;
  /** Whether the timeout is nearer than the task's warning. */
  warning: boolean;
}

/** A lane that launches nothing for now. */
export interface PausedLane {
  /** Name of the agent. */
  agent: string;
  /** Milliseconds since the epoch. */
  until: number;
}

/**
 * Derives what is shown of a task.
 *
 * @param task the task
 * @param index all tasks
 * @param now milliseconds since the epoch
 * @param memo shared between calls over one snapshot
 * @param lanes paused lanes by agent
 */
export function viewTask(
  task: Task,
  index: TaskIndex,
  now: number,
  memo: Map<string, Readiness>,
  lanes: ReadonlyMap<string, PausedLane> = new Map(),
): TaskView {
  let phase: Phase = task.status === "pending" ? "ready" : task.status;
  let reason: string | null = null;
  let blockedBy: string | null = null;
  if (task.status === "pending") {
    const ready = readinessOf(task, index, memo);
    const notBefore = parseTime(task.notBefore);
    const lane = lanes.get(task.agent);
    if (ready.kind === "blocked") {
      phase = "blocked";
      reason = ready.reason;
      blockedBy = ready.by;
    } else if (ready.kind === "waiting") {
      phase = "waiting";
      reason = `waits for ${ready.on.join(", ")}`;
    } else if (notBefore !== null && notBefore > now) {
      phase = "waiting";
      reason = `not before ${task.notBefore}`;
    } else if (lane !== undefined && lane.until > now) {
      phase = "waiting";
      reason = `agent ${task.agent} is paused until ${new Date(lane.until).toISOString()}`;
    }
  } else phase = settledPhase(task);
  const started = parseTime(task.startedAt);
  const ended = parseTime(task.completedAt);
  const elapsed = started === null || task.status === "pending"
    ? null
    : Math.max(0, ((task.status === "running" ? now : ended ?? now) - started) / 1000);
  const remaining = task.status === "running" && task.timeout !== null && elapsed !== null
    ? task.timeout - elapsed
    : null;
  const warning = remaining !== null && task.timeoutWarning !== null &&
    remaining <= task.timeoutWarning;
  return { task, phase, reason, blockedBy, elapsed, remaining, warning };
}

/** The phase of a settled task, which depends on no other task. */
export function settledPhase(task: Task): Phase {
  return task.status === "failed" && task.retryAt !== null && task.retriedBy === null
    ? "retrying"
    : task.status as Exclude<Status, "pending">;
}

/** How many tasks are in each phase. */
export interface QueueCounts {
  total: number;
  byPhase: Record<Phase, number>;
}

/** Counts views by phase. */
export function countPhases(views: Iterable<TaskView>): QueueCounts {
  const byPhase: Record<Phase, number> = {
    ready: 0,
    waiting: 0,
    blocked: 0,
    running: 0,
    retrying: 0,
    complete: 0,
    failed: 0,
    cancelled: 0,
  };
  let total = 0;
  for (const view of views) {
    byPhase[view.phase]++;
    total++;
  }
  return { total, byPhase };
}
