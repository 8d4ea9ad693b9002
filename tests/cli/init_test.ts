// init.

import { assert, assertEquals, assertStringIncludes } from "../support/assert.ts";
import { makeFolder, openBox, runProgram } from "../support/program.ts";
import { assertMode } from "../support/store.ts";

Deno.test("init makes a private workspace with an agent that works, and keeps what is there", async () => {
  await using folder = await makeFolder();
  const first = await runProgram(folder.path, ["init"]);
  assertEquals(first.code, 0, first.stderr);
  assertStringIncludes(first.stdout, `Workspace in ${folder.path}`);
  assertStringIncludes(first.stdout, "shell");
  assertStringIncludes(first.stderr, "orchestra start shell");
  assertMode(`${folder.path}/.orchestra`, 0o700);
  for (const name of ["tasks", "plans", "logs", "workspace", "archive"]) {
    const path = `${folder.path}/.orchestra/${name}`;
    assert(Deno.statSync(path).isDirectory, name);
    assertMode(path, 0o700);
  }
  const config = `${folder.path}/.orchestra-cli/agent-config.json`;
  const prompt = `${folder.path}/.orchestra-cli/prompts/default.md`;
  assert(Deno.statSync(prompt).isFile);
  assert(Deno.statSync(`${folder.path}/.orchestra-cli/agent/coder.md`).isFile);
  Deno.writeTextFileSync(prompt, "mine");
  Deno.writeTextFileSync(config, '{"agents": {"mine": {"command": "true"}}, "other": 1}');

  await using box = openBox(folder.path);
  assertStringIncludes(await box.ok("init"), "mine");
  assertEquals(Deno.readTextFileSync(prompt), "mine");
  assertEquals(JSON.parse(Deno.readTextFileSync(config)).agents, { mine: { command: "true" } });

  const added = await box.json("init", "--agent", "codex");
  assertEquals(added.root, box.root);
  assertEquals(added.agents, ["mine", "codex"]);
  const after = JSON.parse(Deno.readTextFileSync(config));
  assertEquals(Object.keys(after.agents), ["mine", "codex"]);
  assertEquals(after.other, 1);
  assertEquals((await box.json("init", "--agent=codex")).made, []);
  const unknown = await box.fails(3, "init", "--agent", "codx");
  assertStringIncludes(unknown.hint!, "codex");
});
