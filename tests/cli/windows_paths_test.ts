// Workspaces at paths that only Windows has: a drive and folders in any case, another drive, and more
// characters than its older programs can name.

import { lstat } from "../../lib/store/files.ts";
import { assertEquals, assertStringIncludes } from "../support/assert.ts";
import { shimOf } from "../support/gated.ts";
import { holdFile } from "../support/hold_file.ts";
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

test(
  "several lines run whatever the folder is called and holds, and leave nothing behind",
  ON_WINDOWS,
  async () => {
    await using folder = await makeFolder();
    const root = `${Deno.realPathSync(folder.path)}\\100%OS% & (more)`;
    Deno.mkdirSync(root);
    for (const name of ["chcp.cmd", "chcp.bat"]) {
      Deno.writeTextFileSync(`${root}\\${name}`, "@echo planted\r\n");
    }
    const run = async (...args: string[]) => {
      const outcome = await runProgram(root, args);
      assertEquals(outcome.code, 0, outcome.stderr);
      return outcome.stdout;
    };
    await run("init");
    // All together have more characters than cmd.exe takes in one line.
    const more = `rem ${"x".repeat(1000)}\n`.repeat(10);
    await run("start", "shell", `echo one\n${more}echo two [%ORCHESTRA_SCRIPT%]`);
    await run("run", "--all", "--wait");
    const log = await run("logs", "@last");
    assertStringIncludes(log, "two []");
    assertEquals(log.includes("planted"), false, log);
    const tasks = [...Deno.readDirSync(`${root}\\.orchestra\\tasks`)].map(({ name }) => name);
    assertEquals(tasks.filter((name) => name.endsWith(".cmd")), []);
  },
);

/** A box with an agent of cmd.exe's, and lines for it that go on when there is a file `go`. */
async function makeLines() {
  const box = await makeBox();
  box.agents({ cmd: { command: "cmd", args: ["/d", "/s", "/c", "{prompt}"], completion: "exit" } });
  const wait = "while (true) try { Deno.statSync('go'); break; } catch { " +
    "Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 20); }";
  const id = await box.start("cmd", `echo begun\n"${Deno.execPath()}" eval "${wait}"\nexit 3`);
  return { box, id, script: `${box.path("tasks")}/${id}.1.pid.cmd` };
}

test("lines for cmd.exe go with their task, though its shim is killed", ON_WINDOWS, async () => {
  const { box: made, id, script } = await makeLines();
  await using box = made;
  await box.ok("run");
  await box.until("the lines for cmd.exe", () => lstat(script) !== undefined);
  Deno.kill(await shimOf(box, id), "SIGKILL");
  await box.settled(id);
  assertEquals(box.task(id).failureClass, "lost");
  await box.until("the end of the lines for cmd.exe", () => lstat(script) === undefined);
});

test(
  "lines for cmd.exe that somebody holds cost no exit code, and go with their task",
  ON_WINDOWS,
  async () => {
    const { box: made, id, script } = await makeLines();
    await using box = made;
    const ended = box.run("run", "--all", "--wait");
    await box.until("the lines for cmd.exe", () => lstat(script) !== undefined);
    {
      await using held = await holdFile(script, "writing");
      Deno.writeTextFileSync(`${box.root}/go`, "");
      assertEquals((await ended).code, 1);
      assertEquals([box.task(id).exitCode, box.task(id).failureClass], [3, "exit"]);
      assertEquals(lstat(script) !== undefined, true);
      await held.release();
    }
    await box.ok("clean", "--yes", "all");
    assertEquals(lstat(script) !== undefined, false);
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

test(
  "a prompt is no program to a batch file, nor to one behind it, nor to cmd.exe's",
  ON_WINDOWS,
  async () => {
    await using box = await makeBox();
    const head =
      "@ECHO off\nGOTO start\n:find_dp0\nSET dp0=%~dp0\nEXIT /b\n:start\nSETLOCAL\nCALL :find_dp0\n";
    Deno.writeTextFileSync(`${box.root}/npm.cmd`, `${head}"%dp0%\\hand.cmd"   %*\n`);
    Deno.writeTextFileSync(`${box.root}/hand.cmd`, "@echo hand %*\r\n");
    const agents = {
      hand: { command: "./hand.cmd", args: ["{prompt}"], completion: "exit" },
      npm: { command: "./npm.cmd", args: ["{prompt}"], completion: "exit" },
      slash: { command: "cmd", args: ["/d", "/c", "hand.cmd", "{prompt}"], completion: "exit" },
    };
    box.agents(agents);
    const prompt = 'x" & echo injected>injected.txt & rem "';
    const ids = await Promise.all(Object.keys(agents).map((name) => box.start(name, prompt)));
    await box.run("run", "--all", "--wait");
    assertEquals(lstat(`${box.root}/injected.txt`), undefined);
    for (const id of ids) {
      const { failureClass, errorMessage } = box.task(id);
      assertEquals(failureClass, "spawn", id);
      assertStringIncludes(errorMessage!, "{promptFile}");
    }
  },
);
