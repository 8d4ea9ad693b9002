// All tasks at one moment, sorted by what may become of them, kept while they change: the cost of a
// change does not grow with their number. A command makes one for a look; whoever watches keeps one.
// Pure: what is archived is asked of a function that is given.

import { believedTime } from "./waits.ts";
import type { Task } from "../task/fields.ts";
import { isAtRest, parseTime } from "../task/fields.ts";
import { type Change, changesBetween } from "./changes.ts";
import { dependencyState, lookUp, retryOf, type TaskIndex } from "./dependencies.ts";
import type { Evidence } from "./reconcile.ts";
import { isAutomatic, mayBeFollowed } from "./retry.ts";
import { createSortedTasks } from "./sorted_tasks.ts";
import type { PausedLane } from "./view.ts";

/** All tasks at one moment, as the next turn needs them. */
export interface Model {
  /** All tasks, by id and by what they retry. */
  readonly index: TaskIndex;
  readonly running: ReadonlyMap<string, Task>;
  /** Settled tasks whose processes may live. */
  readonly reaping: ReadonlyMap<string, Task>;
  /** Failed tasks that are followed by a retry, or have one that they do not name. */
  readonly followed: ReadonlyMap<string, Task>;
  /** Tasks of which something changed since they were last looked at closely. */
  readonly touched: ReadonlySet<string>;
  /** What was seen of tasks when they were last looked at closely. */
  readonly evidence: ReadonlyMap<string, Evidence>;
  /**
   * The pending tasks whose dependencies are met, best first.
   *
   * @param automatic only those that the queue made itself, as retries
   */
  ready(automatic: boolean): Iterable<Task>;
  /** Agents that are paused because a quota is used up, by name. */
  lanes(now: number): ReadonlyMap<string, PausedLane>;
}

/** A model that is kept up to date. */
export interface LiveModel extends Model {
  /** Takes a task as it is now; undefined where it is gone. Says what happened to it. */
  keep(id: string, task: Task | undefined): Change[];
  /** Something about a task changed: it is to be looked at closely, unless it is settled for good. */
  touch(id: string): void;
  /** It was looked at closely; undefined where nothing of it is worth remembering. */
  saw(id: string, evidence: Evidence | undefined): void;
}

/** Archived tasks among some ids, with the retries that follow them. */
export type LookUpArchived = (
  ids: readonly string[],
  known: ReadonlyMap<string, Task>,
  found: ReadonlyMap<string, Task>,
) => readonly Task[];

/**
 * A model of some tasks.
 *
 * @param tasks what there is, oldest first
 * @param lookUpArchived finds what pending tasks depend on in the archive
 */
export function createModel(
  tasks: Iterable<Task>,
  lookUpArchived: LookUpArchived = () => [],
): LiveModel {
  const byId = new Map<string, Task>();
  const successors = new Map<string, Task[]>();
  const archived = new Map<string, Task>();
  const index: TaskIndex = {
    byId,
    successors,
    get archived() {
      waitingOf();
      return archived;
    },
  };
  const running = new Map<string, Task>();
  const reaping = new Map<string, Task>();
  const followed = new Map<string, Task>();
  const laneHolders = new Map<string, Task>();
  const touched = new Set<string>();
  const evidence = new Map<string, Evidence>();
  const pending = new Map<string, Task>();
  // Made when somebody first asks what is ready, or what is archived.
  let waiting: Waiting | undefined;
  let making = false;

  function waitingOf(): Waiting | undefined {
    if (waiting === undefined && !making) {
      making = true;
      waiting = createWaiting(index, archived, pending.values(), lookUpArchived);
    }
    return waiting;
  }

  function enter(task: Task): void {
    const id = task.taskId;
    byId.set(id, task);
    const earlier = retryOf(task);
    if (earlier !== null) {
      const list = successors.get(earlier);
      const place = list?.findIndex((other) => other.taskId === id) ?? -1;
      if (list === undefined) successors.set(earlier, [task]);
      else if (place >= 0) list[place] = task;
      else list.push(task);
    }
    if (task.laneUntil !== null) laneHolders.set(id, task);
    if (task.status === "pending") pending.set(id, task);
    else if (task.status === "running") running.set(id, task);
    else {
      if (task.reapAt !== null) reaping.set(id, task);
      if (mayBeFollowed(task, index)) followed.set(id, task);
    }
  }

  function leave(task: Task): void {
    for (const group of [laneHolders, pending, running, reaping, followed]) {
      group.delete(task.taskId);
    }
  }

  function forget(task: Task): void {
    byId.delete(task.taskId);
    const earlier = retryOf(task);
    const rest = successors.get(earlier ?? "")?.filter(({ taskId }) => taskId !== task.taskId);
    if (rest === undefined) return;
    if (rest.length === 0) successors.delete(earlier!);
    else successors.set(earlier!, rest);
  }

  /** The attempt before this one may have been made by somebody who did not live to name it. */
  function recheckEarlier(task: Task): void {
    const earlier = byId.get(retryOf(task) ?? "");
    if (earlier === undefined) return;
    if (mayBeFollowed(earlier, index)) followed.set(earlier.taskId, earlier);
    else followed.delete(earlier.taskId);
  }

  for (const task of tasks) enter(task);
  // A successor comes after what it retries.
  for (const earlier of successors.keys()) {
    const task = byId.get(earlier);
    if (task !== undefined && mayBeFollowed(task, index)) followed.set(earlier, task);
  }

  return {
    index,
    running,
    reaping,
    followed,
    touched,
    evidence,
    keep(id, task) {
      const before = byId.get(id);
      if (before === undefined && task === undefined) return [];
      if (before !== undefined) leave(before);
      if (task !== undefined) enter(task);
      else forget(before!);
      recheckEarlier((task ?? before)!);
      if (task === undefined || isAtRest(task)) {
        evidence.delete(id);
        touched.delete(id);
      }
      waiting?.update(before, task);
      return task === undefined ? [] : changesBetween(before, task).map((kind) => ({ kind, task }));
    },
    touch(id) {
      // Nothing becomes of a task that is settled and gone.
      if (pending.has(id) || running.has(id) || reaping.has(id)) touched.add(id);
    },
    saw(id, seen) {
      touched.delete(id);
      if (seen === undefined) evidence.delete(id);
      else evidence.set(id, seen);
    },
    ready: (automatic) => waitingOf()!.ready(automatic),
    lanes: (now) => pausedLanes(laneHolders.values(), now),
  };
}

/** Agents that are paused because a quota is used up, by name. */
export function pausedLanes(tasks: Iterable<Task>, now: number): Map<string, PausedLane> {
  const lanes = new Map<string, PausedLane>();
  for (const task of tasks) {
    if (task.laneUntil === null) continue;
    const until = believedTime(parseTime(task.laneUntil), now);
    if (until > now && until > (lanes.get(task.agent)?.until ?? 0)) {
      lanes.set(task.agent, { agent: task.agent, until });
    }
  }
  return lanes;
}

/** Who waits for whom, and who does not wait any more. */
interface Waiting {
  update(before: Task | undefined, after: Task | undefined): void;
  ready(automatic: boolean): Iterable<Task>;
}

function createWaiting(
  index: TaskIndex,
  archived: Map<string, Task>,
  tasks: Iterable<Task>,
  lookUpArchived: LookUpArchived,
): Waiting {
  /** By task, those of its dependencies that are not met. */
  const unmet = new Map<string, Set<string>>();
  /** By dependency, the pending tasks that name it. */
  const dependents = new Map<string, Set<string>>();
  const all = createSortedTasks();
  const automatic = createSortedTasks();
  const isReady = (id: string) => (unmet.get(id)?.size ?? 0) === 0;

  function add(task: Task): void {
    all.add(task);
    if (isAutomatic(task)) automatic.add(task);
  }

  function remove(task: Task): void {
    all.delete(task);
    if (isAutomatic(task)) automatic.delete(task);
  }

  function enter(task: Task): void {
    const id = task.taskId;
    if (task.dependsOn.length > 0) {
      for (const found of lookUpArchived(task.dependsOn, index.byId, archived)) {
        archived.set(found.taskId, found);
      }
      const open = new Set<string>();
      for (const other of task.dependsOn) {
        const list = dependents.get(other);
        if (list === undefined) dependents.set(other, new Set([id]));
        else list.add(id);
        if (dependencyState(other, index).kind !== "met") open.add(other);
      }
      unmet.set(id, open);
    }
    if (isReady(id)) add(task);
  }

  function leave(task: Task): void {
    const id = task.taskId;
    if (isReady(id)) remove(task);
    unmet.delete(id);
    for (const other of task.dependsOn) {
      const list = dependents.get(other);
      list?.delete(id);
      if (list?.size === 0) dependents.delete(other);
    }
  }

  /** Looks again at all that wait for a task, or for an attempt before it. */
  function recheckWaiters(changed: Task): void {
    const seen = new Set<string>();
    for (let id: string | null = changed.taskId; id !== null && !seen.has(id);) {
      seen.add(id);
      const waiters = dependents.get(id);
      if (waiters !== undefined) {
        const met = dependencyState(id, index).kind === "met";
        for (const waiter of waiters) recheckWaiter(waiter, id, met);
      }
      const task: Task | undefined = id === changed.taskId ? changed : lookUp(id, index);
      id = task === undefined ? null : retryOf(task);
    }
  }

  function recheckWaiter(waiter: string, dependency: string, met: boolean): void {
    const open = unmet.get(waiter)!;
    const task = index.byId.get(waiter)!;
    const wasReady = open.size === 0;
    if (met) open.delete(dependency);
    else open.add(dependency);
    const ready = open.size === 0;
    if (ready && !wasReady) add(task);
    if (!ready && wasReady) remove(task);
  }

  for (const task of tasks) enter(task);
  return {
    update(before, after) {
      if (before?.status === "pending") leave(before);
      if (after?.status === "pending") enter(after);
      const changed = after ?? before!;
      // What is archived now is looked for there by whoever still names it.
      if (after === undefined && before !== undefined) {
        for (const found of lookUpArchived([before.taskId], index.byId, archived)) {
          archived.set(found.taskId, found);
        }
      }
      if (before?.status !== after?.status || before?.retriedBy !== after?.retriedBy) {
        recheckWaiters(changed);
      }
    },
    ready: (wanted) => wanted ? automatic : all,
  };
}
