// The one door: every new task comes in here, from the command line, from a task list and from the
// library, and is checked by the same rules. All of a list become visible in one locked section,
// durably, or none: a kill in the middle leaves tasks that nobody was told of.

import { findCycle } from "../decide/dependencies.ts";
import { MAX_ARGUMENT, MAX_CMD_LINE } from "../decide/launch_plan.ts";
import { type Known, type NameProblem, resolveName } from "../decide/names.ts";
import { wantsWorktree } from "../decide/worktree.ts";
import { readAgentNames, readOwnAgentNames } from "../settings/agents.ts";
import { loadConfig } from "../settings/config.ts";
import type { Config } from "../settings/config_fields.ts";
import { COST_FORMATS } from "../task/agent.ts";
import { isTerminal, newTask, type Task } from "../task/fields.ts";
import { taskNumber } from "../task/id.ts";
import { OPTION_LIST, readWish, type Wish } from "../task/options.ts";
import { activeTasks, archivedEnds, once } from "./names.ts";
import { writePlan } from "./plan.ts";
import { loadRules, type Queue } from "./queue.ts";
import type { Reason } from "./refusal.ts";

/** What was refused of a list of new tasks, and why. */
export interface Refusal {
  /** Its place in the list. */
  readonly at: number;
  readonly reason: Reason;
}

/** Bytes of a prompt as JSON: beyond it the task's file would be too large to be read again. */
const LARGEST_PROMPT = 48 * 1024 * 1024;

/** What came of {@linkcode tryAdd}. */
export type Added = { tasks: Task[] } | { refusal: Refusal };

/**
 * Queues new tasks, all or none.
 *
 * @param given what a program or a task list asks for, unchecked; those of one list may name each
 * other by their keys
 * @param first what is done with one task before anybody else sees it, inside the lock
 * @throws OrchestraError for what is refused: `usage`, `no-agent`, `no-task`, `state`
 */
export async function add(
  queue: Queue,
  given: readonly unknown[],
  first?: (task: Task) => void,
): Promise<Task[]> {
  const outcome = await tryAdd(queue, given, first);
  if ("tasks" in outcome) return outcome.tasks;
  const { refusalError } = await import("./refusal.ts");
  throw await refusalError(outcome.refusal.reason);
}

/** The same, with what is refused as a value. */
export async function tryAdd(
  queue: Queue,
  given: readonly unknown[],
  first?: (task: Task) => void,
): Promise<Added> {
  const wishes: Wish[] = [];
  for (const [at, value] of given.entries()) {
    const read = readWish(value);
    if ("problem" in read) return { refusal: { at, reason: read.problem } };
    wishes.push(read.wish);
  }
  const refusal = checkKeys(wishes) ?? await checkAgents(queue, wishes);
  if (refusal !== undefined) return { refusal };
  const { config } = await loadConfig(queue.store);
  const { store } = queue;
  const whole = (found: readonly Wish[]) => found.map((wish) => withDefaults(wish, config));
  if (wishes.length === 1) {
    // Looked up inside the lock: what is found there is still there when the task is.
    return store.locked(() => {
      const resolved = resolveAll(queue, wishes, () => store.scan().tasks);
      if ("refusal" in resolved) return resolved;
      const task = createOne(queue, whole(resolved.wishes)[0]!);
      first?.(task);
      return { tasks: [task] };
    });
  }
  for (;;) {
    const read = once(() => store.scan().tasks);
    const resolved = resolveAll(queue, wishes, read);
    if ("refusal" in resolved) return resolved;
    // Written before others are kept out: what is found then must be the same. Keys do not change, so
    // what was read is not read again.
    const known = once(() => new Map(read().map((task) => [task.taskId, task])));
    const check = () => same(resolveAll(queue, wishes, () => store.scan(known()).tasks), resolved);
    const tasks = createAll(queue, whole(resolved.wishes), resolved.keys, check);
    if (tasks !== undefined) return { tasks };
  }
}

/** Whether the same tasks are found under the same names. */
function same(one: Resolved, other: Resolved): boolean {
  if ("refusal" in one || "refusal" in other) return false;
  return one.wishes.every(({ dependsOn }, at) => {
    const before = other.wishes[at]!.dependsOn;
    return dependsOn!.every((id, place) => id === before![place]);
  });
}

/** What was not asked for, from the settings; the rest is the fallback of each field. */
function withDefaults(wish: Wish, config: Config): Wish {
  const whole: Record<string, unknown> = { ...wish };
  for (const [name, { setting }] of OPTION_LIST) {
    if (setting !== undefined && whole[name] === undefined) whole[name] = config[setting];
  }
  return whole as Wish;
}

function checkKeys(wishes: readonly Wish[]): Refusal | undefined {
  const keys = new Set<string>();
  for (const [at, { key = null }] of wishes.entries()) {
    if (key === null) continue;
    if (keys.has(key)) return { at, reason: { kind: "key-twice", key } };
    keys.add(key);
  }
  return undefined;
}

/** Each agent is there, can be given the prompt, and tells its cost where a budget needs it. */
async function checkAgents(queue: Queue, wishes: readonly Wish[]): Promise<Refusal | undefined> {
  const own = readOwnAgentNames(queue.store);
  // Most are the workspace's own: only where one is not, the user's are looked for.
  const known = wishes.every(({ agent }) => own.includes(agent))
    ? own
    : readAgentNames(queue.store);
  const names = new Set(known);
  // Only a long prompt or a budget is worth the price of reading the definitions. No text has more
  // than three bytes for each of its units, and a template may be half of what there is room for.
  const most = Deno.build.os === "windows" ? MAX_CMD_LINE : MAX_ARGUMENT;
  const isLong = ({ prompt }: Wish) => prompt.length * 3 > most / 2;
  const needed = wishes.some((wish) =>
    isLong(wish) || (wish.budget ?? null) !== null || ofWorktree(wish) !== undefined
  );
  const rules = needed ? await loadRules(queue) : undefined;
  for (const [at, wish] of wishes.entries()) {
    const { agent, prompt } = wish;
    if (!names.has(agent)) return { at, reason: { kind: "no-agent", agent, known } };
    if (rules === undefined) continue;
    const definition = rules.agents.get(agent);
    if (definition === undefined || "problem" in definition) continue;
    if ((wish.budget ?? null) !== null && !COST_FORMATS.includes(definition.usage)) {
      return { at, reason: { kind: "no-cost", agent, usage: definition.usage } };
    }
    const option = ofWorktree(wish);
    if (option !== undefined && !wantsWorktree(wish, rules)) {
      return { at, reason: { kind: "no-worktree", option } };
    }
    if (!isLong(wish)) continue;
    const bytes = bytesAsJson(prompt);
    if (bytes > LARGEST_PROMPT) {
      return { at, reason: { kind: "too-large", bytes, most: LARGEST_PROMPT } };
    }
    const { launchProblem } = await import("./prepare.ts");
    const problem = launchProblem(queue, newTask("task_0000000000", { agent, prompt }, 0), rules);
    switch (problem?.kind) {
      case "too-long":
      case "too-long-line":
      case "too-long-variable":
        return { at, reason: problem };
    }
  }
  return undefined;
}

/** An option that means nothing without a worktree. */
function ofWorktree(wish: Wish): "base" | "dirty" | undefined {
  return (["base", "dirty"] as const).find((name) => (wish[name] ?? null) !== null);
}

/** Bytes of a text as JSON; not exact where it is far from being too large. */
function bytesAsJson(text: string): number {
  // A unit has six bytes at most.
  if (text.length * 6 <= LARGEST_PROMPT) return text.length;
  return new TextEncoder().encode(JSON.stringify(text)).length;
}

type Resolved = { wishes: Wish[]; keys: Map<string, number> } | { refusal: Refusal };

/**
 * The dependencies as ids, or as keys of the same list.
 *
 * @param tasks those that are not archived, read when a key is looked up
 */
function resolveAll(
  { store }: Queue,
  wishes: readonly Wish[],
  tasks: () => readonly Task[],
): Resolved {
  const keys = new Map<string, number>();
  for (const [at, { key = null }] of wishes.entries()) if (key !== null) keys.set(key, at);
  const known: Known = activeTasks(store, tasks);
  const archived = archivedEnds(store);
  for (const [key, at] of keys) {
    const taken = known.keyed(key)[0];
    if (taken !== undefined) {
      return {
        refusal: {
          at,
          reason: { kind: "key-taken", key, id: taken.taskId, ended: isTerminal(taken.status) },
        },
      };
    }
  }
  const resolved: Wish[] = [];
  const edges = new Map<string, string[]>();
  for (const [at, wish] of wishes.entries()) {
    const dependsOn = new Set<string>();
    for (const name of wish.dependsOn ?? []) {
      if (keys.has(name)) {
        dependsOn.add(name);
        continue;
      }
      const active = resolveName(name, known);
      const found = "problem" in active && active.problem.kind === "unknown"
        ? resolveName(name, archived)
        : active;
      const problem: NameProblem | undefined = "problem" in found
        ? found.problem
        : store.has(found.id)
        ? undefined
        : { kind: "unknown", name };
      if (problem !== undefined) {
        return { refusal: { at, reason: { kind: "dependency", problem } } };
      }
      dependsOn.add((found as { id: string }).id);
    }
    // What has no key waits for others, and is waited for by none: its name here is nobody's.
    edges.set(wish.key ?? `\0${at}`, [...dependsOn].filter((name) => keys.has(name)));
    resolved.push({ ...wish, dependsOn: [...dependsOn] });
  }
  const path = keys.size === 0 ? undefined : findCycle(edges);
  return path === undefined
    ? { wishes: resolved, keys }
    : { refusal: { at: keys.get(path[0]!) ?? 0, reason: { kind: "cycle", path } } };
}

/** Creates a task whose dependencies are resolved. */
export function createOne(queue: Queue, wish: Wish): Task {
  const { store } = queue;
  const at = queue.now();
  const first = taskNumber(at, queue.random());
  const task = store.locked(() => store.create((id) => newTask(id, wish, at), first));
  writePlan(queue, task);
  return task;
}

/**
 * Creates tasks whose names are resolved: a dependency that is one of the keys stands for the task at
 * that place of the list. There must be no cycle. All become visible in one locked section.
 *
 * @param check asked in that section
 * @returns undefined where it said no, or an id was taken meanwhile: nothing is created
 */
function createAll(
  queue: Queue,
  wanted: readonly Wish[],
  keys: ReadonlyMap<string, number>,
  check: () => boolean,
): Task[] | undefined {
  const tasks = plan(queue, wanted, keys);
  if (!queue.store.createAll(tasks, check)) return undefined;
  // Killed before, whoever claims a task writes its plan.
  for (const task of tasks) writePlan(queue, task);
  return tasks;
}

/** The tasks as they will be, with ids that are free now. */
function plan(
  { store, now, random }: Queue,
  wanted: readonly Wish[],
  keys: ReadonlyMap<string, number>,
): Task[] {
  const at = now();
  const ids = new Map<number, string>();
  let next = taskNumber(at, random());
  // What a task depends on gets its id before it, so that ids rise along the dependencies.
  for (const place of dependencyOrder(wanted, keys)) {
    const id = store.freeId(next);
    next = Number(id.slice(5)) + 1;
    ids.set(place, id);
  }
  return wanted.map((item, place) => {
    const dependsOn = item.dependsOn?.map((name) => {
      const other = keys.get(name);
      return other === undefined ? name : ids.get(other)!;
    });
    return newTask(ids.get(place)!, { ...item, dependsOn }, at);
  });
}

/** Places of a list of tasks, what is depended on first; there must be no cycle. */
function dependencyOrder(wanted: readonly Wish[], keys: ReadonlyMap<string, number>): number[] {
  const order: number[] = [];
  const done = new Set<number>();
  for (let place = 0; place < wanted.length; place++) {
    // The stack is our own, so that a chain of a hundred thousand does not exhaust the real one.
    const stack = [place];
    while (stack.length > 0) {
      const top = stack.at(-1)!;
      const missing = done.has(top) ? [] : (wanted[top]!.dependsOn ?? []).flatMap((name) => {
        const other = keys.get(name);
        return other === undefined || done.has(other) ? [] : [other];
      });
      if (missing.length > 0) {
        stack.push(...missing);
        continue;
      }
      stack.pop();
      if (done.has(top)) continue;
      done.add(top);
      order.push(top);
    }
  }
  return order;
}
