// How the end of an agent is known, and what is made of it.

import { assertEquals, assertStringIncludes } from "../support/assert.ts";
import { kill, lives, makeBox } from "../support/program.ts";
import { agentOf, gated, gone, shimOf } from "../support/gated.ts";
import { ON_LINUX, SHELL, test } from "../support/needs.ts";
import { AT_GATE, openGate } from "../support/shell.ts";

test(
  "an agent that is killed is settled by its exit code, a killed shim as lost",
  SHELL,
  async () => {
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
  },
);

test(
  "a sentinel settles the task at once; the agent gets its grace, and is ended after it",
  SHELL,
  async () => {
    await using box = await makeBox();
    // No rescan helps: whatever falls due must be known to fall due.
    box.config({ grace_period: 0.4, interval: 3600 });
    const done = `echo '{"summary": "made it", "files": ["a.txt"]}' >"$ORCHESTRA_DONE_FILE"; `;
    const stays = await box.start("signal", `${done} ${gated()}`);
    await box.ok("run");
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
  },
);

test(
  "an agent that signals and ends by itself has its exit code recorded beside its word",
  SHELL,
  async () => {
    await using box = await makeBox();
    box.config({ grace_period: 600, interval: 3600 });
    const id = await box.start("signal", ': >"$ORCHESTRA_DONE_FILE"; exit 3');
    await box.ok("run");
    const other = await box.settled(id);
    // Whether the sentinel or the exit was seen first, the sentinel is what the agent said.
    assertEquals([other.status, other.exitCode, other.failureClass], ["complete", 3, null]);
  },
);

test(
  "an error sentinel is read as JSON, as plain text, and when its agent ended in the middle of it",
  SHELL,
  async () => {
    await using box = await makeBox();
    box.config({ grace_period: 0.1 });
    const error = (text: string) => `printf '%s' '${text}' >"$ORCHESTRA_ERROR_FILE"`;
    const scripts: [string, string, string | null][] = [
      [error('{"error": "boom", "details": {"at": 5}}'), "boom", '{"at":5}'],
      [error("plain trouble\nsecond line"), "plain trouble", "second line"],
      [error(""), "The agent reported an error without saying which", null],
      [`${error('{"error": "torn')}; exit 0`, '{"error": "torn', null],
      [`${error('{"error": "both"}')}; echo ok >"$ORCHESTRA_DONE_FILE"`, "both", null],
    ];
    const ids = await Promise.all(scripts.map(([script]) => box.start("signal", script)));
    assertEquals((await box.run("run", "--all", "--wait", "--parallel", "5")).code, 1);
    for (const [at, [script, message, details]] of scripts.entries()) {
      const task = box.task(ids[at]!);
      assertEquals(
        [task.status, task.failureClass, task.errorMessage, task.errorDetails],
        ["failed", "agent-error", message, details],
        script,
      );
    }
  },
);

test(
  "completion decides how the end is known, and verify whether a success counts",
  SHELL,
  async () => {
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
  },
);

Deno.test("a task file that an editor began with a byte order mark is a task like any other", async () => {
  await using box = await makeBox();
  const id = await box.start("shell", "true");
  const path = box.path(`tasks/${id}.json`);
  Deno.writeTextFileSync(path, `\ufeff${Deno.readTextFileSync(path)}`);
  await box.ok("run", "--all", "--wait");
  assertEquals(box.task(id).status, "complete");
});

test(
  "an agent that tells its usage has time for its last answer, and the task is complete before",
  SHELL,
  async () => {
    await using box = await makeBox();
    box.config({ grace_period: 0.1, interval: 0.1 });
    const usage = '{"type":"turn.completed","usage":{"input_tokens":7,"output_tokens":3}}';
    const script = `: >"$ORCHESTRA_DONE_FILE"; ${AT_GATE}; echo '${usage}'`;
    box.agents({
      telling: { command: "sh", args: ["-c", "{userPrompt}"], usage: "codex" },
    });
    const id = await box.start("telling", script);
    const after = await box.start("--depends-on", id, "shell", "true");
    const silent = await box.start("signal", `: >"$ORCHESTRA_DONE_FILE"; exec sleep 1000`);
    await box.ok("run", "--all");
    // What tells nothing has its grace period, however long the other one takes.
    assertEquals((await box.settled(silent)).status, "complete");
    assertEquals((await box.settled(after)).status, "complete");
    assertEquals([box.task(id).status, box.task(id).usage], ["complete", null]);
    openGate(box, "\n");
    const { usage: told, exitCode } = await box.settled(id);
    assertEquals([told, exitCode], [{ inputTokens: 7, outputTokens: 3 }, 0]);
  },
);

test(
  "no tool outlives a failed agent: it has ended before the retry begins",
  ON_LINUX,
  async () => {
    for (const supervise of [true, false]) {
      await using box = await makeBox();
      box.config({ grace_period: 0.1, retry: { base: 0.01 }, supervise });
      // The tool runs in a session of its own, and the agent is killed as the system does it.
      // What nobody has collected yet does not live.
      const script = [
        "if [ -e first ]; then",
        '  case $(cut -d" " -f3 "/proc/$(cat first)/stat") in ""|Z) ;; *) echo >beside ;; esac',
        "  exit 0",
        "fi",
        "setsid sh -c 'echo $$ >first.new; mv first.new first; exec sleep 1000' </dev/null >/dev/null 2>&1 &",
        "while [ ! -e first ]; do sleep 0.01; done",
        "kill -9 $$",
      ].join("\n");
      const id = await box.start("shell", script, "--auto-retry");
      await box.run("run", "--wait");
      await box.run("status");
      if (!supervise) await box.run("run", "--all", "--wait");
      const { exitCode, retriedBy } = await box.settled(id);
      assertEquals(exitCode, 137);
      assertEquals((await box.settled(retriedBy!)).status, "complete");
      const names = [...Deno.readDirSync(box.root)].map(({ name }) => name);
      assertEquals([names.includes("first"), names.includes("beside")], [true, false]);
    }
  },
);
