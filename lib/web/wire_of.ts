// From the queue to what goes over the wire: rows, counts, links, details. Reads memory and never the
// disk; the clock is an argument.

import {
  latestAttempt,
  lookUp,
  type Readiness,
  retryChain,
  type TaskIndex,
} from "../decide/dependencies.ts";
import { comparePhased } from "../decide/listing.ts";
import { type Names, nameTasks } from "../decide/names.ts";
import { type SharedView, withPauses } from "../decide/room.ts";
import { type PausedLane, type Phase, phaseOf, timeTask } from "../decide/view.ts";
import { viewJson } from "../format/task_json.ts";
import { formatTime, isTerminal, type Task } from "../task/fields.ts";
import { OPTION_LIST } from "../task/options.ts";
import { type Filtered, needsPerson, passes } from "./filter.ts";
import type {
  WireCounts,
  WireDetail,
  WireFilter,
  WireGraph,
  WireLane,
  WireLink,
  WireOption,
  WireRefusals,
  WireRow,
  WireTask,
  WireTasks,
} from "./wire.ts";

/** Characters of a prompt, and of an error's details, in a list. */
const PROMPT = 200;
const DETAILS = 1000;

/** All tasks with their phases at one moment: what every answer is made of. */
export interface Moment {
  readonly index: TaskIndex;
  /** Milliseconds since the epoch. */
  readonly now: number;
  readonly lanes: ReadonlyMap<string, PausedLane>;
  /** Phase of each task. */
  phase(task: Task): Phase;
}

/** The tasks of a mirror at one moment. */
export function momentOf(
  { index, lanes: lanesAt, shared }: {
    readonly index: TaskIndex;
    lanes(now: number): ReadonlyMap<string, PausedLane>;
    readonly shared?: SharedView;
  },
  now: number,
): Moment {
  const memo = new Map<string, Readiness>();
  const lanes = shared === undefined ? lanesAt(now) : withPauses(lanesAt(now), shared, now);
  const phase = (task: Task) => phaseOf(task, index, now, memo, lanes, shared?.room);
  return { index, now, lanes, phase };
}

/** A task with its whole prompt. */
export function wireTask(task: Task, { phase, now }: Moment): WireTask {
  return viewJson(timeTask({ task, phase: phase(task) }, now)) as unknown as WireTask;
}

/** A task in a list. */
export function wireRow(task: Task, moment: Moment, names: Names): WireRow {
  const { prompt, errorDetails, git } = task;
  return {
    ...wireTask(task, moment),
    prompt: cut(prompt, PROMPT),
    // Up to a thousand names, which a list has no use for.
    git: git === null ? null : { ...git, paths: undefined },
    errorDetails: errorDetails === null ? null : cut(errorDetails, DETAILS),
    name: names.end(task.taskId) ?? task.taskId,
    promptLength: prompt.length,
    refuses: refusals(task, moment),
  };
}

/** What would be refused though the phase does not say so. */
function refusals(task: Task, { index }: Moment): WireRefusals {
  const { status, timeout, retriedBy, retryCount, maxRetries } = task;
  if (!isTerminal(status)) return timeout === null ? { extend: { why: "has no limit" } } : {};
  if (status === "complete") return {};
  // A successor that is archived or gone counts for none.
  if (retriedBy !== null && index.byId.has(retriedBy)) {
    return { retry: { why: `was retried already, by ${retriedBy}` } };
  }
  if (retryCount < maxRetries) return {};
  const why = `has used up its retries (${retryCount} of ${maxRetries})`;
  return { retry: { why, unless: "maxRetries" } };
}

function cut(text: string, length: number): string {
  return text.length > length ? text.slice(0, length).toWellFormed() : text;
}

/** Names of some tasks among all; what people type where they have no key. */
export function namesAmong({ byId }: TaskIndex, wanted: readonly string[]): Names {
  return nameTasks([...byId.values()], () => wanted);
}

/** How many tasks are in which phase. */
export function countTasks(tasks: Iterable<Task>, { phase }: Moment): WireCounts {
  const counts: WireCounts = { total: 0, needed: 0 };
  for (const task of tasks) {
    const { kind } = phase(task);
    counts[kind] = (counts[kind] ?? 0) + 1;
    if (needsPerson({ phase: kind, retriedBy: task.retriedBy })) counts.needed!++;
    counts.total++;
  }
  return counts;
}

/** Paused lanes. */
export function wireLanes({ lanes }: Moment): WireLane[] {
  return [...lanes.values()].map(({ agent, until }) => ({ agent, until: formatTime(until) }));
}

/** What a filter is asked about a task. */
function filtered(task: Task, phase: Phase): Filtered {
  const { taskId, status, agent, labels, prompt, key, retriedBy } = task;
  return { taskId, status, phase: phase.kind, agent, labels, prompt, key, retriedBy };
}

/** The tasks that pass, as they are listed. */
export function pickTasks(filter: WireFilter, moment: Moment): Task[] {
  return [...moment.index.byId.values()]
    // The youngest first: what is in order is sorted at once.
    .reverse()
    .map((task) => ({ task, phase: moment.phase(task) }))
    .filter(({ task, phase }) => passes(filter, filtered(task, phase)))
    .sort(comparePhased)
    .map(({ task }) => task);
}

/** How many lists have: at most so many rows, and so many of them that have ended. */
export interface Bounds {
  readonly limit: number;
  readonly ended: number;
}

/** The rows of a list, how many more pass, and counts as if no phase were asked for. */
export function listRows(
  filter: WireFilter,
  moment: Moment,
  { limit, ended }: Bounds,
): Pick<WireTasks, "tasks" | "more" | "counts" | "agents" | "labels"> {
  const picked = pickTasks(filter, moment);
  const open = picked.filter(({ status }) => !isTerminal(status)).length;
  const shown = picked.slice(0, Math.min(limit, open + ended));
  const names = namesAmong(moment.index, shown.map(({ taskId }) => taskId));
  const without = (name: keyof WireFilter) =>
    filter[name] === undefined ? picked : pickTasks({ ...filter, [name]: undefined }, moment);
  return {
    tasks: shown.map((task) => wireRow(task, moment, names)),
    more: picked.length - shown.length,
    counts: countTasks(without("status"), moment),
    agents: tally(without("agent").map(({ agent }) => agent)),
    labels: tally(
      without("label").flatMap(({ labels }) =>
        Object.entries(labels).map(([name, value]) => `${name}:${value}`)
      ),
    ),
  };
}

/** Different labels that are counted. */
const MOST_COUNTED = 50;

/** How often each name is there, of the most frequent ones. */
function tally(names: readonly string[]): Record<string, number> {
  const counts = new Map<string, number>();
  for (const name of names) counts.set(name, (counts.get(name) ?? 0) + 1);
  const sorted = [...counts].sort(([, a], [, b]) => b - a).slice(0, MOST_COUNTED);
  return Object.fromEntries(sorted);
}

function wireLink(task: Task, moment: Moment, names: Names): WireLink {
  const { taskId, key, status, agent, prompt, failureClass, createdAt, startedAt, completedAt } =
    task;
  return {
    taskId,
    name: names.end(taskId) ?? taskId,
    key,
    status,
    phase: moment.phase(task).kind,
    agent,
    prompt: cut(prompt, PROMPT),
    failureClass,
    createdAt,
    startedAt,
    completedAt,
  };
}

/** A task and its neighbours; what must be read from disk is added by whoever asks. */
export function detailOf(
  task: Task,
  moment: Moment,
): Pick<WireDetail, "task" | "chain" | "needs" | "neededBy" | "mentions"> {
  const { index } = moment;
  const chain = retryChain(task, index);
  const needs = task.dependsOn.flatMap((id) => lookUp(id, index) ?? []);
  const ids = new Set(chain.map(({ taskId }) => taskId));
  const neededBy = [...index.byId.values()]
    .filter(({ dependsOn }) => dependsOn.some((id) => ids.has(id)));
  const told = wireTask(task, moment);
  const mentions = idsIn(told.blockedReason ?? told.waitsFor).flatMap((id) =>
    lookUp(id, index) ?? []
  );
  const all = [task, ...chain, ...needs, ...neededBy, ...mentions].map(({ taskId }) => taskId);
  const names = namesAmong(index, all);
  const link = (one: Task) => wireLink(one, moment, names);
  return {
    task: {
      ...told,
      name: names.end(task.taskId) ?? task.taskId,
      refuses: refusals(task, moment),
    },
    chain: (chain.length === 0 ? [task] : chain).map(link),
    needs: needs.map(link),
    neededBy: neededBy.map(link),
    mentions: mentions.map(link),
  };
}

/** The ids that a sentence has, each once. */
function idsIn(text: string | null): string[] {
  return [...new Set(text?.match(/\btask_\d{10,20}\b/g))];
}

/** All that depends or is depended on, each chain of retries by its latest attempt. */
export function graphOf(moment: Moment): WireGraph {
  const { index } = moment;
  const edges: [string, string][] = [];
  const nodes = new Map<string, Task>();
  for (const task of index.byId.values()) {
    if (task.dependsOn.length === 0 || latestAttempt(task, index) !== task) continue;
    for (const id of task.dependsOn) {
      const named = index.byId.get(id);
      if (named === undefined) continue;
      const needed = latestAttempt(named, index);
      edges.push([needed.taskId, task.taskId]);
      nodes.set(needed.taskId, needed).set(task.taskId, task);
    }
  }
  const names = namesAmong(index, [...nodes.keys()]);
  return { nodes: [...nodes.values()].map((task) => wireLink(task, moment, names)), edges };
}

/** What `start` takes beside agent and prompt. */
export function wireOptions(): WireOption[] {
  return OPTION_LIST.map(([name, { about, kind, placeholder }]) => ({
    name,
    about,
    schema: kind.schema,
    placeholder,
  }));
}
