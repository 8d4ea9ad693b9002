// The supervisor that commands leave behind: one, as long as there is something to do.

import { assert, assertEquals, assertStringIncludes } from "../support/assert.ts";
import { kill, makeBox } from "../support/program.ts";
import { agentOf, gated, gone, openGate, textIn } from "../support/gated.ts";

Deno.test("run leaves exactly one supervisor, which goes away when all is settled", async () => {
  await using box = await makeBox();
  const ids = await Promise.all([1, 2, 3, 4].map(() => box.start("shell", gated())));
  // Four at once, each launching one more: one of their supervisors stays.
  await Promise.all(ids.map(() => box.ok("run")));
  await Promise.all(ids.map((id) => agentOf(box, id)));
  const [supervisor] = await box.until("a single supervisor", () => {
    const found = box.supervisors();
    return found.length === 1 && found;
  });
  const info = JSON.parse(Deno.readTextFileSync(box.path("daemon.json")));
  assertEquals([info.pid, info.kind], [supervisor, "supervisor"]);
  assertStringIncludes(await box.ok("status"), `supervisor (pid ${supervisor}) watches over it`);
  assertEquals(box.supervisors(), [supervisor!]);
  openGate(box);
  // Nobody runs a command any more: it is the supervisor that settles them.
  for (const id of ids) assertEquals((await box.settled(id)).status, "complete");
  await box.unwatched();
  assertEquals(textIn(box.path("daemon.json")), undefined);
});

Deno.test("when the supervisor is killed, the next status leaves a new one that settles the task", async () => {
  await using box = await makeBox();
  const id = await box.start("shell", gated(7), "--timeout", "1h");
  await box.ok("run");
  await agentOf(box, id);
  const [first] = await box.until("the supervisor", () => box.supervisors());
  await box.until("its taking over", () => textIn(box.path("daemon.json")) !== undefined);
  kill(first!, "SIGKILL");
  await gone(box, first!);
  await box.ok("status");
  const [second] = await box.until("another supervisor", () => {
    const found = box.supervisors();
    return found.length > 0 && found;
  });
  openGate(box);
  const task = await box.settled(id);
  assertEquals([task.status, task.exitCode], ["failed", 7]);
  assert(second !== first);
  await box.unwatched();
});

Deno.test("what run --all began goes on with the next look, after its supervisor was killed", async () => {
  await using box = await makeBox();
  const ids = [
    await box.start("shell", gated()),
    await box.start("shell", "true"),
    await box.start("shell", "true"),
  ];
  await box.ok("run", "--all", "--parallel", "1");
  await agentOf(box, ids[0]!);
  const supervisor: number = await box.until(
    "the supervisor",
    () => JSON.parse(textIn(box.path("daemon.json")) ?? "{}").pid,
  );
  kill(supervisor, "SIGKILL");
  await gone(box, supervisor);
  openGate(box);
  await box.ok("status");
  for (const id of ids) assertEquals((await box.settled(id)).status, "complete");
  await box.unwatched();
  assertEquals(textIn(box.path("daemon.json")), undefined);
});

Deno.test("run --all with a number tells who watches already", async () => {
  await using box = await makeBox();
  const ids: string[] = [];
  for (let at = 0; at < 4; at++) ids.push(await box.start("shell", gated()));
  await box.ok("run", "--all", "--parallel", "1");
  await agentOf(box, ids[0]!);
  const orders = () => JSON.parse(textIn(box.path("daemon.json")) || "{}");
  await box.until("its taking over", () => orders().start !== undefined);
  await box.ok("run", "--all", "--parallel", "3");
  assertEquals(orders().parallel, 3);
  openGate(box);
  for (const id of ids) assertEquals((await box.settled(id)).status, "complete");
  await box.unwatched();
});
