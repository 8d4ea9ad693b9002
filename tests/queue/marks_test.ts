// Whose process is it? The mark in its environment names the workspace and the task: nobody else's is ever
// signalled, whatever two workspaces have in common and whatever a pid file says.

import { openStore } from "../../lib/store/tasks.ts";
import { processMark } from "../../lib/task/marks.ts";
import { assert, assertEquals, assertStringIncludes } from "../support/assert.ts";
import { agentOf, forge, gated, openGate, shimOf, textIn } from "../support/gated.ts";
import { ON_POSIX, test } from "../support/needs.ts";
import { lives, makeBox, openBox, spawn } from "../support/program.ts";

test("a copied workspace ends nobody's agents but its own", ON_POSIX, async () => {
  await using box = await makeBox();
  const id = await box.start("shell", gated());
  await box.ok("run");
  const agent = await agentOf(box, id);
  const root = `${box.root}.copy`;
  new Deno.Command("cp", { args: ["-a", box.root, root] }).outputSync();
  await using copy = openBox(root);
  await copy.run("cancel", id);
  await copy.run("timeout", id);
  await copy.run("status");
  await copy.run("clean", "all", "-y");
  assertEquals([lives(agent), box.task(id).status], [true, "running"]);
  openGate(box);
  assertEquals((await box.settled(id)).status, "complete");
});

test("a pid file that names somebody else's process ends nobody", ON_POSIX, async () => {
  await using box = await makeBox();
  box.config({ grace_period: 0.1 });
  await using stranger = spawn("sleep", ["1000"], { cwd: box.root });
  await using parent = spawn("sleep", ["1000"], { cwd: "/" });
  const id = await box.start("shell", gated());
  await box.ok("run");
  await agentOf(box, id);
  const shim = await shimOf(box, id);
  const pidFile = textIn(box.path(`tasks/${id}.1.pid`))!;
  const startOf = (pid: number) => {
    const stat = Deno.readTextFileSync(`/proc/${pid}/stat`);
    return stat.slice(stat.lastIndexOf(")") + 2).split(" ")[19]!;
  };
  const forged = await Promise.all([stranger, parent].map(async ({ pid }) => {
    const task = await box.start("shell", "true");
    const text = pidFile.replace(String(shim), String(pid)).replace(startOf(shim), startOf(pid));
    Deno.writeTextFileSync(box.path(`tasks/${task}.1.pid`), text);
    forge(box, task, {
      status: "running",
      claim: 1,
      startedAt: new Date().toISOString(),
      timeout: 0.1,
    });
    return task;
  }));
  await box.run("cancel", forged[0]!);
  await box.run("timeout", forged[1]!);
  for (const task of forged) await box.settled(task);
  assertEquals([lives(stranger.pid), lives(parent.pid)], [true, true]);
  // A task's own process is still known by its mark.
  await box.ok("cancel", id);
  await box.settled(id);
  assertEquals(lives(shim), false);
});

test("what a removed task has left running is told by doctor", ON_POSIX, async () => {
  await using box = await makeBox();
  const mark = processMark(openStore(box.root).identity, "task_1772625600001");
  await using left = spawn("sleep", ["1000"], { cwd: "/", env: { ORCHESTRA_MARK: mark } });
  await using other = spawn("sleep", ["1000"], {
    cwd: "/",
    env: { ORCHESTRA_MARK: mark.replace("/task_1", "0/task_2") },
  });
  const { stdout } = await box.run("doctor");
  assertStringIncludes(stdout, `task_1772625600001 still run (pid ${left.pid})`);
  assertEquals(stdout.includes("task_2772625600001"), false);
  // What carries its mark is ended, and nothing else.
  const fixed = await box.run("doctor", "--fix");
  assertStringIncludes(fixed.stdout, "ended what still ran of task_1772625600001: 1 process\n");
  assertEquals([lives(left.pid), lives(other.pid)], [false, true]);
});

test("doctor ends nothing of a task that may be at work", ON_POSIX, async () => {
  await using box = await makeBox();
  const pending = await box.start("shell", "true");
  const damaged = "task_1772625600001";
  Deno.writeTextFileSync(box.path(`tasks/${damaged}.json`), "{");
  const store = openStore(box.root);
  for (const id of [pending, damaged]) {
    const env = { ORCHESTRA_MARK: processMark(store.identity, id) };
    await using left = spawn("sleep", ["1000"], { cwd: "/", env });
    const { stdout } = await box.run("doctor", "--fix");
    assertStringIncludes(stdout, `${id} still run (pid ${left.pid})`);
    assertEquals(stdout.includes("ended what"), false);
    assert(lives(left.pid));
  }
});
