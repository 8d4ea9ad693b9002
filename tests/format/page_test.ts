// The page about one task.

import { indexTasks } from "../../lib/decide/dependencies.ts";
import { viewTask } from "../../lib/decide/view.ts";
import { formatShow, type TaskDetail } from "../../lib/format/show.ts";
import { newTask, type Task } from "../../lib/task/fields.ts";
import type { Style } from "../../lib/text/style.ts";
import { assertEquals, assertStringIncludes } from "../support/assert.ts";

const NOW = Date.parse("2026-03-04T12:00:00Z");
const PLAIN: Style = { color: false, unicode: true, width: 100 };

function detailOf(task: Task): TaskDetail {
  const view = viewTask(task, indexTasks([task]), NOW, new Map());
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
  };
}

function taskOf(change: Partial<Task>): Task {
  return { ...newTask("task_1772625600612", { agent: "shell", prompt: "x" }, NOW), ...change };
}

Deno.test("a time in what a user wrote stays as it was written", () => {
  const text = "due=2026-03-04T13:00:00Z";
  const page = formatShow(
    detailOf(taskOf({ labels: { due: "2026-03-04T13:00:00Z" }, verify: ["at", text] })),
    PLAIN,
    NOW,
  );
  assertStringIncludes(page, `Labels      ${text}`);
  assertStringIncludes(page, `Verify      at ${text}`);
});

Deno.test("the size of a long prompt is told in bytes, whatever its script", () => {
  const sizeOf = (prompt: string) =>
    /^Prompt {2}first 40 lines of (.*)$/m.exec(
      formatShow(detailOf(taskOf({ prompt })), PLAIN, NOW),
    )?.[1];
  const lines = (line: string) => `${line}\n`.repeat(1000);
  assertEquals(sizeOf(lines("a".repeat(9))), "10 kB");
  assertEquals(sizeOf(lines("日本語")), "10 kB");
  assertEquals(sizeOf(lines("👍👍x")), "10 kB");
});
