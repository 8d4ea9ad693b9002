// What is remembered of a checked file is a verdict and never a value: agents may write the folder
// that it lies in.

import fc from "fast-check";
import { firstPlan, prepareLaunch } from "../../lib/decide/launch_plan.ts";
import { loadAgents } from "../../lib/settings/agents.ts";
import { shapeAgent } from "../../lib/settings/agent_shape.ts";
import { parseAgent } from "../../lib/settings/schemas.ts";
import { readVerdict } from "../../lib/settings/verdict.ts";
import { openStore } from "../../lib/store/tasks.ts";
import { newTask } from "../../lib/task/fields.ts";
import { pickAgent } from "../../lib/task/agent.ts";
import { assert, assertEquals, assertNotEquals, assertStringIncludes } from "../support/assert.ts";
import { makeBox } from "../support/program.ts";
import { SHELL, test } from "../support/needs.ts";

/** Names of what is kept about the agents. */
function kept(box: { path(name: string): string }): string[] {
  return [...Deno.readDirSync(box.path(""))].map(({ name }) => name)
    .filter((name) => name.startsWith("agents."));
}

test("a command planted in what is kept about the agents is never run", SHELL, async () => {
  await using box = await makeBox();
  Deno.writeTextFileSync(`${box.root}/evil.sh`, "#!/bin/sh\ntouch evil\n", { mode: 0o755 });
  await box.ok("start", "shell", "touch good");
  await box.settled((await box.ok("run")).match(/task_\d+/)![0]);
  assertNotEquals(kept(box), []);
  for (const name of kept(box)) {
    const text = Deno.readTextFileSync(box.path(name));
    Deno.writeTextFileSync(box.path(name), text.replaceAll('"sh"', '"./evil.sh"'));
  }
  const id = await box.start("shell", "touch better");
  await box.ok("run");
  assertEquals((await box.settled(id)).status, "complete");
  assert([...Deno.readDirSync(box.root)].some(({ name }) => name === "better"));
  assert(![...Deno.readDirSync(box.root)].some(({ name }) => name === "evil"));
});

/** What a malformed agents file may hold; each is refused by the schema. */
const MALFORMED: Record<string, unknown> = {
  text: "sh",
  nothing: null,
  list: [],
  "no command": { args: [] },
  "a number as command": { command: 7 },
  "NUL in the command": { command: "s\0h" },
  "a number as argument": { command: "sh", args: ["-c", 7] },
  "one text as arguments": { command: "sh", args: "-c" },
  "NUL in an argument": { command: "sh", args: ["a\0b"] },
  "a number in env": { command: "sh", env: { A: 1 } },
  "NUL in env": { command: "sh", env: { A: "\0" } },
  "no name in env": { command: "sh", env: { "": "1" } },
  "a list as cwd": { command: "sh", cwd: [] },
  "an object as stdin": { command: "sh", stdin: {} },
  "an empty verify": { command: "sh", verify: [] },
  "a text as verify": { command: "sh", verify: "true" },
  "a text as retryOn": { command: "sh", retryOn: "exit" },
  "no regular expression": { command: "sh", rateLimit: { patterns: ["("] } },
  "a text as fallback": { command: "sh", fallback: "shell" },
  "a text as timeout": { command: "sh", timeout: "5m" },
  "an unknown field": { command: "sh", comand: "rm" },
  "an unknown end": { command: "sh", completion: "maybe" },
};

Deno.test("with a forged verdict a malformed agent is unusable, says why, and harms no other", async () => {
  await using box = await makeBox();
  box.agents(MALFORMED as Record<string, Record<string, unknown>>);
  const store = openStore(box.root);
  const text = Deno.readTextFileSync(`${box.root}/.orchestra-cli/agent-config.json`);
  (await readVerdict(store, "agents", text)).keep();
  assert((await readVerdict(store, "agents", text)).passed);
  const agents = await loadAgents(store);
  for (const name of Object.keys(MALFORMED)) {
    const agent = pickAgent(agents, name);
    assert("problem" in agent && agent.problem !== "", name);
  }
  const bad = await box.start("a number as argument", "x");
  const good = await box.start("shell", "true");
  await box.ok("run", "--parallel", "3");
  assertEquals((await box.settled(good)).status, "complete");
  const failed = await box.settled(bad);
  assertEquals(failed.failureClass, "spawn");
  assertStringIncludes(failed.errorMessage ?? "", "args");
});

Deno.test("a verdict holds for one text only", async () => {
  await using box = await makeBox();
  const store = openStore(box.root);
  (await readVerdict(store, "agents", "one")).keep();
  assert((await readVerdict(store, "agents", "one")).passed);
  assert(!(await readVerdict(store, "agents", "two")).passed);
  assert(!(await readVerdict(store, "config", "one")).passed);
  Deno.writeTextFileSync(box.path("agents.checked"), "yes");
  assert(!(await readVerdict(store, "agents", "one")).passed);
});

const anyText = fc.string({ maxLength: 8 });
const texts = fc.array(anyText, { maxLength: 3 });
const anything = fc.oneof(fc.anything({ maxDepth: 1 }), anyText, texts, fc.double(), fc.integer());
const mostly = <T>(arbitrary: fc.Arbitrary<T>) =>
  fc.oneof({ arbitrary: arbitrary as fc.Arbitrary<unknown>, weight: 12 }, {
    arbitrary: anything,
    weight: 1,
  });

/** Definitions of agents: most fields are right. */
const definition = fc.record({
  command: mostly(fc.string({ minLength: 1, maxLength: 8 })),
  args: mostly(texts),
  promptTemplate: mostly(anyText),
  stdin: mostly(anyText),
  env: mostly(fc.dictionary(fc.string({ minLength: 1, maxLength: 4 }), anyText, { maxKeys: 3 })),
  passEnv: mostly(fc.array(fc.string({ minLength: 1 }), { maxLength: 3 })),
  cwd: mostly(fc.string({ minLength: 1 })),
  completion: mostly(fc.constantFrom("sentinel", "exit", "auto")),
  verify: mostly(fc.array(anyText, { minLength: 1, maxLength: 3 })),
  timeout: mostly(fc.double({ min: 0.1, max: 1e6, noNaN: true })),
  maxConcurrent: mostly(fc.integer({ min: 1, max: 9 })),
  retryOn: mostly(fc.array(fc.constantFrom("exit", "lost", "timeout"))),
  rateLimit: mostly(fc.record({
    patterns: fc.array(fc.constantFrom("quota", "a+", "[x]")),
    resetPattern: fc.constantFrom("in (.*)"),
    cooldown: fc.integer({ min: 1, max: 99 }),
  }, { requiredKeys: ["patterns"] })),
  fallback: mostly(fc.array(fc.string({ minLength: 1 }), { maxLength: 2 })),
  budget: mostly(fc.double({ min: 0.1, max: 100, noNaN: true })),
  usage: mostly(fc.constantFrom("claude", "codex", "gemini", "opencode")),
}, { requiredKeys: ["command"] });

Deno.test("what the schema accepts is read the same without it, and what is read can be launched", () => {
  const task = newTask("task_1795338125627", { agent: "a", prompt: "{x}" }, 0);
  const places = {
    root: "/r",
    planFile: "",
    logFile: "",
    promptFile: "",
    usageFile: "",
    doneFile: "",
  };
  let accepted = 0;
  fc.assert(
    fc.property(definition, (value) => {
      const plain = JSON.parse(JSON.stringify(value));
      const checked = parseAgent(plain);
      const shaped = shapeAgent(plain);
      if (!("problem" in checked)) {
        accepted++;
        assertEquals(shaped, checked);
      }
      if (shaped !== undefined) {
        const whole = { ...places, mark: "", errorFile: "", workspace: "" };
        prepareLaunch(task, shaped, null, firstPlan(task), whole, "");
      }
    }),
    { numRuns: 2000 },
  );
  assert(accepted > 200, `only ${accepted} were agents`);
});
