// What `status`, `run --wait` and the library show of a snapshot: filtered, ordered, counted.

import { isWatched, readDaemonInfo } from "../background.ts";
import type { Readiness } from "../dependencies.ts";
import type { StatusInput } from "../format/status.ts";
import { pausedLanes, type Queue, type Snapshot } from "../queue.ts";
import { compareTasks } from "../schedule.ts";
import { compareTimes, isTerminal } from "../task.ts";
import { countPhases, type Phase, type TaskView, viewTask } from "../view.ts";

/** What is shown of a queue. */
export interface StatusFilter {
  status?: readonly (Phase | "pending")[];
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
  { tasks, index }: Pick<Snapshot, "tasks" | "index">,
  filter: StatusFilter,
  now: number,
): TaskView[] {
  const lanes = pausedLanes(tasks, now);
  const memo = new Map<string, Readiness>();
  const views: TaskView[] = [];
  for (const task of tasks) {
    if (filter.ids !== undefined && !filter.ids.has(task.taskId)) continue;
    if (filter.agent !== undefined && !filter.agent.includes(task.agent)) continue;
    if (filter.label?.some(([name, value]) => task.labels[name] !== value)) continue;
    const view = viewTask(task, index, now, memo, lanes);
    if (
      filter.status !== undefined &&
      !filter.status.some((wanted) => wanted === view.phase || wanted === task.status)
    ) continue;
    views.push(view);
  }
  return views.sort(compareViews);
}

function rank(view: TaskView): number {
  return view.task.status === "running" ? 0 : view.task.status === "pending" ? 1 : 2;
}

function compareViews(a: TaskView, b: TaskView): number {
  const difference = rank(a) - rank(b);
  if (difference !== 0) return difference;
  if (rank(a) < 2) return compareTasks(a.task, b.task);
  return compareTimes(b.task.completedAt, a.task.completedAt);
}

/** Everything that the status table needs. */
export function statusInput(
  queue: Queue,
  snapshot: Pick<Snapshot, "tasks" | "damaged" | "index">,
  filter: StatusFilter,
): StatusInput {
  const now = queue.now();
  const all = selectViews(snapshot, filter, now);
  const active = all.filter((view) => !isTerminal(view.task.status));
  const finished = all.filter((view) => isTerminal(view.task.status));
  const shown = filter.all || filter.ids !== undefined
    ? finished
    : finished.slice(0, FINISHED_SHOWN);
  return {
    views: [...active, ...shown],
    hidden: finished.length - shown.length,
    counts: countPhases(all),
    damaged: [...snapshot.damaged],
    lanes: [...pausedLanes(snapshot.tasks, now).values()],
    supervisor: describeWatcher(queue),
    usage: filter.usage,
  };
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
  return {
    ...view.task,
    blockedBy: view.blockedBy,
    blockedReason: view.phase === "blocked" ? view.reason : null,
    phase: view.phase,
    waitsFor: view.phase === "waiting" ? view.reason : null,
    elapsedSeconds: view.elapsed,
    remainingSeconds: view.remaining,
  };
}
