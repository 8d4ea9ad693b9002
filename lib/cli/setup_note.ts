// What `run` says where worktrees are not set up, for nobody has approved how.

import type { Queue } from "../queue/queue.ts";
import type { Task } from "../task/fields.ts";
import type { Context } from "./context.ts";

/**
 * Says so where one of the tasks that were launched has a worktree that was not set up.
 *
 * @param launched as they are now
 */
export async function noteSetup(
  context: Pick<Context, "note">,
  { store }: Pick<Queue, "store">,
  launched: Iterable<Task>,
): Promise<void> {
  if (![...launched].some(({ git, setupClaim }) => git !== null && setupClaim === 0)) return;
  const { unapprovedSetup } = await import("../settings/setup.ts");
  const problem = await unapprovedSetup(store);
  if (problem !== null) context.note(`${problem}: orchestra trust --commands`);
}
