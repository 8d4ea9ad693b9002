// Queues as people are shown them, and texts with everything that has ever broken a table.

import fc from "fast-check";
import { assert } from "./assert.ts";
import type { TaskDetail } from "../../lib/format/show.ts";
import type { StatusInput } from "../../lib/format/status.ts";
import type { Style } from "../../lib/text/style.ts";
import { displayWidth } from "../../lib/text/width.ts";
import { indexTasks } from "../../lib/decide/dependencies.ts";
import { formatTime, newTask, type Task } from "../../lib/task/fields.ts";
import { countPhases, type PausedLane, type TaskView, viewTask } from "../../lib/decide/view.ts";

export const NOW = Date.parse("2026-03-04T12:00:00Z");
export const PLAIN: Style = { color: false, unicode: true, width: 120 };
export const ASCII: Style = { color: false, unicode: false, width: 120 };
export const COLOR: Style = { color: true, unicode: true, width: 120 };

// deno-lint-ignore no-control-regex
export const SGR = /\x1b\[\d+m/g;
export const uncolored = (text: string) => text.replace(SGR, "");
export const DANGEROUS =
  // deno-lint-ignore no-control-regex
  /[\x00-\x09\x0b-\x1f\x7f-\x9f\u200b\u200d-\u200f\u2028-\u202e\u2060-\u206f\ufeff]/;

/** Texts with everything in them that has ever broken a table. */
export const nasty = fc.array(
  fc.oneof(
    fc.string({ unit: "binary" }),
    fc.string({ unit: "grapheme" }),
    fc.constantFrom(
      "日本語",
      "👨‍👩‍👧",
      "🇩🇪",
      "👍🏽",
      "e\u0301",
      "नि",
      "क्षि",
      "각",
      "❤️",
      "\u200d",
      "\u0301",
      "\x1b[31m",
      "\x1b[2J\x1b[H",
      "\x1b]0;title\x07",
      "\x1b]8;;http://x\x1b\\",
      "\x1bP1$r\x1b\\",
      "\x9b5A",
      "\u202e",
      "\u2066",
      "\r\n",
      "\r",
      "\t",
      "\x08",
      "\x85",
      "\u2028",
      "\ud800",
      "word ",
      "plain words of some length ",
    ),
  ),
  { maxLength: 30 },
).map((parts) => parts.join(""));

export const taskOf = (
  agent: string,
  prompt: string,
  secondsAgo: number,
  over: Partial<Task> = {},
): Task => {
  const created = NOW - secondsAgo * 1000;
  return { ...newTask(`task_${created}`, { agent, prompt }, created), ...over };
};
export const ago = (seconds: number) => formatTime(NOW - seconds * 1000);

export function queueOf(tasks: readonly Task[], lanes: readonly PausedLane[] = []): StatusInput {
  const index = indexTasks(tasks);
  const memo = new Map();
  const byAgent = new Map(lanes.map((lane) => [lane.agent, lane]));
  const views = tasks.map((task) => viewTask(task, index, NOW, memo, byAgent));
  return { views, hidden: 0, counts: countPhases(views), damaged: [], lanes, supervisor: null };
}

/** One task in each phase, and whatever makes the optional columns appear. */
export function fullQueue(
  text = "Refactor the storage so that every write is atomic",
): StatusInput {
  const failed = taskOf("codex", `${text} 日本語のドキュメント`, 9000, {
    status: "failed",
    startedAt: ago(8000),
    completedAt: ago(7925),
    errorMessage: `agent exited with code 7: ${text}`,
    failureClass: "exit",
  });
  const running = taskOf("claude-code", text, 400, {
    status: "running",
    startedAt: ago(250),
    timeout: 300,
    timeoutWarning: 60,
    priority: 9,
    labels: { area: text },
  });
  const tasks = [
    running,
    taskOf("shell", text, 10),
    taskOf("gemini", text, 20, { dependsOn: [running.taskId] }),
    taskOf("gemini", text, 30, { dependsOn: [failed.taskId] }),
    taskOf("an-agent-with-quite-a-long-name", text, 40, {
      status: "failed",
      autoRetry: true,
      retryCount: 1,
      retryAt: formatTime(NOW + 8000),
      errorMessage: "429 Too Many Requests",
    }),
    taskOf("shell", text, 50, { notBefore: formatTime(NOW + 900_000) }),
    taskOf("paused", text, 60),
    taskOf("shell", text, 86400 * 5, {
      status: "complete",
      startedAt: ago(86400 * 5 - 10),
      completedAt: ago(86400 * 5 - 11),
      usage: { inputTokens: 123_456, outputTokens: 4567, costUsd: 0.31 },
    }),
    failed,
    taskOf("shell", text, 7200, { status: "cancelled", completedAt: ago(7000) }),
  ];
  return {
    ...queueOf(tasks, [{ agent: "paused", until: NOW + 720_000 }]),
    hidden: 40,
    damaged: [{ file: `tasks/task_1763000000000.json ${text}`, problem: "is not valid JSON" }],
    supervisor: `the daemon watches ${text}`,
    usage: true,
  };
}

export function detailOf(view: TaskView, over: Partial<TaskDetail> = {}): TaskDetail {
  return {
    view,
    chain: [view],
    dependencies: [],
    dependents: [],
    sentinels: [],
    plan: null,
    logTail: null,
    logSize: null,
    usage: null,
    ...over,
  };
}

export function fullDetail(view: TaskView, text: string): TaskDetail {
  return detailOf(view, {
    chain: fullQueue(text).views,
    dependencies: [{ id: view.task.taskId, view }, { id: "task_1763798400000", view: null }],
    dependents: fullQueue(text).views,
    sentinels: [{ name: `${view.task.taskId}.error`, modifiedAt: NOW - 5000, text }],
    plan: text,
    logTail: text,
    logSize: 123_456,
    usage: { inputTokens: 1, model: text, sessionId: text },
  });
}

export function assertFits(text: string, width: number): void {
  for (const line of uncolored(text).split("\n")) {
    const actual = displayWidth(line);
    assert(actual <= width, `${actual} cells in a terminal of ${width}: ${JSON.stringify(line)}`);
  }
}
