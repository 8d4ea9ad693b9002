// Runs to report of: any there can be, with texts that somebody hostile wrote.

import fc from "fast-check";
import { indexTasks } from "../../lib/decide/dependencies.ts";
import type { ReportInput } from "../../lib/format/report.ts";
import {
  FAILURE_CLASSES,
  formatTime,
  newTask,
  STATUSES,
  type Task,
} from "../../lib/task/fields.ts";
import { viewTask } from "../../lib/decide/view.ts";

export const NOW = Date.parse("2026-03-04T12:00:00Z");

/** Texts with everything that ends something in one of the formats. */
const hostile: fc.Arbitrary<string> = fc.array(
  fc.oneof(
    fc.string({ unit: "binary" }),
    fc.integer({ min: 0xd800, max: 0xdfff }).map((code) => String.fromCharCode(code)),
    fc.constantFrom(
      "plain words ",
      "\n",
      "\r",
      "\r\n",
      "\t",
      "|",
      "\\",
      "\\|",
      "`",
      "```",
      "`````\n",
      "``\u200b``",
      "\n```\n",
      "~~~\n",
      "]]>",
      "<![CDATA[",
      "<!--",
      "</testcase>",
      "<script>",
      "&amp;",
      "&",
      "'",
      '"',
      "::error::",
      "\n::set-output name=a::b\n",
      "%0A",
      "%",
      ":",
      ",",
      "\x00",
      "\x07",
      "\x1b[31m",
      "\x1b]0;title\x07",
      "\x85",
      "\u2028",
      "\u202e",
      "\ufffe",
      "\uffff",
      "👩‍💻",
      "日本語",
      "# ",
      "- ",
      "[a](b)",
      "*",
      "_",
      "$x$",
    ),
  ),
  { maxLength: 12 },
).map((parts) => parts.join(""));

/** One task of a run, with its log. */
interface Entry {
  task: Task;
  log: string | null;
}

export function taskOf(at: number, over: Partial<Task> = {}, prompt = "do it"): Task {
  const created = NOW - 100_000 + at;
  return {
    ...newTask(`task_${created}`, { agent: "shell", prompt }, created),
    startedAt: over.status === "pending" ? null : formatTime(created + 1000),
    completedAt: over.status === "complete" || over.status === "failed"
      ? formatTime(created + 3500)
      : null,
    ...over,
  };
}

export function inputOf(entries: readonly Entry[]): ReportInput {
  const tasks = entries.map(({ task }) => task);
  const index = indexTasks(tasks);
  const memo = new Map();
  const logs = new Map(entries.map(({ task, log }) => [task.taskId, log]));
  return {
    views: tasks.map((task) => viewTask(task, index, NOW, memo)),
    index,
    log: (task) => logs.get(task.taskId) ?? null,
    seconds: 12.3456,
  };
}

export const entries: fc.Arbitrary<Entry[]> = fc.array(
  fc.record({
    status: fc.constantFrom(...STATUSES),
    agent: hostile,
    prompt: hostile,
    errorMessage: fc.option(hostile),
    errorDetails: fc.option(hostile),
    failureClass: fc.constantFrom(null, ...FAILURE_CLASSES),
    summary: fc.option(hostile),
    log: fc.option(hostile),
  }),
  { maxLength: 5 },
).map((list) =>
  list.map(({ status, agent, prompt, log, summary, ...more }, at) => ({
    log,
    task: taskOf(at, {
      status,
      agent,
      ...more,
      ...(summary === null ? {} : { result: { summary } }),
    }, prompt),
  }))
);
