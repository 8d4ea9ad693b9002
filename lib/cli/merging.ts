// What `merge` and `pr` ask of a task before its branch goes anywhere.

import { branchOf } from "../decide/branch.ts";
import { noTask, type Queue } from "../queue/queue.ts";
import { OrchestraError } from "../task/error.ts";
import { isAtRest, type Task, type TaskBranch } from "../task/fields.ts";
import { tryAsk } from "../worktree/git.ts";
import { listWorktrees, type Repository, samePath } from "../worktree/repository.ts";
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
  const task = store.read(id);
  if (task === undefined) throw noTask(store, id);
  const git = branchOf(task);
  if (git === null) {
    throw new OrchestraError("state", `${verb} ${id}: it has no branch`, {
      hint: "Only tasks that worked in a worktree have one: orchestra start --worktree …",
    });
  }
  if (!isAtRest(task)) {
    const what = task.reapAt !== null ? "its processes still run" : `it is ${task.status}`;
    throw new OrchestraError("state", `${verb} ${id}: ${what}`, {
      hint: `Wait for its end: orchestra wait ${id}`,
    });
  }
  const tip = await tipOf(repo, git);
  if (tip === null) {
    throw new OrchestraError("state", `${verb} ${id}: its branch ${git.branch} is gone`, {
      hint: "Commits that were kept: git for-each-ref refs/orchestra/backup",
    });
  }
  return { task, git, tip };
}

/** The end of a task's branch: where it is now, else where the task left it; null where that is gone. */
export async function tipOf({ top }: Repository, git: TaskBranch): Promise<string | null> {
  const commit = (name: string) =>
    tryAsk(top, ["rev-parse", "--verify", "--quiet", `${name}^{commit}`]);
  return await commit(`refs/heads/${git.branch}`) ??
    (git.tip === null ? null : await commit(git.tip));
}

/** What of a task's work is in no commit, and so comes nowhere with its branch; null where nothing is. */
export async function uncommitted(repo: Repository, git: TaskBranch): Promise<string | null> {
  const known = (await listWorktrees(repo)).some(({ path, isMain, prunable }) =>
    !isMain && prunable === null && samePath(path, git.path)
  );
  if (!known) return null;
  const state = await worktreeState(repo, git.path);
  return state.exists && !state.clean ? git.path : null;
}
