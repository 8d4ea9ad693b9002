// What is merged, how each is confirmed, and what is in the way of it: for `merge`.

import { branchOf } from "../decide/branch.ts";
import { prepareLaunch } from "../decide/launch_plan.ts";
import { mergeMessage, type MergeMode } from "../decide/merging.ts";
import { shellLine } from "../launch/find.ts";
import { definitionOf, type Queue, type Rules } from "../queue/queue.ts";
import { placesOf } from "../store/places.ts";
import { OrchestraError } from "../task/error.ts";
import type { Task } from "../task/fields.ts";
import { ask } from "../worktree/git.ts";
import type { Mergeable, MergeOptions, MergePlan } from "../worktree/merge.ts";
import { checkCheckouts, InTheWay, type MovePlace } from "../worktree/perform.ts";
import type { ScratchPlace } from "../worktree/scratch.ts";
import type { Target } from "../worktree/target.ts";
import type { Verifier } from "../worktree/verify.ts";
import type { Chosen } from "./merge_choice.ts";
import type { Branched } from "./merging.ts";

/** What the parts of the command share. */
export interface Place extends MovePlace, ScratchPlace {
  readonly queue: Queue;
  readonly rules: Rules;
}

/** A task as it is merged. */
export function itemOf(
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

/** What is in the way of a plan in a working copy, and which of the tasks needs it to be gone. */
export async function obstacleOf(
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
export async function comingAlong(
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
