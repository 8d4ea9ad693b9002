// Whoever leaves a run --wait leaves a supervisor behind: what runs has its limits, and what was ordered
// goes on.

import { assertEquals } from "../support/assert.ts";
import { agentOf, gated, openGate, textIn } from "../support/gated.ts";
import { GUARDED, needs, SIGNALS, test } from "../support/needs.ts";
import { makeBox } from "../support/program.ts";
import { IDLING } from "../support/shell.ts";
import { inTerminal } from "../support/terminal.ts";

for (
  const [signal, missing] of [
    ["SIGINT", null],
    ["SIGTERM", SIGNALS],
    ["SIGHUP", SIGNALS],
    ["SIGKILL", GUARDED],
  ] as const
) {
  test(
    `run --all --wait that is ended by ${signal} leaves a supervisor that goes on`,
    missing,
    async () => {
      await using box = await makeBox();
      const [first, second, third] = [
        await box.start("shell", gated()),
        await box.start("shell", "true"),
        await box.start("--timeout=1", "shell", IDLING),
      ];
      await using live = box.live({}, "run", "--all", "--wait", "--parallel", "1");
      await agentOf(box, first);
      live.kill(signal);
      await live.ended();
      assertEquals(box.task(first).status, "running");
      await box.until("somebody else who watches", () => {
        const info = JSON.parse(textIn(box.path("daemon.json")) || "{}");
        return info.kind === "supervisor" && info.pid !== live.pid;
      });
      openGate(box);
      assertEquals((await box.settled(first)).status, "complete");
      assertEquals((await box.settled(second)).status, "complete");
      assertEquals((await box.settled(third)).failureClass, "timeout");
      await box.unwatched();
    },
  );
}

test("run --wait that is left by q leaves a supervisor, and says so", needs("script"), async () => {
  await using box = await makeBox();
  const id = await box.start("--timeout=2", "shell", IDLING);
  await using live = inTerminal(box, 80, 24, "run", "--wait");
  await live.printed((text) => text.includes("running"));
  await live.type("q");
  const { code, stdout } = await live.ended();
  assertEquals([code, stdout.includes("a supervisor with them")], [130, true]);
  assertEquals((await box.settled(id)).failureClass, "timeout");
  await box.unwatched();
});

Deno.test("run --wait that comes to its end leaves nobody", async () => {
  await using box = await makeBox();
  await box.start("shell", "true");
  await box.ok("run", "--wait");
  assertEquals(box.supervisors(), []);
  assertEquals(textIn(box.path("daemon.json")), undefined);
});
