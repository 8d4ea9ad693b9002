// What `start` says of a task that is to have a worktree: why none can be made as things are, and that its
// set-up is not approved. Loaded only for such a task.

import type { Queue } from "../queue/queue.ts";
import { unapprovedSetup } from "../settings/setup.ts";
import { toOrchestraError } from "../task/error.ts";
import type { Task } from "../task/fields.ts";
import { commitOf } from "../worktree/base.ts";
import { findRepository } from "../worktree/repository.ts";

/**
 * Lines on the worktrees of tasks that were just queued; none where all is well.
 *
 * @param tasks those that are to have one
 */
export async function worktreeNotes(
  { store }: Queue,
  tasks: readonly Task[],
): Promise<string[]> {
  const lines: string[] = [];
  const fails = (which: string, error: unknown) => {
    const { message, hint } = toOrchestraError(error, "Looking at the repository");
    lines.push(
      `As things are ${which} will fail: ${message}`,
      ...(hint === undefined ? [] : [hint]),
    );
  };
  const isOne = tasks.length === 1;
  try {
    const repo = await findRepository(store.root);
    for (const [base, those] of Map.groupBy(tasks, ({ base }) => base)) {
      if (base === null) continue;
      const which = those.map(({ taskId }) => taskId).join(", ");
      await commitOf(repo, base).catch((error) => fails(isOne ? "it" : which, error));
    }
  } catch (error) {
    fails(isOne ? "it" : "what is to have a worktree", error);
  }
  const problem = await unapprovedSetup(store);
  if (problem !== null) lines.push(`${problem}: orchestra trust --commands`);
  return lines;
}
