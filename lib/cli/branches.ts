// The branches and worktrees of a workspace's tasks, for the commands that show and clean them.

import { lstat } from "../store/files.ts";
import { once } from "../queue/names.ts";
import { listWorkspaces } from "../workspaces/registry.ts";
import { archivedDependencies } from "../store/archive.ts";
import { readEvents } from "../store/events.ts";
import { indexTasks } from "../decide/dependencies.ts";
import { branchOf } from "../decide/branch.ts";
import { ownerOf } from "../decide/cleaning.ts";
import type { BranchRow } from "../format/worktrees.ts";
import type { Queue } from "../queue/queue.ts";
import type { Config } from "../settings/config_fields.ts";
import { parseTime, type Task } from "../task/fields.ts";
import { authorOf } from "../worktree/author.ts";
import type { CleanRequest } from "../worktree/clean.ts";
import { worktreeFolder } from "../worktree/folder.ts";
import { OURS } from "../worktree/make.ts";
import { type Goal, goalOf, lookAt, type Seen } from "../worktree/look.ts";
import { mergedBefore } from "../worktree/merge.ts";
import { type MergeRecord, readRecord } from "../worktree/merge_record.ts";
import { findBranches, type Found } from "../worktree/orphans.ts";
import { findRepository, listWorktrees, type Repository } from "../worktree/repository.ts";

/** The branches of a workspace. */
export interface Branches {
  readonly repo: Repository;
  readonly request: CleanRequest;
  /** Those that there are. */
  find(): Promise<Found[]>;
  /** Looks at all of them, or at those that are named. */
  look(ids?: ReadonlySet<string>): Promise<Seen[]>;
}

/** So many are looked at at once: each starts a dozen gits. */
const AT_ONCE = 4;

/**
 * Opens them.
 *
 * @param into what they are to be in; null for what is checked out
 * @throws OrchestraError where the workspace is in no repository, or `into` names no commit
 */
export async function openBranches(
  { store }: Queue,
  config: Config,
  into: string | null,
): Promise<Branches> {
  const repo = await findRepository(store.root, "No task has a branch here");
  const goal = await goalWithMerges(store, repo, into);
  const { branch: pattern, folder, author } = config.worktrees;
  const archived = (id: string): Task | undefined => {
    try {
      return store.readArchived(id);
    } catch {
      // Damaged: where its branch is, its name tells.
      return undefined;
    }
  };
  let scan = store.scan();
  const search = () => {
    scan = store.scan();
    return { tasks: scan.tasks, archived, pattern, folder: placeOf(repo, folder) };
  };
  let removed: ReadonlySet<string> = new Set();
  const linked = await linkedRoots(repo);
  const others = once(() => [...otherRoots(), ...linked].filter((root) => root !== store.root));
  const owner = ({ taskId, tasks, branch }: Found) =>
    ownerOf([taskId, ...tasks.map((task) => task.taskId)], branch, {
      tasks: scan.tasks,
      index: indexTasks(scan.tasks, archivedDependencies(store, scan.tasks)),
      damaged: new Set(
        scan.damaged.map(({ file }) => /([^/\\]*?)\.json$/.exec(file)?.[1] ?? file),
      ),
      isOver: (id) => store.isArchived(id) || removed.has(id),
      rootOf: (id) => others().find((root) => hasTask(root, id)),
    });
  const request = { search, owner, goal, author: await authorOf(repo, author) };
  const find = () => findBranches(repo, search());
  if ((await find()).some((found) => owner(found).kind === "none")) {
    removed = await removedFrom(store);
  }
  return {
    repo,
    request,
    find,
    async look(ids) {
      const all = await find();
      const some = ids === undefined ? all : all.filter(({ taskId }) => ids.has(taskId));
      return await eachOf(some, (found) => lookAt(repo, found, owner(found), goal));
    },
  };
}

/** What branches are to be in, with what merges of this workspace have brought there. */
async function goalWithMerges(
  store: Queue["store"],
  repo: Repository,
  into: string | null,
): Promise<Goal> {
  const goal = await goalOf(repo, into);
  const { branch: name, commit } = goal;
  if (name === null) return goal;
  let record: MergeRecord;
  try {
    record = readRecord(store);
  } catch {
    // Damaged: `merge` says so.
    return goal;
  }
  const before = mergedBefore(repo, record, { ref: `refs/heads/${name}`, commit });
  const ways = {
    "merge": "ancestor",
    "no-ff": "ancestor",
    squash: "squashed",
    rebase: "picked",
  } as const;
  return {
    ...goal,
    async broughtBy(tip) {
      const how = await before(tip);
      return how === null ? null : ways[how];
    },
  };
}

/**
 * Where in the user's own worktrees of the repository workspaces may be: in the list of those that are known a
 * linked worktree counts as its main checkout.
 */
async function linkedRoots(repo: Repository): Promise<string[]> {
  const paths = (await listWorktrees(repo))
    .flatMap(({ path, locked }) => locked?.startsWith(OURS) ? [] : path);
  return repo.prefix === "" ? paths : [...paths, ...paths.map((path) => `${path}/${repo.prefix}`)];
}

/** Roots of the workspaces that are known; none where we may not look at the list of them. */
function otherRoots(): string[] {
  try {
    return listWorkspaces().map(({ root }) => root);
  } catch {
    return [];
  }
}

/** Whether a workspace has a task, archived or not. */
function hasTask(root: string, id: string): boolean {
  try {
    return ["tasks", "archive"].some((folder) =>
      lstat(`${root}/.orchestra/${folder}/${id}.json`) !== undefined
    );
  } catch {
    return false;
  }
}

/** Where worktrees are made; null where the environment names no place. */
function placeOf(repo: Repository, setting: string | null): string | null {
  try {
    return worktreeFolder(repo, setting);
  } catch {
    return null;
  }
}

/** Tasks that were removed from this workspace, as far as its history goes back. */
export async function removedFrom(store: Queue["store"]): Promise<Set<string>> {
  const ids = new Set<string>();
  for await (const { event, task } of readEvents(store)) {
    if (event === "removed" && task !== undefined) ids.add(task);
  }
  return ids;
}

/** Does something with each of many, some of them at once; what came of each, in order. */
export async function eachOf<T, U>(
  items: readonly T[],
  act: (item: T) => Promise<U>,
): Promise<U[]> {
  const outcomes: U[] = [];
  const next = items.entries();
  const worker = async () => {
    for (const [at, item] of next) outcomes[at] = await act(item);
  };
  await Promise.all(Array.from({ length: AT_ONCE }, worker));
  return outcomes;
}

/** A branch as it is shown. */
export function rowOf({ store }: Pick<Queue, "store">, seen: Seen): BranchRow {
  const { found, place, bytes, ahead, behind } = seen;
  const { taskId, tasks, branch, base, tip, path, entry } = found;
  const task = tasks.at(-1);
  const began = tasks[0]?.startedAt ?? tasks[0]?.createdAt;
  return {
    taskId,
    key: task?.key ?? null,
    status: place.owner.kind === "none"
      ? "unknown"
      : place.owner.kind === "other"
      ? "elsewhere"
      : place.owner.kind === "unreadable"
      ? "damaged"
      : task === undefined
      ? "removed"
      : store.isArchived(taskId)
      ? "archived"
      : task.status,
    branch,
    base,
    tip,
    path: entry?.path ?? (place.folder.kind === "none" ? null : path),
    place,
    bytes,
    since: began === undefined ? timeOf(taskId) : parseTime(began),
    ahead,
    behind,
    left: task === undefined ? null : branchOf(task)?.left ?? null,
  };
}

/** An id begins with the time at which the task was made; null where that makes no sense. */
function timeOf(taskId: string): number | null {
  const millis = Number(taskId.slice("task_".length, "task_".length + 13));
  return millis > 1e12 ? millis : null;
}
