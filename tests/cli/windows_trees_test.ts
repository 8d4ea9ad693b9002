// What belongs to a task on Windows, though its parent has ended: it is known by its mark, and ended with the
// task; and what belongs to another one, though it was started from within.

import { assert, assertEquals, assertMatch } from "../support/assert.ts";
import { ON_WINDOWS, test } from "../support/needs.ts";
import { type Box, MAIN, makeBox } from "../support/program.ts";
import { readNumber } from "../support/shell.ts";
import { livesOnWindows } from "../support/windows_processes.ts";

/** An agent that has started a tool, whose parent has ended by then. Its prompt is what it does then. */
const WITH_TOOL = `
new Deno.Command("cmd", {
  args: ["/d", "/c", "start", "/b", Deno.execPath(), "run", "-A", "--no-config", "tool.ts"],
  stdin: "null", stdout: "null", stderr: "null",
}).outputSync();
for (;;) try { Deno.statSync("tool.pid"); break; } catch { await new Promise((go) => setTimeout(go, 50)); }
`;
const TOOL = `
Deno.writeTextFileSync("tool.tmp", Deno.pid + "\\n");
Deno.renameSync("tool.tmp", "tool.pid");
setTimeout(() => {}, 1e6);
`;
const FOR_EVER = "setTimeout(() => {}, 1e6)";

/** A workspace with an agent that leaves a tool behind, and one whose prompt is a program. */
async function makeTrees(): Promise<Box> {
  const box = await makeBox();
  Deno.writeTextFileSync(`${box.root}/tool.ts`, TOOL);
  box.config({ grace_period: 0.1 });
  const agent = (before: string) => ({
    command: Deno.execPath(),
    args: ["eval", "--no-config", `${before}{prompt}`],
    completion: "exit",
  });
  box.agents({ tooled: agent(WITH_TOOL), program: agent("") });
  return box;
}

const toolOf = (box: Box) => box.until("the tool", () => readNumber(`${box.root}/tool.pid`));

test(
  "a tool that a failed agent has left is ended, before the task is run again",
  ON_WINDOWS,
  async () => {
    await using box = await makeTrees();
    const id = await box.start("tooled", "Deno.exit(3)");
    await box.ok("run");
    const tool = await toolOf(box);
    const task = await box.settled(id);
    assertEquals([task.status, task.exitCode], ["failed", 3]);
    assert(!livesOnWindows(tool), "the tool lives");
  },
);

test("cancel ends a tool whose parent has ended", ON_WINDOWS, async () => {
  await using box = await makeTrees();
  const id = await box.start("tooled", FOR_EVER);
  await box.ok("run");
  const tool = await toolOf(box);
  await box.ok("cancel", id);
  await box.settled(id);
  assert(!livesOnWindows(tool), "the tool lives");
});

test(
  "doctor names what a complete task has left running, and ends it with --fix",
  ON_WINDOWS,
  async () => {
    await using box = await makeTrees();
    const id = await box.start("tooled", "Deno.exit(0)");
    await box.ok("run");
    const tool = await toolOf(box);
    assertEquals((await box.settled(id)).status, "complete");
    await box.unwatched();
    const { findings } = await box.json("doctor");
    const found = findings.filter(({ code }: { code: string }) => code === "orphan");
    assertEquals(found.map(({ subject }: { subject: string }) => subject), [id]);
    // Its console is one of them.
    assertMatch(found[0].message, new RegExp(`\\(pid (?:\\d+, )*${tool}[,)]`));
    assert(livesOnWindows(tool), "the tool has ended");
    await box.run("doctor", "--fix");
    assert(!livesOnWindows(tool), "the tool lives");
  },
);

test(
  "a task that an agent has queued and launched goes on when that agent is ended",
  ON_WINDOWS,
  async () => {
    await using box = await makeTrees();
    const orchestra = (...args: string[]) =>
      `new Deno.Command(Deno.execPath(), { args: ${
        JSON.stringify(["run", "-A", "--quiet", MAIN, ...args])
      } }).outputSync();`;
    const outer = await box.start(
      "program",
      orchestra("start", "program", FOR_EVER, "--key", "inner") + orchestra("run") + FOR_EVER,
    );
    await box.ok("run");
    const inner = await box.until(
      "the task within",
      () => box.tasks().find(({ key, pid }) => key === "inner" && pid !== null),
    );
    await box.ok("cancel", outer);
    await box.settled(outer);
    assertEquals(box.task(inner.taskId).status, "running");
    assert(livesOnWindows(inner.pid!), "what was queued from within has ended");
    await box.ok("cancel", inner.taskId);
    await box.settled(inner.taskId);
    assert(!livesOnWindows(inner.pid!), "it lives");
  },
);
