// What is shown of a task: its phase, the reason for it, its times.

import fc from "fast-check";
import { assertEquals, assertNotEquals } from "../support/assert.ts";
import { indexTasks, type Readiness } from "../../lib/decide/dependencies.ts";
import { formatTime, type Task } from "../../lib/task/fields.ts";
import { countPhases, type PausedLane, viewTask, type Wait } from "../../lib/decide/view.ts";
import { idOf, NOW, picked, queues, task } from "../support/queues.ts";

function viewed(
  item: Task,
  others: readonly Task[] = [],
  now = NOW,
  lanes?: Map<string, PausedLane>,
) {
  return viewTask(item, indexTasks([item, ...others]), now, new Map(), lanes);
}

Deno.test("viewTask refines pending into ready, waiting and blocked, with what is known of it", () => {
  const waiting = (wait: Wait) => ({ kind: "waiting" as const, wait });
  assertEquals(viewed(task(1)).phase, { kind: "ready" });
  const running = task(0, { status: "running" });
  assertEquals(
    viewed(task(1, { dependsOn: [idOf(0)] }), [running]).phase,
    waiting({ kind: "tasks", ids: [idOf(0)] }),
  );
  const cancelled = task(0, { status: "cancelled" });
  assertEquals(viewed(task(1, { dependsOn: [idOf(0)] }), [cancelled]).phase, {
    kind: "blocked",
    by: idOf(0),
    cause: { kind: "cancelled", id: idOf(0) },
    direct: true,
  });
  const later = task(1, { notBefore: formatTime(NOW + 1) });
  assertEquals(viewed(later).phase, waiting({ kind: "time", until: NOW + 1 }));
  assertEquals(viewed(later, [], NOW + 1).phase, { kind: "ready" });
  const lanes = new Map([["a", { agent: "a", until: NOW + 1 }]]);
  assertEquals(
    viewed(task(1), [], NOW, lanes).phase,
    waiting({ kind: "lane", agent: "a", until: NOW + 1 }),
  );
  assertEquals(viewed(task(1), [], NOW + 1, lanes).phase, { kind: "ready" });
});

Deno.test("viewTask shows a task as ready exactly when pickNext would launch it", () => {
  fc.assert(fc.property(queues, fc.boolean(), (tasks, paused) => {
    const index = indexTasks(tasks);
    const lanes = new Map(paused ? [["y", { agent: "y", until: NOW + 1 }]] : []);
    const memo = new Map<string, Readiness>();
    const ready = tasks
      .filter((item) => viewTask(item, index, NOW, memo, lanes).phase.kind === "ready")
      .map(({ taskId }) => taskId);
    const launched = picked(tasks.map((item) => ({ ...item })), { lanes }, NOW);
    assertEquals(ready.sort(), launched.sort());
  }));
});

Deno.test("viewTask says when a failed task is about to be retried, and only then", () => {
  const failed: Partial<Task> = { status: "failed", retryAt: formatTime(NOW) };
  assertEquals(viewed(task(1, failed)).phase, { kind: "retrying", at: NOW });
  assertEquals(viewed(task(1, { ...failed, retriedBy: idOf(2) })).phase, { kind: "failed" });
  assertEquals(viewed(task(1, { status: "failed" })).phase, { kind: "failed" });
  assertEquals(viewed(task(1, { status: "complete" })).phase, { kind: "complete" });
});

Deno.test("viewTask counts the time from the launch to the end or to now, never below zero", () => {
  const started: Partial<Task> = { startedAt: formatTime(NOW) };
  const times = (rest: Partial<Task>, now: number) => {
    const { elapsed, remaining, warning } = viewed(task(1, { ...started, ...rest }), [], now);
    return [elapsed, remaining, warning];
  };
  const running: Partial<Task> = { status: "running", timeout: 60, timeoutWarning: 10 };
  assertEquals(times(running, NOW + 5000), [5, 55, false]);
  assertEquals(times(running, NOW + 50_000), [50, 10, true]);
  assertEquals(times(running, NOW + 70_000), [70, -10, true]);
  assertEquals(times(running, NOW - 5000), [0, 60, false]);
  assertEquals(times({ status: "running" }, NOW + 5000), [5, null, false]);
  const ended: Partial<Task> = { timeout: 60, completedAt: formatTime(NOW + 3000) };
  assertEquals(times({ status: "complete", ...ended }, NOW + 99_000), [3, null, false]);
  assertEquals(times({ status: "pending" }, NOW + 99_000), [null, null, false]);
  assertEquals(times({ status: "cancelled", startedAt: null }, NOW), [null, null, false]);
});

Deno.test("countPhases counts every task once", () => {
  fc.assert(fc.property(queues, (tasks) => {
    const index = indexTasks(tasks);
    const memo = new Map<string, Readiness>();
    const views = tasks.map((item) => viewTask(item, index, NOW, memo));
    const { total, byPhase } = countPhases(views);
    assertEquals(total, tasks.length);
    assertEquals(Object.values(byPhase).reduce((sum, count) => sum + count, 0), total);
    for (const { phase } of views) assertNotEquals(byPhase[phase.kind], 0);
  }));
});

Deno.test("viewTask leaves the time that the machine slept out of what remains", () => {
  const slept = task(1, {
    status: "running",
    startedAt: formatTime(NOW),
    timeout: 60,
    timeoutWarning: 10,
    asleep: 600,
  });
  const { elapsed, remaining, warning } = viewed(slept, [], NOW + 630_000);
  assertEquals([elapsed, remaining, warning], [630, 30, false]);
});
