// The JSON Schemas and the program agree on documents, by example.

import fc from "fast-check";
import { parseDoneSentinel, parseErrorSentinel } from "../../lib/queue/observe.ts";
import { newTask } from "../../lib/task/fields.ts";
import { assert, assertEquals } from "../support/assert.ts";
import { SOME_ID } from "../support/pages.ts";
import { assertValid, GATES, schemaProblem } from "../support/json_schemas.ts";

/** Documents that the program takes, and such as it refuses, by schema. */
const SAMPLES: Readonly<Record<string, { good: unknown[]; bad: unknown[] }>> = {
  "config": {
    good: [
      {},
      { max_concurrent: 1, retry: {}, archive: { archive_dir: ".orchestra/archive" } },
      { timeout: null, grace_period: 0, priority: 10, retry: { on: ["exit", "lost"], base: 0.5 } },
    ],
    bad: [
      [],
      null,
      { "$schema": "config.schema.json" },
      { max_concurent: 1 },
      { max_concurrent: 0 },
      { max_concurrent: 1.5 },
      { priority: 11 },
      { timeout: "5m" },
      { grace_period: 3601 },
      { retry: null },
      { retry: { on: ["exti"] } },
      { retry: { factor: 0.5 } },
      { archive: { archive_dir: "/tmp" } },
    ],
  },
  "agent-config": {
    good: [
      { agents: { x: { command: "true" }, "": { command: "true", args: ["{prompt}", ""] } } },
      {
        agents: {
          x: {
            command: "x",
            env: { A: "" },
            completion: "auto",
            rateLimit: { patterns: ["\\d+ left"] },
          },
        },
      },
    ],
    bad: [
      { agents: { x: {} } },
      { agents: { x: { command: "" } } },
      { agents: { x: { command: "a\0b" } } },
      { agents: { x: { command: "x", args: "y" } } },
      { agents: { x: { command: "x", arg: ["y"] } } },
      { agents: { x: { command: "x", env: { "A=B": "" } } } },
      { agents: { x: { command: "x", env: { "": "" } } } },
      { agents: { x: { command: "x", verify: [] } } },
      { agents: { x: { command: "x", completion: "done" } } },
      { agents: { x: { command: "x", rateLimit: { patterns: ["("] } } } },
      { agents: { x: { command: "x", rateLimit: { patterns: ["x"], resetPattern: "[" } } } },
      { agents: { x: { command: "x", rateLimit: {} } } },
      { agents: { x: { command: "x" }, y: null } },
    ],
  },
  "tasks": {
    good: [
      { agent: "x", prompt: "y" },
      { key: "k", agent: "x", prompt: "y", dependsOn: "a", timeout: " 1H30m ", budget: 0.1 },
      { agent: "x", prompt: "y", dependsOn: ["a", "b"], timeout: 90, idleTimeout: null },
      { agent: "x", prompt: "y", timeout: "1.5", timeoutWarning: "2.5s", labels: { a: "" } },
      { agent: "x", prompt: "y", timeout: "2d" },
    ],
    bad: [
      {},
      "x",
      { agent: "x" },
      { agent: "", prompt: "y" },
      { agent: "x", prompt: "a\0b" },
      { agent: "x", prompt: "y", priority: 0 },
      { agent: "x", prompt: "y", maxRetries: -1 },
      { agent: "x", prompt: "y", timeout: "soon" },
      { agent: "x", prompt: "y", timeout: "" },
      { agent: "x", prompt: "y", timeout: "0s" },
      { agent: "x", prompt: "y", timeout: "1m1h" },
      { agent: "x", prompt: "y", timeout: 0 },
      { agent: "x", prompt: "y", dependsOn: [""] },
      { agent: "x", prompt: "y", labels: { a: 1 } },
      { agent: "x", prompt: "y", taskId: "task_1795331564659" },
    ],
  },
  "task": {
    good: [
      { taskId: SOME_ID, status: "failed", agent: "x", prompt: "y", createdAt: "2026-01-31" },
      {
        ...newTask(SOME_ID, { agent: "", prompt: "" }, 0),
        createdAt: "2026-01-31 12:00",
        mine: { any: ["thing"] },
        dependsOn: null,
        priority: 99,
        failureClass: "of a later version",
        retryHistory: [{ attempt: 1, timestamp: "then", more: true }],
      },
    ],
    bad: [
      {},
      [],
      ...[
        { taskId: "task_123456789" },
        { status: "blocked" },
        { agent: null },
        { prompt: undefined },
        { createdAt: "yesterday" },
        { createdAt: null },
        { startedAt: "2026-01-31T12:00:00.5+1:00" },
        { retriedBy: "task_123456789012345678901" },
        { dependsOn: [1] },
        { autoRetry: "yes" },
        { labels: { a: 1 } },
        { labels: ["a"] },
        { retryHistory: [{ attempt: "1", timestamp: "then" }] },
        { retryHistory: [{ attempt: 1, timestamp: "then", retriedFrom: "x" }] },
        { verify: "x" },
        { usage: [] },
      ].map((part) => ({ ...newTask(SOME_ID, { agent: "x", prompt: "y" }, 0), ...part })),
    ],
  },
};

Deno.test("the JSON Schemas and the program agree on good and bad documents", () => {
  for (const [name, { good, bad }] of Object.entries(SAMPLES)) {
    // As they come from a file: without what JSON does not have.
    const documents = (list: unknown[]) => list.map((value) => JSON.parse(JSON.stringify(value)));
    for (const value of documents(good)) {
      const text = JSON.stringify(value);
      assertEquals(GATES[name]!(value), null, `the program refuses ${text}`);
      assertValid(name, value, text);
    }
    for (const value of documents(bad)) {
      const text = JSON.stringify(value);
      assert(GATES[name]!(value) !== null, `the program takes ${text}`);
      assert(schemaProblem(name, value) !== null, `${name}.schema.json takes ${text}`);
    }
  }
  // What formats.md says they cannot say.
  const long = { agent: "x", prompt: "y", timeout: "4000d" };
  assert(GATES.tasks!(long) !== null && schemaProblem("tasks", long) === null);
  const never = { ...newTask(SOME_ID, { agent: "x", prompt: "y" }, 0), createdAt: "2026-13-01" };
  assert(GATES.task!(never) !== null && schemaProblem("task", never) === null);
});

Deno.test("a sentinel that its JSON Schema takes is understood in full", () => {
  const text = fc.string({ minLength: 1 });
  fc.assert(fc.property(
    fc.record({ summary: text, files: fc.array(text) }, { requiredKeys: [] }),
    (value) => {
      assertValid("done", value, JSON.stringify(value));
      assertEquals(parseDoneSentinel(JSON.stringify(value)), value);
    },
  ));
  fc.assert(fc.property(
    fc.record({ error: text, details: fc.jsonValue() }, { requiredKeys: ["error"] }),
    (value) => {
      assertValid("error", value, JSON.stringify(value));
      assertEquals(parseErrorSentinel(JSON.stringify(value)).message, value.error);
    },
  ));
  for (const value of [{ files: "x" }, { summary: 1 }, [], null]) {
    assert(schemaProblem("done", value) !== null, JSON.stringify(value));
  }
  for (const value of [{}, { error: "" }, { error: 1 }, { message: "x" }]) {
    assert(schemaProblem("error", value) !== null, JSON.stringify(value));
  }
});
