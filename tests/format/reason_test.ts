// Why a task is where it is, in words: the same ones for ever where scripts and files have them, and
// as long for the last of a chain as for the first.

import { indexTasks, readinessOf } from "../../lib/decide/dependencies.ts";
import { viewTask } from "../../lib/decide/view.ts";
import { viewJson } from "../../lib/cli/status_input.ts";
import { explain, formatReason, readinessJson } from "../../lib/format/reason.ts";
import { formatTime, newTask, type Task } from "../../lib/task/fields.ts";
import { formatClock } from "../../lib/text/time.ts";
import { assertEquals, assertLess } from "../support/assert.ts";

const NOW = Date.parse("2026-03-04T12:00:00Z");
const idOf = (number: number) => `task_${NOW + number}`;

function task(number: number, change: Partial<Task> = {}): Task {
  return { ...newTask(idOf(number), { agent: "shell", prompt: "x" }, NOW), ...change };
}

function viewOf(item: Task, others: readonly Task[] = [], paused?: number) {
  const lanes = new Map(
    paused === undefined ? [] : [["shell", { agent: "shell", until: paused }]],
  );
  return viewTask(item, indexTasks([item, ...others]), NOW, new Map(), lanes);
}

const waiting = task(9, { dependsOn: [idOf(1)] });

Deno.test("scripts read why a task is blocked in the words of every earlier version", () => {
  const reason = (...others: Task[]) => formatReason(viewOf(waiting, others));
  assertEquals(reason(), `Dependency ${idOf(1)} does not exist any more`);
  assertEquals(reason(task(1, { status: "failed" })), `Dependency ${idOf(1)} failed`);
  assertEquals(reason(task(1, { status: "cancelled" })), `Dependency ${idOf(1)} was cancelled`);
  assertEquals(
    reason(task(1, { dependsOn: [idOf(9)] })),
    `Dependency ${idOf(1)} is blocked: Dependency ${idOf(9)} waits for this task in turn`,
  );
  assertEquals(
    reason(task(1, { dependsOn: [idOf(2)] }), task(2, { status: "failed" })),
    `Dependency ${idOf(1)} is blocked: Dependency ${idOf(2)} failed`,
  );
});

Deno.test("scripts read what a task waits for with whole ids and times as the file has them", () => {
  const others = [task(1, { status: "running" }), task(2)];
  const both = { ...waiting, dependsOn: [idOf(1), idOf(2)] };
  assertEquals(formatReason(viewOf(both, others)), `waits for ${idOf(1)}, ${idOf(2)}`);
  const later = task(1, { notBefore: "2026-03-04T12:00:01+00:00" });
  assertEquals(formatReason(viewOf(later)), "not before 2026-03-04T12:00:01+00:00");
  assertEquals(
    formatReason(viewOf(task(1), [], NOW + 1000)),
    "agent shell is paused until 2026-03-04T12:00:01.000Z",
  );
  for (const status of ["running", "complete", "failed", "cancelled"] as const) {
    assertEquals(formatReason(viewOf(task(1, { status, errorMessage: "no" }))), null);
  }
});

Deno.test("--json has the same fields as ever for what waits, is blocked, and is neither", () => {
  const derived = (item: Task, ...others: Task[]) => {
    const { blockedBy, blockedReason, phase, waitsFor } = viewJson(viewOf(item, others));
    return { blockedBy, blockedReason, phase, waitsFor };
  };
  const none = { blockedBy: null, blockedReason: null, waitsFor: null };
  assertEquals(derived(task(1)), { ...none, phase: "ready" });
  assertEquals(derived(waiting, task(1)), {
    ...none,
    phase: "waiting",
    waitsFor: `waits for ${idOf(1)}`,
  });
  const chain = [task(1, { dependsOn: [idOf(2)] }), task(2, { status: "cancelled" })];
  assertEquals(derived(waiting, ...chain), {
    blockedBy: idOf(1),
    blockedReason: `Dependency ${idOf(1)} is blocked: Dependency ${idOf(2)} was cancelled`,
    phase: "blocked",
    waitsFor: null,
  });
  assertEquals(derived(task(1, { status: "failed", retryAt: formatTime(NOW) })), {
    ...none,
    phase: "retrying",
  });
  const ready = readinessOf(waiting, indexTasks([waiting, ...chain]), new Map());
  assertEquals(readinessJson(ready), {
    kind: "blocked",
    by: idOf(1),
    reason: `Dependency ${idOf(1)} is blocked: Dependency ${idOf(2)} was cancelled`,
  });
});

Deno.test("the last of a long chain names its first cause, in no more words than the second", () => {
  const chain = [task(0, { status: "failed" })];
  for (let number = 1; number < 500; number++) {
    chain.push(task(number, { dependsOn: [idOf(number - 1)] }));
  }
  const reason = formatReason(viewOf(chain.at(-1)!, chain.slice(0, -1)))!;
  assertEquals(reason, `Dependency ${idOf(498)} is blocked: Dependency ${idOf(0)} failed`);
  assertLess(reason.length, 100);
});

Deno.test("what an agent or a message says is never taken for a reason of ours", () => {
  // Each of these began or contained what was once looked for in the sentence itself.
  const agent = "not before 2026-03-04T12:00:00.000Z is blocked: me";
  const item = task(1, { agent, notBefore: formatTime(NOW - 1) });
  const lanes = new Map([[agent, { agent, until: NOW + 60_000 }]]);
  const view = viewTask(item, indexTasks([item]), NOW, new Map(), lanes);
  assertEquals(
    explain(view, NOW),
    `agent ${agent} is paused until ${formatClock(NOW + 60_000)}`,
  );
});
