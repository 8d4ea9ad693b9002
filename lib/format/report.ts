// What a run came to, for machines and for pages: JUnit XML, Markdown, and the annotations of
// GitHub's runners. Pure.

import { formatDuration } from "../task/duration.ts";
import { latestAttempt, type TaskIndex } from "../decide/dependencies.ts";
import { keyTasks } from "../decide/names.ts";
import { compareIds } from "../decide/schedule.ts";
import type { Task } from "../task/fields.ts";
import type { TaskView } from "../decide/view.ts";
import { sanitize, sanitizeBlock } from "../text/width.ts";
import { formatKey } from "./names.ts";
import { formatReason } from "./reason.ts";

/** What a report is made of. */
export interface ReportInput {
  /** The tasks of the run, in any order; retries among them. */
  views: readonly TaskView[];
  index: TaskIndex;
  /** Last lines of a task's log. */
  log: (task: Task) => string | null;
  /** Seconds that the whole took. */
  seconds: number;
}

/** Milliseconds rounded as JUnit has seconds. */
function seconds(view: TaskView): string {
  return (view.elapsed ?? 0).toFixed(3);
}

// XML 1.0 allows no control characters but tab and line breaks, and no half surrogates, not even
// escaped.
function allowed(text: string): string {
  return sanitizeBlock(text).toWellFormed().replace(/[\ufffe\uffff]/g, "");
}

function xml(text: string): string {
  return allowed(text).replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;")
    .replaceAll('"', "&quot;");
}

/**
 * The latest attempt of each chain: an earlier one that failed and was made good is no failure. In the
 * order in which their first attempts were queued, which is the same in every run of the same tasks.
 */
function finals({ views, index }: ReportInput): TaskView[] {
  const first = ({ task }: TaskView) => task.parentTaskId ?? task.taskId;
  return views.filter(({ task }) => latestAttempt(task, index).taskId === task.taskId)
    .sort((a, b) => compareIds(first(a), first(b)));
}

/** Why a task was not run, the others in it by their keys. */
function reasons({ index }: ReportInput): (view: TaskView) => string {
  const names = keyTasks([...index.byId.values()]);
  return (view) => formatReason(view, names) ?? view.task.status;
}

/** A task by its key, where it has one, and its id. */
function nameOf(task: Task): string {
  return task.key === null ? task.taskId : `${formatKey(task)} ${task.taskId}`;
}

/**
 * A name for each case that is the same in every run of the same tasks, for CI systems follow a test
 * by it: of the key and the prompt, and where those are the same, of which of them it is.
 */
function caseNames(cases: readonly TaskView[]): string[] {
  const used = new Set<string>();
  const counts = new Map<string, number>();
  return cases.map(({ task }) => {
    const prompt = allowed(sanitize(task.prompt).slice(0, 120)) || "task";
    const base = task.key === null ? prompt : `${allowed(formatKey(task))}: ${prompt}`;
    const within = (name: string) => `${allowed(task.agent)}\0${name}`;
    let name = base;
    for (let count = counts.get(within(base)) ?? 1; used.has(within(name));) {
      name = `${base} (${++count})`;
      counts.set(within(base), count);
    }
    used.add(within(name));
    return name;
  });
}

/**
 * JUnit XML, as CI systems read it (https://github.com/testmoapp/junitxml): a case for each task,
 * agents as classes; blocked tasks are skipped ones. Which task it was is among its properties.
 */
export function formatJunit(input: ReportInput): string {
  const cases = finals(input);
  const failures = cases.filter(({ task }) => task.status === "failed").length;
  const skipped = cases.filter(({ task }) =>
    task.status !== "failed" && task.status !== "complete"
  );
  const lines = [
    '<?xml version="1.0" encoding="UTF-8"?>',
    `<testsuites name="orchestra" tests="${cases.length}" failures="${failures}" ` +
    `skipped="${skipped.length}" time="${input.seconds.toFixed(3)}">`,
    `  <testsuite name="orchestra" tests="${cases.length}" failures="${failures}" errors="0" ` +
    `skipped="${skipped.length}" time="${input.seconds.toFixed(3)}">`,
  ];
  const names = caseNames(cases);
  const reason = reasons(input);
  for (const [at, view] of cases.entries()) {
    const { task } = view;
    const name = xml(names[at]!);
    lines.push(
      `    <testcase classname="${xml(task.agent)}" name="${name}" time="${seconds(view)}">`,
    );
    const log = input.log(task);
    if (task.status === "failed") {
      lines.push(
        `      <failure type="${task.failureClass ?? "failed"}" message="${
          xml(sanitize(task.errorMessage ?? "failed"))
        }">${xml(task.errorDetails ?? "")}</failure>`,
      );
    } else if (task.status !== "complete") {
      lines.push(`      <skipped message="${xml(sanitize(reason(view)))}"/>`);
    }
    lines.push(
      "      <properties>",
      `        <property name="task" value="${task.taskId}"/>`,
      "      </properties>",
    );
    if (log !== null && log !== "") lines.push(`      <system-out>${xml(log)}</system-out>`);
    lines.push("    </testcase>");
  }
  lines.push("  </testsuite>", "</testsuites>");
  return lines.join("\n") + "\n";
}

const MARKS: Readonly<Record<string, string>> = {
  complete: "✅ complete",
  failed: "❌ failed",
  cancelled: "⊗ cancelled",
  pending: "⏸ not started",
  running: "● running",
};

/** A text in one cell of a Markdown table, or in a line. */
function cell(text: string): string {
  return sanitize(text).replace(/[\\`*_{}[\]()#+!|<>~-]/g, "\\$&");
}

/** A page in Markdown: a table of all, and what the failed ones printed last. */
export function formatMarkdown(input: ReportInput): string {
  const cases = finals(input);
  const complete = cases.filter(({ task }) => task.status === "complete").length;
  const reason = reasons(input);
  const keyed = cases.some(({ task }) => task.key !== null);
  const row = (cells: readonly string[]) => `| ${cells.join(" | ")} |`;
  const ifKeyed = (text: string) => keyed ? [text] : [];
  const lines = [
    `## Orchestra: ${complete} of ${cases.length} complete in ${formatDuration(input.seconds)}`,
    "",
    row(["Task", ...ifKeyed("Key"), "Agent", "Outcome", "Time", "Tries", "Prompt"]),
    row(["---", ...ifKeyed("---"), "---", "---", "---:", "---:", "---"]),
  ];
  for (const { task, elapsed } of cases) {
    lines.push(row([
      `\`${task.taskId}\``,
      ...ifKeyed(cell(formatKey(task))),
      cell(task.agent),
      MARKS[task.status]!,
      elapsed === null ? "" : formatDuration(elapsed),
      String(task.retryCount + 1),
      cell(task.prompt.slice(0, 100)),
    ]));
  }
  for (const view of cases) {
    const { task } = view;
    if (task.status === "complete") {
      if (task.result?.summary !== undefined) {
        const key = task.key === null ? "" : `${cell(formatKey(task))} `;
        lines.push("", `**${key}${task.taskId}**: ${cell(String(task.result.summary))}`);
      }
      continue;
    }
    const why = task.errorMessage ?? reason(view);
    lines.push("", `### ${cell(nameOf(task))}: ${cell(why)}`);
    const log = sanitizeBlock(input.log(task) ?? "").trimEnd();
    // A fence longer than any run of backticks in the text cannot be closed by it.
    if (log.trim() !== "") {
      const longest = Math.max(2, ...[...log.matchAll(/`+/g)].map((run) => run[0].length));
      const fence = "`".repeat(longest + 1);
      lines.push("", `${fence}text`, log, fence);
    }
  }
  return lines.join("\n") + "\n";
}

/** Escapes of GitHub's workflow commands, for the text of one. */
function annotation(text: string): string {
  return sanitizeBlock(text).replaceAll("%", "%25").replaceAll("\r", "%0D").replaceAll("\n", "%0A");
}

/** A `::error::` line for each task that failed, with the last lines of its log. */
export function formatAnnotations(input: ReportInput): string[] {
  return finals(input).filter(({ task }) => task.status === "failed").map(({ task }) => {
    const title = annotation(
      sanitize(`${nameOf(task)} (${task.agent}): ${task.errorMessage ?? "failed"}`),
    )
      .replaceAll(":", "%3A").replaceAll(",", "%2C");
    return `::error title=${title}::${annotation(input.log(task) ?? "no output")}`;
  });
}
