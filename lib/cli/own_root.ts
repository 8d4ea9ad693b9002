// The workspace of the task whose agent called us from its worktree, which does not lie in it. Loaded only
// where an agent did.

import { lstat } from "../store/files.ts";
import { folderInside } from "../store/paths.ts";
import { env } from "./calling.ts";

/**
 * The workspace that is meant: the nearest one; in a worktree that of its task, unless the nearest has a
 * queue of its own there. That the repository has agents is no reason to begin a queue in a worktree.
 *
 * @param folder where we are
 * @param nearest undefined where there is none
 */
export function ownRoot(folder: string, nearest: string | undefined): string | undefined {
  const [worktree, root] = [env("ORCHESTRA_WORKTREE"), env("ORCHESTRA_ROOT")];
  if (worktree === undefined || root === undefined) return nearest;
  if (folderInside(worktree, folder) === undefined) return nearest;
  const isOwn = nearest !== undefined && folderInside(worktree, nearest) !== undefined &&
    lstat(`${nearest}/.orchestra`) !== undefined;
  return isOwn ? nearest : root;
}
