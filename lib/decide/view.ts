// What a person or a script is shown of a task beyond its file: derived, never stored. Pure.

import { believedTime, type PausedLane } from "./waits.ts";
import { type Blocked, type Readiness, readinessOf, type TaskIndex } from "./dependencies.ts";
import type { Held, Room } from "./room.ts";
import { parseTime, type Status, type Task } from "../task/fields.ts";

export type { PausedLane };

/** What a pending task waits for, and what will come by itself. */
export type Wait =
  /** These tasks, latest attempts. */
  | { readonly kind: "tasks"; readonly ids: readonly string[] }
  /** A time, milliseconds since the epoch. */
  | { readonly kind: "time"; readonly until: number }
  /** The quota of its agent, milliseconds since the epoch. */
  | { readonly kind: "lane"; readonly agent: string; readonly until: number }
  /** A limit that holds across workspaces, or a task at work on the same files. */
  | { readonly kind: "limit"; readonly held: Held };

/** The stored status, refined, with what there is to know of it. */
export type Phase =
  | { readonly kind: Exclude<Status, "pending"> }
  /** Pending, and may be launched now. */
  | { readonly kind: "ready" }
  /** Pending, waiting for dependencies or for a time that will come. */
  | { readonly kind: "waiting"; readonly wait: Wait }
  /** Pending, and cannot start unless somebody acts. */
  | Blocked
  /** Failed, and its retry is due at a time, milliseconds since the epoch. */
  | { readonly kind: "retrying"; readonly at: number };

/** Name of a phase, as people and scripts see it. */
export type PhaseName = Phase["kind"];

/** A task with its status, refined. */
export interface PhasedTask {
  /** The task as it is stored. */
  task: Task;
  /** Its status, refined. */
  phase: Phase;
}

/** A task with what is derived from the others and the clock. */
export interface TaskView extends PhasedTask {
  /** Seconds it has run or ran; null before it started. */
  elapsed: number | null;
  /** Seconds until its timeout; negative when overdue; null where it has none or does not run. */
  remaining: number | null;
  /** Whether the timeout is nearer than the task's warning. */
  warning: boolean;
}

/**
 * Derives what is shown of a task.
 *
 * @param task the task
 * @param index all tasks
 * @param now milliseconds since the epoch
 * @param memo shared between calls over one snapshot
 * @param lanes paused lanes by agent
 * @param room what limits across workspaces and tasks at work leave; any where absent
 */
export function viewTask(
  task: Task,
  index: TaskIndex,
  now: number,
  memo: Map<string, Readiness>,
  lanes: ReadonlyMap<string, PausedLane> = new Map(),
  room?: Room,
): TaskView {
  return timeTask({ task, phase: phaseOf(task, index, now, memo, lanes, room) }, now);
}

/** The phase of a task alone; see {@linkcode viewTask}. */
export function phaseOf(
  task: Task,
  index: TaskIndex,
  now: number,
  memo: Map<string, Readiness>,
  lanes: ReadonlyMap<string, PausedLane>,
  room?: Room,
): Phase {
  return task.status === "pending"
    ? pendingPhase(task, readinessOf(task, index, memo), now, lanes, room)
    : settledPhase(task);
}

/** A task whose phase is known, with its times. */
export function timeTask({ task, phase }: PhasedTask, now: number): TaskView {
  const started = parseTime(task.startedAt);
  const ended = parseTime(task.completedAt);
  const elapsed = started === null || task.status === "pending"
    ? null
    : Math.max(0, ((task.status === "running" ? now : ended ?? now) - started) / 1000);
  const remaining = task.status === "running" && task.timeout !== null && elapsed !== null
    ? task.timeout + task.asleep - elapsed
    : null;
  const warning = remaining !== null && task.timeoutWarning !== null &&
    remaining <= task.timeoutWarning;
  return { task, phase, elapsed, remaining, warning };
}

/** The phase of a pending task: its dependencies, then its time, then its agent, then the machine. */
function pendingPhase(
  task: Task,
  ready: Readiness,
  now: number,
  lanes: ReadonlyMap<string, PausedLane>,
  room: Room | undefined,
): Phase {
  if (ready.kind === "blocked") return ready;
  if (ready.kind === "waiting") {
    return { kind: "waiting", wait: { kind: "tasks", ids: ready.on } };
  }
  const until = believedTime(parseTime(task.notBefore), now);
  if (until > now) return { kind: "waiting", wait: { kind: "time", until } };
  const lane = lanes.get(task.agent);
  if (lane !== undefined && lane.until > now) {
    const { agent, until } = lane;
    return { kind: "waiting", wait: { kind: "lane", agent, until } };
  }
  const held = room?.held(task) ?? null;
  return held === null ? READY : { kind: "waiting", wait: { kind: "limit", held } };
}

// Ten thousand settled tasks need not have an object each.
const READY: Phase = { kind: "ready" };
const SETTLED: Readonly<Record<Exclude<Status, "pending">, Phase>> = {
  running: { kind: "running" },
  complete: { kind: "complete" },
  failed: { kind: "failed" },
  cancelled: { kind: "cancelled" },
};

/** The phase of a task that is not pending, which depends on no other task. */
function settledPhase(task: Task): Phase {
  const at = task.status === "failed" && task.retriedBy === null ? parseTime(task.retryAt) : null;
  return at === null
    ? SETTLED[task.status as Exclude<Status, "pending">]
    : { kind: "retrying", at };
}

/** Ids of the tasks that are spoken of where some are shown: themselves, and what they wait for. */
export function spokenOf(views: readonly TaskView[]): string[] {
  return views.flatMap(({ task, phase }) => {
    if (phase.kind === "blocked") return [task.taskId, phase.by, phase.cause.id];
    if (phase.kind !== "waiting") return [task.taskId];
    const { wait } = phase;
    if (wait.kind === "tasks") return [task.taskId, ...wait.ids];
    return wait.kind === "limit" && wait.held.kind === "overlap"
      ? [task.taskId, wait.held.id]
      : [task.taskId];
  });
}

/** How many tasks are in each phase. */
export interface QueueCounts {
  total: number;
  byPhase: Record<PhaseName, number>;
}

/** Counts tasks by phase. */
export function countPhases(tasks: Iterable<PhasedTask>): QueueCounts {
  const byPhase: Record<PhaseName, number> = {
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
  for (const { phase } of tasks) {
    byPhase[phase.kind]++;
    total++;
  }
  return { total, byPhase };
}
