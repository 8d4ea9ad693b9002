// What an agent is given, byte for byte, and that it outlives who launched it.

import { assert, assertEquals, assertStringIncludes } from "../support/assert.ts";
import { lives, makeBox } from "../support/program.ts";
import { agentOf, exitIn, gated, openGate, textIn } from "../support/gated.ts";
import { linking, ON_POSIX, SHELL, test, which } from "../support/needs.ts";

/** A folder that is there, and no workspace. */
const OUTSIDE = ON_POSIX === null ? "/tmp" : Deno.env.get("TEMP")!;

/** A program of Deno, where the system has none that does it. */
const evaluate = (script: string) => ({
  command: Deno.execPath(),
  args: ["eval", "--no-config", script],
});
const ENV = which("env") === undefined
  ? evaluate('Object.entries(Deno.env.toObject()).map((it) => console.log(it.join("=")))')
  : { command: "env", args: [] };
const PWD = which("pwd") === undefined
  ? evaluate('console.log(Deno.cwd().split(String.fromCharCode(92)).join("/"))')
  : { command: "pwd", args: ["-P"] };

Deno.test("an agent sees the variables of its task, and with passEnv no others of ours", async () => {
  await using box = await makeBox();
  box.agents({
    open: { ...ENV, completion: "exit" },
    closed: {
      ...ENV,
      completion: "exit",
      passEnv: ["KEPT_VALUE"],
      env: { OWN: "{taskId} of {agent}" },
    },
  });
  const [open, closed] = await Promise.all([box.start("open", "x"), box.start("closed", "x")]);
  const env = { SECRET_KEY: "hidden", KEPT_VALUE: "kept" };
  await box.runWith({ env }, "run", "--all", "--wait");
  const variables = (id: string) =>
    Object.fromEntries(
      Deno.readTextFileSync(box.path(`logs/${id}.log`)).trimEnd().split("\n")
        .map((line) => [line.slice(0, line.indexOf("=")), line.slice(line.indexOf("=") + 1)]),
    );
  assertEquals([variables(open).SECRET_KEY, variables(open).ORCHESTRA_TASK_ID], ["hidden", open]);
  const seen = variables(closed);
  assertEquals([seen.SECRET_KEY, seen.KEPT_VALUE], [undefined, "kept"]);
  assertEquals(
    [seen.ORCHESTRA_TASK_ID, seen.ORCHESTRA_ROOT, seen.OWN],
    [closed, box.root, `${closed} of closed`],
  );
  const done = box.path(`tasks/${closed}.done`);
  const told = Deno.build.os === "windows" ? done.replaceAll("/", "\\") : done;
  assertEquals(seen.ORCHESTRA_DONE_FILE, told);
  assert(seen.PATH !== undefined);
  assert(seen[ON_POSIX === null ? "HOME" : "USERPROFILE"] !== undefined);
});

Deno.test("an agent runs in the root or in a folder inside it, never outside", async () => {
  await using box = await makeBox();
  Deno.mkdirSync(`${box.root}/inside/deep`, { recursive: true });
  if (linking() === null) Deno.symlinkSync(OUTSIDE, `${box.root}/escape`);
  const pwd = (cwd?: string) => ({ ...PWD, completion: "exit", cwd });
  box.agents({
    root: pwd(),
    inside: pwd("inside/{agent}/../deep"),
    absolute: pwd(`${box.root}/inside`),
    above: pwd(".."),
    outside: pwd(OUTSIDE),
    escape: pwd("escape"),
    absent: pwd("nowhere"),
  });
  Deno.mkdirSync(`${box.root}/inside/inside`);
  const names = ["root", "inside", "absolute", "above", "outside", "escape", "absent"];
  const ids = await Promise.all(names.map((name) => box.start(name, "x")));
  await box.run("run", "--all", "--wait", "--parallel", "7");
  const log = (at: number) => textIn(box.path(`logs/${ids[at]}.log`))?.trimEnd();
  const root = ON_POSIX === null ? box.root : box.root.replaceAll("\\", "/");
  assertEquals([log(0), log(1), log(2)], [root, `${root}/inside/deep`, `${root}/inside`]);
  for (const at of [3, 4, 5, 6]) {
    const task = box.task(ids[at]!);
    assertEquals([task.status, task.failureClass], ["failed", "spawn"], names[at]);
    assertStringIncludes(task.errorMessage!, "no folder inside the workspace");
    assertEquals(log(at) ?? "", "");
  }
});

test("a prompt arrives byte for byte: by argument, by stdin and by file", SHELL, async () => {
  await using box = await makeBox();
  const script = 'cd "$ORCHESTRA_WORKSPACE"; printf %s "$1" >"$0.argument"; cat >"$0.stdin"; ' +
    'cat "$2" >"$0.file"';
  box.agents({
    exact: {
      command: "sh",
      args: ["-c", script, "{taskId}", "{userPrompt}", "{promptFile}"],
      stdin: "{prompt}",
      completion: "exit",
    },
  });
  const prompts = [
    `'"\\"' $(touch "$ORCHESTRA_WORKSPACE/pwned") \`touch pwned\` $HOME \${HOME} !! \\n %s ; | & < > *`,
    "\nleading, two\n\nin between, and trailing newlines\n\n",
    "日本語 👩‍👩‍👧 e\u0301 \u{10ffff} \ufeff \u202e",
    "control \x01\x1b[31m\x7f\r\t characters",
    "{taskId} {{ }} {prompt} {unknown}",
    "-n -e --help",
  ];
  const ids = await Promise.all(prompts.map((prompt) => box.start("--", "exact", prompt)));
  assertEquals((await box.run("run", "--all", "--wait", "--parallel", "6")).code, 0);
  for (const [at, prompt] of prompts.entries()) {
    for (const way of ["argument", "stdin", "file"]) {
      assertEquals(textIn(box.path(`workspace/${ids[at]}.${way}`)), prompt, way);
    }
  }
  assertEquals(textIn(box.path("workspace/pwned")) ?? textIn(`${box.root}/pwned`), undefined);
});

test(
  "a prompt of a megabyte goes by stdin or file, and is refused where an argument must hold it",
  SHELL,
  async () => {
    await using box = await makeBox();
    box.agents({
      reads: {
        command: "sh",
        args: [
          "-c",
          'cat >"$ORCHESTRA_WORKSPACE/stdin"; cat "$0" >"$ORCHESTRA_WORKSPACE/file"',
          "{promptFile}",
        ],
        stdin: "{prompt}",
        completion: "exit",
      },
    });
    const prompt = "a line with 日本語\n".repeat(50_000);
    const text = new TextEncoder().encode(prompt);
    assert(text.length > 1_000_000);
    const piped = await box.runWith({ stdin: text }, "start", "-q", "reads", "-");
    assertEquals(piped.code, 0, piped.stderr);
    const id = piped.stdout.trim();
    assertEquals((await box.run("run", "--wait")).code, 0);
    assertEquals(box.task(id).status, "complete");
    for (const way of ["stdin", "file"]) assertEquals(textIn(box.path(`workspace/${way}`)), prompt);
    const refused = await box.runWith({ stdin: text }, "start", "shell", "-");
    assertEquals([refused.code, refused.stdout], [2, ""]);
    assertStringIncludes(refused.stderr, "{promptFile}");
    assertStringIncludes(refused.stderr, '"stdin"');
    assertEquals(refused.stderr.trimEnd().split("\n").length, 2);
    assertEquals(box.tasks().length, 1);
  },
);

test(
  "agents survive the death of what launched them; log and exit code are recorded",
  SHELL,
  async () => {
    await using box = await makeBox();
    const id = await box.start("shell", `echo before; ${gated(5)}`);
    await using waiting = box.live({}, "run", "--wait");
    const agent = await agentOf(box, id);
    waiting.kill("SIGKILL");
    await waiting.ended();
    assert(lives(agent));
    openGate(box);
    await box.until("the exit code", () => exitIn(box, id));
    assertEquals(textIn(box.path(`logs/${id}.log`)), "before\ngo\n");
    assertEquals(box.task(id).status, "running");
    const waited = await box.run("wait", id);
    assertEquals(waited.code, 1);
    assertEquals([box.task(id).status, box.task(id).exitCode], ["failed", 5]);
  },
);
