// What a person types for a task: its id, a unique end of that (`9612`), its key, `@last`. Pure:
// which tasks there are is an argument, and is asked for only where the text itself is no id.

import { isIdEnd, isKey, isTaskId, SHORTEST_END } from "../task/id.ts";
import type { Task } from "../task/fields.ts";
import { indexTasks, latestAttempt } from "./dependencies.ts";
import { compareIds } from "./schedule.ts";

/** The youngest task. */
export const LAST = "@last";

/** Why a text names no task. */
export type NameProblem =
  /** It cannot: neither an id, nor an end of one, nor a key. */
  | { readonly kind: "no-name"; readonly name: string }
  /** It could, but none is called so. */
  | { readonly kind: "unknown"; readonly name: string }
  /** More than one is. */
  | { readonly kind: "ambiguous"; readonly name: string; readonly ids: readonly string[] };

/** Which tasks there are; each is asked for at most once, and only where it is needed. */
export interface Known {
  /** Ids of all of them, in any order. */
  ids(): readonly string[];
  /** Those that have this key. */
  keyed(key: string): readonly Task[];
}

/**
 * The id of what a person typed. A full id is taken as it is, whether there is such a task or not.
 * A key means the latest attempt of its chain.
 */
export function resolveName(name: string, known: Known): { id: string } | { problem: NameProblem } {
  if (isTaskId(name)) return { id: name };
  if (name === LAST) {
    const last = youngest(known.ids());
    return last === undefined ? { problem: { kind: "unknown", name } } : { id: last };
  }
  if (isIdEnd(name)) {
    const exact = `task_${name}`;
    const ids = known.ids().filter((id) => id.endsWith(name));
    return ids.includes(exact) ? { id: exact } : pick(name, ids);
  }
  if (!isKey(name)) return { problem: { kind: "no-name", name } };
  const tasks = known.keyed(name);
  const index = indexTasks(tasks);
  return pick(name, [...new Set(tasks.map((task) => latestAttempt(task, index).taskId))]);
}

function pick(name: string, ids: readonly string[]): { id: string } | { problem: NameProblem } {
  if (ids.length === 1) return { id: ids[0]! };
  return {
    problem: ids.length === 0
      ? { kind: "unknown", name }
      : { kind: "ambiguous", name, ids: [...ids].sort(compareIds) },
  };
}

function youngest(ids: readonly string[]): string | undefined {
  let last: string | undefined;
  for (const id of ids) if (last === undefined || compareIds(id, last) > 0) last = id;
  return last;
}

/**
 * For each id the shortest end that {@linkcode resolveName} takes for it and for no other. One pass for
 * each length that is needed, over what is left.
 */
export function shortestEnds(ids: readonly string[]): Map<string, string> {
  const ends = new Map<string, string>();
  let left = ids;
  for (let length = SHORTEST_END; left.length > 0; length++) {
    if (length === SHORTEST_END && !isAnyAlone(ids)) continue;
    const count = new Map<string, number>();
    for (const id of left) {
      const end = endOf(id, length);
      count.set(end, (count.get(end) ?? 0) + 1);
    }
    left = left.filter((id) => {
      const end = endOf(id, length);
      if (count.get(end) !== 1) return true;
      ends.set(id, end);
      return false;
    });
  }
  return ends;
}

/** Whether any id has its last three digits for itself: of ten thousand hardly one has. */
function isAnyAlone(ids: readonly string[]): boolean {
  const count = new Uint32Array(1000);
  for (const id of ids) count[threeDigits(id, SHORTEST_END)]!++;
  return count.includes(1);
}

/** Whatever has an id. */
export type Identified = Pick<Task, "taskId">;

/** One whose end is looked for. */
interface Wanted {
  readonly id: string;
  /** Most digits that it has in common with another, from the last one on. */
  common: number;
  /** It is among all. */
  known: boolean;
}

/**
 * The same for a few of them, as a table has. All are passed through once, and for most three digits
 * suffice to see that they are like none of the few: a process that has just started takes as long for
 * that as for anything else that it does ten thousand times.
 *
 * @param tasks all that there are
 * @param wanted ids of those of which the ends are wanted; what is not among all gets none
 */
export function endsOfFew(
  tasks: readonly Identified[],
  wanted: readonly string[],
): Map<string, string> {
  const few = [...new Set(wanted)];
  const least = SHORTEST_END + sharedDigits(few);
  const all = few.map((id): Wanted => ({ id, common: least - 1, known: false }));
  // Whoever has an end of this length in common with one of them has its first three digits.
  const alike: (Wanted[] | undefined)[] = [];
  for (const one of all) (alike[threeDigits(one.id, least)] ??= []).push(one);
  for (const { taskId } of tasks) {
    const group = alike[threeDigits(taskId, least)];
    if (group === undefined) continue;
    for (const one of group) {
      if (one.id === taskId) one.known = true;
      else one.common = Math.max(one.common, commonDigits(one.id, taskId));
    }
  }
  const known = all.filter((one) => one.known);
  // What is not there must not make the others' ends longer.
  return known.length < all.length
    ? endsOfFew(tasks, known.map(({ id }) => id))
    : new Map(all.map(({ id, common }) => [id, endOf(id, common + 1)]));
}

/**
 * So many digits of an id, from its last one on. Where it has no more it is all of them, which mean
 * this one even where another ends in them.
 */
function endOf(id: string, length: number): string {
  return id.slice(Math.max(-length, 5 - id.length));
}

/** How many digits more than the fewest each of some ids needs to be told from the others, at least. */
function sharedDigits(ids: readonly string[]): number {
  // No id has fewer digits than ten.
  for (let more = 0; more < 10 - SHORTEST_END; more++) {
    const groups = new Map<string, number>();
    for (const id of ids) {
      const end = endOf(id, SHORTEST_END + more);
      groups.set(end, (groups.get(end) ?? 0) + 1);
    }
    if (![...groups.values()].every((count) => count > 1)) return more;
  }
  return 0;
}

/** Three digits of an id, as a number: the first ones of its end of a length. */
function threeDigits(id: string, length: number): number {
  const at = id.length - length;
  return (id.charCodeAt(at) - 48) * 100 + (id.charCodeAt(at + 1) - 48) * 10 +
    id.charCodeAt(at + 2) - 48;
}

/** How many digits two ids have in common, from the last one on. */
function commonDigits(a: string, b: string): number {
  let count = 0;
  while (a.charCodeAt(a.length - 1 - count) === b.charCodeAt(b.length - 1 - count)) count++;
  return count;
}

/** What people call tasks. */
export interface Names {
  /** The shortest end of a task's id that names no other; undefined where that is not known. */
  end(id: string): string | undefined;
  /** What is typed for a task: its key, or the end of its id, or all of it. */
  call(id: string): string;
}

/** Every task by its whole id. */
export const WHOLE_IDS: Names = { end: () => undefined, call: (id) => id };

/** No more rows has a table that somebody reads; for more of them all are looked at. */
const FEW = 500;

/**
 * What people call the tasks of a queue. Nothing is looked at before it is asked for.
 *
 * @param tasks all of them, for an end must be that of no other
 * @param wanted ids of those that are named; all of them where absent
 * @param others more tasks that are looked for in the same place
 */
export function nameTasks(
  tasks: readonly Task[],
  wanted?: () => readonly string[],
  others: readonly Identified[] = [],
): Names {
  const keys = keyTasks(tasks);
  let ends: ReadonlyMap<string, string> | undefined;
  const end = (id: string) => {
    if (ends === undefined) {
      const all = others.length === 0 ? tasks : [...tasks, ...others];
      const some = wanted?.() ?? tasks.map(({ taskId }) => taskId);
      ends = some.length > FEW
        ? shortestEnds(all.map(({ taskId }) => taskId))
        : endsOfFew(all, some);
    }
    return ends.get(id);
  };
  return {
    end,
    call(id) {
      const called = keys.call(id);
      return called === id ? end(id) ?? id : called;
    },
  };
}

/** The same without the ends of ids, for what is read where others may come: reports, logs. */
export function keyTasks(tasks: readonly Task[]): Names {
  let keys: Map<string, string> | undefined;
  return {
    end: () => undefined,
    call(id) {
      keys ??= new Map(tasks.flatMap(({ taskId, key }) => key === null ? [] : [[taskId, key]]));
      return keys.get(id) ?? id;
    },
  };
}
