// The worktree of a task that goes on where an earlier attempt ended: that attempt's own, on its branch. It is
// handed over before the task's file says so: killed in between, the next look finds it handed over, and
// writes it down. Loaded only where a task has a worktree.

import { branchOf } from "../decide/branch.ts";
import { retryOf } from "../decide/dependencies.ts";
import type { Task, TaskBranch } from "../task/fields.ts";
import { commitNamed } from "../worktree/base.ts";
import { handOver } from "../worktree/hand_over.ts";
import { makeWorktree } from "../worktree/make.ts";
import type { Repository } from "../worktree/repository.ts";
import type { Queue } from "./queue.ts";
import { MADE_AGAIN } from "./setup.ts";
import { lockReason } from "./worktree_place.ts";

/**
 * Takes an earlier attempt's worktree over; where its folder is gone, it is made again in the same place,
 * where the agent's session knows it.
 *
 * @param signal ends it, where filters of the user's take too long
 * @returns the field as it is to be written; or why there is none, a sentence
 * @throws OrchestraError, GitError as makeWorktree does
 */
export async function takeOver(
  { store }: Queue,
  repo: Repository,
  task: Task,
  signal: AbortSignal,
): Promise<TaskBranch | { readonly problem: string }> {
  const found = earlierBranch({ store }, task);
  if (found === null) {
    return { problem: "the worktree of the attempt before is not known any more" };
  }
  const { path, branch, base, folder, tip } = found.branch;
  const reason = lockReason(task.taskId);
  const handed = await handOver(repo, path, found.holders.map(lockReason), reason);
  if (typeof handed === "object") {
    const said = handed.locked === null ? "not locked" : `locked: ${handed.locked}`;
    return { problem: `the worktree ${path} of the attempt before is ${said}; it is left alone` };
  }
  const last = await commitNamed(repo, `refs/heads/${branch}`) ??
    await commitNamed(repo, tip ?? base);
  if (last === null) return { problem: `the branch ${branch} of the attempt before is gone` };
  // What was set up there is gone with the folder.
  if (handed === "gone") store.writeHint(task.taskId, "setupcode", MADE_AGAIN);
  // One that is there stays as it is; one that was made again in part only is finished.
  await makeWorktree(repo, {
    branch,
    base: last,
    path,
    reason,
    dirty: "ignore",
    include: true,
    keepBranch: true,
  }, signal);
  const nothing = { tip: null, files: null, insertions: null, deletions: null, left: null };
  return { branch, base, path, folder, ...nothing };
}

/** The branch that a task goes on in, and whose its worktree may be: those between were never launched. */
function earlierBranch(
  { store }: Pick<Queue, "store">,
  task: Task,
): { branch: TaskBranch; holders: string[] } | null {
  const holders: string[] = [];
  for (let at = task; at.resumes !== null;) {
    const id = retryOf(at);
    const earlier = id === null || holders.includes(id)
      ? undefined
      : store.read(id) ?? store.readArchived(id);
    if (earlier === undefined) return null;
    holders.push(earlier.taskId);
    const branch = branchOf(earlier);
    if (branch !== null) return { branch, holders };
    at = earlier;
  }
  return null;
}

/**
 * Writes into the attempt before that its worktree is another's: it is not the one that stays of it any more.
 * Inside the lock, before the task that has it now is written.
 */
export function noteHandedOver({ store }: Pick<Queue, "store">, task: Task): void {
  const id = retryOf(task);
  const earlier = id === null ? undefined : store.read(id);
  const branch = earlier === undefined ? null : branchOf(earlier);
  if (earlier === undefined || branch === null || branch.left === null) return;
  const left = branch.tip === null ? `${task.taskId} goes on in it` : null;
  store.write({ ...earlier, git: { ...branch, left } });
}
