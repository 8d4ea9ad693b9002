// Whether the worktree that a task's file names is the task's own, and where it is: anybody may have written
// that file, an agent among them, and so the branch and the path in it are only believed where git says the
// same. Loaded only where a task has a worktree.

import type { Task, TaskBranch } from "../task/fields.ts";
import { isThere } from "../worktree/disk.ts";
import { adminFolder, isNamed, lockOf, recordOf } from "../worktree/record.ts";
import { findWorktree, listWorktrees, type Repository } from "../worktree/repository.ts";
import { isBeingRemoved } from "../worktree/take_away.ts";
import { lockReason } from "./worktree_place.ts";

/** What came of looking. */
export type Own =
  /** It is its own; where it is now. */
  | { readonly kind: "own"; readonly path: string }
  /** Neither git nor anybody has anything there. */
  | { readonly kind: "gone" }
  /** It is left alone: why, for people. */
  | { readonly kind: "another's"; readonly why: string };

/**
 * Looks for the worktree of a task, also where `git worktree move` has brought it.
 *
 * @throws GitError where git does not tell
 */
export async function ownWorktree(
  repo: Repository,
  task: Pick<Task, "taskId" | "resumes">,
  { path, branch }: Pick<TaskBranch, "path" | "branch">,
): Promise<Own> {
  const { taskId } = task;
  const another = (why: string): Own => ({ kind: "another's", why });
  const ids = idsOf(task, branch);
  if (ids.length === 0) {
    return another(`${branch} is no branch that was made for ${taskId}: it is left alone`);
  }
  const notOurs = another(`${path} is not locked for ${taskId}: it is left alone`);
  const isForIt = (record: string) => ids.some((id) => isNamed(record, id));
  const found = await findWorktree(repo, path);
  if (found !== undefined) {
    const record = await adminFolder(repo, path);
    if (record === undefined || !isForIt(record) || await lockOf(record) !== found.locked) {
      return notOurs;
    }
    if (found.locked === lockReason(taskId)) return { kind: "own", path: found.path };
    // Whoever was killed while it was removed had unlocked it.
    const isFree = found.locked === null && found.branch === branch;
    return isFree && await isBeingRemoved(record, found.head)
      ? { kind: "own", path: found.path }
      : notOurs;
  }
  for (const { path: now, isMain, locked, branch: on } of await listWorktrees(repo)) {
    const record = isMain ? undefined : await recordOf(repo, now);
    if (record === undefined || !isForIt(record)) continue;
    // Git moves one that is locked only where it is forced to; unlocked in its new place, it is committed
    // there, and stays.
    const isUnlocked = locked === null && on === branch && isNamed(record, taskId);
    return isUnlocked || (locked === lockReason(taskId) && await lockOf(record) === locked)
      ? { kind: "own", path: now }
      : another(`it was moved to ${now}, and is not locked for ${taskId}: it is left alone`);
  }
  if (!await isThere(path)) return { kind: "gone" };
  return another(`${path} is no worktree of ${repo.top} any more: it is left alone`);
}

/**
 * The tasks for which a branch may have been made: the task itself, and those whose work it goes on with. The
 * name of each branch of ours has one in it.
 */
function idsOf({ taskId, resumes }: Pick<Task, "taskId" | "resumes">, branch: string): string[] {
  const earlier = resumes === null ? [] : branch.match(/task_\d{10,20}/g) ?? [];
  return branch.includes(taskId) ? [taskId, ...earlier] : [...earlier];
}
