// In the worktree of a task its workspace counts, and none begins there: it would go with the folder, and its
// tasks with it. Loaded only where there is no queue.

import { folderInside, parentOf } from "../store/paths.ts";
import { OrchestraError, quote } from "../task/error.ts";
import { taskAround } from "../queue/worktree_place.ts";
import { lstat } from "../store/files.ts";
import { listWorkspaces } from "../workspaces/registry.ts";
import { env, mayUse } from "./calling.ts";

/**
 * Refuses to make a workspace where a task's worktree is.
 *
 * @param root absolute path of the folder where it would be
 * @throws OrchestraError `state`, which names the workspace that the worktree belongs to
 */
export function refuseInWorktree(root: string): void {
  const found = taskAround(root);
  const [worktree, owner, id] = ["WORKTREE", "ROOT", "TASK_ID"].map((it) => env(`ORCHESTRA_${it}`));
  const isOwn = worktree !== undefined && folderInside(worktree, root) !== undefined;
  const taskId = found?.taskId ?? (isOwn ? id : undefined);
  if (taskId === undefined) return;
  const of = isOwn && owner !== undefined
    ? owner
    : workspaceOf(taskId) ?? parentOf(found!.gitFolder);
  throw new OrchestraError(
    "state",
    `Making a workspace in ${root}: this is the worktree of ${taskId}, of the workspace ${of}, and ` +
      "goes with that task",
    { hint: `Use the workspace itself: orchestra -C ${quote([of])} start AGENT PROMPT` },
  );
}

/**
 * The workspace of the task in whose worktree a folder lies.
 *
 * @param folder absolute path
 * @returns undefined where it lies in none
 * @throws OrchestraError `no-workspace` where nobody knows its workspace, or that is not for us to see
 */
export function rootAround(folder: string): string | undefined {
  const found = taskAround(folder);
  if (found === undefined) return undefined;
  const top = parentOf(found.gitFolder);
  const root = workspaceOf(found.taskId) ?? (hasTask(top, found.taskId) ? top : undefined);
  if (root !== undefined) return root;
  throw new OrchestraError(
    "no-workspace",
    `This is the worktree of ${found.taskId}, and where the workspace of that is cannot be told from here`,
    { hint: `Name it: orchestra -C DIR status   (the repository is ${top})` },
  );
}

function hasTask(root: string, taskId: string): boolean {
  return mayUse(root) && lstat(`${root}/.orchestra/tasks/${taskId}.json`) !== undefined;
}

/** The known workspace that has a task. */
function workspaceOf(taskId: string): string | undefined {
  try {
    return listWorkspaces().find(({ root }) => hasTask(root, taskId))?.root;
  } catch {
    // The list is a cache: the repository tells enough.
    return undefined;
  }
}
