// Orders the command that makes a task's fresh worktree ready, before its agent is launched under the same
// claim.

import { branchOf } from "../decide/branch.ts";
import type { Launched } from "../launch/launcher.ts";
import { setupLogOf } from "../store/places.ts";
import { formatTime, type Task } from "../task/fields.ts";
import { giveOrder } from "./order.ts";
import { definitionOf, type Queue, type Rules } from "./queue.ts";

/** What stands in place of its code where an earlier attempt's worktree was made again. */
export const MADE_AGAIN = "again\n";

/**
 * The command that is to set up a task's worktree: its agent's, else that of the settings.
 *
 * @returns null where there is none, it has no worktree of its own, or all is set up already
 */
export function setupOf(
  { store }: Pick<Queue, "store">,
  task: Task,
  rules: Rules,
): readonly string[] | null {
  const branch = branchOf(task);
  if (branch === null) return null;
  const code = store.readMark(task.taskId, "setupcode")?.text ?? "";
  if (/^0(?:\n|$)/.test(code)) return null;
  // One that an earlier attempt worked in was set up for that, unless it had to be made again.
  const isEarlier = !branch.path.endsWith(`/${task.taskId}`);
  if (isEarlier && task.setupClaim === 0 && code !== MADE_AGAIN) return null;
  const command = definitionOf(rules, task.agent)?.setup ?? rules.setup ?? null;
  return typeof command === "string" ? ["sh", "-c", command] : command;
}

/** Starts it; inside the lock. The task is claimed by whoever calls, and written here. */
export function orderSetup(
  queue: Queue,
  task: Task,
  command: readonly string[],
  rules: Rules,
): { task: Task; launched?: Launched & { task: Task } } {
  const setupClaim = task.setupClaim + 1;
  const ordered: Task = { ...task, setupClaim, setupAt: formatTime(queue.now()) };
  const log = setupLogOf(queue.store, task.taskId);
  const marks = { pid: `setup.${setupClaim}.pid`, exit: "setupcode", log } as const;
  const started = giveOrder(queue, task, { command, ordered, marks }, rules);
  if (started === undefined) return { task: ordered };
  const running = { ...ordered, pid: started.pid };
  return { task: running, launched: { ...started, task: running } };
}
