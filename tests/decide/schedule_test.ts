// What is launched next.

import fc from "fast-check";
import { assertEquals, assertGreater } from "../support/assert.ts";
import { compareIds, compareTasks } from "../../lib/decide/schedule.ts";
import { formatTime, type Task } from "../../lib/task/fields.ts";
import type { PausedLane } from "../../lib/decide/view.ts";
import { idOf, naiveReadiness, NOW, picked, queues, task } from "../support/queues.ts";

Deno.test("pickNext takes higher priority first, then older, then the smaller id", () => {
  const old = formatTime(NOW - 1000);
  const tasks = [
    task(1, { priority: 5 }),
    task(2, { priority: 9 }),
    task(3, { priority: 5, createdAt: old }),
    task(5, { priority: 1 }),
    task(4, { priority: 5, createdAt: old }),
  ];
  const wanted = [2, 3, 4, 1, 5].map(idOf);
  assertEquals(picked(tasks), wanted);
  for (let parallel = 0; parallel <= 6; parallel++) {
    assertEquals(picked(tasks, { parallel }), wanted.slice(0, parallel), `${parallel}`);
  }
});

Deno.test("pickNext compares times as times, in whatever form they were written", () => {
  const tasks = [
    task(1, { createdAt: "2026-03-04T12:00:01.000Z" }),
    task(2, { createdAt: "2026-03-04T13:00:00+02:00" }),
    task(3, { createdAt: "2026-03-04T12:00:00.500Z" }),
  ];
  assertEquals(picked(tasks), [2, 3, 1].map(idOf));
});

Deno.test("ids are compared by the number in them, a shorter one is older", () => {
  const ids = ["task_99999999999", "task_100000000000", "task_100000000001", "task_1000000000000"];
  assertEquals([...ids].reverse().sort(compareIds), ids);
  assertEquals(compareIds(ids[0]!, ids[0]!), 0);
});

Deno.test("pickNext passes over what is not pending, not ready, not due or paused", () => {
  const tasks = [
    task(1, { status: "running" }),
    task(2, { status: "failed" }),
    task(3, { dependsOn: [idOf(1)] }),
    task(4, { dependsOn: [idOf(2)] }),
    task(5, { dependsOn: [idOf(99)] }),
    task(6, { notBefore: formatTime(NOW + 1) }),
    task(7, { notBefore: formatTime(NOW) }),
    task(8, { agent: "paused" }),
    task(9, { agent: "rested" }),
  ];
  const lanes = new Map<string, PausedLane>([
    ["paused", { agent: "paused", until: NOW + 1 }],
    ["rested", { agent: "rested", until: NOW }],
  ]);
  assertEquals(picked(tasks, { lanes }), [7, 9].map(idOf));
});

Deno.test("pickNext counts what runs against both limits, and a full agent blocks no other", () => {
  const tasks = [
    task(1, { status: "running", agent: "x" }),
    task(2, { agent: "x", priority: 10 }),
    task(3, { agent: "x", priority: 9 }),
    task(4, { agent: "y" }),
    task(5, { agent: "y" }),
  ];
  assertEquals(picked(tasks, { perAgent: new Map([["x", 1]]) }), [4, 5].map(idOf));
  assertEquals(picked(tasks, { perAgent: new Map([["x", 2]]) }), [2, 4, 5].map(idOf));
  assertEquals(picked(tasks, { perAgent: new Map([["x", 1]]), parallel: 2 }), [4].map(idOf));
  assertEquals(picked(tasks, { perAgent: new Map([["x", 0], ["y", 0]]) }), []);
  assertEquals(picked(tasks, { parallel: 1 }), []);
});

Deno.test("pickNext picks from any queue what repeated choosing of the best picks", () => {
  const limits = fc.record({
    parallel: fc.integer({ min: 0, max: 5 }),
    x: fc.integer({ min: 0, max: 3 }),
    paused: fc.boolean(),
  });
  let most = 0;
  fc.assert(
    fc.property(queues, limits, (tasks, { parallel, x, paused }) => {
      const ready = naiveReadiness(tasks);
      const used = new Map<string, number>();
      let free = parallel;
      for (const { status, agent } of tasks) {
        if (status !== "running") continue;
        free--;
        used.set(agent, (used.get(agent) ?? 0) + 1);
      }
      const wanted: string[] = [];
      const left = new Set(tasks);
      while (wanted.length < free) {
        let best: Task | undefined;
        for (const item of left) {
          if (ready.get(item.taskId) !== "ready") continue;
          if (item.notBefore !== null && Date.parse(item.notBefore) > NOW) continue;
          if (item.agent === "y" && paused) continue;
          if (item.agent === "x" && (used.get("x") ?? 0) >= x) continue;
          if (best === undefined || compareTasks(item, best) < 0) best = item;
        }
        if (best === undefined) break;
        left.delete(best);
        used.set(best.agent, (used.get(best.agent) ?? 0) + 1);
        wanted.push(best.taskId);
      }
      most = Math.max(most, wanted.length);
      assertEquals(
        picked(tasks, {
          parallel,
          perAgent: new Map([["x", x]]),
          lanes: new Map(paused ? [["y", { agent: "y", until: NOW + 1 }]] : []),
        }),
        wanted,
      );
    }),
    { numRuns: 3000 },
  );
  assertGreater(most, 2);
});

Deno.test("compareTasks is an order: total, and the same both ways", () => {
  fc.assert(fc.property(queues, (tasks) => {
    for (const a of tasks) {
      for (const b of tasks) {
        assertEquals(Math.sign(compareTasks(a, b)) + Math.sign(compareTasks(b, a)), 0);
        assertEquals(compareTasks(a, b) === 0, a === b);
      }
    }
  }));
});
