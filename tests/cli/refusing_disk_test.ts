// Commands on a disk that is full or may only be read.

import { assert, assertEquals, assertStringIncludes } from "../support/assert.ts";
import { SmallDisk } from "../support/disk.ts";
import { mounting, test } from "../support/needs.ts";
import { assertRefused, type Box, openBox } from "../support/program.ts";
import { assertRestWorks, contents } from "../support/hostile.ts";

function makeWorkspace(root: string): Box {
  for (const name of ["tasks", "plans", "logs", "workspace", "archive"]) {
    Deno.mkdirSync(`${root}/.orchestra/${name}`, { recursive: true, mode: 0o700 });
  }
  Deno.mkdirSync(`${root}/.orchestra-cli`);
  const box = openBox(root);
  box.agents({});
  return box;
}

test(
  "on a disk that is full nothing is lost, and all goes on once there is room",
  mounting(),
  async () => {
    using disk = new SmallDisk("size=1m");
    const root = disk.path;
    await using box = makeWorkspace(root);
    const [first, second] = [await box.start("shell", "true"), await box.start("shell", "exit 3")];
    await box.ok("status");
    await box.run("run", "--wait");
    const before = contents(box.path("tasks"));
    const ballast = new Uint8Array(1024 * 1024);
    try {
      Deno.writeFileSync(`${root}/ballast`, ballast);
    } catch {
      // As full as it gets.
    }
    const refused = await Promise.all([
      box.run("start", "shell", "y".repeat(5000)),
      box.run("run"),
      box.run("cancel", second),
      box.run("timeout", "extend", second, "60"),
      box.run("config", "set", "priority", "3"),
      box.run("start", "--json", "shell", "y".repeat(5000)),
    ]);
    for (const [at, outcome] of refused.slice(0, -1).entries()) {
      assertStringIncludes(assertRefused(outcome, 5, String(at)), "disk is full");
    }
    const { error } = JSON.parse(refused.at(-1)!.stderr);
    assertEquals(error.code, "environment");
    assertEquals(contents(box.path("tasks")), before);
    assertStringIncludes(await box.ok("status"), second);
    assertStringIncludes(await box.ok("show", first), first);
    Deno.removeSync(`${root}/ballast`);
    await assertRestWorks(box, first);
    assertEquals(box.task(second).exitCode, 3);
    const litter = [...Deno.readDirSync(box.path("tasks"))].filter(({ name }) =>
      name.endsWith(".tmp")
    );
    assertEquals(litter, []);
  },
);

test(
  "on a disk that may only be read, what reads works and what writes says why it cannot",
  mounting(),
  async () => {
    using disk = new SmallDisk("size=4m");
    const root = disk.path;
    await using box = makeWorkspace(root);
    const [done, pending] = [await box.start("shell", "echo hi"), await box.start("shell", "true")];
    await box.run("run", "--wait");
    await box.unwatched();
    disk.remount("ro");
    try {
      const outcomes = await Promise.all([
        box.run("start", "shell", "x"),
        box.run("cancel", pending),
        box.run("clean", done, "--yes"),
        box.run("config", "init"),
        box.run("init"),
      ]);
      for (const [at, outcome] of outcomes.slice(0, 4).entries()) {
        assertStringIncludes(assertRefused(outcome, 5, String(at)), "read-only");
      }
      for (
        const args of [["status"], ["show", done], ["logs", done], ["timeout", "list"], ["agents"]]
      ) {
        const text = await box.ok(...args);
        assert(text !== "", args.join(" "));
      }
    } finally {
      disk.remount("rw");
    }
    await assertRestWorks(box, done);
  },
);
