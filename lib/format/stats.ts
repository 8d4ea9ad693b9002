// Statistics as a person reads them, and as a table for other programs. Pure: numbers, style and clock in,
// text out.

import { formatDuration } from "../task/duration.ts";
import type { NamedGroup, Spread, Stats, StatsBy, StatsGroup } from "../task/stats.ts";
import { createPalette, type Paint, type Palette, type Style } from "../text/style.ts";
import { type Cell, type Column, formatRows, type Span } from "../text/table.ts";
import { formatElapsed, formatStamp } from "../text/time.ts";
import { firstLine, pad, sanitize, truncate, wrap } from "../text/width.ts";
import { formatCost, formatCount } from "./status.ts";

/** Cells of the names at the left. */
const MARGIN = 11;
/** Cells of a bar: more says no more. */
const LONGEST_BAR = 40;
/** Cells of a series. */
const LONGEST_SERIES = 100;
const STEPS = { unicode: "▁▂▃▄▅▆▇█", ascii: "._-=+*#@" };

/** How statistics were asked for. */
export interface StatsView {
  by?: StatsBy;
  /** Whether all of the history was asked for. */
  isWhole: boolean;
}

/** The whole, and a line for each group. */
export function formatStats(stats: Stats, view: StatsView, style: Style): string {
  const palette = createPalette(style);
  const lines = [
    truncate(formatSpan(stats, view, palette), style.width, palette.ellipsis),
    "",
    ...formatTotal(stats, style, palette),
  ];
  const classes = formatClasses(stats.total, style, palette);
  if (classes.length > 0) lines.push("", ...classes);
  if (stats.groups.length > 0) lines.push("", ...formatGroups(stats, view.by!, style, palette));
  if (stats.unread > 0) {
    const text = `${stats.unread} ${stats.unread === 1 ? "line" : "lines"} of the history ` +
      "could not be read and do not count";
    lines.push("", ...wrap(text, style.width).map(palette.waiting));
  }
  return lines.join("\n");
}

function formatSpan({ from, to, seconds }: Stats, { isWhole }: StatsView, palette: Palette) {
  const minute = (time: string) => formatStamp(Date.parse(time)).slice(0, -3);
  const what = isWhole ? "All that the history tells" : `The last ${formatDuration(seconds)}`;
  return `${what} ${palette.dot} ${minute(from)} to ${minute(to)}`;
}

/** One colour of a bar. */
interface BarPart {
  value: number;
  mark: string;
  paint: Paint;
}

/** A line of the whole: what it is about, a picture, what it says. */
function formatTotal(stats: Stats, style: Style, palette: Palette): string[] {
  const { total, slots, throughput } = stats;
  const { attempts, chains, usage } = total;
  const width = Math.max(6, Math.min(LONGEST_BAR, Math.floor((style.width - MARGIN) / 3)));
  const outcomes = (part: StatsGroup["chains"] | StatsGroup["attempts"], more: string[]) => {
    const { complete, failed, cancelled } = part;
    const parts: BarPart[] = [
      { value: complete, mark: palette.bar.ok, paint: palette.ok },
      { value: failed, mark: palette.bar.bad, paint: palette.bad },
      { value: cancelled, mark: palette.bar.rest, paint: palette.dim },
    ];
    const none = { value: part.settled === 0 ? 1 : 0, mark: palette.bar.rest, paint: palette.dim };
    return {
      picture: formatBar([...parts, none], width),
      words: [...counted({ complete, failed, cancelled }), ...more],
    };
  };
  const rows: { name: string; picture?: string; words: string[] }[] = [
    {
      name: "Tasks",
      ...outcomes(chains, chains.successRate === null ? [] : [percent(chains.successRate)]),
    },
    {
      name: "Attempts",
      ...outcomes(attempts, [
        ...(attempts.successRate === null ? [] : [percent(attempts.successRate)]),
        ...(attempts.perSuccess === null ? [] : [`${ratio(attempts.perSuccess)} a success`]),
      ]),
    },
    { name: "Queued", words: [String(total.queued)] },
    { name: "Waiting", words: spreadWords(total.waiting) },
    { name: "Running", words: spreadWords(total.running) },
  ];
  if (slots.used !== null) {
    const used = Math.min(1, slots.used);
    rows.push({
      name: "Slots",
      picture: formatBar([
        { value: used, mark: palette.bar.ok, paint: palette.running },
        { value: 1 - used, mark: palette.bar.rest, paint: palette.dim },
      ], width),
      words: [`${percent(slots.used)} of ${slots.there} in use`],
    });
  }
  if (usage.runs > 0) rows.push({ name: "Cost", words: costWords(usage) });
  if (usage.inputTokens + usage.outputTokens > 0) {
    rows.push({
      name: "Tokens",
      words: [
        `${formatCount(usage.inputTokens)} in`,
        ...(usage.cachedTokens > 0 ? [`${formatCount(usage.cachedTokens)} of them cached`] : []),
        `${formatCount(usage.outputTokens)} out`,
      ],
    });
  }
  const limited = Object.entries(stats.limited).sort(([, a], [, b]) => b - a);
  if (limited.length > 0) {
    rows.push({
      name: "Limited",
      words: limited.slice(0, 8).map(([agent, seconds]) =>
        `${firstLine(agent, 24)} ${formatDuration(seconds)}`
      ),
    });
  }
  const lines = rows.flatMap(({ name, picture, words }) => {
    const head = palette.dim(pad(name, MARGIN)) + (picture === undefined ? "" : `${picture}  `);
    const used = MARGIN + (picture === undefined ? 0 : width + 2);
    const text = words.join(` ${palette.dot} `);
    const [first = "", ...rest] = wrap(text, Math.max(10, style.width - used));
    return [head + first, ...rest.map((line) => " ".repeat(used) + line)];
  });
  const settled = throughput.complete.map((count, at) => count + throughput.failed[at]!);
  if (attempts.settled > 0 && throughput.perHour !== null) {
    const text = throughput.perHour >= 1
      ? `${ratio(throughput.perHour)} an hour`
      : `${ratio(throughput.perDay!)} a day`;
    const room = Math.min(LONGEST_SERIES, style.width - MARGIN - 2 - text.length);
    lines.splice(
      2,
      0,
      palette.dim(pad("Settled", MARGIN)) +
        (settled.length > 1 ? `${palette.running(formatSeries(settled, room, style))}  ` : "") +
        text,
    );
  }
  return lines;
}

function counted(counts: Record<string, number>): string[] {
  const words = Object.entries(counts).filter(([, count]) => count > 0)
    .map(([what, count]) => `${count} ${what}`);
  return words.length === 0 ? ["none yet"] : words;
}

function spreadWords(spread: Spread | null): string[] {
  if (spread === null) return ["-"];
  const { p50, p95, max } = spread;
  return [
    `half within ${formatElapsed(p50)}`,
    `95% within ${formatElapsed(p95)}`,
    `longest ${formatElapsed(max)}`,
  ];
}

function costWords({ costUsd, runs, unpriced }: StatsGroup["usage"]): string[] {
  if (unpriced === runs) return ["no run told its price"];
  const cost = formatCost(costUsd);
  return unpriced === 0 ? [cost] : [cost, `without ${unpriced} of ${runs} runs, which told none`];
}

function percent(share: number): string {
  const value = share * 100;
  // What is not all is not shown as all.
  return `${value > 99 && value < 100 ? "99" : value.toFixed(value < 10 ? 1 : 0)}%`;
}

function ratio(value: number): string {
  return value < 10 ? value.toFixed(1) : formatCount(value);
}

/** Shares of a whole in cells; what is there at all gets one. */
function formatBar(parts: readonly BarPart[], width: number): string {
  const sum = parts.reduce((all, { value }) => all + value, 0);
  const cells = parts.map(({ value }) =>
    value === 0 ? 0 : Math.max(1, Math.round(value / sum * width))
  );
  for (let over = cells.reduce((all, count) => all + count, 0) - width; over !== 0;) {
    const step = Math.sign(over);
    cells[cells.indexOf(Math.max(...cells))]! -= step;
    over -= step;
  }
  return parts.map(({ mark, paint }, at) => paint(mark.repeat(cells[at]!))).join("");
}

/** A line of small columns: as many as there are steps, or as there is room for. */
function formatSeries(values: readonly number[], room: number, style: Style): string {
  const steps = style.unicode ? STEPS.unicode : STEPS.ascii;
  const count = Math.max(1, Math.min(values.length, room));
  const sums = new Array<number>(count).fill(0);
  values.forEach((value, at) => sums[Math.floor(at * count / values.length)]! += value);
  // Where several steps share a column some share it with one more.
  const most = Math.max(...sums);
  return sums.map((value) =>
    value === 0 ? " " : steps[Math.min(steps.length - 1, Math.floor(value / most * steps.length))]
  ).join("");
}

/** What failed, by its class, and how often that was tried again. */
function formatClasses(total: StatsGroup, style: Style, palette: Palette): string[] {
  const names = [...new Set([...Object.keys(total.failures), ...Object.keys(total.retries)])];
  if (names.length === 0) return [];
  const failed = (name: string) => total.failures[name] ?? 0;
  const most = Math.max(...names.map(failed), 1);
  const columns: Column<string>[] = [
    { header: "FAILED BY", max: 20, cell: (name) => firstLine(name, 20) },
    { header: "ATTEMPTS", align: "right", cell: (name) => String(failed(name)) },
    { header: "RETRIED", align: "right", cell: (name) => String(total.retries[name] ?? 0) },
    {
      header: "",
      flex: 1,
      min: 4,
      max: LONGEST_BAR,
      dropOrder: 1,
      cell: (name) => (width): Span[] => {
        const room = Math.min(LONGEST_BAR, width);
        const cells = failed(name) === 0 ? 0 : Math.max(1, Math.round(failed(name) / most * room));
        return [{ text: palette.bar.bad.repeat(cells), paint: palette.bad }];
      },
    },
  ];
  return formatRows(columns, names.sort((a, b) => failed(b) - failed(a)), style);
}

/** More groups are only counted. */
const MOST_ROWS = 200;

function formatGroups({ groups }: Stats, by: StatsBy, style: Style, palette: Palette): string[] {
  const share = (value: number | null): Cell =>
    value === null ? "" : {
      text: percent(value),
      paint: value >= 0.9 ? palette.ok : value < 0.5 ? palette.bad : undefined,
    };
  const spread = (value: Spread | null, which: "p50" | "p95") =>
    value === null ? "" : formatElapsed(value[which]);
  const number = (value: number) => value === 0 ? "" : formatCount(value);
  const columns: Column<NamedGroup>[] = [
    {
      header: typeof by === "object" ? firstLine(by.label, 24).toUpperCase() : by.toUpperCase(),
      flex: 1,
      min: 10,
      cell: ({ name }) => groupName(name, by, 60),
    },
    { header: "QUEUED", align: "right", dropOrder: 5, cell: ({ queued }) => number(queued) },
    {
      header: "ATTEMPTS",
      align: "right",
      dropOrder: 1,
      cell: ({ attempts }) => number(attempts.settled),
    },
    { header: "OK", align: "right", cell: ({ attempts }) => share(attempts.successRate) },
    {
      header: "TASKS OK",
      align: "right",
      dropOrder: 6,
      cell: ({ chains }) => share(chains.successRate),
    },
    {
      header: "WAIT 50%",
      align: "right",
      dropOrder: 8,
      cell: ({ waiting }) => spread(waiting, "p50"),
    },
    {
      header: "WAIT 95%",
      align: "right",
      dropOrder: 9,
      cell: ({ waiting }) => spread(waiting, "p95"),
    },
    {
      header: "RUN 50%",
      align: "right",
      dropOrder: 3,
      cell: ({ running }) => spread(running, "p50"),
    },
    {
      header: "RUN 95%",
      align: "right",
      dropOrder: 4,
      cell: ({ running }) => spread(running, "p95"),
    },
    {
      header: "LIMITED",
      align: "right",
      dropOrder: 7,
      cell: ({ limitedSeconds }) => limitedSeconds ? formatDuration(limitedSeconds) : "",
    },
    {
      header: "TOKENS",
      align: "right",
      dropOrder: 10,
      cell: ({ usage }) => number(usage.inputTokens + usage.outputTokens),
    },
    {
      header: "COST",
      align: "right",
      dropOrder: 2,
      cell: ({ usage }) => usage.costUsd > 0 ? formatCost(usage.costUsd) : "",
    },
  ];
  const left = groups.length - MOST_ROWS;
  // Of times the latest are wanted, of the others those that come first.
  const shown = by === "day" || by === "hour"
    ? groups.slice(-MOST_ROWS)
    : groups.slice(0, MOST_ROWS);
  // What holds for none of them needs no column.
  const used = columns.filter(({ cell, header }) =>
    header === "OK" || shown.some((group) => cell(group) !== "")
  );
  const lines = formatRows(used, shown, style);
  return left > 0 ? [...lines, palette.dim(`and ${left} more, all of them with --csv`)] : lines;
}

function groupName(name: string | null, by: StatsBy, width: number): string {
  if (name === null) return "-";
  if (by !== "day" && by !== "hour") return firstLine(name, width);
  const stamp = formatStamp(Date.parse(name));
  return by === "day" ? stamp.slice(0, 10) : stamp.slice(0, 16);
}

/** The columns of the table for other programs: seconds, US dollars, shares of one. */
const CSV: readonly (readonly [string, (group: StatsGroup) => number | null | undefined])[] = [
  ["queued", ({ queued }) => queued],
  ["tasks_complete", ({ chains }) => chains.complete],
  ["tasks_failed", ({ chains }) => chains.failed],
  ["tasks_cancelled", ({ chains }) => chains.cancelled],
  ["tasks_success_rate", ({ chains }) => chains.successRate],
  ["attempts_complete", ({ attempts }) => attempts.complete],
  ["attempts_failed", ({ attempts }) => attempts.failed],
  ["attempts_cancelled", ({ attempts }) => attempts.cancelled],
  ["attempts_success_rate", ({ attempts }) => attempts.successRate],
  ["attempts_per_success", ({ attempts }) => attempts.perSuccess],
  ["retries", ({ retries }) => Object.values(retries).reduce((sum, count) => sum + count, 0)],
  ["waiting_p50", ({ waiting }) => waiting?.p50],
  ["waiting_p95", ({ waiting }) => waiting?.p95],
  ["waiting_max", ({ waiting }) => waiting?.max],
  ["running_p50", ({ running }) => running?.p50],
  ["running_p95", ({ running }) => running?.p95],
  ["running_max", ({ running }) => running?.max],
  ["limited_seconds", ({ limitedSeconds }) => limitedSeconds],
  ["busy_seconds", ({ busySeconds }) => busySeconds],
  ["input_tokens", ({ usage }) => usage.inputTokens],
  ["output_tokens", ({ usage }) => usage.outputTokens],
  ["cached_tokens", ({ usage }) => usage.cachedTokens],
  ["cost_usd", ({ usage }) => usage.costUsd],
  ["runs", ({ usage }) => usage.runs],
  ["unpriced_runs", ({ usage }) => usage.unpriced],
];

/** A row for each group, or one for the whole (RFC 4180). */
export function formatStatsCsv({ total, groups }: Stats, by: StatsBy | undefined): string {
  const values = (group: StatsGroup) =>
    CSV.map(([, value]) => {
      const found = value(group);
      return found === null || found === undefined ? "" : String(Math.round(found * 1e6) / 1e6);
    });
  const heads = CSV.map(([name]) => name);
  const rows = by === undefined ? [heads, values(total)] : [
    [typeof by === "object" ? by.label : by, ...heads],
    ...groups.map((group) => [group.name ?? "", ...values(group)]),
  ];
  return rows.map((row) => row.map(csvField).join(",") + "\r\n").join("");
}

/** A field; a spreadsheet must not take a label for a formula. */
function csvField(text: string): string {
  const clean = sanitize(text);
  const safe = /^[=+@\t\r]|^-(?!\d)/.test(clean) ? `'${clean}` : clean;
  return /[",]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
}
