// run, and run --wait.

import { assert, assertEquals, assertMatch, assertStringIncludes } from "../support/assert.ts";
import { terminal, test } from "../support/needs.ts";
import { assertPrintable, lives, makeBox } from "../support/program.ts";
import { inTerminal } from "../support/terminal.ts";
import { AT_GATE, openGate, readNumber } from "../support/shell.ts";
import { endOf, lineOf } from "../support/words.ts";

Deno.test("run launches the most urgent task, fills up to --parallel, and returns at once", async () => {
  await using box = await makeBox();
  assertStringIncludes(await box.ok("run"), "Nothing to start");
  const script = AT_GATE;
  const [low, mid, high] = await Promise.all([
    box.start("shell", script, "-p", "1"),
    box.start("shell", script, "-p", "5"),
    box.start("shell", script, "-p", "9"),
  ]);
  assertMatch(await box.ok("run"), new RegExp(`^Started ${high} \\(shell, pid \\d+\\)\n$`));
  const more = await box.json("run", "--parallel", "2");
  assertEquals(more.launched.map((item: { taskId: string }) => item.taskId), [mid]);
  assertEquals([more.running, more.failed], [2, []]);
  assertStringIncludes(await box.ok("run", "--parallel", "2"), "2 running already, at most 2");
  assertEquals(box.task(low!).status, "pending");
  assertEquals((await box.json("run")).launched.length, 1);
  openGate(box, "go");
  for (const id of [low, mid, high]) assertEquals((await box.settled(id!)).status, "complete");
});

Deno.test("run --all --wait runs a pipeline by priority and dependencies, and exits 1 if one failed", async () => {
  await using box = await makeBox();
  const log = (name: string) => `echo ${name} >>"$ORCHESTRA_WORKSPACE/order"`;
  const a = await box.start("shell", log("a"), "-p", "1");
  const b = await box.start("shell", log("b"), "-p", "9", "--depends-on", a);
  await box.start("shell", log("c"), "-p", "5");
  const good = await box.run("run", "--all", "--wait", "--parallel", "1");
  assertEquals(good.code, 0, good.stderr);
  assertEquals(Deno.readTextFileSync(box.path("workspace/order")), "c\na\nb\n");
  for (const id of [a, b]) assertStringIncludes(lineOf(good.stdout, id), "complete");
  // On no terminal the commentary is plain lines on stderr: one for each change.
  assertEquals(good.stderr.match(/ running /g)?.length, 3, good.stderr);
  assertPrintable(good.stdout + good.stderr);

  const failing = await box.start("shell", "exit 3");
  const waiting = await box.start("shell", "true", "--depends-on", failing);
  const bad = await box.run("run", "--all", "--wait", "--parallel", "3");
  assertEquals(bad.code, 1);
  assertStringIncludes(lineOf(bad.stdout, failing), "Process exited with code 3");
  const end = endOf(failing, box.tasks().map(({ taskId }) => taskId));
  assertMatch(lineOf(bad.stdout, waiting), new RegExp(`blocked.* Dependency ${end} failed$`));
  // What ended before this run is none of its business.
  assert(!bad.stdout.includes(a));

  await box.ok("cancel", waiting);
  await box.start("shell", "true");
  const json = await box.json("run", "--all", "--wait");
  assertEquals([json.complete, json.incomplete, json.interrupted], [1, 0, false]);
  assertEquals((await box.json("run", "--wait")).tasks, []);
});

test(
  "run --wait shows a live table in a terminal, and leaves the agents alone on Ctrl+C",
  terminal(),
  async () => {
    await using box = await makeBox();
    const id = await box.start("shell", "echo begun; exec sleep 1000");
    await using live = inTerminal(box, 80, 24, "run", "--wait");
    await live.printed((text) => text.includes("running"));
    await live.type("\x03");
    const left = await live.ended();
    assertEquals(left.code, 130);
    assertStringIncludes(left.stdout, "agents go on");
    const { pid, status } = box.task(id);
    assertEquals(status, "running");
    const shim = await box.until("the shim's pid", () => readNumber(box.path(`tasks/${id}.1.pid`)));
    assert(lives(shim), `pid ${pid}`);
    assertStringIncludes(lineOf(await box.ok("status"), id), "running");
    await box.ok("cancel", id);
  },
);

Deno.test("what was to end and has no sound file any more counts as not complete", async () => {
  for (const spoil of ['echo "{" >', "rm"]) {
    await using box = await makeBox();
    const victim = await box.start("shell", "true", "-p", "1");
    const script = `${spoil} "$ORCHESTRA_ROOT/.orchestra/tasks/${victim}.json"`;
    const own = `${spoil} "$ORCHESTRA_ROOT/.orchestra/tasks/$ORCHESTRA_TASK_ID.json"`;
    for (const [each, gone] of [[script, victim], [own, undefined]] as const) {
      const id = await box.start("shell", each, "-p", "10");
      const { code, stderr } = await box.run("run", "--all", "--wait", "--parallel=1");
      assertEquals(code, 1, stderr);
      assertStringIncludes(stderr, `${gone ?? id} cannot be told to have ended`);
    }
  }
});
