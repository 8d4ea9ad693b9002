// What `merge` and `pr` ask of a task before its branch goes anywhere.

import { branchOf } from "../decide/branch.ts";
import { noTask, type Queue } from "../queue/queue.ts";
import { OrchestraError, quote } from "../task/error.ts";
import { isAtRest, type Task, type TaskBranch } from "../task/fields.ts";
import { commitNamed } from "../worktree/base.ts";
import { GitError, lastLine, tryAsk } from "../worktree/git.ts";
import {
  listWorktrees,
  type Repository,
  samePath,
  type WorktreeEntry,
} from "../worktree/repository.ts";
import { worktreeState } from "../worktree/state.ts";

/** A task with a branch, and the commit at its end. */
export interface Branched {
  readonly task: Task;
  readonly git: TaskBranch;
  readonly tip: string;
}

/**
 * A task that has come to its end, and its branch.
 *
 * @param verb what is to be done with it, "Merging" for example
 * @throws OrchestraError `no-task`, or `state` where it goes on or has no branch
 */
export async function branched(
  { store }: Pick<Queue, "store">,
  repo: Repository,
  id: string,
  verb: string,
): Promise<Branched> {
  const task = store.read(id) ?? store.readArchived(id);
  if (task === undefined) throw await noTaskBut(store, repo, id);
  if (!isAtRest(task)) {
    const what = task.reapAt !== null ? "its processes still run" : `it is ${task.status}`;
    throw new OrchestraError("state", `${verb} ${id}: ${what}`, {
      hint: `Wait for its end: orchestra wait ${id}`,
    });
  }
  const git = branchOf(task);
  if (git === null) {
    throw new OrchestraError(
      "state",
      `${verb} ${id}: it has no branch` + (task.worktree === true ? ", none was made for it" : ""),
      {
        hint: task.worktree === true
          ? `See why: orchestra show ${id}`
          : "Only tasks that worked in a worktree have one: orchestra start --worktree …",
      },
    );
  }
  const tip = await tipOf(repo, git);
  if (tip === null) {
    throw new OrchestraError("state", `${verb} ${id}: its branch ${git.branch} is gone`, {
      hint: `What was kept of it: git for-each-ref 'refs/orchestra/backup/${id}-*'`,
    });
  }
  return { task, git, tip };
}

/** The error for a task that there is not: its branch may be there. */
async function noTaskBut(
  store: Queue["store"],
  { top }: Repository,
  id: string,
): Promise<OrchestraError> {
  const listed = await tryAsk(top, ["for-each-ref", "--format=%(refname:short)", "refs/heads"]);
  const branch = listed?.split("\n").find((name) => new RegExp(`(?<!\\w)${id}(?!\\d)`).test(name));
  if (branch === undefined) return noTask(store, id);
  return new OrchestraError(
    "no-task",
    `No task ${id}: it was removed, its branch ${branch} was not`,
    {
      hint: `Merge that with git: git merge ${quote([branch])}`,
    },
  );
}

/** The end of a task's branch: where it is now, else where the task left it; null where that is gone. */
export async function tipOf(repo: Repository, git: TaskBranch): Promise<string | null> {
  return await commitNamed(repo, `refs/heads/${git.branch}`) ??
    (git.tip === null ? null : await commitNamed(repo, git.tip));
}

/** What of a task's work is in no commit, and so comes nowhere with its branch. */
export interface Uncommitted {
  /** The worktree that it is in. */
  readonly path: string;
  /** Why it could not be committed, as far as that is known; null where it is not. */
  readonly why: string | null;
  /** What git is in the middle of there: a merge, a bisect; null for nothing. */
  readonly operation: string | null;
}

/**
 * What of a task's work is in no commit; null where nothing is.
 *
 * @param entries the repository's worktrees, where they are known already
 */
export async function uncommittedIn(
  repo: Repository,
  git: TaskBranch,
  entries?: readonly WorktreeEntry[],
): Promise<Uncommitted | null> {
  const known = (entries ?? await listWorktrees(repo)).some(({ path, isMain, prunable }) =>
    !isMain && prunable === null && samePath(path, git.path)
  );
  if (!known) return null;
  const { path, left } = git;
  try {
    const { exists, clean, operation } = await worktreeState(repo, path);
    return exists && (!clean || operation !== null) ? { path, why: left, operation } : null;
  } catch (error) {
    if (!(error instanceof GitError)) throw error;
    return { path, why: lastLine(error.output), operation: null };
  }
}

/** How what is not committed comes into the branch. */
export function remedyFor(branch: string, { path, operation }: Uncommitted): string {
  const at = `git -C ${quote([path])}`;
  if (operation !== null) {
    const end = operation === "bisect" ? "bisect reset" : `${operation} --continue`;
    const abort = operation === "bisect" ? "" : ` (or --abort)`;
    return `A ${operation} is under way there: end it with ${at} ${end}${abort}, commit what is left ` +
      `on ${branch}, and merge again`;
  }
  return "Move out what is a repository of its own, should there be one: git would take its name alone. " +
    `Then commit the rest on ${branch}: ${at} add -A && ${at} commit, and merge again`;
}
