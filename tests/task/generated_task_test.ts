// The task file against generated input: nothing makes its reader throw, and what is written is read.

import fc from "fast-check";
import { assert, assertEquals, assertStringIncludes } from "../support/assert.ts";
import { RETRY_NOTE } from "../../templates/prompts.ts";
import { firstPlan, prepareLaunch } from "../../lib/decide/launch_plan.ts";
import {
  FAILURE_CLASSES,
  FIELDS,
  formatTask,
  formatTime,
  isTaskId,
  parseTask,
  STATUSES,
  type Task,
} from "../../lib/task/fields.ts";
import { DIRTY } from "../../lib/task/options.ts";
import { accepted, fullTask, ID, NOW } from "../support/tasks.ts";
import { PLACES } from "../support/places.ts";

Deno.test("parseTask never throws, whatever the text", () => {
  fc.assert(fc.property(fc.string({ unit: "binary" }), (text) => {
    assert("problem" in parseTask(text, ID));
  }));
});

Deno.test("parseTask never throws, whatever the JSON", () => {
  fc.assert(fc.property(fc.json(), (text) => {
    assert("problem" in parseTask(text, ID));
  }));
});

Deno.test("a task with any one field replaced by any JSON is accepted as a Task or refused", () => {
  const names = Object.keys(FIELDS);
  fc.assert(
    fc.property(fc.constantFrom(...names), fc.jsonValue(), (name, value) => {
      const parsed = parseTask(JSON.stringify({ ...fullTask(), [name]: value }), ID);
      if ("problem" in parsed) {
        assertStringIncludes(parsed.problem, `"${name}"`);
        return;
      }
      // What was accepted can be written and accepted again, and a launch of it can be decided.
      const text = formatTask(parsed.task);
      assertEquals(formatTask(accepted(text)), text);
      prepareLaunch(
        parsed.task,
        { command: "true", args: ["{prompt}"] },
        "{prompt}",
        "",
        PLACES,
        "",
      );
      firstPlan(parsed.task);
    }),
    { numRuns: 2000 },
  );
});

Deno.test("a hostile retry history is refused or made harmless", () => {
  // An object whose conversion to text throws: a template that used it would stop the whole queue.
  const cursed = { toString: 1, valueOf: 1 };
  for (const field of ["error", "retriedFrom", "attempt", "timestamp"]) {
    const entry = { attempt: 1, timestamp: formatTime(NOW), error: null, retriedFrom: null };
    const task = { ...fullTask(), retryHistory: [{ ...entry, [field]: cursed }] };
    const parsed = parseTask(JSON.stringify(task), ID);
    if ("problem" in parsed) continue;
    prepareLaunch(
      parsed.task,
      { command: "true", args: ["{prompt}"] },
      "{prompt}",
      RETRY_NOTE,
      PLACES,
      "",
    );
    firstPlan(parsed.task);
  }
});

Deno.test("a task refers to other tasks by ids only", () => {
  for (const name of ["retriedBy", "parentTaskId"]) {
    for (const value of ["../../../etc/passwd", "task_1", "x\0y", ""]) {
      const parsed = parseTask(JSON.stringify({ ...fullTask(), [name]: value }), ID);
      if ("problem" in parsed) assertStringIncludes(parsed.problem, `"${name}"`);
      else {
        const kept = (parsed.task as unknown as Record<string, unknown>)[name];
        assert(kept === null || isTaskId(String(kept)), `${name} may be ${JSON.stringify(value)}`);
      }
    }
  }
});

const anyTime = fc.integer({ min: 0, max: Date.UTC(9000, 0) }).map(formatTime);
const anyId = fc.bigInt({ min: 10n ** 9n, max: 10n ** 20n - 1n }).map((n) => `task_${n}`);
const anyText = fc.string({ unit: "binary" });
const anyTask: fc.Arbitrary<Task> = fc.record({
  taskId: fc.constant(ID),
  status: fc.constantFrom(...STATUSES),
  agent: anyText,
  prompt: anyText,
  key: fc.option(anyText),
  planFile: anyText,
  logFile: anyText,
  createdAt: anyTime,
  startedAt: fc.option(anyTime),
  completedAt: fc.option(anyTime),
  timedOutAt: fc.option(anyTime),
  retriedAt: fc.option(anyTime),
  pid: fc.option(fc.integer()),
  errorMessage: fc.option(anyText),
  retryCount: fc.nat(),
  maxRetries: fc.nat(),
  autoRetry: fc.boolean(),
  retryHistory: fc.array(fc.record({
    attempt: fc.nat(),
    timestamp: anyTime,
    error: fc.option(anyText),
    retriedFrom: fc.option(anyId),
  })),
  parentTaskId: fc.option(anyId),
  retriedBy: fc.option(anyId),
  priority: fc.integer({ min: 1, max: 10 }),
  timeout: fc.option(fc.integer({ min: 1 })),
  timeoutWarning: fc.option(fc.integer({ min: 1 })),
  worktree: fc.option(fc.boolean()),
  base: fc.option(anyText),
  dirty: fc.option(fc.constantFrom(...DIRTY)),
  touches: fc.array(anyText),
  dependsOn: fc.array(anyId),
  blockedBy: fc.option(anyText),
  blockedReason: fc.option(anyText),
  exitCode: fc.option(fc.integer()),
  failureClass: fc.option(fc.constantFrom(...FAILURE_CLASSES)),
  errorDetails: fc.option(anyText),
  labels: fc.dictionary(anyText, anyText),
  claim: fc.nat(),
  verifyClaim: fc.nat(),
  verifyAt: fc.option(anyTime),
  setupClaim: fc.nat(),
  setupAt: fc.option(anyTime),
  asleep: fc.nat(),
  wokeAt: fc.option(anyTime),
  retryAt: fc.option(anyTime),
  reapAt: fc.option(anyTime),
  laneUntil: fc.option(anyTime),
  notBefore: fc.option(anyTime),
  idleTimeout: fc.option(fc.integer({ min: 1 })),
  budget: fc.option(fc.nat()),
  verify: fc.option(fc.array(anyText, { minLength: 1 })),
  result: fc.option(fc.record({ summary: anyText, files: fc.array(anyText) })),
  usage: fc.option(fc.record({ inputTokens: fc.nat() })),
  git: fc.constant(null),
  resumes: fc.option(anyText),
  schemaVersion: fc.nat(),
}).map((task) =>
  // What runs tells by what it is known.
  task.status === "running" && task.claim === 0 && task.pid === null ? { ...task, claim: 1 } : task
);

Deno.test("what formatTask writes of any task, parseTask reads as that task", () => {
  fc.assert(fc.property(anyTask, (task) => {
    const text = formatTask(task);
    const back = accepted(text);
    assertEquals(formatTask(back), text);
    assertEquals(JSON.parse(JSON.stringify(back)), JSON.parse(JSON.stringify(task)));
  }));
});
