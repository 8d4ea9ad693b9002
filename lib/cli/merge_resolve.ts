// Who resolves the conflicts that a merge found.

import { branchOf } from "../decide/branch.ts";
import { resolvePrompt, resolversOf, RESOLVES } from "../decide/merging.ts";
import type { MergeReport } from "../format/merge.ts";
import { add } from "../queue/add.ts";
import { printable } from "../task/error.ts";
import { isAtRest, isTerminal, type Task } from "../task/fields.ts";
import { isAncestor } from "../worktree/integrated.ts";
import { conflictMarkers } from "../worktree/markers.ts";
import type { Mergeable, MergePlan } from "../worktree/merge.ts";
import type { Repository } from "../worktree/repository.ts";
import type { Context } from "./context.ts";
import type { Chosen } from "./merge_choice.ts";
import type { Place } from "./merge_plan.ts";
import { tipOf } from "./merging.ts";
import { look } from "./supervision.ts";

/** Who resolves a task's conflict, has done so, or was to and has not: then its branch lacks what was in conflict. */
export async function resolversIn(
  repo: Repository,
  { taskId, tip }: Pick<Mergeable, "taskId" | "tip">,
  tasks: readonly Task[],
): Promise<Pick<MergeReport, "resolvedBy" | "isResolved" | "unresolvedBy">> {
  const all = resolversOf(taskId, tasks).reverse();
  for (const task of all) {
    if (!isTerminal(task.status)) return { resolvedBy: task.taskId, isResolved: false };
    const git = task.status === "complete" ? branchOf(task) : null;
    const own = git === null ? null : await tipOf(repo, git);
    if (git === null || own === null || !await isAncestor(repo.top, tip, own)) continue;
    if ((await conflictMarkers(repo.top, git.base, own)).length === 0) {
      return { resolvedBy: task.taskId, isResolved: isAtRest(task) };
    }
  }
  return all[0] === undefined ? {} : { unresolvedBy: all[0].taskId };
}

/**
 * Queues a task for each conflict that nobody resolves yet. Of several in one file each builds on the one
 * before: begun at one commit, they would be in conflict with each other.
 *
 * @param target branch that all is merged into
 * @param resolver agent that is to do it
 * @returns the tasks that were queued
 */
export async function resolveAll(
  context: Context,
  { queue, repo }: Place,
  target: string,
  resolver: string,
  { merged }: MergePlan,
  chosen: readonly Chosen[],
): Promise<Task[]> {
  const snapshot = await look(queue);
  const archived = chosen.map(({ task }) => task)
    .filter(({ taskId }) => !snapshot.index.byId.has(taskId));
  const tasks = [...archived, ...snapshot.tasks];
  const queued: Task[] = [];
  const before: { resolver: string; files: readonly string[] }[] = [];
  for (const { item, outcome } of merged) {
    if (outcome.kind !== "conflict") continue;
    const { files } = outcome;
    const { resolvedBy } = await resolversIn(repo, item, tasks);
    if (resolvedBy !== undefined) {
      before.push({ resolver: resolvedBy, files });
      const { agent, status } = tasks.find(({ taskId }) => taskId === resolvedBy)!;
      if (agent !== resolver && !isTerminal(status)) {
        context.note(
          `${resolvedBy} with agent ${printable(agent)} is ${status} for ${item.taskId} already: ` +
            `none of ${printable(resolver)} is queued`,
        );
      }
      continue;
    }
    const { task } = chosen.find(({ task }) => task.taskId === item.taskId)!;
    const last = before.findLast((one) => one.files.some((file) => files.includes(file)));
    const added = await add(queue, [{
      agent: resolver,
      prompt: resolvePrompt(task, item.branch, target, files),
      worktree: true,
      ...(last === undefined ? { base: target } : { dependsOn: [last.resolver] }),
      priority: task.priority,
      labels: { [RESOLVES]: item.taskId },
      ...(task.verify === null ? {} : { verify: task.verify }),
    }]);
    queued.push(...added);
    before.push(...added.map(({ taskId }) => ({ resolver: taskId, files })));
  }
  return queued;
}
