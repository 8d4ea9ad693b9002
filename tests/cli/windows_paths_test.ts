// Workspaces at paths that only Windows has: a drive and folders in any case, another drive, and more
// characters than its older programs can name.

import { assertEquals, assertStringIncludes } from "../support/assert.ts";
import { ON_WINDOWS, test } from "../support/needs.ts";
import { makeBox, makeFolder, runProgram } from "../support/program.ts";

test("a workspace is one, however its drive and its folders are spelled", ON_WINDOWS, async () => {
  await using box = await makeBox();
  const root = Deno.realPathSync(box.root);
  await using state = await makeFolder();
  const env = { XDG_STATE_HOME: state.path };
  const id = await box.start("shell", "echo hello");
  for (const dir of [root.toLowerCase(), root.toUpperCase(), root.replaceAll("\\", "/")]) {
    const inside = await runProgram(dir, ["--json", "status"]);
    const named = await runProgram(root.slice(0, 3), ["--json", "-C", dir, "status"]);
    for (const { code, stdout, stderr } of [inside, named]) {
      assertEquals([code, stderr], [0, ""]);
      assertEquals(JSON.parse(stdout).tasks[0].taskId, id);
    }
    await runProgram(dir, ["workspaces", "add"], { env });
  }
  const known = await runProgram(root, ["--json", "workspaces", "list"], { env });
  const roots = JSON.parse(known.stdout).map((one: { root: string }) => one.root);
  assertEquals(roots, [root]);
});

test(
  "a workspace may have a path of more than 260 characters, and runs agents",
  ON_WINDOWS,
  async () => {
    await using folder = await makeFolder();
    const root = `${Deno.realPathSync(folder.path)}\\${Array(5).fill("d".repeat(60)).join("\\")}`;
    Deno.mkdirSync(root, { recursive: true });
    const run = async (...args: string[]) => {
      const outcome = await runProgram(folder.path, ["-C", root, ...args]);
      assertEquals(outcome.code, 0, outcome.stderr);
      return outcome.stdout;
    };
    await run("init");
    await run("start", "shell", "echo hello");
    await run("start", "shell", "echo one\necho two");
    await run("run", "--all", "--wait");
    assertStringIncludes(await run("logs", "@last"), "two");
  },
);

test("cmd.exe takes the files that an agent is told of as they are", ON_WINDOWS, async () => {
  await using box = await makeBox();
  const line = "type %ORCHESTRA_PLAN_FILE% & echo done>%ORCHESTRA_DONE_FILE%";
  box.agents({ cmd: { command: "cmd", args: ["/d", "/s", "/c", line], completion: "sentinel" } });
  const id = await box.start("cmd", "hello there");
  await box.ok("run", "--all", "--wait");
  assertEquals(box.task(id).status, "complete");
  assertStringIncludes(Deno.readTextFileSync(box.path(`logs/${id}.log`)), "hello there");
});
