// Queues for tests of decisions: numbered tasks at a fixed time, and any queue there can be.

import fc from "fast-check";
import type { Readiness } from "../../lib/decide/dependencies.ts";
import { createModel } from "../../lib/decide/model.ts";
import { type Limits, pickNext } from "../../lib/decide/schedule.ts";
import { formatTime, newTask, type Status, STATUSES, type Task } from "../../lib/task/fields.ts";

export const NOW = Date.parse("2026-03-04T12:00:00Z");

export function idOf(number: number): string {
  return `task_${String(1_000_000_000_000 + number)}`;
}

export function task(number: number, rest: Partial<Task> = {}): Task {
  return { ...newTask(idOf(number), { agent: "a", prompt: "p" }, NOW + number), ...rest };
}

export const OPEN: Limits = { parallel: Infinity, perAgent: new Map(), lanes: new Map() };

export function picked(
  tasks: readonly Task[],
  limits: Partial<Limits> = {},
  now = NOW,
): string[] {
  const running = tasks.filter(({ status }) => status === "running");
  return pickNext(createModel(tasks).ready(false), running, { ...OPEN, ...limits }, now)
    .map(({ taskId }) => taskId);
}

/** Random tasks whose dependencies and retries point anywhere among them, forwards and in circles. */
export const queues = fc.integer({ min: 1, max: 8 }).chain((size) =>
  fc.array(
    fc.record({
      status: fc.constantFrom<Status>("pending", "pending", "pending", ...STATUSES),
      agent: fc.constantFrom("x", "y", "z"),
      priority: fc.integer({ min: 1, max: 3 }),
      age: fc.integer({ min: 0, max: 2 }),
      dependsOn: fc.uniqueArray(fc.integer({ min: 0, max: size }), { maxLength: 3 }),
      retries: fc.option(fc.integer({ min: 0, max: size - 1 }), { freq: 3 }),
      retryDue: fc.boolean(),
      notBefore: fc.option(fc.integer({ min: -1, max: 1 }), { freq: 5 }),
    }),
    { minLength: size, maxLength: size },
  ).map((items) =>
    items.map((item, number) =>
      task(number, {
        status: item.status,
        agent: item.agent,
        priority: item.priority,
        createdAt: formatTime(NOW - item.age),
        dependsOn: item.dependsOn.map(idOf),
        // Only an earlier task can be retried: a successor is always younger.
        parentTaskId: item.retries === null || item.retries >= number ? null : idOf(item.retries),
        retryAt: item.status === "failed" && item.retryDue ? formatTime(NOW) : null,
        notBefore: item.notBefore === null ? null : formatTime(NOW + item.notBefore),
      })
    )
  )
);

/** Readiness as a fixed point over all tasks: slow, and plainly what the contract says. */
export function naiveReadiness(tasks: readonly Task[]): Map<string, Readiness["kind"]> {
  const byId = new Map(tasks.map((item) => [item.taskId, item]));
  const latest = (item: Task): Task => {
    const next = tasks.filter(({ parentTaskId }) => parentTaskId === item.taskId).at(-1);
    return next === undefined ? item : latest(next);
  };
  const pending = tasks.filter(({ status }) => status === "pending");
  // Least fixed point of "can still be met": what is never reached is blocked, circles among it.
  const hopeful = new Set<string>();
  const met = (id: string) => {
    const item = byId.get(id);
    return item !== undefined && (item.status === "complete" || latest(item).status === "complete");
  };
  const canBeMet = (id: string) => {
    const item = byId.get(id);
    if (item === undefined) return false;
    if (met(id)) return true;
    const last = latest(item);
    if (last.status === "running") return true;
    if (last.status === "failed") return last.retryAt !== null;
    return last.status === "pending" && hopeful.has(last.taskId);
  };
  for (let changed = true; changed;) {
    changed = false;
    for (const item of pending) {
      if (!hopeful.has(item.taskId) && item.dependsOn.every(canBeMet)) {
        hopeful.add(item.taskId);
        changed = true;
      }
    }
  }
  return new Map(pending.map((item) => [
    item.taskId,
    item.dependsOn.every(met) ? "ready" : hopeful.has(item.taskId) ? "waiting" : "blocked",
  ]));
}
