// What `status`, `wait`, `run --wait` and the live screen show of a snapshot: filtered, ordered, counted.

import { isStopped, watcherOf } from "../supervise/watcher.ts";
import { hasDependencies, NO_INDEX, type Readiness } from "../decide/dependencies.ts";
import { formatReason } from "../format/reason.ts";
import type { StatusInput } from "../format/status.ts";
import { pausedLanes } from "../decide/model.ts";
import type { Queue } from "../queue/queue.ts";
import type { Snapshot } from "../queue/refresh.ts";
import { nameTasks } from "../decide/names.ts";
import { compareIds, compareTasks } from "../decide/schedule.ts";
import { compareTimes, isTerminal, type Task } from "../task/fields.ts";
import {
  countPhases,
  type PausedLane,
  type PhasedTask,
  type PhaseName,
  phaseOf,
  spokenOf,
  type TaskView,
  timeTask,
} from "../decide/view.ts";

/** What is shown of a queue. */
export interface StatusFilter {
  status?: readonly (PhaseName | "pending")[];
  agent?: readonly string[];
  label?: readonly (readonly [string, string])[];
  /** Only these tasks. */
  ids?: ReadonlySet<string>;
  /** All finished tasks, not only the last ones. */
  all?: boolean;
  /** What each consumed, and the sum. */
  usage?: boolean;
}

/** How many finished tasks are shown unless all are asked for. */
export const FINISHED_SHOWN = 20;

/** Views of all tasks that pass the filters: running first, then pending, then finished. */
export function selectViews(
  snapshot: Pick<Snapshot, "tasks" | "index">,
  filter: StatusFilter,
  now: number,
): TaskView[] {
  const lanes = pausedLanes(snapshot.tasks, now);
  return selectTasks(snapshot, filter, now, lanes).map((phased) => timeTask(phased, now));
}

/** The same without their times: most of ten thousand are only counted. */
function selectTasks(
  snapshot: Pick<Snapshot, "tasks" | "index">,
  filter: StatusFilter,
  now: number,
  lanes: ReadonlyMap<string, PausedLane>,
): PhasedTask[] {
  const { tasks } = snapshot;
  // Where no pending task depends on another, ten thousand tasks need not be indexed.
  const index = tasks.some((task) => task.status === "pending" && hasDependencies(task))
    ? snapshot.index
    : NO_INDEX;
  const memo = new Map<string, Readiness>();
  const selected: PhasedTask[] = [];
  // The youngest first: most that were queued later ended later, and what is in order is sorted at once.
  for (const task of tasks.toReversed()) {
    if (!passes(task, filter)) continue;
    const phase = phaseOf(task, index, now, memo, lanes);
    if (
      filter.status !== undefined &&
      !filter.status.some((wanted) => wanted === phase.kind || wanted === task.status)
    ) continue;
    selected.push({ task, phase });
  }
  return selected.sort(comparePhased);
}

function passes(task: Task, filter: StatusFilter): boolean {
  return (filter.ids === undefined || filter.ids.has(task.taskId)) &&
    (filter.agent === undefined || filter.agent.includes(task.agent)) &&
    !filter.label?.some(([name, value]) => task.labels[name] !== value);
}

function rank({ task }: PhasedTask): number {
  return task.status === "running" ? 0 : task.status === "pending" ? 1 : 2;
}

function comparePhased(a: PhasedTask, b: PhasedTask): number {
  const difference = rank(a) - rank(b);
  if (difference !== 0) return difference;
  if (rank(a) < 2) return compareTasks(a.task, b.task);
  return compareTimes(b.task.completedAt, a.task.completedAt) ||
    compareIds(b.task.taskId, a.task.taskId);
}

/** Everything that the status table needs. */
export function statusInput(
  queue: Queue,
  snapshot: Pick<Snapshot, "tasks" | "damaged" | "index">,
  filter: StatusFilter,
): StatusInput {
  const now = queue.now();
  const lanes = pausedLanes(snapshot.tasks, now);
  const all = selectTasks(snapshot, filter, now, lanes);
  const first = all.findIndex(({ task }) => isTerminal(task.status));
  const most = filter.all || filter.ids !== undefined || first < 0
    ? all.length
    : first + FINISHED_SHOWN;
  const views = all.slice(0, most).map((phased) => timeTask(phased, now));
  return {
    views,
    names: nameTasks(snapshot.tasks, () => spokenOf(views)),
    hidden: all.length - views.length,
    counts: countPhases(all),
    damaged: [...snapshot.damaged],
    lanes: [...lanes.values()],
    supervisor: describeWatcher(queue, snapshot.tasks),
    usage: filter.usage,
    filtered: [filter.ids, filter.status, filter.agent, filter.label].some((it) =>
      it !== undefined
    ),
  };
}

function describeWatcher(queue: Queue, tasks: readonly Task[]): string | null {
  const info = watcherOf(queue.store);
  if (info === undefined) return null;
  const who = info.kind === "daemon" ? "daemon" : info.kind === "run" ? "run --wait" : "supervisor";
  // Where nothing is to be done it is not worth a look.
  return tasks.some(({ status }) => status === "running" || status === "pending") && isStopped(info)
    ? `${who} (pid ${info.pid}) is stopped, and nothing goes on: kill -CONT ${info.pid}`
    : `${who} (pid ${info.pid}) watches over it`;
}

/** A task as `--json` prints it: its file's fields, and what is derived beside them. */
export function viewJson(view: TaskView): Record<string, unknown> {
  const { phase } = view;
  const reason = formatReason(view);
  return {
    ...view.task,
    blockedBy: phase.kind === "blocked" ? phase.by : null,
    blockedReason: phase.kind === "blocked" ? reason : null,
    phase: phase.kind,
    waitsFor: phase.kind === "waiting" ? reason : null,
    elapsedSeconds: view.elapsed,
    remainingSeconds: view.remaining,
  };
}
