// `deps`: what is there is shown as what it is, however it is related, and wherever it is kept.

import { assertEquals, assertStringIncludes } from "../support/assert.ts";
import { makeBox } from "../support/program.ts";

Deno.test("deps show shows what a dependent waits for besides, and leaves the rest out", async () => {
  await using box = await makeBox();
  const base = await box.start("shell", "true");
  const sibling = await box.start("shell", "true", "--depends-on", base);
  const shown = await box.start("shell", "true", "--depends-on", base);
  const cousin = await box.start("shell", "true", "--depends-on", base);
  const both = await box.start("shell", "true", "--depends-on", sibling, "--depends-on", shown);
  const text = await box.ok("deps", "show", shown);
  assertEquals(/does not exist|missing/.test(text), false, text);
  for (const id of [base, sibling, shown, both]) assertStringIncludes(text, id);
  assertEquals(text.includes(cousin), false, text);
  const json = await box.json("deps", "show", shown);
  const ids = (list: { taskId: string }[]) => list.map(({ taskId }) => taskId);
  assertEquals([ids(json.dependencies), ids(json.dependents)], [[base], [both]]);
});

Deno.test("a finished task's archived dependency exists; one that was removed does not", async () => {
  await using box = await makeBox();
  const first = await box.start("shell", "true");
  const second = await box.start("shell", "true", "--depends-on", first);
  const third = await box.start("shell", "true", "--depends-on", second);
  await box.ok("run", "--all", "--wait");
  for (const name of [`${first}.json`]) {
    Deno.renameSync(box.path(`tasks/${name}`), box.path(`archive/${name}`));
  }
  for (const words of [["deps", "show", second], ["deps"]]) {
    const text = await box.ok(...words);
    assertStringIncludes(text, `${first} complete`);
    assertEquals(text.includes("does not exist"), false, text);
  }
  await box.ok("clean", second);
  assertStringIncludes(await box.ok("deps", "show", third), `${second} does not exist`);
});
