// `orchestra worktrees`: the branches and worktrees of tasks, and which of them are in a target.

import { buildCommand } from "@stricli/core";
import { nameTasks } from "../../decide/names.ts";
import { adviseOn, branchJson, formatBranches } from "../../format/worktrees.ts";
import { openBranches, rowOf } from "../branches.ts";
import type { Context } from "../context.ts";
import { parsed, text } from "../parameters.ts";

interface WorktreesFlags {
  into?: string;
}

export const command = buildCommand({
  func: worktrees,
  parameters: {
    flags: {
      into: parsed(text, "what they are to be in (what is checked out)", "ref"),
    },
  },
  docs: {
    brief: "List the branches and worktrees of tasks",
    fullDescription:
      "Lists what tasks have made on branches of their own: where it is, what it takes on the disk, how " +
      "many commits are on it alone, whether it is in a branch and by which way, and why it stays. What " +
      "need not stay goes with: orchestra clean --worktrees",
  },
});

async function worktrees(this: Context, { into }: WorktreesFlags): Promise<void> {
  const queue = await this.openQueue();
  const config = await this.config(queue.store);
  const branches = await openBranches(queue, config, into ?? null);
  const { name } = branches.request.goal;
  const rows = (await branches.look()).map((seen) => rowOf(queue, seen));
  if (this.globals.json) return this.printJson(rows.map((row) => branchJson(row, name)));
  if (rows.length === 0) {
    this.print("No task has a branch of its own");
    this.note("Give one to a task with: orchestra start --worktree AGENT PROMPT");
    return;
  }
  const { tasks } = queue.store.scan();
  const known = new Set(tasks.map(({ taskId }) => taskId));
  const others = rows.filter(({ taskId }) => !known.has(taskId));
  const names = nameTasks(tasks, () => rows.map(({ taskId }) => taskId), others);
  this.print(formatBranches(rows, names, name, this.style(), queue.now()));
  const { branch } = branches.request.goal;
  for (const line of adviseOn(rows, into ?? branch, into !== undefined)) this.note(line);
}
