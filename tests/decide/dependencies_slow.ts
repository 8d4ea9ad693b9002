// Who waits for whom, in chains as long as nobody has them.

import {
  dependentsOf,
  findCycle,
  indexTasks,
  latestAttempt,
  type Readiness,
  readinessOf,
  retryChain,
} from "../../lib/decide/dependencies.ts";
import { createModel } from "../../lib/decide/model.ts";
import type { Task } from "../../lib/task/fields.ts";
import { assertEquals } from "../support/assert.ts";
import { idOf, task } from "../support/queues.ts";

Deno.test("chains of 100,000 tasks neither exhaust the stack nor take quadratic time", () => {
  const LENGTH = 100_000;
  const pending: Task[] = [task(0, { status: "cancelled" })];
  const retries: Task[] = [];
  for (let number = 1; number < LENGTH; number++) {
    pending.push(task(number, { dependsOn: [idOf(number - 1)] }));
    retries.push(
      task(number, { status: "failed", parentTaskId: number === 1 ? null : idOf(number - 1) }),
    );
  }
  const index = indexTasks(pending);
  const memo = new Map<string, Readiness>();
  // The last one first: everything before it is looked at on its behalf.
  for (const item of [...pending].reverse()) {
    if (item.status === "pending") assertEquals(readinessOf(item, index, memo).kind, "blocked");
  }
  assertEquals([...createModel(pending).ready(false)], []);
  assertEquals(dependentsOf([idOf(0)], index).length, LENGTH - 1);
  const edges = new Map(pending.map((item) => [item.taskId, item.dependsOn]));
  assertEquals(findCycle(edges), undefined);
  edges.set(idOf(0), [idOf(LENGTH - 1)]);
  assertEquals(findCycle(edges)?.length, LENGTH + 1);
  const attempts = indexTasks(retries);
  assertEquals(retryChain(retries[500]!, attempts).length, LENGTH - 1);
  assertEquals(latestAttempt(retries[0]!, attempts).taskId, idOf(LENGTH - 1));
});
