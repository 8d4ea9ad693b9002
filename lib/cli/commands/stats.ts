// `orchestra stats`: how much was done, how well, how fast and for how much, from the history. Reads only;
// what has ended meanwhile is settled first, as by every command that looks.

import { buildCommand } from "@stricli/core";
import { formatStats, formatStatsCsv } from "../../format/stats.ts";
import type { TaskIndex } from "../../decide/dependencies.ts";
import type { MetricsForm } from "../../metrics/openmetrics.ts";
import {
  type Counted,
  countMetrics,
  countMetricsOfAll,
  countStats,
  countStatsOfAll,
  parseWay,
  WAYS,
} from "../../metrics/report.ts";
import { OrchestraError } from "../../task/error.ts";
import type { Stats, StatsBy } from "../../task/stats.ts";
import type { Context } from "../context.ts";
import { since } from "../flags.ts";
import { everywhere, optional, parsed, startingWith } from "../parameters.ts";
import { openPlaces } from "../select.ts";
import { leaveWatcher, look } from "../supervision.ts";

interface StatsFlags {
  since?: number;
  by?: StatsBy;
  csv?: boolean;
  openmetrics?: boolean;
  prometheus?: boolean;
  everywhere?: boolean;
}

export const command = buildCommand({
  func: stats,
  parameters: {
    flags: {
      since: parsed(since, "only what happened since: 7d, 12h ago, or an ISO time", "when"),
      by: {
        ...parsed(
          parseWay,
          "part it by agent, label:NAME, class (of failure), day or hour",
          "what",
        ),
        proposeCompletions: startingWith(() => [...WAYS, "label:"]),
      },
      csv: optional("as a table for other programs"),
      openmetrics: optional("as metrics, OpenMetrics 1.0, of all that the history tells"),
      prometheus: optional("the same in Prometheus's older text format, for its text files"),
      everywhere,
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
  const places = await openPlaces(this, flags.everywhere);
  const all = await places.each(places.list, async ({ name = "", context, queue }) => {
    const snapshot = await look(queue);
    await leaveWatcher(context, queue, snapshot);
    const { tasks, index } = snapshot;
    return { name, queue, tasks, index, config: await context.config(queue.store) };
  });
  if (flags.openmetrics || flags.prometheus) {
    const form = flags.openmetrics ? "openmetrics" : "prometheus";
    return this.write(await metricsOf(all, flags.everywhere ?? false, form));
  }
  const by = flags.by ?? (flags.everywhere ? { label: "workspace" } : undefined);
  const { stats: result, unread } = flags.everywhere
    ? await countStatsOfAll(all, { ...flags, by })
    : await countStats(all[0]!.queue, all[0]!.tasks, all[0]!.config, flags);
  if (this.globals.json) return this.printJson(flags.everywhere ? named(result, flags) : result);
  if (flags.csv) return this.write(formatStatsCsv(result, by));
  if (result.total.queued === 0 && result.total.attempts.settled === 0) {
    const where = flags.since === undefined ? "" : " since then";
    this.print(`Nothing was queued and nothing has ended${where}`);
    if (unread > 0) this.note(`${unread} lines of the history could not be read`);
    return;
  }
  const view = { by, isWhole: flags.since === undefined };
  this.print(formatStats(result, view, this.style()));
}

function metricsOf(
  all: readonly (Counted & { readonly index: TaskIndex })[],
  everywhere: boolean,
  form: MetricsForm,
): Promise<string> {
  const [only] = all;
  return everywhere || only === undefined
    ? countMetricsOfAll(all, form)
    : countMetrics(only.queue, only.tasks, only.index, only.config, form);
}

/** Where they are parted by workspace, each group says so. */
function named(stats: Stats, { by }: StatsFlags) {
  return by === undefined
    ? { ...stats, groups: stats.groups.map((group) => ({ workspace: group.name, ...group })) }
    : stats;
}

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
