// Which processes are a task's, where only parents and times tell.

import fc from "fast-check";
import { formatPidText } from "../../../lib/launch/posix/place.ts";
import { createWindowsLauncher, pickWindowsTree } from "../../../lib/launch/windows/launcher.ts";
import { formatStart, type WindowsSystem } from "../../../lib/launch/windows/processes.ts";
import { assert, assertEquals } from "../../support/assert.ts";
import { pidsOf } from "../../support/process_table.ts";

Deno.test("pickWindowsTree follows parents, but no number that was given to another", () => {
  const table = [
    { pid: 4, ppid: 0, created: null },
    { pid: 100, ppid: 50, created: 1000n },
    { pid: 101, ppid: 100, created: 1001n },
    { pid: 102, ppid: 101, created: 1002n },
    // Older than its parent: that one's number was another's.
    { pid: 103, ppid: 101, created: 900n },
    { pid: 104, ppid: 103, created: 2000n },
    { pid: 105, ppid: 102, created: null },
  ];
  const shim = { pid: 100, start: formatStart(1000n) };
  assertEquals(pidsOf(pickWindowsTree(table, shim, 7)), [100, 101, 102]);
  assertEquals(pickWindowsTree(table, { ...shim, start: formatStart(999n) }, 7), []);
  assertEquals(pickWindowsTree(table, null, 7), []);
  // Ourselves, and what we started.
  assertEquals(pidsOf(pickWindowsTree(table, shim, 101)), [100]);
});

Deno.test("pickWindowsTree still knows the children of what it had proven and has ended", () => {
  const known = new Map([[101, 1001n], [102, 1002n]]);
  const left = [{ pid: 102, ppid: 101, created: 1002n }, { pid: 110, ppid: 101, created: 1500n }];
  assertEquals(pidsOf(pickWindowsTree(left, null, 7, known)), [102, 110]);
  // The number is another's now, and so are those younger than that one.
  const reused = [...left, { pid: 101, ppid: 3, created: 1400n }];
  assertEquals(pidsOf(pickWindowsTree(reused, null, 7, known)), [102]);
  const later = [...left, { pid: 101, ppid: 3, created: 1600n }];
  assertEquals(pidsOf(pickWindowsTree(later, null, 7, known)), [102, 110]);
});

Deno.test("pickWindowsTree knows by its mark what has lost its parent, and whose else something is", () => {
  const [mark, other] = ["a.b.c/task_1795338125627", "a.b.c/task_1795338125628"];
  const table = [
    { pid: 100, ppid: 50, created: 1000n },
    { pid: 101, ppid: 100, created: 1001n },
    // Its parent has ended, and so has that of the next, which cleared its environment.
    { pid: 110, ppid: 60, created: 1100n },
    { pid: 111, ppid: 110, created: 1101n },
    // Another task, launched from within this one.
    { pid: 120, ppid: 101, created: 1200n },
    { pid: 121, ppid: 120, created: 1201n },
  ];
  const marks = new Map([[100, mark], [101, mark], [110, mark], [111, ""], [120, other]]);
  const shim = { pid: 100, start: formatStart(1000n) };
  const pick = (of: string, shimOf: typeof shim | null, self = 7) =>
    pidsOf(pickWindowsTree(table, shimOf, self, new Map(), of, marks));
  assertEquals(pick(mark, shim), [100, 101, 110, 111]);
  assertEquals(pick(mark, null), [100, 101, 110, 111]);
  assertEquals(pick(other, null), [120, 121]);
  assertEquals(pick(mark, shim, 110), [100, 101]);
  // A pid file that was forged: who can be seen to have no such mark is not the task's.
  assertEquals(pick("a.b.c/task_1795338125629", shim), []);
  assertEquals(pick(mark, { pid: 111, start: formatStart(1101n) }, 110), [100, 101]);
});

Deno.test("a task's tree is ended where the clock was set back after its shim had started", async () => {
  const mark = "a.b.c/task_1795338125627";
  const shim = { pid: 100, start: formatStart(1000n) };
  const table = new Map([
    [100, { ppid: 50, created: 1000n, mark }],
    [101, { ppid: 100, created: 400n, mark }],
    // Older than what has the number of its parent, and of no task.
    [102, { ppid: 100, created: 300n, mark: "" }],
  ]);
  const place = { boot: "-", machine: "-", host: "here", namespace: "-", whole: true };
  const system: WindowsSystem = {
    place: () => place,
    list: () => [...table].map(([pid, { ppid, created }]) => ({ pid, ppid, created })),
    created: (pid) => table.get(pid)?.created,
    ask: () => Promise.resolve(),
    end: (pid) => table.delete(pid),
    marker: (pid) => table.get(pid)?.mark ?? null,
  };
  const identity = { pid: 100, token: formatPidText(shim, place) };
  const report = await createWindowsLauncher({ shim: ["never"], system })
    .endTree(mark, identity, { grace: 0 });
  assertEquals(report, { signalled: 2, left: 0, unknown: false });
  assertEquals([...table.keys()], [102]);
});

Deno.test("pickWindowsTree ends in any table, with nothing that is not proven", () => {
  const process = fc.record({
    pid: fc.nat(12),
    ppid: fc.nat(12),
    created: fc.option(fc.bigInt({ min: 0n, max: 5n })),
  });
  fc.assert(fc.property(
    fc.uniqueArray(process, { selector: ({ pid }) => pid, maxLength: 13 }),
    fc.nat(12),
    fc.nat(12),
    fc.bigInt({ min: 0n, max: 5n }),
    (table, self, pid, created) => {
      const shim = { pid, start: formatStart(created) };
      const found = pickWindowsTree(table, shim, self);
      assert(found.every((item) => item.pid !== self && item.created >= created));
      const proven = table.some((item) => item.pid === pid && item.created === created);
      if (!proven) assertEquals(found, []);
    },
  ));
});
