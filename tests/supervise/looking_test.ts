// A command that only shows starts nothing itself, and what was ordered goes on all the same.

import { assertEquals, assertStringIncludes } from "../support/assert.ts";
import { agentOf, exitIn, forge, gated, gone, openGate, textIn } from "../support/gated.ts";
import { type Box, kill, makeBox } from "../support/program.ts";

/** Ends whoever watches by force, once it does. */
async function killSupervisor(box: Box): Promise<void> {
  const pid = await box.until("the supervisor", () => {
    const info = JSON.parse(textIn(box.path("daemon.json")) || "{}");
    return info.start !== undefined && info.pid;
  });
  kill(pid, "SIGKILL");
  await gone(box, pid);
}

for (const look of [["status"], ["show", "@last"], ["deps"], ["daemon", "status"], ["doctor"]]) {
  Deno.test(`${look.join(" ")} launches nothing and starts no verify command`, async () => {
    await using box = await makeBox();
    box.config({ supervise: false });
    const verified = await box.start("--verify", "echo yes >verified", "shell", "true");
    const pending = await box.start("shell", "echo yes >launched");
    await box.ok("run");
    await box.until("the end", () => exitIn(box, verified));
    await box.run(...look);
    assertEquals(box.task(verified).status, "running");
    assertEquals(box.task(pending).status, "pending");
    assertEquals(textIn(`${box.root}/verified`), undefined);
    // Who may start something does it.
    await box.ok("run", "--all", "--wait");
    assertEquals([box.task(verified).status, box.task(pending).status], ["complete", "complete"]);
    for (const name of ["verified", "launched"]) {
      assertEquals(textIn(`${box.root}/${name}`)?.trim(), "yes");
    }
  });
}

Deno.test("a plain run orders no more than it launched: what waits stays, whoever is killed", async () => {
  await using box = await makeBox();
  const [first, waits] = [await box.start("shell", gated()), await box.start("shell", "true")];
  await box.ok("run");
  await agentOf(box, first);
  await killSupervisor(box);
  assertStringIncludes((await box.run("status")).stderr, "a supervisor goes on with it");
  openGate(box);
  assertEquals((await box.settled(first)).status, "complete");
  await box.unwatched();
  assertEquals(box.task(waits).status, "pending");
});

Deno.test("a retry that was due when its supervisor was killed is run by the next one", async () => {
  await using box = await makeBox();
  box.config({ retry: { base: 3600, jitter: false } });
  const id = await box.start("--auto-retry", "--max-retries=1", "shell", "exit 7");
  await box.ok("run");
  await box.until("the failure", () => box.task(id).retryAt);
  await killSupervisor(box);
  forge(box, id, { retryAt: new Date(Date.now() - 1000).toISOString() });
  await box.ok("status");
  const successor = await box.until("the retry", () => box.task(id).retriedBy);
  assertEquals((await box.settled(successor)).failureClass, "exit");
  await box.unwatched();
});

Deno.test("a look ends nothing by its limits while somebody watches, and where nobody is left it does", async () => {
  await using box = await makeBox();
  box.config({ supervise: false, grace_period: 0.1 });
  const id = await box.start("--timeout=1h", "shell", gated());
  await box.ok("run");
  await agentOf(box, id);
  // As after a sleep, of which only whoever watches knows.
  forge(box, id, { startedAt: new Date(Date.now() - 7_200_000).toISOString() });
  {
    using watcher = Deno.openSync(box.path("daemon.lock"), { write: true, create: true });
    watcher.lockSync(true);
    await box.ok("status");
    assertEquals(box.task(id).status, "running");
  }
  await box.ok("status");
  assertEquals(box.task(id).failureClass, "timeout");
});
