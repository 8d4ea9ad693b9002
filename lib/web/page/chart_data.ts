// What the charts of the statistics show, of the numbers that the server counts: days without anything are
// there too, and axes end at round numbers of their unit. Pure.

import type { NamedGroup, Stats } from "../../task/stats.ts";
import { formatElapsed, formatStamp } from "../../text/time.ts";

/** One quantity of a chart, a value for each group. */
export interface Series {
  name: string;
  /** Null where there is none. */
  values: (number | null)[];
  /** Name of a colour of the style. */
  colour: string;
}

/** One chart, and the table beside it. */
export interface ChartData {
  title: string;
  /** What the values are, to be read behind the title. */
  about: string;
  unit: Unit;
  /** What each place on the axis below stands for. */
  labels: string[];
  /** Whether each is named; else as many as there is room for, as on an axis of time. */
  every: boolean;
  /** On each other where `stacked`, else each before the one that follows it. */
  series: Series[];
  stacked: boolean;
}

/** What values are, and how they are written. */
export type Unit = "tasks" | "seconds" | "usd" | "tokens";

/** A value with its unit, as short as an axis needs it. */
export function formatValue(value: number, unit: Unit): string {
  switch (unit) {
    case "seconds":
      return value === 0 ? "0" : formatElapsed(value);
    case "usd":
      return `$${value < 0.1 && value > 0 ? value.toPrecision(2) : value.toFixed(2)}`;
    default:
      return shorten(value);
  }
}

/** 12.3k, 4M. */
function shorten(value: number): string {
  const [scale, suffix] = value >= 1e9
    ? [1e9, "G"]
    : value >= 1e6
    ? [1e6, "M"]
    : value >= 1e4
    ? [1e3, "k"]
    : [1, ""];
  return `${Number((value / scale).toFixed(scale === 1 ? 2 : 1)).toLocaleString("en")}${suffix}`;
}

/** Steps that the ticks of an axis may have, in its unit. */
export function stepsOf(unit: Unit): number[] {
  if (unit === "seconds") {
    const clock = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10800, 21600];
    const days = [1, 2, 5, 10, 20, 50, 100].map((count) => count * 86400);
    return [0.01, 0.02, 0.05, 0.1, 0.2, 0.5, ...clock, 43200, ...days];
  }
  const powers = unit === "usd" ? [-4, 9] : [0, 15];
  const steps: number[] = [];
  for (let power = powers[0]!; power <= powers[1]!; power++) {
    for (const first of [1, 2, 5]) steps.push(Number(`${first}e${power}`));
  }
  return steps;
}

/** A group of nothing. */
const NONE: Omit<NamedGroup, "name"> = {
  queued: 0,
  attempts: {
    settled: 0,
    complete: 0,
    failed: 0,
    cancelled: 0,
    successRate: null,
    perSuccess: null,
  },
  chains: { settled: 0, complete: 0, failed: 0, cancelled: 0, successRate: null },
  waiting: null,
  running: null,
  failures: {},
  retries: {},
  limitedSeconds: null,
  usage: { inputTokens: 0, outputTokens: 0, cachedTokens: 0, costUsd: 0, runs: 0, unpriced: 0 },
  busySeconds: 0,
};

/** More days or hours than these are not drawn. */
const MOST_GROUPS = 2000;

/**
 * The groups with those between them in which nothing happened.
 *
 * @param next the beginning of the day or hour after one, milliseconds since the epoch
 */
export function fillGaps(
  groups: readonly NamedGroup[],
  next: (millis: number) => number,
): NamedGroup[] {
  const filled: NamedGroup[] = [];
  let due: number | null = null;
  for (const group of groups) {
    const at = Date.parse(group.name ?? "");
    if (Number.isNaN(at)) continue;
    while (due !== null && due < at && filled.length < MOST_GROUPS) {
      filled.push({ ...NONE, name: new Date(due).toISOString() });
      due = next(due);
    }
    filled.push(group);
    due = next(at);
  }
  return filled;
}

/** The next local day. */
export function nextDay(millis: number): number {
  const date = new Date(millis);
  return new Date(date.getFullYear(), date.getMonth(), date.getDate() + 1).getTime();
}

/** The next hour. */
export function nextHour(millis: number): number {
  return millis + 3_600_000;
}

/** What a group is called on an axis. */
export function labelOf({ name }: NamedGroup, by: "day" | "hour" | "agent"): string {
  if (name === null) return "(none)";
  if (by === "agent") return name;
  const stamp = formatStamp(Date.parse(name));
  return by === "day" ? stamp.slice(5, 10) : stamp.slice(11, 16);
}

/** The charts of some groups. */
export function chartsOf(groups: readonly NamedGroup[], by: "day" | "hour" | "agent"): ChartData[] {
  const labels = groups.map((group) => labelOf(group, by));
  const every = by === "agent";
  const of = (value: (group: NamedGroup) => number | null) => groups.map(value);
  return [
    {
      title: "Attempts",
      about: "that have ended, by how",
      unit: "tasks",
      labels,
      every,
      stacked: true,
      series: [
        { name: "complete", values: of(({ attempts }) => attempts.complete), colour: "--good" },
        { name: "failed", values: of(({ attempts }) => attempts.failed), colour: "--bad" },
        {
          name: "cancelled",
          values: of(({ attempts }) => attempts.cancelled),
          colour: "--line-strong",
        },
      ],
    },
    {
      title: "Waiting",
      about: "from queueing to launch",
      unit: "seconds",
      labels,
      every,
      stacked: false,
      series: [
        {
          name: "median",
          values: of(({ waiting }) => waiting?.p50 ?? null),
          colour: "--accent",
        },
        {
          name: "95th percentile",
          values: of(({ waiting }) => waiting?.p95 ?? null),
          colour: "--faint",
        },
      ],
    },
    {
      title: "Cost",
      about: "as the agents told it, US dollars",
      unit: "usd",
      labels,
      every,
      stacked: true,
      series: [{ name: "cost", values: of(({ usage }) => usage.costUsd), colour: "--accent" }],
    },
    {
      title: "Tokens",
      about: "as the agents told them",
      unit: "tokens",
      labels,
      every,
      stacked: true,
      series: [
        { name: "written", values: of(({ usage }) => usage.outputTokens), colour: "--later" },
        {
          name: "read",
          values: of(({ usage }) => Math.max(0, usage.inputTokens - usage.cachedTokens)),
          colour: "--accent",
        },
        {
          name: "read from caches",
          values: of(({ usage }) => usage.cachedTokens),
          colour: "--faint",
        },
      ],
    },
  ];
}

/** The tops of the bars, each series on those before it where they are stacked. */
export function topsOf(
  { series, stacked }: Pick<ChartData, "series" | "stacked">,
): (number | null)[][] {
  if (!stacked) return series.map(({ values }) => values);
  const sums = series[0]?.values.map(() => 0) ?? [];
  return series.map(({ values }) =>
    values.map((value, index) => sums[index] = (sums[index] ?? 0) + (value ?? 0))
  );
}

/** What statistics say of the time in which there was a workspace, of all that they are about. */
export interface Rates {
  /** Attempts that settled an hour; null for no time. */
  readonly perHour: number | null;
  /** Of the time of all slots, that in which one was held; null for no time. */
  readonly used: number | null;
}

/**
 * Rates of some statistics.
 *
 * @param first when the workspace's history begins, milliseconds since the epoch
 */
export function ratesSince({ from, to, total, slots }: Stats, first: number): Rates {
  const seconds = (Date.parse(to) - Math.max(Date.parse(from), first)) / 1000;
  if (!(seconds > 0)) return { perHour: null, used: null };
  return {
    perHour: total.attempts.settled / seconds * 3600,
    used: slots.there > 0 ? Math.min(1, total.busySeconds / (slots.there * seconds)) : null,
  };
}
