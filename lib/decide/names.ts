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
  let left = [...ids];
  for (let length = SHORTEST_END; left.length > 0; length++) {
    const count = new Map<string, number>();
    for (const id of left) {
      const end = id.slice(5).slice(-length);
      count.set(end, (count.get(end) ?? 0) + 1);
    }
    left = left.filter((id) => {
      const digits = id.slice(5);
      const end = digits.slice(-length);
      // All its digits are the end of another: they still mean this one.
      if (count.get(end) !== 1 && digits.length > length) return true;
      ends.set(id, end);
      return false;
    });
  }
  return ends;
}
