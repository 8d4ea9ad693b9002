// clean.

import { assertEquals, assertStringIncludes } from "../support/assert.ts";
import { makeBox } from "../support/program.ts";
import { MISSING } from "../support/words.ts";

Deno.test("clean removes what is finished and nothing that others still need", async () => {
  await using box = await makeBox();
  const [done, bad, gone] = await Promise.all([
    box.start("shell", "true"),
    box.start("shell", "exit 1"),
    box.start("shell", "true", "-p", "1"),
  ]);
  await box.ok("cancel", gone!);
  await box.run("run", "--all", "--wait");
  const pending = await box.start("shell", "true", "--depends-on", done!);
  await box.fails(4, "clean", pending);
  await box.fails(4, "clean", done!, "--yes");
  const near = await box.fails(2, "clean", "faild");
  assertStringIncludes(near.hint!, "failed");
  await box.fails(3, "clean", MISSING);
  assertEquals(await box.json("clean", "--yes"), { removed: [], kept: [done] });
  // As Windows' shim leaves it where it is killed.
  Deno.writeTextFileSync(box.path(`tasks/${bad}.1.pid.cmd`), "exit 1");
  assertStringIncludes(await box.ok("clean", "failed", "-y"), "Removed 1 task");
  assertEquals((await box.json("clean", gone!, "-y")).removed, [gone]);
  await box.ok("run", "--all", "--wait");
  const last = await box.json("clean", "all", "--yes");
  assertEquals(last.removed.sort(), [done, pending].sort());
  for (const folder of ["tasks", "plans", "logs"]) {
    const left = [...Deno.readDirSync(box.path(folder))].map((item) => item.name);
    assertEquals(left.filter((name) => name.includes(bad!) || name.includes(done!)), [], folder);
  }
});

Deno.test("clean removes all of a task or nothing: a folder among its files is named", async () => {
  await using box = await makeBox();
  const id = await box.start("shell", "exit 3");
  await box.run("run", "--wait");
  Deno.mkdirSync(box.path(`tasks/${id}.2.pid/x`), { recursive: true });
  const outcome = await box.run("clean", id, "--yes");
  assertEquals(outcome.code, 5);
  assertStringIncludes(outcome.stderr, `${id}.2.pid is a folder`);
  assertEquals(box.task(id).status, "failed");
  assertStringIncludes(await box.ok("show", id), "exited with code 3");
});

Deno.test("clean of what is archived says where it is", async () => {
  await using box = await makeBox();
  const id = await box.start("shell", "true", "--key", "old");
  await box.run("run", "--wait");
  Deno.renameSync(box.path(`tasks/${id}.json`), box.path(`archive/${id}.json`));
  assertStringIncludes((await box.fails(4, "clean", "old")).text, `${id} is archived`);
  assertStringIncludes((await box.fails(4, "retry", id)).text, `archive restore ${id}`);
  assertStringIncludes(await box.ok("show", "old"), "Archived");
});

Deno.test("a damaged task is told to be damaged, not archived", async () => {
  await using box = await makeBox();
  const id = await box.start("shell", "true");
  Deno.writeTextFileSync(box.path(`tasks/${id}.json`), `{"taskId":"${id}","status":"pending"}`);
  const { text } = await box.fails(5, "clean", id);
  assertStringIncludes(text, "it lacks the field");
});
