// Which processes are a task's.

import fc from "fast-check";
import { createTree } from "../../../lib/launch/posix/end.ts";
import type { Look, Looks } from "../../../lib/launch/posix/looks.ts";
import { indexTable, pickMarkable, pickTree } from "../../../lib/launch/posix/tree.ts";
import { assert, assertEquals } from "../../support/assert.ts";
import { pidsOf, tableOf, TASK } from "../../support/process_table.ts";

Deno.test("pickTree takes the shim, its session, its descendants and what carries the mark", () => {
  const table = tableOf(
    { pid: 1, ppid: 0 },
    { pid: 100, session: 100 },
    { pid: 101, ppid: 100, session: 100 },
    { pid: 102, ppid: 101, session: 102 },
    { pid: 103, session: 100 },
    { pid: 104, session: 104, marker: TASK },
    { pid: 105, ppid: 104, session: 105 },
    { pid: 106, ppid: 101, session: 106, marker: "task_1000000000000" },
    { pid: 107, ppid: 106, session: 106 },
    { pid: 108, ppid: 101, zombie: true },
    { pid: 109, ppid: 108 },
    { pid: 200 },
  );
  const shim = { pid: 100, start: "b 100" };
  assertEquals(pidsOf(pickTree(indexTable(table), TASK, shim, 7)), [
    100,
    101,
    102,
    103,
    104,
    105,
    109,
  ]);
  // A forged start proves nothing; the mark does.
  assertEquals(pidsOf(pickTree(indexTable(table), TASK, { ...shim, start: "c 100" }, 7)), [
    104,
    105,
  ]);
  assertEquals(pidsOf(pickTree(indexTable(table), TASK, null, 7)), [104, 105]);
  assertEquals(pickTree(indexTable(table), "task_1", null, 7), []);
  // We are never part of it, nor what we started.
  assertEquals(pidsOf(pickTree(indexTable(table), TASK, shim, 101)), [100, 103, 104, 105]);
});

Deno.test("pickTree keeps what was proven before, if it is still the same process", () => {
  const table = tableOf({ pid: 50 }, { pid: 51, ppid: 50 }, { pid: 60 }, { pid: 1, ppid: 0 });
  const known = new Map([[50, "b 50"], [60, "b 59"], [1, "b 1"], [70, "b 70"]]);
  assertEquals(pidsOf(pickTree(indexTable(table), TASK, null, 7, known)), [50, 51]);
});

Deno.test("pickTree never takes init, ourselves or another's, and ends in any table", () => {
  const process = fc.record({
    pid: fc.integer({ min: 1, max: 30 }),
    ppid: fc.nat(30),
    group: fc.nat(30),
    session: fc.nat(30),
    threads: fc.nat(3),
    zombie: fc.boolean(),
    stopped: fc.boolean(),
    start: fc.constantFrom("b 1", "b 2"),
    marker: fc.constantFrom(null, "", TASK, "task_1000000000000"),
    blank: fc.boolean(),
  });
  fc.assert(fc.property(
    fc.array(process, { maxLength: 40 }),
    fc.integer({ min: 1, max: 30 }),
    fc.option(fc.record({ pid: fc.nat(30), start: fc.constantFrom("b 1", "b 3") })),
    (processes, self, shim) => {
      const table = new Map(processes.map((item) => [item.pid, item]));
      for (
        const { pid, marker, session, zombie } of pickTree(indexTable(table), TASK, shim, self)
      ) {
        assert(
          pid > 1 && pid !== self && !zombie &&
            (!marker || marker === TASK || session === shim?.pid),
        );
      }
      const proven = shim !== null && table.get(shim.pid)?.start === shim.start;
      if (!proven && !processes.some(({ marker }) => marker === TASK)) {
        assertEquals(pickTree(indexTable(table), TASK, shim, self), []);
      }
    },
  ));
});

Deno.test("pickMarkable leaves out what is older than the shim, and the kernel's threads", () => {
  const table = tableOf(
    { pid: 2, ppid: 0 },
    { pid: 3, ppid: 2, start: "b 900" },
    { pid: 10, start: "b 99" },
    { pid: 11, start: "b 100" },
    { pid: 12, start: "b 1000" },
    { pid: 13, start: "c 50" },
    { pid: 14, start: "b 900", zombie: true },
  );
  assertEquals(pidsOf(pickMarkable(table, { pid: 11, start: "b 100" })), [11, 12, 13]);
  assertEquals(pidsOf(pickMarkable(table, null)), [10, 11, 12, 13]);
  assertEquals(pidsOf(pickMarkable(table, { pid: 1, start: "- Tue_Sep_1" })), [10, 11, 12, 13]);
});

/** A look at processes that nobody has. */
function look(...processes: Parameters<typeof tableOf>): Look {
  const table = tableOf(...processes);
  return { table, vanished: 0, place: undefined, alone: true, index: () => indexTable(table) };
}

/** What is found of a task whose shim is process 100 by some looks, the last one again and again. */
function collect(first: Look, ...coming: Look[]): Promise<number[]> {
  const looks: Looks = {
    take: () => Promise.resolve(coming.length > 1 ? coming.shift()! : coming[0]!),
    begin: () => ({ [Symbol.dispose]() {} }),
  };
  const shim = { pid: 100, start: "b 100" };
  return createTree(TASK, shim, first, looks, () => {}).collect().then(pidsOf);
}

Deno.test("nothing counts as gone while a look may have missed something", async () => {
  const changing = { pid: 101, session: 100, start: "b 101", marker: "", blank: true };
  const none = look();
  const tool = look({ pid: 102, marker: TASK });
  assertEquals(await collect(none, tool), []);
  // It is just becoming another program.
  const blank = look(changing);
  const become = look({ ...changing, marker: TASK, blank: false });
  assertEquals(await collect(blank, blank, become), [101]);
  assertEquals(await collect(blank, look({ ...changing, blank: false })), []);
  // One that has no environment is nobody's; one that is older than the shim is not asked.
  assertEquals(await collect(blank, blank), []);
  assertEquals(await collect(look({ ...changing, start: "b 99" }), become), []);
  // It ended while the look was taken, having started another after what is there was listed.
  const ended = look({ ...changing, blank: false, zombie: true });
  assertEquals(await collect(ended, tool), [102]);
  assertEquals(await collect({ ...none, vanished: 1 }, tool), [102]);
  // What had ended before starts nothing any more.
  assertEquals(await collect(ended, ended, tool), []);
});

Deno.test("who is becoming another program below a task is not taken for that task's before it has", async () => {
  const root = { pid: 100, session: 100, marker: TASK };
  const other = { pid: 200, ppid: 100, session: 200, marker: "", blank: true };
  const becoming = look(root, other);
  const become = look(root, { ...other, blank: false, marker: "w/task_1795331564660" });
  assertEquals(await collect(becoming, become), [100]);
  assertEquals(await collect(becoming, becoming, becoming, become), [100]);
  // One that has no environment at all is known by its parent.
  assertEquals(await collect(becoming, becoming), [100, 200]);
  // In the session of the shim there is nobody else's.
  const own = look(root, { ...other, session: 100 });
  assertEquals(await collect(own, become), [100, 200]);
});

Deno.test("pickTree believes no pid file where a mark could be read and there is none", () => {
  const bare = { pid: 100, session: 100, marker: "" };
  const table = tableOf(bare, { pid: 101, ppid: 100, session: 100, marker: "" }, {
    pid: 1,
    ppid: 0,
  });
  const shim = { pid: 100, start: "b 100" };
  assertEquals(pickTree(indexTable(table), TASK, shim, 7), []);
  // Proven otherwise it is taken, with what descends from it; below a mark the environment may be another.
  assertEquals(pidsOf(pickTree(indexTable(table), TASK, shim, 7, new Map([[100, "b 100"]]))), [
    100,
    101,
  ]);
  table.set(100, { ...table.get(100)!, marker: TASK });
  assertEquals(pidsOf(pickTree(indexTable(table), TASK, shim, 7)), [100, 101]);
});
