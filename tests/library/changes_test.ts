// What the library and run --wait tell of: every change, whichever process made it.

import { assertEquals, assertThrows } from "../support/assert.ts";
import { makeBox } from "../support/program.ts";
import { type EventsOptions, openWorkspace, OrchestraError, type StoredEvent } from "../../mod.ts";

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
  await box.start("shell", "true");
  const stop = new AbortController();
  const told: string[] = [];
  const events = openWorkspace(box.root).events({ signal: stop.signal });
  // Before the first is asked for: what has come since the call is told.
  await box.start("shell", "true");
  for await (const { event } of events) {
    told.push(event);
    if (event === "queued") box.run("run", "--parallel", "2").catch(() => {});
    // Either of the two may end first.
    if (told.filter((one) => one === "complete").length === 2) stop.abort();
  }
  assertEquals(told.filter((event) => event !== "drained").toSorted(), [
    "complete",
    "complete",
    "launched",
    "launched",
    "queued",
  ]);
});

Deno.test("events goes on from a cursor, a time, or the beginning, and keeps to one task", async () => {
  await using box = await makeBox();
  const workspace = openWorkspace(box.root);
  const [first, second] = [await box.start("shell", "exit 7"), await box.start("shell", "true")];
  await workspace.run();
  await box.ok("retry", first);
  const read = async (options: EventsOptions) => {
    const events: StoredEvent[] = [];
    for await (const event of workspace.events({ ...options, follow: false })) events.push(event);
    return events;
  };
  const all = await read({ since: 0 });
  assertEquals(all.filter(({ event }) => event !== "drained").length, 7);
  for (const [at, { cursor }] of all.entries()) {
    assertEquals(await read({ since: cursor }), all.slice(at + 1));
  }
  const [{ time }] = all.slice(-1) as [StoredEvent];
  assertEquals((await read({ since: time })).at(-1), all.at(-1));
  assertEquals(await read({ since: new Date(Date.parse(time) + 1) }), []);
  assertEquals((await read({})).length, 0);
  assertEquals(
    (await read({ since: 0, task: first })).map(({ event }) => event),
    ["queued", "launched", "failed", "retried"],
  );
  assertEquals((await read({ since: 0, task: second })).length, 3);
  assertThrows(() => workspace.events({ since: "yesterday" }), OrchestraError, "neither a time");
});
