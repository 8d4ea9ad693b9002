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
