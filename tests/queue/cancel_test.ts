// Cancelling, whoever watches, and from within.

import { assert, assertEquals, assertStringIncludes } from "../support/assert.ts";
import { commandLine, kill, lives, makeBox, processesWith } from "../support/program.ts";
import {
  agentOf,
  exitIn,
  gated,
  gone,
  numberIn,
  stopOutsideLock,
  textIn,
} from "../support/gated.ts";
import { SHELL, test } from "../support/needs.ts";

test("cancel ends the processes itself where whoever watches does not", SHELL, async () => {
  await using box = await makeBox();
  const id = await box.start("shell", gated());
  await box.ok("run");
  const agent = await agentOf(box, id);
  const [supervisor] = await box.until("the supervisor", () => {
    const found = box.supervisors();
    return found.length > 0 && found;
  });
  stopOutsideLock(box, supervisor!);
  await box.ok("cancel", id);
  assert(!lives(agent));
  assertEquals([box.task(id).status, box.task(id).reapAt], ["cancelled", null]);
  kill(supervisor!, "SIGCONT");
  await box.unwatched();
});

test(
  "an agent may cancel itself: all of it ends but the command, which tells how it went",
  SHELL,
  async () => {
    await using box = await makeBox();
    const command = commandLine().map((part) => `'${part}'`).join(" ");
    const script = `sh -c 'echo $$ >"$ORCHESTRA_WORKSPACE/child"; exec sleep 1000' &
    ${command} cancel "$ORCHESTRA_TASK_ID" --reason "had enough" >"$ORCHESTRA_WORKSPACE/said"
    echo "went on" >"$ORCHESTRA_WORKSPACE/after"; sleep 1000`;
    const id = await box.start("shell", script);
    await box.ok("run");
    const task = await box.settled(id);
    assertEquals([task.status, task.errorMessage], ["cancelled", "had enough"]);
    const said = await box.until("what it said", () => textIn(box.path("workspace/said")) || null);
    assertEquals(said, `Cancelled ${id}\n`);
    await gone(box, numberIn(box.path("workspace/child"))!);
    await box.until(
      "the end of all of it",
      () =>
        processesWith("environ", [`ORCHESTRA_ROOT=${box.root}`, `ORCHESTRA_TASK_ID=${id}`])
          .length ===
          0,
    );
    assertEquals(textIn(box.path("workspace/after")), undefined);
  },
);

test("cancel leaves a success that is on disk what it is, and says so", SHELL, async () => {
  await using box = await makeBox();
  box.config({ supervise: false });
  const id = await box.start("shell", "true");
  const other = await box.start("shell", "exec sleep 1000");
  await box.ok("run", "--parallel", "2");
  await box.until("the end", () => exitIn(box, id));
  const { code, stdout, stderr } = await box.run("cancel", "--all");
  assertEquals([code, stdout], [0, `Cancelled ${other}\n`]);
  assertStringIncludes(stderr, `Skipped: ${id} is complete already`);
  assertEquals([box.task(id).status, box.task(other).status], ["complete", "cancelled"]);
});

Deno.test("what one task's own files make impossible keeps cancel from no other", async () => {
  await using box = await makeBox();
  const [bad, good] = [await box.start("shell", "true"), await box.start("shell", "true")];
  Deno.mkdirSync(box.path(`tasks/${bad}.cancelled/x`), { recursive: true });
  const { stdout } = await box.run("cancel", "--all");
  assertStringIncludes(stdout, `Cancelled ${good}\n`);
  assertEquals(box.task(good).status, "cancelled");
  // A folder of that name says what a file of it says.
  assertEquals(box.task(bad).status, "cancelled");
});

Deno.test("cancel of what ended before anybody looked says so, as it does of what was seen to", async () => {
  await using box = await makeBox();
  box.config({ supervise: false });
  const id = await box.start("shell", "true");
  await box.ok("run");
  await box.until("the end", () => exitIn(box, id));
  const { message } = await box.fails(4, "cancel", id);
  assertEquals(message, `Nothing to cancel: ${id} is complete already`);
});

for (const command of ["cancel", "timeout"]) {
  test(`settings that are wrong keep nobody from ${command}`, SHELL, async () => {
    await using box = await makeBox();
    const [id, other] = [await box.start("shell", gated()), await box.start("shell", gated())];
    await box.ok("run", "--parallel", "2");
    const agent = await agentOf(box, id);
    box.config({ max_concurrent: "many" });
    const { code, stderr } = await box.run(command, id);
    assertEquals(code, 0, stderr);
    assertStringIncludes(stderr, "Defaults hold: ");
    assert(!lives(agent));
    assertEquals(box.task(other).status, "running");
  });
}
