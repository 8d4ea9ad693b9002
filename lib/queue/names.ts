// From what a person types for tasks to their ids. A full id costs nothing here; the end of one costs
// a listing of the folder, a key a look at all tasks.

import { type Known, type NameProblem, resolveName } from "../decide/names.ts";
import { archivedIds } from "../store/archive.ts";
import type { Store } from "../store/tasks.ts";
import { OrchestraError } from "../task/error.ts";
import { activeError, archivedError } from "./queue.ts";
import { isTaskId, type Task } from "../task/fields.ts";

/** Where tasks are looked for by a name that is no full id. */
export type Where = "active" | "archived" | "anywhere";

/** Ids of the tasks that are not archived, in no order. */
export function activeIds(store: Store): string[] {
  const ids: string[] = [];
  for (const { name } of Deno.readDirSync(store.tasksDir)) {
    const id = name.endsWith(".json") ? name.slice(0, -5) : "";
    if (isTaskId(id)) ids.push(id);
  }
  return ids;
}

/** A value that is made when it is first asked for. */
export function once<T>(make: () => T): () => T {
  let made: { value: T } | undefined;
  return () => (made ??= { value: make() }).value;
}

/**
 * The tasks that are not archived, for looking names up.
 *
 * @param tasks those that were read already; undefined for those on disk
 */
export function activeTasks(store: Store, tasks?: () => readonly Task[]): Known {
  const byKey = once(() => {
    const all = (tasks ?? (() => store.scan().tasks))();
    return Map.groupBy(all.filter(({ key }) => key !== null), ({ key }) => key!);
  });
  return {
    ids: once(() => activeIds(store)),
    keyed: (key) => byKey().get(key) ?? [],
  };
}

/** Those in the archive by the ends of their ids: a key names none there, for it may be another's now. */
export function archivedEnds(store: Store): Known {
  return { ids: once(() => archivedIds(store)), keyed: () => [] };
}

/** The same for the archive, keys included. */
function archivedTasks(store: Store): Known {
  const ids = once(() => archivedIds(store));
  return {
    ids,
    keyed: (key) =>
      ids().flatMap((id) => {
        try {
          const task = store.readArchived(id);
          return task?.key === key ? [task] : [];
        } catch {
          // Damaged: it has no key that could be read.
          return [];
        }
      }),
  };
}

/**
 * The ids of what a person typed, in that order and each once. A full id is taken as it is: whether
 * there is such a task is found out by whoever reads it.
 *
 * @throws OrchestraError `usage` for what is no name or names several tasks, `no-task`
 */
export function resolveNames(
  store: Store,
  names: readonly string[],
  where: Where = "active",
): string[] {
  const { ids, refused } = resolveEach(store, names, where);
  if (refused.length > 0) throw refused[0]!.error;
  return ids;
}

/** A name that means no task, or several. */
export interface RefusedName {
  readonly name: string;
  readonly error: unknown;
}

/**
 * The same for who does what can be done: what is wrong with one name leaves the others alone.
 *
 * @throws OrchestraError `usage` for what are no names
 */
export function resolveEach(
  store: Store,
  names: readonly string[],
  where: Where = "active",
): { ids: string[]; refused: RefusedName[] } {
  const places = [
    ...(where === "archived" ? [] : [activeTasks(store)]),
    ...(where === "active" ? [] : [archivedTasks(store)]),
  ];
  if (!Array.isArray(names) || !names.every((name) => typeof name === "string")) {
    throw new OrchestraError("usage", "Tasks are named by texts: ids, ends of them, keys, @last");
  }
  const ids = new Set<string>();
  const refused: RefusedName[] = [];
  for (const name of names) {
    const found = resolveIn(places, name);
    if ("id" in found) {
      ids.add(found.id);
      continue;
    }
    const { problem } = found;
    const error = problem.kind === "unknown" && where !== "anywhere"
      ? elsewhere(store, name, where)
      : nameError(problem);
    refused.push({ name, error });
  }
  return { ids: [...ids], refused };
}

/** Looks a name up in one place after the other, until one knows something of it. */
function resolveIn(
  places: readonly Known[],
  name: string,
): { id: string } | { problem: NameProblem } {
  let problem: NameProblem | undefined;
  for (const place of places) {
    const found = resolveName(name, place);
    if ("id" in found) return found;
    problem ??= found.problem;
    if (found.problem.kind !== "unknown") break;
  }
  return { problem: problem! };
}

/** The error for a name that means none here: it may mean one on the other side of the archive's door. */
function elsewhere(store: Store, name: string, where: "active" | "archived"): OrchestraError {
  const found = resolveName(name, where === "active" ? archivedTasks(store) : activeTasks(store));
  if (!("id" in found)) return nameError({ kind: "unknown", name });
  return where === "active" ? archivedError(found.id) : activeError(found.id);
}

/** The id of what a person typed; see {@linkcode resolveNames}. */
export function resolveTask(store: Store, name: string, where: Where = "active"): string {
  return resolveNames(store, [name], where)[0]!;
}

/** Ids and keys that begin with a text, for completion; a key is looked for where it may be one. */
export function namesOf(store: Store, partial: string): string[] {
  const ids = activeIds(store).filter((id) => id.startsWith(partial));
  const keys = partial.startsWith("task_")
    ? []
    : store.scan().tasks.flatMap(({ key }) => key?.startsWith(partial) ? [key] : []);
  return [...new Set([...keys, ...ids])];
}

/** The error for a name that names no task. */
export function nameError(problem: NameProblem): OrchestraError {
  const name = JSON.stringify(problem.name);
  switch (problem.kind) {
    case "no-name":
      return new OrchestraError("usage", `${name} is not a task id`, {
        hint:
          "An id is task_ and 10 to 20 digits. Its end will do, or the key of a task, or @last; " +
          "see them with: orchestra status",
      });
    case "unknown":
      return new OrchestraError("no-task", `No task ${name} in this workspace`, {
        hint: "See what there is with: orchestra status --all   and: orchestra archive list",
      });
    case "ambiguous": {
      const { ids } = problem;
      const shown = ids.slice(-5).join(", ");
      const more = ids.length > 5 ? ` and ${ids.length - 5} more` : "";
      return new OrchestraError("usage", `${name} names ${ids.length} tasks: ${shown}${more}`, {
        hint: "Give more digits, or the whole id.",
      });
    }
  }
}
