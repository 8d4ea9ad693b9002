// What the page keeps of what it is told: lists that follow changes and do not grow, few redraws for many
// changes, selections.

import { assert, assertEquals } from "../support/assert.ts";
import { newTask, type Task } from "../../lib/task/fields.ts";
import type { PhaseName } from "../../lib/decide/view.ts";
import { createBatch } from "../../lib/web/page/batch.ts";
import {
  changeListing,
  isSameRow,
  type Listing,
  partTasks,
  retriedOf,
  totalOf,
} from "../../lib/web/page/listing.ts";
import { extend, NOTHING, prune, toggle } from "../../lib/web/page/selection.ts";
import type { WireFilter, WireRow } from "../../lib/web/wire.ts";

function row(number: number, phase: PhaseName, change: Partial<Task> = {}): WireRow {
  const at = 1_700_000_000_000 + number;
  const task = newTask(`task_${at}`, { agent: "shell", prompt: `Step ${number}` }, at);
  const status = phase === "ready" || phase === "waiting" || phase === "blocked"
    ? "pending"
    : phase === "retrying"
    ? "failed"
    : phase;
  const wire = {
    phase,
    blockedReason: null,
    waitsFor: null,
    elapsedSeconds: null,
    remainingSeconds: null,
    name: String(number),
    promptLength: task.prompt.length,
    refuses: {},
  };
  return { ...task, ...wire, status, ...change };
}

const listing = (filter: WireFilter, rows: readonly WireRow[], limit = 300): Listing => ({
  filter,
  limit,
  ids: new Set(rows.map(({ taskId }) => taskId)),
  counts: { total: rows.length },
  agents: {},
  labels: {},
  stale: false,
});

const known = (rows: readonly WireRow[]) => new Map(rows.map((one) => [one.taskId, one]));

Deno.test("a list takes what passes its filters now, and drops what does not any more", () => {
  const [first, second] = [row(1, "running"), row(2, "running")];
  const list = listing({ status: ["running"] }, [first, second]);
  const changed = [{ ...first, status: "complete", phase: "complete" } as const, row(3, "running")];
  const after = changeListing(list, changed, [second.taskId], known(changed));
  assertEquals([...after.ids], [row(3, "running").taskId]);
  assert(after.stale);
});

Deno.test("what the server found in the rest of a long prompt stays found", () => {
  const long = { ...row(1, "running"), promptLength: 5000 };
  const list = listing({ q: "far behind" }, [long]);
  const changed = { ...long, status: "complete", phase: "complete" } as const;
  assert(changeListing(list, [changed], [], known([changed])).ids.has(long.taskId));
  const other = { ...row(2, "running"), promptLength: 5000 };
  assert(!changeListing(list, [other], [], known([other])).ids.has(other.taskId));
});

Deno.test("a list does not grow with what ends while it is looked at, and keeps what runs", () => {
  const rows = Array.from(
    { length: 1000 },
    (_, n) =>
      row(n, n === 0 ? "running" : "complete", { completedAt: new Date(n * 1000).toISOString() }),
  );
  const after = changeListing(listing({}, []), rows, [], known(rows));
  assertEquals(after.ids.size, 300);
  assert(after.ids.has(rows[0]!.taskId));
  assert(after.ids.has(rows[999]!.taskId));
  assert(!after.ids.has(rows[1]!.taskId));
});

Deno.test("a row that says the same is not drawn anew, however long its task has run", () => {
  const running = row(1, "running", { labels: { area: "docs" } });
  const later = { ...structuredClone(running), elapsedSeconds: 9 };
  assert(isSameRow(running, later));
  assert(!isSameRow(running, { ...later, labels: { area: "core" } }));
  assert(!isSameRow(running, { ...later, phase: "complete" }));
  const ended = row(2, "complete");
  assert(!isSameRow(ended, { ...ended, elapsedSeconds: 9 }));
});

Deno.test("how many there are in all follows from the counts of the phases that are asked for", () => {
  const counts = { total: 20, ready: 1, waiting: 2, blocked: 3, failed: 5, retrying: 4, needed: 6 };
  const total = (status?: string[]) => totalOf({ filter: { status }, counts });
  assertEquals(total(), 20);
  assertEquals(total(["pending"]), 6);
  assertEquals(total(["failed"]), 5);
  assertEquals(total(["failed", "retrying"]), 9);
  assertEquals(total(["waiting", "ready"]), 3);
  assertEquals(total(["needed"]), 6);
  // Six are needed: three that are blocked, and three of the five that have failed.
  assertEquals(total(["needed", "failed"]), 8);
  assertEquals(total(["needed", "blocked"]), 6);
  assertEquals(total(["needed", "pending"]), 9);
  assertEquals(total(["needed", "retrying"]), 10);
  assertEquals(retriedOf(counts), 2);
  assertEquals(retriedOf({ total: 5, failed: 5 }), 0);
});

Deno.test("tasks are parted by what a person wants to know, and sorted within", () => {
  const parts = partTasks([
    row(1, "ready", { priority: 3 }),
    row(2, "ready", { priority: 9 }),
    row(3, "waiting", { priority: 10 }),
    row(4, "failed", { completedAt: "2026-01-01T00:00:01.000Z" }),
    row(5, "failed", { completedAt: "2026-01-01T00:00:02.000Z", retriedBy: "task_1700000000009" }),
    row(6, "blocked"),
    row(7, "running", { startedAt: "2026-01-01T00:00:02.000Z" }),
    row(8, "running", { startedAt: "2026-01-01T00:00:01.000Z" }),
    row(9, "retrying"),
    row(10, "complete", { completedAt: "2026-01-01T00:00:03.000Z" }),
  ]);
  const names = (rows: readonly WireRow[]) => rows.map(({ name }) => name).join(" ");
  assertEquals(names(parts.needed), "4 6");
  assertEquals(names(parts.running), "8 7");
  assertEquals(names(parts.waiting), "2 1 9 3");
  assertEquals(names(parts.done), "10 5");
});

Deno.test("many changes between two frames are taken at once, in order", () => {
  const frames: (() => void)[] = [];
  const taken: number[][] = [];
  const batch = createBatch<number>((run) => frames.push(run), (items) => taken.push(items));
  for (let n = 0; n < 50; n++) batch.add(n);
  assertEquals(frames.length, 1);
  frames.shift()!();
  assertEquals(taken, [Array.from({ length: 50 }, (_, n) => n)]);
  batch.add(50);
  frames.shift()!();
  assertEquals(taken[1], [50]);
  assertEquals(frames.length, 0);
});

Deno.test("what comes while a batch is taken waits for the next frame", () => {
  const frames: (() => void)[] = [];
  const taken: string[][] = [];
  const batch = createBatch<string>((run) => frames.push(run), (items) => {
    taken.push(items);
    if (taken.length === 1) batch.add("later");
  });
  batch.add("first");
  frames.shift()!();
  assertEquals(taken, [["first"]]);
  frames.shift()!();
  assertEquals(taken, [["first"], ["later"]]);
});

const ORDER = ["a", "b", "c", "d", "e"];

Deno.test("a range goes from what was selected last, in either direction", () => {
  const from = toggle(NOTHING, "d");
  assertEquals([...extend(from, "b", ORDER).ids].sort(), ["b", "c", "d"]);
  assertEquals([...extend(from, "e", ORDER).ids].sort(), ["d", "e"]);
  // It goes from the same task when it is drawn out further.
  assertEquals([...extend(extend(from, "e", ORDER), "c", ORDER).ids].sort(), ["c", "d", "e"]);
});

Deno.test("a range from nothing, or from what is gone, selects the one", () => {
  assertEquals([...extend(NOTHING, "c", ORDER).ids], ["c"]);
  assertEquals([...extend(toggle(NOTHING, "gone"), "c", ORDER).ids].sort(), ["c", "gone"]);
});

Deno.test("selecting twice selects no more, and what is not shown is not selected", () => {
  assertEquals(toggle(toggle(NOTHING, "a"), "a").ids.size, 0);
  const both = toggle(toggle(NOTHING, "a"), "b");
  assertEquals([...prune(both, new Set(["b", "c"])).ids], ["b"]);
  assertEquals(prune(both, new Set(ORDER)), both);
});
