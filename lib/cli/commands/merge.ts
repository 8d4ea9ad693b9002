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
import { indexTasks } from "../../decide/dependencies.ts";
import {
  formatMerge,
  type MergeReport,
  nameFiles,
  nameTasks,
  shortCommit,
} from "../../format/merge.ts";
import { shellLine } from "../../launch/find.ts";
import { add } from "../../queue/add.ts";
import { definitionOf, loadRules, type Queue, type Rules } from "../../queue/queue.ts";
import { archivedDependencies } from "../../store/archive.ts";
import { placesOf } from "../../store/places.ts";
import { OrchestraError, printable, quote } from "../../task/error.ts";
import { isAtRest, isTerminal, type Task } from "../../task/fields.ts";
import { sanitizeBlock } from "../../text/width.ts";
import { authorOf } from "../../worktree/author.ts";
import { worktreeFolder } from "../../worktree/folder.ts";
import { ask } from "../../worktree/git.ts";
import { isAncestor } from "../../worktree/integrated.ts";
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
import {
  checkCheckouts,
  InTheWay,
  type MovePlace,
  performMove,
  settleMove,
} from "../../worktree/perform.ts";
import { findRepository, type Repository } from "../../worktree/repository.ts";
import { removeScratches, type ScratchPlace } from "../../worktree/scratch.ts";
import { findTarget, type Target } from "../../worktree/target.ts";
import { missingGitlinks } from "../../worktree/gitlinks.ts";
import { conflictMarkers } from "../../worktree/markers.ts";
import { undoMerge } from "../../worktree/undo.ts";
import type { Verifier } from "../../worktree/verify.ts";
import type { Context } from "../context.ts";
import { type Chosen, mergeableTasks, namedTasks } from "../merge_choice.ts";
import { type Branched, remedyFor, tipOf } from "../merging.ts";
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
    ? await performMove(place, target, plan.to, {
      kind: "merge",
      tasks: coming.flatMap((item) => [
        ...(along.get(item.taskId) ?? []).map(({ taskId }) => taskId),
        item.taskId,
      ]),
      tips,
      mode,
    })
    : undefined;
  const queued = flags.dryRun ? [] : await resolveAll(context, place, target, flags, plan, chosen);
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
      dryRun: flags.dryRun ?? false,
      obstacle: obstacle?.message ?? null,
      backup: move?.backup ?? null,
      tasks: whole,
    });
  }
  tell(context, target, plan, whole, move !== undefined, flags);
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

/** What needs nobody to look at it. */
const GOOD: readonly MergeReport["outcome"][] = ["fast-forward", "clean", "nothing"];

/** How branches are merged without us. */
function byHand(into: string | undefined, branches: readonly string[]): string {
  const merge = branches.map((branch) => `git merge ${quote([branch])}`).join(" && ");
  return printable(into === undefined ? merge : `git switch ${quote([into])} && ${merge}`);
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

/** What is in the way of a plan in a working copy, and which of the tasks needs it to be gone. */
async function obstacleOf(
  { repo, rules }: Place,
  target: Target,
  plan: MergePlan,
  chosen: readonly Chosen[],
): Promise<{ item?: Mergeable; files: readonly string[]; error: OrchestraError } | undefined> {
  const check = async (to: string) => {
    try {
      await checkCheckouts(repo, target, to);
    } catch (error) {
      if (error instanceof OrchestraError) return error;
      throw error;
    }
  };
  const error = await check(plan.to);
  if (error === undefined) return undefined;
  // A lock, or a merge that is under way, is in the way of all.
  if (!(error instanceof InTheWay)) return { files: [], error };
  for (const { item, outcome } of plan.merged) {
    if (!("commit" in outcome)) continue;
    const own = await check(outcome.commit);
    if (!(own instanceof InTheWay)) continue;
    const task = chosen.find(({ task }) => task.taskId === item.taskId)?.task;
    const carried = (task?.dirty ?? rules.config.worktrees.dirty) === "carry";
    return {
      item,
      files: own.files,
      error: new OrchestraError(
        own.code,
        `${own.message} (${item.taskId} changed what is there)`,
        { hint: carried ? CARRIED : own.hint, cause: own },
      ),
    };
  }
  return { files: [], error };
}

/** What is in the way may be what the branch began with. */
const CARRIED =
  "What --dirty carry took along is on the branch already. A file with nothing else goes back with " +
  "git restore FILE, a new one out of the way; other changes commit first. Nothing was changed.";

/** Tasks whose work comes in with that of others that build on it, by those. */
async function comingAlong(
  { repo }: Place,
  { from, merged }: MergePlan,
  tasks: readonly Task[],
  before: MergeOptions["before"],
): Promise<Map<string, { taskId: string; tip: string }[]>> {
  const along = new Map<string, { taskId: string; tip: string }[]>();
  const own = new Set(merged.map(({ item }) => item.taskId));
  const others = tasks.flatMap((task) => {
    const tip = own.has(task.taskId) ? null : branchOf(task)?.tip ?? null;
    return tip === null || tip === branchOf(task)?.base ? [] : [{ taskId: task.taskId, tip }];
  });
  if (others.length === 0) return along;
  const told = new Set(merged.map(({ item }) => item.tip));
  const coming = merged.filter(({ outcome }) => "commit" in outcome);
  if (coming.length === 0) return along;
  const known = new Set(
    (await ask(repo.top, ["rev-list", ...coming.map(({ item }) => item.tip), `^${from}`]))
      .split("\n"),
  );
  if (!others.some(({ tip }) => known.has(tip) && !told.has(tip))) return along;
  for (const { item } of coming) {
    const list = await ask(repo.top, ["rev-list", item.tip, `^${from}`]);
    const commits = new Set(list.split("\n"));
    for (const other of others) {
      if (!commits.has(other.tip) || told.has(other.tip) || await before(other.tip) !== null) {
        continue;
      }
      told.add(other.tip);
      along.set(item.taskId, [...along.get(item.taskId) ?? [], other]);
    }
  }
  return along;
}

function modeOf({ squash, rebase, noFf }: MergeFlags): MergeMode {
  return squash ? "squash" : rebase ? "rebase" : noFf ? "no-ff" : "merge";
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
    case "unresolved":
    case "own-files":
    case "in-the-way":
      return { ...basic, files: outcome.files };
    case "unverified":
      return { ...basic, exitCode: outcome.verdict.code };
    case "left-out":
      return { ...basic, because: outcome.because };
  }
}

/** Who resolves a task's conflict, has done so, or was to and has not: then its branch lacks what was in conflict. */
async function resolversIn(
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
 */
async function resolveAll(
  context: Context,
  { queue, repo }: Place,
  target: Target,
  { resolve }: MergeFlags,
  { merged }: MergePlan,
  chosen: readonly Chosen[],
): Promise<Task[]> {
  if (resolve === undefined) return [];
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
      if (agent !== resolve && !isTerminal(status)) {
        context.note(
          `${resolvedBy} with agent ${printable(agent)} is ${status} for ${item.taskId} already: ` +
            `none of ${printable(resolve)} is queued`,
        );
      }
      continue;
    }
    const { task } = chosen.find(({ task }) => task.taskId === item.taskId)!;
    const last = before.findLast((one) => one.files.some((file) => files.includes(file)));
    const added = await add(queue, [{
      agent: resolve,
      prompt: resolvePrompt(task, item.branch, target.name, files),
      worktree: true,
      ...(last === undefined ? { base: target.name } : { dependsOn: [last.resolver] }),
      priority: task.priority,
      labels: { [RESOLVES]: item.taskId },
      ...(task.verify === null ? {} : { verify: task.verify }),
    }]);
    queued.push(...added);
    before.push(...added.map(({ taskId }) => ({ resolver: taskId, files })));
  }
  return queued;
}

function tell(
  context: Context,
  target: Target,
  plan: MergePlan,
  reports: readonly MergeReport[],
  moved: boolean,
  { all = false, dryRun = false, resolve, into }: MergeFlags,
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
  const open: MergeReport[] = [];
  for (const report of reports) {
    const { taskId, branch, outcome, resolvedBy, isResolved, unresolvedBy, resolves } = report;
    if (outcome === "unresolved") {
      context.note(
        `See orchestra diff ${taskId}: take the marks away on ${
          printable(branch)
        } and merge again` +
          (resolves === undefined
            ? ""
            : `, or have another try: orchestra merge ${resolves} --resolve AGENT`),
      );
    }
    if (outcome === "own-files") {
      context.note(
        `What is below .orchestra is no file of the repository. Take it out of ${
          printable(branch)
        }, with git rm --cached and a commit, and merge again`,
      );
    }
    if (outcome !== "conflict") continue;
    if (unresolvedBy !== undefined) {
      context.note(
        `${unresolvedBy} was to resolve the conflict of ${taskId} and has not: orchestra logs ${unresolvedBy}`,
      );
    }
    if (resolvedBy === undefined) open.push(report);
    else {
      context.note(
        isResolved
          ? `${resolvedBy} has resolved the conflict of ${taskId}: orchestra merge ${resolvedBy}`
          : `${resolvedBy} resolves the conflict of ${taskId}: when it is complete, orchestra merge ${resolvedBy}`,
      );
    }
  }
  const [first] = open;
  if (first === undefined) return;
  const agent = resolve ?? "AGENT";
  const files = nameFiles([...new Set(open.flatMap(({ files = [] }) => files))]);
  const which = all ? "--all" : open.map(({ taskId }) => taskId).join(" ");
  context.note(`Let an agent resolve ${files}: orchestra merge ${which} --resolve ${agent}`);
  const hand = open.slice(0, 3).map(({ branch }) => branch);
  context.note(
    `Or do it yourself${open.length > 3 ? ", one after the other, beginning with" : ""}: ` +
      byHand(into, open.length > 3 ? hand.slice(0, 1) : hand),
  );
}
