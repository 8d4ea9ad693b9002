// The lock excludes, and is free again whatever becomes of who held it.

import { assertEquals, assertThrows } from "../support/assert.ts";
import { ON_POSIX } from "../support/needs.ts";
import { Folder, Program } from "../support/store.ts";

Deno.test("a locked section excludes other processes", async () => {
  using folder = new Folder();
  const store = folder.store();
  Deno.writeTextFileSync(`${store.dir}/number`, "0");
  await using stack = new AsyncDisposableStack();
  const programs = Array.from(
    { length: 4 },
    () => stack.use(new Program("count", folder.path, "100")),
  );
  // All of them are there before the first begins.
  for (const program of programs) assertEquals(await program.firstLine(), "ready");
  await Promise.all(programs.map((program) => program.release()));
  await Promise.all(programs.map((program) => program.rest()));
  assertEquals(Deno.readTextFileSync(`${store.dir}/number`), "400");
});

/** Whether nobody has a lock. */
function isFree(path: string): boolean {
  using file = Deno.openSync(path, { write: true, create: true });
  return file.tryLockSync(true);
}

Deno.test("a lock file that is removed while somebody waits for it keeps nobody's lock", async () => {
  using folder = new Folder();
  const store = folder.store();
  const path = `${store.dir}/lock`;
  await using holder = new Program("hold", folder.path);
  assertEquals(await holder.firstLine(), "held");
  // Whoever waits has the file open already, and gets its lock when the holder ends.
  const { lockSync } = Deno.FsFile.prototype;
  let waited = 0;
  Deno.FsFile.prototype.lockSync = function (exclusive) {
    if (waited++ === 0) {
      Deno.removeSync(path);
      holder.child.kill("SIGKILL");
    }
    return lockSync.call(this, exclusive);
  };
  try {
    store.locked(() => {
      using file = Deno.openSync(path, { read: true, write: true });
      assertEquals(file.tryLockSync(true), false);
    });
  } finally {
    Deno.FsFile.prototype.lockSync = lockSync;
  }
  // Elsewhere the file that was removed has its name until the last of those who have it open closes it.
  if (ON_POSIX === null) assertEquals(waited, 2);
  await holder.child.status;
});

Deno.test("the lock of a process that is killed with -9 is free", async () => {
  using folder = new Folder();
  const store = folder.store();
  await using holder = new Program("hold", folder.path);
  assertEquals(await holder.firstLine(), "held");
  const free = () => isFree(`${store.dir}/lock`);
  assertEquals(free(), false);
  holder.child.kill("SIGKILL");
  await holder.child.status;
  assertEquals(free(), true);
  assertEquals(store.locked(() => 7), 7);
});

Deno.test("a locked section may be entered again from within, and an error leaves it", () => {
  using folder = new Folder();
  const store = folder.store();
  const free = () => isFree(`${store.dir}/lock`);
  store.locked(() => {
    store.locked(() => assertEquals(free(), false));
    assertEquals(free(), false);
    assertThrows(
      () =>
        store.locked(() => {
          throw new Error("inner");
        }),
      Error,
      "inner",
    );
    assertEquals(free(), false);
  });
  assertEquals(free(), true);
  assertThrows(
    () =>
      store.locked(() => {
        throw new Error("outer");
      }),
    Error,
    "outer",
  );
  assertEquals(free(), true);
});
