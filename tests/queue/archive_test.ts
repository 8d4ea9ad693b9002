// Archiving and cleaning while others wait, and past what cannot be moved.

import { assertEquals } from "../support/assert.ts";
import { makeBox } from "../support/program.ts";
import { agentOf, forge, gated, openGate, textIn } from "../support/gated.ts";
import { SHELL, test } from "../support/needs.ts";

test("run --wait and wait count a task that is archived before they end", SHELL, async () => {
  await using box = await makeBox();
  box.config({ archive: { max_completed_age_days: 0, max_failed_age_days: 0 } });
  const fails = await box.start("shell", "exit 3");
  const waits = await box.start("shell", gated());
  await using running = box.live({}, "run", "--all", "--wait", "--parallel", "2");
  await box.until("the failure", () => box.task(fails).status === "failed");
  await using waiting = box.live({}, "wait", fails, waits);
  await agentOf(box, waits);
  await box.ok("archive");
  openGate(box);
  assertEquals((await running.ended()).code, 1);
  assertEquals((await waiting.ended()).code, 1);
  assertEquals((await box.run("wait", fails)).code, 1);
  await box.ok("wait", waits);
});

test(
  "archive and clean keep chains together, and what is not theirs, and go on past what they cannot move",
  SHELL,
  async () => {
    await using box = await makeBox();
    box.config({ archive: { max_completed_age_days: 0, max_failed_age_days: 9 } });
    const first = await box.start("shell", 'test -e "$ORCHESTRA_ROOT/ok"');
    await box.run("run", "--wait");
    Deno.writeTextFileSync(`${box.root}/ok`, "");
    await box.ok("retry", first);
    await box.ok("run", "--wait");
    const second = box.task(first).retriedBy!;
    const other = await box.start("shell", "true");
    const odd = await box.start("shell", "true");
    await box.ok("run", "--all", "--wait");
    const needs = await box.start("shell", "true", "--depends-on", first);
    forge(box, odd, { planFile: "../../outside" });
    for (const name of [`${other}.json.bak`, `${other}.notes`]) {
      Deno.writeTextFileSync(box.path(`tasks/${name}`), "mine");
    }
    Deno.mkdirSync(box.path(`archive/${odd}.log`));
    assertEquals((await box.run("archive")).code, 5);
    // The successful retry stays with the first attempt, which is not old enough.
    assertEquals(
      box.tasks().map(({ taskId }) => taskId).sort(),
      [first, second, odd, needs].sort(),
    );
    assertEquals(textIn(box.path(`tasks/${other}.json.bak`)), "mine");
    assertEquals(textIn(box.path(`tasks/${other}.notes`)), "mine");
    // Needed are both, for a pending task depends on the first; the odd one cannot be removed.
    assertEquals((await box.run("clean", "all", "--yes")).code, 5);
    assertEquals(
      box.tasks().map(({ taskId }) => taskId).sort(),
      [first, second, odd, needs].sort(),
    );
    await box.ok("cancel", needs);
    await box.ok("clean", "completed", "--yes").catch(() => {});
    assertEquals(textIn(box.path(`tasks/${second}.json`)), undefined);
    // Its retry is gone: it may be retried again.
    await box.ok("retry", first);
  },
);

Deno.test("what is restored must not have the key of another task", async () => {
  await using box = await makeBox();
  const old = await box.start("shell", "true", "--key", "build");
  await box.ok("run", "--all", "--wait");
  box.config({ archive: { max_completed_age_days: 0 } });
  await box.ok("archive");
  const other = await box.start("shell", "true", "--key", "build");
  const { message } = await box.fails(4, "archive", "restore", old);
  assertEquals(message, `${old} has the key "build", and so has ${other}`);
  await box.ok("cancel", other);
  await box.ok("clean", other, "-y");
  await box.ok("archive", "restore", old);
  assertEquals(box.task(old).key, "build");
});
