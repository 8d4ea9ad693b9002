// Which tasks work in a git worktree of their own, and when one is made for them. Pure.

import { type Agents, pickAgent } from "../task/agent.ts";
import type { Task } from "../task/fields.ts";
import { branchOf } from "./branch.ts";

/** Who says whether a task works in a worktree, where it does not say itself. */
export interface WorktreeRules {
  readonly agents: Agents;
  readonly config: { readonly worktree?: boolean };
}

/** Whether a task works in a worktree of its own: as it says itself, its agent, or the settings. */
export function wantsWorktree(
  { worktree, agent }: { readonly worktree?: boolean | null; readonly agent: string },
  { agents, config }: WorktreeRules,
): boolean {
  if (worktree !== null && worktree !== undefined) return worktree;
  const found = pickAgent(agents, agent);
  return ("problem" in found ? undefined : found.worktree) ?? config.worktree ?? false;
}

/** Whether a worktree must be made before a task can be launched. */
export function lacksWorktree(task: Task, rules: WorktreeRules): boolean {
  return branchOf(task) === null && wantsWorktree(task, rules);
}

/** Whether what its agent left is yet to be committed on its branch, or to be found impossible to. */
export function awaitsCommit(task: Pick<Task, "git">): boolean {
  const branch = branchOf(task);
  return branch !== null && branch.tip === null && branch.left === null;
}

/** The message of a commit of what an agent left. */
export function commitMessage({ taskId, prompt, agent }: Task): string {
  const first = prompt.split("\n").find((line) => line.trim() !== "") ?? taskId;
  // Control characters are for no log.
  const title = first.replace(/\p{Cc}+/gu, " ").trim();
  const characters = [...title];
  const short = characters.length > 72 ? `${characters.slice(0, 71).join("")}…` : title;
  return `${short || taskId}\n\nTask: ${taskId}\nAgent: ${agent}\n`;
}
