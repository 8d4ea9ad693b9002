// A daemon and the settings that change while it runs.

import { assertEquals } from "../support/assert.ts";
import { agentOf, gated, openGate } from "../support/gated.ts";
import { makeBox } from "../support/program.ts";

Deno.test("a daemon follows config set max_concurrent, unless it was told another number", async () => {
  await using box = await makeBox();
  box.config({ max_concurrent: 1 });
  const ids = await Promise.all([1, 2].map(() => box.start("shell", gated())));
  await box.ok("daemon", "start");
  try {
    await box.until("the first", () => ids.some((id) => box.task(id).status === "running"));
    assertEquals(ids.filter((id) => box.task(id).status === "running").length, 1);
    await box.ok("config", "set", "max_concurrent", "2");
    for (const id of ids) await agentOf(box, id);
    openGate(box);
    for (const id of ids) await box.settled(id);
  } finally {
    await box.ok("daemon", "stop");
  }
});
