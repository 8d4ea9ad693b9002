// Tasks that touch the same files, claimed by several at once.

import { claim } from "../../lib/queue/claim.ts";
import { loadRules, openQueue } from "../../lib/queue/queue.ts";
import type { Held } from "../../lib/decide/room.ts";
import { assertEquals } from "../support/assert.ts";
import { gated, openGate, textIn } from "../support/gated.ts";
import { makeBox } from "../support/program.ts";

Deno.test("who decided before the other was launched finds it inside the lock, and launches nothing", async () => {
  await using box = await makeBox();
  box.config({ overlap: "serialize", supervise: false });
  const first = await box.start("shell", gated(), "--touches", "src");
  const second = await box.start("shell", gated(), "--touches", "src/a.ts", "-p", "1");
  const queue = openQueue(box.root);
  const rules = await loadRules(queue);
  await box.ok("run");
  const held: [string, Held][] = [];
  claim(queue, [second], rules, () => {
    throw new Error("it was launched");
  }, ({ taskId }, why) => void held.push([taskId, why]));
  assertEquals(held, [[second, { kind: "overlap", id: first }]]);
  assertEquals(box.task(second).status, "pending");
  openGate(box);
  await box.run("run", "--all", "--wait");
});

Deno.test("six who launch at once never have two at work on the same files", async () => {
  await using box = await makeBox();
  box.config({ overlap: "serialize" });
  // Each is alone between its two lines, or the test sees it.
  const script = 'echo "+" >>"$ORCHESTRA_WORKSPACE/seen"; sleep 0.05; ' +
    'echo "-" >>"$ORCHESTRA_WORKSPACE/seen"';
  const ids: string[] = [];
  for (let at = 0; at < 8; at++) {
    ids.push(await box.start("shell", script, "--touches", at % 2 === 0 ? "src/**" : "src/a.ts"));
  }
  let over = false;
  const looks = Array.from({ length: 6 }, async () => {
    while (!over) await box.run("run", "--parallel", "8");
  });
  await box.run("run", "--all", "--wait", "--parallel", "8");
  over = true;
  await Promise.all(looks);
  for (const id of ids) assertEquals((await box.settled(id)).status, "complete");
  assertEquals(textIn(box.path("workspace/seen")), "+\n-\n".repeat(ids.length));
});
