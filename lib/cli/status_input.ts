// What `status`, `wait`, `run --wait` and the live screen show of a snapshot: filtered, ordered, counted.

import { describeWatcher } from "../supervise/watcher.ts";
import { hasDependencies, NO_INDEX, type Readiness } from "../decide/dependencies.ts";
import type { StatusInput } from "../format/status.ts";
import { pausedLanes } from "../decide/model.ts";
import { findOverlaps } from "../decide/overlap_marks.ts";
import { withPauses } from "../decide/room.ts";
import type { Queue } from "../queue/queue.ts";
import type { Snapshot } from "../queue/refresh.ts";
import { nameTasks } from "../decide/names.ts";
import { isTerminal, type Task } from "../task/fields.ts";
import { comparePhased } from "../decide/listing.ts";
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

export { viewJson } from "../format/task_json.ts";

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
  /** How much each changed on its branch. */
  changes?: boolean;
}

/** How many finished tasks are shown unless all are asked for. */
export const FINISHED_SHOWN = 20;

/** Views of all tasks that pass the filters: running first, then pending, then finished. */
export function selectViews(
  snapshot: Pick<Snapshot, "tasks" | "index" | "shared">,
  filter: StatusFilter,
  now: number,
): TaskView[] {
  const lanes = allLanes(snapshot, now);
  return selectTasks(snapshot, filter, now, lanes).map((phased) => timeTask(phased, now));
}

/** Agents that are paused, here or everywhere. */
export function allLanes(
  { tasks, shared }: Pick<Snapshot, "tasks" | "shared">,
  now: number,
): ReadonlyMap<string, PausedLane> {
  const lanes = pausedLanes(tasks, now);
  return shared === undefined ? lanes : withPauses(lanes, shared, now);
}

/** The same without their times: most of ten thousand are only counted. */
export function selectTasks(
  snapshot: Pick<Snapshot, "tasks" | "index" | "shared">,
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
    const phase = phaseOf(task, index, now, memo, lanes, snapshot.shared?.room);
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

/** Everything that the status table needs. */
export function statusInput(
  queue: Queue,
  snapshot: Pick<Snapshot, "tasks" | "damaged" | "index" | "shared">,
  filter: StatusFilter,
): StatusInput {
  const now = queue.now();
  const lanes = allLanes(snapshot, now);
  const all = selectTasks(snapshot, filter, now, lanes);
  const views = viewShown(all, filter, now);
  const overlaps = findOverlaps(snapshot.tasks, () => snapshot.index);
  const spoken = () => [...spokenOf(views), ...overlaps.all.flatMap(({ tasks }) => tasks)];
  return {
    views,
    names: nameTasks(snapshot.tasks, spoken),
    overlaps: overlaps.all.length === 0 ? undefined : overlaps,
    hidden: all.length - views.length,
    counts: countPhases(all),
    damaged: [...snapshot.damaged],
    lanes: [...lanes.values()],
    supervisor: describeWatcher(queue.store, snapshot.tasks),
    usage: filter.usage,
    changes: filter.changes,
    filtered: isFiltered(filter),
  };
}

/** Those that are shown of some in the order of a list: all that are open, and the last that ended. */
export function viewShown(
  all: readonly PhasedTask[],
  filter: StatusFilter,
  now: number,
): TaskView[] {
  const first = all.findIndex(({ task }) => isTerminal(task.status));
  const most = filter.all || filter.ids !== undefined || first < 0
    ? all.length
    : first + FINISHED_SHOWN;
  return all.slice(0, most).map((phased) => timeTask(phased, now));
}

/** Whether only some tasks are asked for. */
export function isFiltered({ ids, status, agent, label }: StatusFilter): boolean {
  return [ids, status, agent, label].some((it) => it !== undefined);
}
