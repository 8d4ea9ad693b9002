// Hooks as real programs: what they get, and what those can do that never end, print without end, or are
// not there.

import { hookLogPath, runHook } from "../../lib/notify/hook.ts";
import type { HistoryEvent } from "../../lib/task/event.ts";
import { assert, assertEquals, assertMatch, assertStringIncludes } from "../support/assert.ts";
import { ON_POSIX, test } from "../support/needs.ts";
import { lives, makeFolder } from "../support/program.ts";

const EVENT: HistoryEvent = {
  key: "task_1795338125627.1.complete",
  time: "2026-03-04T12:00:00.000Z",
  event: "complete",
  task: "task_1795338125627",
  title: "say 'hi' $(touch evil)",
};

async function run(script: string, timeout = 600, signal?: AbortSignal) {
  const folder = await makeFolder();
  Deno.mkdirSync(`${folder.path}/.orchestra`);
  const place = { root: folder.path, dir: `${folder.path}/.orchestra` };
  const hook = { name: "hook-1", run: ["sh", "-c", script], timeout };
  const outcome = await runHook(hook, EVENT, place, signal);
  return {
    outcome,
    root: folder.path,
    log: Deno.readTextFileSync(hookLogPath(place.dir)),
    [Symbol.asyncDispose]: () => folder[Symbol.asyncDispose](),
  };
}

test(
  "a hook gets the event on its input and in variables, and runs in the workspace",
  ON_POSIX,
  async () => {
    await using ran = await run(
      'cat >got; printf "%s\\n" "$ORCHESTRA_EVENT" "$ORCHESTRA_EVENT_TITLE" "$ORCHESTRA_ROOT" ' +
        '"[$ORCHESTRA_TASK_ID$ORCHESTRA_MARK]" >vars; echo out; echo err >&2',
    );
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

test(
  "a hook that reads nothing or fails is none of the queue's business, and is told",
  ON_POSIX,
  async () => {
    await using quiet = await run("exec <&-; exit 0");
    assertEquals(quiet.outcome.ok, true);
    await using failing = await run("exit 3");
    assertEquals(failing.outcome, { ok: false, problem: "exited with code 3" });
    await using killed = await run("kill -9 $$");
    assertEquals(killed.outcome, {
      ok: false,
      problem: "was ended by SIGKILL",
      isKilled: true,
    });
  },
);

test("a hook that never ends is ended with all it has started in its group", ON_POSIX, async () => {
  await using ran = await run(
    "trap '' TERM; sleep 1000 & echo $! >child; echo $$ >self; while :; do sleep 1000; done",
    1,
  );
  assertEquals(ran.outcome, { ok: false, problem: "was ended after 1 s" });
  for (const name of ["self", "child"]) {
    const pid = Number(Deno.readTextFileSync(`${ran.root}/${name}`));
    while (lives(pid)) await new Promise((resolve) => setTimeout(resolve, 5));
  }
});

test(
  "a hook that leaves something running in the background is over when it ends",
  ON_POSIX,
  async () => {
    await using ran = await run("sleep 600 & echo $! >child; echo done");
    assertEquals(ran.outcome.ok, true);
    Deno.kill(Number(Deno.readTextFileSync(`${ran.root}/child`)), "SIGKILL");
    assertMatch(ran.log, /^done$/m);
  },
);

test(
  "of 300 MB of output no more than one is kept, and none of it in memory",
  ON_POSIX,
  async () => {
    const before = Deno.memoryUsage().rss;
    await using ran = await run("head -c 300000000 /dev/zero");
    assertEquals(ran.outcome.ok, true);
    assert(ran.log.length < 1024 * 1024 + 1000, String(ran.log.length));
    assertMatch(ran.log, /29\d{7} more bytes of output are not kept/);
    assert(Deno.memoryUsage().rss - before < 150_000_000);
  },
);

test("a log that has grown is begun anew, and the last one is kept", ON_POSIX, async () => {
  await using folder = await makeFolder();
  const place = { root: folder.path, dir: folder.path };
  const hook = { name: "a", run: ["sh", "-c", "echo again"], timeout: 600 };
  Deno.writeTextFileSync(hookLogPath(folder.path), "x".repeat(1024 * 1024 + 1));
  await runHook(hook, EVENT, place);
  assertEquals(Deno.statSync(`${hookLogPath(folder.path)}.1`).size, 1024 * 1024 + 1);
  assertStringIncludes(Deno.readTextFileSync(hookLogPath(folder.path)), "again");
});

test("a program that is not there, or no program, is told and harms nobody", ON_POSIX, async () => {
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

test("a script that is not executable is told so, and how to mend it", ON_POSIX, async () => {
  await using folder = await makeFolder();
  const place = { root: folder.path, dir: folder.path };
  Deno.writeTextFileSync(`${folder.path}/it's.sh`, "#!/bin/sh\n", { mode: 0o644 });
  const hook = { name: "a", run: ["./it's.sh"], timeout: 600 };
  const { problem } = await runHook(hook, EVENT, place);
  assertEquals(problem, `"./it's.sh" is not executable: chmod +x './it'\\''s.sh'`);
});

test("what hooks print that run at the same time is not mixed", ON_POSIX, async () => {
  await using folder = await makeFolder();
  const place = { root: folder.path, dir: folder.path };
  // Each waits for the other between its two lines; the second does not end its last one.
  const script = 'echo "$1 begins"; touch "$1"; until [ -e "$2" ]; do :; done; printf "$1 ends"';
  const hook = (name: string, other: string) => {
    const run = ["sh", "-c", script, "sh", name, other];
    return runHook({ name, run, timeout: 600 }, EVENT, place);
  };
  await Promise.all([hook("one", "two"), hook("two", "one")]);
  const lines = Deno.readTextFileSync(hookLogPath(folder.path)).trimEnd().split("\n");
  assertEquals(lines.length, 8);
  for (const at of [0, 4]) {
    const name = /^--- \S+ (\w+): .*"sh"/.exec(lines[at]!)?.[1];
    assertEquals(lines.slice(at + 1, at + 3), [`${name} begins`, `${name} ends`]);
    assertMatch(lines[at + 3]!, new RegExp(`^--- \\S+ ${name}: .*: done$`));
  }
});

test(
  "a log that leads elsewhere is not followed, and the hook runs all the same",
  ON_POSIX,
  async () => {
    await using folder = await makeFolder();
    const place = { root: folder.path, dir: folder.path };
    Deno.writeTextFileSync(`${folder.path}/elsewhere`, "");
    Deno.symlinkSync(`${folder.path}/elsewhere`, hookLogPath(folder.path));
    const hook = { name: "a", run: ["sh", "-c", "echo x; touch ran"], timeout: 600 };
    assertEquals((await runHook(hook, EVENT, place)).ok, true);
    assertEquals(Deno.readTextFileSync(`${folder.path}/elsewhere`), "");
    Deno.statSync(`${folder.path}/ran`);
  },
);

test("a hook is ended when whoever watched leaves", ON_POSIX, async () => {
  const leave = new AbortController();
  await using folder = await makeFolder();
  const place = { root: folder.path, dir: folder.path };
  const hook = { name: "a", run: ["sh", "-c", "echo $$ >self; exec sleep 1000"], timeout: 600 };
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
