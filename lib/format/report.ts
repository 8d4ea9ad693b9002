// What a run came to, for machines and for pages: JUnit XML, Markdown, and the annotations of
// GitHub's runners. Pure.

import { formatDuration } from "../task/duration.ts";
import { latestAttempt, type TaskIndex } from "../decide/dependencies.ts";
import type { Task } from "../task/fields.ts";
import type { TaskView } from "../decide/view.ts";
import { sanitize, sanitizeBlock } from "../text/width.ts";
import { formatReason } from "./reason.ts";

/** What a report is made of. */
export interface ReportInput {
  /** The tasks of the run, oldest first; retries among them. */
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
function xml(text: string): string {
  return sanitizeBlock(text).toWellFormed()
    .replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;")
    .replaceAll('"', "&quot;")
    .replace(/[\ufffe\uffff]/g, "");
}

/** The latest attempt of each chain: an earlier one that failed and was made good is no failure. */
function finals({ views, index }: ReportInput): TaskView[] {
  return views.filter((view) => latestAttempt(view.task, index).taskId === view.task.taskId);
}

/**
 * JUnit XML, as CI systems read it (https://github.com/testmoapp/junitxml): a case for each task,
 * agents as classes; blocked tasks are skipped ones.
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
  for (const view of cases) {
    const { task } = view;
    const name = xml(`${task.taskId} ${sanitize(task.prompt).slice(0, 120)}`);
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
      lines.push(`      <skipped message="${xml(sanitize(formatReason(view) ?? task.status))}"/>`);
    }
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
  const lines = [
    `## Orchestra: ${complete} of ${cases.length} complete in ${formatDuration(input.seconds)}`,
    "",
    "| Task | Agent | Outcome | Time | Tries | Prompt |",
    "| --- | --- | --- | ---: | ---: | --- |",
  ];
  for (const view of cases) {
    const { task } = view;
    lines.push(
      `| \`${task.taskId}\` | ${cell(task.agent)} | ${MARKS[task.status]} | ${
        view.elapsed === null ? "" : formatDuration(view.elapsed)
      } | ${task.retryCount + 1} | ${cell(task.prompt.slice(0, 100))} |`,
    );
  }
  for (const view of cases) {
    const { task } = view;
    if (task.status === "complete") {
      if (task.result?.summary !== undefined) {
        lines.push("", `**${task.taskId}**: ${cell(String(task.result.summary))}`);
      }
      continue;
    }
    const why = task.errorMessage ?? formatReason(view) ?? task.status;
    lines.push("", `### ${cell(task.taskId)}: ${cell(why)}`);
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
      sanitize(`${task.taskId} (${task.agent}): ${task.errorMessage ?? "failed"}`),
    )
      .replaceAll(":", "%3A").replaceAll(",", "%2C");
    return `::error title=${title}::${annotation(input.log(task) ?? "no output")}`;
  });
}
