// How it stands with a task's branch once the task is over, for the page about it.

import { branchOf } from "../decide/branch.ts";
import type { BranchState } from "../format/show.ts";
import type { Store } from "../store/tasks.ts";
import { OrchestraError } from "../task/error.ts";
import { isAtRest, type Task } from "../task/fields.ts";
import { GitError, tryAsk } from "../worktree/git.ts";
import { integratedBy } from "../worktree/integrated.ts";
import { goalOf } from "../worktree/look.ts";
import { mergedBefore } from "../worktree/merge.ts";
import { readRecord } from "../worktree/merge_record.ts";
import { findRepository } from "../worktree/repository.ts";
import { tipOf } from "./merging.ts";

/** How it stands with it; undefined for a task without a branch or not over, and where git does not tell. */
export async function branchStateOf(store: Store, task: Task): Promise<BranchState | undefined> {
  const git = branchOf(task);
  if (git === null || !isAtRest(task)) return undefined;
  try {
    const repo = await findRepository(store.root);
    const goal = await goalOf(repo, null);
    const ref = ["rev-parse", "--verify", "--quiet", `refs/heads/${git.branch}`];
    const isThere = await tryAsk(repo.top, ref) !== null;
    const tip = await tipOf(repo, git);
    if (tip === null) return { isThere, into: goal.name, way: null };
    const found = await integratedBy(repo, tip, goal.commit, git.base);
    if (found !== null || goal.branch === null) return { isThere, into: goal.name, way: found };
    const target = { ref: `refs/heads/${goal.branch}`, commit: goal.commit };
    const how = await mergedBefore(repo, readRecord(store), target)(tip);
    return { isThere, into: goal.name, way: how === null ? null : "merged" };
  } catch (error) {
    // The page is about the task: it is shown where there is no git, too.
    const isGits = error instanceof GitError || error instanceof OrchestraError ||
      error instanceof Deno.errors.NotCapable;
    if (isGits) return undefined;
    throw error;
  }
}
