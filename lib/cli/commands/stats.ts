// `orchestra stats`: how much was done, how well, how fast and for how much, from the history. Reads only;
// what has ended meanwhile is settled first, as by every command that looks.

import { buildCommand } from "@stricli/core";
import { pausedLanes } from "../../decide/model.ts";
import type { Readiness } from "../../decide/dependencies.ts";
import { phaseOf } from "../../decide/view.ts";
import { formatStats, formatStatsCsv } from "../../format/stats.ts";
import { createCounters, formatMetrics, type MetricsForm } from "../../metrics/openmetrics.ts";
import { eachLine } from "../../metrics/read.ts";
import { COUNTED, createStats } from "../../metrics/stats.ts";
import type { Queue } from "../../queue/queue.ts";
import type { Snapshot } from "../../queue/refresh.ts";
import { readAgentNames } from "../../settings/agents.ts";
import type { Config } from "../../settings/config_fields.ts";
import { endOfHistory } from "../../store/events.ts";
import { OrchestraError } from "../../task/error.ts";
import { parseTime, type Task } from "../../task/fields.ts";
import type { StatsBy } from "../../task/stats.ts";
import { VERSION } from "../../task/version.ts";
import type { Context } from "../context.ts";
import { since } from "../flags.ts";
import { optional, parsed, startingWith } from "../parameters.ts";
import { leaveWatcher, look } from "../supervision.ts";

interface StatsFlags {
  since?: number;
  by?: StatsBy;
  csv?: boolean;
  openmetrics?: boolean;
  prometheus?: boolean;
}

const WAYS = ["agent", "class", "day", "hour"] as const;

/** `agent`, `class`, `day`, `hour` or `label:NAME` */
function way(text: string): StatsBy {
  const label = /^label:(.+)$/s.exec(text)?.[1];
  if (label !== undefined) return { label };
  const found = WAYS.find((name) => name === text);
  if (found !== undefined) return found;
  throw new OrchestraError("usage", `${JSON.stringify(text)} is nothing to part statistics by`, {
    hint: "They are parted by agent, label:NAME, class, day or hour.",
  });
}

export const command = buildCommand({
  func: stats,
  parameters: {
    flags: {
      since: parsed(since, "only what happened since: 7d, 12h ago, or an ISO time", "when"),
      by: {
        ...parsed(way, "part it by agent, label:NAME, class (of failure), day or hour", "what"),
        proposeCompletions: startingWith(() => [...WAYS, "label:"]),
      },
      csv: optional("as a table for other programs"),
      openmetrics: optional("as metrics, OpenMetrics 1.0, of all that the history tells"),
      prometheus: optional("the same in Prometheus's older text format, for its text files"),
    },
  },
  docs: {
    brief: "Count what was done, how well, how fast, for how much",
    fullDescription:
      "Counts from the history, so that tasks which were cleaned or archived count. Tasks are told " +
      "with their retries, by how the latest attempt ended; attempts one by one. Waiting is from " +
      "queueing to launch, running from launch to end; percentiles are exact to half a percent.",
  },
});

async function stats(this: Context, flags: StatsFlags): Promise<void> {
  checkForms(flags, this.globals.json);
  const queue = await this.openQueue();
  const { store } = queue;
  const snapshot = await look(queue);
  await leaveWatcher(this, queue, snapshot);
  const config = await this.config(store);
  // What a killed process left becomes history first.
  endOfHistory(store);
  if (flags.openmetrics || flags.prometheus) {
    const form = flags.openmetrics ? "openmetrics" : "prometheus";
    return this.write(await metricsOf(queue, snapshot, config, form));
  }
  const counter = createStats({
    since: flags.since,
    by: flags.by,
    now: queue.now(),
    slots: config.max_concurrent,
    held: runningOf(snapshot).map(({ startedAt }) => parseTime(startedAt) ?? queue.now()),
  });
  const unread = await eachLine(store.dir, counter.addLine, {
    // An attempt that failed before may have been retried since.
    since: flags.since === undefined ? undefined : flags.since - DAY,
    kinds: COUNTED,
    labels: typeof flags.by === "object",
  });
  const result = counter.result(unread);
  if (this.globals.json) return this.printJson(result);
  if (flags.csv) return this.write(formatStatsCsv(result, flags.by));
  if (result.total.queued === 0 && result.total.attempts.settled === 0) {
    const where = flags.since === undefined ? "" : " since then";
    this.print(`Nothing was queued and nothing has ended${where}`);
    if (unread > 0) this.note(`${unread} lines of the history could not be read`);
    return;
  }
  const view = { by: flags.by, isWhole: flags.since === undefined };
  this.print(formatStats(result, view, this.style()));
}

const DAY = 86_400_000;

function checkForms(flags: StatsFlags, json: boolean): void {
  const { since, by, csv, openmetrics, prometheus } = flags;
  if ([json, csv, openmetrics, prometheus].filter(Boolean).length > 1) {
    throw new OrchestraError(
      "usage",
      "Statistics are printed in one form: --json, --csv, --openmetrics or --prometheus",
      { hint: "Give one of them." },
    );
  }
  if ((openmetrics || prometheus) && (since !== undefined || by !== undefined)) {
    throw new OrchestraError("usage", "Metrics are of all that the history tells", {
      hint: "Leave --since and --by to whoever asks for them.",
    });
  }
}

function runningOf({ tasks }: Snapshot): Task[] {
  return tasks.filter(({ status }) => status === "running");
}

async function metricsOf(
  queue: Queue,
  snapshot: Snapshot,
  config: Config,
  form: MetricsForm,
): Promise<string> {
  const { store } = queue;
  const now = queue.now();
  const { tasks, index } = snapshot;
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
    slots: { used: runningOf(snapshot).length, there: config.max_concurrent },
    version: VERSION,
  }, form);
}
