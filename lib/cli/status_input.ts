// What `status`, `run --wait` and the library show of a snapshot: filtered, ordered, counted.

import { isWatched, readDaemonInfo } from "../supervise/watcher.ts";
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
  type PhaseName,
  type QueueCounts,
  settledPhase,
  spokenOf,
  type TaskView,
  viewTask,
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

/**
 * Views of all tasks that pass the filters: running first, then pending, then finished.
 *
 * @param lanes paused agents, where they are known or follow from more tasks than these
 */
export function selectViews(
  snapshot: Pick<Snapshot, "tasks" | "index">,
  filter: StatusFilter,
  now: number,
  lanes: ReadonlyMap<string, PausedLane> = pausedLanes(snapshot.tasks, now),
): TaskView[] {
  const { tasks } = snapshot;
  // Where no pending task depends on another, ten thousand tasks need not be indexed.
  const index = tasks.some((task) => task.status === "pending" && hasDependencies(task))
    ? snapshot.index
    : NO_INDEX;
  const memo = new Map<string, Readiness>();
  const views: TaskView[] = [];
  for (const task of tasks) {
    if (!passes(task, filter)) continue;
    const view = viewTask(task, index, now, memo, lanes);
    if (
      filter.status !== undefined &&
      !filter.status.some((wanted) => wanted === view.phase.kind || wanted === task.status)
    ) continue;
    views.push(view);
  }
  return views.sort(compareViews);
}

function passes(task: Task, filter: StatusFilter): boolean {
  return (filter.ids === undefined || filter.ids.has(task.taskId)) &&
    (filter.agent === undefined || filter.agent.includes(task.agent)) &&
    !filter.label?.some(([name, value]) => task.labels[name] !== value);
}

function rank(view: TaskView): number {
  return view.task.status === "running" ? 0 : view.task.status === "pending" ? 1 : 2;
}

function compareViews(a: TaskView, b: TaskView): number {
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
  const whole = filter.all || filter.ids !== undefined || filter.status !== undefined;
  const { views, counts, lanes } = whole
    ? everything(snapshot, filter, now)
    : activeAndLast(snapshot, filter, now);
  return {
    views: [...views],
    names: nameTasks(snapshot.tasks, () => spokenOf(views)),
    hidden: counts.total - views.length,
    counts,
    damaged: [...snapshot.damaged],
    lanes: [...lanes.values()],
    supervisor: describeWatcher(queue),
    usage: filter.usage,
    filtered: [filter.ids, filter.status, filter.agent, filter.label].some((it) =>
      it !== undefined
    ),
  };
}

/** What is listed, and what is told of the whole. */
interface Selection {
  views: readonly TaskView[];
  counts: QueueCounts;
  lanes: ReadonlyMap<string, PausedLane>;
}

/** All that pass, the last finished ones only where not all are wanted. */
function everything(
  snapshot: Pick<Snapshot, "tasks" | "index">,
  filter: StatusFilter,
  now: number,
): Selection {
  const lanes = pausedLanes(snapshot.tasks, now);
  const all = selectViews(snapshot, filter, now, lanes);
  const first = all.findIndex((view) => isTerminal(view.task.status));
  const most = filter.all || filter.ids !== undefined || first < 0
    ? all.length
    : first + FINISHED_SHOWN;
  return { views: all.slice(0, most), counts: countPhases(all), lanes };
}

/** The same for most calls, with one look at ten thousand tasks that are not shown. */
function activeAndLast(
  snapshot: Pick<Snapshot, "tasks" | "index">,
  filter: StatusFilter,
  now: number,
): Selection {
  const { tasks } = snapshot;
  const filtering = filter.agent !== undefined || filter.label !== undefined;
  const counts = countPhases([]);
  const shown: Task[] = [];
  const last: Task[] = [];
  const pausing: Task[] = [];
  // From the youngest on, for most others ended before those that ended last.
  for (let place = tasks.length - 1; place >= 0; place--) {
    const task = tasks[place]!;
    if (task.laneUntil !== null) pausing.push(task);
    if (filtering && !passes(task, filter)) continue;
    counts.total++;
    if (isTerminal(task.status)) {
      counts.byPhase[settledPhase(task).kind]++;
      keepLast(last, task, FINISHED_SHOWN);
    } else shown.push(task);
  }
  const lanes = pausedLanes(pausing, now);
  shown.push(...last);
  const views = selectViews(
    {
      tasks: shown,
      get index() {
        return snapshot.index;
      },
    },
    {},
    now,
    lanes,
  );
  for (const { task, phase } of views) {
    if (!isTerminal(task.status)) counts.byPhase[phase.kind]++;
  }
  return { views, counts, lanes };
}

/** Keeps the tasks that ended last, the last one first. */
function keepLast(best: Task[], task: Task, most: number): void {
  const isFull = best.length === most;
  if (isFull && compareTimes(task.completedAt, best[most - 1]!.completedAt) <= 0) return;
  let at = best.length;
  while (at > 0 && compareTimes(task.completedAt, best[at - 1]!.completedAt) > 0) at--;
  best.splice(at, 0, task);
  if (isFull) best.pop();
}

function describeWatcher(queue: Queue): string | null {
  if (!isWatched(queue.store)) return null;
  const info = readDaemonInfo(queue.store);
  if (info === undefined) return "somebody watches over it";
  const who = info.kind === "daemon" ? "daemon" : info.kind === "run" ? "run --wait" : "supervisor";
  return `${who} (pid ${info.pid}) watches over it`;
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
