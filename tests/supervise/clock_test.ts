// A clock that is set, and a machine that sleeps.

import { createPosixLauncher } from "../../lib/launch/posix/launcher.ts";
import type { Launcher } from "../../lib/launch/launcher.ts";
import { createWindowsLauncher } from "../../lib/launch/windows/launcher.ts";
import { assert, assertEquals, assertStringIncludes } from "../support/assert.ts";
import { shimOf } from "../support/gated.ts";
import { STOPPED, test } from "../support/needs.ts";
import { kill, lives } from "../support/program.ts";
import { IDLING } from "../support/shell.ts";
import { launchesOf, makeSite, noted, openGate } from "../support/site.ts";
import { watchOver } from "../support/watched.ts";

const HOUR = 3_600_000;

Deno.test("a clock set back an hour delays no timeout beyond its length", async () => {
  await using site = await makeSite();
  const { box } = site;
  const id = await box.start("--timeout=1", "shell", IDLING);
  await using watched = watchOver(box);
  // Before it, a claim without a shim would be all that the clock finds.
  await shimOf(box, id);
  watched.clock.jump(-HOUR);
  const { status, failureClass } = await box.settled(id);
  assertEquals([status, failureClass], ["failed", "timeout"]);
  assertEquals(box.task(id).claim, 1);
  await watched.over;
});

Deno.test("a clock set forward ten minutes uses up no task's time, and ends it when that is over", async () => {
  await using site = await makeSite();
  const { box } = site;
  const late = await box.start("--timeout=300", "shell", IDLING);
  const soon = await box.start("--timeout=1", "shell", IDLING);
  await using watched = watchOver(box);
  await Promise.all([late, soon].map((id) => shimOf(box, id)));
  watched.clock.jump(600_000);
  assertEquals((await box.settled(soon)).failureClass, "timeout");
  const { status, asleep } = await box.until("the note of it", () => {
    const task = box.task(late);
    return task.asleep > 0 && task;
  });
  assertEquals([status, Math.round(asleep)], ["running", 600]);
  await box.ok("cancel", late);
  await watched.over;
});

for (const [what, jump] of [["back an hour", -HOUR], ["forward ten minutes", 600_000]] as const) {
  Deno.test(`a clock set ${what} between claim and launch costs at most one more claim`, async () => {
    await using site = await makeSite();
    const { box } = site;
    const ids = await Promise.all([1, 2].map(() => box.start("shell", `${noted(site)}; exit 0`)));
    let jumps = 0;
    await using watched = watchOver(box, {}, (clock) => {
      if (jumps++ === 0) clock.jump(jump);
    });
    await watched.over;
    for (const id of ids) {
      const task = box.task(id);
      assertEquals([task.status, task.errorMessage], ["complete", null]);
      assert(task.claim <= 2, `${id} was claimed ${task.claim} times`);
    }
    assertEquals(launchesOf(site).sort(), [...ids].sort());
  });

  Deno.test(`a claim whose launch never came is taken back once with a clock set ${what}`, async () => {
    await using site = await makeSite();
    const { box } = site;
    const id = await box.start("shell", `${noted(site)}; exit 0`);
    const path = box.path(`tasks/${id}.json`);
    Deno.writeTextFileSync(
      path,
      JSON.stringify({
        ...box.task(id),
        status: "running",
        claim: 1,
        startedAt: new Date(Date.now() - jump).toISOString(),
      }),
    );
    await using watched = watchOver(box);
    await watched.over;
    const { status, claim } = box.task(id);
    assertEquals([status, claim], ["complete", 2]);
    assertEquals(launchesOf(site), [id]);
  });
}

/** Its shims wait at a gate before they do anything. */
function lateLauncher(gate: string): Launcher {
  if (Deno.build.os !== "windows") {
    return createPosixLauncher({
      shell: ["/bin/sh", "-c", `read -r _ <${gate}; exec /bin/sh "$@"`, "sh"],
    });
  }
  const shim = import.meta.resolve("../../lib/launch/windows/shim.ts");
  const wait = `const [gate, shim, specFile] = ${JSON.stringify([gate, shim])}.concat(Deno.args);
    while (!await Deno.stat(gate).catch(() => null)) await new Promise((go) => setTimeout(go, 20));
    await (await import(shim)).runShim(specFile);`;
  return createWindowsLauncher({ shim: [Deno.execPath(), "eval", wait] });
}

Deno.test("a shim that comes after its claim was taken back finds the fence and runs nothing", async () => {
  await using site = await makeSite();
  const { box } = site;
  const id = await box.start("shell", noted(site));
  const late = lateLauncher(site.gate);
  let latecomer: number | undefined;
  await using watched = watchOver(box, {}, undefined, (spec, launcher) => {
    if (latecomer !== undefined) return launcher.launch(spec);
    const launched = late.launch(spec);
    latecomer = launched.pid;
    return launched;
  });
  assertEquals((await box.settled(id)).claim, 2);
  await watched.over;
  using _opened = openGate(site);
  await box.until("the end of the late shim", () => !lives(latecomer!));
  assertEquals(launchesOf(site), [id]);
});

for (const ender of ["itself", "doctor"]) {
  Deno.test(`a shim that comes after its task was cancelled runs nothing, and is ended by ${ender}`, async () => {
    await using site = await makeSite();
    const { box } = site;
    const id = await box.start("shell", noted(site));
    const late = lateLauncher(site.gate);
    let latecomer: number | undefined;
    await using watched = watchOver(box, {}, undefined, (spec) => {
      const launched = late.launch(spec);
      latecomer = launched.pid;
      return launched;
    });
    const pid = await box.until("the late shim", () => latecomer);
    await box.ok("cancel", id);
    await watched.over;
    assert(lives(pid));
    if (ender === "doctor") {
      const fixed = await box.ok("doctor", "--fix");
      assertStringIncludes(fixed, `ended what still ran of ${id}: 1 process\n`);
    }
    using _opened = openGate(site);
    await box.until("the end of the late shim", () => !lives(pid));
    assertEquals(launchesOf(site), []);
    assertEquals(box.task(id).status, "cancelled");
  });
}

test(
  "a machine that slept ten minutes: its agents have not had that time, and nothing is fenced",
  STOPPED,
  async () => {
    await using site = await makeSite();
    const { box } = site;
    const short = await box.start("--timeout=60", "shell", IDLING);
    const long = await box.start("--timeout=3600", "shell", IDLING);
    await using watched = watchOver(box);
    const shims = await Promise.all([short, long].map((id) => shimOf(box, id)));
    for (const pid of shims) kill(pid, "SIGSTOP");
    watched.clock.jump(600_000);
    for (const pid of shims) kill(pid, "SIGCONT");
    for (const id of [short, long]) {
      await box.until("the note of it", () => box.task(id).asleep > 590);
      const { status, claim } = box.task(id);
      assertEquals([status, claim], ["running", 1]);
    }
    await box.ok("cancel", short, long);
    await watched.over;
  },
);
