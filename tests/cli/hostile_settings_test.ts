// Settings and agents that are wrong: refused by name, and tasks stay as they are.

import { assertEquals, assertMatch, assertStringIncludes } from "../support/assert.ts";
import { assertPrintable, assertRefused, makeBox } from "../support/program.ts";
import { assertRestWorks, contents } from "../support/hostile.ts";

Deno.test("a settings file that is wrong is refused with the key that is wrong, and tasks stay", async () => {
  await using box = await makeBox();
  const good = await box.start("shell", "true");
  const before = contents(box.path("tasks"));
  const files: [string, string][] = [
    ["{", "config.json"],
    ["[]", "config.json"],
    ["null", "config.json"],
    ["\x00\x1b[2J", "config.json"],
    ['{"timeout": "long"}', "timeout"],
    ['{"priority": 11}', "priority"],
    ['{"grace_period": -1}', "grace_period"],
    ['{"interval": 1e999}', "interval"],
  ];
  for (const [text, part] of files) {
    box.config({});
    Deno.writeTextFileSync(box.path("config.json"), text);
    const calls = [["start", "shell", "x"], ["config", "set", "priority", "3"]];
    // All read it the same way: the others need to be shown but once.
    if (text === "{") calls.push(["run"], ["config"], ["run", "--wait"]);
    for (const outcome of await Promise.all(calls.map((args) => box.run(...args)))) {
      assertStringIncludes(assertRefused(outcome, 5, text), part);
    }
    assertEquals(Deno.readTextFileSync(box.path("config.json")), text);
  }
  assertEquals(contents(box.path("tasks")), before);
  box.config({});
  await assertRestWorks(box, good);
});

Deno.test("what is no setting is told of without what a terminal obeys, and has no effect", async () => {
  await using box = await makeBox();
  const files: [string, string][] = [
    ['{"max_retrys": 1}', "max_retries"],
    ['{"retry": {"bse": 1}}', "retry.base"],
    ['{"archive": {"archive_dir": "../../outside"}}', "archive_dir"],
    [`{"${"\\u001b[31m"}": 1}`, "there is no setting"],
    ['{"__proto__": {"polluted": 1}, "constructor": 1}', "there is no setting"],
  ];
  for (const [text, part] of files) {
    Deno.writeTextFileSync(box.path("config.json"), text);
    const outcome = await box.run("start", "shell", "true");
    assertEquals(outcome.code, 0, text);
    assertStringIncludes(outcome.stderr, part, text);
    assertPrintable(outcome.stdout + outcome.stderr);
    assertEquals(Deno.readTextFileSync(box.path("config.json")), text);
  }
  assertEquals(box.tasks().map(({ maxRetries }) => maxRetries), files.map(() => 3));
});

Deno.test("an agents file that is wrong is refused, a wrong agent makes only itself unusable", async () => {
  await using box = await makeBox();
  const path = `${box.root}/.orchestra-cli/agent-config.json`;
  const good = await box.start("shell", "true");
  const before = contents(box.path("tasks"));
  for (const text of ["", "{", "[]", "null", '{"agents": []}', '{"agents": null}', "\x00"]) {
    Deno.writeTextFileSync(path, text);
    const outcomes = await Promise.all([
      box.run("start", "shell", "x"),
      box.run("run"),
      box.run("agents"),
    ]);
    for (const outcome of outcomes) {
      assertStringIncludes(assertRefused(outcome, 5, text), "agent-config.json");
    }
  }
  assertEquals(contents(box.path("tasks")), before);
  const wrong: Record<string, Record<string, unknown>> = {
    noCommand: {},
    emptyCommand: { command: "" },
    nul: { command: "a\0b" },
    argument: { command: "true", args: ["a\0b"] },
    unknownKey: { command: "true", complition: "exit" },
    badCompletion: { command: "true", completion: "sometimes" },
    badVariable: { command: "true", env: { "A=B": "x" } },
    list: { command: ["true"] },
  };
  box.agents(wrong);
  const names = Object.keys(wrong);
  const table = await box.ok("agents");
  for (const name of names) assertMatch(table, new RegExp(`^${name}\\s+broken`, "m"));
  assertStringIncludes(table, '"completion"');
  const ids = await Promise.all(names.map((name) => box.start(name, "x")));
  await box.run("run", "--all", "--wait", "--parallel", "9");
  for (const [at, each] of ids.entries()) {
    assertEquals(box.task(each).failureClass, "spawn", names[at]);
  }
  assertEquals(box.task(good).status, "complete");
  for (const name of ["constructor", "__proto__", "toString", "hasOwnProperty"]) {
    await box.fails(3, "start", name, "x");
  }
});
