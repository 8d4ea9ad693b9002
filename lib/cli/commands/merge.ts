// `orchestra merge <id>…`: brings what tasks made on their branches into another branch, and back out.
// All is made, looked at and confirmed before that branch moves.

import { buildCommand } from "@stricli/core";
import {
  mergeMessage,
  type MergeMode,
  mergeOrder,
  resolvePrompt,
  resolversOf,
  RESOLVES,
} from "../../decide/merging.ts";
import { prepareLaunch } from "../../decide/launch_plan.ts";
import { branchOf } from "../../decide/branch.ts";
import { formatMerge, type MergeReport, nameFiles, shortCommit } from "../../format/merge.ts";
import { shellLine } from "../../launch/find.ts";
import { add } from "../../queue/add.ts";
import { definitionOf, loadRules, type Queue, type Rules } from "../../queue/queue.ts";
import { placesOf } from "../../store/places.ts";
import { OrchestraError, printable } from "../../task/error.ts";
import { isAtRest, isTerminal, type Task } from "../../task/fields.ts";
import { sanitizeBlock } from "../../text/width.ts";
import { authorOf } from "../../worktree/author.ts";
import { worktreeFolder } from "../../worktree/folder.ts";
import { integratedBy, isAncestor } from "../../worktree/integrated.ts";
import {
  isGood,
  type Mergeable,
  mergedBefore,
  type MergeOptions,
  type MergeOutcome,
  type MergePlan,
  planMerges,
} from "../../worktree/merge.ts";
import { readRecord, whileMerging } from "../../worktree/merge_record.ts";
import { checkCheckouts, type MovePlace, performMove, settleMove } from "../../worktree/perform.ts";
import { findRepository, type Repository } from "../../worktree/repository.ts";
import { removeScratches, type ScratchPlace } from "../../worktree/scratch.ts";
import { findTarget, type Target } from "../../worktree/target.ts";
import { undoMerge } from "../../worktree/undo.ts";
import type { Verifier } from "../../worktree/verify.ts";
import type { Context } from "../context.ts";
import { type Branched, branched, tipOf, uncommitted } from "../merging.ts";
import { agentArgument, idArgument, optional, parsed, text } from "../parameters.ts";
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
    positional: { kind: "array", parameter: idArgument },
  },
  docs: {
    brief: "Merge what tasks made on their branches",
    fullDescription:
      "Merges the branches of tasks, in the order in which they build on each other, into the branch " +
      "that is checked out or another one. All is made beside everybody's files first. With a conflict " +
      "nothing is changed and the files are named; with --all the others are merged.",
  },
});

/** What the parts of the command share. */
interface Place extends MovePlace, ScratchPlace {
  readonly queue: Queue;
  readonly rules: Rules;
}

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
  const repo = await findRepository(store.root);
  const folder = worktreeFolder(repo, rules.config.worktrees.folder);
  const place: Place = {
    repo,
    store,
    queue,
    rules,
    folder,
    root: store.root,
    now: () => queue.now(),
  };
  await whileMerging(store, async () => {
    await settle(this, place, flags.dryRun ?? false);
    const target = await findTarget(repo, flags.into ?? null);
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
  const { from, to, backup, tasks } = await undoMerge(place, target);
  if (context.globals.json) {
    return context.printJson({ target: target.name, from, to, backup, undone: tasks });
  }
  context.print(`${target.name} is at ${shortCommit(to)} again, without ${tasks.join(", ")}`);
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
  const chosen = flags.all
    ? await mergeableTasks(repo, snapshot.tasks, target, before)
    : await namedTasks(context, place, target, new Set(ids));
  const mode = modeOf(flags);
  const verify = flags.verify ?? false;
  const items = new Map(chosen.map((one) => [
    one.task.taskId,
    itemOf(place, one, mode, verify),
  ]));
  const steps = mergeOrder(chosen.map(({ task }) => task), snapshot.index);
  const author = await authorOf(repo, rules.config.worktrees.author);
  const options = { mode, author, verify: false, before };
  let plan = await planMerges(place, target.commit, steps, items, options);
  const goes = (found: MergePlan) =>
    found.to !== found.from && (flags.all || found.merged.every(({ outcome }) => isGood(outcome)));
  // Said before anything is run that takes its time.
  let obstacle: OrchestraError | undefined;
  if (goes(plan)) {
    try {
      await checkCheckouts(repo, target, plan.to);
    } catch (error) {
      if (!flags.dryRun || !(error instanceof OrchestraError)) throw error;
      obstacle = error;
      context.fail(1);
    }
  }
  if (verify && goes(plan)) {
    plan = await planMerges(place, target.commit, steps, items, { ...options, verify });
  }
  const moves = goes(plan) && !flags.dryRun;
  const tasks = plan.merged.filter(({ outcome }) => "commit" in outcome)
    .map(({ item }) => item.taskId);
  const tips = Object.fromEntries(
    plan.merged.filter(({ outcome }) => isGood(outcome)).map(({ item }) => [item.taskId, item.tip]),
  );
  const move = moves
    ? await performMove(place, target, plan.to, { kind: "merge", tasks, tips, mode })
    : undefined;
  const queued = flags.dryRun ? [] : await resolveAll(place, target, flags, plan, chosen);
  const whole: MergeReport[] = [];
  for (const { item, outcome } of plan.merged) {
    const resolver = outcome.kind === "conflict"
      ? await resolverOf(repo, item, [...snapshot.tasks, ...queued])
      : undefined;
    const resolvedBy = resolver === undefined ? {} : { resolvedBy: resolver.taskId };
    whole.push({ ...reportOf(item, outcome), ...resolvedBy });
  }
  if (!plan.merged.every(({ outcome }) => isGood(outcome))) context.fail(1);
  if (context.globals.json) {
    return context.printJson({
      target: target.name,
      from: plan.from,
      to: move?.to ?? plan.from,
      dryRun: flags.dryRun ?? false,
      obstacle: obstacle?.message ?? null,
      backup: move?.backup ?? null,
      tasks: whole,
    });
  }
  tell(context, target, plan, whole, move !== undefined, flags.dryRun ?? false);
  if (obstacle !== undefined) context.note(printable(`${obstacle.message}\n  ${obstacle.hint}`));
  for (const { taskId } of queued) context.print(`Queued ${taskId} to resolve the conflict`);
  if (queued.length > 0) context.note("Run it with: orchestra run");
}

function modeOf({ squash, rebase, noFf }: MergeFlags): MergeMode {
  return squash ? "squash" : rebase ? "rebase" : noFf ? "no-ff" : "merge";
}

/** All that is complete and not in the target yet. */
async function mergeableTasks(
  repo: Repository,
  tasks: readonly Task[],
  target: Target,
  before: MergeOptions["before"],
): Promise<Branched[]> {
  const found: Branched[] = [];
  /** Tips of what the target has already, by their tasks. */
  const there = new Map<string, string>();
  for (const task of tasks) {
    if (task.status !== "complete" || !isAtRest(task)) continue;
    const git = branchOf(task);
    if (git === null || git.branch === target.name) continue;
    const tip = await tipOf(repo, git);
    if (tip === null) continue;
    const isThere = await before(tip) !== null ||
      await integratedBy(repo, tip, target.commit, git.base) !== null;
    if (isThere) there.set(task.taskId, tip);
    else found.push({ task, git, tip });
  }
  const open: Branched[] = [];
  for (const one of found) {
    // Who resolved its conflict has its commits, also where that came in as another commit.
    const resolved = resolversOf(one.task.taskId, tasks).flatMap(({ taskId }) =>
      there.get(taskId) ?? []
    );
    const within = await Promise.all(resolved.map((tip) => isAncestor(repo.top, one.tip, tip)));
    if (!within.includes(true)) open.push(one);
  }
  return open;
}

async function namedTasks(
  context: Context,
  { queue, repo }: Place,
  target: Target,
  ids: ReadonlySet<string>,
): Promise<Branched[]> {
  const found: Branched[] = [];
  for (const id of ids) {
    const one = await branched(queue, repo, id, "Merging");
    if (one.git.branch === target.name) {
      throw new OrchestraError("usage", `Merging ${id}: its branch is the target itself`, {
        hint: "Name another one with --into.",
      });
    }
    found.push(one);
  }
  for (const { task, git } of found) {
    if (task.status !== "complete") {
      context.note(
        `${task.taskId} ${
          task.status === "failed" ? "has failed" : `was ${task.status}`
        }: what its branch has is merged all the same`,
      );
    }
    const path = await uncommitted(repo, git);
    if (path !== null) {
      context.note(`${task.taskId}: what is not committed in ${path} is not merged`);
    }
  }
  return found;
}

function itemOf(
  place: Place,
  { task, git, tip }: Branched,
  mode: MergeMode,
  verify: boolean,
): Mergeable {
  const { taskId } = task;
  const { branch, base } = git;
  const message = mergeMessage(task, branch, mode);
  const verifier = verify ? verifierOf(place, task, git.folder) : null;
  return { taskId, branch, tip, base, message, verifier };
}

/** The command that confirms what a task made, as its agent would have it run. */
function verifierOf({ store, rules }: Place, task: Task, folder: string): Verifier {
  const agent = definitionOf(rules, task.agent);
  const [command, ...args] = shellLine(task.verify ?? agent?.verify ?? [], store.root);
  if (command === undefined) {
    throw new OrchestraError(
      "state",
      `merge --verify: neither ${task.taskId} nor its agent has a verify command`,
      { hint: "Give the agent one, or merge that task without --verify." },
    );
  }
  const prepared = prepareLaunch(
    task,
    { command, args, env: agent?.env, passEnv: agent?.passEnv, completion: "exit" },
    null,
    "",
    placesOf(store, task),
    crypto.randomUUID(),
    Deno.build.os === "windows",
  );
  if ("problem" in prepared) {
    throw new OrchestraError("state", `merge --verify: the command of ${task.taskId} is too long`, {
      hint: "Put it into a file.",
    });
  }
  return {
    command: prepared.command,
    args: prepared.args,
    env: prepared.env,
    inherit: prepared.inherit,
    folder,
  };
}

function reportOf({ taskId, branch }: Mergeable, outcome: MergeOutcome): MergeReport {
  const { kind } = outcome;
  const basic = { taskId, branch, outcome: kind };
  switch (kind) {
    case "fast-forward":
    case "clean":
      return { ...basic, commit: outcome.commit };
    case "nothing":
      return { ...basic, way: outcome.way };
    case "conflict":
      return { ...basic, files: outcome.files };
    case "unverified":
      return { ...basic, exitCode: outcome.verdict.code };
    case "left-out":
      return { ...basic, because: outcome.because };
  }
}

/** Who resolves a task's conflict, or has done so: then its branch has what was in conflict. */
async function resolverOf(
  repo: Repository,
  { taskId, tip }: Pick<Mergeable, "taskId" | "tip">,
  tasks: readonly Task[],
): Promise<Task | undefined> {
  for (const task of resolversOf(taskId, tasks).reverse()) {
    if (!isTerminal(task.status)) return task;
    const git = task.status === "complete" ? branchOf(task) : null;
    const own = git === null ? null : await tipOf(repo, git);
    if (own !== null && await isAncestor(repo.top, tip, own)) return task;
  }
  return undefined;
}

/** Queues a task for each conflict that nobody resolves yet. */
async function resolveAll(
  { queue, repo }: Place,
  target: Target,
  { resolve }: MergeFlags,
  { merged }: MergePlan,
  chosen: readonly Branched[],
): Promise<Task[]> {
  if (resolve === undefined) return [];
  const { tasks } = await look(queue);
  const given: Record<string, unknown>[] = [];
  for (const { item, outcome } of merged) {
    if (outcome.kind !== "conflict") continue;
    // What is told of it is told with what became of each.
    if (await resolverOf(repo, item, tasks) !== undefined) continue;
    const { task } = chosen.find(({ task }) => task.taskId === item.taskId)!;
    given.push({
      agent: resolve,
      prompt: resolvePrompt(task, item.branch, target.name, outcome.files),
      worktree: true,
      base: target.name,
      priority: task.priority,
      labels: { [RESOLVES]: item.taskId },
      ...(task.verify === null ? {} : { verify: task.verify }),
    });
  }
  return given.length === 0 ? [] : await add(queue, given);
}

function tell(
  context: Context,
  target: Target,
  plan: MergePlan,
  reports: readonly MergeReport[],
  moved: boolean,
  dryRun: boolean,
): void {
  for (const line of formatMerge(reports, target.name, moved, context.style())) context.print(line);
  for (const { outcome } of plan.merged) {
    if (outcome.kind === "unverified" && outcome.verdict.output !== "") {
      context.note(sanitizeBlock(outcome.verdict.output));
    }
  }
  const { name } = target;
  if (moved) {
    context.print(`${name} is at ${shortCommit(plan.to)} now, it was at ${shortCommit(plan.from)}`);
    context.note(
      "Take it back with: orchestra merge --undo" + (name === "" ? "" : ` --into ${name}`),
    );
  } else if (reports.length === 0) context.print(`Nothing to merge into ${name}`);
  else if (!dryRun && plan.merged.some(({ outcome }) => !isGood(outcome))) {
    context.print(`${name} stays at ${shortCommit(plan.from)}: nothing was changed`);
  }
  for (const { taskId, outcome, resolvedBy, files = [] } of reports) {
    if (outcome !== "conflict") continue;
    context.note(
      resolvedBy === undefined
        ? `Let an agent resolve ${nameFiles(files)}: orchestra merge ${taskId} --resolve AGENT`
        : `${resolvedBy} resolves the conflict of ${taskId}: when it is complete, merge that one`,
    );
  }
}
