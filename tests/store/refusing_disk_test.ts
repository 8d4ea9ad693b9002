// A disk that refuses loses nothing and leaves nothing behind.

import { createFolders } from "../../lib/store/paths.ts";
import { assertEquals, assertGreater, assertMatch, assertThrows } from "../support/assert.ts";
import { toOrchestraError } from "../../lib/task/error.ts";
import { openStore, type Store } from "../../lib/store/tasks.ts";
import { SmallDisk } from "../support/disk.ts";
import { mounting, NOT_ROOT, test } from "../support/needs.ts";
import { Folder, ID, idOf, make, names, NOW } from "../support/store.ts";

/** Each kind of write; all contents are too large for a disk with no free page. */
function writes(store: Store): Record<string, () => unknown> {
  const long = "x".repeat(10_000);
  const task = { ...make(ID), prompt: long };
  return {
    create: () => store.create((id) => ({ ...make(id), prompt: long }), NOW),
    createAll: () => store.createAll([1, 2, 3].map((n) => ({ ...make(idOf(n)), prompt: long }))),
    write: () => store.write(task),
    writeHint: () => store.writeHint(ID, "timeout", long),
    "writeHint anew": () => store.writeHint(ID, "cancelled", long),
    createMark: () => store.createMark(ID, "2.pid", long),
    writeFile: () => store.writeFile(`${store.dir}/config.json`, long),
  };
}

/** A workspace with a task, a mark and a setting, and what all of it looks like. */
function settled(path: string): { store: Store; state: () => string } {
  createFolders(path);
  const store = openStore(path);
  store.create(make, NOW);
  store.writeHint(ID, "timeout", "old");
  store.writeFile(`${store.dir}/config.json`, "{}");
  store.locked(() => {});
  const files = ["tasks", "."].flatMap((name) =>
    names(`${store.dir}/${name}`).map((file) => `${name}/${file}`)
  );
  const state = () =>
    JSON.stringify([
      ["tasks", "."].map((name) => names(`${store.dir}/${name}`)),
      files.map((file) => {
        const info = Deno.lstatSync(`${store.dir}/${file}`);
        return info.isFile ? Deno.readTextFileSync(`${store.dir}/${file}`) : "";
      }),
    ]);
  return { store, state };
}

function refusedWith(pattern: RegExp, store: Store, state: () => string): void {
  const before = state();
  for (const [name, write] of Object.entries(writes(store))) {
    const error = toOrchestraError(assertThrows(() => write(), name), "Writing");
    assertEquals([error.code, error.exitCode], ["environment", 5], `${name}: ${error.message}`);
    assertMatch(`${error.message} ${error.hint}`, pattern);
    assertEquals(state(), before, `${name} left something`);
  }
  assertEquals(store.scan().tasks, [make(ID)]);
  assertEquals(store.scan().damaged, []);
}

test(
  "on a full disk every write fails, keeps the old content and leaves nothing behind",
  mounting(),
  () => {
    using disk = new SmallDisk("size=1m");
    const { store, state } = settled(disk.path);
    const filler = Deno.openSync(`${disk.path}/filler`, { write: true, create: true });
    const block = new Uint8Array(4096);
    assertThrows(
      () => {
        for (let count = 0; count < 10_000; count++) filler.writeSync(block);
      },
      Error,
      "os error 28",
    );
    filler.close();
    refusedWith(/disk is full/, store, state);
    // Space again: everything works as before.
    Deno.removeSync(`${disk.path}/filler`);
    const { create, createAll, ...rest } = writes(store);
    for (const write of [createAll!, create!, ...Object.values(rest)]) write();
    assertEquals(store.scan().damaged, []);
    assertEquals(store.scan().tasks.length, 5);
  },
);

test("on a disk that fills up within a write nothing is left behind either", mounting(), () => {
  using disk = new SmallDisk("size=1m");
  const { store, state } = settled(disk.path);
  // Two pages stay free: the file beside can be begun and not ended.
  const filler = Deno.openSync(`${disk.path}/filler`, { write: true, create: true });
  const block = new Uint8Array(4096);
  let length = 0;
  assertThrows(() => {
    for (;;) length += filler.writeSync(block);
  });
  filler.truncateSync(length - 4096);
  filler.close();
  refusedWith(/disk is full/, store, state);
});

test("with no free inode but one, nothing is created by half", mounting(), () => {
  using disk = new SmallDisk("size=1m,nr_inodes=64");
  const { store, state } = settled(disk.path);
  let count = 0;
  assertThrows(() => {
    for (;; count++) Deno.writeTextFileSync(`${disk.path}/filler${count}`, "");
  });
  assertGreater(count, 10);
  // The file beside gets the last one; its second name needs another.
  Deno.removeSync(`${disk.path}/filler0`);
  const before = state();
  const { create, createMark } = writes(store);
  for (const write of [create!, createMark!]) {
    const error = toOrchestraError(assertThrows(() => write()), "Writing");
    assertEquals(error.code, "environment");
    assertEquals(state(), before);
  }
  // A rewrite needs no more than that.
  store.write({ ...make(ID), agent: "b" });
  assertEquals(store.read(ID)!.agent, "b");
});

test("on a read-only disk every write fails, and every read works", mounting(), () => {
  using disk = new SmallDisk("size=1m");
  const { store, state } = settled(disk.path);
  disk.remount("ro");
  refusedWith(/read-only|os error 30/i, store, state);
  assertEquals(openStore(disk.path).read(ID), make(ID));
  const error = toOrchestraError(assertThrows(() => store.locked(() => {})), "Locking");
  assertEquals(error.code, "environment");
  disk.remount("rw");
});

test(
  "in a folder that may not be written every write fails, and every read works",
  NOT_ROOT,
  () => {
    using folder = new Folder();
    const { store, state } = settled(folder.path);
    for (const path of [store.tasksDir, store.dir]) Deno.chmodSync(path, 0o500);
    try {
      refusedWith(/os error 13|denied/i, store, state);
    } finally {
      for (const path of [store.dir, store.tasksDir]) Deno.chmodSync(path, 0o700);
    }
  },
);
