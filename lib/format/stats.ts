// Statistics as a person reads them, and as a table for other programs. Pure: numbers, style and clock in,
// text out.

import { formatDuration } from "../task/duration.ts";
import type { NamedGroup, Spread, Stats, StatsBy, StatsGroup } from "../task/stats.ts";
import { createPalette, type Paint, type Palette, type Style } from "../text/style.ts";
import { type Cell, type Column, formatRows, type Span } from "../text/table.ts";
import { formatElapsed, formatLimit, formatStamp } from "../text/time.ts";
import { displayWidth, firstLine, pad, sanitize, truncate, wrap } from "../text/width.ts";
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
  const what = isWhole ? "All that the history tells" : `The last ${formatLimit(seconds)}`;
  return `${what} ${palette.dot} ${minute(from)} to ${minute(to)}`;
}

/** One colour of a bar. */
interface BarPart {
  value: number;
  mark: string;
  paint: Paint;
}

/** A line of the whole: what it is about, a picture, what it says. */
interface Row {
  name: string;
  picture?: { text: string; width: number };
  words: readonly string[];
}

function formatTotal(stats: Stats, style: Style, palette: Palette): string[] {
  const rows = [
    ...outcomeRows(stats, style, palette),
    ...resourceRows(stats, style, palette),
  ];
  return rows.flatMap(({ name, picture, words }) => {
    const used = MARGIN + (picture === undefined ? 0 : picture.width + 2);
    const head = palette.dim(pad(name, MARGIN)) +
      (picture === undefined ? "" : `${picture.text}  `);
    const [first = "", ...rest] = flow(words, ` ${palette.dot} `, style.width - used);
    return [head + first, ...rest.map((line) => " ".repeat(used) + line)];
  });
}

/** How wide bars are where a line has to say something, too. */
function barWidth({ width }: Style): number {
  return Math.max(6, Math.min(LONGEST_BAR, Math.floor((width - MARGIN) / 4)));
}

/** Below this a rate would say what nobody has seen, seconds. */
const LEAST_FOR_RATE = 3600;

/** How many attempts settled in an hour, or a day; in the whole span where that is a short one. */
function settledText({ total, throughput, seconds }: Stats): string {
  const { perHour, perDay } = throughput;
  if (seconds < LEAST_FOR_RATE) {
    return `${formatCount(total.attempts.settled)} in ${formatElapsed(seconds)}`;
  }
  return perHour! >= 1 ? `${ratio(perHour!)} an hour` : `${ratio(perDay!)} a day`;
}

function outcomeRows(stats: Stats, style: Style, palette: Palette): Row[] {
  const { total, throughput } = stats;
  const { attempts, chains } = total;
  const width = barWidth(style);
  const outcomes = (part: StatsGroup["chains"] | StatsGroup["attempts"], more: string[] = []) => {
    const { settled, complete, failed, cancelled, successRate } = part;
    const parts: BarPart[] = [
      { value: complete, mark: palette.bar.ok, paint: palette.ok },
      { value: failed, mark: palette.bar.bad, paint: palette.bad },
      { value: cancelled, mark: palette.bar.rest, paint: palette.dim },
      { value: settled === 0 ? 1 : 0, mark: palette.bar.rest, paint: palette.dim },
    ];
    return {
      picture: { text: formatBar(parts, width), width },
      words: [
        ...(successRate === null ? [] : [pad(percent(successRate), 4, "right")]),
        ...counted({ complete, failed, cancelled }),
        ...more,
      ],
    };
  };
  const { perSuccess } = attempts;
  const rows: Row[] = [
    { name: "Tasks", ...outcomes(chains) },
    {
      name: "Attempts",
      ...outcomes(attempts, perSuccess === null ? [] : [`${ratio(perSuccess)} a success`]),
    },
  ];
  rows.push({ name: "Queued", words: [String(total.queued)] });
  if (attempts.settled > 0 && throughput.perHour !== null) {
    const text = settledText(stats);
    const settled = throughput.complete.map((count, at) => count + throughput.failed[at]!);
    const room = Math.min(LONGEST_SERIES, settled.length, style.width - MARGIN - 2 - text.length);
    const series = settled.length > 1 && room > 0 ? formatSeries(settled, room, style) : undefined;
    rows.push({
      name: "Settled",
      picture: series === undefined
        ? undefined
        : { text: palette.running(series), width: series.length },
      words: [text],
    });
  }
  return rows;
}

function resourceRows({ total, slots, limited }: Stats, style: Style, palette: Palette): Row[] {
  const { usage } = total;
  const rows: Row[] = [
    { name: "Waiting", words: spreadWords(total.waiting) },
    { name: "Running", words: spreadWords(total.running) },
  ];
  if (slots.used !== null) {
    const width = barWidth(style);
    // Not even half a cell is none: a bar of six would say a sixth of what is a thousandth.
    const used = Math.min(1, Math.round(slots.used * width) / width);
    const parts: BarPart[] = [
      { value: used, mark: palette.bar.ok, paint: palette.running },
      { value: 1 - used, mark: palette.bar.rest, paint: palette.dim },
    ];
    rows.push({
      name: "Slots",
      picture: { text: formatBar(parts, width), width },
      words: [`${pad(percent(slots.used), 4, "right")} of ${slots.there}`],
    });
  }
  if (usage.runs > 0) rows.push({ name: "Cost", words: costWords(usage) });
  if (usage.inputTokens + usage.outputTokens > 0) {
    const cached = usage.cachedTokens > 0
      ? [`${formatCount(usage.cachedTokens)} of them cached`]
      : [];
    const [input, output] = [formatCount(usage.inputTokens), formatCount(usage.outputTokens)];
    rows.push({ name: "Tokens", words: [`${input} in`, ...cached, `${output} out`] });
  }
  const lanes = Object.entries(limited).sort(([, a], [, b]) => b - a);
  if (lanes.length > 0) {
    const words = lanes.slice(0, MOST_LANES).map(([agent, seconds]) =>
      `${firstLine(agent, 24)} ${formatDuration(seconds)}`
    );
    rows.push({ name: "Limited", words });
  }
  return rows;
}

/** Agents that are told by name in the line on used up quotas. */
const MOST_LANES = 8;

/** Lines of whole words, as many in each as fit. */
function flow(words: readonly string[], separator: string, width: number): string[] {
  const lines: string[] = [];
  for (const word of words) {
    const last = lines.at(-1);
    if (last !== undefined && displayWidth(last + separator + word) <= width) {
      lines[lines.length - 1] = last + separator + word;
    } else lines.push(word);
  }
  return lines.flatMap((line) => wrap(line, Math.max(10, width)));
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
  // What is not all is not shown as all, and what is there is not shown as nothing.
  if (value > 0 && value < 1) return "<1%";
  return `${value > 99 && value < 100 ? 99 : Math.round(value)}%`;
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
  // Several steps share a column, and not each as many: their mean is what is drawn.
  const start = (column: number) => Math.ceil(column * values.length / count);
  const means = Array.from({ length: count }, (_, column) => {
    const its = values.slice(start(column), start(column + 1));
    return its.reduce((sum, value) => sum + value, 0) / its.length;
  });
  const most = Math.max(...means);
  return means.map((value) =>
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
  // Of one class all have the same end.
  const success = (value: number | null): Cell =>
    value === null || by === "class" ? "" : {
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
    { header: "OK", align: "right", cell: ({ attempts }) => success(attempts.successRate) },
    {
      header: "TASKS OK",
      align: "right",
      dropOrder: 6,
      cell: ({ chains }) => success(chains.successRate),
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
  const used = columns.filter(({ cell }) => shown.some((group) => cell(group) !== ""));
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
  const isNumber = /^-?\d+(?:\.\d+)?$/.test(clean);
  const safe = !isNumber && /^\s*[-=+@＝＋－＠]/.test(clean) ? `'${clean}` : clean;
  return /[",]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
}
