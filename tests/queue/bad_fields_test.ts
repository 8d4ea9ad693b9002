// One bad file, one bad task: what no task can be is named and set aside, and the others go on.

import { assert, assertEquals, assertStringIncludes } from "../support/assert.ts";
import { type Box, makeBox } from "../support/program.ts";

const STARTED = "2026-01-01T00:00:00.000Z";
const NEVER = "9999-01-01T00:00:00.000Z";
const DEEP = '{"a":'.repeat(20_000) + "1" + "}".repeat(20_000);

/** A task file's text with some fields changed; `DEEP` stands for what is nested deeply. */
function forge(box: Box, id: string, change: Record<string, unknown>): void {
  const text = JSON.stringify({ ...box.task(id), ...change }).replace('"DEEP"', DEEP);
  Deno.writeTextFileSync(box.path(`tasks/${id}.json`), text);
}

Deno.test("what no task can be is damage: it is named, and holds nobody up", async () => {
  await using box = await makeBox();
  const wrong: [change: Record<string, unknown>, problem: string][] = [
    [{ result: "DEEP" }, "nested deeper"],
    [{ unknownToUs: "DEEP" }, "nested deeper"],
    [{ status: "running", claim: 0, pid: null }, "neither a claim nor a process"],
    [{ status: "running", claim: -1, pid: 1, startedAt: STARTED }, '"claim"'],
    [{ status: "running", claim: 0.5, startedAt: STARTED }, '"claim"'],
    [{ status: "running", claim: 1e20, startedAt: STARTED }, '"claim"'],
    [{ claim: -1 }, '"claim"'],
    [{ verify: [] }, '"verify"'],
    [{ verifyClaim: -5 }, '"verifyClaim"'],
    [{ retryCount: 1e300 }, '"retryCount"'],
  ];
  const ids: string[] = [];
  for (const [change] of wrong) {
    const id = await box.start("shell", "true");
    forge(box, id, change);
    ids.push(id);
  }
  const good = await box.start("shell", "true");
  assertEquals((await box.run("run", "--all", "--wait")).code, 0);
  assertEquals(box.task(good).status, "complete");
  const doctor = await box.run("doctor");
  assertEquals(doctor.code, 1);
  const text = Deno.readTextFileSync;
  for (const [at, [, problem]] of wrong.entries()) {
    const id = ids[at]!;
    const line = doctor.stdout.split("\n").find((other) => other.includes(id)) ?? "";
    assertStringIncludes(line, problem, JSON.stringify(wrong[at]));
    const before = text(box.path(`tasks/${id}.json`));
    for (const command of [["cancel", id], ["timeout", id], ["retry", id]]) {
      const { code, stdout } = await box.run(...command);
      assertEquals([code, stdout], [5, ""], `${command}`);
    }
    assertEquals(text(box.path(`tasks/${id}.json`)), before);
  }
});

Deno.test("times that no clock tells hold nobody up", async () => {
  await using box = await makeBox();
  const paused = await box.start("shell", "true");
  forge(box, paused, {
    status: "failed",
    failureClass: "rate-limit",
    laneUntil: NEVER,
    startedAt: STARTED,
    completedAt: NEVER,
    claim: 1,
  });
  const retried = await box.start("--auto-retry", "shell", "true");
  forge(box, retried, {
    status: "failed",
    failureClass: "exit",
    retryAt: NEVER,
    startedAt: STARTED,
    completedAt: STARTED,
    claim: 1,
    schemaVersion: 3,
  });
  const held = await box.start("shell", "true");
  forge(box, held, { notBefore: NEVER });
  await box.run("run", "--all", "--wait");
  assertEquals(box.task(held).status, "complete");
  const { retriedBy } = box.task(retried);
  assert(retriedBy !== null);
  assertEquals(box.task(retriedBy).status, "complete");
});

Deno.test("a task that names another's log or plan neither writes, shows nor removes it", async () => {
  await using box = await makeBox();
  const victim = await box.start("shell", "echo the word of the victim");
  await box.ok("run", "--wait");
  const log = box.path(`logs/${victim}.log`);
  const plan = box.path(`plans/${victim}_plan.md`);
  const before = [log, plan].map((path) => Deno.readTextFileSync(path));
  const names = {
    logFile: `.orchestra/logs/${victim}.log`,
    planFile: `.orchestra/plans/${victim}_plan.md`,
  };
  for (const field of ["logFile", "planFile"] as const) {
    const id = await box.start("shell", "echo mine");
    forge(box, id, { [field]: names[field] });
    await box.run("run", "--all", "--wait");
    const { status, errorMessage } = box.task(id);
    assertEquals(status, "failed");
    assertStringIncludes(errorMessage!, "is not its own");
    const doctor = await box.run("doctor");
    assertStringIncludes(doctor.stdout, `${id}.json names what is not its own`);
    const shown = await box.run("show", id);
    assertEquals(shown.code, 5);
    assertStringIncludes(shown.stdout, "could not be launched");
    for (const command of [["logs", id], ["show", id], ["clean", id]]) {
      const { stdout, stderr } = await box.run(...command);
      assertEquals((stdout + stderr).includes("word of the victim"), false, `${command}`);
    }
    assertEquals(await box.run("clean", "failed", "-y").then(({ code }) => code), 5);
    await box.ok("archive", "--force");
    Deno.removeSync(box.path(`tasks/${id}.json`));
  }
  assertEquals([log, plan].map((path) => Deno.readTextFileSync(path)), before);
});

Deno.test("folders in the place of our own files are named, and nothing in them is touched", async () => {
  await using box = await makeBox();
  const id = await box.start("shell", "true");
  for (const name of ["daemon.lock", "daemon.json", "config.json"]) {
    const path = box.path(name);
    try {
      Deno.removeSync(path);
    } catch {
      // It was not there.
    }
    Deno.mkdirSync(`${path}/mine`, { recursive: true });
    for (
      const command of [["status"], ["run"], ["daemon", "status"], ["doctor"], ["daemon", "stop"]]
    ) {
      const { code, stderr } = await box.run(...command);
      assert([0, 1, 4, 5].includes(code), `${name}: ${command}: ${code} ${stderr}`);
      assertEquals(/\bat \w+.*:\d+:\d+|TypeError|Is a directory \(os/.test(stderr), false, stderr);
    }
    // What says who watches is needed at once: a folder in its place is set aside.
    const aside = [...Deno.readDirSync(box.path(""))].find((entry) =>
      entry.name.startsWith(`${name}.damaged-`)
    );
    assertEquals(aside !== undefined, name === "daemon.json", name);
    const kept = aside === undefined ? path : box.path(aside.name);
    assert(Deno.lstatSync(`${kept}/mine`).isDirectory);
    assertStringIncludes((await box.run("doctor")).stdout, `.orchestra/${name}`);
    assertEquals((await box.run("start", "shell", "true")).code, name === "config.json" ? 5 : 0);
    Deno.removeSync(kept, { recursive: true });
  }
  await box.run("run", "--all", "--wait");
  assertEquals((await box.settled(id)).status, "complete");
});
