// Pure decisions over who waits for whom: retry chains, whether a dependency is met, can still be
// met or never will be, and cycles. A dependency is met when that task, or a later attempt in its
// chain, is complete.

import type { Task } from "../task/fields.ts";

/** What the decisions about dependencies need: the tasks by id, and the attempts after each. */
export interface TaskIndex {
  /** All known tasks. */
  byId: ReadonlyMap<string, Task>;
  /** For each task, the tasks that were queued as its retries (usually none or one). */
  successors: ReadonlyMap<string, readonly Task[]>;
  /** Archived tasks that others still refer to. */
  archived?: ReadonlyMap<string, Task>;
}

/** The index of no tasks. */
export const NO_INDEX: TaskIndex = { byId: new Map(), successors: new Map() };

/** Whether a task waits for others, so that {@linkcode readiness} needs an index. */
export function hasDependencies(task: Task): boolean {
  return task.dependsOn.length > 0;
}

/** A task by its id, archived or not. */
export function lookUp(id: string, index: TaskIndex): Task | undefined {
  return index.byId.get(id) ?? index.archived?.get(id);
}

/** Index of tasks by id and by what they retry. */
export function indexTasks(
  tasks: Iterable<Task>,
  archived?: ReadonlyMap<string, Task>,
): TaskIndex {
  const byId = new Map<string, Task>();
  for (const task of tasks) byId.set(task.taskId, task);
  const successors = new Map<string, Task[]>();
  for (const task of byId.values()) {
    const earlier = retryOf(task);
    if (earlier === null) continue;
    const list = successors.get(earlier);
    if (list === undefined) successors.set(earlier, [task]);
    else list.push(task);
  }
  return archived === undefined ? { byId, successors } : { byId, successors, archived };
}

/** Id of the attempt that a task retries, or null for a first attempt. */
export function retryOf(task: Task): string | null {
  // parentTaskId names the first attempt of the chain; the history names the one just before.
  return task.retryHistory.at(-1)?.retriedFrom ?? task.parentTaskId;
}

/**
 * The latest attempt of a task's chain: the task itself where it was never retried. With several
 * successors (the ancestor could make two) the one that its `retriedBy` names goes on.
 */
export function latestAttempt(task: Task, index: TaskIndex): Task {
  let current = task;
  const seen = new Set<string>([task.taskId]);
  for (;;) {
    const next = nextAttempt(current, index);
    if (next === undefined || seen.has(next.taskId)) return current;
    seen.add(next.taskId);
    current = next;
  }
}

function nextAttempt(task: Task, index: TaskIndex): Task | undefined {
  const named = task.retriedBy === null ? undefined : lookUp(task.retriedBy, index);
  return named ?? index.successors.get(task.taskId)?.at(-1);
}

/** The attempts of a task's chain, first to last. */
export function retryChain(task: Task, index: TaskIndex): Task[] {
  let first = task;
  const seen = new Set<string>([task.taskId]);
  for (let id = retryOf(first); id !== null && !seen.has(id); id = retryOf(first)) {
    const earlier = lookUp(id, index);
    if (earlier === undefined) break;
    seen.add(id);
    first = earlier;
  }
  const chain = [first];
  for (const walked = new Set([first.taskId]);;) {
    const next = nextAttempt(chain.at(-1)!, index);
    if (next === undefined || walked.has(next.taskId)) return chain;
    walked.add(next.taskId);
    chain.push(next);
  }
}

/** Why a dependency cannot be met unless somebody acts, and the task that it is about. */
export interface Cause {
  /**
   * What is wrong with it; `missing`: there is no such task any more; `circle`: it waits for the one
   * that waits for it.
   */
  readonly kind: "missing" | "failed" | "cancelled" | "circle";
  /** Its id. */
  readonly id: string;
}

/** State of one dependency of a task. */
export type DependencyState =
  | { readonly kind: "met" }
  /** It can still be met by itself: pending, running, or about to be retried. */
  | { readonly kind: "waiting"; readonly on: Task }
  /** It can be met only if somebody acts. */
  | { readonly kind: "blocked"; readonly cause: Cause };

/**
 * State of one dependency.
 *
 * @param id the task that is depended on
 * @param index all tasks
 */
export function dependencyState(id: string, index: TaskIndex): DependencyState {
  const task = lookUp(id, index);
  if (task === undefined) return { kind: "blocked", cause: { kind: "missing", id } };
  if (task.status === "complete") return { kind: "met" };
  const latest = latestAttempt(task, index);
  switch (latest.status) {
    case "complete":
      return { kind: "met" };
    case "pending":
    case "running":
      return { kind: "waiting", on: latest };
    case "failed":
      if (latest.retryAt !== null) return { kind: "waiting", on: latest };
      return { kind: "blocked", cause: { kind: "failed", id: latest.taskId } };
    case "cancelled":
      return { kind: "blocked", cause: { kind: "cancelled", id: latest.taskId } };
  }
}

/** A task that cannot start unless somebody acts. */
export interface Blocked {
  /** Tells it from other phases. */
  readonly kind: "blocked";
  /** The dependency that blocks it. */
  readonly by: string;
  /** The first cause, however many blocked tasks are between. */
  readonly cause: Cause;
  /** Whether the dependency is itself the cause; otherwise it is blocked in turn. */
  readonly direct: boolean;
}

/** Whether a pending task may start, must wait, or is stuck. */
export type Readiness =
  | { readonly kind: "ready" }
  /** For the latest attempts of these. */
  | { readonly kind: "waiting"; readonly on: readonly string[] }
  | Blocked;

const READY: Readiness = { kind: "ready" };

/**
 * Readiness of a pending task by its dependencies alone. A dependency that waits behind a blocked
 * one is itself blocked, and so is everything behind it.
 */
export function readiness(task: Task, index: TaskIndex): Readiness {
  return readinessOf(task, index, new Map());
}

/** Readiness of many tasks at once; the memo makes a long chain linear instead of quadratic. */
export function readinessOf(
  task: Task,
  index: TaskIndex,
  memo: Map<string, Readiness>,
): Readiness {
  if (!hasDependencies(task)) return READY;
  const known = memo.get(task.taskId);
  if (known !== undefined) return known;
  // An explicit stack, so that a chain of a hundred thousand tasks does not exhaust the real one.
  const stack: Task[] = [task];
  const open = new Set<string>();
  while (stack.length > 0) {
    const current = stack.at(-1)!;
    open.add(current.taskId);
    const found = memo.get(current.taskId) ?? decideReadiness(current, index, memo, open);
    if ("first" in found) {
      stack.push(found.first);
      continue;
    }
    memo.set(current.taskId, found);
    open.delete(current.taskId);
    stack.pop();
  }
  return memo.get(task.taskId)!;
}

/**
 * One step of {@linkcode readinessOf}: the readiness of a task, or a dependency whose own must be
 * known before.
 *
 * @param open the tasks that are being decided, each of which waits for the next
 */
function decideReadiness(
  task: Task,
  index: TaskIndex,
  memo: ReadonlyMap<string, Readiness>,
  open: ReadonlySet<string>,
): Readiness | { first: Task } {
  const waits: string[] = [];
  for (const id of task.dependsOn) {
    const state = dependencyState(id, index);
    if (state.kind === "met") continue;
    if (state.kind === "blocked") {
      const { cause } = state;
      return { kind: "blocked", by: cause.id, cause, direct: true };
    }
    const { on } = state;
    if (on.status === "pending" && hasDependencies(on)) {
      const by = on.taskId;
      const inner = memo.get(by);
      if (inner === undefined) {
        if (!open.has(by)) return { first: on };
        return { kind: "blocked", by, cause: { kind: "circle", id: by }, direct: true };
      }
      if (inner.kind === "blocked") return { ...inner, by, direct: false };
    }
    waits.push(on.taskId);
  }
  return waits.length === 0 ? READY : { kind: "waiting", on: waits };
}

/** What is wrong with the dependencies of a queue. */
export type DependencyProblem =
  /** A pending task depends on one that is not there. */
  | { readonly kind: "missing"; readonly taskId: string; readonly id: string }
  /** Tasks wait for each other; the first one is repeated at the end. */
  | { readonly kind: "circle"; readonly taskId: string; readonly path: readonly string[] };

/** Cycles, and dependencies on what is not there; over tasks that are not settled. */
export function validateDependencies(
  tasks: readonly Task[],
  index: TaskIndex,
): DependencyProblem[] {
  const problems: DependencyProblem[] = [];
  const edges = new Map<string, readonly string[]>();
  for (const { taskId, status, dependsOn } of tasks) {
    edges.set(taskId, dependsOn);
    if (status !== "pending") continue;
    for (const id of dependsOn) {
      if (lookUp(id, index) === undefined) problems.push({ kind: "missing", taskId, id });
    }
  }
  const path = findCycle(edges);
  if (path !== undefined) problems.push({ kind: "circle", taskId: path[0]!, path });
  return problems;
}

/**
 * A cycle among tasks, as the ids along it with the first one repeated at the end; undefined where
 * there is none.
 *
 * @param edges for each id, the ids that it depends on
 */
export function findCycle(edges: ReadonlyMap<string, readonly string[]>): string[] | undefined {
  const done = new Set<string>();
  for (const start of edges.keys()) {
    if (done.has(start)) continue;
    const path: { id: string; next: number }[] = [{ id: start, next: 0 }];
    const onPath = new Set([start]);
    while (path.length > 0) {
      const top = path.at(-1)!;
      const targets = edges.get(top.id) ?? [];
      const target = targets[top.next++];
      if (target === undefined) {
        done.add(top.id);
        onPath.delete(top.id);
        path.pop();
      } else if (onPath.has(target)) {
        const ids = path.map((step) => step.id);
        return [...ids.slice(ids.indexOf(target)), target];
      } else if (!done.has(target)) {
        path.push({ id: target, next: 0 });
        onPath.add(target);
      }
    }
  }
  return undefined;
}

/** All tasks that depend on one of the given ids, directly or through others. */
export function dependentsOf(ids: Iterable<string>, index: TaskIndex): Task[] {
  const direct = new Map<string, Task[]>();
  for (const task of index.byId.values()) {
    for (const id of task.dependsOn) {
      const list = direct.get(id);
      if (list === undefined) direct.set(id, [task]);
      else list.push(task);
    }
  }
  const found = new Map<string, Task>();
  const queue = [...ids];
  for (let id = queue.pop(); id !== undefined; id = queue.pop()) {
    for (const task of direct.get(id) ?? []) {
      if (found.has(task.taskId)) continue;
      found.set(task.taskId, task);
      queue.push(task.taskId);
    }
  }
  return [...found.values()].sort((a, b) => a.taskId < b.taskId ? -1 : 1);
}
