// wait.

import { assertEquals, assertNotEquals, assertStringIncludes } from "../support/assert.ts";
import { type Live, makeBox } from "../support/program.ts";
import { lineOf, MISSING } from "../support/words.ts";

Deno.test("wait ends with 0 when all completed, 1 when one did not or time is up, 130 on Ctrl+C", async () => {
  await using box = await makeBox();
  assertStringIncludes(await box.ok("wait"), "Nothing to wait for");
  const [good, bad, slow] = await Promise.all([
    box.start("shell", "true"),
    box.start("shell", "exit 1"),
    box.start("shell", "sleep 1000"),
  ]);
  const blocked = await box.start("shell", "true", "--depends-on", bad!);
  await using waiting = box.live({}, "wait", good!);
  await box.ok("run", "--parallel", "3");
  assertEquals((await waiting.ended()).code, 0);
  const [fails, blocks, timeUp] = await Promise.all([
    box.run("wait", good!, bad!),
    box.run("wait", blocked),
    box.run("wait", "--json", "--timeout", "0.05", slow!),
  ]);
  assertEquals([fails.code, blocks.code, timeUp.code], [1, 1, 1]);
  assertStringIncludes(lineOf(fails.stdout, bad!), "failed");
  assertStringIncludes(lineOf(blocks.stdout, blocked), "blocked");
  const json = JSON.parse(timeUp.stdout);
  assertEquals([json.complete, json.timedOut, json.tasks.length], [false, true, 1]);
  assertEquals(timeUp.stderr, "");
  await using interrupted = box.live({}, "--debug", "wait", slow!);
  // Nothing is printed before the end; the watch that it sets up is what can be seen from outside.
  await box.until("the signal's listener", () => catchesInterrupts(interrupted));
  interrupted.kill("SIGINT");
  assertEquals((await interrupted.ended()).code, 130);
  await box.fails(3, "wait", MISSING);
});

/** Whether a process that waits has a handler for SIGINT. */
function catchesInterrupts({ pid, stderr }: Live): boolean {
  // Elsewhere by its trace: it looks once before it has one, and then as long as it waits.
  if (Deno.build.os !== "linux") return stderr().split("tasks looked at").length > 2;
  const status = Deno.readTextFileSync(`/proc/${pid}/status`);
  return (BigInt(`0x${/SigCgt:\s*([0-9a-f]+)/.exec(status)![1]}`) & 2n) !== 0n;
}

Deno.test("wait goes on while a retry is due, and ends with the last attempt", async () => {
  await using box = await makeBox();
  box.config({ retry: { base: 0.01 } });
  const script =
    'cat "$ORCHESTRA_WORKSPACE/second" || (echo >"$ORCHESTRA_WORKSPACE/second"; exit 1)';
  const id = await box.start("shell", script, "--auto-retry");
  await box.ok("run");
  const outcome = await box.json("wait", id);
  assertEquals(outcome.complete, true);
  assertNotEquals(outcome.tasks[0].taskId, id);
  assertEquals(outcome.tasks[0].retryCount, 1);
});
