// Commands over all known workspaces (`--everywhere`): each is opened and worked on by itself, and what is
// wrong with one is told and leaves the others alone. Loaded only where it is asked for.

import { pause } from "../launch/pause.ts";
import { type NameProblem, resolveName } from "../decide/names.ts";
import { activeTasks, archivedEnds, nameError, type Where } from "../queue/names.ts";
import { OrchestraError, toOrchestraError } from "../task/error.ts";
import { isTaskId } from "../task/id.ts";
import { spell } from "./calling.ts";
import type { Context } from "./context.ts";
import { type KnownWorkspace, listWorkspaces } from "../workspaces/registry.ts";
import { formatError } from "./errors.ts";
import { knownWorkspaces } from "./known.ts";
import type { NamedPlace, Place, Places } from "./places.ts";

/**
 * Opens all known workspaces; what cannot be opened is told of and left out.
 *
 * @throws OrchestraError `usage` where one was named too, `no-workspace` where none is known
 */
export async function openEverywhere(context: Context): Promise<Places<NamedPlace>> {
  const { dir, workspace } = context.globals;
  if (dir !== undefined || workspace !== undefined) {
    throw new OrchestraError(
      "usage",
      `--everywhere means all workspaces, and ${dir === undefined ? "-w" : "-C"} one of them`,
      { hint: "Give one of the two." },
    );
  }
  const known = knownWorkspaces("--everywhere", ({ name, root }) => {
    context.note(`${name}: gone from ${root}, and forgotten`);
  });
  if (known.length === 0) {
    throw new OrchestraError("no-workspace", "No workspace is known by name", {
      hint: "Make one known with: orchestra workspaces add DIR",
    });
  }
  let isWhole = true;
  const tell = (name: string, error: unknown) => {
    isWhole = false;
    tellProblem(context, name, error);
  };
  const list: NamedPlace[] = [];
  for (const one of known) {
    try {
      list.push(await openKnown(context, one));
    } catch (error) {
      tell(one.name, error);
    }
  }
  return {
    list,
    get isWhole() {
      return isWhole;
    },
    each: (some, act) => inEach(some, act, tell),
    find: (names, where) => findTasks(list, names, where),
  };
}

/** Opens one of several. */
export async function openKnown(
  context: Context,
  { name, root }: KnownWorkspace,
): Promise<NamedPlace> {
  const queue = await context.openQueueIn(root);
  return {
    name,
    queue,
    context: {
      ...context,
      globals: { ...context.globals, everywhere: false },
      openQueue: () => Promise.resolve(queue),
      root: () => Promise.resolve(queue.store.root),
      spell: (text) => spell(text, context.program, name),
      note(text) {
        context.note(`${name}: ${this.spell(text)}`);
      },
      fail: (code) => context.fail(code),
      get endsByExit() {
        return context.endsByExit;
      },
      set endsByExit(value) {
        context.endsByExit = value;
      },
    },
  };
}

/** Tells what is wrong with one workspace of several; the command's exit code says that something was. */
export function tellProblem(context: Context, name: string, error: unknown): void {
  const { code, message, hint } = toOrchestraError(error, "Looking at the workspace");
  const named = new OrchestraError(code, `${name}: ${message}`, { hint });
  const { globals: { json }, program } = context;
  context.process.stderr.write(`${formatError(named, json, program, name)}\n`);
  context.fail(5);
}

async function inEach<Q extends Place, T>(
  some: readonly Q[],
  act: (one: Q) => T | Promise<T>,
  tell: (name: string, error: unknown) => void,
): Promise<T[]> {
  const found = await Promise.all(some.map(async (one) => {
    try {
      return [await act(one)];
    } catch (error) {
      tell(one.name ?? "", error);
      return [];
    }
  }));
  return found.flat() as T[];
}

/** New workspaces are looked for so often, milliseconds. */
const LOOK = 1000;

/**
 * Does something in each workspace that goes on until its signal is aborted: with the one that is given, or
 * alone where the workspace is forgotten. It is done in those that become known meanwhile, too. What goes
 * wrong in one of them is told, and ends it alone.
 */
export async function followEverywhere(
  context: Context,
  places: readonly NamedPlace[],
  signal: AbortSignal,
  act: (place: NamedPlace, signal: AbortSignal) => Promise<unknown>,
): Promise<void> {
  const running = new Map<Promise<unknown>, { root: string; gone: AbortController }>();
  const begin = (place: NamedPlace) => {
    const gone = new AbortController();
    const one = act(place, AbortSignal.any([signal, gone.signal]))
      .catch((error) => tellProblem(context, place.name, error))
      .finally(() => running.delete(one));
    running.set(one, { root: place.queue.store.root, gone });
  };
  places.forEach(begin);
  let seen = new Set(listWorkspaces().map(({ root }) => root));
  while (!signal.aborted) {
    await pause(LOOK, signal);
    if (signal.aborted) break;
    const known = listWorkspaces();
    const roots = new Set(known.map(({ root }) => root));
    for (const { root, gone } of running.values()) if (!roots.has(root)) gone.abort();
    for (const one of known) {
      if (seen.has(one.root)) continue;
      await openKnown(context, one).then(begin, (error) => tellProblem(context, one.name, error));
    }
    seen = roots;
  }
  await Promise.all(running.keys());
}

function findTasks(
  places: readonly NamedPlace[],
  names: readonly string[],
  where: Where,
): Map<NamedPlace, string[]> {
  const found = new Map<NamedPlace, string[]>();
  for (const name of names) {
    const [place, id] = findTask(places, name, where);
    const ids = found.get(place) ?? [];
    if (!ids.includes(id)) found.set(place, [...ids, id]);
  }
  return found;
}

function findTask(
  places: readonly NamedPlace[],
  name: string,
  where: Where,
): [NamedPlace, string] {
  const found: [NamedPlace, string][] = [];
  let problem: NameProblem | undefined;
  for (const place of places) {
    const one = findIn(place, name, where);
    if (typeof one === "string") found.push([place, one]);
    else if (one?.kind === "ambiguous") {
      for (const id of one.ids) found.push([place, id]);
    } else problem ??= one;
  }
  if (found.length === 1) return found[0]!;
  if (found.length === 0) {
    if (problem?.kind === "no-name") throw nameError(problem);
    throw new OrchestraError("no-task", `No task ${name} in any known workspace`, {
      hint: "See what there is with: orchestra status --everywhere --all",
    });
  }
  const shown = found.slice(-5).map(([place, id]) => `${id} in ${place.name}`).join(", ");
  throw new OrchestraError(
    "usage",
    `${JSON.stringify(name)} names ${found.length} tasks: ${shown}`,
    { hint: `Say in which workspace, as -w ${found[0]![0].name}, or give more digits.` },
  );
}

function findIn(
  { queue: { store } }: Place,
  name: string,
  where: Where,
): string | NameProblem | undefined {
  // Who reads it says what is wrong with one that is archived.
  if (isTaskId(name)) return store.has(name) ? name : undefined;
  const known = [
    ...(where === "archived" ? [] : [activeTasks(store)]),
    ...(where === "active" ? [] : [archivedEnds(store)]),
  ];
  let problem: NameProblem | undefined;
  for (const one of known) {
    const result = resolveName(name, one);
    if ("id" in result) return result.id;
    if (problem === undefined || result.problem.kind === "ambiguous") problem = result.problem;
  }
  return problem;
}
