// Which tasks `merge` takes: those that are named, or all that are complete and have a branch that is not in
// the target yet; and what of their work no merge can bring.

import { branchOf } from "../decide/branch.ts";
import { resolversOf } from "../decide/merging.ts";
import type { Queue } from "../queue/queue.ts";
import { OrchestraError } from "../task/error.ts";
import { isAtRest, type Task, type TaskBranch } from "../task/fields.ts";
import { ask } from "../worktree/git.ts";
import { integratedBy, isAncestor } from "../worktree/integrated.ts";
import type { MergeOptions } from "../worktree/merge.ts";
import { patternOf } from "../worktree/orphans.ts";
import { listWorktrees, type Repository } from "../worktree/repository.ts";
import type { Target } from "../worktree/target.ts";
import { eachOf, removedFrom } from "./branches.ts";
import { type Branched, branched, tipOf, type Uncommitted, uncommittedIn } from "./merging.ts";

/** A task that is to be merged. */
export interface Chosen extends Branched {
  /** What of its work is in no commit; null where all is. */
  readonly uncommitted: Uncommitted | null;
}

/** What is needed to choose. */
export interface ChoicePlace {
  readonly queue: Queue;
  readonly repo: Repository;
  /** The setting `worktrees.branch`. */
  readonly pattern: string;
}

/** What is to be merged. */
export interface Choice {
  readonly chosen: readonly Chosen[];
  /** Branches that are not in the target, and whose tasks were removed. */
  readonly removed: readonly string[];
}

interface Candidate {
  readonly task: Task;
  readonly git: TaskBranch;
  readonly tip: string;
  /** Whether its branch is there; one that was given up is not merged unless it is named. */
  readonly hasBranch: boolean;
}

/** All that is complete and not in the target yet, archived or not; and all of which something is in no commit. */
export async function mergeableTasks(
  place: ChoicePlace,
  tasks: readonly Task[],
  target: Target,
  before: MergeOptions["before"],
): Promise<Choice> {
  const { repo, queue: { store } } = place;
  const { tips, within } = await branchesOf(repo, target);
  const complete = tasks.filter((task) => task.status === "complete" && isAtRest(task));
  const named = new Set(tasks.flatMap((task) => branchOf(task)?.branch ?? []));
  const pattern = patternOf(place.pattern);
  const archived: Task[] = [];
  const strange: { id: string; branch: string }[] = [];
  for (const branch of tips.keys()) {
    const id = pattern.exec(branch)?.[1];
    if (id === undefined || named.has(branch) || branch === target.name) continue;
    const task = store.isArchived(id) ? readable(() => store.readArchived(id)) : undefined;
    if (task === undefined) {
      if (!within.has(branch) && !store.has(id)) strange.push({ id, branch });
    } else if (task.status === "complete" && branchOf(task)?.branch === branch) archived.push(task);
  }
  const candidates = (await eachOf([...complete, ...archived], async (task) => {
    const git = branchOf(task);
    if (git === null || git.branch === target.name) return null;
    const own = tips.get(git.branch);
    const tip = own ?? await tipOf(repo, git);
    return tip === null ? null : { task, git, tip, hasBranch: own !== undefined };
  })).filter((one): one is Candidate => one !== null);
  const isThere = async ({ git, tip, hasBranch }: Candidate) =>
    hasBranch && within.has(git.branch) || await before(tip) !== null ||
    await integratedBy(repo, tip, target.commit, git.base) !== null;
  const there = await eachOf(candidates, isThere);
  /** Tips of what the target has already, by their tasks. */
  const had = new Map(
    candidates.flatMap(({ task, tip }, at) => there[at] ? [[task.taskId, tip] as const] : []),
  );
  const entries = await listWorktrees(repo);
  const chosen: Chosen[] = [];
  for (const [at, { task, git, tip, hasBranch }] of candidates.entries()) {
    const uncommitted = await uncommittedIn(repo, git, entries);
    if (there[at]) {
      if (uncommitted !== null) chosen.push({ task, git, tip, uncommitted });
      continue;
    }
    if (!hasBranch) continue;
    // Who resolved its conflict has its commits, also where that came in as another commit.
    const resolved = resolversOf(task.taskId, [...tasks, ...archived]).flatMap(({ taskId }) =>
      had.get(taskId) ?? []
    );
    const isIn = await Promise.all(resolved.map((own) => isAncestor(repo.top, tip, own)));
    if (!isIn.includes(true)) chosen.push({ task, git, tip, uncommitted });
  }
  return { chosen, removed: await removedOf(place, strange, tips, target, before) };
}

/** Branches of tasks that were removed, and that are not in the target. */
async function removedOf(
  { repo, queue: { store } }: ChoicePlace,
  strange: readonly { id: string; branch: string }[],
  tips: ReadonlyMap<string, string>,
  target: Target,
  before: MergeOptions["before"],
): Promise<string[]> {
  if (strange.length === 0) return [];
  const ids = await removedFrom(store);
  const own = strange.filter(({ id }) => ids.has(id));
  const open = await eachOf(own, async ({ branch }) => {
    const tip = tips.get(branch)!;
    return await before(tip) === null &&
      await integratedBy(repo, tip, target.commit, null) === null;
  });
  return own.filter((_, at) => open[at]).map(({ branch }) => branch);
}

/** The commits of all branches, and those that the target has whole: two questions, however many there are. */
async function branchesOf(
  { gitDir }: Repository,
  { commit }: Target,
): Promise<{ tips: Map<string, string>; within: Set<string> }> {
  const format = "--format=%(objectname) %(refname)";
  const list = async (...args: string[]) => {
    const said = await ask(gitDir, ["for-each-ref", format, ...args, "refs/heads"]);
    return said.split("\n").filter((line) => line !== "").map((line): [string, string] => {
      const at = line.indexOf(" ");
      return [line.slice(at + 1).replace(/^refs\/heads\//, ""), line.slice(0, at)];
    });
  };
  const [all, merged] = await Promise.all([list(), list(`--merged=${commit}`)]);
  return { tips: new Map(all), within: new Set(merged.map(([name]) => name)) };
}

function readable(read: () => Task | undefined): Task | undefined {
  try {
    return read();
  } catch {
    // Damaged: `doctor` says so.
    return undefined;
  }
}

/**
 * The tasks that are named.
 *
 * @param note says what is worth knowing of one
 * @throws OrchestraError as of {@linkcode branched}; `usage` where one's branch is the target
 */
export async function namedTasks(
  { queue, repo }: ChoicePlace,
  target: Target,
  ids: ReadonlySet<string>,
  note: (text: string) => void,
): Promise<Chosen[]> {
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
  const { tips } = await branchesOf(repo, target);
  const entries = await listWorktrees(repo);
  const chosen: Chosen[] = [];
  for (const one of found) {
    const { task: { taskId, status }, git, tip } = one;
    if (status !== "complete") {
      note(
        `${taskId} ${
          status === "failed" ? "has failed" : `was ${status}`
        }: what its branch has is merged all the same`,
      );
    }
    if (!tips.has(git.branch)) {
      note(
        `${taskId}: its branch ${git.branch} was removed; the commit ${tip.slice(0, 10)} that it ` +
          "left is merged all the same",
      );
    }
    chosen.push({ ...one, uncommitted: await uncommittedIn(repo, git, entries) });
  }
  return chosen;
}
