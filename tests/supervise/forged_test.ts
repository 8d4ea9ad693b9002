// What somebody plants where a watcher writes and reads: a record that names a stranger, links and folders
// in the place of its files. Nothing outside is signalled or changed.

import { assertEquals, assertStringIncludes } from "../support/assert.ts";
import { agentOf, gated, openGate, textIn } from "../support/gated.ts";
import { linking, MODES, ON_LINUX, test } from "../support/needs.ts";
import { lives, makeBox, makeFolder, spawn } from "../support/program.ts";

test("a record that names a stranger ends nobody", ON_LINUX, async () => {
  await using box = await makeBox();
  await using stranger = spawn("sleep", ["1000"], { cwd: "/" });
  const stat = Deno.readTextFileSync(`/proc/${stranger.pid}/stat`);
  const ticks = stat.slice(stat.lastIndexOf(")") + 2).split(" ")[19];
  const boot = Deno.readTextFileSync("/proc/sys/kernel/random/boot_id").trim();
  using lock = Deno.openSync(box.path("daemon.lock"), { write: true, create: true });
  lock.lockSync(true);
  for (const kind of ["supervisor", "daemon"]) {
    Deno.writeTextFileSync(
      box.path("daemon.json"),
      JSON.stringify({
        pid: stranger.pid,
        start: `${boot} ${ticks}`,
        startedAt: new Date().toISOString(),
        kind,
        launch: "all",
      }),
    );
    const { code, stderr } = await box.run("daemon", "stop");
    assertEquals(code, 4, stderr);
    assertStringIncludes(
      stderr,
      `Process ${stranger.pid} is not the one in .orchestra/daemon.json`,
    );
  }
  // Its lock is free again: whoever comes takes the watch, and asks nobody to go.
  lock.unlockSync();
  await box.ok("daemon", "start");
  await box.ok("daemon", "stop");
  assertEquals(lives(stranger.pid), true);
});

test(
  "the daemon's log is written to no link that was planted, before or later",
  linking(),
  async () => {
    await using box = await makeBox();
    await using elsewhere = await makeFolder();
    const victim = `${elsewhere.path}/victim`;
    Deno.writeTextFileSync(victim, "mine\n", { mode: 0o644 });
    Deno.symlinkSync(victim, box.path("daemon.log"));
    await box.ok("daemon", "start");
    const first = await box.start("shell", "true");
    await box.settled(first);
    Deno.removeSync(box.path("daemon.log"));
    Deno.symlinkSync(victim, box.path("daemon.log"));
    const second = await box.start("shell", "true");
    await box.settled(second);
    await box.ok("daemon", "stop");
    assertEquals(textIn(victim), "mine\n");
    if (MODES === null) assertEquals(Deno.statSync(victim).mode! & 0o777, 0o644);
  },
);

test(
  "a folder of tasks that is exchanged for a link is not obeyed by who watches",
  linking(),
  async () => {
    await using box = await makeBox();
    await using elsewhere = await makeFolder();
    await box.ok("daemon", "start");
    const id = await box.start("shell", gated());
    const agent = await agentOf(box, id);
    const other = `${elsewhere.path}/tasks`;
    Deno.mkdirSync(other);
    const planted = { ...box.task(id), taskId: "task_1772625600001", status: "pending", claim: 0 };
    Deno.writeTextFileSync(
      `${other}/task_1772625600001.json`,
      JSON.stringify({ ...planted, prompt: `touch ${elsewhere.path}/ran` }),
    );
    Deno.renameSync(box.path("tasks"), box.path("tasks.old"));
    Deno.symlinkSync(other, box.path("tasks"));
    await box.run("daemon", "stop");
    assertEquals([...Deno.readDirSync(elsewhere.path)].map(({ name }) => name), ["tasks"]);
    assertEquals([...Deno.readDirSync(other)].map(({ name }) => name), ["task_1772625600001.json"]);
    assertStringIncludes((await box.run("status")).stderr, "symbolic link");
    Deno.removeSync(box.path("tasks"));
    Deno.renameSync(box.path("tasks.old"), box.path("tasks"));
    openGate(box);
    await box.ok("status");
    assertEquals((await box.settled(id)).status, "complete");
    assertEquals(lives(agent), false);
  },
);

Deno.test("a folder in the place of a lock is named", async () => {
  await using box = await makeBox();
  await box.start("shell", "true");
  for (const name of ["lock", "daemon.lock"]) {
    await Deno.remove(box.path(name)).catch(() => {});
    Deno.mkdirSync(box.path(name));
    const { code, stderr } = await box.run("run", "--wait");
    assertEquals(code, 5, stderr);
    assertStringIncludes(stderr, `${name} is a folder`);
    Deno.removeSync(box.path(name));
  }
});
