// The one door: the same wishes, good and bad, through the command line, a task list and the library,
// with the same task or the same error code. Each door gets a workspace of its own.

import { openWorkspace } from "../../lib/library.ts";
import { OrchestraError } from "../../lib/task/error.ts";
import type { NewTask, Task } from "../../lib/task/fields.ts";
import { OPTION_LIST } from "../../lib/task/options.ts";
import { assert, assertEquals, assertStringIncludes } from "../support/assert.ts";
import { type Box, makeBox } from "../support/program.ts";

/** A new task, right or wrong, as a task list has it. */
type Given = Record<string, unknown>;

/** What came of it: the task, or the code of the error. */
type Outcome = { task: Task } | { code: string; message: string };

interface Door {
  readonly name: string;
  /** Whether it can be asked for this at all. */
  takes(given: Given): boolean;
  ask(box: Box, given: Given): Promise<Outcome>;
}

function errorOf(stderr: string): Outcome {
  const { error } = JSON.parse(stderr);
  assertEquals(typeof error.hint, error.hint === undefined ? "undefined" : "string");
  return { code: error.code, message: error.message };
}

/** Words of the command line for an option; undefined where there are none. */
function wordsFor(name: string, value: unknown): string[] | undefined {
  const option = OPTION_LIST.find(([known]) => known === name)?.[1];
  const flag = (option?.flag ?? name).replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
  if (option === undefined) return [`--${flag}`, String(value)];
  const { kind } = option;
  if (kind.field === "boolean") return value === true ? [`--${flag}`] : undefined;
  const texts = textsFor(kind.field, value);
  return texts?.map((text) => `--${flag}=${text}`);
}

function textsFor(field: string, value: unknown): readonly (string | number)[] | undefined {
  if (typeof value === "string") return [value];
  if (typeof value === "number") return field === "ids" ? undefined : [value];
  if (value === null) return field === "seconds?" ? ["none"] : undefined;
  const parts = Object.entries(value as object);
  if (parts.length === 0 || !parts.every(([, text]) => typeof text === "string")) return undefined;
  if (field === "ids") return parts.map(([, text]) => text);
  return field === "labels" && !Array.isArray(value)
    ? parts.map(([name, text]) => `${name}=${text}`)
    : undefined;
}

const DOORS: readonly Door[] = [
  {
    name: "command line",
    takes: ({ agent, prompt, ...rest }) =>
      typeof agent === "string" && typeof prompt === "string" && !prompt.includes("\0") &&
      Object.entries(rest).every(([name, value]) => wordsFor(name, value) !== undefined),
    async ask(box, { agent, prompt, ...rest }) {
      const words = Object.entries(rest).flatMap(([name, value]) => wordsFor(name, value)!);
      // A long prompt would not fit through the system's own door.
      const { code, stdout, stderr } = await box.runWith(
        { stdin: String(prompt) },
        ...["start", "--json", ...words, "--", String(agent), "-"],
      );
      return code === 0 ? { task: JSON.parse(stdout) } : errorOf(stderr);
    },
  },
  {
    name: "task list",
    takes: () => true,
    async ask(box, given) {
      const { code, stdout, stderr } = await box.runWith(
        { stdin: `\n${JSON.stringify(given)}\n` },
        ...["start", "--json", "--from", "-"],
      );
      if (code === 0) return { task: box.task(JSON.parse(stdout)[0].taskId) };
      const error = errorOf(stderr);
      assert("message" in error);
      assertStringIncludes(error.message, "standard input, line 2: ");
      return error;
    },
  },
  {
    name: "library",
    takes: () => true,
    async ask(box, given) {
      try {
        return { task: await openWorkspace(box.root).start(given as unknown as NewTask) };
      } catch (error) {
        assert(error instanceof OrchestraError, String(error));
        return { code: error.code, message: error.message };
      }
    },
  },
];

const EARLIER = "task_1772625600612";
const ARCHIVED = "task_1772625600700";
const work = { agent: "shell", prompt: "true" };

/** What is asked for, and what it comes to: fields of the task, or the code of the error. */
const WISHES: readonly (readonly [Given, Partial<Task> | string])[] = [
  [work, { agent: "shell", prompt: "true", priority: 8, maxRetries: 1, timeout: 60, key: null }],
  [{ ...work, prompt: " it's\n$(x) {taskId} 日本語 " }, { prompt: " it's\n$(x) {taskId} 日本語 " }],
  [{ ...work, priority: 1 }, { priority: 1 }],
  [{ ...work, maxRetries: 0, autoRetry: true }, { maxRetries: 0, autoRetry: true }],
  [{ ...work, timeout: "1h30m", timeoutWarning: 5 }, { timeout: 5400, timeoutWarning: 5 }],
  // None is none, whatever the settings say.
  [{ ...work, timeout: null, idleTimeout: null }, { timeout: null, idleTimeout: null }],
  [{ ...work, verify: "make test" }, { verify: ["sh", "-c", "make test"] }],
  [{ ...work, labels: { a: "b=c", d: "" } }, { labels: { a: "b=c", d: "" } }],
  [{ agent: "dear", prompt: "x", budget: 0.5 }, { budget: 0.5 }],
  [{ ...work, dependsOn: EARLIER }, { dependsOn: [EARLIER] }],
  [{ ...work, dependsOn: [EARLIER, EARLIER, EARLIER.slice(-7)] }, { dependsOn: [EARLIER] }],
  [{ ...work, dependsOn: "first" }, { dependsOn: [EARLIER] }],
  [{ ...work, dependsOn: ARCHIVED }, { dependsOn: [ARCHIVED] }],
  [{ ...work, key: "second" }, { key: "second" }],
  [{ agent: "piped", prompt: "é".repeat(150_000) }, { agent: "piped" }],

  [{ ...work, prompt: "" }, "usage"],
  [{ ...work, prompt: " \n" }, "usage"],
  [{ ...work, prompt: "a\0b" }, "usage"],
  [{ ...work, prompt: 5 }, "usage"],
  // 70,000 characters and 140,000 bytes: a size is one in bytes.
  [{ ...work, prompt: "é".repeat(70_000) }, "usage"],
  [{ ...work, agent: "shel" }, "no-agent"],
  [{ ...work, agent: "__proto__" }, "no-agent"],
  [{ ...work, agent: 5 }, "usage"],
  [{ prompt: "x" }, "usage"],
  [{ agent: "shell" }, "usage"],
  [{ ...work, volume: 11 }, "usage"],
  [{ ...work, priority: 99 }, "usage"],
  [{ ...work, priority: 0 }, "usage"],
  [{ ...work, maxRetries: -1 }, "usage"],
  [{ ...work, timeout: -5 }, "usage"],
  [{ ...work, timeout: 0 }, "usage"],
  [{ ...work, timeout: "soon" }, "usage"],
  [{ ...work, timeout: 4e9 }, "usage"],
  [{ ...work, verify: "" }, "usage"],
  [{ ...work, verify: [] }, "usage"],
  [{ ...work, labels: { a: 1 } }, "usage"],
  [{ ...work, labels: ["a"] }, "usage"],
  [{ ...work, budget: 0 }, "usage"],
  // Nothing would tell what they cost.
  [{ ...work, budget: 0.5 }, "usage"],
  [{ agent: "codex", prompt: "x", budget: 0.5 }, "usage"],
  [{ ...work, dependsOn: "task_1772625600999" }, "no-task"],
  [{ ...work, dependsOn: "nowhere" }, "no-task"],
  [{ ...work, dependsOn: "123456789012345" }, "no-task"],
  [{ ...work, dependsOn: "../../etc/passwd" }, "no-task"],
  [{ ...work, dependsOn: [5] }, "usage"],
  [{ ...work, key: "self", dependsOn: "self" }, "usage"],
  [{ ...work, key: "first" }, "state"],
  [{ ...work, key: "612" }, "usage"],
  [{ ...work, key: "@last" }, "usage"],
  [{ ...work, key: "" }, "usage"],
];

/** A workspace in which the wishes mean the same in each. */
async function prepare(): Promise<Box> {
  const box = await makeBox();
  box.agents({
    codex: { command: "true", usage: "codex" },
    dear: { command: "true", usage: "opencode" },
    piped: { command: "cat", stdin: "{prompt}" },
  });
  box.config({ priority: 8, max_retries: 1, timeout: 60, idle_timeout: 30 });
  const task = box.task(await box.start("shell", "true", "--key", "first"));
  Deno.removeSync(box.path(`tasks/${task.taskId}.json`));
  for (
    const [folder, id, rest] of [
      ["tasks", EARLIER, {}],
      ["archive", ARCHIVED, { key: null, status: "complete" }],
    ] as const
  ) {
    const text = JSON.stringify({ ...task, taskId: id, ...rest });
    Deno.writeTextFileSync(box.path(`${folder}/${id}.json`), text);
  }
  return box;
}

for (const door of DOORS) {
  Deno.test(`what is asked for by ${door.name} comes to what it comes to by every door`, async () => {
    await using box = await prepare();
    let asked = 0;
    for (const [given, expected] of WISHES) {
      if (!door.takes(given)) continue;
      asked++;
      const before = box.tasks().length;
      const outcome = await door.ask(box, given);
      const what = JSON.stringify(given).slice(0, 200);
      if (typeof expected === "string") {
        assert("code" in outcome, `${what} was queued`);
        assertEquals(outcome.code, expected, `${what}: ${outcome.message}`);
        assertEquals(box.tasks().length, before, what);
      } else {
        assert("task" in outcome, `${what}: ${JSON.stringify(outcome)}`);
        const { task } = outcome;
        assertEquals(task, box.task(task.taskId), what);
        for (const [name, value] of Object.entries(expected)) {
          assertEquals(task[name as keyof Task], value, `${what}: ${name}`);
        }
      }
    }
    assert(asked > 30, `${asked} were asked for`);
  });
}

Deno.test("a task list is queued whole or not at all, and its keys name its own tasks first", async () => {
  await using box = await prepare();
  const lines = [
    { ...work, key: "test", dependsOn: ["build", "first"] },
    { ...work, key: "build" },
  ];
  const text = (list: object[]) => list.map((line) => JSON.stringify(line)).join("\n");
  const refused = await box.runWith(
    { stdin: text([...lines, { ...work, key: "first" }]) },
    ...["start", "--from", "-", "--json"],
  );
  assertEquals(refused.code, 4);
  assertStringIncludes(refused.stderr, "line 3");
  assertEquals(box.tasks().length, 1);
  const { stdout } = await box.runWith({ stdin: text(lines) }, "start", "--from", "-", "--json");
  const [test, build] = JSON.parse(stdout);
  assertEquals([test.key, build.key], ["test", "build"]);
  assertEquals(box.task(test.taskId).dependsOn, [build.taskId, EARLIER]);
});

Deno.test("of two at once with one key, one is queued", async () => {
  await using box = await prepare();
  const outcomes = await Promise.all(
    Array.from({ length: 6 }, () => box.run("start", "shell", "true", "-k", "only")),
  );
  assertEquals(outcomes.map(({ code }) => code).sort(), [0, 4, 4, 4, 4, 4]);
  assertEquals(box.tasks().filter(({ key }) => key === "only").length, 1);
});
