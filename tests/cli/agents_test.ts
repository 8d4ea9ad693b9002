// agents.

import { assertEquals, assertMatch, assertStringIncludes } from "../support/assert.ts";
import { makeBox } from "../support/program.ts";

Deno.test("agents lists who is installed, and check launches its --version", async () => {
  await using box = await makeBox();
  box.agents({
    there: { command: "printf", args: [], versionArgs: ["v%s\\n", "1.2"], description: "prints" },
    absent: { command: "no-such-program-anywhere" },
    broken: { command: 5 },
    sulky: { command: "sh", args: [], versionArgs: ["-c", "exit 3"] },
  });
  const table = await box.ok("agents");
  assertMatch(table, /^there\s+✓ installed\s+printf\s+prints/m);
  assertMatch(table, /^absent\s+✗ missing/m);
  assertMatch(table, /^broken\s+broken/m);
  const rows = await box.json("agents", "list");
  const row = (name: string) => rows.find((item: { name: string }) => item.name === name);
  assertEquals([row("absent").installed, row("there").problem], [null, null]);
  assertStringIncludes(row("broken").problem, "command");
  assertMatch(await box.ok("agents", "check", "there"), /exit code 0: v1\.2/);
  assertEquals((await box.json("agents", "check", "there")).version, "v1.2");
  assertEquals((await box.run("agents", "check", "sulky")).code, 1);
  await box.fails(5, "agents", "check", "absent");
  await box.fails(5, "agents", "check", "broken");
  const near = await box.fails(3, "agents", "check", "ther");
  assertStringIncludes(near.hint!, '"there"');
});
