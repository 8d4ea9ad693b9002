// Which tasks change the same files without one building on the other: what is made of both must be
// brought together by somebody. Told before they start, from what each declares and from what those before
// them have changed. Pure.

import type { Task } from "../task/fields.ts";
import { branchOf } from "./branch.ts";
import { latestAttempt, lookUp, type TaskIndex } from "./dependencies.ts";
import { canMeet, isNamedBy } from "./globs.ts";

/** Two tasks that change the same files. */
export interface Overlap {
  /** Their ids, the older first. */
  readonly tasks: readonly [string, string];
  /** The files, or the globs where no more is known. */
  readonly files: readonly string[];
}

/** The overlaps among some tasks. */
export interface Overlaps {
  readonly all: readonly Overlap[];
  /** Those that a task has with others, and those among the tasks that it builds on. */
  of(id: string): readonly Overlap[];
}

/** What a finished task changed on its branch, and in which folder it worked. */
interface Changed {
  readonly paths: readonly string[];
  readonly folder: string;
}

/** More are not looked for, and of one no more files are named. */
const MOST = 1000;
const MOST_FILES = 100;

const NONE: Overlaps = { all: [], of: () => [] };

/**
 * Finds overlaps that still matter: between tasks that have not ended, between one of them and a finished
 * one that both begin or end in the same place, and between finished ones that a pending one builds on.
 *
 * @param tasks those that are not archived
 * @param indexOf all tasks, asked for only where something may overlap
 */
export function findOverlaps(tasks: readonly Task[], indexOf: () => TaskIndex): Overlaps {
  const open = tasks.filter((task) => isOpen(task) && task.touches.length > 0);
  const changed = new Map<string, Changed>();
  for (const task of tasks) {
    const branch = task.status === "complete" ? branchOf(task) : null;
    const { paths = [], folder = "" } = branch ?? {};
    if (paths.length > 0) changed.set(task.taskId, { paths, folder });
  }
  if (open.length < 2 && changed.size === 0) return NONE;
  const kin = kinship(tasks, indexOf());
  const found = new Map<string, Overlap>();
  const note = (one: string, other: string, files: readonly string[]) => {
    if (files.length === 0 || kin.areOrdered(one, other)) return;
    const pair = one < other ? [one, other] as const : [other, one] as const;
    found.set(pair.join(" "), { tasks: pair, files: files.slice(0, MOST_FILES) });
  };
  for (const [at, one] of open.entries()) {
    for (const other of open.slice(at + 1)) {
      if (found.size >= MOST) break;
      note(one.taskId, other.taskId, commonGlobs(one.touches, other.touches));
    }
    for (const [id, { paths, folder }] of changed) {
      if (found.size >= MOST) break;
      if (!kin.areRelated(one.taskId, id)) continue;
      note(one.taskId, id, namedBy(one.touches, paths, folder));
    }
  }
  for (const task of changed.size < 2 ? [] : tasks) {
    if (task.status !== "pending" || task.dependsOn.length < 2) continue;
    const before = [...changed.keys()].filter((id) => kin.before(task.taskId).has(id));
    for (const [at, one] of before.entries()) {
      const paths = new Set(changed.get(one)!.paths);
      for (const other of before.slice(at + 1)) {
        if (found.size >= MOST) break;
        note(one, other, changed.get(other)!.paths.filter((path) => paths.has(path)));
      }
    }
  }
  const all = [...found.values()];
  return {
    all,
    of: (id) =>
      all.filter(({ tasks: [one, other] }) =>
        one === id || other === id ||
        (kin.before(id).has(one) && kin.before(id).has(other))
      ),
  };
}

function isOpen({ status }: Task): boolean {
  return status === "pending" || status === "running";
}

/** The globs of two tasks that can name the same file: of two the one that says more. */
function commonGlobs(one: readonly string[], other: readonly string[]): string[] {
  const found = new Set<string>();
  for (const glob of one) {
    for (const beside of other) {
      if (canMeet(glob, beside)) found.add(wordsBefore(glob) < wordsBefore(beside) ? beside : glob);
    }
  }
  return [...found];
}

/** How much of a glob is not left open. */
function wordsBefore(glob: string): number {
  const open = glob.search(/[*?[{]/);
  return open < 0 ? Infinity : open;
}

/**
 * Changed paths that globs name. Paths are below the top of the repository, and globs may be meant below
 * the folder in which the task works: either will do.
 */
function namedBy(
  globs: readonly string[],
  paths: readonly string[],
  folder: string,
): string[] {
  const inside = folder === "" ? undefined : `${folder}/`;
  const found: string[] = [];
  for (const path of paths) {
    const short = inside !== undefined && path.startsWith(inside)
      ? path.slice(inside.length)
      : undefined;
    const isNamed = globs.some((glob) =>
      isNamedBy(path, glob) || (short !== undefined && isNamedBy(short, glob))
    );
    if (isNamed) found.push(path);
    if (found.length >= MOST_FILES) break;
  }
  return found;
}

/** How tasks are related by what they depend on, latest attempts in place of earlier ones. */
function kinship(tasks: readonly Task[], index: TaskIndex) {
  const dependents = new Map<string, string[]>();
  const latestOf = (id: string) => {
    const found = lookUp(id, index);
    return found === undefined ? id : latestAttempt(found, index).taskId;
  };
  for (const task of tasks) {
    for (const id of task.dependsOn) {
      const latest = latestOf(id);
      const list = dependents.get(latest);
      if (list === undefined) dependents.set(latest, [task.taskId]);
      else list.push(task.taskId);
    }
  }
  const before = remember((id) => (lookUp(id, index)?.dependsOn ?? []).map(latestOf));
  const after = remember((id) => dependents.get(id) ?? []);
  const share = (one: ReadonlySet<string>, other: ReadonlySet<string>) =>
    one.size <= other.size
      ? [...one].some((id) => other.has(id))
      : [...other].some((id) => one.has(id));
  return {
    before,
    /** One builds on the other. */
    areOrdered: (one: string, other: string) => before(one).has(other) || before(other).has(one),
    /** Both build on one, or one builds on both. */
    areRelated: (one: string, other: string) =>
      share(before(one), before(other)) || share(after(one), after(other)),
  };
}

/** All that is reached from a task, step by step, without the task; found once for each. */
function remember(
  next: (id: string) => readonly string[],
): (id: string) => ReadonlySet<string> {
  const known = new Map<string, ReadonlySet<string>>();
  return (start) => {
    const before = known.get(start);
    if (before !== undefined) return before;
    const reached = new Set<string>();
    const rest = [...next(start)];
    for (let id = rest.pop(); id !== undefined; id = rest.pop()) {
      if (reached.has(id)) continue;
      reached.add(id);
      rest.push(...next(id));
    }
    known.set(start, reached);
    return reached;
  };
}
