// The branches and worktrees of tasks that a repository has: those that tasks name, and those whose tasks
// are gone. What a task's file says is only compared with what git itself knows: anybody may have written it.

import { branchOf } from "../decide/branch.ts";
import { lstat } from "../store/files.ts";
import { realFolder } from "../store/paths.ts";
import type { Task } from "../task/fields.ts";
import { isTaskId } from "../task/id.ts";
import { readText } from "./disk.ts";
import { ask } from "./git.ts";
import { adminFolder, lockOf, taskOf } from "./record.ts";
import { listWorktrees, type Repository, samePath, type WorktreeEntry } from "./repository.ts";

/** A branch of a task, and its worktree. */
export interface Found {
  /** The last of the tasks that worked on it, or the one after which it is named. */
  readonly taskId: string;
  /** The tasks that worked on it, oldest first; none where they are gone. */
  readonly tasks: readonly Task[];
  /** Its name without `refs/heads/`; null where git has no such branch. */
  readonly branch: string | null;
  /** Its commit; null without a branch. */
  readonly tip: string | null;
  /** Commit that the first of its tasks began from; null where that is not known. */
  readonly base: string | null;
  /** Where its worktree is, or is said to be; null where neither git nor a task knows of one. */
  readonly path: string | null;
  /** The worktree as git knows it; undefined where it does not. */
  readonly entry: WorktreeEntry | undefined;
  /** Where else the branch is checked out; null where it is not. */
  readonly elsewhere: string | null;
}

/** What is looked for. */
export interface Search {
  /** All tasks that are not archived. */
  readonly tasks: readonly Task[];
  /** A task that is. */
  archived?(id: string): Task | undefined;
  /** Names of branches: the setting `worktrees.branch`. */
  readonly pattern: string;
  /** Where worktrees are made; null where that cannot be told. */
  readonly folder: string | null;
}

const ID = "task_\\d{10,20}";
/** What we write where we lock a worktree. */
const REASON = new RegExp(`^orchestra (${ID})$`);
const ANY_ID = new RegExp(`(?<![0-9A-Za-z_])${ID}(?!\\d)`);

/** Matches the names of branches that a setting makes, with the task's id as its first group. */
export function patternOf(setting: string): RegExp {
  const parts = setting.split("{taskId}")
    .map((part) => part.replace(/[\\^$.*+?()[\]{}|/-]/g, "\\$&"));
  return new RegExp(`^${parts.join(`(${ID})`)}$`);
}

/** A branch while it is put together. */
interface Draft {
  taskId: string;
  tasks: Task[];
  branch: string;
  base: string | null;
  path: string | null;
  entry: WorktreeEntry | undefined;
  elsewhere: string | null;
}

/**
 * Finds them, by the ids of their tasks.
 *
 * @throws GitError where git does not tell
 */
export async function findBranches(
  repo: Repository,
  { tasks, archived, pattern, folder }: Search,
): Promise<Found[]> {
  const [tips, entries] = await Promise.all([branchTips(repo), listWorktrees(repo)]);
  const byId = new Map(tasks.map((task) => [task.taskId, task]));
  const drafts = new Map<string, Draft>();
  const draft = (branch: string, taskId: string): Draft => {
    const known = drafts.get(branch);
    if (known !== undefined) return known;
    const fresh = {
      taskId,
      tasks: [],
      branch,
      base: null,
      path: null,
      entry: undefined,
      elsewhere: null,
    };
    drafts.set(branch, fresh);
    return fresh;
  };
  for (const task of [...tasks].sort((a, b) => a.taskId < b.taskId ? -1 : 1)) {
    const told = branchOf(task);
    // Every name that we give has an id in it: whatever else a file says is a branch of somebody's own.
    if (told === null || !ANY_ID.test(told.branch)) continue;
    const of = draft(told.branch, task.taskId);
    of.taskId = task.taskId;
    of.tasks.push(task);
    of.base ??= told.base;
    of.path = told.path;
  }
  const named = patternOf(pattern);
  for (const branch of tips.keys()) {
    const id = named.exec(branch)?.[1];
    if (id === undefined || drafts.has(branch)) continue;
    const of = draft(branch, id);
    // Of one that was killed before its file told of the branch, that is all that is known.
    const task = byId.get(id) ?? archived?.(id);
    if (task === undefined) continue;
    of.tasks.push(task);
    const told = branchOf(task);
    if (told?.branch === branch) Object.assign(of, { base: told.base, path: told.path });
  }
  const lone: Draft[] = [];
  for (const entry of entries) {
    const of = entry.branch === null ? undefined : drafts.get(entry.branch);
    // One in which the workspace itself lies is the user's.
    const isUsers = entry.isMain || samePath(entry.path, repo.top);
    const named = isUsers ? undefined : idOf(entry, folder, of);
    const id = named !== undefined && await isOfATask(repo, entry) ? named : undefined;
    if (id === undefined) {
      if (entry.prunable !== null) continue;
      if (of !== undefined) of.elsewhere = entry.path;
      else if (entry.branch === null && !entry.bare) {
        for (const branch of await heldIn(repo, entry)) {
          const held = drafts.get(branch);
          if (held !== undefined) held.elsewhere = entry.path;
        }
      }
      continue;
    }
    // An agent may have checked out another branch in it: whose it is, the lock tells.
    const owner = [...drafts.values()].find((it) => isOf(it, id)) ??
      (of?.entry === undefined ? of : undefined);
    if (of !== undefined && of !== owner) of.elsewhere = entry.path;
    if (owner !== undefined) Object.assign(owner, { entry, path: entry.path });
    else {
      lone.push({
        taskId: id,
        tasks: [],
        branch: "",
        base: null,
        path: entry.path,
        entry,
        elsewhere: null,
      });
    }
  }
  for (const path of strangers(folder, entries)) {
    const id = path.slice(path.lastIndexOf("/") + 1);
    const owner = [...drafts.values()].find((it) => it.path === path || holds(it.branch, id));
    if (owner !== undefined) owner.path ??= path;
    else {lone.push({
        taskId: id,
        tasks: [],
        branch: "",
        base: null,
        path,
        entry: undefined,
        elsewhere: null,
      });}
  }
  const all = [...drafts.values(), ...lone].map((it): Found => {
    const own = it.tasks.length > 0 ? undefined : byId.get(it.taskId) ?? archived?.(it.taskId);
    return {
      ...it,
      tasks: own === undefined ? it.tasks : [own],
      branch: tips.has(it.branch) ? it.branch : null,
      tip: tips.get(it.branch) ?? null,
    };
  });
  return all.filter(({ branch, entry, path }) =>
    branch !== null || entry !== undefined || (path !== null && lstat(path) !== undefined)
  ).sort((a, b) => a.taskId < b.taskId ? -1 : a.taskId > b.taskId ? 1 : 0);
}

function isOf({ taskId, tasks, branch, entry }: Draft, id: string): boolean {
  return entry === undefined &&
    (taskId === id || tasks.some((task) => task.taskId === id) || holds(branch, id));
}

function holds(branch: string, id: string): boolean {
  return ANY_ID.exec(branch)?.[0] === id;
}

/** The task of a worktree that we made; undefined for one of somebody else's. */
function idOf(
  entry: WorktreeEntry,
  folder: string | null,
  of: Draft | undefined,
): string | undefined {
  const locked = REASON.exec(entry.locked ?? "")?.[1];
  if (locked !== undefined) return locked;
  const at = entry.path.lastIndexOf("/");
  const name = entry.path.slice(at + 1);
  if (folder !== null && isTaskId(name) && samePath(entry.path.slice(0, at), realOf(folder))) {
    return name;
  }
  return of?.path !== null && of?.path !== undefined && samePath(of.path, entry.path)
    ? of.taskId
    : undefined;
}

/**
 * Whether a worktree was made for a task, and not only locked as if it were: git has named its record after
 * the folder that we gave it, the two lead to each other, and the record has the lock that git tells of.
 */
async function isOfATask(repo: Repository, { path, locked }: WorktreeEntry): Promise<boolean> {
  const record = await adminFolder(repo, path);
  return record !== undefined && taskOf(record) !== undefined &&
    await lockOf(record) === (locked ?? null);
}

/** Branches that a working copy at a commit has left for a moment: to rebase them, or to look for something. */
async function heldIn(repo: Repository, { path, isMain }: WorktreeEntry): Promise<string[]> {
  const own = isMain ? repo.gitDir : await adminFolder(repo, path);
  if (own === undefined) return [];
  const names = ["rebase-merge/head-name", "rebase-apply/head-name", "rebase-merge/update-refs"];
  const texts = await Promise.all([...names, "BISECT_START"].map((it) => readText(`${own}/${it}`)));
  return texts.flatMap((text) => text?.split("\n") ?? [])
    .map((line) => line.replace(/^refs\/heads\//, "").trim());
}

/** Git tells where things really are. */
function realOf(folder: string): string {
  try {
    return realFolder(folder);
  } catch {
    return folder;
  }
}

/** What stands where worktrees are made, is named after a task, and is none that git knows. */
function strangers(folder: string | null, entries: readonly WorktreeEntry[]): string[] {
  if (folder === null) return [];
  const real = realOf(folder);
  try {
    return [...Deno.readDirSync(real)].filter(({ name }) => isTaskId(name))
      .map(({ name }) => `${real}/${name}`)
      .filter((path) => !entries.some((entry) => samePath(entry.path, path)));
  } catch {
    // There are none yet, or we may not look.
    return [];
  }
}

/** The commits of all branches, by their names. */
async function branchTips({ gitDir }: Repository): Promise<Map<string, string>> {
  const list = await ask(gitDir, [
    "for-each-ref",
    "--format=%(objectname) %(refname)",
    "refs/heads",
  ]);
  return new Map(
    list.split("\n").filter((line) => line !== "").map((line) => {
      const at = line.indexOf(" ");
      return [line.slice(at + 1).replace(/^refs\/heads\//, ""), line.slice(0, at)];
    }),
  );
}
