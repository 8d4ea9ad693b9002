// What --json promises of every command.

import { assertEquals } from "../support/assert.ts";
import { makeBox } from "../support/program.ts";

Deno.test("with --json every command prints exactly one JSON value", async () => {
  await using box = await makeBox();
  const first = await box.json("start", "shell", "exit 1", "--timeout", "1m");
  const id = first.taskId;
  await box.json("run");
  const waited = await box.run("wait", id, "--json");
  assertEquals([waited.code, waited.stderr], [1, ""]);
  JSON.parse(waited.stdout);
  for (
    const args of [
      ["--version"],
      ["init"],
      ["status"],
      ["show", id],
      ["logs", id],
      ["retry", id],
      ["timeout", "list"],
      ["agents"],
      ["agents", "check", "shell"],
      ["config"],
      ["config", "init"],
      ["config", "set", "interval", "9"],
      ["completions", "bash"],
      ["cancel", "--all"],
      ["clean", "all", "--yes"],
      ["wait"],
      ["run", "--all", "--wait"],
      ["run", "--all"],
    ]
  ) {
    const { stdout, stderr } = await box.run("--json", ...args);
    assertEquals(stderr, "", args.join(" "));
    JSON.parse(stdout);
  }
});
