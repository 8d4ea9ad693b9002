// Tasks for tests of pure functions: one with every field set, and what parsing makes of a text.

import { assert } from "./assert.ts";
import { formatTime, newTask, parseTask, type Task } from "../../lib/task/fields.ts";

export const NOW = Date.parse("2026-03-04T12:00:00Z");
export const ID = "task_1772625600000";
export const OTHER = "task_1772625600001";

export function accepted(text: string, id: string = ID): Task {
  const parsed = parseTask(text, id);
  assert("task" in parsed, "problem" in parsed ? parsed.problem : "");
  return parsed.task;
}

export function refused(value: unknown, id: string = ID): string {
  const parsed = parseTask(typeof value === "string" ? value : JSON.stringify(value), id);
  assert("problem" in parsed, `accepted ${JSON.stringify(value)}`);
  return parsed.problem;
}

/** A task with a value of its own in every field, none of them a default. */
export function fullTask(): Task {
  return {
    ...newTask(ID, { agent: "shell", prompt: "echo $(date) 日本語 🎻" }, NOW),
    status: "failed",
    key: "build",
    startedAt: formatTime(NOW + 1),
    completedAt: formatTime(NOW + 2),
    timedOutAt: formatTime(NOW + 3),
    retriedAt: formatTime(NOW + 4),
    pid: 4242,
    errorMessage: "boom",
    retryCount: 2,
    maxRetries: 7,
    autoRetry: true,
    retryHistory: [
      { attempt: 1, timestamp: formatTime(NOW), error: "bang", retriedFrom: OTHER },
    ],
    parentTaskId: OTHER,
    retriedBy: "task_1772625600009",
    priority: 9,
    timeout: 90,
    timeoutWarning: 10,
    dependsOn: [OTHER],
    blockedBy: OTHER,
    blockedReason: "because",
    exitCode: 7,
    failureClass: "exit",
    errorDetails: "at line 3",
    labels: { team: "a" },
    claim: 3,
    retryAt: formatTime(NOW + 5),
    reapAt: formatTime(NOW + 6),
    laneUntil: formatTime(NOW + 7),
    notBefore: formatTime(NOW + 8),
    idleTimeout: 30,
    budget: 1.5,
    verify: ["make", "test"],
    result: { summary: "nearly", files: ["a.txt"] },
    usage: { inputTokens: 10, costUsd: 0.02 },
  };
}
