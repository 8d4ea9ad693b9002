// Which branches and worktrees of tasks may go. What is integrated, clean and of a task at rest goes by
// itself; what has more to it only where it is asked for by name, after a backup; and what a backup
// would not hold never. Pure: the words are made in format/.

import { branchOf } from "./branch.ts";
import { latestAttempt, lookUp, retryChain, type TaskIndex } from "./dependencies.ts";
import { isAtRest, isTerminal, type Task } from "../task/fields.ts";

/**
 * By which way a branch is in its target:
 * - `same`: both are at one commit;
 * - `ancestor`: the target has its commits;
 * - `empty`: between where they parted and its tip nothing differs;
 * - `squashed`: one commit of the target does what all of its commits do together;
 * - `picked`: for each of its commits the target has one that does the same;
 * - `merged`: a merge would leave the target's files as they are.
 */
export type Way = "same" | "ancestor" | "empty" | "squashed" | "picked" | "merged";

/** How it stands with the task of a branch. */
export type Owner =
  /** It has come to its end, and nothing of it lives. */
  | { readonly kind: "rest" }
  /** It waits, runs, or ends; or one that goes on in its branch does. */
  | { readonly kind: "active"; readonly taskId: string; readonly status: string }
  /** A task that is not over builds on it. */
  | { readonly kind: "needed"; readonly by: string }
  /** Its file cannot be read. */
  | { readonly kind: "unreadable" }
  /** It is one of another workspace, whose root this is. */
  | { readonly kind: "other"; readonly root: string }
  /** There is none here. Another workspace in the same repository, which is not known, may have it. */
  | { readonly kind: "none" };

/** What is in a worktree beside its branch. */
export interface Contents {
  /** Files that differ from the last commit. */
  readonly changed: number;
  /** Files that git does not know, and does not ignore. */
  readonly untracked: number;
  /** What of git's is going on in it: a merge, a rebase; null for nothing. */
  readonly operation: string | null;
  /** Initialised sub-modules, whose commits may be nowhere else. */
  readonly submodules: boolean;
  /** Repositories in it that are none of git's own doing here, relative to its top. */
  readonly nested: readonly string[];
  /** Why it is locked, where it was not Orchestra that did it; null where it is not. */
  readonly locked: string | null;
  /** Locks of git's own that stand in it, by name. */
  readonly gitLocks: readonly string[];
  /** The branch that is checked out; null where there is none. */
  readonly branch: string | null;
  /** Whether it stands at a commit that neither its branch nor any other has. */
  readonly loose: boolean;
  /** Processes that are in it, as far as they can be seen. */
  readonly users: readonly number[];
}

/** How it stands with the folder of a branch. */
export type Folder =
  /** There is none. */
  | { readonly kind: "none" }
  /** Git knows of one, and it is gone. */
  | { readonly kind: "gone"; readonly contents: Contents }
  /** Something else stands where it should be, or git does not know it as a worktree of this repository. */
  | { readonly kind: "foreign"; readonly problem: string }
  /** It cannot be looked at. */
  | { readonly kind: "unseen"; readonly problem: string }
  /** Whoever made it was killed before all files were there. */
  | { readonly kind: "half"; readonly contents: Contents }
  | { readonly kind: "there"; readonly contents: Contents };

/** A branch or a worktree of a task, and what is known of it. */
export interface Place {
  readonly owner: Owner;
  /** Its branch; null where it has none any more. */
  readonly branch: string | null;
  readonly folder: Folder;
  /** By which way the branch is in the target; null where it is not. */
  readonly way: Way | null;
  /** Where the branch is checked out beside its own folder; null where it is not. */
  readonly elsewhere: string | null;
  /** Whether it is itself what others are to be in. */
  readonly isTarget: boolean;
}

/** Why something stays. */
export type Kept =
  | { readonly code: "active"; readonly taskId: string; readonly status: string }
  | { readonly code: "needed"; readonly by: string }
  | { readonly code: "unreadable" }
  | { readonly code: "other-workspace"; readonly root: string }
  | { readonly code: "foreign"; readonly problem: string }
  | { readonly code: "unseen"; readonly problem: string }
  | { readonly code: "locked"; readonly reason: string }
  | { readonly code: "submodules" }
  | { readonly code: "nested"; readonly paths: readonly string[] }
  | { readonly code: "git-locks"; readonly names: readonly string[] }
  | { readonly code: "in-use"; readonly pids: readonly number[] }
  | { readonly code: "elsewhere"; readonly path: string }
  | { readonly code: "target" }
  | { readonly code: "no-task" }
  | { readonly code: "operation"; readonly operation: string }
  | { readonly code: "changed"; readonly changed: number; readonly untracked: number }
  | { readonly code: "loose" }
  | { readonly code: "other-branch"; readonly branch: string }
  | { readonly code: "not-integrated" };

/** What becomes of a place. */
export type Cleaning =
  | { readonly kind: "remove" }
  | {
    readonly kind: "keep";
    readonly why: Kept;
    /** Whether it goes where it is asked for by name: a backup holds all that would be lost. */
    readonly forcible: boolean;
  };

const keep = (why: Kept, forcible = false): Cleaning => ({ kind: "keep", why, forcible });

/**
 * What becomes of a branch and its worktree.
 *
 * @param forced whether it is asked for by name
 */
export function decideCleaning(place: Place, forced: boolean): Cleaning {
  const never = neverLost(place);
  if (never !== undefined) return keep(never);
  const unless = onlyByName(place);
  return unless === undefined || forced ? { kind: "remove" } : keep(unless, true);
}

/** What no backup would hold, or who is not to be disturbed. */
function neverLost({ owner, folder, elsewhere, isTarget }: Place): Kept | undefined {
  switch (owner.kind) {
    case "active":
      return { code: "active", taskId: owner.taskId, status: owner.status };
    case "needed":
      return { code: "needed", by: owner.by };
    case "unreadable":
      return { code: "unreadable" };
    case "other":
      return { code: "other-workspace", root: owner.root };
  }
  if (elsewhere !== null) return { code: "elsewhere", path: elsewhere };
  if (isTarget) return { code: "target" };
  if (folder.kind === "foreign") return { code: "foreign", problem: folder.problem };
  if (folder.kind === "unseen") return { code: "unseen", problem: folder.problem };
  if (folder.kind === "none") return undefined;
  const { locked, submodules, nested, gitLocks, users } = folder.contents;
  if (locked !== null) return { code: "locked", reason: locked };
  if (submodules) return { code: "submodules" };
  if (nested.length > 0) return { code: "nested", paths: nested };
  if (gitLocks.length > 0) return { code: "git-locks", names: gitLocks };
  if (users.length > 0) return { code: "in-use", pids: users };
  return undefined;
}

/** What goes only where it is asked for by name, after a backup. */
function onlyByName({ owner, branch, folder, way }: Place): Kept | undefined {
  if (owner.kind === "none") return { code: "no-task" };
  if ("contents" in folder) {
    const { operation, changed, untracked, loose } = folder.contents;
    if (operation !== null) return { code: "operation", operation };
    // Without its files nobody has worked there: those that it lacks are no change of anybody's.
    if (changed + untracked > 0 && folder.kind !== "half") {
      return { code: "changed", changed, untracked };
    }
    if (loose) return { code: "loose" };
    const other = folder.contents.branch;
    if (other !== null && branch !== null && other !== branch) {
      return { code: "other-branch", branch: other };
    }
  }
  return branch !== null && way === null ? { code: "not-integrated" } : undefined;
}

/** All tasks, as far as it matters whose a branch is. */
export interface Tasks {
  /** Those that are not archived. */
  readonly tasks: readonly Task[];
  readonly index: TaskIndex;
  /** Ids of those whose files cannot be read. */
  readonly damaged: ReadonlySet<string>;
  /** Whether a task that is not among them was one of this workspace: it is archived, or was removed. */
  isOver(id: string): boolean;
  /** Root of the other workspace that has a task; undefined where none is known to have it. */
  rootOf(id: string): string | undefined;
}

/**
 * How it stands with the tasks of a branch.
 *
 * @param ids of those that worked on it, or after which it is named
 * @param branch null where it has none
 */
export function ownerOf(
  ids: readonly string[],
  branch: string | null,
  { tasks, index, damaged, isOver, rootOf }: Tasks,
): Owner {
  if (ids.some((id) => damaged.has(id))) return { kind: "unreadable" };
  const known = ids.flatMap((id) => lookUp(id, index) ?? []);
  // Also whoever goes on in it, or is to go on with what one of them began.
  const heirs = tasks.filter((task) => branch !== null && branchOf(task)?.branch === branch);
  const all = [...known, ...heirs, ...known.map((task) => latestAttempt(task, index))];
  const active = all.find((task) => !isAtRest(task) || task.retryAt !== null);
  if (active !== undefined) {
    return { kind: "active", taskId: active.taskId, status: active.status };
  }
  const chain = new Set(known.flatMap((task) => retryChain(task, index)).map((it) => it.taskId));
  const waits = tasks.find((task) =>
    !isTerminal(task.status) && task.dependsOn.some((id) => {
      const dependency = lookUp(id, index);
      return dependency !== undefined &&
        retryChain(dependency, index).some(({ taskId }) => chain.has(taskId));
    })
  );
  if (waits !== undefined) return { kind: "needed", by: waits.taskId };
  if (known.length + heirs.length > 0 || ids.some(isOver)) return { kind: "rest" };
  const root = ids.map(rootOf).find((found) => found !== undefined);
  return root === undefined ? { kind: "none" } : { kind: "other", root };
}

/** What is known of a lock file of git's. */
export interface LockFacts {
  /** When it was made, milliseconds since the epoch. */
  readonly since: number;
  readonly now: number;
  /** When each git that runs on this machine began; null where they cannot all be seen. */
  readonly gits: readonly number[] | null;
  /** Processes that have it open; null where that cannot be seen. */
  readonly holders: readonly number[] | null;
  /** Whether it is on a disk that only this machine has; null where that is not known. */
  readonly local: boolean | null;
}

/** No git of ours or of anybody's is so long in the middle of a change, milliseconds. */
export const STALE_AFTER = 10 * 60_000;
/** Times of files and of processes are told by clocks that differ by less, milliseconds. */
export const CLOCK_SLACK = 5_000;

/**
 * Whether nobody can have a lock file of git's any more: all who could are seen, none of them has it open
 * or began before it was made, and it is not new.
 */
export function isStale({ since, now, gits, holders, local }: LockFacts): boolean {
  return local === true && now - since > STALE_AFTER &&
    holders !== null && holders.length === 0 &&
    gits !== null && gits.every((began) => began > since + CLOCK_SLACK);
}
