// The queue as a person sees it: the status table, the watch screen, and the one line per change
// of a run that is not on a terminal. Pure: tasks, style and clock in, text out.

import { formatDuration } from "../task/duration.ts";
import { branchOf } from "../decide/branch.ts";
import {
  isTerminal,
  type Millis,
  parseTime,
  type Task,
  type TaskBranch,
  type Usage,
} from "../task/fields.ts";
import type { Overlaps } from "../decide/overlap_marks.ts";
import { type Names, WHOLE_IDS } from "../decide/names.ts";
import type { PausedLane, PhaseName, QueueCounts, TaskView } from "../decide/view.ts";
import { formatKey, nameColumns } from "./names.ts";
import { explain, formatOverlap } from "./reason.ts";
import { createPalette, type Paint, type Palette, PHASES, type Style } from "../text/style.ts";
import { type Column, formatRows, type Span } from "../text/table.ts";
import { displayWidth, firstLine, pad, truncate } from "../text/width.ts";
import { formatClock, formatElapsed, formatLimit, formatMoment, formatSpan } from "../text/time.ts";

/** What the status table shows. */
export interface StatusInput {
  /** Tasks to list, already filtered and limited, in the order to show them in. */
  views: readonly TaskView[];
  /** What people call the tasks of the queue; by their whole ids where absent. */
  names?: Names;
  /** Finished tasks that are left out. */
  hidden: number;
  /** Counts over the whole queue. */
  counts: QueueCounts;
  /** Task files that could not be read. */
  damaged: readonly { file: string; problem: string }[];
  /** Agents that are paused. */
  lanes: readonly PausedLane[];
  /** One line on who watches the queue; null to say nothing. */
  supervisor: string | null;
  /** Whether to show what each task consumed. */
  usage?: boolean;
  /** Whether to show how much each task changed on its branch. */
  changes?: boolean;
  /** Which tasks change the same files; absent where none do. */
  overlaps?: Overlaps;
  /** Whether only some tasks were asked for: that there is none of them does not mean no task. */
  filtered?: boolean;
  /** What the workspace of each task is called; absent where there is only one. */
  workspaceOf?: (task: Task) => string;
}

/** What the watch screen shows. */
export interface WatchInput extends StatusInput {
  /** Path of the workspace, for the title. */
  workspace: string;
  /** How to leave; by `q` or Ctrl+C unless told. */
  hint?: string;
}

/** The damaged files that are named one by one; more are only counted. */
const MOST_DAMAGED = 5;
/** Below this width a row has no room for both its prompt and a reason of any length. */
const ROOM_FOR_BOTH = 30;
/** Below this width a row of several workspaces has no room for a whole id beside prompt and reason. */
const ROOM_FOR_IDS = 110;
/** When columns that were asked for go: after those that were not, the keys among them. */
const ASKED_FOR = 2.2;
/** Less of a prompt says nothing. */
const LEAST_PROMPT = 8;

function reasonPaint(phase: PhaseName, palette: Palette): Paint {
  return phase === "failed" ? palette.bad : palette.dim;
}

/** Why a task is where it is, and before it starts which others change the same files. */
function whyOf(view: TaskView, { overlaps, names }: StatusInput, now: number): string | null {
  const why = explain(view, now, names);
  const { taskId, status } = view.task;
  const marks = status === "pending" && overlaps !== undefined ? overlaps.of(taskId) : [];
  // The task that it waits for is named there already.
  const first = view.phase.kind === "waiting" && view.phase.wait.kind === "limit"
    ? undefined
    : marks[0];
  if (first === undefined) return why;
  const rest = marks.length > 1 ? `, and ${marks.length - 1} more` : "";
  const mark = formatOverlap(first, taskId, names) + rest;
  return why === null ? mark : `${why}; ${mark}`;
}

function describe(
  view: TaskView,
  input: StatusInput,
  palette: Palette,
  style: Style,
  now: number,
  isShort: boolean,
): (width: number) => Span[] {
  const prompt = firstLine(view.task.prompt, style.width);
  const why = whyOf(view, input, now);
  const reason = why === null ? "" : firstLine(why, style.width);
  if (reason === "") return () => [{ text: prompt }];
  const phase = view.phase.kind;
  const paint = reasonPaint(phase, palette);
  const separator = ` ${palette.dot} `;
  const promptWidth = displayWidth(prompt);
  const reasonWidth = displayWidth(reason);
  const isError = phase === "failed" || phase === "retrying";
  return (width) => {
    const isNarrow = width < ROOM_FOR_BOTH;
    if (isNarrow && promptWidth + 3 + reasonWidth > width) {
      // The status column already says that it waits; only an error is worth more than the prompt.
      if (isError) return [{ text: reason, paint }];
      if (LEAST_PROMPT + 3 + reasonWidth > width) return [{ text: prompt }];
    }
    // The reason is why the row is read, so the prompt gives way to it, down to two fifths, or to a
    // word before one that is short.
    const least = isNarrow || isShort ? LEAST_PROMPT : Math.floor(width * 0.4);
    const room = Math.max(least, width - 3 - reasonWidth);
    return [
      { text: truncate(prompt, room, palette.ellipsis) },
      { text: separator, paint: palette.dim },
      { text: reason, paint },
    ];
  };
}

/** Elapsed time of a task and, while it runs, its limit: `12s/5m`; empty before it started. */
export function formatTiming(view: TaskView): string {
  if (view.elapsed === null) return "";
  if (view.phase.kind !== "running") return formatElapsed(view.elapsed);
  // Whole seconds, so that a watched table does not jitter.
  const elapsed = view.elapsed < 1 ? "0s" : formatDuration(Math.floor(view.elapsed));
  return view.task.timeout === null ? elapsed : `${elapsed}/${formatLimit(view.task.timeout)}`;
}

/** The running attempt and how many there may be: `2/4`; empty where nothing is retried. */
export function formatTry(task: Task): string {
  if (task.retryCount === 0 && !task.autoRetry) return "";
  return `${task.retryCount + 1}/${Math.max(task.maxRetries, task.retryCount) + 1}`;
}

/** Labels as one text: `area=ui team=x`. */
export function formatLabels(labels: Readonly<Record<string, string>>): string {
  return Object.entries(labels).map(([name, value]) =>
    firstLine(value === "" ? name : `${name}=${value}`, 200)
  ).join(" ");
}

/** A count in at most four characters: `950`, `12.3k`, `1.2M`. */
export function formatCount(value: number): string {
  if (value < 1000) return String(Math.round(value));
  const [unit, by] = value < 999_500 ? ["k", 1e3] : value < 999_500_000 ? ["M", 1e6] : ["G", 1e9];
  const scaled = value / (by as number);
  return `${scaled < 99.95 ? scaled.toFixed(1).replace(/\.0$/, "") : scaled.toFixed(0)}${unit}`;
}

/** How much changed on a branch: `3 files +120 -8`, or `nothing`; null where that is not known yet. */
export function formatChanges({ files, insertions, deletions }: TaskBranch): string | null {
  if (files === null) return null;
  if (files === 0) return "nothing";
  const count = `${files} ${files === 1 ? "file" : "files"}`;
  return insertions === null || deletions === null
    ? count
    : `${count} +${insertions} -${deletions}`;
}

/** Whether a task is over, and its worktree is still there for what is in it. */
function isLeft(task: Task): boolean {
  return isTerminal(task.status) && (branchOf(task)?.left ?? null) !== null;
}

/** US dollars with as many digits as matter: `$0.0042`, `$1.20`. */
export function formatCost(dollars: number): string {
  return `$${dollars.toFixed(dollars > 0 && dollars < 0.1 ? 4 : 2)}`;
}

/** A number that an agent reported, or null: its report is known to be an object, and no more. */
export function finite(value: unknown): number | null {
  return typeof value === "number" && Number.isFinite(value) ? value : null;
}

/** Tokens read and written; null where the agent did not say. */
function tokensOf(usage: Usage): number | null {
  const input = finite(usage.inputTokens);
  const output = finite(usage.outputTokens);
  return input === null && output === null ? null : (input ?? 0) + (output ?? 0);
}

function statusColumns(
  input: StatusInput,
  palette: Palette,
  style: Style,
  now: number,
): Column<TaskView>[] {
  const { views, names = WHOLE_IDS, workspaceOf } = input;
  const isShort = workspaceOf !== undefined && style.width < ROOM_FOR_IDS;
  const asked = input.usage === true || input.changes === true;
  const columns: (Column<TaskView> | false)[] = [
    workspaceOf !== undefined && {
      header: "WORKSPACE",
      max: 20,
      flex: 1,
      min: 9,
      cell: ({ task }) => firstLine(workspaceOf(task), 61),
    },
    ...nameColumns(views, ({ task }) => task, names, palette, style, isShort),
    {
      header: "",
      gap: 1,
      cell: ({ phase: { kind } }) => ({ text: palette.icon[kind], paint: palette.phase[kind] }),
    },
    {
      header: "STATUS",
      dropOrder: 2,
      cell: ({ phase: { kind } }) => ({ text: kind, paint: palette.phase[kind] }),
    },
    {
      header: "AGENT",
      max: 20,
      flex: 1,
      min: 12,
      dropOrder: 4,
      cell: (view) => firstLine(view.task.agent, 20),
    },
    views.some(({ task }) => task.priority !== 5) && {
      header: "PRIO",
      align: "right",
      dropOrder: 8,
      cell: ({ task }) =>
        task.priority === 5 ? { text: "5", paint: palette.dim } : String(task.priority),
    },
    views.some((view) => view.elapsed !== null) && {
      header: "TIME",
      dropOrder: 5,
      cell: (view) => ({
        text: formatTiming(view),
        paint: view.warning ? palette.waiting : undefined,
      }),
    },
    views.some(({ task }) => task.retryCount > 0 || task.autoRetry) && {
      header: "TRY",
      dropOrder: 6,
      cell: ({ task }) => formatTry(task),
    },
    {
      header: "AGE",
      dropOrder: 7,
      cell: ({ task }) => {
        const created = parseTime(task.createdAt);
        return created === null
          ? ""
          : { text: formatSpan((now - created) / 1000), paint: palette.dim };
      },
    },
    input.usage === true && {
      header: "TOKENS",
      align: "right",
      dropOrder: ASKED_FOR,
      cell: ({ task }) => {
        const tokens = task.usage === null ? null : tokensOf(task.usage);
        return tokens === null ? "" : formatCount(tokens);
      },
    },
    input.usage === true && {
      header: "COST",
      align: "right",
      dropOrder: ASKED_FOR,
      cell: ({ task }) => {
        const cost = finite(task.usage?.costUsd);
        return cost === null ? "" : formatCost(cost);
      },
    },
    input.changes === true && {
      header: "CHANGES",
      dropOrder: ASKED_FOR,
      cell: ({ task }) => {
        const branch = branchOf(task);
        const text = branch === null ? null : formatChanges(branch);
        return text === null ? "" : text === "nothing" ? { text, paint: palette.dim } : text;
      },
    },
    views.some(({ task }) => isLeft(task)) && {
      header: "WORKTREE",
      dropOrder: 8,
      cell: ({ task }) => isLeft(task) ? { text: "stays", paint: palette.waiting } : "",
    },
    views.some(({ task }) => Object.keys(task.labels).length > 0) && {
      header: "LABELS",
      max: 24,
      flex: 1,
      min: 10,
      dropOrder: 9,
      cell: ({ task }) => ({ text: formatLabels(task.labels), paint: palette.dim }),
    },
    {
      header: "PROMPT",
      flex: 6,
      // Beside a workspace's name the other columns go rather than the reason, unless they were asked for.
      min: Math.max(
        12,
        Math.min(40, Math.floor(style.width * (asked ? 0.15 : isShort ? 0.45 : 0.25))),
      ),
      dropOrder: 1,
      cell: (view) => describe(view, input, palette, style, now, isShort),
    },
  ];
  return columns.filter((column) => column !== false);
}

/** The lines of the table of tasks, the header first. */
export function formatTaskTable(input: StatusInput, style: Style, now: number): string[] {
  return formatRows(statusColumns(input, createPalette(style), style, now), input.views, style);
}

/** Parts joined by a separator, on as many lines as the width asks for. */
function joinParts(parts: readonly Span[], palette: Palette, width: number): string[] {
  const separator = ` ${palette.dot} `;
  const lines: string[] = [];
  let line = "";
  let used = 0;
  for (const part of parts) {
    const text = truncate(part.text, width, palette.ellipsis);
    const size = displayWidth(text);
    if (used > 0 && used + separator.length + size > width) {
      lines.push(line);
      line = "";
      used = 0;
    }
    if (used > 0) {
      line += palette.dim(separator);
      used += separator.length;
    }
    line += part.paint === undefined ? text : part.paint(text);
    used += size;
  }
  if (used > 0) lines.push(line);
  return lines;
}

function summaryParts(counts: QueueCounts, palette: Palette): Span[] {
  return PHASES.filter((phase) => counts.byPhase[phase] > 0).map((phase) => ({
    text: `${counts.byPhase[phase]} ${phase}`,
    paint: palette.phase[phase],
  }));
}

/** `3 running · 2 ready · 12 complete`: the phases that have tasks, on one line where it fits. */
export function formatSummary(counts: QueueCounts, style: Style): string {
  const palette = createPalette(style);
  return joinParts(summaryParts(counts, palette), palette, style.width).join("\n");
}

function usageLine(views: readonly TaskView[], palette: Palette, width: number): string | null {
  let tokens = 0;
  let cost = 0;
  for (const { task } of views) {
    if (task.usage === null) continue;
    tokens += tokensOf(task.usage) ?? 0;
    cost += finite(task.usage.costUsd) ?? 0;
  }
  if (tokens === 0 && cost === 0) return null;
  const text = `shown above: ${formatCount(tokens)} tokens` +
    (cost > 0 ? `, ${formatCost(cost)}` : "");
  return palette.dim(truncate(text, width, palette.ellipsis));
}

/** What is wrong or unusual about the queue as a whole: paused agents, damaged files. */
function noticeLines(input: StatusInput, palette: Palette, width: number, now: number): string[] {
  const lines: string[] = [];
  for (const lane of input.lanes) {
    if (lane.until <= now) continue;
    const left = formatSpan(Math.ceil((lane.until - now) / 1000));
    const text = `${palette.alert} agent ${firstLine(lane.agent, 40)} is paused for ${left}, ` +
      `until ${formatMoment(lane.until, now)}`;
    lines.push(palette.waiting(truncate(text, width, palette.ellipsis)));
  }
  for (const { file, problem } of input.damaged.slice(0, MOST_DAMAGED)) {
    const text = `${palette.alert} ${firstLine(file, width)} ${firstLine(problem, width)}`;
    lines.push(palette.bad(truncate(text, width, palette.ellipsis)));
  }
  const more = input.damaged.length - MOST_DAMAGED;
  if (more > 0) {
    const text = `${palette.alert} and ${more} more damaged ${more === 1 ? "file" : "files"}`;
    lines.push(palette.bad(truncate(text, width, palette.ellipsis)));
  }
  return lines;
}

function hiddenLine(hidden: number, palette: Palette, width: number): string {
  const text = `${palette.ellipsis} and ${hidden} more finished (--all)`;
  return palette.dim(truncate(text, width, palette.ellipsis));
}

function emptyLines({ filtered }: StatusInput, palette: Palette, width: number): string[] {
  if (filtered) return [truncate("No task matches.", width, palette.ellipsis)];
  return [
    truncate("Nothing is queued yet. Queue something with:", width, palette.ellipsis),
    palette.bold(truncate('  orchestra start shell "echo hello"', width, palette.ellipsis)),
  ];
}

/** The table of tasks, what is unusual, the sums and who watches: what `orchestra status` prints. */
export function formatStatus(input: StatusInput, style: Style, now: number): string {
  const palette = createPalette(style);
  const blocks: string[][] = [];
  if (input.counts.total === 0 && input.views.length === 0) {
    blocks.push(emptyLines(input, palette, style.width));
  } else {
    const table = input.views.length > 0 ? formatTaskTable(input, style, now) : [];
    if (input.hidden > 0) table.push(hiddenLine(input.hidden, palette, style.width));
    if (table.length === 0) {
      table.push(...emptyLines({ ...input, filtered: true }, palette, style.width));
    }
    blocks.push(table);
  }
  blocks.push(noticeLines(input, palette, style.width, now));
  const foot = joinParts(summaryParts(input.counts, palette), palette, style.width);
  const usage = input.usage === true ? usageLine(input.views, palette, style.width) : null;
  if (usage !== null) foot.push(usage);
  if (input.supervisor !== null) {
    foot.push(
      palette.dim(
        truncate(firstLine(input.supervisor, style.width), style.width, palette.ellipsis),
      ),
    );
  }
  blocks.push(foot);
  return blocks.filter((block) => block.length > 0).map((block) => block.join("\n")).join("\n\n");
}

/** How much is finished, as a bar over the whole width: complete, failed and cancelled portions. */
export function formatProgress(counts: QueueCounts, style: Style): string {
  const palette = createPalette(style);
  const { complete, failed, cancelled } = counts.byPhase;
  const finished = complete + failed + cancelled;
  const percent = counts.total === 0 ? 0 : Math.floor(finished * 100 / counts.total);
  const label = `${finished}/${counts.total} ${pad(`${percent}%`, 4, "right")}`;
  const brackets = style.unicode ? 0 : 2;
  const cells = Math.min(style.width - label.length - 2, 100) - brackets;
  if (cells < 4) return truncate(label, style.width, palette.ellipsis);
  // Borders are rounded and not portions, so that the bar neither grows nor shrinks; what has even
  // one task gets a cell, and the bar is full only when all is finished.
  const total = Math.max(1, counts.total);
  const border = (sum: number) => Math.round(sum * cells / total);
  let full = border(finished);
  if (finished > 0) full = Math.max(full, 1);
  if (finished < counts.total) full = Math.min(full, cells - 1);
  let bad = Math.round(failed * cells / total);
  if (failed > 0) bad = Math.max(1, bad);
  let dropped = Math.round(cancelled * cells / total);
  if (cancelled > 0) dropped = Math.max(1, dropped);
  bad = Math.min(bad, full);
  dropped = Math.min(dropped, full - bad);
  const { bar } = palette;
  const text = palette.ok(bar.ok.repeat(full - bad - dropped)) + palette.bad(bar.bad.repeat(bad)) +
    palette.waiting(bar.cancelled.repeat(dropped)) + palette.dim(bar.rest.repeat(cells - full));
  return `${brackets === 0 ? text : `[${text}]`}  ${label}`;
}

/**
 * The watch screen, at most `height` lines. What is least missed goes first where the terminal is
 * low: blank lines, then the title, who watches, the notices, the progress bar and the hint.
 */
export function formatWatch(input: WatchInput, style: Style, now: number, height: number): string {
  const palette = createPalette(style);
  const { width } = style;
  const clock = formatClock(now);
  const path = truncate(
    `orchestra ${palette.dot} ${firstLine(input.workspace, width)}`,
    width - clock.length - 2,
    palette.ellipsis,
  );
  const title = path.length > 8
    ? [palette.bold(pad(path, width - clock.length)) + palette.dim(clock)]
    : [palette.dim(truncate(clock, width, palette.ellipsis))];
  const progress = [formatProgress(input.counts, style)];
  const notices = noticeLines(input, palette, width, now);
  const summary = joinParts(summaryParts(input.counts, palette), palette, width);
  const supervisor = input.supervisor === null
    ? []
    : [palette.dim(truncate(firstLine(input.supervisor, width), width, palette.ellipsis))];
  const hint = [
    palette.dim(truncate(input.hint ?? "q or Ctrl+C to leave", width, palette.ellipsis)),
  ];
  // Rows that cannot be seen are not laid out, but they do count for the widths of the columns.
  const table = input.counts.total === 0 && input.views.length === 0
    ? emptyLines(input, palette, width)
    : input.views.length === 0
    ? []
    : formatTaskTable({ ...input, views: input.views.slice(0, Math.max(1, height)) }, style, now);
  const left = input.views.length - Math.max(0, table.length - 1);

  const parts = {
    title,
    progress,
    blank1: [""],
    table,
    notices,
    blank2: [""],
    summary,
    supervisor,
    hint,
  };
  const order: (keyof typeof parts)[] = [
    "blank1",
    "blank2",
    "title",
    "supervisor",
    "notices",
    "hint",
    "progress",
  ];
  const fixed = () =>
    Object.entries(parts).reduce(
      (sum, [name, lines]) => name === "table" ? sum : sum + lines.length,
      0,
    );
  // A header and three rows are what the screen is for.
  const note = input.hidden > 0 || left > 0 ? 1 : 0;
  const wanted = Math.min(table.length + note, 4);
  for (const name of order) {
    if (fixed() + wanted <= height) break;
    parts[name] = [];
  }
  if (fixed() + Math.min(wanted, 2) > height) parts.summary = [];
  const room = Math.max(0, height - fixed());
  const more = (count: number, what: string) =>
    palette.dim(truncate(`${palette.ellipsis} ${count} ${what}`, width, palette.ellipsis));
  if (input.views.length === 0) {
    parts.table = (note > 0 ? [more(input.hidden, "more finished")] : table).slice(0, room);
  } else if (table.length + note > room || left > 0) {
    // With two lines left a task tells more than the header.
    const header = room > 2 ? table.slice(0, 1) : [];
    const rows = table.slice(1, Math.max(1, room - header.length));
    const cut = input.views.length + input.hidden - rows.length;
    parts.table = room === 0 ? [] : [...header, ...rows, more(cut, "more")];
  } else if (note > 0) {
    parts.table = [...table, more(input.hidden, "more finished")];
  }
  return [
    ...parts.title,
    ...parts.progress,
    ...parts.blank1,
    ...parts.table,
    ...parts.notices,
    ...parts.blank2,
    ...parts.summary,
    ...parts.supervisor,
    ...parts.hint,
  ].slice(0, Math.max(0, height)).join("\n");
}

function changedAt(view: TaskView, now: number): number {
  const { task } = view;
  const at: Millis = parseTime(task.completedAt) ??
    (view.phase.kind === "running" ? parseTime(task.startedAt) : null);
  return at ?? now;
}

/**
 * One line on one change of a task: `12:03:04 ✓ task_… build shell complete 1.2s  the prompt`, with
 * the key where it has one.
 */
export function formatPlainEvent(
  view: TaskView,
  style: Style,
  now: number,
  names: Names = WHOLE_IDS,
): string {
  const palette = createPalette(style);
  const { task } = view;
  const phase = view.phase.kind;
  const key = formatKey(task);
  const paint = palette.phase[phase];
  const clock = formatClock(Math.min(changedAt(view, now), now));
  const agent = firstLine(task.agent, 20);
  const took = view.elapsed === null || phase === "running" || phase === "cancelled"
    ? ""
    : ` ${formatElapsed(view.elapsed)}`;
  const spans: Span[] = [
    { text: `${clock} `, paint: palette.dim },
    { text: palette.icon[phase], paint },
    { text: ` ${task.taskId} ` },
    { text: key === "" ? "" : `${truncate(key, 40, palette.ellipsis)} `, paint: palette.bold },
    { text: `${truncate(agent, 20, palette.ellipsis)} ` },
    { text: phase, paint },
    { text: `${took}  ` },
  ];
  const summary: unknown = task.result?.summary;
  const reason = phase !== "complete"
    ? explain(view, now, names) ?? ""
    : typeof summary === "string"
    ? summary
    : "";
  spans.push(
    reason === ""
      ? { text: firstLine(task.prompt, style.width) }
      : { text: firstLine(reason, style.width), paint: reasonPaint(phase, palette) },
  );
  let used = 0;
  let line = "";
  for (const span of spans) {
    const text = truncate(span.text, style.width - used, palette.ellipsis);
    used += displayWidth(text);
    line += span.paint === undefined ? text : span.paint(text);
    if (used >= style.width) break;
  }
  return line.trimEnd();
}
