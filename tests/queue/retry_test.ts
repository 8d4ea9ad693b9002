// Retries of their own accord, and what waits for them.

import type { Task } from "../../lib/task/fields.ts";
import { assert, assertEquals } from "../support/assert.ts";
import { forge } from "../support/gated.ts";
import { makeBox } from "../support/program.ts";
import { SHELL, test } from "../support/needs.ts";

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

test("what another try cannot mend is not retried", SHELL, async () => {
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

test("a dependency is met by the retry that completes", SHELL, async () => {
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

Deno.test("of two retries of the same task that nobody has named one runs", async () => {
  for (const command of [["run", "--all", "--wait"], ["run", "--all"]]) {
    await using box = await makeBox();
    const id = await box.start("shell", 'echo "$ORCHESTRA_TASK_ID" >>launched; exit 3');
    await box.run("run", "--wait");
    Deno.removeSync(`${box.root}/launched`);
    await box.ok("retry", id, "--max-retries", "5");
    const first = box.task(id).retriedBy!;
    const second = `task_${Number(first.slice(5)) + 1}`;
    const copy = JSON.stringify(box.task(first)).replaceAll(first, second);
    Deno.writeTextFileSync(box.path(`tasks/${second}.json`), copy);
    forge(box, id, { retriedBy: null, retriedAt: null });
    await box.run(...command);
    await box.settled(second);
    await box.run("run", "--all", "--wait");
    assertEquals(Deno.readTextFileSync(`${box.root}/launched`), `${second}\n`);
    assertEquals([box.task(first).status, box.task(id).retriedBy], ["cancelled", second]);
  }
});

test(
  "a task is handed on for a quota only so often, and what is unpaid is not waited for",
  SHELL,
  async () => {
    await using box = await makeBox();
    const rateLimit = { patterns: ["429"], resetPattern: "in ([\\d.]+s)", cooldown: 60 };
    const printing = (text: string) => ({
      command: "sh",
      args: ["-c", `echo '${text}'; exit 1`],
      rateLimit,
      usage: "codex",
    });
    box.agents({
      limited: printing('{"type":"error","message":"429, try again in 0.1s"}'),
      unpaid: printing('{"type":"error","message":"429 insufficient_quota"}'),
      broken: printing('{"type":"error","message":"fake failure 401"}'),
      // Its tool has read about quotas; it has not been refused itself.
      reads: printing(
        '{"type":"item.completed","item":{"type":"command_execution","aggregated_output":"429"}}',
      ),
    });
    box.config({ retry: { handovers: 1, base: 0.01 } });
    const [limited, unpaid, broken, reads] = await Promise.all(
      ["limited", "unpaid", "broken", "reads"].map((agent) =>
        box.start(agent, "x", "--auto-retry")
      ),
    );
    box.config({ retry: { handovers: 1, base: 0.01, on: ["billing", "rate-limit"] } });
    // It ends: nothing is asked for ever.
    assertEquals((await box.run("run", "--all", "--wait", "--parallel", "4")).code, 1);
    const second = box.task(box.task(limited!).retriedBy!);
    assertEquals([second.failureClass, second.retryAt, second.retriedBy], [
      "rate-limit",
      null,
      null,
    ]);
    assertEquals(second.retryCount, 0);
    // The second pause is longer than what its provider says.
    assert(Date.parse(second.laneUntil!) - Date.parse(second.completedAt!) >= 59_000);
    assertEquals(box.task(unpaid!).failureClass, "billing");
    assertEquals(
      [box.task(broken!).failureClass, box.task(broken!).errorMessage],
      ["exit", "Process exited with code 1: fake failure 401"],
    );
    assertEquals(box.task(reads!).failureClass, "exit");
    assertEquals(box.tasks().length, 5);
  },
);

test(
  "what waits for a paused agent goes to its fallback at once, launched by command or watcher",
  SHELL,
  async () => {
    for (const [first, ...args] of [["run", "--all", "--wait", "--parallel=1"], ["run", "--all"]]) {
      await using box = await makeBox();
      const rateLimit = { patterns: ["429"], resetPattern: "in (\\d+h)", cooldown: 60 };
      const prints = (what: string) => `echo ${what} >>"$ORCHESTRA_ROOT/launched"`;
      box.agents({
        limited: {
          command: "sh",
          args: ["-c", `${prints("limited")}; echo "429, try again in 2h"; exit 1`],
          completion: "exit",
          rateLimit,
          fallback: ["absent", "other"],
        },
        other: { command: "sh", args: ["-c", prints("other")], completion: "exit" },
      });
      box.config({ max_concurrent: 1 });
      const ids = [];
      for (let at = 0; at < 3; at++) ids.push(await box.start("limited", "x"));
      const own = await box.start("shell", "true");
      await box.run(first!, ...args);
      const [failed, ...waiting] = await Promise.all(ids.map((id) => box.settled(id)));
      const retry = await box.settled(
        await box.until("the retry", () => box.task(failed!.taskId).retriedBy),
      );
      await box.settled(own);
      for (const task of [retry, ...waiting]) {
        assertEquals([task.status, task.agent], ["complete", "other"]);
      }
      for (const task of [retry, ...waiting]) {
        assertEquals(task.labels, { "queued-for": "limited" });
      }
      const launched = Deno.readTextFileSync(`${box.root}/launched`).split("\n").filter(Boolean);
      assertEquals(launched.sort(), ["limited", "other", "other", "other"]);
    }
  },
);

test(
  "a task whose stand-in is paused as well goes to the next of its own agent",
  SHELL,
  async () => {
    await using box = await makeBox();
    const refuses = {
      command: "sh",
      args: ["-c", 'echo "429, try again in 2h"; exit 1'],
      completion: "exit",
      rateLimit: { patterns: ["429"], resetPattern: "in (\\d+h)", cooldown: 60 },
    };
    box.agents({
      first: { ...refuses, fallback: ["second", "third"] },
      second: refuses,
      third: { command: "true", args: [], completion: "exit" },
    });
    const ids = [await box.start("first", "x"), await box.start("first", "y")];
    await box.run("run", "--all", "--wait", "--parallel=1");
    for (let task of ids.map((id) => box.task(id))) {
      while (task.retriedBy !== null) task = box.task(task.retriedBy);
      assertEquals([task.status, task.agent], ["complete", "third"]);
      assertEquals(task.labels["queued-for"], "first");
    }
    assertEquals(box.tasks().filter(({ agent }) => agent === "second").length, 1);
  },
);
