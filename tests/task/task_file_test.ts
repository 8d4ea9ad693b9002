// The task file by example: what is read, what is refused and with which words, and what survives a
// rewrite.

import { assert, assertEquals, assertMatch, assertStringIncludes } from "../support/assert.ts";
import { LEGACY, LEGACY_TASKS } from "../support/legacy.ts";
import {
  FAILURE_CLASSES,
  FIELDS,
  formatTask,
  formatTime,
  isTerminal,
  newTask,
  SCHEMA_VERSION,
  STATUSES,
} from "../../lib/task/fields.ts";
import { accepted, fullTask, ID, NOW, OTHER, refused } from "../support/tasks.ts";

Deno.test("parseTask accepts every task file of the ancestor and keeps every value in it", () => {
  assertEquals(Object.keys(LEGACY_TASKS).length, 9);
  for (const [id, text] of Object.entries(LEGACY_TASKS)) {
    const task = accepted(text, id);
    const written = JSON.parse(text) as Record<string, unknown>;
    for (const [name, value] of Object.entries(written)) {
      assertEquals((task as unknown as Record<string, unknown>)[name], value, `${id} ${name}`);
    }
  }
});

Deno.test("a task file of the ancestor gets the fallback of every field it could not know", () => {
  const task = accepted(LEGACY_TASKS[LEGACY.blocked]!, LEGACY.blocked);
  assertEquals(task.schemaVersion, 2);
  assertEquals(task.claim, 0);
  assertEquals(task.labels, {});
  assertEquals(task.failureClass, null);
  assertEquals(task.retryAt, null);
  assertEquals(task.dependsOn, [LEGACY.failedAndRetried]);
  for (const name of Object.keys(FIELDS)) assert(name in task, name);
});

Deno.test("fallbacks are not shared between tasks", () => {
  const text = JSON.stringify({
    taskId: ID,
    status: "pending",
    agent: "a",
    prompt: "p",
    createdAt: formatTime(NOW),
  });
  const first = accepted(text);
  first.dependsOn.push(OTHER);
  first.labels.team = "a";
  first.retryHistory.push({ attempt: 1, timestamp: "", error: null, retriedFrom: null });
  const second = accepted(text);
  assertEquals(second.dependsOn, []);
  assertEquals(second.labels, {});
  assertEquals(second.retryHistory, []);
});

Deno.test("newTask has exactly the fields that FIELDS describes and is accepted again", () => {
  const task = newTask(ID, { agent: "shell", prompt: "true", dependsOn: [OTHER] }, NOW);
  assertEquals(Object.keys(task).sort(), Object.keys(FIELDS).sort());
  assertEquals(task.schemaVersion, SCHEMA_VERSION);
  assertEquals(task.status, "pending");
  assertEquals(task.createdAt, "2026-03-04T12:00:00.000Z");
  assertEquals(accepted(formatTask(task)), task);
});

Deno.test("formatTask and parseTask are inverse for a task with every field set", () => {
  const task = fullTask();
  assertEquals(Object.keys(task).sort(), Object.keys(FIELDS).sort());
  const text = formatTask(task);
  assert(text.endsWith("}\n"));
  assertEquals(accepted(text), task);
  assertEquals(formatTask(accepted(text)), text);
});

Deno.test("unknown fields survive parsing and formatting, at the top and within", () => {
  const before = {
    ...fullTask(),
    x_custom: { deep: [1, { two: null }] },
    "": "empty name",
    retryHistory: [{ attempt: 1, timestamp: "t", error: null, retriedFrom: null, host: "h" }],
    result: { summary: "s", score: 3 },
    usage: { inputTokens: 1, region: "eu" },
  };
  assertEquals(JSON.parse(formatTask(accepted(JSON.stringify(before)))), before);
});

Deno.test("a field named __proto__ in a task file is data and changes no prototype", () => {
  const text = JSON.stringify(fullTask()).replace("{", '{"__proto__":{"status":"complete"},');
  const task = accepted(text);
  assertEquals(task.status, "failed");
  assertEquals(Object.getPrototypeOf(task), Object.prototype);
  assertStringIncludes(formatTask({ ...task }), '"__proto__"');
  const bare = '{"__proto__":' + JSON.stringify(fullTask()) + "}";
  assertEquals(refused(bare), 'lacks the field "taskId"');
});

/** For each kind of field: values of other kinds, and what the message must ask for. */
const BAD: Record<string, { values: unknown[]; says: RegExp }> = {
  string: { values: [1, true, [], {}], says: /must be a text/ },
  "string?": { values: [1, false, [], {}], says: /must be a text or null/ },
  time: { values: [1, "soon", {}, "", true], says: /must be an ISO 8601 time/ },
  "time?": { values: [1, "soon", {}, "", false], says: /must be an ISO 8601 time or null/ },
  number: { values: ["1", true, [], {}], says: /must be a number/ },
  "number?": { values: ["1", true, [], {}], says: /must be a number or null/ },
  "seconds?": { values: ["1", true, [], {}], says: /must be a number or null/ },
  "pid?": { values: ["x", "1.5", true, [], {}], says: /must be a number or null/ },
  boolean: { values: [0, "true", [], {}], says: /must be true or false/ },
  "boolean?": { values: [0, "true", [], {}], says: /must be true or false or null/ },
  texts: { values: ["x", [1], {}], says: /list of texts/ },
  ids: { values: ["x", [1], ["../../x"], [null], {}, [`${ID}\n`]], says: /list of task ids/ },
  "command?": { values: ["x", [1], [], {}, 1], says: /list of texts, the program first/ },
  count: { values: [-1, 0.5, 1e20, "1", [], true], says: /a whole number from 0/ },
  labels: { values: [[], "x", { a: 1 }, { a: null }], says: /object of texts/ },
  history: { values: ["x", {}, [1], [null], [[]]], says: /list of objects/ },
  "object?": { values: ["x", 1, [], true], says: /object or null/ },
};

Deno.test("parseTask names the field that is bad and says what it must be, for every field", () => {
  const good = fullTask();
  for (const [name, { kind }] of Object.entries(FIELDS)) {
    const bad = BAD[kind];
    // A kind that is new here must get its bad values.
    if (bad === undefined) {
      assert(["id?", "status", "class?"].includes(kind), `no bad values for kind ${kind}`);
      continue;
    }
    for (const value of bad.values) {
      const problem = refused({ ...good, [name]: value });
      assertStringIncludes(problem, `"${name}"`);
      assertMatch(problem, bad.says);
    }
  }
});

Deno.test("parseTask names the field that is missing", () => {
  for (const name of ["taskId", "status", "agent", "prompt", "createdAt"]) {
    const { [name]: _, ...rest } = fullTask() as unknown as Record<string, unknown>;
    assertEquals(refused(rest), `lacks the field "${name}"`);
  }
});

Deno.test("parseTask refuses another task's id, an unknown status, and what is no object", () => {
  assertStringIncludes(refused({ ...fullTask(), taskId: OTHER }), OTHER);
  for (const status of ["blocked", "Pending", "", "toString", "__proto__"]) {
    assertMatch(refused({ ...fullTask(), status }), /"status"/);
  }
  for (const text of ["null", "[]", "1", '"x"', "true"]) {
    assertEquals(refused(text), "must hold a JSON object");
  }
  for (const text of ["", " \n"]) assertEquals(refused(text), "is empty");
  for (const text of ["{", "\0", "{'a':1}", formatTask(fullTask()).slice(0, -3), "\uFEFF\uFEFF"]) {
    assertMatch(refused(text), /is not valid JSON|is empty/);
  }
});

Deno.test("a failure class that a later version wrote does not make a task unreadable", () => {
  assertEquals(
    accepted(JSON.stringify({ ...fullTask(), failureClass: "boredom" })).failureClass,
    null,
  );
  for (const failureClass of FAILURE_CLASSES) {
    assertEquals(
      accepted(JSON.stringify({ ...fullTask(), failureClass })).failureClass,
      failureClass,
    );
  }
});

Deno.test("a number beyond what a number can be is refused, not read as infinity", () => {
  const text = formatTask(fullTask()).replace('"retryCount": 2', '"retryCount": 1e999');
  assertStringIncludes(refused(text), '"retryCount"');
});

Deno.test("pending and running are the only states that are not final", () => {
  assertEquals(STATUSES.filter((status) => !isTerminal(status)), ["pending", "running"]);
});

Deno.test("a task file that was cut off anywhere is refused", () => {
  const text = formatTask(fullTask()).trimEnd();
  for (let length = 0; length < text.length; length++) refused(text.slice(0, length));
});
