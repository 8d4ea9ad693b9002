// What the library and run --wait tell of: every change, whichever process made it.

import { assertEquals } from "../support/assert.ts";
import { makeBox } from "../support/program.ts";
import { type Change, openWorkspace } from "../../mod.ts";

/** Queues tasks, and looks at them again and again until it is told to stop. */
async function besideLooks<T>(count: number, action: (box: Box, ids: string[]) => Promise<T>) {
  await using box = await makeBox();
  const ids: string[] = [];
  for (let at = 0; at < count; at++) {
    ids.push(await box.start("shell", at % 5 === 0 ? "exit 7" : "true"));
  }
  let over = false;
  const looks = (async () => {
    while (!over) await box.ok("status");
  })();
  try {
    await action(box, ids);
  } finally {
    over = true;
    await looks;
  }
}
type Box = Awaited<ReturnType<typeof makeBox>>;

Deno.test("onChange tells of each launch and each end once, with another process that settles", async () => {
  await besideLooks(20, async (box, ids) => {
    const told: string[] = [];
    await openWorkspace(box.root).run({
      parallel: 4,
      onChange: ({ kind, task }) => told.push(`${task.taskId} ${kind}`),
    });
    const wanted = ids.flatMap((id, at) => [
      `${id} launched`,
      `${id} ${at % 5 === 0 ? "failed" : "complete"}`,
    ]);
    assertEquals(told.filter((line) => !/reaped$/.test(line)).sort(), wanted.sort());
  });
});

Deno.test("run --wait prints a line for each launch and each end, with another process that settles", async () => {
  await besideLooks(20, async (box, ids) => {
    const { stderr } = await box.run("run", "--all", "--wait", "--parallel", "4");
    for (const [at, id] of ids.entries()) {
      const lines = stderr.split("\n").filter((line) => line.includes(id));
      assertEquals(lines.length, 2, stderr);
      assertEquals(lines[1]!.includes(at % 5 === 0 ? "failed" : "complete"), true, stderr);
    }
  });
});

Deno.test("events tells of what other processes do, and ends with its signal", async () => {
  await using box = await makeBox();
  const stop = new AbortController();
  const told: Change["kind"][] = [];
  const events = openWorkspace(box.root).events({ signal: stop.signal })[Symbol.asyncIterator]();
  const first = events.next();
  const begun = await box.start("shell", "true");
  for (let event = await first; !event.done; event = await events.next()) {
    told.push(event.value.kind);
    if (event.value.kind === "queued") box.run("run").catch(() => {});
    if (event.value.kind === "complete") stop.abort();
    assertEquals(event.value.task.taskId, begun);
  }
  assertEquals(told.filter((kind) => kind !== "reaped"), ["queued", "launched", "complete"]);
});
