// The page of one task.

import { assert, assertMatch, assertStringIncludes } from "../support/assert.ts";
import { formatShow } from "../../lib/format/show.ts";
import { formatPlainEvent, formatStatus } from "../../lib/format/status.ts";
import type { Task } from "../../lib/task/fields.ts";
import {
  assertFits,
  COLOR,
  DANGEROUS,
  detailOf,
  fullDetail,
  fullQueue,
  NOW,
  PLAIN,
  queueOf,
  taskOf,
  uncolored,
} from "../support/views.ts";

Deno.test("the page of a failed task tells the class, the error and the details", () => {
  const input = fullQueue("Do it");
  const view = input.views.find((view) => view.phase.kind === "failed")!;
  view.task.errorDetails = "Traceback\n\tline 1";
  const text = formatShow(detailOf(view), COLOR, NOW);
  assertStringIncludes(text, "\x1b[31mexit: agent exited with code 7: Do it\x1b[39m");
  assertStringIncludes(uncolored(text), "  Traceback\n      line 1");
});

Deno.test("the page of a task tells of everything that surrounds it", () => {
  const input = fullQueue("Do it");
  const view = input.views[0]!;
  const text = formatShow(fullDetail(view, "# Plan\n- [ ] one\n"), PLAIN, NOW);
  for (
    const part of [
      `● ${view.task.taskId}  running  claude-code`,
      "Prompt\n  Do it",
      "Priority    9",
      "Labels      area=Do it",
      "Remaining   50s",
      "Timeout     5m",
      "Attempts\n",
      "Depends on\n",
      "! task_1763798400000  missing",
      "Needed by\n",
      `Sentinels\n  ${view.task.taskId}.error  5s ago  # Plan`,
      `Plan  .orchestra/plans/${view.task.taskId}_plan.md\n  # Plan\n  - [ ] one`,
      `Log  .orchestra/logs/${view.task.taskId}.log, 123 kB`,
    ]
  ) assertStringIncludes(text, part);
});

Deno.test("the page shows the beginning of a long plan and the end of a long log, and says so", () => {
  const [view] = queueOf([taskOf("shell", "x", 5)]).views;
  const lines = Array.from({ length: 500 }, (_, i) => `line ${i}`).join("\n");
  const text = formatShow(detailOf(view!, { plan: lines, logTail: lines }), PLAIN, NOW);
  assertMatch(text, /Plan .*first 12 lines\n {2}line 0\n/);
  assertMatch(text, /Log .*last 15 lines\n {2}line 485\n/);
  assert(text.endsWith("  line 499"));
});

Deno.test("what an agent reports of itself may be of any type", () => {
  const strange = { inputTokens: "many", costUsd: null, model: 7, turns: NaN } as unknown;
  const result = { summary: 5, files: [{}, null, "a\x1b[31m"] } as unknown;
  const input = queueOf([
    taskOf("shell", "x", 5, {
      status: "complete",
      usage: strange as Task["usage"],
      result: result as Task["result"],
    }),
  ]);
  const style = { ...PLAIN, width: 100 };
  assertFits(formatStatus({ ...input, usage: true }, style, NOW), 100);
  assertFits(formatPlainEvent(input.views[0]!, style, NOW), 100);
  const page = formatShow(detailOf(input.views[0]!), style, NOW);
  assert(!DANGEROUS.test(page) && !page.includes("many"));
});
