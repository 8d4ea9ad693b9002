// Finished tasks moved out of the way, and back. A task's files move one by one, its own file last:
// killed in the middle, the task is where it was and the rest moves with the next attempt.

import { lstat, renameFile } from "./files.ts";
import { PLANS, setupLogOf } from "./places.ts";
import { isOwnMark } from "../task/marks.ts";
import { hasDependencies, indexTasks } from "../decide/dependencies.ts";
import { type ArchivePolicy, pickArchivable } from "../decide/archiving.ts";
import { toOrchestraError } from "../task/error.ts";
import { closedOf, type Scan, type Store } from "./tasks.ts";
import { isTaskId, type Task } from "../task/fields.ts";

/** Names of a task's files in their usual place and in the archive. */
function filesOf(store: Store, task: Task): { home: string; archived: string }[] {
  const id = task.taskId;
  const archive = `${store.dir}/archive`;
  const files = [
    ...PLANS.map((end) => ({
      home: `${store.dir}/plans/${id}${end}`,
      archived: `${archive}/${id}${end}`,
    })),
    { home: `${store.dir}/logs/${id}.log`, archived: `${archive}/${id}.log` },
    { home: setupLogOf(store, id), archived: `${archive}/${id}.setup.log` },
  ];
  return files;
}

function move(from: string, to: string): void {
  try {
    renameFile(from, to);
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
}

/**
 * Moves the tasks that the policy picks into the archive, oldest first.
 *
 * @param onProblem told of each task whose files cannot be moved; it stays, the others go
 * @param most how many at once
 * @returns what was moved
 */
export function archiveFinished(
  store: Store,
  policy: ArchivePolicy,
  now: number,
  onProblem: (problem: string) => void,
  most = Infinity,
): Task[] {
  const pick = (scan: Scan) => pickArchivable(indexTasks(scan.tasks), policy, now);
  // What is read here need not be read again while others wait.
  const before = store.scan();
  const settled = closedOf(before.tasks);
  let scan = before;
  let mayGo = new Set<string>();
  const moved: Task[] = [];
  store.lockedEach(pick(before).slice(0, most), (task) => {
    const id = task.taskId;
    if (!mayGo.has(id)) return;
    try {
      archiveTask(store, task, scan.marks.get(id) ?? []);
      moved.push(task);
    } catch (error) {
      onProblem(toOrchestraError(error, `Archiving ${id}`).message);
    }
  }, () => {
    scan = store.scan(settled);
    mayGo = new Set(pick(scan).map(({ taskId }) => taskId));
  });
  return moved;
}

/** Moves a finished task into the archive; inside the workspace lock. */
export function archiveTask(store: Store, task: Task, marks: readonly string[]): void {
  const id = task.taskId;
  const fences: string[] = [];
  for (const mark of marks.filter(isOwnMark)) {
    // What we wrote ourselves is told by the task; what the agent wrote is kept.
    if (["done", "error", "cancelled", "timeout"].includes(mark)) {
      move(store.markPath(id, mark), `${store.dir}/archive/${id}.${mark}`);
    } else if (mark.endsWith(".pid")) fences.push(mark);
    else store.removeMark(id, mark);
  }
  for (const { home, archived } of filesOf(store, task)) move(home, archived);
  store.leave(task, "archived", () => {
    move(`${store.tasksDir}/${id}.json`, `${store.dir}/archive/${id}.json`);
  });
  // A late shim finds its fence, or no task; never neither.
  for (const mark of fences) store.removeMark(id, mark);
}

/** Moves an archived task back; inside the workspace lock. */
export function restoreTask(store: Store, task: Task): void {
  const id = task.taskId;
  for (const { home, archived } of filesOf(store, task)) move(archived, home);
  for (const mark of ["done", "error", "cancelled", "timeout"]) {
    move(`${store.dir}/archive/${id}.${mark}`, store.markPath(id, mark));
  }
  store.leave(task, "restored", () => {
    move(`${store.dir}/archive/${id}.json`, `${store.tasksDir}/${id}.json`);
  });
}

/** Ids in the archive, oldest first. */
export function archivedIds(store: Store): string[] {
  const ids: string[] = [];
  if (!store.isMade()) return ids;
  for (const { name, isFile } of Deno.readDirSync(`${store.dir}/archive`)) {
    if (isFile && name.endsWith(".json") && isTaskId(name.slice(0, -5))) {
      ids.push(name.slice(0, -5));
    }
  }
  return ids.sort((a, b) => a.length - b.length || (a < b ? -1 : 1));
}

/** Number and size of the archived tasks. */
export interface ArchiveStats {
  /** How many tasks. */
  tasks: number;
  /** All their files, bytes. */
  bytes: number;
}

/** Counts the archive. */
export function archiveStats(store: Store): ArchiveStats {
  let tasks = 0;
  let bytes = 0;
  if (!store.isMade()) return { tasks, bytes };
  for (const { name } of Deno.readDirSync(`${store.dir}/archive`)) {
    if (name.endsWith(".json")) tasks++;
    bytes += lstat(`${store.dir}/archive/${name}`)?.size ?? 0;
  }
  return { tasks, bytes };
}

/**
 * The archived tasks among some ids, with the retries that follow them: what dependencies need. The
 * archive is never listed for it, so its size costs nothing.
 *
 * @param ids what is looked for
 * @param known tasks that are not archived
 * @param found tasks found before
 */
export function findArchived(
  store: Store,
  ids: readonly string[],
  known: ReadonlyMap<string, Task>,
  found: ReadonlyMap<string, Task> = new Map(),
): Task[] {
  const result: Task[] = [];
  for (const first of ids) {
    const seen = new Set<string>();
    for (let id: string | null = first; id !== null && !seen.has(id);) {
      seen.add(id);
      // An attempt that is not archived may have been retried by one that is.
      const here: Task | undefined = known.get(id) ?? found.get(id);
      if (here !== undefined) {
        id = here.retriedBy;
        continue;
      }
      let task: Task | undefined;
      try {
        task = store.readArchived(id);
      } catch {
        // Damaged: as good as not there, and named by the doctor.
      }
      if (task === undefined) break;
      result.push(task);
      id = task.retriedBy;
    }
  }
  return result;
}

/** The archived tasks that pending ones depend on, by their ids, with the retries that follow them. */
export function archivedDependencies(store: Store, tasks: readonly Task[]): Map<string, Task> {
  const found = new Map<string, Task>();
  const waiting = tasks.filter((task) => task.status === "pending" && hasDependencies(task));
  if (waiting.length === 0) return found;
  const known = new Map(tasks.map((task) => [task.taskId, task]));
  for (const task of waiting) {
    for (const other of findArchived(store, task.dependsOn, known, found)) {
      found.set(other.taskId, other);
    }
  }
  return found;
}
