// Ends what still lives of a task, outside the lock: of a settled one, whose worktree is put away then, and
// it is recorded that nothing lives; and of one that has succeeded, so that what it left is committed.
// Killed in the middle, `reapAt` is still there, or nothing is committed, and whoever watches next does it
// again.

import type { EndOptions as LaunchEndOptions } from "../launch/launcher.ts";
import { branchOf } from "../decide/branch.ts";
import { awaitsCommit } from "../decide/worktree.ts";
import type { Task, TaskBranch } from "../task/fields.ts";
import { processMark } from "../task/marks.ts";
import { observe } from "./observe.ts";
import { setupShimOf, shimOf } from "./probe.ts";
import { definitionOf, type Queue, type Rules } from "./queue.ts";
import { markReaped } from "./settle.ts";

/** How something of a task is ended. */
export interface EndOptions extends Omit<LaunchEndOptions, "grace"> {
  /** Tells why what is to be done with its worktree cannot be done now: it is tried again. */
  readonly tell?: (problem: string) => void;
}

/**
 * Ends the processes of a settled task that may live.
 *
 * @returns whether nothing of it lives any more, as far as can be seen
 */
export async function endTask(
  queue: Queue,
  id: string,
  rules: Rules,
  options: EndOptions = {},
): Promise<boolean> {
  const { store } = queue;
  const task = store.read(id);
  if (task === undefined || task.reapAt === null) return true;
  if (!await endTree(queue, task, rules, options)) return false;
  if (branchOf(task) === null) {
    noteReaped(queue, id, rules, null);
    return true;
  }
  const [{ putAway }, { inTime }] = await loadWorktrees();
  return await inTurn(queue, id, options, async () => {
    const task = store.read(id);
    if (task === undefined || task.reapAt === null) return;
    const act = (signal: AbortSignal) => putAway(queue, task, rules, signal);
    noteReaped(queue, id, rules, (await inTime(queue, task, rules, act)).value);
  });
}

/** Writes that nothing of it lives any more, and what became of its worktree. */
function noteReaped(queue: Queue, id: string, rules: Rules, git: TaskBranch | null): void {
  const { store, launchers } = queue;
  store.locked(() => {
    const current = store.read(id);
    if (current === undefined || current.reapAt === null) return;
    const agent = definitionOf(rules, current.agent);
    const seen = observe(store, current, launchers, agent, () => "dead", queue.now());
    markReaped(queue, git === null ? current : { ...current, git }, seen, rules);
  });
}

/**
 * Ends what lives of a task that has succeeded, and commits on its branch what it left.
 *
 * @returns whether that is written in the task, or need not be any more
 */
export async function commitTask(
  queue: Queue,
  id: string,
  rules: Rules,
  options: EndOptions = {},
): Promise<boolean> {
  const { store } = queue;
  const task = store.read(id);
  if (task?.status !== "running" || !awaitsCommit(task)) return true;
  if (!await endTree(queue, task, rules, options)) return false;
  const [{ commitWork }, { inTime }] = await loadWorktrees();
  return await inTurn(queue, id, options, async () => {
    const task = store.read(id);
    if (task?.status !== "running" || !awaitsCommit(task)) return;
    const { value: git, isWanted } = await inTime(
      queue,
      task,
      rules,
      (signal) => commitWork(queue, task, rules, signal),
    );
    // Ended meanwhile, it is committed by whoever puts its worktree away.
    if (!isWanted) return;
    store.locked(() => {
      const current = store.read(id);
      // Cancelled meanwhile, it is put away by whoever ends it.
      if (current === undefined || !awaitsCommit(current) || current.claim !== task.claim) return;
      store.write({ ...current, git });
    });
  });
}

function loadWorktrees() {
  return Promise.all([import("./worktree.ts"), import("./in_time.ts")]);
}

/** Does something to the worktree of a task; false where it is not our turn now. */
async function inTurn(
  { store }: Queue,
  id: string,
  { tell }: EndOptions,
  act: () => Promise<void>,
): Promise<boolean> {
  const { NotNow, withWorktreeLock } = await import("./worktree_lock.ts");
  try {
    await withWorktreeLock(store, id, act);
    return true;
  } catch (error) {
    if (!(error instanceof NotNow)) throw error;
    tell?.(`Ending ${id}: ${error.message}; it is tried again\n  ${error.hint}`);
    return false;
  }
}

/** Ends the processes of a task; whether none lives any more, as far as can be seen. */
async function endTree(
  queue: Queue,
  task: Task,
  rules: Rules,
  options: EndOptions,
): Promise<boolean> {
  const { store, launchers } = queue;
  // Nothing of it was ever launched.
  if (task.claim === 0 && task.pid === null) return true;
  const found = task.claim === 0
    ? await launchers.legacy(task, store.root)
    : shimOf(queue, task) ?? setupShimOf(queue, task);
  const shim = found === "unknown" ? null : found;
  const grace = rules.config.grace_period * 1000;
  const report = await launchers.endTree(processMark(store.identity, task.taskId), shim, {
    ...options,
    grace,
    unmarked: task.claim === 0,
  });
  // Whoever can see it ends it.
  return !report.unknown && !options.signal?.aborted;
}
