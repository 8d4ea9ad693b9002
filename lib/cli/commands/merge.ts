// `orchestra merge <id>…`: brings what tasks made on their branches into another branch, and back out.
// All is made, looked at and confirmed before that branch moves.

import { buildCommand } from "@stricli/core";
import { branchOf } from "../../decide/branch.ts";
import { indexTasks } from "../../decide/dependencies.ts";
import { type MergeMode, mergeOrder, RESOLVES } from "../../decide/merging.ts";
import { type MergeReport, nameFiles, nameTasks, shortCommit } from "../../format/merge.ts";
import { definitionOf, loadRules, type Queue } from "../../queue/queue.ts";
import { archivedDependencies } from "../../store/archive.ts";
import { OrchestraError, printable } from "../../task/error.ts";
import { isAtRest, isTerminal } from "../../task/fields.ts";
import { sanitizeBlock } from "../../text/width.ts";
import { authorOf } from "../../worktree/author.ts";
import { worktreeFolder } from "../../worktree/folder.ts";
import { missingGitlinks } from "../../worktree/gitlinks.ts";
import { conflictMarkers } from "../../worktree/markers.ts";
import {
  isGood,
  type Mergeable,
  mergedBefore,
  type MergeOptions,
  type MergePlan,
  planMerges,
} from "../../worktree/merge.ts";
import { readRecord, whileMerging } from "../../worktree/merge_record.ts";
import { checkCheckouts, performMove, settleMove } from "../../worktree/perform.ts";
import { findRepository } from "../../worktree/repository.ts";
import { removeScratches } from "../../worktree/scratch.ts";
import { findTarget, type Target } from "../../worktree/target.ts";
import { undoMerge } from "../../worktree/undo.ts";
import type { Context } from "../context.ts";
import { type Chosen, mergeableTasks, namedTasks } from "../merge_choice.ts";
import { comingAlong, itemOf, obstacleOf, type Place } from "../merge_plan.ts";
import { byHand, GOOD, reportOf, tell } from "../merge_report.ts";
import { resolveAll, resolversIn } from "../merge_resolve.ts";
import { remedyFor } from "../merging.ts";
import { agentArgument, anyIdArgument, optional, parsed, text } from "../parameters.ts";
import { look } from "../supervision.ts";

interface MergeFlags {
  squash?: boolean;
  rebase?: boolean;
  noFf?: boolean;
  into?: string;
  verify?: boolean;
  all?: boolean;
  resolve?: string;
  undo?: boolean;
  dryRun?: boolean;
}

export const command = buildCommand({
  func: merge,
  parameters: {
    flags: {
      squash: optional("each branch as one commit"),
      rebase: optional("the commits of each branch anew, on top of what is there"),
      noFf: optional("a commit for each merge, even where the branch only moves along"),
      into: parsed(text, "merge into this branch (the one that is checked out)", "branch"),
      verify: optional("only what passes its verify command when it is merged"),
      all: optional("all complete tasks whose branches are not merged yet"),
      resolve: {
        ...parsed(text, "queue a task of this agent for each conflict", "agent"),
        proposeCompletions: agentArgument.proposeCompletions,
      },
      undo: optional("put the branch back where it was before the last merge"),
      dryRun: optional("only say what would become of each"),
    },
    positional: { kind: "array", parameter: anyIdArgument },
  },
  docs: {
    brief: "Merge what tasks made on their branches",
    fullDescription:
      "Merges the branches of tasks, in the order in which they build on each other, into the branch " +
      "that is checked out or another one. All is made beside everybody's files first. With a conflict " +
      "nothing is changed and the files are named; with --all the others are merged.",
  },
});

async function merge(this: Context, flags: MergeFlags, ...ids: string[]): Promise<void> {
  checkFlags(flags, ids);
  const queue = await this.openQueue();
  const { store } = queue;
  const rules = await loadRules(queue);
  if (flags.resolve !== undefined && definitionOf(rules, flags.resolve) === null) {
    throw new OrchestraError(
      "no-agent",
      `merge --resolve ${flags.resolve}: there is no such agent`,
      {
        hint: "See those that there are: orchestra agents list",
      },
    );
  }
  const repo = await findRepository(store.root, "There is nothing to merge");
  const folder = worktreeFolder(repo, rules.config.worktrees.folder);
  const place: Place = {
    repo,
    store,
    queue,
    rules,
    folder,
    root: store.root,
    now: () => queue.now(),
    note: (text) => this.note(printable(text)),
  };
  await whileMerging(store, async () => {
    await settle(this, place, flags.dryRun ?? false);
    const target = await findTarget(repo, flags.into ?? null);
    checkTarget(queue, target);
    if (flags.undo) return await undo(this, place, target);
    await mergeInto(this, place, target, flags, ids);
  });
}

function checkFlags(flags: MergeFlags, ids: readonly string[]): void {
  const { squash, rebase, noFf, verify, all, resolve, undo, dryRun } = flags;
  const refuse = (message: string, hint: string) => new OrchestraError("usage", message, { hint });
  if ([squash, rebase, noFf].filter((given) => given).length > 1) {
    throw refuse("merge takes one of --squash, --rebase and --no-ff", "Leave the others away.");
  }
  if (undo) {
    if (ids.length > 0 || squash || rebase || noFf || verify || all || resolve || dryRun) {
      throw refuse(
        "merge --undo takes nothing but --into",
        "For example: orchestra merge --undo --into main",
      );
    }
  } else if ((ids.length > 0) === (all ?? false)) {
    throw refuse(
      all ? "merge takes ids or --all, not both" : "merge needs the id of a task",
      "For example: orchestra merge @last   or: orchestra merge --all",
    );
  }
}

/** That no agent is at work on a branch, or is going to be: its files would change under it. */
function checkTarget({ store }: Queue, { name }: Target): void {
  const task = store.scan().tasks.find((task) =>
    !isAtRest(task) && branchOf(task)?.branch === name
  );
  if (task === undefined) return;
  const { taskId, status } = task;
  throw new OrchestraError(
    "state",
    `Merging into ${name}: it is the branch of ${taskId}, which is ${
      isTerminal(status) ? "not at its end yet" : status
    }`,
    { hint: `Wait for its end: orchestra wait ${taskId}` },
  );
}

/** Does something to a target; where that is a task's branch, nothing else is done to its worktree meanwhile. */
async function inTurn<T>(queue: Queue, target: Target, act: () => Promise<T>): Promise<T> {
  const { store } = queue;
  const owner = store.scan().tasks.find((task) => branchOf(task)?.branch === target.name);
  const checked = () => {
    // Confirming may have taken minutes.
    checkTarget(queue, target);
    return act();
  };
  if (owner === undefined) return await checked();
  const { NotNow, withWorktreeLock } = await import("../../queue/worktree_lock.ts");
  return await withWorktreeLock(store, owner.taskId, checked).catch((error) => {
    if (!(error instanceof NotNow)) throw error;
    throw new OrchestraError(
      "state",
      `Merging into ${target.name}, the branch of ${owner.taskId}: ${error.message}`,
      { hint: error.hint },
    );
  });
}

/** Finishes what was killed. */
async function settle(context: Context, place: Place, looksOnly: boolean): Promise<void> {
  if (looksOnly) return;
  const settled = await settleMove(place);
  if (settled !== null) {
    const { move, abandoned } = settled;
    const what = `The ${move.kind === "undo" ? "undoing of a merge" : "merge"} of ` +
      `${move.tasks.join(", ")} that was interrupted`;
    context.note(abandoned === null ? `${what} is finished` : `${what} is given up: ${abandoned}`);
  }
  for (const { path, why } of await removeScratches(place)) {
    context.note(`A worktree of a merge that was interrupted stays: ${path}: ${why}`);
  }
}

async function undo(context: Context, place: Place, target: Target): Promise<void> {
  const { from, to, backup, tasks } = await inTurn(
    place.queue,
    target,
    () => undoMerge(place, target),
  );
  if (context.globals.json) {
    return context.printJson({ target: target.name, from, to, backup, undone: tasks });
  }
  context.print(`${target.name} is at ${shortCommit(to)} again, without ${nameTasks(tasks)}`);
  context.note(`What the merge made is kept: ${backup}`);
}

async function mergeInto(
  context: Context,
  place: Place,
  target: Target,
  flags: MergeFlags,
  ids: readonly string[],
): Promise<void> {
  const { queue, repo, rules } = place;
  const snapshot = await look(queue);
  const before = mergedBefore(repo, readRecord(place.store), target);
  const choice = { queue, repo, pattern: rules.config.worktrees.branch };
  const { chosen: candidates, removed } = flags.all
    ? await mergeableTasks(choice, snapshot.tasks, target, before)
    : {
      chosen: await namedTasks(choice, target, new Set(ids), (text) => context.note(text)),
      removed: [],
    };
  const mode = modeOf(flags);
  const verify = flags.verify ?? false;
  const items = new Map<string, Mergeable>();
  const chosen: Chosen[] = [];
  /** Who was to resolve a conflict, and has not. */
  const failed = new Set<string>();
  for (const one of candidates) {
    const { taskId, labels } = one.task;
    const refused = await refusalOf(place, one);
    if (refused !== undefined) {
      const isOver = !candidates.some(({ task }) => task.taskId === labels[RESOLVES]);
      // Another one has resolved it since.
      if (flags.all && isOver) continue;
      failed.add(taskId);
    }
    const item = itemOf(place, one, mode, verify);
    items.set(taskId, refused === undefined ? item : { ...item, refused });
    chosen.push(one);
  }
  // Archived ones build on archived ones.
  const tasks = chosen.map(({ task }) => task);
  const index = tasks.every(({ taskId }) => snapshot.index.byId.has(taskId))
    ? snapshot.index
    : indexTasks(
      snapshot.tasks,
      archivedDependencies(place.store, [...new Set([...snapshot.tasks, ...tasks])]),
    );
  const steps = mergeOrder(tasks, index, failed);
  const author = await authorOf(repo, rules.config.worktrees.author);
  const options = { mode, author, verify: false, before };
  const planAll = (options: MergeOptions) =>
    planMerges(place, target.commit, steps, items, options);
  let plan = await planAll(options);
  const goes = (found: MergePlan) =>
    found.to !== found.from && (flags.all || found.merged.every(({ outcome }) => isGood(outcome)));
  // Said before anything is run that takes its time.
  let obstacle: OrchestraError | undefined;
  while (goes(plan) && obstacle === undefined) {
    const found = await obstacleOf(place, target, plan, chosen);
    if (found === undefined) break;
    const { item, files, error } = found;
    if (flags.all && item !== undefined && files.length > 0) {
      // The others come in all the same.
      items.set(item.taskId, { ...item, refused: { kind: "in-the-way", files } });
      plan = await planAll(options);
    } else if (flags.dryRun) {
      obstacle = error;
      context.fail(error.exitCode);
    } else throw error;
  }
  if (
    !goes(plan) && !flags.dryRun && plan.merged.some(({ outcome: { kind } }) => kind === "conflict")
  ) {
    // A merge that is under way is to be told of first: it may be of just these.
    await checkCheckouts(repo, target, target.commit);
  }
  if (verify && goes(plan)) plan = await planAll({ ...options, verify });
  const moves = goes(plan) && !flags.dryRun;
  const along = await comingAlong(place, plan, snapshot.tasks, before);
  const coming = plan.merged.filter(({ outcome }) => "commit" in outcome).map(({ item }) => item);
  const tips = Object.fromEntries([
    ...plan.merged.filter(({ outcome }) => isGood(outcome)).map(({ item }) => item),
    ...[...along.values()].flat(),
  ].map(({ taskId, tip }) => [taskId, tip]));
  const markers = goes(plan) ? await conflictMarkers(repo.top, plan.from, plan.to) : [];
  const links = goes(plan) ? await missingGitlinks(repo.top, plan.from, plan.to) : [];
  for (const { path, commit } of links) {
    context.note(
      `The submodule ${printable(path)} comes in at ${shortCommit(commit)}, which is not in ` +
        `${repo.top}: where an agent made it, push it from that worktree before it is cleaned`,
    );
  }
  const move = moves
    ? await inTurn(queue, target, () =>
      performMove(place, target, plan.to, {
        kind: "merge",
        tasks: coming.flatMap((item) => [
          ...(along.get(item.taskId) ?? []).map(({ taskId }) => taskId),
          item.taskId,
        ]),
        tips,
        mode,
      }))
    : undefined;
  const { dryRun = false, resolve } = flags;
  const queued = dryRun || resolve === undefined
    ? []
    : await resolveAll(context, place, target.name, resolve, plan, chosen);
  const archived = tasks.filter(({ taskId }) => !snapshot.index.byId.has(taskId));
  const all = [...archived, ...snapshot.tasks, ...queued];
  const whole: MergeReport[] = [];
  for (const { item, outcome } of plan.merged) {
    const { uncommitted, task } = chosen.find(({ task }) => task.taskId === item.taskId)!;
    const report = reportOf(item, outcome);
    const others = (along.get(item.taskId) ?? []).map(({ taskId }) => taskId);
    whole.push({
      ...report,
      ...(outcome.kind === "nothing" && uncommitted !== null
        ? { outcome: "uncommitted", path: uncommitted.path }
        : {}),
      ...(outcome.kind === "conflict" || outcome.kind === "left-out"
        ? await resolversIn(repo, item, all)
        : {}),
      ...(others.length === 0 ? {} : { along: others }),
      ...(outcome.kind === "unresolved" ? { resolves: task.labels[RESOLVES] } : {}),
    });
  }
  const isDone = ({ outcome }: MergeReport) => GOOD.includes(outcome);
  if (!whole.every(isDone)) context.fail(1);
  if (context.globals.json) {
    return context.printJson({
      target: target.name,
      from: plan.from,
      to: move?.to ?? plan.from,
      dryRun,
      obstacle: obstacle?.message ?? null,
      backup: move?.backup ?? null,
      tasks: whole,
    });
  }
  tell(context, target.name, plan, whole, move !== undefined, flags);
  if (markers.length > 0) {
    context.note(
      `Marks of a conflict (<<<<<<<) come in with it, in ${
        nameFiles(markers)
      }: see whether they belong there`,
    );
  }
  for (const { task: { taskId }, git, uncommitted } of chosen) {
    if (uncommitted === null) continue;
    const { path, why } = uncommitted;
    context.note(
      sanitizeBlock(
        `${taskId}: what is not committed in ${path} is not merged${
          why === null ? "" : ` (${why})`
        }` +
          `\n  ${remedyFor(git.branch, uncommitted)}`,
      ),
    );
  }
  for (const branch of removed) {
    context.note(
      `The task of ${printable(branch)} was removed; it is not in ${target.name}: ${
        byHand(flags.into, [branch])
      }`,
    );
  }
  if (obstacle !== undefined) context.note(printable(`${obstacle.message}\n  ${obstacle.hint}`));
  for (const { taskId, labels } of queued) {
    context.print(`Queued ${taskId} to resolve the conflict of ${labels[RESOLVES]}`);
  }
  if (queued.length > 0) context.note("Run it with: orchestra run");
}

/** Why a branch is not to come in, whatever git says: it was to resolve a conflict, and did not. */
async function refusalOf(
  { repo }: Place,
  { task, git, tip }: Chosen,
): Promise<Mergeable["refused"]> {
  if (!(RESOLVES in task.labels)) return undefined;
  const files = await conflictMarkers(repo.top, git.base, tip);
  return files.length === 0 ? undefined : { kind: "unresolved", files };
}

function modeOf({ squash, rebase, noFf }: MergeFlags): MergeMode {
  return squash ? "squash" : rebase ? "rebase" : noFf ? "no-ff" : "merge";
}
