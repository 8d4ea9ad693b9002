// The small files beside a task.

import { assert, assertEquals, assertLess } from "../support/assert.ts";
import { Folder, ID, make, NOW } from "../support/store.ts";

Deno.test("a mark can be created once, replaced, read and removed", () => {
  using folder = new Folder();
  const store = folder.store();
  assertEquals(store.readMark(ID, "1.pid"), undefined);
  assertEquals(store.createMark(ID, "1.pid", "one"), true);
  assertEquals(store.createMark(ID, "1.pid", "two"), false);
  assertEquals(store.readMark(ID, "1.pid")?.text, "one");
  store.writeHint(ID, "1.pid", "three");
  assertEquals(store.readMark(ID, "1.pid")?.text, "three");
  store.writeHint(ID, "done", "");
  assertEquals(store.listMarks(ID), ["1.pid", "done"]);
  store.create(make, NOW);
  // In the order in which the folder has them, which is another on each file system.
  const { marks } = store.scan();
  assertEquals([[...marks.keys()], marks.get(ID)!.sort()], [[ID], ["1.pid", "done"]]);
  store.removeMark(ID, "1.pid");
  store.removeMark(ID, "1.pid");
  assertEquals(store.listMarks(ID), ["done"]);
});

Deno.test("of a huge sentinel only the beginning is read", () => {
  using folder = new Folder();
  const store = folder.store();
  const path = store.markPath(ID, "error");
  Deno.writeTextFileSync(path, "boom");
  Deno.truncateSync(path, 10 * 1024 ** 3);
  const { text } = store.readMark(ID, "error")!;
  assertLess(text.length, 100_000);
  assert(text.startsWith("boom"));
});

Deno.test("a sentinel that is a folder or not UTF-8 still says what its name says", () => {
  using folder = new Folder();
  const store = folder.store();
  Deno.mkdirSync(store.markPath(ID, "done"));
  assertEquals(store.readMark(ID, "done")?.text, "");
  Deno.writeFileSync(store.markPath(ID, "error"), new Uint8Array([0xff, 0xfe, 0x00, 0x41]));
  assertEquals(store.readMark(ID, "error")?.text, "\uFFFD\uFFFD\0A");
});
