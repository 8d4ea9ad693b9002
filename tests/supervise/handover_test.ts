// Whoever takes over goes on with all that was ordered: of another who is there, of one who asked just
// when we came, under settings that are wrong, in place of one who was stopped.

import { assert, assertEquals, assertStringIncludes } from "../support/assert.ts";
import { agentOf, gated, gone, openGate, stopOutsideLock, textIn } from "../support/gated.ts";
import { GUARDED, STOPPED, test } from "../support/needs.ts";
import { type Box, commandLine, kill, makeBox } from "../support/program.ts";
import { Folder } from "../support/store.ts";
import { announce, writeDaemonInfo } from "../../lib/supervise/watcher.ts";
import { removed, unheld } from "../support/unheld.ts";

/** What `daemon.json` says. */
// deno-lint-ignore no-explicit-any
function record(box: Box): any {
  return JSON.parse(textIn(box.path("daemon.json")) || "{}");
}

for (const signal of ["SIGINT", "SIGKILL"] as const) {
  const missing = signal === "SIGKILL" ? GUARDED : null;
  test(`what a run --wait was told to launch goes on after ${signal}`, missing, async () => {
    await using box = await makeBox();
    const ids = [await box.start("shell", gated())];
    for (let at = 0; at < 3; at++) ids.push(await box.start("shell", "true"));
    await using live = box.live({}, "run", "--wait");
    await agentOf(box, ids[0]!);
    await box.until("its record", () => record(box).kind === "run");
    await box.ok("run", "--all", "--parallel", "1");
    assertEquals([record(box).launch, record(box).parallel], ["all", 1]);
    live.kill(signal);
    await live.ended();
    await box.until("a supervisor", () => record(box).kind === "supervisor");
    assertEquals([record(box).launch, record(box).parallel], ["all", 1]);
    openGate(box);
    for (const id of ids) assertEquals((await box.settled(id)).status, "complete");
    await box.unwatched();
    assertEquals(textIn(box.path("daemon.json")), undefined);
  });
}

for (const damage of ["text", "folder", "gone"] as const) {
  Deno.test(`an order reaches who watches, its record damaged: ${damage}`, async () => {
    await using box = await makeBox();
    const first = await box.start("shell", gated());
    await box.ok("run");
    await agentOf(box, first);
    await box.until("a supervisor", () => record(box).kind === "supervisor" && !record(box).begins);
    const path = box.path("daemon.json");
    await removed(path);
    await unheld(() => {
      if (damage === "text") Deno.writeTextFileSync(path, "{}");
      if (damage === "folder") Deno.mkdirSync(`${path}/folder`, { recursive: true });
    });
    const task = await box.start("shell", "true");
    const next = await box.start("shell", "true", "--depends-on", task);
    await box.ok("run", "--all", "--parallel", "2");
    assertEquals((await box.settled(next)).status, "complete");
    openGate(box);
    await box.settled(first);
    await box.unwatched();
  });
}

Deno.test(
  "run --wait has the watch, though somebody asked who has it when it came",
  async () => {
    await using box = await makeBox();
    const id = await box.start("shell", gated());
    const last = await box.start("shell", "true");
    const lock = Deno.openSync(box.path("daemon.lock"), { write: true, create: true });
    lock.lockSync(false);
    await using live = box.live({}, "run", "--all", "--wait", "--parallel", "1");
    // Nothing tells that it has found the lock taken; who asks has it no longer than this.
    await new Promise((resolve) => setTimeout(resolve, 150));
    lock.close();
    await agentOf(box, id);
    assertEquals(record(box).kind, "run");
    live.kill(GUARDED === null ? "SIGKILL" : "SIGINT");
    await live.ended();
    await box.until("a supervisor", () => record(box).kind === "supervisor");
    openGate(box);
    for (const one of [id, last]) assertEquals((await box.settled(one)).status, "complete");
    await box.unwatched();
  },
);

Deno.test("a supervisor enforces limits while a setting is wrong", async () => {
  await using box = await makeBox();
  const id = await box.start("--timeout=1", "shell", gated());
  await using live = box.live({}, "run", "--all", "--wait");
  await agentOf(box, id);
  await box.until("its record", () => record(box).kind === "run");
  box.config({ max_concurrent: "x" });
  live.kill("SIGINT");
  await live.ended();
  assertEquals((await box.settled(id)).failureClass, "timeout");
  await box.unwatched();
});

test("a watcher that is stopped is named by status and doctor", STOPPED, async () => {
  await using box = await makeBox();
  const id = await box.start("shell", gated());
  await box.ok("run");
  await agentOf(box, id);
  const pid: number = await box.until(
    "the watcher",
    () => record(box).begins ? null : record(box).pid,
  );
  stopOutsideLock(box, pid);
  try {
    assertStringIncludes(await box.ok("status"), `(pid ${pid}) is stopped`);
    const { stdout, code } = await box.run("doctor");
    assertEquals(code, 1);
    assertStringIncludes(stdout, `kill -CONT ${pid}`);
  } finally {
    kill(pid, "SIGCONT");
  }
  assertStringIncludes(await box.ok("status"), `(pid ${pid}) watches over it`);
  openGate(box);
  await box.settled(id);
  await gone(box, pid);
});

Deno.test("daemon start beside a run --wait says who watches", async () => {
  await using box = await makeBox();
  const id = await box.start("shell", gated());
  await using live = box.live({}, "run", "--wait");
  await agentOf(box, id);
  await box.until("its record", () => record(box).kind === "run");
  const { text } = await box.fails(4, "daemon", "start");
  assertStringIncludes(text, `A run --wait watches over this workspace (pid ${live.pid})`);
  openGate(box);
  assertEquals((await live.ended()).code, 0);
});

Deno.test(
  "an agent that waits does not wait for itself, nor for what waits for it",
  async () => {
    await using box = await makeBox();
    const call = commandLine().map((word) => `"${word.replaceAll("\\", "/")}"`).join(" ");
    const script = `${call} start -q shell true; ${call} run; ${call} wait; echo waited $?; ` +
      `${call} wait $ORCHESTRA_TASK_ID; echo refused $?; ${call} run --all --wait; echo refused $?`;
    const id = await box.start("shell", script);
    await box.start("shell", "true", "--depends-on", id);
    await box.run("run", "--all", "--wait");
    const log = textIn(box.path(`logs/${id}.log`)) ?? "";
    assertStringIncludes(log, "waited 0");
    assertEquals(log.split("refused 2").length - 1, 2, log);
    assert(box.tasks().every(({ status }) => status === "complete"), log);
  },
);

Deno.test("a record of another process under our number orders nothing", () => {
  using folder = new Folder();
  const store = folder.store();
  const record = { pid: Deno.pid, start: "b 1", startedAt: new Date().toISOString() };
  writeDaemonInfo(store, { ...record, kind: "daemon", launch: "retries", parallel: 1 });
  const { launch, parallel } = announce(store, "run", { launch: "all", parallel: 4 });
  assertEquals([launch, parallel], ["all", 4]);
});
