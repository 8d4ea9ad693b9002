// agents.

import { assertEquals, assertMatch, assertStringIncludes } from "../support/assert.ts";
import { textIn } from "../support/gated.ts";
import { ON_WINDOWS, test } from "../support/needs.ts";
import { makeBox, runLine } from "../support/program.ts";

/** A shell by its name, as it is found on PATH, and its arguments before a line. */
const [SHELL, ...BEFORE] = Deno.build.os === "windows" ? ["cmd", "/d", "/s", "/c"] : ["sh", "-c"];

Deno.test("agents lists who is installed, and check launches its --version", async () => {
  await using box = await makeBox();
  box.agents({
    there: {
      command: SHELL,
      args: [],
      versionArgs: [...BEFORE, "echo v1.2"],
      description: "prints",
    },
    absent: { command: "no-such-program-anywhere" },
    broken: { command: 5 },
    lost: { command: SHELL, args: [], cwd: "nowhere" },
    sulky: { command: SHELL, args: [], versionArgs: [...BEFORE, "exit 3"] },
  });
  const table = await box.ok("agents");
  assertMatch(table, /^there\s+✓ installed\s+(?:sh|cmd)\s+prints/m);
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
  const lost = await box.fails(5, "agents", "check", "lost");
  assertStringIncludes(lost.message, 'its folder "nowhere" is no folder inside the workspace');
  const near = await box.fails(3, "agents", "check", "ther");
  assertStringIncludes(near.hint!, '"there"');
});

test(
  "what is on a server that an agent's definition names is not looked for",
  ON_WINDOWS,
  async () => {
    await using box = await makeBox();
    box.agents({ remote: { command: "\\\\server.invalid\\share\\x.exe" } });
    assertMatch(await box.ok("agents"), /^remote\s+on a server; not looked at/m);
    const rows = await box.json("agents");
    const row = rows.find(({ name }: { name: string }) => name === "remote");
    assertEquals([row.installed, row.onServer], [null, true]);
    const { findings } = JSON.parse((await box.run("doctor", "--json")).stdout);
    const codes = findings.filter(({ subject }: { subject: string }) => subject === "remote")
      .map(({ code }: { code: string }) => code);
    assertEquals(codes, ["agent-on-server"]);
  },
);

Deno.test("agents check --run sends one prompt, and shows what came back", async () => {
  await using box = await makeBox();
  const version = { versionArgs: runLine("echo v1").args };
  box.agents({
    able: {
      ...runLine(`echo '{"summary": "ready"}' >"$ORCHESTRA_DONE_FILE"`),
      ...version,
    },
    talker: { ...runLine("echo Please log in first"), ...version },
    spent: {
      ...runLine("echo rate limit exceeded; exit 1"),
      rateLimit: { patterns: ["rate limit"], cooldown: 1 },
      ...version,
    },
    plain: { ...runLine(), completion: "exit", ...version },
  });
  // One that has nothing to do with it is not launched, and its place does not matter.
  box.config({ max_concurrent: 1 });
  const other = await box.start("plain", "true");
  const able = await box.ok("agents", "check", "able", "--run");
  assertMatch(able, /exit code 0: v1\n✓ task_\d+ +\d+ +complete +able\n/);
  assertStringIncludes(able, "ready");
  assertMatch(await box.ok("agents", "check", "plain", "--run"), /complete +plain/);
  const talker = await box.run("agents", "check", "talker", "--run");
  assertEquals(talker.code, 1);
  assertMatch(talker.stdout, /failed +talker/);
  assertStringIncludes(talker.stdout, "wrote neither .done nor .error");
  assertStringIncludes(talker.stdout, "Please log in first");
  const spent = await box.run("agents", "check", "spent", "--run", "--json");
  assertEquals([spent.code, JSON.parse(spent.stdout).task.failureClass], [1, "rate-limit"]);
  assertEquals(box.task(other).status, "pending");
  // It is not tried again: nobody asked for that.
  const open = box.tasks().filter(({ status }) => status === "pending");
  assertEquals(open.map(({ taskId }) => taskId), [other]);
});

Deno.test("Ctrl+C during agents check --run ends the agent", async () => {
  await using box = await makeBox();
  box.agents({
    slow: { ...runLine("echo up; sleep 1000"), versionArgs: runLine("true").args },
  });
  await using live = box.live({}, "agents", "check", "slow", "--run");
  await box.until("the agent", () => {
    const [task] = box.tasks();
    return task !== undefined && textIn(`${box.root}/${task.logFile}`)?.includes("up");
  });
  live.kill("SIGINT");
  assertEquals((await live.ended()).code, 130);
  const task = await box.settled(box.tasks()[0]!.taskId);
  assertEquals([task.status, task.errorMessage], ["cancelled", "the check is over"]);
});

Deno.test(
  "agents check --run asks that agent, though it is paused and another stands in",
  async () => {
    await using box = await makeBox();
    const version = { versionArgs: runLine("exit 2").args };
    box.agents({
      spent: {
        ...runLine("echo rate limit exceeded; exit 1"),
        rateLimit: { patterns: ["rate limit"], cooldown: 600 },
        fallback: ["other"],
        ...version,
      },
      other: { ...runLine(), completion: "exit", ...version },
    });
    await box.ok("daemon", "start");
    for (let turn = 0; turn < 3; turn++) {
      const { code, stdout } = await box.run("--json", "agents", "check", "spent", "--run");
      const { task } = JSON.parse(stdout);
      assertEquals([code, task.agent, task.failureClass], [1, "spent", "rate-limit"]);
    }
    // What came back decides, not the exit code of --version.
    assertEquals((await box.run("agents", "check", "other", "--run")).code, 0);
    assertEquals((await box.run("agents", "check", "other")).code, 1);
  },
);
