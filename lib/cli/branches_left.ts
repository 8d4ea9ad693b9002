// Which branches stay when tasks are removed.

import { branchOf } from "../decide/branch.ts";
import type { Task } from "../task/fields.ts";
import { tryAsk } from "../worktree/git.ts";

/** The tasks that have a branch that is still there. */
export async function withBranches(root: string, tasks: readonly Task[]): Promise<Task[]> {
  if (tasks.every(({ git }) => git === null)) return [];
  const args = ["for-each-ref", "--format=%(refname)", "refs/heads"];
  // Without git, or a repository, there are none that it could show.
  const refs = new Set((await tryAsk(root, args).catch(() => null))?.split("\n"));
  return tasks.filter((task) => {
    const git = branchOf(task);
    return git !== null && refs.has(`refs/heads/${git.branch}`);
  });
}
