// Statistics and metrics of a workspace, counted anew from its history: for the command line, and for who
// asks over HTTP. Reads only.

import { pausedLanes } from "../decide/model.ts";
import type { Readiness, TaskIndex } from "../decide/dependencies.ts";
import { phaseOf } from "../decide/view.ts";
import type { Queue } from "../queue/queue.ts";
import { readAgentNames } from "../settings/agents.ts";
import type { Config } from "../settings/config_fields.ts";
import { endOfHistory, readEvents } from "../store/events.ts";
import { OrchestraError } from "../task/error.ts";
import type { EventKind } from "../task/event.ts";
import { parseTime, type Task } from "../task/fields.ts";
import type { Stats, StatsBy } from "../task/stats.ts";
import { VERSION } from "../task/version.ts";
import type { Line } from "./line.ts";
import {
  type Counters,
  createCounters,
  formatMetrics,
  formatMetricsOfAll,
  type MetricsForm,
  type QueueNow,
} from "./openmetrics.ts";
import { eachLine } from "./read.ts";
import { COUNTED, createStats } from "./stats.ts";

/** What statistics may be parted by, beside labels. */
export const WAYS = ["agent", "class", "day", "hour"] as const;

/**
 * `agent`, `class`, `day`, `hour` or `label:NAME`
 *
 * @throws OrchestraError `usage`
 */
export function parseWay(text: string): StatsBy {
  const label = /^label:(.+)$/s.exec(text)?.[1];
  if (label !== undefined) return { label };
  const found = WAYS.find((name) => name === text);
  if (found !== undefined) return found;
  throw new OrchestraError("usage", `${JSON.stringify(text)} is nothing to part statistics by`, {
    hint: "They are parted by agent, label:NAME, class, day or hour.",
  });
}

const DAY = 86_400_000;

/**
 * Counts what was done.
 *
 * @param tasks all of them, as they are now
 * @param span `since`: milliseconds since the epoch; all where absent
 * @returns what was counted, and how many lines of the history could not be read
 */
export async function countStats(
  queue: Queue,
  tasks: readonly Task[],
  { max_concurrent: slots }: Pick<Config, "max_concurrent">,
  { since, by }: { since?: number; by?: StatsBy },
): Promise<{ stats: Stats; unread: number }> {
  const { store } = queue;
  // What a killed process left becomes history first.
  endOfHistory(store);
  const now = queue.now();
  const held = runningOf(tasks).map(({ startedAt }) => parseTime(startedAt) ?? now);
  const counter = createStats({ since, by, now, slots, held });
  const unread = await eachLine(store.dir, counter.addLine, {
    // An attempt that failed before may have been retried since.
    since: since === undefined ? undefined : since - DAY,
    kinds: COUNTED,
    labels: typeof by === "object",
  });
  return { stats: counter.result(unread), unread };
}

function runningOf(tasks: readonly Task[]): Task[] {
  return tasks.filter(({ status }) => status === "running");
}

/** A workspace of several, of which statistics are counted together. */
export interface Counted {
  /** What it is called. */
  readonly name: string;
  readonly queue: Queue;
  /** All of its tasks, as they are now. */
  readonly tasks: readonly Task[];
  readonly config: Pick<Config, "max_concurrent">;
}

/**
 * Counts what was done in several workspaces, as one.
 *
 * @param span as for one; parted by workspace where nothing else is asked for
 */
export async function countStatsOfAll(
  all: readonly Counted[],
  { since, by = { label: "workspace" } }: { since?: number; by?: StatsBy },
): Promise<{ stats: Stats; unread: number }> {
  const now = Date.now();
  const isParted = typeof by === "object" && by.label === "workspace";
  const held = all.flatMap(({ tasks }) =>
    runningOf(tasks).map(({ startedAt }) => parseTime(startedAt) ?? now)
  );
  const slots = all.reduce((sum, { config }) => sum + config.max_concurrent, 0);
  const counter = createStats({ since, by, now, slots, held });
  /** An agent's quota is one, wherever it was found to be used up: these are told in their order. */
  const pauses: Line[] = [];
  let unread = 0;
  for (const [at, { name, queue }] of (await byBeginning(all)).entries()) {
    const labels = isParted ? { workspace: name } : undefined;
    // Two tasks of different workspaces may have one id.
    const own = (task: number) => task === 0 ? 0 : task + at;
    const add = (line: Line) => {
      if (PAUSES.has(line.kind)) pauses.push(line);
      else {
        counter.addLine({
          ...line,
          task: own(line.task),
          follows: own(line.follows),
          ...(labels === undefined ? {} : { labels }),
        });
      }
    };
    unread += await eachLine(queue.store.dir, add, {
      since: since === undefined ? undefined : since - DAY,
      kinds: COUNTED,
      labels: typeof by === "object" && !isParted,
    });
  }
  for (const line of pauses.sort((a, b) => a.time - b.time)) counter.addLine(line);
  return { stats: counter.result(unread), unread };
}

const PAUSES: ReadonlySet<EventKind> = new Set<EventKind>(["lane-paused", "lane-resumed"]);

/** The one whose history begins first comes first: with its first line the span begins. */
async function byBeginning(all: readonly Counted[]): Promise<Counted[]> {
  const begun = await Promise.all(all.map(async (one) => {
    endOfHistory(one.queue.store);
    for await (const { time } of readEvents(one.queue.store)) return { one, time };
    return { one, time: "" };
  }));
  return begun.sort((a, b) => a.time < b.time ? -1 : a.time > b.time ? 1 : 0).map(({ one }) => one);
}

/** Metrics of a workspace, as text. */
export async function countMetrics(
  queue: Queue,
  tasks: readonly Task[],
  index: TaskIndex,
  config: Pick<Config, "max_concurrent">,
  form: MetricsForm,
): Promise<string> {
  const { counters, now } = await metricsOf(queue, tasks, index, config);
  return formatMetrics(counters, now, form);
}

/** The same of several, each sample with the label `workspace`. */
export async function countMetricsOfAll(
  all: readonly (Counted & { readonly index: TaskIndex })[],
  form: MetricsForm,
): Promise<string> {
  const found = [];
  for (const { name, queue, tasks, index, config } of all) {
    found.push({ workspace: name, ...await metricsOf(queue, tasks, index, config) });
  }
  return formatMetricsOfAll(found, form);
}

async function metricsOf(
  queue: Queue,
  tasks: readonly Task[],
  index: TaskIndex,
  { max_concurrent }: Pick<Config, "max_concurrent">,
): Promise<{ counters: Counters; now: QueueNow }> {
  const { store } = queue;
  // What a killed process left becomes history first.
  endOfHistory(store);
  const now = queue.now();
  const lanes = pausedLanes(tasks, now);
  const memo = new Map<string, Readiness>();
  const counters = createCounters(readAgentNames(store), now);
  await eachLine(store.dir, counters.addLine);
  return {
    counters: counters.result(),
    now: {
      tasks: tasks.map((task) => ({
        agent: task.agent,
        state: phaseOf(task, index, now, memo, lanes).kind,
      })),
      lanes: [...lanes.values()],
      slots: { used: runningOf(tasks).length, there: max_concurrent },
      version: VERSION,
    },
  };
}
