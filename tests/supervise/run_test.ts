// What happens to agents, and what is made of it, whoever dies in between: real processes, killed
// for real.

import { createPosixLauncher } from "../../lib/launch/posix/launcher.ts";
import { formatTime, type Task } from "../../lib/task/fields.ts";
import { assert, assertEquals, assertMatch, assertStringIncludes } from "../support/assert.ts";
import {
  type Box,
  commandLine,
  kill,
  lives,
  makeBox,
  processesWith,
  spawn,
  withPatience,
} from "../support/program.ts";

/** Lets go all that wait at the gate, now or later; they print what is in it. */
function openGate(box: Box): void {
  Deno.writeTextFileSync(`${box.root}/gate.new`, "go\n");
  Deno.renameSync(`${box.root}/gate.new`, `${box.root}/gate`);
}

/** Shell that tells its pid in a file, waits at the gate, and ends with a code. */
const gated = (code = 0) =>
  `echo $$ >"$ORCHESTRA_WORKSPACE/$ORCHESTRA_TASK_ID"; ${AT_GATE}; exit ${code}`;
const AT_GATE = 'until cat "$ORCHESTRA_ROOT/gate" 2>/dev/null; do sleep 0.02; done';

/** Fulfilled with the pid that the agent of a task wrote down. */
function agentOf(box: Box, id: string): Promise<number> {
  return box.until(`the agent of ${id}`, () => numberIn(box.path(`workspace/${id}`)));
}

/** Fulfilled with the pid of the shim of a task's claim. */
function shimOf(box: Box, id: string, claim = 1): Promise<number> {
  return box.until(`the shim of ${id}`, () => numberIn(box.path(`tasks/${id}.${claim}.pid`)));
}

function numberIn(path: string): number | undefined {
  const match = /^(\d+)[ \n]/.exec(textIn(path) ?? "");
  return match === null ? undefined : Number(match[1]);
}

function textIn(path: string): string | undefined {
  try {
    return Deno.readTextFileSync(path);
  } catch {
    return undefined;
  }
}

/** Changes a task's file by hand, as a crash at the worst moment would leave it. */
function forge(box: Box, id: string, change: Partial<Task>): void {
  const path = box.path(`tasks/${id}.json`);
  Deno.writeTextFileSync(`${path}.forged`, JSON.stringify({ ...box.task(id), ...change }));
  Deno.renameSync(`${path}.forged`, path);
}

function gone(box: Box, pid: number): Promise<true> {
  return box.until(`the end of process ${pid}`, () => !lives(pid));
}

Deno.test("run leaves exactly one supervisor, which goes away when all is settled", async () => {
  await using box = await makeBox();
  const ids = await Promise.all([1, 2, 3, 4].map(() => box.start("shell", gated())));
  // Four at once, each launching one more: one of their supervisors stays.
  await Promise.all(ids.map(() => box.ok("run")));
  await Promise.all(ids.map((id) => agentOf(box, id)));
  const [supervisor] = await box.until("a single supervisor", () => {
    const found = box.supervisors();
    return found.length === 1 && found;
  });
  const info = JSON.parse(Deno.readTextFileSync(box.path("daemon.json")));
  assertEquals([info.pid, info.kind], [supervisor, "supervisor"]);
  assertStringIncludes(await box.ok("status"), `supervisor (pid ${supervisor}) watches over it`);
  assertEquals(box.supervisors(), [supervisor!]);
  openGate(box);
  // Nobody runs a command any more: it is the supervisor that settles them.
  for (const id of ids) assertEquals((await box.settled(id)).status, "complete");
  await box.unwatched();
  assertEquals(textIn(box.path("daemon.json")), undefined);
});

Deno.test("an agent that takes too long, or prints nothing for too long, is ended by the supervisor", async () => {
  await using box = await makeBox();
  const script = 'echo $$ >"$ORCHESTRA_WORKSPACE/$ORCHESTRA_TASK_ID"; exec sleep 1000';
  const [long, idle] = await Promise.all([
    box.start("shell", script, "--timeout", "0.3"),
    box.start("shell", script, "--idle-timeout", "0.3"),
  ]);
  await box.ok("run", "--parallel", "2");
  const [first, second] = await Promise.all([box.settled(long), box.settled(idle)]);
  assertEquals([first.status, first.failureClass], ["failed", "timeout"]);
  assertMatch(first.errorMessage!, /^Task timed out after 300ms$/);
  assert(first.timedOutAt !== null);
  assertEquals([second.status, second.failureClass], ["failed", "idle"]);
  for (const id of [long, idle]) assertEquals(lives(await agentOf(box, id)), false);
});

Deno.test("the supervisor takes a limit that is changed while the task runs", async () => {
  await using box = await makeBox();
  // No rescan helps: the change itself must be noticed.
  box.config({ interval: 3600 });
  const extended = await box.start("shell", gated(), "--timeout", "3");
  const canary = await box.start("shell", "exec sleep 1000", "--timeout", "3.3");
  const shortened = await box.start("shell", "exec sleep 1000", "--timeout", "1h");
  await box.ok("run", "--parallel", "3");
  await box.ok("timeout", "extend", extended, "1h");
  // By hand, for `extend` only gives: whoever changes the file, the new limit holds.
  forge(box, shortened, { timeout: 0.1 });
  assertEquals((await box.settled(shortened)).failureClass, "timeout");
  // When the canary is dead, the first limit of the other has passed.
  assertEquals((await box.settled(canary)).failureClass, "timeout");
  assertEquals(box.task(extended).status, "running");
  openGate(box);
  assertEquals((await box.settled(extended)).status, "complete");
});

Deno.test("when the supervisor is killed, the next status leaves a new one that settles the task", async () => {
  await using box = await makeBox();
  const id = await box.start("shell", gated(7), "--timeout", "1h");
  await box.ok("run");
  await agentOf(box, id);
  const [first] = await box.until("the supervisor", () => box.supervisors());
  await box.until("its taking over", () => textIn(box.path("daemon.json")) !== undefined);
  kill(first!, "SIGKILL");
  await gone(box, first!);
  await box.ok("status");
  const [second] = await box.until("another supervisor", () => {
    const found = box.supervisors();
    return found.length > 0 && found;
  });
  openGate(box);
  const task = await box.settled(id);
  assertEquals([task.status, task.exitCode], ["failed", 7]);
  assert(second !== first);
  await box.unwatched();
});

Deno.test("what ends while nobody watches is settled by the next command that looks", async () => {
  await using box = await makeBox();
  box.config({ supervise: false });
  const [good, bad] = await Promise.all([box.start("shell", "true"), box.start("shell", "exit 9")]);
  await box.ok("run", "--parallel", "2");
  assertEquals(box.supervisors(), []);
  for (const id of [good, bad]) {
    await box.until("the exit code", () => textIn(box.path(`tasks/${id}.exitcode`)));
    assertEquals(box.task(id!).status, "running");
  }
  const { tasks } = await box.json("status");
  assertEquals(tasks.map((task: Task) => task.exitCode).sort(), [0, 9]);
  assertEquals([box.task(good!).status, box.task(bad!).status], ["complete", "failed"]);
});

Deno.test("a claim whose owner died before the launch is taken back, and run once", async () => {
  await using box = await makeBox();
  const id = await box.start("shell", 'echo ran >>"$ORCHESTRA_WORKSPACE/count"');
  const claimed = {
    status: "running",
    claim: 1,
    startedAt: formatTime(Date.now() - 60_000),
  } as const;
  forge(box, id, claimed);
  const status = await box.run("status");
  assertStringIncludes(status.stderr, "Took back");
  assertEquals([box.task(id).status, box.task(id).startedAt], ["pending", null]);
  assertEquals(textIn(box.path(`tasks/${id}.1.pid`)), "fenced\n");
  // The shim of the first claim comes late after all: it finds its file taken.
  const launcher = createPosixLauncher();
  const late = launcher.launch({
    pidFile: box.path(`tasks/${id}.1.pid`),
    exitFile: box.path(`tasks/${id}.exitcode`),
    logFile: box.path("logs/late.log"),
    stdinFile: null,
    cwd: box.root,
    command: "sh",
    args: ["-c", `echo late >>${box.path("workspace/count")}`],
    env: {},
    inherit: null,
  });
  await withPatience("the late shim to end", late.ended);
  assertEquals(textIn(box.path("workspace/count")), undefined);
  await box.ok("run", "--wait");
  assertEquals([box.task(id).status, box.task(id).claim], ["complete", 2]);
  assertEquals(textIn(box.path("workspace/count")), "ran\n");
});

Deno.test("an agent that is killed is settled by its exit code, a killed shim as lost", async () => {
  await using box = await makeBox();
  // Nobody is told of the end of a process that is not its child: the rescan finds it.
  box.config({ interval: 0.3 });
  const [killed, lost] = await Promise.all([
    box.start("shell", gated()),
    box.start("shell", gated()),
  ]);
  await box.ok("run", "--parallel", "2");
  kill(await agentOf(box, killed), "SIGKILL");
  const first = await box.settled(killed);
  assertEquals([first.status, first.failureClass, first.exitCode], ["failed", "exit", 137]);
  const orphan = await agentOf(box, lost);
  kill(await shimOf(box, lost), "SIGKILL");
  const second = await box.settled(lost);
  assertEquals([second.status, second.failureClass], ["failed", "lost"]);
  // Its agent would go on without anybody who knows: a retry would run beside it.
  await gone(box, orphan);
});

Deno.test("a sentinel settles the task at once; the agent gets its grace, and is ended after it", async () => {
  await using box = await makeBox();
  // No rescan helps: whatever falls due must be known to fall due.
  box.config({ grace_period: 0.4, interval: 3600 });
  const done = `echo '{"summary": "made it", "files": ["a.txt"]}' >"$ORCHESTRA_DONE_FILE"; `;
  const [stays, leaves] = await Promise.all([
    box.start("signal", `${done} ${gated()}`),
    box.start("signal", `${done} exit 3`),
  ]);
  await box.ok("run", "--parallel", "2");
  const early = await box.until("the end of the task", () => {
    const task = box.task(stays);
    return task.status !== "running" && task.status !== "pending" && task;
  });
  assertEquals(early.status, "complete");
  if (early.reapAt !== null) {
    assertEquals(Date.parse(early.reapAt) - Date.parse(early.completedAt!), 400);
  }
  const task = await box.settled(stays);
  assertEquals(lives(await agentOf(box, stays)), false);
  assertEquals(task.result, { summary: "made it", files: ["a.txt"] });
  const other = await box.settled(leaves);
  // Whether the sentinel or the exit was seen first, the sentinel is what the agent said.
  assertEquals([other.status, other.exitCode, other.failureClass], ["complete", 3, null]);
});

Deno.test("an error sentinel is read as JSON, as plain text, and when it is only half there", async () => {
  await using box = await makeBox();
  box.config({ grace_period: 0.1 });
  const error = (text: string) => `printf '%s' '${text}' >"$ORCHESTRA_ERROR_FILE"`;
  const scripts: [string, string, string | null][] = [
    [error('{"error": "boom", "details": {"at": 5}}'), "boom", '{"at":5}'],
    [error("plain trouble\nsecond line"), "plain trouble", "second line"],
    [error(""), "The agent reported an error without saying which", null],
    // Half now, whole at once after it: nobody believes the half.
    [
      `${error('{"error": "wh')}; printf 'ole"}' >>"$ORCHESTRA_ERROR_FILE"; sleep 1000`,
      "whole",
      null,
    ],
    [`${error('{"error": "torn')}; exit 0`, '{"error": "torn', null],
    [`${error('{"error": "both"}')}; echo ok >"$ORCHESTRA_DONE_FILE"`, "both", null],
  ];
  const ids = await Promise.all(scripts.map(([script]) => box.start("signal", script)));
  assertEquals((await box.run("run", "--all", "--wait", "--parallel", "6")).code, 1);
  for (const [at, [script, message, details]] of scripts.entries()) {
    const task = box.task(ids[at]!);
    assertEquals(
      [task.status, task.failureClass, task.errorMessage, task.errorDetails],
      ["failed", "agent-error", message, details],
      script,
    );
  }
});

Deno.test("completion decides how the end is known, and verify whether a success counts", async () => {
  await using box = await makeBox();
  const shell = (rest: Record<string, unknown>) => ({
    command: "sh",
    args: ["-c", "{userPrompt}"],
    completion: "exit",
    ...rest,
  });
  box.agents({
    passes: shell({ verify: ["sh", "-c", 'echo checked; test -e "$ORCHESTRA_WORKSPACE/made"'] }),
    rejects: shell({ verify: ["sh", "-c", "exit 4"], completion: "sentinel" }),
    absent: { command: "no-such-program-anywhere" },
    dir: { command: "/tmp" },
  });
  const done = 'touch "$ORCHESTRA_DONE_FILE"';
  const cases: [string, string, string, string | null][] = [
    ["signal", done, "complete", null],
    ["signal", `${done}; exit 3`, "complete", null],
    ["signal", "true", "failed", "no-signal"],
    ["signal", "exit 3", "failed", "exit"],
    ["shell", "true", "complete", null],
    ["shell", `${done}; exit 3`, "failed", "exit"],
    ["shell", `touch "$ORCHESTRA_ERROR_FILE"`, "complete", null],
    ["auto", "true", "complete", null],
    ["auto", `${done}; exit 3`, "complete", null],
    ["auto", 'touch "$ORCHESTRA_ERROR_FILE"', "failed", "agent-error"],
    ["auto", "exit 3", "failed", "exit"],
    ["passes", 'touch "$ORCHESTRA_WORKSPACE/made"', "complete", null],
    ["rejects", done, "failed", "verify"],
    ["absent", "x", "failed", "spawn"],
    ["dir", "x", "failed", "spawn"],
  ];
  const ids = await Promise.all(cases.map(([agent, script]) => box.start(agent, script)));
  await box.run("run", "--all", "--wait", "--parallel", "15");
  for (const [at, [agent, script, status, failure]] of cases.entries()) {
    const task = box.task(ids[at]!);
    assertEquals([task.status, task.failureClass], [status, failure], `${agent}: ${script}`);
  }
  const noSignal = box.task(ids[2]!).errorMessage!;
  assertStringIncludes(noSignal, '"completion": "exit"');
  assertStringIncludes(Deno.readTextFileSync(box.path(`logs/${ids[11]}.log`)), "checked");
});

Deno.test("an agent sees the variables of its task, and with passEnv no others of ours", async () => {
  await using box = await makeBox();
  box.agents({
    open: { command: "env", args: [], completion: "exit" },
    closed: {
      command: "env",
      args: [],
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
  assertEquals(seen.ORCHESTRA_DONE_FILE, box.path(`tasks/${closed}.done`));
  assert(seen.PATH !== undefined && seen.HOME !== undefined);
});

Deno.test("an agent runs in the root or in a folder inside it, never outside", async () => {
  await using box = await makeBox();
  Deno.mkdirSync(`${box.root}/inside/deep`, { recursive: true });
  Deno.symlinkSync("/tmp", `${box.root}/escape`);
  const pwd = (cwd?: string) => ({ command: "pwd", args: ["-P"], completion: "exit", cwd });
  box.agents({
    root: pwd(),
    inside: pwd("inside/{agent}/../deep"),
    absolute: pwd(`${box.root}/inside`),
    above: pwd(".."),
    outside: pwd("/tmp"),
    escape: pwd("escape"),
    absent: pwd("nowhere"),
  });
  Deno.mkdirSync(`${box.root}/inside/inside`);
  const names = ["root", "inside", "absolute", "above", "outside", "escape", "absent"];
  const ids = await Promise.all(names.map((name) => box.start(name, "x")));
  await box.run("run", "--all", "--wait", "--parallel", "7");
  const log = (at: number) => textIn(box.path(`logs/${ids[at]}.log`))?.trimEnd();
  assertEquals([log(0), log(1), log(2)], [
    box.root,
    `${box.root}/inside/deep`,
    `${box.root}/inside`,
  ]);
  for (const at of [3, 4, 5, 6]) {
    const task = box.task(ids[at]!);
    assertEquals([task.status, task.failureClass], ["failed", "spawn"], names[at]);
    assertStringIncludes(task.errorMessage!, "not inside the workspace");
    assertEquals(log(at) ?? "", "");
  }
});

Deno.test("a prompt arrives byte for byte: by argument, by stdin and by file", async () => {
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

Deno.test("a prompt of a megabyte goes by stdin or file, and is refused where an argument must hold it", async () => {
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
});

Deno.test("agents survive the death of what launched them; log and exit code are recorded", async () => {
  await using box = await makeBox();
  const id = await box.start("shell", `echo before; ${gated(5)}`);
  await using waiting = box.live({}, "run", "--wait");
  const agent = await agentOf(box, id);
  waiting.kill("SIGKILL");
  await waiting.ended();
  assert(lives(agent));
  openGate(box);
  await box.until("the exit code", () => textIn(box.path(`tasks/${id}.exitcode`)));
  assertEquals(textIn(box.path(`logs/${id}.log`)), "before\ngo\n");
  assertEquals(box.task(id).status, "running");
  const waited = await box.run("wait", id);
  assertEquals(waited.code, 1);
  assertEquals([box.task(id).status, box.task(id).exitCode], ["failed", 5]);
});

Deno.test("a shim that slept before it could tell its number is waited for, a dead one is not", async () => {
  await using box = await makeBox();
  const [slept, verifies, died] = [
    await box.start("shell", "true"),
    await box.start("shell", "true", "--verify", "true"),
    await box.start("shell", "true"),
  ];
  const started = formatTime(Date.now() - 3_600_000);
  const empty = (id: string, name: string) => {
    const path = box.path(`tasks/${id}.${name}`);
    Deno.writeTextFileSync(path, "");
    Deno.utimeSync(path, new Date(started), new Date(started));
  };
  for (const id of [slept, verifies, died]) {
    forge(box, id, { status: "running", claim: 1, startedAt: started });
    empty(id, id === verifies ? "verify.1.pid" : "1.pid");
  }
  Deno.writeTextFileSync(box.path(`tasks/${verifies}.exitcode`), "0\n");
  {
    const env = (id: string) => ({ cwd: box.root, env: { ORCHESTRA_TASK_ID: id } });
    await using _shim = spawn("sleep", ["1000"], env(slept));
    await using _verify = spawn("sleep", ["1000"], env(verifies));
    await box.ok("status");
    assertEquals(box.task(slept).status, "running");
    assertEquals(box.task(verifies).status, "running");
    assertEquals(box.task(died).failureClass, "lost");
  }
  await box.ok("status");
  assertEquals(box.task(slept).failureClass, "lost");
  assertEquals(box.task(verifies).failureClass, "verify");
});

Deno.test("a process that has got the number of a dead one is never signalled", async () => {
  await using box = await makeBox();
  box.config({ grace_period: 0.1 });
  await using stranger = spawn("sleep", ["1000"], { cwd: box.root });
  const ids = await Promise.all([1, 2, 3, 4].map(() => box.start("shell", "true")));
  const [looked, cancelled, timedOut, legacy] = ids as [string, string, string, string];
  const started = formatTime(Date.now());
  for (const id of [looked, cancelled, timedOut]) {
    // Its number, and the start time of another.
    const own = textIn("/proc/sys/kernel/random/boot_id")?.trim() ?? "-";
    Deno.writeTextFileSync(box.path(`tasks/${id}.1.pid`), `${stranger.pid} ${own} 12345\n`);
    forge(box, id, { status: "running", claim: 1, startedAt: started, pid: stranger.pid });
  }
  // The ancestor wrote numbers alone: they prove nothing of what began at another time.
  const earlier = formatTime(Date.now() - 3_600_000);
  forge(box, legacy, { status: "running", claim: 0, startedAt: earlier, pid: stranger.pid });
  await box.ok("cancel", cancelled, legacy);
  await box.run("timeout", timedOut);
  await box.ok("status");
  assertEquals(box.task(looked).failureClass, "lost");
  assertEquals(box.task(cancelled).status === "running", false);
  assertEquals(box.task(legacy).status, "cancelled");
  await Promise.all(ids.map((id) => box.settled(id)));
  assert(lives(stranger.pid));
});

Deno.test("cancel ends the processes itself where whoever watches does not", async () => {
  await using box = await makeBox();
  const id = await box.start("shell", gated());
  await box.ok("run");
  const agent = await agentOf(box, id);
  const [supervisor] = await box.until("the supervisor", () => {
    const found = box.supervisors();
    return found.length > 0 && found;
  });
  kill(supervisor!, "SIGSTOP");
  await box.ok("cancel", id);
  assert(!lives(agent));
  assertEquals([box.task(id).status, box.task(id).reapAt], ["cancelled", null]);
  kill(supervisor!, "SIGCONT");
  await box.unwatched();
});

Deno.test("an agent may cancel itself: all of it ends but the command, which tells how it went", async () => {
  await using box = await makeBox();
  const command = commandLine().map((part) => `'${part}'`).join(" ");
  const script = `sh -c 'echo $$ >"$ORCHESTRA_WORKSPACE/child"; exec sleep 1000' &
    ${command} cancel "$ORCHESTRA_TASK_ID" --reason "had enough" >"$ORCHESTRA_WORKSPACE/said"
    echo "went on" >"$ORCHESTRA_WORKSPACE/after"; sleep 1000`;
  const id = await box.start("shell", script);
  await box.ok("run");
  const task = await box.settled(id);
  assertEquals([task.status, task.errorMessage], ["cancelled", "had enough"]);
  const said = await box.until("what it said", () => textIn(box.path("workspace/said")) || null);
  assertEquals(said, `Cancelled ${id}\n`);
  await gone(box, numberIn(box.path("workspace/child"))!);
  await box.until(
    "the end of all of it",
    () => processesWith("environ", [`ORCHESTRA_TASK_ID=${id}`]).length === 0,
  );
  assertEquals(textIn(box.path("workspace/after")), undefined);
});

Deno.test("a failed task is retried by itself as often as it may, and each attempt knows the others", async () => {
  await using box = await makeBox();
  box.config({ retry: { base: 0.01, jitter: false } });
  const id = await box.start("shell", "echo attempt; exit 3", "--auto-retry", "--max-retries", "3");
  const never = await box.start("shell", "exit 3");
  assertEquals((await box.run("run", "--all", "--wait")).code, 1);
  const chain: Task[] = [box.task(id)];
  while (chain.at(-1)!.retriedBy !== null) chain.push(box.task(chain.at(-1)!.retriedBy!));
  assertEquals(chain.map((task) => task.retryCount), [0, 1, 2, 3]);
  assertEquals(chain.map((task) => task.status), Array(4).fill("failed"));
  assertEquals(chain.map((task) => task.parentTaskId), [null, id, id, id]);
  assertEquals(
    chain.at(-1)!.retryHistory.map((entry) => [entry.retriedFrom, entry.error]),
    chain.slice(0, 3).map((task) => [task.taskId, "Process exited with code 3"]),
  );
  // The wait doubles: 10, 20, 40 ms at least lie between the end and the next attempt.
  for (const [at, task] of chain.slice(0, 3).entries()) {
    const waited = Date.parse(task.retriedAt!) - Date.parse(task.completedAt!);
    assert(waited >= 10 * 2 ** at, `${waited} ms before retry ${at + 1}`);
  }
  assertEquals([box.task(never).retriedBy, box.tasks().length], [null, 5]);
});

Deno.test("what another try cannot mend is not retried", async () => {
  await using box = await makeBox();
  box.config({ retry: { base: 0.01, on: ["timeout"] } });
  box.agents({ absent: { command: "no-such-program-anywhere" } });
  await Promise.all([
    box.start("absent", "x", "--auto-retry"),
    box.start("shell", "exit 1", "--auto-retry"),
    box.start("shell", "exec sleep 1000", "--auto-retry", "--timeout", "0.1", "--max-retries", "1"),
  ]);
  await box.run("run", "--all", "--wait");
  assertEquals(
    box.tasks().map((task) => `${task.failureClass} ${task.retryCount}`).sort(),
    ["exit 0", "spawn 0", "timeout 0", "timeout 1"],
  );
});

Deno.test("a dependency is met by the retry that completes", async () => {
  await using box = await makeBox();
  box.config({ retry: { base: 0.01 } });
  const once = 'cd "$ORCHESTRA_WORKSPACE"; test -e tried || { touch tried; exit 1; }';
  const id = await box.start("shell", once, "--auto-retry");
  const next = await box.start("shell", "true", "--depends-on", id);
  const last = await box.start("shell", "true", "--depends-on", next);
  const outcome = await box.run("run", "--all", "--wait", "--parallel", "3");
  assertEquals(outcome.code, 0, outcome.stdout + outcome.stderr);
  assertEquals([box.task(id).status, box.task(last).status], ["failed", "complete"]);
});

Deno.test("twenty tasks and four that run them at once: each is launched once", async () => {
  await using box = await makeBox();
  const lines = Array.from(
    { length: 20 },
    () =>
      JSON.stringify({
        agent: "shell",
        prompt: 'echo "$ORCHESTRA_TASK_ID" >>"$ORCHESTRA_WORKSPACE/ran"',
      }),
  );
  await box.runWith({ stdin: lines.join("\n") }, "start", "--from", "-");
  await Promise.all([
    box.run("run", "--all", "--wait", "--parallel", "4"),
    box.run("run", "--all", "--parallel", "4"),
    box.run("run", "--parallel", "4"),
    box.run("run", "--all", "--wait", "--parallel", "4"),
  ]);
  assertEquals((await box.run("wait")).code, 0);
  const ran = textIn(box.path("workspace/ran"))!.trimEnd().split("\n");
  assertEquals(ran.sort(), box.tasks().map((task) => task.taskId));
  assertEquals(
    box.tasks().map((task) => [task.status, task.claim]),
    Array(20).fill(["complete", 1]),
  );
});

Deno.test("two hundred processes that start a task at once make two hundred tasks", async () => {
  await using box = await makeBox();
  const outcomes = await Promise.all(
    Array.from({ length: 200 }, (_, at) => box.run("start", "-q", "shell", `echo ${at}`)),
  );
  const ids = outcomes.map(({ code, stdout, stderr }) => {
    assertEquals([code, stderr], [0, ""]);
    return stdout.trim();
  });
  assertEquals(new Set(ids).size, 200);
  for (const [at, id] of ids.entries()) assertEquals(box.task(id).prompt, `echo ${at}`);
  const names = [...Deno.readDirSync(box.path("tasks"))].map((item) => item.name);
  assertEquals(names.sort(), ids.map((id) => `${id}.json`).sort());
});

Deno.test("a task file that an editor began with a byte order mark is a task like any other", async () => {
  await using box = await makeBox();
  const id = await box.start("shell", "true");
  const path = box.path(`tasks/${id}.json`);
  Deno.writeTextFileSync(path, `\ufeff${Deno.readTextFileSync(path)}`);
  await box.ok("run", "--all", "--wait");
  assertEquals(box.task(id).status, "complete");
});

Deno.test("run --wait and wait count a task that is archived before they end", async () => {
  await using box = await makeBox();
  box.config({ archive: { max_completed_age_days: 0, max_failed_age_days: 0 } });
  const fails = await box.start("shell", "exit 3");
  const waits = await box.start("shell", gated());
  await using running = box.live({}, "run", "--all", "--wait", "--parallel", "2");
  await box.until("the failure", () => box.task(fails).status === "failed");
  await using waiting = box.live({}, "wait", fails, waits);
  await agentOf(box, waits);
  await box.ok("archive");
  openGate(box);
  assertEquals((await running.ended()).code, 1);
  assertEquals((await waiting.ended()).code, 1);
  assertEquals((await box.run("wait", fails)).code, 1);
  await box.ok("wait", waits);
});

Deno.test("what run --all began goes on with the next look, after its supervisor was killed", async () => {
  await using box = await makeBox();
  const ids = [
    await box.start("shell", gated()),
    await box.start("shell", "true"),
    await box.start("shell", "true"),
  ];
  await box.ok("run", "--all", "--parallel", "1");
  await agentOf(box, ids[0]!);
  const supervisor: number = await box.until(
    "the supervisor",
    () => JSON.parse(textIn(box.path("daemon.json")) ?? "{}").pid,
  );
  kill(supervisor, "SIGKILL");
  await gone(box, supervisor);
  openGate(box);
  await box.ok("status");
  for (const id of ids) assertEquals((await box.settled(id)).status, "complete");
  await box.unwatched();
  assertEquals(textIn(box.path("daemon.json")), undefined);
});

Deno.test("archive and clean keep chains together, and what is not theirs, and go on past what they cannot move", async () => {
  await using box = await makeBox();
  box.config({ archive: { max_completed_age_days: 0, max_failed_age_days: 9 } });
  const first = await box.start("shell", 'test -e "$ORCHESTRA_ROOT/ok"');
  await box.run("run", "--wait");
  Deno.writeTextFileSync(`${box.root}/ok`, "");
  await box.ok("retry", first);
  await box.ok("run", "--wait");
  const second = box.task(first).retriedBy!;
  const other = await box.start("shell", "true");
  const odd = await box.start("shell", "true");
  await box.ok("run", "--all", "--wait");
  const needs = await box.start("shell", "true", "--depends-on", first);
  forge(box, odd, { planFile: "../../outside" });
  for (const name of [`${other}.json.bak`, `${other}.notes`]) {
    Deno.writeTextFileSync(box.path(`tasks/${name}`), "mine");
  }
  Deno.mkdirSync(box.path(`archive/${odd}.log`));
  assertEquals((await box.run("archive")).code, 5);
  // The successful retry stays with the first attempt, which is not old enough.
  assertEquals(box.tasks().map(({ taskId }) => taskId).sort(), [first, second, odd, needs].sort());
  assertEquals(textIn(box.path(`tasks/${other}.json.bak`)), "mine");
  assertEquals(textIn(box.path(`tasks/${other}.notes`)), "mine");
  // Needed are both, for a pending task depends on the first; the odd one cannot be removed.
  assertEquals((await box.run("clean", "all", "--yes")).code, 5);
  assertEquals(box.tasks().map(({ taskId }) => taskId).sort(), [first, second, odd, needs].sort());
  await box.ok("cancel", needs);
  await box.ok("clean", "completed", "--yes").catch(() => {});
  assertEquals(textIn(box.path(`tasks/${second}.json`)), undefined);
  // Its retry is gone: it may be retried again.
  await box.ok("retry", first);
});
