// All tasks in memory: what changes while they are read is not lost.

import { openMirror } from "../../lib/supervise/mirror.ts";
import type { Store } from "../../lib/store/tasks.ts";
import { assertEquals } from "../support/assert.ts";
import { withPatience } from "../support/program.ts";
import { Folder, ID, make, NOW } from "../support/store.ts";

const OPTIONS = { whole: true, onChange() {}, onProblem() {} };

/** Lets another process write a task as soon as somebody has read it, in whatever way. */
function writeBehind(store: Store, priority: number): Disposable {
  const { openSync, readFileSync } = Deno;
  const restore = () => void Object.assign(Deno, { openSync, readFileSync });
  const isOurs = (path: string | URL) => String(path).endsWith(`${ID}.json`);
  const write = () => store.write({ ...make(ID), priority });
  Deno.readFileSync = (path) => {
    const bytes = readFileSync(path);
    if (isOurs(path)) {
      restore();
      write();
    }
    return bytes;
  };
  Deno.openSync = (path, options) => {
    const file = openSync(path, options);
    if (!isOurs(path)) return file;
    restore();
    const close = () => {
      Deno.FsFile.prototype.close.call(file);
      write();
    };
    return Object.assign(file, { close, [Symbol.dispose]: close });
  };
  return { [Symbol.dispose]: restore };
}

Deno.test("a change that comes while a mirror is opened is told of", async () => {
  using folder = new Folder();
  const store = folder.store();
  store.create(make, NOW);
  const from = store.scan().tasks;
  using _behind = writeBehind(store, 9);
  using mirror = openMirror(store, { ...OPTIONS, from });
  await withPatience("the change", mirror.changed());
  mirror.catchUp();
  assertEquals(mirror.index.byId.get(ID)?.priority, 9);
});

Deno.test("a change that comes while a task is read again is told of", async () => {
  using folder = new Folder();
  const store = folder.store();
  store.create(make, NOW);
  using mirror = openMirror(store, OPTIONS);
  store.write({ ...make(ID), priority: 8 });
  using _behind = writeBehind(store, 9);
  await withPatience("the first change", mirror.changed());
  assertEquals(mirror.index.byId.get(ID)?.priority, 8);
  await withPatience("the second change", mirror.changed());
  assertEquals(mirror.index.byId.get(ID)?.priority, 9);
});
