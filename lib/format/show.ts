// One page about one task: what it is, when and within what limits it ran, why it failed, and what
// surrounds it (attempts, dependencies, sentinels, plan, log). Pure.

import { branchOf } from "../decide/branch.ts";
import type { Way } from "../decide/cleaning.ts";
import { isAtRest, parseTime, type Task, type Usage } from "../task/fields.ts";
import { shellLineOf } from "../task/options.ts";
import type { Overlap } from "../decide/overlap_marks.ts";
import { type Names, WHOLE_IDS } from "../decide/names.ts";
import type { TaskView } from "../decide/view.ts";
import { nameColumns } from "./names.ts";
import { WAYS } from "./worktrees.ts";
import { explain, formatOverlap } from "./reason.ts";
import {
  finite,
  formatChanges,
  formatCost,
  formatCount,
  formatLabels,
  formatTry,
} from "./status.ts";
import { formatBytes } from "../text/bytes.ts";
import { createPalette, type Paint, type Palette, type Style } from "../text/style.ts";
import { type Column, formatRows } from "../text/table.ts";
import { firstLine, pad, sanitizeBlock, truncate, wrap } from "../text/width.ts";
import { formatAgo, formatElapsed, formatLimit, formatPast, formatStamp } from "../text/time.ts";

/** Everything that {@linkcode formatShow} tells of a task. */
export interface TaskDetail {
  view: TaskView;
  /** What people call the tasks of the queue; by their whole ids where absent. */
  names?: Names;
  /** All attempts, first to last, this one included. */
  chain: readonly TaskView[];
  /** What it depends on; null for a task that does not exist. */
  dependencies: readonly { id: string; view: TaskView | null }[];
  /** What depends on it. */
  dependents: readonly TaskView[];
  /** Tasks that change the same files as it does, or of those it builds on; before it starts. */
  overlaps?: readonly Overlap[];
  /** Sentinels that are there. */
  sentinels: readonly { name: string; modifiedAt: number | null; text: string }[];
  /** The plan; null where there is none. */
  plan: string | null;
  /** End of the log; null where there is none. */
  logTail: string | null;
  /** Bytes of the whole log. */
  logSize: number | null;
  /** End of what the set-up of its worktree printed, where that is the last that ran; absent elsewhere. */
  setupLog?: { readonly name: string; readonly text: string; readonly size: number };
  /** How it stands with its branch; absent where it has none, is not over, or git does not tell. */
  branch?: BranchState;
  /** Whether it is in the archive. */
  archived?: boolean;
  /** What it consumed so far, where that is known better than from the task's file. */
  usage: Usage | null;
}

const PROMPT_LINES = 40;
const PLAN_LINES = 12;
const LOG_LINES = 15;
/** Names of changed files. */
const PATHS = 20;
const LABEL_WIDTH = 12;
const INDENT = "  ";

/** Bytes of a text as a file has it. */
function bytesOf(text: string): number {
  return new TextEncoder().encode(text).length;
}

interface Row {
  label: string;
  value: string;
  paint?: Paint;
}

/** What an agent reported is known to be an object, and no more. */
function textOf(value: unknown): string | null {
  return typeof value === "string" ? value : null;
}

function row(label: string, value: string | null | undefined, paint?: Paint): Row[] {
  return value === null || value === undefined || value === "" ? [] : [{ label, value, paint }];
}

function momentRow(label: string, text: string | null, now: number): Row[] {
  const millis = parseTime(text);
  if (millis === null) return [];
  return row(label, `${formatStamp(millis)}  ${formatPast(millis, now)}`);
}

/** Cuts a text of any length to what the page can use before it is sanitized and wrapped. */
function blockLines(text: string, width: number, most: number, end: "head" | "tail"): {
  lines: string[];
  cut: boolean;
} {
  const enough = Math.max(200, Math.min(width, 1000)) * most * 4;
  const part = end === "head" ? text.slice(0, enough) : text.slice(-enough);
  const lines = wrap(sanitizeBlock(part), width);
  while (lines.length > 0 && lines.at(-1)!.trim() === "") lines.pop();
  while (lines.length > 0 && lines[0]!.trim() === "") lines.shift();
  return {
    lines: end === "head" ? lines.slice(0, most) : lines.slice(-most),
    cut: part.length < text.length || lines.length > most,
  };
}

function whatRows(view: TaskView, names: Names, now: number, palette: Palette): Row[] {
  const { task, phase } = view;
  // Why it failed, and when it is retried, have places of their own.
  const reason = task.status === "failed"
    ? null
    : task.status === "cancelled"
    ? task.errorMessage
    : explain(view, now, names);
  return [
    ...row("Reason", reason, palette.phase[phase.kind]),
    ...row("Priority", task.priority === 5 ? "5 (normal)" : String(task.priority)),
    ...row("Labels", formatLabels(task.labels)),
    ...row("Touches", task.touches.join(" ")),
    ...row("Verify", task.verify && (shellLineOf(task.verify) ?? task.verify.join(" "))),
  ];
}

function whenRows(view: TaskView, now: number, palette: Palette): Row[] {
  const { task, phase } = view;
  const starts = phase.kind === "waiting" && phase.wait.kind === "time" ? phase.wait.until : null;
  const took = view.elapsed === null ? null : formatElapsed(view.elapsed);
  return [
    ...momentRow("Queued", task.createdAt, now),
    ...(starts === null ? [] : row("Starts", `${formatStamp(starts)}  ${formatAgo(starts, now)}`)),
    ...momentRow("Started", task.startedAt, now),
    ...momentRow("Timed out", task.timedOutAt, now),
    ...momentRow("Ended", task.completedAt, now),
    ...row(phase.kind === "running" ? "Running" : "Took", took),
    ...(view.remaining === null ? [] : row(
      "Remaining",
      view.remaining < 0
        ? `overdue by ${formatElapsed(-view.remaining)}`
        : formatElapsed(view.remaining),
      view.warning || view.remaining < 0 ? palette.waiting : undefined,
    )),
  ];
}

function limitRows(task: Task): Row[] {
  return [
    ...row("Timeout", task.timeout === null ? null : formatLimit(task.timeout)),
    ...row(
      "Warning",
      task.timeoutWarning === null ? null : `${formatLimit(task.timeoutWarning)} before the end`,
    ),
    ...row("Idle limit", task.idleTimeout === null ? null : formatLimit(task.idleTimeout)),
    ...row("Budget", task.budget === null ? null : formatCost(task.budget)),
  ];
}

function retryRows(view: TaskView, now: number): Row[] {
  const { task, phase } = view;
  return [
    ...row("Attempt", formatTry(task) || null),
    ...row("Retries", `up to ${task.maxRetries}, ${task.autoRetry ? "automatic" : "by hand"}`),
    ...(phase.kind === "retrying" ? row("Next", formatAgo(phase.at, now)) : []),
    ...row("Retried by", task.retriedBy),
  ];
}

function processRows(view: TaskView): Row[] {
  const { task, phase } = view;
  return [
    ...row("Process", phase.kind === "running" && task.pid !== null ? String(task.pid) : null),
    ...row("Exit code", task.exitCode === null ? null : String(task.exitCode)),
  ];
}

/** How it stands with a branch whose task is over. */
export interface BranchState {
  readonly isThere: boolean;
  /** What it is to be in, as people call it. */
  readonly into: string;
  /** By which way it is; null where it is not. */
  readonly way: Way | null;
}

/** The task's own branch, and what came to stand on it. */
function branchRows(task: Task, state: BranchState | undefined): Row[] {
  const branch = branchOf(task);
  if (branch === null) return [];
  const changes = formatChanges(branch);
  const isOver = isAtRest(task);
  return [
    ...row(
      "Branch",
      `${branch.branch} from ${branch.base.slice(0, 12)}` +
        (state?.isThere === false ? ", removed" : ""),
    ),
    ...(state === undefined ? [] : row(
      "Merged",
      state.way === null ? `no, not in ${state.into}` : `in ${state.into} (${WAYS[state.way]})`,
    )),
    ...row("Worktree", isOver && branch.left === null ? "removed" : branch.path),
    ...row("Stays", branch.left),
    ...row("Changes", changes ?? (isOver ? "not counted" : "not counted before it ends")),
  ];
}

function usageRows(usage: Usage | null): Row[] {
  if (usage === null) return [];
  const input = finite(usage.inputTokens);
  const cached = finite(usage.cachedTokens);
  const output = finite(usage.outputTokens);
  const cost = finite(usage.costUsd);
  const turns = finite(usage.turns);
  const tokens = [
    input === null ? [] : [`${formatCount(input)} in`],
    cached === null ? [] : [`${formatCount(cached)} of them cached`],
    output === null ? [] : [`${formatCount(output)} out`],
  ].flat();
  return [
    ...row("Model", textOf(usage.model)),
    ...row("Tokens", tokens.join(", ")),
    ...row("Cost", cost === null ? null : formatCost(cost)),
    ...row("Turns", turns === null ? null : String(turns)),
    ...row("Session", textOf(usage.sessionId)),
  ];
}

/**
 * One page about one task, at most `style.width` wide.
 *
 * @param detail the task and what surrounds it
 * @param style how to draw
 * @param now milliseconds since the epoch
 */
export function formatShow(detail: TaskDetail, style: Style, now: number): string {
  const palette = createPalette(style);
  const { view, names = WHOLE_IDS } = detail;
  const { task } = view;
  const { width } = style;
  const inner = Math.max(1, width - INDENT.length);
  const blocks: string[][] = [];
  const clip = (text: string, room = width) => truncate(text, room, palette.ellipsis);
  const indent = (lines: readonly string[], paint: Paint = palette.plain) =>
    lines.map((line) => line === "" ? "" : INDENT.slice(0, width) + paint(clip(line, inner)));
  const shift = (lines: readonly string[]) => lines.map((line) => INDENT.slice(0, width) + line);
  const section = (title: string, lines: readonly string[], note = "") => {
    if (lines.length === 0) return;
    const head = clip(title);
    const rest = note === "" ? "" : clip(`  ${note}`, width - head.length);
    blocks.push([palette.bold(head) + palette.dim(rest.trimEnd()), ...lines]);
  };
  const fields = (rows: readonly Row[]) => {
    const label = width < 40 ? 10 : LABEL_WIDTH;
    const room = Math.max(2, width - label);
    const lines: string[] = [];
    for (const item of rows) {
      const head = palette.dim(pad(clip(item.label, label - 1), label));
      const paint = item.paint ?? palette.plain;
      // Sanitized on one line, then wrapped: values are seldom longer than the line.
      wrap(firstLine(item.value, room * 8), room).forEach((part, at) => {
        lines.push((at === 0 ? head : " ".repeat(label)) + paint(part));
      });
    }
    return lines.map((line) => line.trimEnd());
  };
  const tasks = (views: readonly (TaskView | { taskId: string })[]) => {
    const [id, ...more] = nameColumns(
      views,
      (one) => "task" in one ? one.task : one,
      names,
      palette,
      style,
    );
    const columns: Column<TaskView | { taskId: string }>[] = [
      {
        header: "",
        gap: 1,
        cell: (one) =>
          "task" in one
            ? { text: palette.icon[one.phase.kind], paint: palette.phase[one.phase.kind] }
            : { text: palette.alert, paint: palette.bad },
      },
      {
        ...id!,
        // The page's own task, among others.
        cell: (one) =>
          "task" in one && one.task.taskId === task.taskId
            ? { text: task.taskId, paint: palette.bold }
            : id!.cell(one),
      },
      ...more,
      {
        header: "",
        dropOrder: 2,
        cell: (one) =>
          "task" in one
            ? { text: one.phase.kind, paint: palette.phase[one.phase.kind] }
            : { text: "missing", paint: palette.bad },
      },
      {
        header: "",
        dropOrder: 3,
        cell: (one) => {
          if (!("task" in one)) return "";
          const { completedAt, startedAt, createdAt } = one.task;
          return {
            text: formatPast(parseTime(completedAt ?? startedAt ?? createdAt), now),
            paint: palette.dim,
          };
        },
      },
      {
        header: "",
        flex: 1,
        min: 12,
        dropOrder: 1,
        cell: (one) => {
          if (!("task" in one)) return { text: "no such task", paint: palette.dim };
          const reason = explain(one, now, names);
          if (reason === null) return firstLine(one.task.prompt, width);
          const paint = one.phase.kind === "failed" ? palette.bad : palette.dim;
          return { text: firstLine(reason, width), paint };
        },
      },
    ];
    return shift(formatRows(columns, views, { ...style, width: inner }).slice(1));
  };

  // Header.
  const phase = view.phase.kind;
  const paint = palette.phase[phase];
  const head = formatRows<TaskView>(
    [
      { header: "", gap: 1, cell: () => ({ text: palette.icon[phase], paint }) },
      ...nameColumns([view], () => task, names, palette, style),
      { header: "", dropOrder: 2, cell: () => ({ text: phase, paint }) },
      { header: "", flex: 1, dropOrder: 1, cell: () => firstLine(task.agent, 60) },
    ],
    [view],
    style,
  )[1]!;
  blocks.push([head]);

  // Failure.
  if (task.status === "failed") {
    const what = [task.failureClass, task.errorMessage].filter((part) => part !== null).join(": ");
    const message = blockLines(what === "" ? "failed, and left no reason" : what, inner, 8, "head");
    const details = task.errorDetails === null
      ? []
      : blockLines(task.errorDetails, inner, 12, "head").lines;
    section("Failure", [
      ...indent(message.lines, palette.bad),
      ...indent(details, palette.dim),
    ]);
  }

  // Prompt.
  const prompt = blockLines(task.prompt, inner, PROMPT_LINES, "head");
  section(
    "Prompt",
    indent(prompt.lines),
    prompt.cut ? `first ${prompt.lines.length} lines of ${formatBytes(bytesOf(task.prompt))}` : "",
  );

  // What, when, limits with retries and process, usage.
  for (
    const rows of [
      [
        ...row(
          "Archived",
          detail.archived ? "yes; orchestra archive restore brings it back" : null,
        ),
        ...whatRows(view, names, now, palette),
      ],
      whenRows(view, now, palette),
      [...limitRows(task), ...retryRows(view, now), ...processRows(view)],
      branchRows(task, detail.branch),
      usageRows(detail.usage ?? task.usage),
    ]
  ) {
    const lines = fields(rows);
    if (lines.length > 0) blocks.push(lines);
  }

  // Result.
  if (task.result !== null) {
    const { summary, files } = task.result;
    section("Result", [
      ...(typeof summary === "string"
        ? indent(blockLines(summary, inner, 20, "head").lines, palette.ok)
        : []),
      ...(Array.isArray(files)
        ? files.slice(0, 20).flatMap((file) => indent([firstLine(String(file), inner)]))
        : []),
      ...(Array.isArray(files) && files.length > 20
        ? indent([`${palette.ellipsis} and ${files.length - 20} more files`], palette.dim)
        : []),
    ]);
  }

  // What changed.
  const paths = branchOf(task)?.paths ?? [];
  const most = Math.max(paths.length, branchOf(task)?.files ?? 0);
  section("Changed files", [
    ...paths.slice(0, PATHS).flatMap((path) => indent([firstLine(path, inner)])),
    ...(most > PATHS
      ? indent([
        `${palette.ellipsis} and ${most - Math.min(PATHS, paths.length)} more: ` +
        `orchestra diff --stat ${task.taskId}`,
      ], palette.dim)
      : []),
  ]);

  section(
    "Overlaps",
    (detail.overlaps ?? []).flatMap((overlap) =>
      indent(
        wrap(sanitizeBlock(formatOverlap(overlap, task.taskId, names)), inner),
        palette.waiting,
      )
    ),
  );

  // Surroundings.
  if (detail.chain.length > 1) section("Attempts", tasks(detail.chain));
  section("Depends on", tasks(detail.dependencies.map(({ id, view }) => view ?? { taskId: id })));
  section("Needed by", tasks(detail.dependents));
  if (detail.sentinels.length > 0) {
    const columns: Column<TaskDetail["sentinels"][number]>[] = [
      { header: "", cell: ({ name }) => firstLine(name, inner) },
      {
        header: "",
        dropOrder: 1,
        cell: ({ modifiedAt }) => ({ text: formatPast(modifiedAt, now), paint: palette.dim }),
      },
      {
        header: "",
        flex: 1,
        min: 12,
        dropOrder: 2,
        cell: ({ text }) => firstLine(text.trimStart().split("\n", 1)[0] ?? "", width),
      },
    ];
    const lines = formatRows(columns, detail.sentinels, { ...style, width: inner }).slice(1);
    section("Sentinels", shift(lines));
  }
  if (detail.plan !== null) {
    const plan = blockLines(detail.plan, inner, PLAN_LINES, "head");
    const note = sanitizeBlock(task.planFile) +
      (plan.cut ? `, first ${plan.lines.length} lines` : "");
    section("Plan", indent(plan.lines), firstLine(note, width));
  }
  const logSection = (title: string, name: string | null, text: string, bytes: number | null) => {
    const log = blockLines(text, inner, LOG_LINES, "tail");
    const size = bytes === null ? "" : `, ${formatBytes(bytes)}`;
    const note = `${name}${size}${log.cut ? `, last ${log.lines.length} lines` : ""}`;
    section(
      title,
      log.lines.length === 0 ? indent(["(empty)"], palette.dim) : indent(log.lines),
      firstLine(note, width),
    );
  };
  if (detail.setupLog !== undefined) {
    const { name, text, size } = detail.setupLog;
    logSection("Set-up log", name, text, size);
  }
  if (detail.logTail !== null) logSection("Log", task.logFile, detail.logTail, detail.logSize);
  return blocks.map((block) => block.join("\n")).join("\n\n");
}
