// When a failure is tried again, and what the next attempt knows of the last.

import fc from "fast-check";
import { assert, assertEquals } from "../support/assert.ts";
import { LEGACY, LEGACY_TASKS } from "../support/legacy.ts";
import { DEFAULT_CONFIG } from "../../lib/settings/config_fields.ts";
import {
  indexTasks,
  latestAttempt,
  readiness,
  retryChain,
  retryOf,
  type TaskIndex,
} from "../../lib/decide/dependencies.ts";
import {
  mayRetry,
  NEVER_RETRIED,
  retryDelay,
  retryDue,
  successorOf,
} from "../../lib/decide/retry.ts";
import {
  FAILURE_CLASSES,
  formatTime,
  newTask,
  parseTask,
  type Task,
} from "../../lib/task/fields.ts";
import { idOf, NOW, task } from "../support/queues.ts";

const POLICY = DEFAULT_CONFIG.retry;

Deno.test("without jitter the waits double up to the cap, as the ancestor's did", () => {
  const plain = { ...POLICY, jitter: false };
  assertEquals([0, 1, 2, 3, 10].map((count) => retryDelay(count, plain, 0.3)), [1, 2, 4, 8, 1024]);
  assertEquals(retryDelay(12, plain, 0.3), 3600);
  assertEquals(retryDelay(1_000_000, plain, 0.3), 3600);
});

Deno.test("with jitter a wait is drawn evenly between nothing and its full length", () => {
  for (const count of [0, 1, 5, 20]) {
    const full = retryDelay(count, { ...POLICY, jitter: false }, 1);
    assertEquals(retryDelay(count, POLICY, 0), 0);
    assertEquals(retryDelay(count, POLICY, 0.5), full / 2);
    assertEquals(retryDelay(count, POLICY, 1), full);
  }
});

Deno.test("a wait is between zero and the cap and grows, whatever the settings and the task say", () => {
  const policies = fc.record({
    base: fc.double({ min: 0, max: 1e9, noNaN: true }),
    factor: fc.double({ min: 1, max: 1e9, noNaN: true }),
    cap: fc.double({ min: 0.001, max: 315_360_000, noNaN: true }),
    jitter: fc.boolean(),
    on: fc.constant(POLICY.on),
  });
  const counts = fc.oneof(fc.nat({ max: 50 }), fc.integer(), fc.constant(1e300));
  fc.assert(
    fc.property(
      policies,
      counts,
      fc.double({ min: 0, max: 1, noNaN: true }),
      (policy, count, random) => {
        const delay = retryDelay(count, policy, random);
        assert(delay >= 0 && delay <= policy.cap, `${delay}`);
        const more = retryDelay(count + 1, policy, random);
        assert(more >= delay, `${more} after ${delay}`);
        formatTime(NOW + delay * 1000);
      },
    ),
    {
      numRuns: 2000,
      examples: [[{ base: 0, factor: 10, cap: 60, jitter: true, on: [] }, 400, 0.5]],
    },
  );
});

Deno.test("a failure is retried by itself when the task, the count and the settings all agree", () => {
  const willing = { autoRetry: true, retryCount: 0, maxRetries: 1 };
  for (const name of FAILURE_CLASSES) {
    assertEquals(mayRetry(willing, name, POLICY), POLICY.on.includes(name), name);
    assert(!mayRetry({ ...willing, autoRetry: false }, name, POLICY));
    assert(!mayRetry({ ...willing, retryCount: 1 }, name, POLICY));
    assert(!mayRetry(willing, name, { on: [] }));
    const everything = { on: FAILURE_CLASSES };
    assertEquals(mayRetry(willing, name, everything), !NEVER_RETRIED.includes(name), name);
  }
  assertEquals([...NEVER_RETRIED].sort(), ["billing", "budget", "conflict", "dependency", "spawn"]);
});

function legacyIndex(): TaskIndex {
  return indexTasks(
    Object.entries(LEGACY_TASKS).map(([id, text]) => {
      const parsed = parseTask(text, id);
      assert("task" in parsed);
      return parsed.task;
    }),
  );
}

Deno.test("nothing in the ancestor's workspace is retried twice: the forgotten retry rests", () => {
  const index = legacyIndex();
  for (const item of index.byId.values()) {
    assertEquals(retryDue(item, index, POLICY), null, item.taskId);
  }
  const forgotten = index.byId.get(LEGACY.forgottenRetry)!;
  assert(forgotten.autoRetry && forgotten.retryCount < forgotten.maxRetries);
  assertEquals(
    latestAttempt(index.byId.get(LEGACY.failedAndRetried)!, index).taskId,
    LEGACY.pendingRetry,
  );
  // Were the other retry not there, this one would be the last attempt, but still nobody's.
  const alone = indexTasks(
    [...index.byId.values()].filter((item) => item.taskId !== LEGACY.pendingRetry),
  );
  assertEquals(
    latestAttempt(alone.byId.get(LEGACY.failedAndRetried)!, alone).taskId,
    LEGACY.forgottenRetry,
  );
});

Deno.test("what the ancestor showed as blocked by a failed task waits for its pending retry", () => {
  const index = legacyIndex();
  const blocked = index.byId.get(LEGACY.blocked)!;
  assertEquals(readiness(blocked, index), { kind: "waiting", on: [LEGACY.pendingRetry] });
  assertEquals(readiness(index.byId.get(LEGACY.pending)!, index), { kind: "ready" });
  const done = new Map(index.byId);
  done.set(LEGACY.pendingRetry, { ...index.byId.get(LEGACY.pendingRetry)!, status: "complete" });
  assertEquals(readiness(blocked, indexTasks(done.values())), { kind: "ready" });
});

Deno.test("a task that the ancestor failed is due 2^n seconds after its end, without jitter", () => {
  const old: Partial<Task> = {
    schemaVersion: 2,
    status: "failed",
    autoRetry: true,
    completedAt: formatTime(NOW),
  };
  const due = (rest: Partial<Task>) => {
    const item = task(1, { ...old, ...rest });
    return retryDue(item, indexTasks([item]), POLICY);
  };
  assertEquals(due({}), NOW + 1000);
  assertEquals(due({ retryCount: 2 }), NOW + 4000);
  assertEquals(due({ completedAt: null, createdAt: formatTime(NOW + 5) }), NOW + 1005);
  for (
    const rest of [
      { status: "pending" },
      { status: "complete" },
      { status: "cancelled" },
      { autoRetry: false },
      { retryCount: 3 },
      { retriedBy: idOf(2) },
    ] as Partial<Task>[]
  ) assertEquals(due(rest), null, JSON.stringify(rest));
});

Deno.test("a failed task of ours is due at its retryAt, and not when a successor is there", () => {
  const failed = task(1, { status: "failed", autoRetry: true, retryAt: formatTime(NOW + 7) });
  assertEquals(retryDue(failed, indexTasks([failed]), POLICY), NOW + 7);
  assertEquals(retryDue({ ...failed, retryAt: null }, indexTasks([failed]), POLICY), null);
  // Killed after the successor was created and before the pointer to it was written.
  const successor = task(2, { parentTaskId: idOf(1) });
  assertEquals(retryDue(failed, indexTasks([failed, successor]), POLICY), null);
});

Deno.test("a successor does the same work with one retry more and knows what went before", () => {
  const first = task(1, {
    status: "failed",
    agent: "x",
    prompt: "do it",
    priority: 8,
    maxRetries: 4,
    autoRetry: true,
    timeout: 60,
    timeoutWarning: 5,
    idleTimeout: 30,
    budget: 2,
    verify: ["make", "test"],
    dependsOn: [idOf(0)],
    labels: { team: "a" },
    errorMessage: "boom",
    failureClass: "exit",
    exitCode: 1,
    claim: 2,
    pid: 42,
    startedAt: formatTime(NOW),
    completedAt: formatTime(NOW),
    retryAt: formatTime(NOW),
    reapAt: formatTime(NOW),
    laneUntil: formatTime(NOW),
    result: { summary: "no" },
    usage: { costUsd: 1 },
  });
  const second = successorOf(first, idOf(2), {}, NOW + 9);
  const kept = [
    "agent",
    "prompt",
    "priority",
    "maxRetries",
    "autoRetry",
    "timeout",
    "timeoutWarning",
    "idleTimeout",
    "budget",
    "verify",
    "dependsOn",
    "labels",
  ] as const;
  const fresh = newTask(idOf(2), { agent: "x", prompt: "do it" }, NOW + 9);
  const wanted = { ...fresh } as Record<string, unknown>;
  for (const name of kept) wanted[name] = first[name];
  assertEquals(second as unknown, {
    ...wanted,
    retryCount: 1,
    parentTaskId: idOf(1),
    retryHistory: [
      { attempt: 1, timestamp: formatTime(NOW + 9), error: "boom", retriedFrom: idOf(1) },
    ],
  });
  const third = successorOf({ ...second, errorMessage: "bang" }, idOf(3), {}, NOW + 10);
  assertEquals(third.parentTaskId, idOf(1));
  assertEquals(third.retryCount, 2);
  assertEquals(
    third.retryHistory.map(({ attempt, error, retriedFrom }) => [attempt, error, retriedFrom]),
    [
      [1, "boom", idOf(1)],
      [2, "bang", idOf(2)],
    ],
  );
  assertEquals(retryOf(third), idOf(2));
  assertEquals(retryChain(first, indexTasks([first, second, third])).length, 3);
});

Deno.test("a successor shares no list with the task that it retries", () => {
  const first = task(1, { status: "failed", dependsOn: [idOf(0)], labels: { a: "b" } });
  const before = JSON.stringify(first);
  const second = successorOf(first, idOf(2), {}, NOW);
  second.dependsOn.push(idOf(9));
  second.labels.c = "d";
  second.retryHistory.length = 0;
  assertEquals(JSON.stringify(first), before);
});

Deno.test("a retry may change the agent, the count and the time; a pause uses up no retry", () => {
  const first = task(1, { status: "failed", retryCount: 1, autoRetry: true });
  const moved = successorOf(
    first,
    idOf(2),
    { agent: "y", maxRetries: 9, autoRetry: false, free: true, notBefore: NOW + 60_000 },
    NOW,
  );
  assertEquals(moved.agent, "y");
  assertEquals(moved.maxRetries, 9);
  assertEquals(moved.autoRetry, false);
  assertEquals(moved.retryCount, 1);
  assertEquals(moved.notBefore, formatTime(NOW + 60_000));
  assertEquals(moved.retryHistory.length, 1);
});
