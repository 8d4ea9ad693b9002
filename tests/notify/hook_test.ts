// Hooks as real programs: what they get, and what those can do that never end, print without end, or are
// not there.

import { hookLogPath, runHook } from "../../lib/notify/hook.ts";
import type { HistoryEvent } from "../../lib/task/event.ts";
import { assert, assertEquals, assertMatch, assertStringIncludes } from "../support/assert.ts";
import { linking, MODES, ON_WINDOWS, SHELL, SIGNALS, test } from "../support/needs.ts";
import { lives, makeFolder } from "../support/program.ts";

const EVENT: HistoryEvent = {
  key: "task_1795338125627.1.complete",
  time: "2026-03-04T12:00:00.000Z",
  event: "complete",
  task: "task_1795338125627",
  title: "say 'hi' $(touch evil)",
};

/** Command line of a hook: a script for `sh` or, where there is none, one for Deno. */
function runScript(shell: string, script: string): string[] {
  return SHELL === null ? ["sh", "-c", shell] : [Deno.execPath(), "eval", "--no-config", script];
}

async function run(command: string[], timeout = 600, signal?: AbortSignal) {
  const folder = await makeFolder();
  Deno.mkdirSync(`${folder.path}/.orchestra`);
  const place = { root: folder.path, dir: `${folder.path}/.orchestra` };
  const hook = { name: "hook-1", run: command, timeout };
  const outcome = await runHook(hook, EVENT, place, signal);
  return {
    outcome,
    root: folder.path,
    log: Deno.readTextFileSync(hookLogPath(place.dir)),
    [Symbol.asyncDispose]: () => folder[Symbol.asyncDispose](),
  };
}

Deno.test(
  "a hook gets the event on its input and in variables, and runs in the workspace",
  async () => {
    await using ran = await run(runScript(
      'cat >got; printf "%s\\n" "$ORCHESTRA_EVENT" "$ORCHESTRA_EVENT_TITLE" "$ORCHESTRA_ROOT" ' +
        '"[$ORCHESTRA_TASK_ID$ORCHESTRA_MARK]" >vars; echo out; echo err >&2',
      `await Deno.writeFile("got", Deno.stdin.readable);
       const get = (name) => Deno.env.get("ORCHESTRA_" + name) ?? "";
       const marks = "[" + get("TASK_ID") + get("MARK") + "]";
       const words = [get("EVENT"), get("EVENT_TITLE"), get("ROOT"), marks, ""];
       Deno.writeTextFileSync("vars", words.join("\\n"));
       console.log("out");
       console.error("err");`,
    ));
    assertEquals(ran.outcome, { ok: true, problem: "" });
    assertEquals(JSON.parse(Deno.readTextFileSync(`${ran.root}/got`)), EVENT);
    assertEquals(Deno.readTextFileSync(`${ran.root}/vars`).split("\n"), [
      ...["complete", EVENT.title, ran.root, "[]"],
      "",
    ]);
    assertMatch(ran.log, /^out$/m);
    assertMatch(ran.log, /^err$/m);
    assertEquals([...Deno.readDirSync(ran.root)].some(({ name }) => name === "evil"), false);
  },
);

Deno.test("a hook that reads nothing or fails is none of the queue's business, and is told", async () => {
  await using quiet = await run(runScript("exec <&-; exit 0", "Deno.stdin.close()"));
  assertEquals(quiet.outcome.ok, true);
  await using failing = await run(runScript("exit 3", "Deno.exit(3)"));
  assertEquals(failing.outcome, { ok: false, problem: "exited with code 3" });
});

test("a hook that somebody kills is told as that", SIGNALS ?? SHELL, async () => {
  await using killed = await run(["sh", "-c", "kill -9 $$"]);
  assertEquals(killed.outcome, { ok: false, problem: "was ended by SIGKILL", isKilled: true });
});

Deno.test("a hook that never ends is ended with all it has started in its group", async () => {
  // Time enough to start what it starts, and to write that down.
  const timeout = SHELL === null ? 1 : 10;
  await using ran = await run(
    runScript(
      "trap '' TERM; sleep 1000 & echo $! >child; echo $$ >self; while :; do sleep 1000; done",
      `const args = ["eval", "setTimeout(() => {}, 1e6)"];
       const { pid } = new Deno.Command(Deno.execPath(), { args }).spawn();
       Deno.writeTextFileSync("child", String(pid));
       Deno.writeTextFileSync("self", String(Deno.pid));
       setTimeout(() => {}, 1e6);`,
    ),
    timeout,
  );
  assertEquals(ran.outcome, { ok: false, problem: `was ended after ${timeout} s` });
  for (const name of ["self", "child"]) {
    const pid = Number(Deno.readTextFileSync(`${ran.root}/${name}`));
    while (lives(pid)) await new Promise((resolve) => setTimeout(resolve, 5));
  }
});

Deno.test("a hook that leaves something running in the background is over when it ends", async () => {
  await using ran = await run(runScript(
    "sleep 600 & echo $! >child; echo done",
    `const args = ["eval", "setTimeout(() => {}, 1e6)"];
     const child = new Deno.Command(Deno.execPath(), { args, detached: true }).spawn();
     child.unref();
     Deno.writeTextFileSync("child", String(child.pid));
     console.log("done");`,
  ));
  assertEquals(ran.outcome.ok, true);
  Deno.kill(Number(Deno.readTextFileSync(`${ran.root}/child`)), "SIGKILL");
  assertMatch(ran.log, /^done$/m);
});

Deno.test("of 300 MB of output no more than one is kept, and none of it in memory", async () => {
  const before = Deno.memoryUsage().rss;
  await using ran = await run(runScript(
    "head -c 300000000 /dev/zero",
    "for (let left = 3e8; left > 0;) " +
      "left -= Deno.stdout.writeSync(new Uint8Array(Math.min(left, 1e5)));",
  ));
  assertEquals(ran.outcome.ok, true);
  assert(ran.log.length < 1024 * 1024 + 1000, String(ran.log.length));
  assertMatch(ran.log, /29\d{7} more bytes of output are not kept/);
  assert(Deno.memoryUsage().rss - before < 150_000_000);
});

Deno.test("a log that has grown is begun anew, and the last one is kept", async () => {
  await using folder = await makeFolder();
  const place = { root: folder.path, dir: folder.path };
  const hook = { name: "a", run: runScript("echo again", 'console.log("again")'), timeout: 600 };
  Deno.writeTextFileSync(hookLogPath(folder.path), "x".repeat(1024 * 1024 + 1));
  await runHook(hook, EVENT, place);
  assertEquals(Deno.statSync(`${hookLogPath(folder.path)}.1`).size, 1024 * 1024 + 1);
  assertStringIncludes(Deno.readTextFileSync(hookLogPath(folder.path)), "again");
});

Deno.test("a program that is not there, or no program, is told and harms nobody", async () => {
  await using folder = await makeFolder();
  const place = { root: folder.path, dir: folder.path };
  const gone = { name: "a", run: ["no-such-program-here", "x"], timeout: 600 };
  assertEquals(await runHook(gone, EVENT, place), {
    ok: false,
    problem: 'there is no program "no-such-program-here"',
  });
  Deno.writeTextFileSync(`${folder.path}/notes`, "no program", { mode: 0o755 });
  const odd = await runHook({ ...gone, run: ["./notes"] }, EVENT, place);
  assertEquals(odd.ok, false);
  const log = Deno.readTextFileSync(hookLogPath(folder.path));
  assertStringIncludes(log, 'there is no program "no-such-program-here"');
});

test("a script that is not executable is told so, and how to mend it", MODES, async () => {
  await using folder = await makeFolder();
  const place = { root: folder.path, dir: folder.path };
  Deno.writeTextFileSync(`${folder.path}/it's.sh`, "#!/bin/sh\n", { mode: 0o644 });
  const hook = { name: "a", run: ["./it's.sh"], timeout: 600 };
  const { problem } = await runHook(hook, EVENT, place);
  assertEquals(problem, `"./it's.sh" is not executable: chmod +x './it'\\''s.sh'`);
});

test("a script that Windows cannot run is told so, and how to mend it", ON_WINDOWS, async () => {
  await using folder = await makeFolder();
  const place = { root: folder.path, dir: folder.path };
  Deno.writeTextFileSync(`${folder.path}/a.js`, "");
  const hook = { name: "a", run: ["./a.js"], timeout: 600 };
  const { problem } = await runHook(hook, EVENT, place);
  assertStringIncludes(problem, "Windows cannot run ./a.js: name what runs it first");
});

Deno.test("what hooks print that run at the same time is not mixed", async () => {
  await using folder = await makeFolder();
  const place = { root: folder.path, dir: folder.path };
  // Each waits for the other between its two lines; the second does not end its last one.
  const command = runScript(
    'echo "$0 begins"; touch "$0"; until [ -e "$1" ]; do :; done; printf "$0 ends"',
    `const [name, other] = Deno.args;
     console.log(name + " begins");
     Deno.writeTextFileSync(name, "");
     while (!await Deno.stat(other).catch(() => null));
     Deno.stdout.writeSync(new TextEncoder().encode(name + " ends"));`,
  );
  const hook = (name: string, other: string) => {
    const run = [...command, name, other];
    return runHook({ name, run, timeout: 600 }, EVENT, place);
  };
  await Promise.all([hook("one", "two"), hook("two", "one")]);
  const lines = Deno.readTextFileSync(hookLogPath(folder.path)).trimEnd().split("\n");
  assertEquals(lines.length, 8);
  for (const at of [0, 4]) {
    const name = /^--- \S+ (\w+): .*\[/.exec(lines[at]!)?.[1];
    assertEquals(lines.slice(at + 1, at + 3), [`${name} begins`, `${name} ends`]);
    assertMatch(lines[at + 3]!, new RegExp(`^--- \\S+ ${name}: .*: done$`));
  }
});

test(
  "a log that leads elsewhere is not followed, and the hook runs all the same",
  linking(),
  async () => {
    await using folder = await makeFolder();
    const place = { root: folder.path, dir: folder.path };
    Deno.writeTextFileSync(`${folder.path}/elsewhere`, "");
    Deno.symlinkSync(`${folder.path}/elsewhere`, hookLogPath(folder.path));
    const hook = { name: "a", run: runScript("touch ran", 'Deno.createSync("ran")'), timeout: 600 };
    assertEquals((await runHook(hook, EVENT, place)).ok, true);
    assertEquals(Deno.readTextFileSync(`${folder.path}/elsewhere`), "");
    Deno.statSync(`${folder.path}/ran`);
  },
);

Deno.test("a hook is ended when whoever watched leaves", async () => {
  const leave = new AbortController();
  await using folder = await makeFolder();
  const place = { root: folder.path, dir: folder.path };
  const command = runScript(
    "echo $$ >self; exec sleep 1000",
    'Deno.writeTextFileSync("self", String(Deno.pid)); setTimeout(() => {}, 1e6);',
  );
  const hook = { name: "a", run: command, timeout: 600 };
  const running = runHook(hook, EVENT, place, leave.signal);
  const self = `${folder.path}/self`;
  const pid = () => {
    try {
      return Number(Deno.readTextFileSync(self));
    } catch {
      return 0;
    }
  };
  while (pid() === 0) await new Promise((resolve) => setTimeout(resolve, 5));
  leave.abort();
  assertEquals((await running).ok, false);
  assert(!lives(pid()));
});
