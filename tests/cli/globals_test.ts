// Global options: which workspace, and how much is said of an error.

import { assertEquals, assertMatch, assertStringIncludes } from "../support/assert.ts";
import { assertRefused, cleanEnv, makeBox, makeFolder, runProgram } from "../support/program.ts";
import { MISSING } from "../support/words.ts";

Deno.test("the workspace is that of -C, else the nearest above; outside there is none", async () => {
  await using box = await makeBox();
  await using folder = await makeFolder();
  const id = await box.start("shell", "true");
  Deno.mkdirSync(`${box.root}/a/b`, { recursive: true });
  const below = await runProgram(`${box.root}/a/b`, ["status"]);
  assertStringIncludes(below.stdout, id);
  for (
    const args of [["-C", box.root, "status"], ["status", "-C", box.root], [
      `-C${box.root}`,
      "status",
    ]]
  ) {
    assertStringIncludes((await runProgram(folder.path, args)).stdout, id);
  }
  assertRefused(await runProgram(folder.path, ["-C", `${box.root}/a`, "status"]), 3);
  const outside = await runProgram("/", ["-C", folder.path, "status"]);
  assertStringIncludes(assertRefused(outside, 3), ` -C ${folder.path} init`);
});

Deno.test("a stack trace is printed with --debug or ORCHESTRA_DEBUG=1, and never otherwise", async () => {
  await using box = await makeBox();
  const [plain, debug, ours, theirs] = await Promise.all([
    box.run("show", MISSING),
    box.run("--debug", "show", MISSING),
    box.runWith({ env: { ORCHESTRA_DEBUG: "1" } }, "show", MISSING),
    box.runWith({ env: { AGENT_DEBUG: "1" } }, "show", MISSING),
  ]);
  assertRefused(plain, 3);
  for (const { code, stderr } of [debug, ours, theirs]) {
    assertEquals(code, 3);
    assertMatch(stderr, /^\s+at /m);
  }
});

Deno.test("the environment of the tests themselves changes nothing", () => {
  const names = Object.keys(cleanEnv());
  assertEquals(names.filter((name) => name.startsWith("ORCHESTRA_") || name === "NO_COLOR"), []);
});
