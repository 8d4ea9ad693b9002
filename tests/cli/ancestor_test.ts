// What a workspace of the ancestor's holds that ours does not make, and its habits.

import { substituteNamed } from "../../lib/decide/template.ts";
import { formatTask, newTask } from "../../lib/task/fields.ts";
import { assert, assertEquals, assertMatch, assertStringIncludes } from "../support/assert.ts";
import { linking, SHELL, terminal, test } from "../support/needs.ts";
import { type Box, commandLine, makeBox, runLine, runScript, spawn } from "../support/program.ts";
import { assertMode } from "../support/store.ts";

/** Tasks that are over. */
function makeFinished(box: Box, count: number): void {
  for (let at = 0; at < count; at++) {
    const id = `task_${1795338125627 + at}`;
    const task = {
      ...newTask(id, { agent: "shell", prompt: "true" }, 0),
      status: "complete" as const,
    };
    Deno.writeTextFileSync(box.path(`tasks/${id}.json`), formatTask(task));
  }
}

Deno.test("clean without a terminal does what was asked, as with -y", async () => {
  await using box = await makeBox();
  makeFinished(box, 12);
  const { code, stdout, stderr } = await box.run("clean");
  assertEquals([code, stdout], [0, "Removed 12 tasks\n"], stderr);
  makeFinished(box, 12);
  assertEquals((await box.json("clean")).removed.length, 12);
});

test("clean asks a person above ten tasks", terminal(), async () => {
  await using box = await makeBox();
  const onTerminal = async (answer: string) => {
    const words = commandLine("clean").map((word) => `'${word}'`).join(" ");
    await using live = spawn("script", ["-qec", words, "/dev/null"], {
      cwd: box.root,
      stdin: answer,
    });
    return await live.ended();
  };
  makeFinished(box, 10);
  assertMatch((await onTerminal("")).stdout, /^Removed 10 tasks/);
  makeFinished(box, 11);
  assertMatch((await onTerminal("n\n")).stdout, /Remove 11 tasks[\s\S]*Nothing removed/);
  assertEquals(box.tasks().length, 11);
  assertMatch((await onTerminal("y\n")).stdout, /Removed 11 tasks/);
});

Deno.test("the ancestor's index is no damaged task", async () => {
  await using box = await makeBox();
  Deno.writeTextFileSync(box.path("tasks/index.json"), '{"version": 1, "tasks": {}}');
  Deno.writeTextFileSync(box.path("tasks/notes.json"), "{}");
  const { damaged } = await box.json("status");
  assertEquals(damaged.map(({ file }: { file: string }) => file), [".orchestra/tasks/notes.json"]);
});

Deno.test("init leaves a customised default.txt in force", async () => {
  await using box = await makeBox();
  Deno.mkdirSync(`${box.root}/.orchestra-cli/prompts`);
  Deno.writeTextFileSync(`${box.root}/.orchestra-cli/prompts/default.txt`, "OURS: {prompt}");
  await box.ok("init");
  box.agents({
    echo: runLine('cat "$ORCHESTRA_PROMPT_FILE"; echo done >"$ORCHESTRA_DONE_FILE"'),
  });
  const id = await box.start("echo", "hello");
  await box.ok("run");
  await box.settled(id);
  assertEquals(Deno.readTextFileSync(box.path(`logs/${id}.log`)), "OURS: hello");
});

Deno.test("an argument that names no placeholder keeps its braces", async () => {
  await using box = await makeBox();
  const json = '{"a":{"b":{}},"c":"{{x}}"}';
  const args = [json, "{{{userPrompt}}}", "{{userPrompt}}"];
  const print = 'console.log([...Deno.args, Deno.env.get("JSON"), ""].join("|"))';
  box.agents({
    echo: {
      ...(SHELL === null
        ? { command: "sh", args: ["-c", 'printf "%s|" "$@" "$JSON"; echo', "-", ...args] }
        : runScript(print, ...args)),
      env: { JSON: json },
      completion: "exit",
    },
  });
  const id = await box.start("echo", "hello");
  await box.ok("run");
  await box.settled(id);
  const log = Deno.readTextFileSync(box.path(`logs/${id}.log`));
  assertEquals(log, `${json}|{hello}|{userPrompt}|${json}|\n`);
  assertEquals(substituteNamed("{{}} {toString}", { prompt: "x" }), "{{}} {toString}");
});

Deno.test("--debug tells what is done with times, and no prompt; without it nothing is told", async () => {
  await using box = await makeBox();
  const { stderr } = await box.run(
    "--debug",
    "start",
    "shell",
    "secret\u009b31m",
    "--label",
    "a=hidden",
  );
  const lines = stderr.trimEnd().split("\n").filter((line) => /^\d\d:/.test(line));
  for (const line of lines) assertMatch(line, /^\d\d:\d\d:\d\d\.\d{3} [a-z]+/);
  for (
    const what of ["command", "workspace opened", "lock taken", "task created", "lock released"]
  ) {
    assert(lines.some((line) => line.slice(13).startsWith(what)), `${what}: ${stderr}`);
  }
  assert(!stderr.includes("secret") && !stderr.includes("hidden"), stderr);
  assertEquals((await box.run("start", "-q", "shell", "true")).stderr, "");
});

Deno.test("what is left in the background tells debug.log, where it was asked to", async () => {
  await using box = await makeBox();
  const log = box.path("debug.log");
  const quiet = await box.start("shell", "true");
  await box.ok("run");
  await box.settled(quiet);
  await box.unwatched();
  assertEquals([...Deno.readDirSync(box.path(""))].filter(({ name }) => name === "debug.log"), []);
  const id = await box.start("shell", "true");
  await box.runWith({ env: { ORCHESTRA_DEBUG: "1" } }, "run");
  await box.settled(id);
  await box.unwatched();
  const text = Deno.readTextFileSync(log);
  assertMatch(text, /^\d{4}-\d\d-\d\dT[\d:.]+Z \[\d+\] /);
  assertStringIncludes(text, `task written id=${id} status=complete`);
  assertMode(log, 0o600);
});

test("a link in the place of debug.log is not followed", linking(), async () => {
  await using box = await makeBox();
  const log = box.path("debug.log");
  Deno.writeTextFileSync(`${box.root}/mine`, "mine");
  Deno.symlinkSync(`${box.root}/mine`, log);
  box.config({ debug_log: true });
  const other = await box.start("shell", "true");
  await box.ok("run");
  await box.settled(other);
  await box.unwatched();
  assertEquals(Deno.readTextFileSync(`${box.root}/mine`), "mine");
  assertStringIncludes(Deno.readTextFileSync(log), "status=complete");
});
