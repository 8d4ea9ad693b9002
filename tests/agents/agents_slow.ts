// Real agent programs through the whole product: `deno task test:agents` installs pinned versions
// of codex and opencode into a cache of its own, and lets them work on the model server of
// `model_server.ts`, with the presets that `init` writes. Each scenario has a workspace and a home
// of its own, and ends with a look for processes that know that home: there must be none. Nothing
// here sleeps; waiting is done by `orchestra wait` or by watching files.

import { formatTime, type Task } from "../../lib/task/fields.ts";
import { assert, assertEquals, assertMatch, assertStringIncludes } from "../support/assert.ts";
import { forge } from "../support/gated.ts";
import { test } from "../support/needs.ts";
import { type Lab, type LabOptions, MISSING, openLab, processesOf } from "./lab.ts";
import { USAGE } from "./model_server.ts";

/** US dollars that one answer of the model server costs by the prices in opencode's settings. */
const COST = ((USAGE.input - USAGE.cached) * 1 + USAGE.cached * 0.1 + USAGE.output * 10) / 1e6;

/** A test in a lab of its own, after which nothing of it may be left. */
function scenario(
  name: string,
  options: Pick<LabOptions, "daemon" | "scenario">,
  body: (lab: Lab) => Promise<void>,
): void {
  test(name, MISSING, async () => {
    const lab = await openLab({
      programs: ["codex", "opencode"],
      agents: ["codex", "opencode", "coder"],
      ...options,
    });
    const outcome = await body(lab).then(() => undefined, (error: unknown) => ({ error }));
    const wrong = await lab.close();
    // What went wrong first explains what was left.
    if (outcome !== undefined) throw outcome.error;
    assertEquals(wrong, []);
  });
}

function exists(path: string): boolean {
  try {
    return Deno.lstatSync(path) !== undefined;
  } catch {
    return false;
  }
}

function made(lab: Lab, file: string): string {
  return Deno.readTextFileSync(`${lab.root}/${file}`);
}

/** The task says of its usage what the model server answered; only opencode tells cost and turns. */
function assertConsumed(lab: Lab, task: Task): void {
  const answers = lab.asked(task.taskId).length;
  const { costUsd, turns, sessionId, ...tokens } = task.usage ?? {};
  assertEquals(tokens, {
    inputTokens: answers * USAGE.input,
    outputTokens: answers * USAGE.output,
    cachedTokens: answers * USAGE.cached,
  });
  assertMatch(sessionId ?? "", /^[\w-]{20,}$/);
  if (task.agent === "codex") return assertEquals([costUsd, turns], [undefined, undefined]);
  assertEquals(turns, answers);
  assert(Math.abs(costUsd! - answers * COST) < 1e-9, `${costUsd} US dollars`);
}

function assertComplete(lab: Lab, task: Task): void {
  const said = task.status === "complete" ? "" : made(lab, task.logFile).slice(-2000);
  assertEquals([task.status, task.errorMessage], ["complete", null], `${task.agent}: ${said}`);
}

/** Milliseconds since the epoch. */
function at(time: string | null): number {
  return Date.parse(time ?? "");
}

scenario("codex, opencode and coder make their files, signal, and are shown", {}, async (lab) => {
  const agents = ["codex", "opencode", "coder"];
  const ids = await Promise.all(
    agents.map((agent) =>
      lab.start(agent, `Write the files. [[model: success file=${agent}.txt,${agent}_2.txt]]`)
    ),
  );
  const tasks = await lab.settle(...ids);
  for (const [place, agent] of agents.entries()) {
    const task = tasks[place]!;
    assertComplete(lab, task);
    assertEquals([task.exitCode, task.retryCount], [0, 0]);
    const files = [`${agent}.txt`, `${agent}_2.txt`];
    for (const file of files) assertEquals(made(lab, file), "made by the agent\n");
    const summary = `Wrote ${files.join(" and ")}.`;
    assertEquals(task.result, { summary, files });
    const shown = await lab.ok("show", task.taskId);
    for (const text of [summary, ...files]) assertStringIncludes(shown, text);
    assertConsumed(lab, task);
  }
  // The sub-agent file is what opencode tells the model, and only where the preset asks for it.
  const subAgent = "carries out one task from a queue";
  assertStringIncludes(lab.asked(ids[2]!)[0]!.text, subAgent);
  assert(!lab.asked(ids[1]!)[0]!.text.includes(subAgent));
});

scenario(
  "codex and opencode work in worktrees of their own, and what they made is merged",
  {},
  async (lab) => {
    const git = (...args: string[]) => {
      const { success, stdout, stderr } = new Deno.Command("git", { args, cwd: lab.root })
        .outputSync();
      const decoder = new TextDecoder();
      assert(success, `git ${args.join(" ")}: ${decoder.decode(stderr)}`);
      return decoder.decode(stdout);
    };
    Deno.writeTextFileSync(`${lab.root}/readme.md`, "begin\n");
    git("init", "--quiet", "-b", "main");
    git("add", "readme.md");
    git("-c", "user.name=U", "-c", "user.email=u@example.org", "commit", "--quiet", "-m", "begin");
    const agents = ["codex", "opencode"];
    const ids = await Promise.all(
      agents.map((agent) =>
        lab.start(agent, `Write it. [[model: success file=${agent}.txt]]`, "--worktree")
      ),
    );
    const tasks = await lab.settle(...ids);
    for (const [place, agent] of agents.entries()) {
      const task = tasks[place]!;
      assertComplete(lab, task);
      assertEquals([task.git?.files, task.git?.left], [1, null]);
      assertEquals(git("show", `${task.git!.branch}:${agent}.txt`), "made by the agent\n");
      // Neither in the user's files nor in the other's.
      assertEquals(git("ls-tree", "--name-only", task.git!.branch), `${agent}.txt\nreadme.md\n`);
      assert(!exists(`${lab.root}/${agent}.txt`) && !exists(task.git!.path));
    }
    await lab.ok("merge", "--all");
    for (const agent of agents) assertEquals(made(lab, `${agent}.txt`), "made by the agent\n");
  },
);

scenario(
  "codex and opencode go on in their sessions and worktrees when a retry resumes them",
  {},
  async (lab) => {
    const git = (...args: string[]) => {
      const { success, stdout } = new Deno.Command("git", { args, cwd: lab.root }).outputSync();
      assert(success, `git ${args.join(" ")}`);
      return new TextDecoder().decode(stdout);
    };
    Deno.writeTextFileSync(`${lab.root}/readme.md`, "begin\n");
    git("init", "--quiet", "-b", "main");
    git("add", "readme.md");
    git("-c", "user.name=U", "-c", "user.email=u@example.org", "commit", "--quiet", "-m", "begin");
    const agents = ["codex", "opencode"];
    const ids = await Promise.all(
      agents.map((agent) =>
        lab.start(agent, `Write it. [[model: idle-first file=${agent}.txt]]`, "--worktree")
      ),
    );
    for (const task of await lab.settle(...ids)) assertEquals(task.failureClass, "no-signal");
    await lab.ok("retry", "--resume", ...ids);
    const again = ids.map((id) => lab.attempts(id)[1]!.taskId);
    const tasks = await lab.settle(...again);
    for (const [place, agent] of agents.entries()) {
      const [first, second] = [lab.attempts(ids[place]!)[0]!, tasks[place]!];
      assertComplete(lab, second);
      assertEquals(second.resumes, first.usage!.sessionId!);
      assertEquals(second.usage!.sessionId, second.resumes!);
      assertEquals(second.git!.branch, first.git!.branch);
      assertEquals(git("show", `${second.git!.branch}:${agent}.txt`), "made by the agent\n");
    }
  },
);

scenario("an agent that did nothing fails, and its retry is told what was missing", {
  daemon: false,
}, async (lab) => {
  const ids = await Promise.all([
    lab.start("codex", "[[model: idle-first file=codex.txt]]", "--auto-retry"),
    lab.start("opencode", "[[model: unsignalled-first file=opencode.txt]]", "--auto-retry"),
  ]);
  await lab.ok("run", "--all", "--parallel", "2", "--wait");
  for (const id of ids) {
    const [first, second, ...more] = lab.attempts(id);
    assertEquals(more, []);
    assertEquals([first!.status, first!.failureClass, first!.exitCode], ["failed", "no-signal", 0]);
    assertMatch(first!.errorMessage!, /wrote neither \.done nor \.error/);
    assertComplete(lab, second!);
    assertEquals([second!.retryCount, second!.parentTaskId], [1, id]);
    const [told] = lab.asked(second!.taskId);
    assertStringIncludes(told!.prompt, first!.errorMessage!);
    assertStringIncludes(told!.prompt, "This is attempt 2");
    assert(!lab.asked(id)[0]!.prompt.includes("earlier attempt"));
    assertEquals(made(lab, `${second!.agent}.txt`), "made by the agent\n");
    for (const task of [first!, second!]) assertConsumed(lab, task);
  }
});

scenario("what the model reports in .error is the task's error", {}, async (lab) => {
  const ids = await Promise.all(
    ["codex", "opencode"].map((agent) => lab.start(agent, "Build it. [[model: error]]")),
  );
  for (const task of await lab.settle(...ids)) {
    assertEquals([task.status, task.failureClass], ["failed", "agent-error"]);
    assertEquals(task.errorMessage, "the tests do not compile");
    assertEquals(task.errorDetails, "src/main.ts: expected an expression");
    const shown = await lab.ok("show", task.taskId);
    assertStringIncludes(shown, "the tests do not compile");
  }
});

scenario(
  "HTTP 401 and 500 end the agent with its exit code, and a retry may succeed",
  {},
  async (lab) => {
    const ids = await Promise.all([
      lab.start("codex", "[[model: 401]]"),
      lab.start("opencode", "[[model: 401]]"),
      lab.start("codex", "[[model: 500-first file=mended.txt]]", "--auto-retry"),
    ]);
    const tasks = await lab.settle(...ids);
    for (const task of tasks) {
      assertEquals([task.status, task.failureClass, task.exitCode], ["failed", "exit", 1]);
    }
    assertEquals(tasks.map((task) => task.retriedBy !== null), [false, false, true]);
    assertComplete(lab, lab.attempts(ids[2]!)[1]!);
    assertEquals(made(lab, "mended.txt"), "made by the agent\n");
  },
);

scenario("HTTP 429 pauses the agent's lane until the time told; others go on", {}, async (lab) => {
  const paused = async (id: string) => {
    const task = await lab.box.until("the pause", () => {
      const found = lab.box.task(id);
      return found.retriedBy !== null && found;
    });
    assertEquals([task.status, task.failureClass], ["failed", "rate-limit"]);
    assertMatch(task.errorMessage!, /Rate limit reached/);
    return task;
  };
  const [short, long] = await Promise.all([
    lab.start("codex", "[[model: 429-first as=event reset=5 file=codex.txt]]").then(paused),
    lab.start("opencode", "[[model: 429 reset=3600]]").then(paused),
  ]);
  for (const [task, seconds] of [[short, 5], [long, 3600]] as const) {
    const told = at(task.laneUntil) - at(task.completedAt);
    assert(Math.abs(told - seconds * 1000) < 1000, `paused for ${told} ms`);
  }
  const [behind, free] = await Promise.all([
    lab.start("codex", "[[model: success file=behind.txt]]"),
    lab.start("shell", "echo free > free.txt"),
  ]);
  await lab.settle(short.taskId, behind, free);
  const [, second, ...more] = lab.attempts(short.taskId);
  assertEquals(more, []);
  // A pause is no failure: it uses up no retry, and none was wanted.
  assertEquals([second!.retryCount, second!.autoRetry], [0, false]);
  for (const task of [second!, lab.box.task(behind)]) {
    assertComplete(lab, task);
    assert(at(task.startedAt) >= at(short.laneUntil), "it did not wait for the lane");
  }
  assertEquals(made(lab, "codex.txt"), "made by the agent\n");
  // All of that was done while the lane of opencode was paused, as it still is.
  assertComplete(lab, lab.box.task(free));
  const waiting = lab.box.task(long.retriedBy!);
  assertEquals([waiting.status, waiting.notBefore], ["pending", long.laneUntil]);
});

scenario("a spent subscription pauses codex until the date that it prints", {}, async (lab) => {
  const reset = Math.ceil(Date.now() / 60_000) * 60 + 2 * 86_400;
  const id = await lab.start("codex", `[[model: usage-limit at=${reset}]]`);
  const task = await lab.box.until("the successor", () => {
    const found = lab.box.task(id);
    return found.retriedBy !== null && found;
  });
  assertEquals([task.status, task.failureClass], ["failed", "rate-limit"]);
  assertEquals(at(task.laneUntil), reset * 1000);
  const successor = lab.box.task(task.retriedBy!);
  assertEquals([successor.status, at(successor.notBefore)], ["pending", reset * 1000]);
});

scenario(
  "a model that hangs is ended by the timeout, with the tool in its own session",
  { daemon: false },
  async (lab) => {
    // Within codex's own sandbox such a tool ends by itself.
    lab.edit("codex", (entry) => {
      entry.args = (entry.args as string[]).map((arg) =>
        arg === "workspace-write" ? "danger-full-access" : arg
      );
    });
    await lab.startDaemon();
    const codex = await lab.start(
      "codex",
      "[[model: hang-detached pid=codex.pid]]",
      "--timeout=1h",
    );
    const opencode = await lab.start("opencode", "[[model: hang-detached pid=opencode.pid]]");
    const tools = await Promise.all(["codex.pid", "opencode.pid"].map(async (file) => {
      await lab.toolBegan(file);
      const pid = Number(made(lab, file));
      assertEquals(sessionOf(pid), pid, "the tool has no session of its own");
      return pid;
    }));
    forge(lab.box, codex, { startedAt: formatTime(Date.now() - 7_200_000) });
    await lab.ok("timeout", opencode);
    const tasks = await lab.settle(codex, opencode);
    for (const task of tasks) {
      assertEquals([task.status, task.failureClass], ["failed", "timeout"]);
      assert(task.timedOutAt !== null);
      assertEquals(processesOf(lab, task.taskId), []);
    }
    assertEquals(tasks[0]!.errorMessage, "Task timed out after 1h00m");
    assertEquals(tools.map(sessionOf), [undefined, undefined]);
  },
);

scenario("a run that crosses its budget is ended", { daemon: false }, async (lab) => {
  lab.edit("opencode", (entry) => entry.budget = 1.5 * COST);
  await lab.startDaemon();
  const id = await lab.start("opencode", "[[model: spend answers=2]]", "--auto-retry");
  const [task] = await lab.settle(id);
  assertEquals([task!.status, task!.failureClass], ["failed", "budget"]);
  // Another try would cost as much again.
  assertEquals(task!.retriedBy, null);
  assertEquals(task!.usage?.turns, 2);
  assertMatch(task!.errorMessage!, /budget/);
});

scenario("cancel in the middle of a tool ends agent and tool", {}, async (lab) => {
  const agents = ["codex", "opencode"];
  const ids = await Promise.all(
    agents.map((agent) => lab.start(agent, `[[model: slow-tool pid=${agent}.pid]]`)),
  );
  await Promise.all(agents.map((agent) => lab.toolBegan(`${agent}.pid`)));
  // A process that is just being exchanged for another program shows no environment.
  for (const id of ids) {
    await lab.box.until(`the tool of ${id}`, () => processesOf(lab, id).length > 2);
  }
  await lab.ok("cancel", ...ids, "--reason", "not wanted any more");
  for (const id of ids) {
    assertEquals(processesOf(lab, id), []);
    const task = lab.box.task(id);
    assertEquals([task.status, task.errorMessage, task.reapAt], [
      "cancelled",
      "not wanted any more",
      null,
    ]);
  }
});

scenario(
  "two codex and one opencode run at once, and a fourth waits for all",
  { daemon: false },
  async (lab) => {
    const ids = await Promise.all(
      ["codex", "codex", "opencode"].map((agent, number) =>
        lab.start(agent, `[[model: success file=${number}.txt]]`)
      ),
    );
    const last = await lab.start(
      "codex",
      "[[model: success file=last.txt]]",
      ...ids.flatMap((id) => ["--depends-on", id]),
    );
    await lab.ok("run", "--all", "--parallel", "3");
    await lab.settle(...ids, last);
    const tasks = ids.map((id) => lab.box.task(id));
    for (const task of [...tasks, lab.box.task(last)]) assertComplete(lab, task);
    const began = tasks.map((task) => at(task.startedAt));
    const ended = tasks.map((task) => at(task.completedAt));
    assert(Math.max(...began) < Math.min(...ended), "they did not run at once");
    assert(at(lab.box.task(last).startedAt) >= Math.max(...ended), "it did not wait");
  },
);

scenario(
  "agents check --run shows in a moment whether login and sentinel work",
  {},
  async (lab) => {
    const able = await lab.run(["agents", "check", "codex", "--run"]);
    assertEquals(able.code, 0, JSON.stringify(able));
    assertStringIncludes(able.stdout, "codex-cli");
    assertStringIncludes(able.stdout, "3000 in");
  },
);

scenario("agents check --run says what is wrong", { scenario: "401" }, async (lab) => {
  const refused = await lab.run(["agents", "check", "codex", "--run"]);
  assertEquals(refused.code, 1, JSON.stringify(refused));
  assertStringIncludes(refused.stdout, "Incorrect API key provided");
});

scenario("a prompt of 200 KB reaches the model whole", {}, async (lab) => {
  const lines = Array.from({ length: 6000 }, (_, number) => `line ${number}: "${"ä".repeat(10)}"`);
  const text = `-- read this\n${lines.join("\n")}\n`;
  assert(new TextEncoder().encode(text).length > 200_000);
  const ids = await Promise.all(
    ["codex", "opencode"].map((agent) =>
      lab.start(agent, `${text}[[model: success file=${agent}.txt]]`)
    ),
  );
  for (const task of await lab.settle(...ids)) {
    assertComplete(lab, task);
    assertStringIncludes(lab.asked(task.taskId)[0]!.prompt, text);
  }
});

/** Session of a process; undefined where none has that id, a zombie included. */
function sessionOf(pid: number): number | undefined {
  try {
    const stat = Deno.readTextFileSync(`/proc/${pid}/stat`);
    const [state, , , session] = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    return state === "Z" || state === "X" ? undefined : Number(session);
  } catch {
    return undefined;
  }
}
