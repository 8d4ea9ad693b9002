// Claims and the processes behind them: whoever died in between, each is run once, and nobody else's is touched.

import type { LaunchSpec } from "../../lib/launch/launcher.ts";
import { claim } from "../../lib/queue/claim.ts";
import { loadRules, openQueue } from "../../lib/queue/queue.ts";
import { openStore } from "../../lib/store/tasks.ts";
import type { AgentDefinition } from "../../lib/task/agent.ts";
import { processMark } from "../../lib/task/marks.ts";
import { createPosixLauncher } from "../../lib/launch/posix/launcher.ts";
import { formatTime, type Task } from "../../lib/task/fields.ts";
import { assert, assertEquals, assertStringIncludes, assertThrows } from "../support/assert.ts";
import { IDLE, lives, makeBox, spawn, withPatience } from "../support/program.ts";
import { exitIn, forge, textIn } from "../support/gated.ts";
import { ON_POSIX, SHELL, test } from "../support/needs.ts";

Deno.test("what ends while nobody watches is settled by the next command that looks", async () => {
  await using box = await makeBox();
  box.config({ supervise: false });
  const [good, bad] = await Promise.all([box.start("shell", "true"), box.start("shell", "exit 9")]);
  await box.ok("run", "--parallel", "2");
  assertEquals(box.supervisors(), []);
  for (const id of [good, bad]) {
    await box.until("the exit code", () => exitIn(box, id));
    assertEquals(box.task(id!).status, "running");
  }
  const { tasks } = await box.json("status");
  assertEquals(tasks.map((task: Task) => task.exitCode).sort(), [0, 9]);
  assertEquals([box.task(good!).status, box.task(bad!).status], ["complete", "failed"]);
});

test("a claim whose owner died before the launch is taken back, and run once", SHELL, async () => {
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

Deno.test(
  "a shim that slept before it could tell its number is waited for, a dead one is not",
  async () => {
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
      const ordered = id === verifies ? { verifyClaim: 1, verifyAt: started } : {};
      forge(box, id, { status: "running", claim: 1, startedAt: started, ...ordered });
      empty(id, id === verifies ? "verify.1.pid" : "1.pid");
    }
    Deno.writeTextFileSync(box.path(`tasks/${verifies}.exitcode`), "0\n");
    {
      const { identity } = openStore(box.root);
      const env = (id: string) => ({
        cwd: box.root,
        env: { ORCHESTRA_MARK: processMark(identity, id) },
      });
      await using _shim = spawn(...IDLE, env(slept));
      await using _verify = spawn(...IDLE, env(verifies));
      await box.ok("status");
      assertEquals(box.task(slept).status, "running");
      assertEquals(box.task(verifies).status, "running");
      assertEquals(box.task(died).failureClass, "lost");
    }
    await box.ok("status");
    assertEquals(box.task(slept).failureClass, "lost");
    assertEquals(box.task(verifies).failureClass, "verify");
  },
);

Deno.test("a process that has got the number of a dead one is never signalled", async () => {
  await using box = await makeBox();
  box.config({ grace_period: 0.1 });
  await using stranger = spawn(...IDLE, { cwd: box.root });
  const ids = await Promise.all([1, 2, 3, 4].map(() => box.start("shell", "true")));
  const [looked, cancelled, timedOut, legacy] = ids as [string, string, string, string];
  const started = formatTime(Date.now());
  for (const id of [looked, cancelled, timedOut]) {
    // Its number, and the start time of another.
    // Wine shows what Linux says of itself, which is not asked there.
    const boot = ON_POSIX === null ? textIn("/proc/sys/kernel/random/boot_id") : undefined;
    const own = boot?.trim() ?? "-";
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

Deno.test("a launch for which the system has no room just now is tried again, by nobody's fault", async () => {
  await using box = await makeBox();
  const id = await box.start("shell", "true");
  const { store, ...rest } = openQueue(box.root);
  const queue = { store, ...rest };
  const real = queue.launchers.of;
  let refusals = 0;
  const launchers = {
    ...queue.launchers,
    of: (agent: AgentDefinition) => ({
      ...real(agent),
      launch(spec: LaunchSpec) {
        if (refusals++ > 0) return real(agent).launch(spec);
        throw new Error("Failed to spawn 'setsid': Resource temporarily unavailable (os error 11)");
      },
    }),
  };
  const rules = await loadRules(queue);
  const launch = () => claim({ ...queue, launchers }, [id], rules, () => {});
  assertThrows(launch, Error, "temporarily unavailable");
  assertEquals([box.task(id).status, box.task(id).claim], ["pending", 1]);
  launch();
  await box.until("the end", () => exitIn(box, id));
  await box.ok("status");
  const { status, claim: number } = await box.settled(id);
  assertEquals([status, number], ["complete", 2]);
});

Deno.test("folders that somebody removed are made again for a launch", async () => {
  await using box = await makeBox();
  const id = await box.start("shell", "echo said");
  await using live = box.live({}, "daemon", "run");
  await live.printed((text) => text.includes("Watching over"));
  await box.settled(id);
  for (const name of ["logs", "plans"]) Deno.removeSync(box.path(name), { recursive: true });
  const next = await box.start("shell", "echo said");
  assertEquals((await box.settled(next)).status, "complete");
  live.kill("SIGTERM");
  await live.ended();
});
