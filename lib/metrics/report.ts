// Statistics and metrics of a workspace, counted anew from its history: for the command line, and for who
// asks over HTTP. Reads only.

import { pausedLanes } from "../decide/model.ts";
import type { Readiness, TaskIndex } from "../decide/dependencies.ts";
import { phaseOf } from "../decide/view.ts";
import type { Queue } from "../queue/queue.ts";
import { readAgentNames } from "../settings/agents.ts";
import type { Config } from "../settings/config_fields.ts";
import { endOfHistory } from "../store/events.ts";
import { OrchestraError } from "../task/error.ts";
import { parseTime, type Task } from "../task/fields.ts";
import type { Stats, StatsBy } from "../task/stats.ts";
import { VERSION } from "../task/version.ts";
import { createCounters, formatMetrics, type MetricsForm } from "./openmetrics.ts";
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

/** Metrics of a workspace, as text. */
export async function countMetrics(
  queue: Queue,
  tasks: readonly Task[],
  index: TaskIndex,
  { max_concurrent }: Pick<Config, "max_concurrent">,
  form: MetricsForm,
): Promise<string> {
  const { store } = queue;
  // What a killed process left becomes history first.
  endOfHistory(store);
  const now = queue.now();
  const lanes = pausedLanes(tasks, now);
  const memo = new Map<string, Readiness>();
  const counters = createCounters(readAgentNames(store), now);
  await eachLine(store.dir, counters.addLine);
  return formatMetrics(counters.result(), {
    tasks: tasks.map((task) => ({
      agent: task.agent,
      state: phaseOf(task, index, now, memo, lanes).kind,
    })),
    lanes: [...lanes.values()],
    slots: { used: runningOf(tasks).length, there: max_concurrent },
    version: VERSION,
  }, form);
}
