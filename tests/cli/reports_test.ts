// `run --wait --report`: where reports go, and that a place that cannot be written is refused before
// anything is launched.

import { assert, assertEquals, assertMatch, assertStringIncludes } from "../support/assert.ts";
import { needs, test } from "../support/needs.ts";
import { lstat } from "../../lib/store/files.ts";
import { makeBox } from "../support/program.ts";

Deno.test("a report that cannot be written is refused before anything is launched", async () => {
  await using box = await makeBox();
  const id = await box.start("shell", "true");
  Deno.writeTextFileSync(`${box.root}/kept.xml`, "before");
  Deno.mkdirSync(`${box.root}/folder`);
  for (const path of [`${box.root}/nowhere/report.xml`, "folder", "kept.xml/below"]) {
    const wanted = `junit=new.xml,junit=kept.xml,markdown=${path}`;
    const { code, text, hint } = await box.fails(5, "run", "--wait", "--report", wanted);
    assertEquals(code, "environment");
    assertStringIncludes(text, `run --report markdown=${path}: `);
    assertMatch(hint!, /Nothing was launched\.$/);
  }
  assertEquals(box.task(id).status, "pending");
  assertEquals(Deno.readTextFileSync(`${box.root}/kept.xml`), "before");
  assertEquals(lstat(`${box.root}/new.xml`), undefined);
});

Deno.test("a report to - takes the place of the table on standard output", async () => {
  await using box = await makeBox();
  await box.start("shell", "true");
  const printed = await box.ok("run", "--wait", "--report", "junit=-,markdown=report.md");
  assertMatch(printed, /^<\?xml [^]*<\/testsuites>\n$/);
  assertStringIncludes(Deno.readTextFileSync(`${box.root}/report.md`), "1 of 1 complete");

  const id = await box.start("shell", "true");
  for (const wanted of ["junit=-,markdown=-", "junit=report.xml,markdown=-"]) {
    const { stderr, code } = await box.run("run", "--wait", "--json", "--report", wanted);
    assertEquals(code, 2);
    assertStringIncludes(JSON.parse(stderr).error.message, "standard output is taken by --json");
  }
  const { text } = await box.fails(2, "run", "--wait", "--report", "junit=-,markdown=-");
  assert(text.includes("standard output is taken by"));
  assertEquals(box.task(id).status, "pending");
});

test(
  "a report may go to a pipe or a device, which is not waited for",
  needs("mkfifo"),
  async () => {
    await using box = await makeBox();
    await box.start("shell", "true");
    await box.ok("run", "--wait", "--report", "junit=/dev/null");
    await new Deno.Command("mkfifo", { args: [`${box.root}/pipe`] }).output();
    await box.start("shell", "true");
    await using run = box.live({}, "run", "--wait", "--report", "junit=pipe");
    assertStringIncludes(await Deno.readTextFile(`${box.root}/pipe`), "</testsuites>");
    assertEquals((await run.ended()).code, 0);
  },
);
