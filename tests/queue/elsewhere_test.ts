// Looks from another pid namespace, as a container on the same folder has one: who cannot see a task's
// processes changes nothing, and leaves nobody there.

import { assertEquals, assertStringIncludes } from "../support/assert.ts";
import { execute } from "../support/execute.ts";
import { agentOf, forge, gated, gone, openGate, textIn } from "../support/gated.ts";
import { CONTAINED, containers, test } from "../support/needs.ts";
import { type Box, commandLine, kill, lives, makeBox } from "../support/program.ts";

/** Runs a command of ours in a container, which ends with it. */
async function contained(box: Box, ...args: string[]): Promise<string> {
  const [command, ...rest] = [...CONTAINED, ...commandLine(...args)];
  const { stdout, stderr } = await execute(command!, rest, { cwd: box.root });
  return stdout + stderr;
}

test(
  "a look from a container changes nothing of what runs, watched or not",
  containers(),
  async () => {
    await using box = await makeBox();
    const id = await box.start("--timeout=1h", "--auto-retry", "shell", gated());
    const other = await box.start("shell", gated());
    await box.ok("run", "--parallel", "2");
    const agents = [await agentOf(box, id), await agentOf(box, other)];
    const watcher: number = await box.until("the watcher", () => {
      const info = JSON.parse(textIn(box.path("daemon.json")) || "{}");
      return info.begins ? null : info.pid;
    });
    await contained(box, "status");
    kill(watcher, "SIGKILL");
    await gone(box, watcher);
    // Its time is used up, and nobody has seen it who could end it.
    forge(box, id, { timeout: 0.001 });
    const text = await contained(box, "status");
    assertStringIncludes(text, "Nobody watches over what runs in another container");
    for (const command of [["status"], ["show", id], ["doctor"], ["run"], ["deps", "show", id]]) {
      await contained(box, ...command);
    }
    assertEquals(box.task(id).status, "running");
    assertEquals(box.task(other).status, "running");
    assertEquals(box.tasks().length, 2);
    assertEquals(agents.map(lives), [true, true]);
    assertEquals(box.supervisors(), []);
    // Who sees them takes over.
    await box.ok("status");
    assertEquals((await box.settled(id)).failureClass, "timeout");
    openGate(box);
    assertEquals((await box.settled(other)).status, "complete");
    for (const { taskId } of box.tasks()) await box.settled(taskId);
    await box.unwatched();
  },
);
