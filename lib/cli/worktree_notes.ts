// What `start` says of a task that is to have a worktree: why none can be made as things are, and that its
// set-up is not approved. Loaded only for such a task.

import type { Queue } from "../queue/queue.ts";
import { unapprovedSetup } from "../settings/setup.ts";
import { toOrchestraError } from "../task/error.ts";
import type { Task } from "../task/fields.ts";
import { commitOf } from "../worktree/base.ts";
import { findRepository } from "../worktree/repository.ts";

/** Lines on the worktree of a task that was just queued; none where all is well. */
export async function worktreeNotes({ store }: Queue, task: Task): Promise<string[]> {
  const lines: string[] = [];
  try {
    const repo = await findRepository(store.root);
    if (task.base !== null) await commitOf(repo, task.base);
  } catch (error) {
    const { message, hint } = toOrchestraError(error, "Looking at the repository");
    lines.push(`As things are it will fail: ${message}`, ...(hint === undefined ? [] : [hint]));
  }
  const problem = await unapprovedSetup(store);
  if (problem !== null) lines.push(`${problem}: orchestra trust --commands`);
  return lines;
}
