// Every command with its options, as a user or a script meets it: real processes, real files, what
// is printed, and the exit code.

import {
  assert,
  assertEquals,
  assertMatch,
  assertNotEquals,
  assertStringIncludes,
} from "../support/assert.ts";
import { LEGACY, LEGACY_TASKS, writeLegacyWorkspace } from "../support/legacy.ts";
import {
  assertPrintable,
  assertRefused,
  type Box,
  cleanEnv,
  commandLine,
  type Live,
  lives,
  makeBox,
  makeFolder,
  openBox,
  runProgram,
  spawn,
} from "../support/program.ts";

/** Every command, for what must hold of all. */
const COMMANDS = [
  ["init"],
  ["start"],
  ["run"],
  ["status"],
  ["wait"],
  ["show"],
  ["logs"],
  ["agents"],
  ["agents", "list"],
  ["agents", "check"],
  ["cancel"],
  ["retry"],
  ["timeout"],
  ["timeout", "list"],
  ["timeout", "extend"],
  ["clean"],
  ["config"],
  ["config", "init"],
  ["config", "show"],
  ["config", "set"],
  ["completions"],
] as const;

/** Shell that waits at the gate, and prints what is in it. */
const AT_GATE = 'until cat "$ORCHESTRA_ROOT/gate" 2>/dev/null; do sleep 0.02; done';

function openGate(box: Box, text: string): void {
  Deno.writeTextFileSync(`${box.root}/gate.new`, text);
  Deno.renameSync(`${box.root}/gate.new`, `${box.root}/gate`);
}

const MISSING = "task_1234567890";

/**
 * Runs the program in a terminal of the given size; undefined where there is no script(1). Before
 * its arguments may stand what makes a whole shell command of its command line.
 */
function inTerminal(
  box: Box,
  columns: number,
  rows: number,
  ...[first, ...others]: [string | ((program: string) => string), ...string[]]
): Live | undefined {
  const args = typeof first === "string" ? [first, ...others] : others;
  const shell = typeof first === "string" ? (program: string) => `exec ${program}` : first;
  if (Deno.build.os !== "linux" || !isInstalled("script")) {
    console.log("not run: a terminal is made with script(1) of util-linux, which is not here");
    return undefined;
  }
  const quoted = commandLine(...args).map((arg) => `'${arg.replaceAll("'", `'\\''`)}'`).join(" ");
  const command = `stty cols ${columns} rows ${rows}; ${shell(quoted)}`;
  return spawn("script", ["-qfec", command, "/dev/null"], {
    cwd: box.root,
    env: { TERM: "xterm-256color", SHELL: "/bin/sh" },
  });
}

function isInstalled(program: string): boolean {
  const { success } = new Deno.Command("sh", {
    args: ["-c", `command -v ${program}`],
    stdout: "null",
  }).outputSync();
  return success;
}

/** A line of the table about a task. */
function lineOf(text: string, id: string): string {
  const line = text.split("\n").find((item) => item.startsWith(id));
  assert(line !== undefined, `no line about ${id} in:\n${text}`);
  return line;
}

Deno.test("init makes a private workspace with an agent that works, and keeps what is there", async () => {
  await using folder = await makeFolder();
  const first = await runProgram(folder.path, ["init"]);
  assertEquals(first.code, 0, first.stderr);
  assertStringIncludes(first.stdout, `Workspace in ${folder.path}`);
  assertStringIncludes(first.stdout, "shell");
  assertStringIncludes(first.stderr, "orchestra start shell");
  assertEquals(Deno.statSync(`${folder.path}/.orchestra`).mode! & 0o777, 0o700);
  for (const name of ["tasks", "plans", "logs", "workspace", "archive"]) {
    assertEquals(Deno.statSync(`${folder.path}/.orchestra/${name}`).mode! & 0o777, 0o700, name);
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

Deno.test("start says what it queued: in a sentence, as the bare id, or as the task", async () => {
  await using box = await makeBox();
  const plain = await box.run("start", "shell", "echo hello");
  const [, id] = /^Queued (task_\d+) for shell\n$/.exec(plain.stdout) ?? [];
  assert(id !== undefined, plain.stdout);
  assertStringIncludes(plain.stderr, "orchestra run");
  const quiet = await box.run("start", "-q", "shell", "echo hello");
  assertMatch(quiet.stdout, /^task_\d+\n$/);
  assertEquals(quiet.stderr, "");
  const task = await box.json("start", "shell", "echo hello");
  assertEquals(task, box.task(task.taskId));
  assertEquals([task.status, task.agent, task.prompt], ["pending", "shell", "echo hello"]);
  for (const name of [`tasks/${id}.json`, `plans/${id}_plan.md`]) {
    assertEquals(Deno.statSync(box.path(name)).mode! & 0o777, 0o600, name);
  }
  assertStringIncludes(Deno.readTextFileSync(box.path(`plans/${id}_plan.md`)), "echo hello");
});

Deno.test("start takes every prompt as it is: quotes, $(), backticks, newlines, emoji, dashes", async () => {
  await using box = await makeBox();
  const prompts = [
    `it's "quoted" $(touch pwned) \`touch pwned\` \\n %s ; | & > pwned`,
    "two\nlines\n\nand a tab\t.",
    "日本語 👩‍👩‍👧 é e\u0301 \u{1f1e9}\u{1f1ea}",
    " leading and trailing ",
    "{taskId} {{braces}} {prompt}",
  ];
  const ids = await Promise.all(prompts.map((prompt) => box.start("shell", prompt)));
  for (const [at, id] of ids.entries()) assertEquals(box.task(id).prompt, prompts[at]);
  // One that begins with a dash comes behind `--`, where no option is looked for.
  const dashed = await box.start("--", "shell", "--json -C nowhere --help");
  assertEquals(box.task(dashed).prompt, "--json -C nowhere --help");
  const piped = await box.runWith(
    { stdin: "from stdin\nsecond line\n" },
    "start",
    "-q",
    "shell",
    "-",
  );
  assertEquals(box.task(piped.stdout.trim()).prompt, "from stdin\nsecond line\n");
  assertEquals([...Deno.readDirSync(box.root)].map((item) => item.name).includes("pwned"), false);
});

Deno.test("start records every option, and the settings where there is none", async () => {
  await using box = await makeBox();
  const [a, b] = await Promise.all([box.start("shell", "a"), box.start("shell", "b")]);
  const id = await box.start(
    ...[
      "shell",
      "c",
      "--max-retries",
      "7",
      "--auto-retry",
      "--priority",
      "9",
      "--timeout",
      "1h30m",
    ],
    ...["--timeout-warning", "5m", "--idle-timeout=90s", "--label", "team=x=y", "-l", "n=1"],
    ...["--depends-on", `${a},${b}`],
  );
  const task = box.task(id);
  assertEquals(
    [task.maxRetries, task.autoRetry, task.priority, task.timeout, task.timeoutWarning],
    [7, true, 9, 5400, 300],
  );
  assertEquals([task.idleTimeout, task.labels], [90, { team: "x=y", n: "1" }]);
  assertEquals(task.dependsOn, [a, b]);
  const twice = box.task(await box.start("shell", "d", "--depends-on", a!, "--depends-on", b!));
  assertEquals(twice.dependsOn, [a, b]);
  const ancestor = box.task(
    await box.start("shell", "e", "--depends-on", a!, b!, "--priority", "2"),
  );
  assertEquals([ancestor.dependsOn, ancestor.priority], [[a, b], 2]);
  box.config({ max_retries: 1, auto_retry: true, priority: 8, timeout: 60, idle_timeout: 30 });
  const plain = box.task(await box.start("shell", "f"));
  assertEquals(
    [plain.maxRetries, plain.autoRetry, plain.priority, plain.timeout, plain.idleTimeout],
    [1, true, 8, 60, 30],
  );
});

Deno.test("start --from queues a whole graph from a file or from stdin", async () => {
  await using box = await makeBox();
  const earlier = await box.start("shell", "earlier");
  const lines = [
    { key: "test", agent: "shell", prompt: "test", dependsOn: ["build", earlier] },
    {
      key: "build",
      agent: "shell",
      prompt: "build",
      priority: 7,
      timeout: "5m",
      labels: { a: "b" },
    },
    { agent: "shell", prompt: "report", dependsOn: "test", maxRetries: 0, autoRetry: true },
  ];
  const text = lines.map((line) => JSON.stringify(line)).join("\n\n") + "\n";
  Deno.writeTextFileSync(`${box.root}/tasks.jsonl`, text);
  const [test, build, report] = await box.json("start", "--from", "tasks.jsonl");
  assertEquals([test.key, build.key, report.key], ["test", "build", undefined]);
  assertEquals(box.task(test.taskId).dependsOn, [build.taskId, earlier]);
  assertEquals(box.task(report.taskId).dependsOn, [test.taskId]);
  const made = box.task(build.taskId);
  assertEquals([made.priority, made.timeout, made.labels], [7, 300, { a: "b" }]);
  assertEquals(box.task(report.taskId).autoRetry, true);
  assertEquals([made.key, box.task(report.taskId).key], ["build", null]);
  // The keys are those of the tasks above: the same list once more needs others.
  const stdin = text.replaceAll('"build"', '"build 2"').replaceAll(
    '"key":"test"',
    '"key":"test 2"',
  );
  const piped = await box.runWith({ stdin }, "start", "--from", "-", "--quiet");
  assertEquals(piped.stdout.match(/^task_\d+$/gm)?.length, 3);
  Deno.writeTextFileSync(
    `${box.root}/tasks.jsonl`,
    `{"agent": "shell", "prompt": "x"}\n`.repeat(3),
  );
  assertStringIncludes(await box.ok("start", "--from", "tasks.jsonl"), "Queued 3 tasks");
});

Deno.test("start --from takes a file that begins with a byte order mark", async () => {
  await using box = await makeBox();
  const text = '\ufeff{"agent": "shell", "prompt": "one"}\r\n';
  Deno.writeTextFileSync(`${box.root}/tasks.jsonl`, text);
  assertStringIncludes(await box.ok("start", "--from", "tasks.jsonl"), "Queued 1 task ");
  const piped = await box.runWith({ stdin: text }, "start", "--from", "-");
  assertEquals(piped.code, 0, piped.stderr);
  assertEquals(box.tasks().map((task) => task.prompt), ["one", "one"]);
});

Deno.test("start --from names a wrong line by its number", async () => {
  await using box = await makeBox();
  const good = '{"key": "a", "agent": "shell", "prompt": "x"}';
  const long = "x".repeat(3 << 20);
  const cases: [number, object][] = [
    [3, { agent: "shel", prompt: "x" }],
    [3, { agent: "shell", prompt: "x", dependsOn: "b" }],
    [2, { key: "a", agent: "shell", prompt: "x" }],
    [2, { agent: "shell" }],
    [2, { agent: "shell", prompt: long }],
  ];
  await Promise.all(cases.map(async ([code, line]) => {
    // The empty line counts, as it does in an editor.
    const stdin = `${good}\n\n${JSON.stringify(line)}\n`;
    const refused = await box.runWith({ stdin }, "start", "--from", "-");
    assertStringIncludes(assertRefused(refused, code), "orchestra: standard input, line 3: ");
  }));
  assertEquals(box.tasks(), []);
});

Deno.test("run launches the most urgent task, fills up to --parallel, and returns at once", async () => {
  await using box = await makeBox();
  assertStringIncludes(await box.ok("run"), "Nothing to start");
  const script = AT_GATE;
  const [low, mid, high] = await Promise.all([
    box.start("shell", script, "-p", "1"),
    box.start("shell", script, "-p", "5"),
    box.start("shell", script, "-p", "9"),
  ]);
  assertMatch(await box.ok("run"), new RegExp(`^Started ${high} \\(shell, pid \\d+\\)\n$`));
  const more = await box.json("run", "--parallel", "2");
  assertEquals(more.launched.map((item: { taskId: string }) => item.taskId), [mid]);
  assertEquals([more.running, more.failed], [2, []]);
  assertStringIncludes(await box.ok("run", "--parallel", "2"), "2 running already, at most 2");
  assertEquals(box.task(low!).status, "pending");
  assertEquals((await box.json("run")).launched.length, 1);
  openGate(box, "go");
  for (const id of [low, mid, high]) assertEquals((await box.settled(id!)).status, "complete");
});

Deno.test("run --all --wait runs a pipeline by priority and dependencies, and exits 1 if one failed", async () => {
  await using box = await makeBox();
  const log = (name: string) => `echo ${name} >>"$ORCHESTRA_WORKSPACE/order"`;
  const a = await box.start("shell", log("a"), "-p", "1");
  const b = await box.start("shell", log("b"), "-p", "9", "--depends-on", a);
  await box.start("shell", log("c"), "-p", "5");
  const good = await box.run("run", "--all", "--wait", "--parallel", "1");
  assertEquals(good.code, 0, good.stderr);
  assertEquals(Deno.readTextFileSync(box.path("workspace/order")), "c\na\nb\n");
  for (const id of [a, b]) assertStringIncludes(lineOf(good.stdout, id), "complete");
  // On no terminal the commentary is plain lines on stderr: one for each change.
  assertEquals(good.stderr.match(/ running /g)?.length, 3, good.stderr);
  assertPrintable(good.stdout + good.stderr);

  const failing = await box.start("shell", "exit 3");
  const waiting = await box.start("shell", "true", "--depends-on", failing);
  const bad = await box.run("run", "--all", "--wait", "--parallel", "3");
  assertEquals(bad.code, 1);
  assertStringIncludes(lineOf(bad.stdout, failing), "Process exited with code 3");
  assertMatch(lineOf(bad.stdout, waiting), new RegExp(`blocked.* ${failing} failed`));
  // What ended before this run is none of its business.
  assert(!bad.stdout.includes(a));

  await box.ok("cancel", waiting);
  await box.start("shell", "true");
  const json = await box.json("run", "--all", "--wait");
  assertEquals([json.complete, json.incomplete, json.interrupted], [1, 0, false]);
  assertEquals((await box.json("run", "--wait")).tasks, []);
});

Deno.test("status shows what is active and the last 20 finished, filters, and counts the rest", async () => {
  await using box = await makeBox();
  box.config({ max_concurrent: 30 });
  const lines = Array.from(
    { length: 23 },
    (_, at) => JSON.stringify({ agent: "shell", prompt: `exit ${at % 2}` }),
  );
  const done = await box.runWith({ stdin: lines.join("\n") }, "start", "--from", "-", "-q");
  assertEquals(done.code, 0, done.stderr);
  await box.run("run", "--all", "--wait");
  const labelled = await box.start("auto", "true", "-l", "team=x", "-l", "n=1");
  const ready = await box.start("shell", "true", "-l", "team=y");
  const waiting = await box.start("shell", "true", "--depends-on", ready);
  const failed = box.tasks().find((task) => task.status === "failed")!.taskId;
  const blocked = await box.start("shell", "true", "--depends-on", failed);
  const rows = (text: string) => text.match(/^task_\d+/gm)?.length ?? 0;

  const [plain, all, json] = await Promise.all([
    box.ok("status"),
    box.ok("status", "--all"),
    box.json("status"),
  ]);
  assertEquals([rows(plain), rows(all), json.tasks.length], [24, 27, 27]);
  assertStringIncludes(plain, "3 more");
  assertMatch(plain, /2 ready · 1 waiting · 1 blocked · 12 complete · 11 failed/);
  assertStringIncludes(lineOf(plain, waiting), ready);
  assertStringIncludes(lineOf(plain, blocked), `Dependency ${failed} failed`);
  assertEquals(json.damaged, []);
  const viewed = json.tasks.find((task: { taskId: string }) => task.taskId === blocked);
  assertEquals(
    [viewed.phase, viewed.blockedBy, viewed.blockedReason],
    ["blocked", failed, `Dependency ${failed} failed`],
  );
  const ids = async (...args: string[]) =>
    (await box.json("status", ...args)).tasks.map((task: { taskId: string }) => task.taskId);
  const [byLabel, byBoth, byAgent, byStatus, byPhase, complete, none] = await Promise.all([
    ids("--label", "team=x"),
    ids("-l", "team=x", "-l", "n=2"),
    ids("--agent", "auto,other"),
    ids("--status", "pending"),
    ids("--status", "blocked,waiting"),
    ids("--status", "completed"),
    ids("--status", "running"),
  ]);
  assertEquals([byLabel, byBoth, byAgent], [[labelled], [], [labelled]]);
  assertEquals([byStatus.length, byPhase.sort(), complete.length], [
    4,
    [waiting, blocked].sort(),
    12,
  ]);
  assertEquals(none, []);
});

Deno.test("status fits 80 columns as it fits 200, and is plain text when it is piped", async () => {
  await using box = await makeBox();
  await Promise.all([
    box.start("shell", `echo ${"日本語 and a long story ".repeat(20)}`, "-p", "9", "-l", "a=b"),
    box.start(
      "shell",
      "echo 👩‍👩‍👧 \x1b[31mred\x1b[0m \x1b]0;title\x07 \u202e two\nlines",
      "--timeout",
      "5",
    ),
  ]);
  await box.run("run", "--all", "--wait");
  const [plain, narrow, colored, ascii, notColored] = await Promise.all([
    box.ok("status"),
    box.runWith({ env: { COLUMNS: "80" } }, "status"),
    box.ok("status", "--color"),
    box.runWith({ env: { LC_ALL: "C" } }, "status"),
    box.ok("status", "--no-color"),
  ]);
  assertPrintable(plain);
  assertEquals(notColored, plain);
  for (const line of narrow.stdout.split("\n")) assert([...line].length <= 80, line);
  // deno-lint-ignore no-control-regex
  assertNotEquals(colored.replaceAll(/\x1b\[[\d;]*m/g, ""), colored);
  // deno-lint-ignore no-control-regex
  assertPrintable(colored.replaceAll(/\x1b\[[\d;]*m/g, ""));
  assertMatch(ascii.stdout.replaceAll(/^(task_\d+)(.*?)(echo .*)$/gm, "$1$2"), /^[\x20-\x7e\n]*$/);
});

Deno.test("status --watch is drawn anew on a change, and left with q, or with Ctrl+C and 130", async () => {
  await using box = await makeBox();
  const id = await box.start("shell", "true");
  await using watching = inTerminal(box, 80, 24, "status", "--watch");
  if (watching === undefined) return;
  await watching.printed((text) => text.includes(id) && text.includes("ready"));
  assertStringIncludes(watching.stdout(), "\x1b[?1049h");
  await box.ok("run");
  await watching.printed((text) => text.includes("complete"));
  for (const line of watching.stdout().replaceAll("\x1b[H", "\n").split("\n")) {
    // deno-lint-ignore no-control-regex
    assert([...line.replaceAll(/\x1b\[[\d;?]*[A-Za-z]|\r/g, "")].length <= 80, line);
  }
  await watching.type("xq");
  const left = await watching.ended();
  assertEquals(left.code, 0);
  assert(left.stdout.trimEnd().endsWith("\x1b[?1049l"), "the terminal is left as it was");

  await using interrupted = inTerminal(box, 20, 5, "status", "--watch")!;
  await interrupted.printed((text) => text.includes("orchestra"));
  await interrupted.type("\x03");
  assertEquals((await interrupted.ended()).code, 130);
});

Deno.test("Ctrl+Z gives the terminal of status --watch to the shell, and fg takes it again", async () => {
  await using box = await makeBox();
  const id = await box.start("shell", "true");
  const drawn = (times: number) => (text: string) => text.split(id).length > times;
  const mode = "stty -a | grep -o -e '-*icanon'";
  // A shell with job control, which goes on behind what was stopped.
  await using shell = inTerminal(
    box,
    80,
    24,
    (watch) => `set -m; ${watch}; echo "stopped $(${mode})"; read line; fg`,
    "status",
    "--watch",
  );
  if (shell === undefined) return;
  await shell.printed(drawn(1));
  await shell.type("\x1a");
  const stopped = await shell.printed((text) => text.includes("icanon"));
  assertStringIncludes(stopped, "stopped icanon");
  assert(stopped.indexOf("\x1b[?25h\x1b[?1049l") > stopped.indexOf(id), "the page was left");
  await shell.type("\n");
  await shell.printed(drawn(2));
  // Without cbreak mode the q would wait for the end of its line.
  await shell.type("q");
  const { code, stdout } = await shell.ended();
  assertEquals(code, 0);
  assertEquals(stdout.split("\x1b[?1049h\x1b[?25l").length, 3);
  assertEquals(stdout.split("\x1b[?25h\x1b[?1049l").length, 3);

  // Where no shell could let it go on, it is not stopped for good.
  await using alone = inTerminal(box, 80, 24, "status", "--watch")!;
  await alone.printed(drawn(1));
  await alone.type("\x1a");
  await alone.printed(drawn(2));
  await alone.type("q");
  assertEquals((await alone.ended()).code, 0);
});

Deno.test("status --watch into a pipe prints the table again when it differs", async () => {
  await using box = await makeBox();
  const id = await box.start("shell", "true");
  await using watching = box.live({}, "status", "--watch", "--interval", "1m");
  await watching.printed((text) => /ready/.test(text));
  await box.ok("run");
  await watching.printed((text) => /complete/.test(text));
  assertPrintable(watching.stdout());
  assert(watching.stdout().split(id).length > 2);
  watching.kill("SIGINT");
  assertEquals((await watching.ended()).code, 130);
});

Deno.test("run --wait shows a live table in a terminal, and leaves the agents alone on Ctrl+C", async () => {
  await using box = await makeBox();
  const id = await box.start("shell", "echo begun; exec sleep 1000");
  await using live = inTerminal(box, 80, 24, "run", "--wait");
  if (live === undefined) return;
  await live.printed((text) => text.includes("running"));
  await live.type("\x03");
  const left = await live.ended();
  assertEquals(left.code, 130);
  assertStringIncludes(left.stdout, "agents go on");
  const { pid, status } = box.task(id);
  assertEquals(status, "running");
  const shim = await box.until("the shim's pid", () => readNumber(box.path(`tasks/${id}.1.pid`)));
  assert(lives(shim), `pid ${pid}`);
  assertStringIncludes(lineOf(await box.ok("status"), id), "running");
  await box.ok("cancel", id);
});

/** The number a file begins with, once its line is whole. */
function readNumber(path: string): number | undefined {
  try {
    const match = /^(\d+)[ \n]/.exec(Deno.readTextFileSync(path));
    return match === null ? undefined : Number(match[1]);
  } catch {
    return undefined;
  }
}

Deno.test("show has everything about one task on a page, and the same as JSON", async () => {
  await using box = await makeBox();
  const script = `printf 'line %s\\n' 1 2 3; echo '{"error": "no luck", "details": "a stack"}' ` +
    `>"$ORCHESTRA_ERROR_FILE"; exit 1`;
  const id = await box.start("signal", script, "-l", "team=x", "--timeout", "10m", "-p", "8");
  const dependent = await box.start("shell", "true", "--depends-on", id);
  await box.run("run", "--all", "--wait");
  const again = (await box.json("retry", id)).taskId;
  const [page, json] = await Promise.all([box.ok("show", id), box.json("show", id)]);
  for (
    const part of [
      id,
      "failed",
      "no luck",
      "agent-error",
      "a stack",
      "team=x",
      "10m",
      again,
      dependent,
      "line 3",
      `.orchestra/logs/${id}.log`,
      `.orchestra/plans/${id}_plan.md`,
    ]
  ) assertStringIncludes(page, part);
  assertPrintable(page);
  assertEquals(json.task.errorMessage, "no luck");
  assertEquals(json.chain, [id, again]);
  assertEquals(json.dependents, [dependent]);
  assertEquals(json.log, "line 1\nline 2\nline 3");
  const { dependencies } = await box.json("show", dependent);
  assertEquals(dependencies, [{ taskId: id, status: "pending", latest: again }]);
  await box.fails(3, "show", MISSING);
});

Deno.test("logs prints the log, its last lines, or follows it until the task is settled", async () => {
  await using box = await makeBox();
  const script = `for i in 1 2 3; do echo "line $i 日本"; done; ${AT_GATE}; ` +
    `printf 'no newline \\033[31m'`;
  const id = await box.start("shell", script);
  const quiet = await box.run("logs", id);
  assertEquals([quiet.code, quiet.stdout], [0, ""]);
  assertStringIncludes(quiet.stderr, "is empty");
  await using following = box.live({}, "logs", "-f", id);
  await box.ok("run");
  await following.printed((text) => text.includes("line 3"));
  await using stopped = box.live({}, "logs", "--follow", "-n", "1", id);
  await stopped.printed((text) => text === "line 3 日本\n");
  stopped.kill("SIGINT");
  assertEquals((await stopped.ended()).code, 130);
  openGate(box, "through the gate\n");
  const whole = "line 1 日本\nline 2 日本\nline 3 日本\nthrough the gate\nno newline \x1b[31m";
  const followed = await following.ended();
  // Into a pipe the log goes as it is: for a person's terminal `status` and `show` clean it.
  assertEquals([followed.code, followed.stdout], [0, whole]);
  const [all, two, json] = await Promise.all([
    box.ok("logs", id),
    box.ok("logs", "-n", "2", id),
    box.json("logs", "--lines", "2", id),
  ]);
  assertEquals([all, two], [whole, whole.split("\n").slice(-2).join("\n") + "\n"]);
  assertEquals(json.lines, whole.split("\n").slice(-2));
  assertEquals(json.size, new TextEncoder().encode(whole).length);
  await using terminal = inTerminal(box, 80, 24, "logs", id);
  if (terminal !== undefined) {
    // deno-lint-ignore no-control-regex
    assert(!/\x1b/.test((await terminal.ended()).stdout));
  }
  await box.fails(3, "logs", MISSING);
});

Deno.test("wait ends with 0 when all completed, 1 when one did not or time is up, 130 on Ctrl+C", async () => {
  await using box = await makeBox();
  assertStringIncludes(await box.ok("wait"), "Nothing to wait for");
  const [good, bad, slow] = await Promise.all([
    box.start("shell", "true"),
    box.start("shell", "exit 1"),
    box.start("shell", "exec sleep 1000"),
  ]);
  const blocked = await box.start("shell", "true", "--depends-on", bad!);
  await using waiting = box.live({}, "wait", good!);
  await box.ok("run", "--parallel", "3");
  assertEquals((await waiting.ended()).code, 0);
  const [fails, blocks, timeUp] = await Promise.all([
    box.run("wait", good!, bad!),
    box.run("wait", blocked),
    box.run("wait", "--json", "--timeout", "0.05", slow!),
  ]);
  assertEquals([fails.code, blocks.code, timeUp.code], [1, 1, 1]);
  assertStringIncludes(lineOf(fails.stdout, bad!), "failed");
  assertStringIncludes(lineOf(blocks.stdout, blocked), "blocked");
  const json = JSON.parse(timeUp.stdout);
  assertEquals([json.complete, json.timedOut, json.tasks.length], [false, true, 1]);
  assertEquals(timeUp.stderr, "");
  await using interrupted = box.live({}, "--debug", "wait", slow!);
  // Nothing is printed before the end; the watch that it sets up is what can be seen from outside.
  await box.until("the signal's listener", () => catchesInterrupts(interrupted.pid));
  interrupted.kill("SIGINT");
  assertEquals((await interrupted.ended()).code, 130);
  await box.fails(3, "wait", MISSING);
});

/** Linux: whether a process has a handler for SIGINT. */
function catchesInterrupts(pid: number): boolean {
  if (Deno.build.os !== "linux") return true;
  const status = Deno.readTextFileSync(`/proc/${pid}/status`);
  return (BigInt(`0x${/SigCgt:\s*([0-9a-f]+)/.exec(status)![1]}`) & 2n) !== 0n;
}

Deno.test("wait goes on while a retry is due, and ends with the last attempt", async () => {
  await using box = await makeBox();
  box.config({ retry: { base: 0.01 } });
  const script =
    'test -e "$ORCHESTRA_WORKSPACE/second" || { touch "$ORCHESTRA_WORKSPACE/second"; exit 1; }';
  const id = await box.start("shell", script, "--auto-retry");
  await box.ok("run");
  const outcome = await box.json("wait", id);
  assertEquals(outcome.complete, true);
  assertNotEquals(outcome.tasks[0].taskId, id);
  assertEquals(outcome.tasks[0].retryCount, 1);
});

Deno.test("cancel ends what is pending and what runs, and is refused for what is over", async () => {
  await using box = await makeBox();
  const [a, b, c, d] = await Promise.all([
    box.start("shell", "exec sleep 1000", "-p", "9"),
    box.start("shell", "true"),
    box.start("shell", "true"),
    box.start("shell", "true"),
  ]);
  await box.ok("run");
  const shim = await box.until("the shim", () => readNumber(box.path(`tasks/${a}.1.pid`)));
  assertEquals(await box.ok("cancel", b!, "--reason", "not needed"), `Cancelled ${b}\n`);
  assertEquals([box.task(b!).status, box.task(b!).errorMessage], ["cancelled", "not needed"]);
  const mark = JSON.parse(Deno.readTextFileSync(box.path(`tasks/${b}.cancelled`)));
  assertEquals(mark.reason, "not needed");
  assertEquals((await box.json("cancel", a!)).cancelled, [a]);
  assertEquals([lives(shim), box.task(a!).status], [false, "cancelled"]);
  const over = await box.fails(4, "cancel", a!);
  assertEquals([over.code, over.message.includes("cancelled")], ["state", true]);
  await box.fails(2, "cancel");
  await box.fails(2, "cancel", "--all", c!);
  await box.fails(3, "cancel", MISSING);
  assertEquals([box.task(c!).status, box.task(d!).status], ["pending", "pending"]);
  const mixed = await box.json("cancel", a!, c!);
  assertEquals([mixed.cancelled, mixed.skipped.length], [[c], 1]);
  assertEquals((await box.json("cancel", "--all")).cancelled, [d]);
  assertStringIncludes(await box.ok("cancel", "--all"), "Nothing to cancel");
  assertStringIncludes(await box.ok("run"), "Nothing to start");
});

Deno.test({
  name: "cancel ends the whole tree: children, other sessions, orphans, the deaf; and nobody else",
  ignore: Deno.build.os !== "linux",
  fn: async () => {
    await using box = await makeBox();
    box.config({ grace_period: 0.3 });
    const names = ["child", "session", "orphan", "deaf", "agent"];
    const script = `cd "$ORCHESTRA_WORKSPACE"
      sh -c 'echo $$ >child; exec sleep 1000' &
      setsid sh -c 'echo $$ >session; exec sleep 1000' &
      ( setsid sh -c 'echo $$ >orphan; exec sleep 1000' & )
      sh -c 'trap "" TERM; echo $$ >deaf; while :; do sleep 1000; done' &
      echo $$ >agent
      wait`;
    await using bystander = spawn("sleep", ["1000"], { cwd: box.root });
    const [id, other] = await Promise.all([
      box.start("shell", script),
      box.start("shell", "exec sleep 1000"),
    ]);
    await box.ok("run", "--parallel", "2");
    const pids = await box.until("the tree", () => {
      const found = names.map((name) => readNumber(box.path(`workspace/${name}`)));
      return found.every((pid) => pid !== undefined) && found;
    });
    await box.ok("cancel", id);
    for (const [at, pid] of pids.entries()) assertEquals(lives(pid), false, names[at]);
    const shim = readNumber(box.path(`tasks/${other}.1.pid`))!;
    assert(lives(bystander.pid) && lives(shim), "those of others go on");
    assertEquals(box.task(id).reapAt, null);
  },
});

Deno.test("retry queues a failed task again, once, as long as retries are left", async () => {
  await using box = await makeBox();
  const id = await box.start("shell", "exit 3", "--max-retries", "1", "-l", "a=b", "-p", "7");
  await box.fails(4, "retry", id);
  await box.run("run", "--wait");
  const text = await box.ok("retry", id, "--auto");
  const [, second] = /^Queued (task_\d+) as retry 1\/1 of/.exec(text) ?? [];
  assert(second !== undefined, text);
  const task = box.task(second);
  assertEquals(
    [task.status, task.parentTaskId, task.retryCount, task.autoRetry, task.priority, task.labels],
    ["pending", id, 1, true, 7, { a: "b" }],
  );
  assertEquals(task.retryHistory.map((item) => item.retriedFrom), [id]);
  assertEquals([box.task(id).status, box.task(id).retriedBy], ["failed", second]);
  const twice = await box.fails(4, "retry", id);
  assertStringIncludes(twice.hint!, second);
  await box.run("run", "--wait");
  const used = await box.fails(4, "retry", second);
  assertStringIncludes(used.hint!, "--max-retries 2");
  // Of four at once one succeeds.
  const outcomes = await Promise.all(
    [1, 2, 3, 4].map(() => box.run("--json", "retry", second, "--max-retries", "2")),
  );
  assertEquals(outcomes.map((outcome) => outcome.code).sort(), [0, 4, 4, 4]);
  const third = JSON.parse(outcomes.find((outcome) => outcome.code === 0)!.stdout);
  assertEquals(box.tasks().length, 3);
  assertEquals([third.retryCount, third.maxRetries, third.parentTaskId], [2, 2, id]);
  await box.fails(3, "retry", MISSING);
});

Deno.test("clean removes what is finished and nothing that others still need", async () => {
  await using box = await makeBox();
  const [done, bad, gone] = await Promise.all([
    box.start("shell", "true"),
    box.start("shell", "exit 1"),
    box.start("shell", "true", "-p", "1"),
  ]);
  await box.ok("cancel", gone!);
  await box.run("run", "--all", "--wait");
  const pending = await box.start("shell", "true", "--depends-on", done!);
  await box.fails(4, "clean", pending);
  await box.fails(4, "clean", done!, "--yes");
  const near = await box.fails(2, "clean", "faild");
  assertStringIncludes(near.hint!, "failed");
  await box.fails(3, "clean", MISSING);
  assertEquals(await box.json("clean", "--yes"), { removed: [], kept: [done] });
  assertStringIncludes(await box.ok("clean", "failed", "-y"), "Removed 1 task");
  assertEquals((await box.json("clean", gone!, "-y")).removed, [gone]);
  await box.ok("run", "--all", "--wait");
  const last = await box.json("clean", "all", "--yes");
  assertEquals(last.removed.sort(), [done, pending].sort());
  for (const folder of ["tasks", "plans", "logs"]) {
    const left = [...Deno.readDirSync(box.path(folder))].map((item) => item.name);
    assertEquals(left.filter((name) => name.includes(bad!) || name.includes(done!)), [], folder);
  }
});

Deno.test("timeout lists limits, extends them, and ends a task by hand", async () => {
  await using box = await makeBox();
  assertStringIncludes(await box.ok("timeout", "list"), "No task has a timeout");
  const [long, free] = await Promise.all([
    box.start("shell", "exec sleep 1000", "--timeout", "10m"),
    box.start("shell", "true", "-p", "1"),
  ]);
  await box.fails(4, "timeout", long!);
  await box.ok("run");
  assertMatch(await box.ok("timeout", "extend", long!, "90"), /10m00s -> 11m30s/);
  assertEquals((await box.json("timeout", "extend", free!, "1h")).timeout, 3600);
  const list = await box.json("timeout", "list");
  assertEquals(list.map((item: { timeout: number }) => item.timeout).sort(), [3600, 690].sort());
  assertMatch(lineOf(await box.ok("timeout", "list"), long!), /running\s+11m30s/);
  assertStringIncludes(await box.ok("timeout", long!), "timed out");
  const task = await box.settled(long!);
  assertEquals([task.status, task.failureClass], ["failed", "timeout"]);
  await box.fails(4, "timeout", "extend", long!, "5");
  await box.fails(2, "timeout", "extend", free!, "soon");
  await box.fails(3, "timeout", MISSING);
  await box.fails(3, "timeout", "extend", MISSING, "5");
});

Deno.test("agents lists who is installed, and check launches its --version", async () => {
  await using box = await makeBox();
  box.agents({
    there: { command: "printf", args: [], versionArgs: ["v%s\\n", "1.2"], description: "prints" },
    absent: { command: "no-such-program-anywhere" },
    broken: { command: 5 },
    sulky: { command: "sh", args: [], versionArgs: ["-c", "exit 3"] },
  });
  const table = await box.ok("agents");
  assertMatch(table, /^there\s+✓ installed\s+printf\s+prints/m);
  assertMatch(table, /^absent\s+✗ missing/m);
  assertMatch(table, /^broken\s+broken/m);
  const rows = await box.json("agents", "list");
  const row = (name: string) => rows.find((item: { name: string }) => item.name === name);
  assertEquals([row("absent").installed, row("there").problem], [null, null]);
  assertStringIncludes(row("broken").problem, "command");
  assertMatch(await box.ok("agents", "check", "there"), /exit code 0: v1\.2/);
  assertEquals((await box.json("agents", "check", "there")).version, "v1.2");
  assertEquals((await box.run("agents", "check", "sulky")).code, 1);
  await box.fails(5, "agents", "check", "absent");
  await box.fails(5, "agents", "check", "broken");
  const near = await box.fails(3, "agents", "check", "ther");
  assertStringIncludes(near.hint!, '"there"');
});

Deno.test("config shows every setting, changes one, and refuses what it cannot be", async () => {
  await using box = await makeBox();
  const defaults = await box.json("config", "show");
  assertEquals([defaults.max_retries, defaults.retry.factor], [3, 2]);
  assertMatch(await box.ok("config"), /^retry\.base +1 +\S/m);
  assertEquals(await box.ok("config", "set", "retry.base", "0.5"), "retry.base = 0.5\n");
  assertEquals(JSON.parse(Deno.readTextFileSync(box.path("config.json"))), {
    retry: { base: 0.5 },
  });
  assertEquals(Deno.statSync(box.path("config.json")).mode! & 0o777, 0o600);
  await box.ok("config", "set", "timeout", "5m");
  await box.ok("config", "set", "retry.on", "exit, timeout");
  const changed = await box.json("config", "set", "auto_retry", "true");
  assertEquals([changed.timeout, changed.auto_retry, changed.retry.on], [300, true, [
    "exit",
    "timeout",
  ]]);
  assertMatch(await box.ok("config", "show"), /^retry\.base +0\.5 \*/m);
  const before = Deno.readTextFileSync(box.path("config.json"));
  for (
    const [key, value] of [
      ["max_concurrent", "2.5"],
      ["max_concurrent", "many"],
      ["priority", "11"],
      ["retry.on", "exot"],
      ["supervise", "maybe"],
      ["interval", "0"],
    ] as const
  ) {
    const failure = await box.fails(2, "config", "set", key, value);
    assertStringIncludes(failure.message, key);
    assertStringIncludes(failure.message, value);
  }
  const near = await box.fails(2, "config", "set", "retry.bse", "1");
  assertStringIncludes(near.hint!, "retry.base");
  assertEquals(Deno.readTextFileSync(box.path("config.json")), before);
  await box.fails(4, "config", "init");
  Deno.removeSync(box.path("config.json"));
  assertStringIncludes(await box.ok("config", "init"), "config.json");
  assertEquals(JSON.parse(Deno.readTextFileSync(box.path("config.json"))), defaults);
});

/** A folder with an `orchestra` that runs the program, for shells. */
async function makeProgramFolder(): Promise<{ path: string } & AsyncDisposable> {
  const folder = await makeFolder();
  const quoted = commandLine().map((part) => `'${part}'`).join(" ");
  Deno.writeTextFileSync(`${folder.path}/orchestra`, `#!/bin/sh\nexec ${quoted} "$@"\n`, {
    mode: 0o755,
  });
  return folder;
}

Deno.test("completions complete commands, options, task ids and agents, in bash, zsh and fish", async () => {
  await using box = await makeBox();
  box.agents({ coder: { command: "true" } });
  const id = await box.start("shell", "true");
  await using bin = await makeProgramFolder();
  const env = { PATH: `${bin.path}:${Deno.env.get("PATH")}` };
  const lines: [string, string[]][] = [
    ["st", ["start", "status"]],
    ["start c", ["coder"]],
    ["start --max", ["--max-retries"]],
    ["show task_", [id]],
    ["timeout extend task_", [id]],
    ["start --depends-on ", [id]],
    ["status --agent sh", ["shell"]],
    ["config s", ["set", "show"]],
    ["timeout l", ["list"]],
    ["completions z", ["zsh"]],
    ["clean f", ["failed"]],
    [`-C ${box.root} show task_`, [id]],
    ["status --js", ["--json"]],
    ["status --status r", ["ready", "retrying", "running"]],
    ["config set archive.max_f", ["archive.max_failed_age_days"]],
    ["init --agent cop", ["copilot"]],
  ];
  const shells: Record<string, string[]> = {
    bash: [
      "-c",
      `source <(orchestra completions bash); while IFS= read -r line; do
        IFS=' ' read -ra COMP_WORDS <<<"orchestra $line"
        [[ $line == *' ' ]] && COMP_WORDS+=("")
        COMP_CWORD=$(( \${#COMP_WORDS[@]} - 1 )); COMPREPLY=(); _orchestra
        IFS=' '; echo "\${COMPREPLY[*]}"
      done`,
    ],
    zsh: [
      "-fc",
      `compdef() { :; }; compadd() { shift; echo "$*"; }; source <(orchestra completions zsh)
      while IFS= read -r line; do
        words=("\${(@s/ /)line}"); words=(orchestra "\${words[@]}"); CURRENT=\${#words}; _orchestra
      done`,
    ],
    fish: [
      "--no-config",
      "-c",
      `orchestra completions fish | source
      while read -l line; string join -- ' ' (complete -C "orchestra $line"); end`,
    ],
  };
  await Promise.all(
    Object.entries(shells).map(async ([shell, args]) => {
      if (!isInstalled(shell)) return console.log(`not run: ${shell} is not installed`);
      await using live = spawn(shell, args, {
        cwd: box.root,
        env,
        stdin: lines.map(([line]) => `${line}\n`).join(""),
      });
      const { stdout, stderr } = await live.ended();
      const found = stdout.trimEnd().split("\n").map((line) => line.split(" ").sort());
      // fish takes the space at the end of a line away when it reads it.
      for (const [at, [line, wanted]] of lines.entries()) {
        if (shell === "fish" && line.endsWith(" ")) continue;
        assertEquals(found[at], wanted, `${shell}: ${line}: ${stdout} ${stderr}`);
      }
    }),
  );
  const near = await box.fails(2, "completions", "ksh");
  assertStringIncludes(near.hint!, "bash");
});

Deno.test("every command explains itself with --help, and touches nothing", async () => {
  await using folder = await makeFolder();
  const outcomes = await Promise.all(
    [...COMMANDS, []].map((words) => runProgram(folder.path, [...words, "--help"])),
  );
  for (const [at, { code, stdout, stderr }] of outcomes.entries()) {
    const words = COMMANDS[at] ?? [];
    assertEquals([code, stderr], [0, ""], words.join(" "));
    assertStringIncludes(stdout, `orchestra ${words.join(" ")}`.trim());
    assertPrintable(stdout);
  }
  const help = outcomes.at(-1)!.stdout;
  for (const [name] of COMMANDS) assertMatch(help, new RegExp(`^  ${name} +[A-Z]`, "m"));
  const [bare, version] = await Promise.all([
    runProgram(folder.path, []),
    runProgram(folder.path, ["--version"]),
  ]);
  assertEquals([bare.code, bare.stdout], [0, help]);
  assertMatch(version.stdout, /^orchestra \d+\.\d+\.\d+\n$/);
  assertEquals([...Deno.readDirSync(folder.path)], []);
});

Deno.test("help fits the terminal, and says the same at every width", async () => {
  await using folder = await makeFolder();
  const help = async (words: readonly string[], columns: number) => {
    const env = { COLUMNS: String(columns) };
    return (await runProgram(folder.path, [...words, "--help"], { env })).stdout;
  };
  const flat = (text: string) => text.replace(/\s+/g, " ");
  // A script is no help: it stays as it is.
  const scripts = await Promise.all(["40", "300"].map((columns) => {
    return runProgram(folder.path, ["completions", "bash"], { env: { COLUMNS: columns } });
  }));
  assertEquals(scripts[0]!.stdout, scripts[1]!.stdout);
  for (const words of [["status"], ["start"], ["run"], ["init"], ["daemon"]]) {
    const wide = await help(words, 300);
    for (const columns of [60, 80]) {
      const narrow = await help(words, columns);
      for (const line of narrow.split("\n")) assert(line.length <= columns, line);
      assertEquals(flat(narrow), flat(wide));
    }
  }
});

Deno.test("what is misspelt gets a suggestion and exit code 2, what is missing 3", async () => {
  await using box = await makeBox();
  const cases: [number, string, ...string[]][] = [
    [2, "start", "strat", "shell", "x"],
    [2, "status", "statsu"],
    [2, "--priority", "start", "shell", "x", "--priorty", "3"],
    [2, "--parallel", "run", "--paralel", "3"],
    [2, '"config show"', "config", "shwo"],
    [2, '"agents check"', "agents", "chekc"],
    [2, '"deps graph"', "deps", "grap"],
    [2, "orchestra config --help", "config", "xyzzyx"],
    [2, "--json", "status", "--jsn"],
    [2, "--json", "--jsn", "status"],
    [2, "--depends-on", "start", "shell", "x", "--dependson", "task_1795331564659"],
    [3, "shell", "start", "shel", "x"],
    [3, "shell", "agents", "check", "shlel"],
    [2, "task_", "show", "task_1"],
    [2, "task_", "logs", "../../etc/passwd"],
    [2, "5m", "start", "shell", "x", "--timeout", "soon"],
    [2, "1", "start", "shell", "x", "--priority", "0"],
    [2, "name=value", "start", "shell", "x", "--label", "oops"],
    [2, "blocked", "status", "--status", "blokced"],
    [2, "--help", "status", "unexpected"],
    [2, "echo hello", "start", "shell"],
    [2, "agent", "start"],
    [2, "prompt", "start", "shell", "  "],
    [3, "status", "start", "shell", "x", "--depends-on", MISSING],
    [3, "first", "start", "shell", "x", "--depends-on", "first"],
    [2, "file", "start", "--from", "tasks.jsonl", "shell"],
    [2, "tasks.jsonl", "start", "--from", "tasks.jsonl"],
    [3, "folder", "-C", "nowhere", "status"],
    [2, "-C", "status", "-C"],
  ];
  const failures = await Promise.all(cases.map(([code, , ...args]) => box.fails(code, ...args)));
  for (const [at, failure] of failures.entries()) {
    assertStringIncludes(failure.text, cases[at]![1], cases[at]!.slice(2).join(" "));
  }
  assertEquals(box.tasks(), []);
});

Deno.test("with --json every command prints exactly one JSON value", async () => {
  await using box = await makeBox();
  const first = await box.json("start", "shell", "exit 1", "--timeout", "1m");
  const id = first.taskId;
  await box.json("run");
  const waited = await box.run("wait", id, "--json");
  assertEquals([waited.code, waited.stderr], [1, ""]);
  JSON.parse(waited.stdout);
  for (
    const args of [
      ["--version"],
      ["init"],
      ["status"],
      ["show", id],
      ["logs", id],
      ["retry", id],
      ["timeout", "list"],
      ["agents"],
      ["agents", "check", "shell"],
      ["config"],
      ["config", "init"],
      ["config", "set", "interval", "9"],
      ["completions", "bash"],
      ["cancel", "--all"],
      ["clean", "all", "--yes"],
      ["wait"],
      ["run", "--all", "--wait"],
      ["run", "--all"],
    ]
  ) {
    const { stdout, stderr } = await box.run("--json", ...args);
    assertEquals(stderr, "", args.join(" "));
    JSON.parse(stdout);
  }
});

Deno.test("the workspace is that of -C, else the nearest above; outside there is none", async () => {
  await using box = await makeBox();
  await using folder = await makeFolder();
  const id = await box.start("shell", "true");
  Deno.mkdirSync(`${box.root}/a/b`, { recursive: true });
  const below = await runProgram(`${box.root}/a/b`, ["status"]);
  assertStringIncludes(below.stdout, id);
  for (
    const args of [["-C", box.root, "status"], ["status", "-C", box.root], [
      `-C${box.root}`,
      "status",
    ]]
  ) {
    assertStringIncludes((await runProgram(folder.path, args)).stdout, id);
  }
  assertRefused(await runProgram(folder.path, ["-C", `${box.root}/a`, "status"]), 3);
  const outside = await runProgram("/", ["-C", folder.path, "status"]);
  assertStringIncludes(assertRefused(outside, 3), "orchestra init");
});

Deno.test("a stack trace is printed with --debug or ORCHESTRA_DEBUG=1, and never otherwise", async () => {
  await using box = await makeBox();
  const [plain, debug, ours, theirs] = await Promise.all([
    box.run("show", MISSING),
    box.run("--debug", "show", MISSING),
    box.runWith({ env: { ORCHESTRA_DEBUG: "1" } }, "show", MISSING),
    box.runWith({ env: { AGENT_DEBUG: "1" } }, "show", MISSING),
  ]);
  assertRefused(plain, 3);
  for (const { code, stderr } of [debug, ours, theirs]) {
    assertEquals(code, 3);
    assertMatch(stderr, /^\s+at /m);
  }
});

/** A copy of a workspace that the ancestor made. */
async function makeLegacyBox(): Promise<Box> {
  const folder = await makeFolder();
  writeLegacyWorkspace(folder.path);
  return openBox(folder.path);
}

Deno.test("a workspace of the ancestor is shown as it was left, and its files stay as they are", async () => {
  await using box = await makeLegacyBox();
  const status = await box.ok("status", "--no-auto-retry", "--all");
  const phases: Record<string, RegExp> = {
    [LEGACY.complete]: /complete/,
    [LEGACY.completeAfterDependency]: /complete/,
    [LEGACY.failedAndRetried]: /failed.*boom/,
    [LEGACY.failed]: /failed.*code 7/,
    [LEGACY.cancelled]: /cancelled/,
    [LEGACY.pending]: /ready/,
    [LEGACY.pendingRetry]: /ready/,
    [LEGACY.blocked]: new RegExp(`waiting.*${LEGACY.pendingRetry}`),
  };
  for (const [id, phase] of Object.entries(phases)) assertMatch(lineOf(status, id), phase);
  const ids = Object.keys(LEGACY_TASKS);
  const pages = await Promise.all(ids.map((id) => box.ok("show", id)));
  for (const [at, page] of pages.entries()) assertStringIncludes(page, ids[at]!);
  assertStringIncludes(await box.ok("logs", LEGACY.complete), "working on Your Task ID");
  const listed = await box.json("timeout", "list");
  assertEquals(listed.map((item: { taskId: string }) => item.taskId), [LEGACY.cancelled]);
  assertMatch(await box.ok("agents"), /^ok\s+✓ installed\s+sh\s+signals \.done/m);
  await box.fails(4, "retry", LEGACY.failedAndRetried);
  await box.fails(4, "cancel", LEGACY.complete);
  await box.fails(4, "timeout", LEGACY.failed);
  for (const [id, text] of Object.entries(LEGACY_TASKS)) {
    assertEquals(Deno.readTextFileSync(box.path(`tasks/${id}.json`)), text, id);
  }
});

Deno.test("a workspace of the ancestor goes on: run, retry, cancel, clean; what was blocked gets ready", async () => {
  await using box = await makeLegacyBox();
  // `ok` completes; the retry of `bad` fails again, which blocks what depends on it.
  const run = await box.run("run", "--all", "--wait", "--parallel", "3");
  assertEquals(run.code, 1, run.stderr);
  assertEquals(box.task(LEGACY.pending).status, "complete");
  assertStringIncludes(
    Deno.readTextFileSync(box.path(`logs/${LEGACY.pending}.log`)),
    "fifth waits",
  );
  assert(Deno.statSync(box.path(`workspace/${LEGACY.pending}.txt`)).isFile);
  const last = box.tasks().filter((task) => task.prompt === "second: this fails").at(-1)!;
  assertEquals([last.status, last.retryCount, last.errorMessage], ["failed", 2, "boom"]);
  assertMatch(
    lineOf(await box.ok("status"), LEGACY.blocked),
    new RegExp(`blocked.*Dependency ${last.taskId} failed`),
  );
  // The agent is mended; the retry of the dependency completes, and the blocked task runs.
  const config = `${box.root}/.orchestra-cli/agent-config.json`;
  const agents = JSON.parse(Deno.readTextFileSync(config));
  agents.agents.bad = agents.agents.ok;
  Deno.writeTextFileSync(config, JSON.stringify(agents));
  await box.ok("retry", last.taskId, "--max-retries", "3");
  assertStringIncludes(lineOf(await box.ok("status"), LEGACY.blocked), "waiting");
  assertEquals((await box.run("run", "--all", "--wait")).code, 0);
  assertEquals(box.task(LEGACY.blocked).status, "complete");
  assertEquals(box.task(LEGACY.failedAndRetried).status, "failed");

  const again = (await box.json("retry", LEGACY.failed)).taskId;
  assertEquals(box.task(LEGACY.failed).retriedBy, again);
  await box.ok("cancel", again);
  await box.ok("clean", LEGACY.cancelled, "--yes");
  await box.ok("clean", "all", "--yes");
  assertEquals(box.tasks(), []);
});

Deno.test("the environment of the tests themselves changes nothing", () => {
  const names = Object.keys(cleanEnv());
  assertEquals(names.filter((name) => name.startsWith("ORCHESTRA_") || name === "NO_COLOR"), []);
});
