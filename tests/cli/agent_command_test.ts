// An agent's program is where its launch finds it, whoever asks: `agents`, `agents check`, `doctor`.

import { assert, assertEquals, assertStringIncludes } from "../support/assert.ts";
import { type Box, makeBox } from "../support/program.ts";

const WINDOWS = Deno.build.os === "windows";

/** Folder that a program is in, in its own shell. */
const HERE = WINDOWS ? "%CD%" : "$PWD";

/** Makes a program by which its path is found: on Windows one that PATHEXT knows the ending of. */
function writeProgram(box: Box, path: string, line: string): void {
  Deno.mkdirSync(`${box.root}/${path.slice(0, path.lastIndexOf("/"))}`, { recursive: true });
  if (WINDOWS) Deno.writeTextFileSync(`${box.root}/${path}.cmd`, `@${line}\r\n`);
  else Deno.writeTextFileSync(`${box.root}/${path}`, `#!/bin/sh\n${line}\n`, { mode: 0o755 });
}

/** The path of a program as it is found. */
function found(box: Box, path: string): string {
  return WINDOWS ? `${box.root}\\${path.replaceAll("/", "\\")}.cmd` : `${box.root}/${path}`;
}

/** What each who looks says of an agent, and whether its launch finds the program. */
async function lookFor(box: Box, name: string) {
  const rows = await box.json("agents");
  const { installed } = rows.find((row: { name: string }) => row.name === name);
  const check = await box.run("agents", "check", name);
  const { stdout } = await box.run("doctor", "--json");
  const missing = JSON.parse(stdout).findings
    .some(({ code, subject }: Record<string, string>) =>
      code === "agent-missing" && subject === name
    );
  const id = await box.start(name, "x");
  await box.run("run", "--wait");
  return { installed, check, missing, task: box.task(id) };
}

Deno.test("a relative command is looked for in the agent's own folder, as its launch does", async () => {
  await using box = await makeBox();
  writeProgram(box, "src/tools/agent", `echo here: ${HERE}`);
  writeProgram(box, "elsewhere/agent", "echo elsewhere");
  box.agents({
    below: { command: "./tools/agent", args: [], cwd: "src", completion: "exit" },
    absent: { command: "elsewhere/agent", args: [], cwd: "src", completion: "exit" },
    named: { command: "tools/agent", args: [], cwd: "{agent}", completion: "exit" },
    outside: { command: "./agent", args: [], cwd: "..", completion: "exit" },
  });
  const below = await lookFor(box, "below");
  assertEquals(below.installed, found(box, "src/tools/agent"));
  assertStringIncludes(below.check.stdout, `here: ${found(box, "src").replace(/\.cmd$/, "")}`);
  assertEquals([below.missing, below.task.status], [false, "complete"]);

  const absent = await lookFor(box, "absent");
  assertEquals([absent.installed, absent.check.code, absent.missing], [null, 5, true]);
  assertStringIncludes(absent.check.stderr, "no elsewhere/agent in src");
  assertEquals([absent.task.status, absent.task.failureClass], ["failed", "spawn"]);

  Deno.renameSync(`${box.root}/src`, `${box.root}/named`);
  const named = await lookFor(box, "named");
  assertEquals([named.missing, named.task.status], [false, "complete"]);
  const outside = (await box.json("agents")).find((row: { name: string }) =>
    row.name === "outside"
  );
  assertEquals(outside.installed, null);
});

Deno.test("an agent's own PATH is the one that is searched, and a folder of a task is not guessed", async () => {
  await using box = await makeBox();
  writeProgram(box, "bin/own-program", "exit 0");
  box.agents({
    own: {
      command: "own-program",
      args: [],
      env: { [WINDOWS ? "Path" : "PATH"]: `bin${WINDOWS ? ";" : ":"}${Deno.env.get("PATH")}` },
      completion: "exit",
    },
    late: { command: "./agent", args: [], cwd: "{taskId}", completion: "exit" },
  });
  const own = await lookFor(box, "own");
  assertEquals(own.installed, found(box, "bin/own-program"));
  assertEquals([own.missing, own.task.status], [false, "complete"]);
  const late = await box.fails(4, "agents", "check", "late");
  assertStringIncludes(late.text, "depends on the task");
  assert(
    (await box.json("agents")).some((row: Record<string, string>) => row.installed === "./agent"),
  );
});
