// Who waits for whom, and for how long in vain.

import fc from "fast-check";
import { assert, assertEquals, assertGreater, assertLess } from "../support/assert.ts";
import {
  dependencyState,
  dependentsOf,
  findCycle,
  indexTasks,
  latestAttempt,
  type Readiness,
  readiness,
  readinessOf,
  retryChain,
} from "../../lib/decide/dependencies.ts";
import { formatTime, type Task } from "../../lib/task/fields.ts";
import { idOf, naiveReadiness, NOW, picked, queues, task } from "../support/queues.ts";

Deno.test("readiness of any queue is what the contract says, with a memo and without", () => {
  const seen = new Set<string>();
  fc.assert(
    fc.property(queues, (tasks) => {
      const index = indexTasks(tasks);
      const memo = new Map<string, Readiness>();
      for (const [id, kind] of naiveReadiness(tasks)) {
        const item = index.byId.get(id)!;
        assertEquals(readiness(item, index).kind, kind, id);
        assertEquals(readinessOf(item, index, memo).kind, kind, id);
        seen.add(kind);
      }
    }),
    { numRuns: 3000 },
  );
  assertEquals(seen.size, 3);
});

Deno.test("a dependency is met by the task itself or by the latest retry in its chain", () => {
  const first = task(1, { status: "failed", retriedBy: idOf(2) });
  const second = task(2, { status: "failed", parentTaskId: idOf(1), retriedBy: idOf(3) });
  const chain = (rest: Partial<Task>) =>
    indexTasks([
      first,
      second,
      task(3, {
        parentTaskId: idOf(1),
        retryHistory: [{ attempt: 2, timestamp: "", error: null, retriedFrom: idOf(2) }],
        ...rest,
      }),
    ]);
  const state = (rest: Partial<Task>) => dependencyState(idOf(1), chain(rest));
  assertEquals(state({ status: "complete" }), { kind: "met" });
  assertEquals(state({ status: "pending" }).kind, "waiting");
  assertEquals(state({ status: "running" }).kind, "waiting");
  assertEquals(state({ status: "failed", retryAt: formatTime(NOW) }).kind, "waiting");
  assertEquals(state({ status: "failed" }), {
    kind: "blocked",
    cause: { kind: "failed", id: idOf(3) },
  });
  assertEquals(state({ status: "cancelled" }), {
    kind: "blocked",
    cause: { kind: "cancelled", id: idOf(3) },
  });
  const index = chain({});
  assertEquals(retryChain(second, index).map(({ taskId }) => taskId), [1, 2, 3].map(idOf));
  for (const item of index.byId.values()) {
    assertEquals(latestAttempt(item, index).taskId, idOf(3));
    assertEquals(retryChain(item, index).length, 3);
  }
  // It was complete all along; somebody retried it for another reason.
  const again = indexTasks([task(1, { status: "complete" }), task(2, { parentTaskId: idOf(1) })]);
  assertEquals(dependencyState(idOf(1), again), { kind: "met" });
});

Deno.test("of two retries of one task the one that it names goes on, be it the older", () => {
  const tasks = [
    task(1, { status: "failed", retriedBy: idOf(2) }),
    task(2, { status: "complete", parentTaskId: idOf(1) }),
    task(3, { status: "failed", parentTaskId: idOf(1) }),
  ];
  const named = indexTasks(tasks);
  assertEquals(latestAttempt(tasks[0]!, named).taskId, idOf(2));
  assertEquals(dependencyState(idOf(1), named), { kind: "met" });
  // A name that leads nowhere counts as none.
  const lost = indexTasks([{ ...tasks[0]!, retriedBy: idOf(9) }, ...tasks.slice(1)]);
  assertEquals(latestAttempt(lost.byId.get(idOf(1))!, lost).taskId, idOf(3));
});

Deno.test("a dependency that does not exist, or no longer, blocks; one in the archive counts", () => {
  const waiting = task(2, { dependsOn: [idOf(1)] });
  assertEquals(readiness(waiting, indexTasks([waiting])), {
    kind: "blocked",
    by: idOf(1),
    cause: { kind: "missing", id: idOf(1) },
    direct: true,
  });
  const kind = (archived: Task) =>
    readiness(waiting, indexTasks([waiting], new Map([[archived.taskId, archived]]))).kind;
  assertEquals(kind(task(1, { status: "complete" })), "ready");
  assertEquals(kind(task(1, { status: "failed" })), "blocked");
});

Deno.test("what waits behind a blocked task is blocked, with the first cause as the reason", () => {
  const tasks = [task(0, { status: "cancelled" })];
  for (let number = 1; number < 6; number++) {
    tasks.push(task(number, { dependsOn: [idOf(number - 1)] }));
  }
  const index = indexTasks(tasks);
  for (const item of tasks.slice(1)) {
    assertEquals(readiness(item, index), {
      kind: "blocked",
      by: item.dependsOn[0]!,
      cause: { kind: "cancelled", id: idOf(0) },
      direct: item.dependsOn[0] === idOf(0),
    });
  }
  const retried = [...tasks, task(6, { status: "complete", parentTaskId: idOf(0) })];
  assertEquals(readiness(retried[1]!, indexTasks(retried)), { kind: "ready" });
  assertEquals(readiness(retried[2]!, indexTasks(retried)), { kind: "waiting", on: [idOf(1)] });
});

Deno.test("tasks that wait for each other are blocked and say so", () => {
  const circle = [
    task(1, { dependsOn: [idOf(3)] }),
    task(2, { dependsOn: [idOf(1)] }),
    task(3, { dependsOn: [idOf(2)] }),
    task(4, { dependsOn: [idOf(1)] }),
    task(5, { dependsOn: [idOf(5)] }),
  ];
  const index = indexTasks(circle);
  for (const item of circle) {
    const ready = readiness(item, index);
    assert(ready.kind === "blocked", item.taskId);
    assertEquals([ready.by, ready.cause.kind], [item.dependsOn[0], "circle"]);
  }
  assertEquals(picked(circle), []);
});

Deno.test("retry pointers in a circle, to nowhere or to itself end", () => {
  for (
    const tasks of [
      [task(1, { status: "failed", retriedBy: idOf(1) })],
      [task(1, { status: "failed", parentTaskId: idOf(1) })],
      [
        task(1, { status: "failed", retriedBy: idOf(2), parentTaskId: idOf(2) }),
        task(2, { status: "failed", retriedBy: idOf(1), parentTaskId: idOf(1) }),
      ],
      [task(1, { status: "failed", retriedBy: idOf(9), parentTaskId: idOf(8) })],
    ]
  ) {
    const index = indexTasks(tasks);
    for (const item of tasks) {
      assertLess(retryChain(item, index).length, 3);
      assertEquals(latestAttempt(item, index).status, "failed");
      assertEquals(dependencyState(item.taskId, index).kind, "blocked");
    }
  }
});

Deno.test("findCycle finds one where there is one, and it is one", () => {
  const graphs = fc.integer({ min: 1, max: 7 }).chain((size) =>
    fc.array(fc.uniqueArray(fc.integer({ min: 0, max: size })), {
      minLength: size,
      maxLength: size,
    })
  );
  let cyclic = 0;
  fc.assert(
    fc.property(graphs, (graph) => {
      const edges = new Map(graph.map((targets, from) => [`${from}`, targets.map(String)]));
      // Naive: a node that reaches itself.
      const reach = graph.map((targets) => new Set(targets));
      for (let turn = 0; turn < graph.length; turn++) {
        for (const from of reach) {
          for (const to of [...from]) reach[to]?.forEach((further) => from.add(further));
        }
      }
      const has = reach.some((from, node) => from.has(node));
      const cycle = findCycle(edges);
      assertEquals(cycle !== undefined, has);
      if (cycle === undefined) return;
      cyclic++;
      assertEquals(cycle[0], cycle.at(-1));
      assertGreater(cycle.length, 1);
      assertEquals(new Set(cycle).size, cycle.length - 1);
      for (let at = 1; at < cycle.length; at++) {
        assert(edges.get(cycle[at - 1]!)!.includes(cycle[at]!));
      }
    }),
    { numRuns: 1000 },
  );
  assertGreater(cyclic, 50);
});

Deno.test("dependentsOf finds everything behind some tasks, once, circles or not", () => {
  fc.assert(fc.property(queues, fc.array(fc.nat({ max: 7 })), (tasks, numbers) => {
    const ids = numbers.map(idOf);
    const wanted = new Set<string>();
    for (let before = -1; before !== wanted.size;) {
      before = wanted.size;
      for (const item of tasks) {
        if (item.dependsOn.some((id) => ids.includes(id) || wanted.has(id))) {
          wanted.add(item.taskId);
        }
      }
    }
    const found = dependentsOf(ids, indexTasks(tasks)).map(({ taskId }) => taskId);
    assertEquals(found, [...wanted].sort());
  }));
});
