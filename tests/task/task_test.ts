// What comes from disk and from the command line, and the pure texts made of it: the task file,
// durations, templates, sentinels, launches, suggestions, the command line, the schemas.

import fc from "fast-check";
import type { AgentDefinition } from "../../lib/task/agent.ts";
import {
  assert,
  assertEquals,
  assertGreater,
  assertLess,
  assertMatch,
  assertStringIncludes,
  assertThrows,
} from "../support/assert.ts";
import { LEGACY, LEGACY_TASKS } from "../support/legacy.ts";
import { RETRY_NOTE } from "../../templates/prompts.ts";
import { parseCommandLine } from "../../lib/cli/main.ts";
import { CONFIG_ABOUT, DEFAULT_CONFIG } from "../../lib/settings/config.ts";
import { formatDuration, parseDuration } from "../../lib/task/duration.ts";
import { OrchestraError } from "../../lib/task/error.ts";
import { parseDoneSentinel, parseErrorSentinel, parseExitFile } from "../../lib/queue/observe.ts";
import {
  BASIC_ENV,
  firstPlan,
  MAX_ARGUMENT,
  type Places,
  prepareLaunch,
} from "../../lib/decide/launch_plan.ts";
import { parseAgent, parseConfig } from "../../lib/settings/schemas.ts";
import { closest } from "../../lib/text/suggest.ts";
import {
  FAILURE_CLASSES,
  FIELDS,
  formatTask,
  formatTaskId,
  formatTime,
  isTaskId,
  isTerminal,
  newTask,
  parseTask,
  parseTime,
  SCHEMA_VERSION,
  STATUSES,
  type Task,
} from "../../lib/task/fields.ts";
import { mentions, substitute } from "../../lib/decide/template.ts";

const NOW = Date.parse("2026-03-04T12:00:00Z");
const ID = "task_1772625600000";
const OTHER = "task_1772625600001";

function accepted(text: string, id: string = ID): Task {
  const parsed = parseTask(text, id);
  assert("task" in parsed, "problem" in parsed ? parsed.problem : "");
  return parsed.task;
}

function refused(value: unknown, id: string = ID): string {
  const parsed = parseTask(typeof value === "string" ? value : JSON.stringify(value), id);
  assert("problem" in parsed, `accepted ${JSON.stringify(value)}`);
  return parsed.problem;
}

/** A task with a value of its own in every field, none of them a default. */
function fullTask(): Task {
  return {
    ...newTask(ID, { agent: "shell", prompt: "echo $(date) 日本語 🎻" }, NOW),
    status: "failed",
    key: "build",
    startedAt: formatTime(NOW + 1),
    completedAt: formatTime(NOW + 2),
    timedOutAt: formatTime(NOW + 3),
    retriedAt: formatTime(NOW + 4),
    pid: 4242,
    errorMessage: "boom",
    retryCount: 2,
    maxRetries: 7,
    autoRetry: true,
    retryHistory: [
      { attempt: 1, timestamp: formatTime(NOW), error: "bang", retriedFrom: OTHER },
    ],
    parentTaskId: OTHER,
    retriedBy: "task_1772625600009",
    priority: 9,
    timeout: 90,
    timeoutWarning: 10,
    dependsOn: [OTHER],
    blockedBy: OTHER,
    blockedReason: "because",
    exitCode: 7,
    failureClass: "exit",
    errorDetails: "at line 3",
    labels: { team: "a" },
    claim: 3,
    retryAt: formatTime(NOW + 5),
    reapAt: formatTime(NOW + 6),
    laneUntil: formatTime(NOW + 7),
    notBefore: formatTime(NOW + 8),
    idleTimeout: 30,
    budget: 1.5,
    verify: ["make", "test"],
    result: { summary: "nearly", files: ["a.txt"] },
    usage: { inputTokens: 10, costUsd: 0.02 },
  };
}

// --- the task file ---

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

Deno.test("naive times are local, times with a zone are in that zone, bare dates are local", () => {
  for (
    const [text, local] of [
      ["2026-11-22T07:12:44.659086", new Date(2026, 10, 22, 7, 12, 44, 659)],
      ["2026-11-22T07:12:44", new Date(2026, 10, 22, 7, 12, 44)],
      ["2026-11-22 07:12:44", new Date(2026, 10, 22, 7, 12, 44)],
      ["2026-11-22T07:12", new Date(2026, 10, 22, 7, 12)],
      ["2026-11-22", new Date(2026, 10, 22)],
      ["2026-07-22", new Date(2026, 6, 22)],
    ] as const
  ) assertEquals(parseTime(text), local.getTime(), text);
  for (
    const [text, utc] of [
      ["2026-11-22T07:12:44.659Z", Date.UTC(2026, 10, 22, 7, 12, 44, 659)],
      ["2026-11-22T07:12:44Z", Date.UTC(2026, 10, 22, 7, 12, 44)],
      ["2026-11-22T07:12:44.659086Z", Date.UTC(2026, 10, 22, 7, 12, 44, 659)],
      ["2026-11-22T07:12:44z", Date.UTC(2026, 10, 22, 7, 12, 44)],
      ["2026-11-22T07:12:44+02:00", Date.UTC(2026, 10, 22, 5, 12, 44)],
      ["2026-11-22 07:12:44-05:30", Date.UTC(2026, 10, 22, 12, 42, 44)],
    ] as const
  ) assertEquals(parseTime(text), utc, text);
});

Deno.test("naive times follow the time zone of the reader", async () => {
  const code = `import { parseTime } from ${
    JSON.stringify(new URL("../../lib/task/fields.ts", import.meta.url).href)
  };
    console.log(...["T07:12:44", "T07:12:44Z", " 07:12:44", ""].map((time) => parseTime("2026-11-22" + time)));`;
  const read = async (zone: string) => {
    const { stdout } = await new Deno.Command(Deno.execPath(), {
      args: ["eval", "--no-config", "--no-lock", code],
      env: { TZ: zone, NO_COLOR: "1" },
      stderr: "inherit",
    }).output();
    return new TextDecoder().decode(stdout).trim().split(" ").map(Number);
  };
  const [utc, tokyo] = await Promise.all([read("UTC"), read("Asia/Tokyo")]);
  const at = Date.UTC(2026, 10, 22, 7, 12, 44);
  const day = Date.UTC(2026, 10, 22);
  const nine = 9 * 3_600_000;
  assertEquals(utc, [at, at, at, day]);
  assertEquals(tokyo, [at - nine, at, at - nine, day - nine]);
});

Deno.test("parseTime refuses what is no time", () => {
  for (
    const text of [
      "",
      "now",
      "yesterday",
      "2026",
      "2026-13-01",
      "2026-11-22T25:00:00",
      "2026-11-22T07:12:44.659Zjunk",
      "\n2026-11-22T07:12:44Z",
      "1795331564659",
      "NaN",
    ]
  ) assertEquals(parseTime(text), null, text);
  assertEquals(parseTime(null), null);
});

Deno.test("formatTime writes UTC with Z, and parseTime reads it back", () => {
  assertEquals(formatTime(0), "1970-01-01T00:00:00.000Z");
  fc.assert(fc.property(
    fc.integer({ min: 0, max: Date.UTC(9999, 11, 31) }),
    (millis) => parseTime(formatTime(millis)) === millis,
  ));
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
  ids: { values: ["x", [1], ["../../x"], [null], {}, [`${ID}\n`]], says: /list of task ids/ },
  "strings?": { values: ["x", [1], {}, 1], says: /list of texts or null/ },
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

Deno.test("an id is task_ and 10 to 20 digits and nothing else", () => {
  for (const digits of ["1234567890", "1795331564659", "12345678901234567890"]) {
    assert(isTaskId(`task_${digits}`), digits);
  }
  for (
    const text of [
      "task_123456789",
      "task_123456789012345678901",
      "task_",
      "",
      "1795331564659",
      "Task_1795331564659",
      "task_1795331564659 ",
      " task_1795331564659",
      "task_1795331564659\n",
      "task_1795331564659\0",
      "task_1795331564\x000659",
      "task_../../etc/passwd",
      "../task_1795331564659",
      "task_1795331564659/../x",
      "task_179533156/659",
      "task_1795331564659.json",
      "task_１７９５３３１５６４６５９",
      "task_-795331564659",
      "task_1.95331564659",
      "task_0x95331564659",
    ]
  ) {
    assert(!isTaskId(text), JSON.stringify(text));
    assert(!("task" in parseTask(JSON.stringify({ ...fullTask(), dependsOn: [text] }), ID)));
  }
});

Deno.test("formatTaskId makes an id of any time there is", () => {
  assertEquals(formatTaskId(1795331564659.9), "task_1795331564659");
  for (const millis of [0, -1, 1, NOW, 8.64e15]) {
    assert(isTaskId(formatTaskId(millis)), `${millis}`);
  }
});

Deno.test("pending and running are the only states that are not final", () => {
  assertEquals(STATUSES.filter((status) => !isTerminal(status)), ["pending", "running"]);
});

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
      prepareLaunch(parsed.task, { command: "true", args: ["{prompt}"] }, "{prompt}", "", PLACES);
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
  dependsOn: fc.array(anyId),
  blockedBy: fc.option(anyText),
  blockedReason: fc.option(anyText),
  exitCode: fc.option(fc.integer()),
  failureClass: fc.option(fc.constantFrom(...FAILURE_CLASSES)),
  errorDetails: fc.option(anyText),
  labels: fc.dictionary(anyText, anyText),
  claim: fc.nat(),
  retryAt: fc.option(anyTime),
  reapAt: fc.option(anyTime),
  laneUntil: fc.option(anyTime),
  notBefore: fc.option(anyTime),
  idleTimeout: fc.option(fc.integer({ min: 1 })),
  budget: fc.option(fc.nat()),
  verify: fc.option(fc.array(anyText)),
  result: fc.option(fc.record({ summary: anyText, files: fc.array(anyText) })),
  usage: fc.option(fc.record({ inputTokens: fc.nat() })),
  schemaVersion: fc.nat(),
});

Deno.test("what formatTask writes of any task, parseTask reads as that task", () => {
  fc.assert(fc.property(anyTask, (task) => {
    const text = formatTask(task);
    const back = accepted(text);
    assertEquals(formatTask(back), text);
    assertEquals(JSON.parse(JSON.stringify(back)), JSON.parse(JSON.stringify(task)));
  }));
});

Deno.test("a task file that was cut off anywhere is refused", () => {
  const text = formatTask(fullTask()).trimEnd();
  for (let length = 0; length < text.length; length++) refused(text.slice(0, length));
});

// --- durations ---

Deno.test("parseDuration reads seconds, single units and combinations", () => {
  for (
    const [text, seconds] of [
      ["90", 90],
      ["1.5", 1.5],
      ["90s", 90],
      ["0.5s", 0.5],
      ["5m", 300],
      ["1h30m", 5400],
      ["1h30m15s", 5415],
      ["2d", 172_800],
      ["1d1h1m1s", 90_061],
      [" 5M ", 300],
      ["0h5m", 300],
      ["315360000", 315_360_000],
    ] as const
  ) assertEquals(parseDuration(text), seconds, text);
});

Deno.test("parseDuration refuses zero, signs, blanks within, unknown units and ten years and more", () => {
  for (
    const text of [
      "",
      " ",
      "0",
      "0s",
      "0.0",
      "-5",
      "+5",
      "5 m",
      "m",
      "1e3",
      "Infinity",
      "NaN",
      "0x10",
      "5w",
      "30m1h",
      "1h30",
      "1.5h",
      "1,5",
      ".5",
      "5.",
      "1s1s",
      "315360001",
      "3651d",
      "9".repeat(400),
      "５",
      "5m\0",
    ]
  ) assertEquals(parseDuration(text), undefined, text);
});

Deno.test("parseDuration gives nothing or a time above zero, whatever the text", () => {
  const text = fc.oneof(
    fc.string(),
    fc.stringMatching(/^[0-9.]{0,6}[dhms]?[0-9.]{0,4}[dhms]?$/),
  );
  fc.assert(fc.property(text, (text) => {
    const seconds = parseDuration(text);
    assert(seconds === undefined || (seconds > 0 && seconds <= 315_360_000));
  }));
});

Deno.test("formatDuration has at most two units, and they are those that matter", () => {
  for (
    const [seconds, text] of [
      [0, "0ms"],
      [0.8509, "850ms"],
      [42.9, "42s"],
      [59.99, "59s"],
      [60, "1m00s"],
      [192, "3m12s"],
      [3900, "1h05m"],
      [86_399, "23h59m"],
      [183_600, "2d03h"],
      [-1, "0s"],
    ] as const
  ) assertEquals(formatDuration(seconds), text);
});

Deno.test("parseDuration reads what formatDuration wrote, to the smallest unit shown", () => {
  fc.assert(fc.property(fc.integer({ min: 1, max: 315_360_000 }), (seconds) => {
    const back = parseDuration(formatDuration(seconds));
    assert(back !== undefined);
    assert(back <= seconds && seconds - back < (seconds < 3600 ? 1 : seconds < 86_400 ? 60 : 3600));
  }));
});

// --- templates ---

Deno.test("substitute replaces each placeholder once and looks at no value again", () => {
  assertEquals(
    substitute("{taskId}: {prompt}", { taskId: ID, prompt: "do {taskId}" }),
    `${ID}: do {taskId}`,
  );
  assertEquals(
    substitute("{prompt}", { prompt: "{{x}} $& $1 $$ {prompt}" }),
    "{{x}} $& $1 $$ {prompt}",
  );
  assertEquals(substitute("{prompt}{prompt}", { prompt: "a" }), "aa");
});

Deno.test("doubled braces are braces, and names that are none of ours stay", () => {
  assertEquals(substitute('{{"a": {prompt}}}', { prompt: "1" }), '{"a": 1}');
  assertEquals(substitute("{{prompt}}", { prompt: "x" }), "{prompt}");
  assertEquals(substitute("{{{prompt}}}", { prompt: "x" }), "{x}");
  assertEquals(
    substitute("{other} {} { prompt} {prompt", { prompt: "x" }),
    "{other} {} { prompt} {prompt",
  );
  assertEquals(
    substitute("{toString}{constructor}{__proto__}", {}),
    "{toString}{constructor}{__proto__}",
  );
  assertEquals(substitute("{taskId}", { prompt: "x" }), "{taskId}");
});

Deno.test("a value comes through substitute as it is, whatever it contains", () => {
  fc.assert(fc.property(fc.string(), (prompt) => {
    assertEquals(substitute("<{prompt}>", { prompt }), `<${prompt}>`);
  }));
  const braces = fc.string({ unit: fc.constantFrom("{", "}", "prompt", "taskId", "a") });
  fc.assert(fc.property(braces, braces, (template, prompt) => {
    const whole = substitute(template, { prompt, taskId: ID });
    const parts = substitute(template, { prompt: "\0", taskId: ID });
    assertEquals(whole, parts.replaceAll("\0", () => prompt));
  }));
});

Deno.test("mentions sees placeholders and no doubled braces", () => {
  assert(mentions("a {prompt} b", "prompt"));
  assert(mentions("{{{prompt}}}", "prompt"));
  assert(!mentions("{{prompt}}", "prompt"));
  assert(!mentions("prompt {taskId}", "prompt"));
});

// --- sentinels ---

Deno.test("an .error file is JSON with error and details, or plain text, or empty", () => {
  const unsaid = "The agent reported an error without saying which";
  for (
    const [text, message, details] of [
      ['{"error":"boom","details":"stack","timestamp":"2026"}', "boom", "stack"],
      ['  {"error":"boom"}\n', "boom", null],
      ['{"message":"m"}', "m", null],
      ['{"error":"boom","details":{"line":3}}', "boom", '{"line":3}'],
      ['{"error":"boom","details":null}', "boom", null],
      ['{"error":""}', unsaid, null],
      ['{"error":5}', unsaid, null],
      ["{}", unsaid, null],
      ["", unsaid, null],
      [" \n\n", unsaid, null],
      ["boom", "boom", null],
      ["boom\nat line 3\nat line 4\n", "boom", "at line 3\nat line 4"],
      ['{"error": "cut o', '{"error": "cut o', null],
      ['["boom"]', '["boom"]', null],
      ["null", "null", null],
    ] as const
  ) assertEquals(parseErrorSentinel(text), { message, details }, text);
});

Deno.test("a .done file is JSON with summary and files, or plain text, or empty", () => {
  for (
    const [text, result] of [
      ["", {}],
      ["\n", {}],
      ["all good\n", { summary: "all good" }],
      ['{"summary":"s","files":["a","b"]}', { summary: "s", files: ["a", "b"] }],
      ['{"summary":5,"files":["a",1,null,{}]}', { files: ["a"] }],
      ['{"files":"a"}', {}],
      ['{"summary":""}', {}],
      ["[1]", { summary: "[1]" }],
      ['{"summary": "cut', { summary: '{"summary": "cut' }],
    ] as const
  ) assertEquals(parseDoneSentinel(text), result as ReturnType<typeof parseDoneSentinel>, text);
});

Deno.test("an exit file is a number, with or without the word spawn, and nothing else", () => {
  assertEquals(parseExitFile("0\n"), { code: 0, spawn: false });
  assertEquals(parseExitFile("137"), { code: 137, spawn: false });
  assertEquals(parseExitFile("127 spawn\n"), { code: 127, spawn: true });
  for (const text of ["", "\n", "x", "0x1", "1 2", "1 spawned", "1.5", " 1", "0\n0", "\0"]) {
    assertEquals(parseExitFile(text), null, JSON.stringify(text));
  }
});

Deno.test("no sentinel makes its parser throw or give anything but texts", () => {
  const text = fc.oneof(
    fc.string({ unit: "binary" }),
    fc.json(),
    fc.record({ error: fc.jsonValue(), details: fc.jsonValue(), message: fc.jsonValue() })
      .map((value) => JSON.stringify(value)),
    fc.record({ summary: fc.jsonValue(), files: fc.jsonValue() })
      .map((value) => JSON.stringify(value)),
  );
  fc.assert(fc.property(text, (text) => {
    const { message, details } = parseErrorSentinel(text);
    assert(typeof message === "string" && message !== "" && !message.includes("\n\n\n\n\n"));
    assert(details === null || typeof details === "string");
    const { summary, files, ...rest } = parseDoneSentinel(text);
    assert(summary === undefined || typeof summary === "string");
    assert(files === undefined || files.every((file) => typeof file === "string"));
    assertEquals(rest, {});
    parseExitFile(text);
  }));
});

// --- launches ---

const PLACES: Places = {
  root: "/w",
  planFile: "/w/.orchestra/plans/p.md",
  logFile: "/w/.orchestra/logs/l.log",
  promptFile: "/w/.orchestra/plans/prompt.md",
  doneFile: "/w/.orchestra/tasks/t.done",
  errorFile: "/w/.orchestra/tasks/t.error",
  workspace: "/w/.orchestra/workspace",
};

function prepared(
  task: Task,
  agent: Partial<AgentDefinition>,
  template: string | null = null,
  note = RETRY_NOTE,
) {
  const result = prepareLaunch(
    task,
    { command: "agent", args: [], ...agent },
    template,
    note,
    PLACES,
  );
  assert(!("problem" in result), "problem" in result ? result.problem : "");
  return result;
}

function taskWith(prompt: string, rest: Partial<Task> = {}): Task {
  return { ...newTask(ID, { agent: "shell", prompt }, NOW), ...rest };
}

Deno.test("prepareLaunch hands a prompt over as one argument, exactly as written", () => {
  for (
    const prompt of [
      "$(rm -rf /) `id` \"quotes\" 'single' ; & | > x",
      "two\nlines\r\nand\ttabs",
      "{taskId} {{x}} {prompt} %s $1",
      "emoji 👩‍👩‍👧 and 日本語",
      "",
      "-rf --help",
      "x".repeat(1000),
    ]
  ) {
    const { args, prompt: whole } = prepared(taskWith(prompt), { args: ["-p", "{prompt}"] });
    assertEquals(args, ["-p", prompt]);
    assertEquals(whole, prompt);
    assertEquals(prepared(taskWith(prompt), { args: ["{prompt}"] }, "<{prompt}>").args, [
      `<${prompt}>`,
    ]);
    assertEquals(prepared(taskWith(prompt), { args: ["{userPrompt}"] }, "<{prompt}>").args, [
      prompt,
    ]);
  }
});

Deno.test("prepareLaunch substitutes every placeholder in args, stdin, env and cwd", () => {
  const all = "{prompt}|{promptFile}|{taskId}|{agent}|{userPrompt}|{planFile}|{logFile}|" +
    "{workspace}|{doneFile}|{errorFile}";
  const wanted = [
    "hi",
    PLACES.promptFile,
    ID,
    "shell",
    "hi",
    PLACES.planFile,
    PLACES.logFile,
    PLACES.workspace,
    PLACES.doneFile,
    PLACES.errorFile,
  ].join("|");
  const launch = prepared(taskWith("hi"), {
    args: [all],
    stdin: all,
    env: { ALL: all },
    cwd: "sub/{taskId}",
  });
  assertEquals(launch.args, [wanted]);
  assertEquals(launch.stdin, wanted);
  assertEquals(launch.env.ALL, wanted);
  assertEquals(launch.cwd, `sub/${ID}`);
  assertEquals(launch.command, "agent");
});

Deno.test("prepareLaunch tells the agent where everything is, and runs it in the root", () => {
  const { env, cwd, stdin, inherit } = prepared(taskWith("hi"), {});
  assertEquals(cwd, "/w");
  assertEquals(stdin, null);
  assertEquals(inherit, null);
  assertEquals(env, {
    ORCHESTRA_TASK_ID: ID,
    ORCHESTRA_ROOT: "/w",
    ORCHESTRA_PROMPT_FILE: PLACES.promptFile,
    ORCHESTRA_PLAN_FILE: PLACES.planFile,
    ORCHESTRA_LOG_FILE: PLACES.logFile,
    ORCHESTRA_DONE_FILE: PLACES.doneFile,
    ORCHESTRA_ERROR_FILE: PLACES.errorFile,
    ORCHESTRA_WORKSPACE: PLACES.workspace,
  });
});

Deno.test("with passEnv an agent inherits the named variables and the basic ones, no others", () => {
  const { inherit } = prepared(taskWith("hi"), { passEnv: ["MY_KEY"] });
  assertEquals(inherit, [...BASIC_ENV, "MY_KEY"]);
  assertEquals(prepared(taskWith("hi"), { passEnv: [] }).inherit, [...BASIC_ENV]);
  assert(!BASIC_ENV.some((name) => /KEY|TOKEN|SECRET/.test(name)));
});

Deno.test("an argument over the system's limit is refused with the ways around it", () => {
  for (
    const [prompt, bytes] of [
      ["x".repeat(MAX_ARGUMENT + 1), MAX_ARGUMENT + 1],
      ["é".repeat(MAX_ARGUMENT / 2 + 1), null],
      ["日".repeat(MAX_ARGUMENT / 3 + 1), null],
      ["👍".repeat(MAX_ARGUMENT / 4 + 1), null],
      ["x".repeat(1 << 20), 1 << 20],
    ] as const
  ) {
    const result = prepareLaunch(
      taskWith(prompt),
      { command: "agent", args: ["-p", "{prompt}"] },
      null,
      "",
      PLACES,
    );
    assert("problem" in result);
    assertStringIncludes(result.problem, "argument 2");
    assertStringIncludes(result.problem, "{promptFile}");
    assertStringIncludes(result.problem, '"stdin"');
    if (bytes !== null) assertStringIncludes(result.problem, String(bytes));
    assertLess(result.problem.length, 400);
  }
});

Deno.test("an argument of exactly the system's limit is taken, in any script", () => {
  for (
    const prompt of [
      "x".repeat(MAX_ARGUMENT),
      "x".repeat(MAX_ARGUMENT % 2) + "é".repeat(Math.floor(MAX_ARGUMENT / 2)),
      "x".repeat(MAX_ARGUMENT % 3) + "日".repeat(Math.floor(MAX_ARGUMENT / 3)),
    ]
  ) {
    assertEquals(new TextEncoder().encode(prompt).length, MAX_ARGUMENT);
    assertEquals(prepared(taskWith(prompt), { args: ["{prompt}"] }).args, [prompt]);
  }
});

Deno.test("the system takes an argument of MAX_ARGUMENT bytes and none that is longer", {
  ignore: Deno.build.os !== "linux",
}, () => {
  const echo = (bytes: number) =>
    new Deno.Command("/bin/true", { args: ["x".repeat(bytes)], env: {} }).outputSync().success;
  assert(echo(MAX_ARGUMENT));
  assertThrows(() => echo(MAX_ARGUMENT + 1));
});

Deno.test("a prompt of 1 MB goes through {promptFile} and stdin", () => {
  const prompt = "日".repeat(350_000);
  const launch = prepared(taskWith(prompt), { args: ["{promptFile}"], stdin: "{prompt}" });
  assertEquals(launch.args, [PLACES.promptFile]);
  assertEquals(launch.stdin, prompt);
  assertEquals(launch.prompt, prompt);
});

Deno.test("the retry note stands once, in the template or behind it, and only for a retry", () => {
  const history = [{ attempt: 1, timestamp: "", error: "boom {taskId}", retriedFrom: OTHER }];
  const retry = taskWith("hi", { retryHistory: history, retryCount: 1 });
  const note = " [attempt {attempt}: {previousError}]";
  const said = " [attempt 2: boom {taskId}]";
  assertEquals(prepared(retry, {}, "{prompt}", note).prompt, `hi${said}`);
  assertEquals(
    prepared(retry, {}, "{prompt} after {previousError}", note).prompt,
    "hi after boom {taskId}",
  );
  assertEquals(prepared(taskWith("hi"), {}, "{prompt}", note).prompt, "hi");
  assertEquals(prepared(taskWith("hi"), {}, "{prompt}{previousError}", note).prompt, "hi");
  // A bare prompt is somebody's command line: nothing is added to it.
  assertEquals(prepared(retry, {}, null, note).prompt, "hi");
  const silent = [{ ...history[0]!, error: null }];
  assertEquals(
    prepared(taskWith("hi", { retryHistory: silent }), {}, "{prompt}", note).prompt,
    "hi",
  );
});

Deno.test("firstPlan holds the prompt, and for a retry what went before", () => {
  assertStringIncludes(firstPlan(taskWith("do {this} $&")), "do {this} $&");
  const plan = firstPlan(fullTask());
  for (const part of ["attempt 2/7", OTHER, "bang", fullTask().prompt]) {
    assertStringIncludes(plan, part);
  }
});

// --- suggestions ---

Deno.test("closest names what was probably meant, and nothing far off", () => {
  const known = ["status", "start", "show", "cancel", "retry", "run"];
  for (
    const [given, meant] of [
      ["statsu", "status"],
      ["STATUS", "status"],
      ["stauts", "status"],
      ["satrt", "start"],
      ["cancle", "cancel"],
      ["strat", "start"],
      ["retyr", "retry"],
      ["banana", undefined],
      ["completelydifferent", undefined],
      // The same letters are no reason to go farther than the limit.
      ["hwos", undefined],
    ] as const
  ) {
    // The order in which the names are known does not matter.
    assertEquals(closest(given, known), meant, given);
    assertEquals(closest(given, known.toReversed()), meant, given);
  }
  assertEquals(closest("x", []), undefined);
  assertEquals(closest("max_concurent", Object.keys(CONFIG_ABOUT)), "max_concurrent");
});

Deno.test("closest gives a known name or nothing, and a known name for itself", () => {
  fc.assert(fc.property(fc.string(), fc.array(fc.string()), (given, known) => {
    const found = closest(given, known);
    assert(found === undefined || known.includes(found));
    const lower = given.toLowerCase();
    if (known.includes(given)) assertEquals(found?.toLowerCase(), lower);
  }));
});

// --- the command line ---

const DEFAULTS = { dir: undefined, json: false, debug: false, color: undefined };

Deno.test("global options are taken out wherever they stand", () => {
  const wanted = {
    globals: { dir: "d", json: true, debug: true, color: false },
    special: undefined,
    rest: ["status", "--watch"],
  };
  const globals = [["-C", "d"], ["--json"], ["--debug"], ["--no-color"]];
  assertEquals(parseCommandLine([...globals.flat(), "status", "--watch"]), wanted);
  assertEquals(parseCommandLine(["status", ...globals.flat(), "--watch"]), wanted);
  assertEquals(parseCommandLine(["status", "--watch", ...globals.flat()]), wanted);
  assertEquals(parseCommandLine(["status", "-Cd"]).globals, { ...DEFAULTS, dir: "d" });
  assertEquals(parseCommandLine(["-C", "--json", "status"]).globals.dir, "--json");
});

Deno.test("behind -- nothing is an option", () => {
  const { globals, rest } = parseCommandLine([
    "start",
    "shell",
    "--",
    "--json",
    "-C",
    "--depends-on",
    ID,
    OTHER,
  ]);
  assertEquals(globals, DEFAULTS);
  assertEquals(rest, ["start", "shell", "--", "--json", "-C", "--depends-on", ID, OTHER]);
});

Deno.test("--depends-on takes several ids, as the ancestor's did, and stops at what is none", () => {
  const third = "task_1772625600002";
  assertEquals(
    parseCommandLine(["start", "shell", "do it", "--depends-on", ID, OTHER, "--priority", "9"])
      .rest,
    ["start", "shell", "do it", "--depends-on", ID, "--depends-on", OTHER, "--priority", "9"],
  );
  assertEquals(
    parseCommandLine(["start", "--depends-on", ID, `${OTHER},${third}`, "shell", "do it"]).rest,
    ["start", "--depends-on", ID, "--depends-on", `${OTHER},${third}`, "shell", "do it"],
  );
  assertEquals(
    parseCommandLine(["start", "--depends-on", ID, "--json", OTHER]),
    {
      globals: { ...DEFAULTS, json: true },
      special: undefined,
      rest: ["start", "--depends-on", ID, OTHER],
    },
  );
  assertEquals(parseCommandLine(["start", "--depends-on"]).rest, ["start", "--depends-on"]);
  assertEquals(parseCommandLine(["start", "--depends-on", "bad"]).rest, [
    "start",
    "--depends-on",
    "bad",
  ]);
});

Deno.test("the value of an option that takes a text is no global option", () => {
  for (const option of ["--from", "--label", "-l", "--reason"]) {
    assertEquals(parseCommandLine(["cancel", option, "--json"]), {
      globals: DEFAULTS,
      special: undefined,
      rest: ["cancel", option, "--json"],
    });
    assertEquals(parseCommandLine(["cancel", option]).rest, ["cancel", option]);
  }
});

Deno.test("help and version are the program's before a command and the command's behind it", () => {
  assertEquals(parseCommandLine(["--help"]).special, "help");
  assertEquals(parseCommandLine(["-h"]).special, "help");
  assertEquals(parseCommandLine(["--json", "--version"]).special, "version");
  assertEquals(parseCommandLine(["-V"]).special, "version");
  assertEquals(parseCommandLine(["start", "--help"]), {
    globals: DEFAULTS,
    special: undefined,
    rest: ["start", "--help"],
  });
  assertEquals(parseCommandLine(["-d", "status"]).globals.debug, true);
  assertEquals(parseCommandLine(["logs", "-d"]).rest, ["logs", "-d"]);
});

Deno.test("-C without a folder is a usage error that shows how", () => {
  const error = assertThrows(() => parseCommandLine(["status", "-C"]), OrchestraError, "-C");
  assertEquals(error.code, "usage");
  assertEquals(error.exitCode, 2);
  assertStringIncludes(error.hint ?? "", "orchestra -C");
});

Deno.test("parseCommandLine loses and invents no word, whatever the command line", () => {
  const word = fc.oneof(
    fc.constantFrom("--", "--json", "--debug", "--no-color", "-C", "--depends-on", "--from", ID),
    fc.string(),
  );
  fc.assert(fc.property(fc.array(word), (args) => {
    let line;
    try {
      line = parseCommandLine(args);
    } catch (error) {
      assert(error instanceof OrchestraError && args.at(-1) === "-C");
      return;
    }
    // What is left stands in the order in which it was given; only --depends-on may be repeated.
    const given = args.filter((word) => word !== "--depends-on").values();
    for (const word of line.rest.filter((word) => word !== "--depends-on")) {
      let next = given.next();
      while (!next.done && next.value !== word) next = given.next();
      assert(!next.done, `${JSON.stringify(word)} was not given there`);
    }
    assertEquals(parseCommandLine(["start", "--", ...args]), {
      globals: DEFAULTS,
      special: undefined,
      rest: ["start", "--", ...args],
    });
  }));
});

// --- schemas ---

function configProblem(value: unknown): OrchestraError {
  return assertThrows(() => parseConfig(value), OrchestraError);
}

Deno.test("an empty settings file means the defaults, and a part of it only that part", () => {
  assertEquals(parseConfig({}), DEFAULT_CONFIG);
  assertEquals(parseConfig({ retry: { cap: 60 } }), {
    ...DEFAULT_CONFIG,
    retry: { ...DEFAULT_CONFIG.retry, cap: 60 },
  });
  assertEquals(parseConfig(structuredClone(DEFAULT_CONFIG)), DEFAULT_CONFIG);
});

Deno.test("every setting is described, and nothing else is", () => {
  const keys = Object.entries(DEFAULT_CONFIG).flatMap(([key, value]) =>
    typeof value === "object" && value !== null
      ? Object.keys(value).map((inner) => `${key}.${inner}`)
      : [key]
  );
  assertEquals(Object.keys(CONFIG_ABOUT).sort(), keys.sort());
});

Deno.test("an unknown setting is refused with the one that was meant", () => {
  const error = configProblem({ max_concurent: 3 });
  assertEquals(error.code, "config");
  assertEquals(error.exitCode, 5);
  assertStringIncludes(error.message, '"max_concurent"');
  assertEquals(error.hint, 'Did you mean "max_concurrent"?');
  const nested = configProblem({ retry: { fator: 3 } });
  assertStringIncludes(nested.message, '"retry.fator"');
  assertEquals(nested.hint, 'Did you mean "factor"?');
  assertStringIncludes(configProblem({ zzzzzzzzzz: 1 }).hint ?? "", "Known keys");
});

Deno.test("a suggestion within a group is a key of that group", () => {
  // "interval" is a setting, but "retry.interval" is not.
  const { hint = "" } = configProblem({ retry: { interval: 3 } });
  assert(!hint.includes("max_concurrent") && !hint.includes('"interval"'), hint);
  const limits = parseAgent({
    command: "x",
    rateLimit: { patterns: ["x"], pattern: "y" },
  }) as { problem: string };
  assert(!limits.problem.includes("passEnv"), limits.problem);
});

Deno.test("a setting of the wrong kind or out of range is refused by name", () => {
  for (
    const [value, name] of [
      [{ max_concurrent: 0 }, "max_concurrent"],
      [{ max_concurrent: 1.5 }, "max_concurrent"],
      [{ interval: -1 }, "interval"],
      [{ interval: 1e12 }, "interval"],
      [{ priority: 11 }, "priority"],
      [{ timeout: "5m" }, "timeout"],
      [{ auto_retry: "yes" }, "auto_retry"],
      [{ retry: { on: ["boredom"] } }, "retry.on"],
      [{ retry: { factor: 0.5 } }, "retry.factor"],
      [{ retry: [] }, "retry"],
      [{ grace_period: -1 }, "grace_period"],
    ] as const
  ) assertStringIncludes(configProblem(value).message, `"${name}`);
  for (const value of [null, [], 1, "x"]) assertEquals(configProblem(value).code, "config");
});

Deno.test("the archive stays in .orchestra", () => {
  for (
    const dir of [
      "/tmp/x",
      "../x",
      ".orchestra/../x",
      ".orchestra/a/b",
      ".orchestra/",
      "x\0",
      ".orchestra/..",
    ]
  ) {
    assertStringIncludes(
      configProblem({ archive: { archive_dir: dir } }).message,
      "archive.archive_dir",
      JSON.stringify(dir),
    );
  }
});

Deno.test("an agent needs a command, and every key is one that is known", () => {
  assertEquals(parseAgent({ command: "sh" }) as AgentDefinition, { command: "sh", args: [] });
  for (
    const [value, says] of [
      [{}, '"command"'],
      [{ command: "" }, '"command"'],
      [{ command: "a\0b" }, '"command"'],
      [{ command: "sh", args: "x" }, '"args"'],
      [{ command: "sh", args: ["a\0b"] }, "args.0"],
      [{ command: "sh", arg: [] }, 'Did you mean "args"'],
      [{ command: "sh", complition: "exit" }, 'Did you mean "completion"'],
      [{ command: "sh", completion: "maybe" }, '"completion"'],
      [{ command: "sh", verify: [] }, '"verify"'],
      [{ command: "sh", env: { "A=B": "x" } }, "env"],
      [{ command: "sh", env: { A: 1 } }, "env.A"],
      [{ command: "sh", timeout: 0 }, '"timeout"'],
      [{ command: "sh", maxConcurrent: 0 }, '"maxConcurrent"'],
      [{ command: "sh", retryOn: ["x"] }, "retryOn"],
      [{ command: "sh", rateLimit: { patterns: ["("] } }, "rateLimit.patterns"],
      [null, "it"],
      ["sh", "it"],
    ] as const
  ) {
    const parsed = parseAgent(value);
    assert("problem" in parsed, JSON.stringify(value));
    assertStringIncludes(parsed.problem, says);
  }
});

Deno.test("no JSON makes a schema throw anything but an error of ours", () => {
  fc.assert(fc.property(fc.jsonValue(), (value) => {
    try {
      parseConfig(value);
    } catch (error) {
      assert(error instanceof OrchestraError);
      assertEquals(error.code, "config");
    }
    const agent = parseAgent(value);
    if ("problem" in agent) assertGreater(agent.problem.length, 0);
  }));
});
