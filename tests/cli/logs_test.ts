// logs.

import { assertEquals, assertStringIncludes } from "../support/assert.ts";
import { terminal, test } from "../support/needs.ts";
import { makeBox } from "../support/program.ts";
import { inTerminal } from "../support/terminal.ts";
import { AT_GATE, openGate } from "../support/shell.ts";
import { MISSING } from "../support/words.ts";

Deno.test("logs prints the log, its last lines, or follows it until the task is settled", async () => {
  await using box = await makeBox();
  const script = `for i in 1 2 3; do echo "line $i 日本"; done; ${AT_GATE}; ` +
    `printf 'no newline \\033[31m'`;
  const id = await box.start("shell", script);
  const quiet = await box.run("logs", id);
  assertEquals([quiet.code, quiet.stdout], [0, ""]);
  assertStringIncludes(quiet.stderr, "is empty");
  await using following = box.live({}, "logs", "-f", id);
  await box.ok("run");
  await following.printed((text) => text.includes("line 3"));
  await using stopped = box.live({}, "logs", "--follow", "-n", "1", id);
  await stopped.printed((text) => text === "line 3 日本\n");
  stopped.kill("SIGINT");
  assertEquals((await stopped.ended()).code, 130);
  openGate(box, "through the gate\n");
  const whole = "line 1 日本\nline 2 日本\nline 3 日本\nthrough the gate\nno newline \x1b[31m";
  const followed = await following.ended();
  // Into a pipe the log goes as it is: for a person's terminal `status` and `show` clean it.
  assertEquals([followed.code, followed.stdout], [0, whole]);
  const [all, two, json] = await Promise.all([
    box.ok("logs", id),
    box.ok("logs", "-n", "2", id),
    box.json("logs", "--lines", "2", id),
  ]);
  assertEquals([all, two], [whole, whole.split("\n").slice(-2).join("\n")]);
  assertEquals(json.lines, whole.split("\n").slice(-2));
  assertEquals(json.size, new TextEncoder().encode(whole).length);
  await box.fails(3, "logs", MISSING);
});

test("logs takes what a terminal would obey out of a log for a terminal", terminal(), async () => {
  await using box = await makeBox();
  const id = await box.start("shell", "printf 'in \\033[31mred\\n'");
  await box.ok("run", "--wait");
  await using live = inTerminal(box, 80, 24, "logs", id);
  const { code, stdout } = await live.ended();
  assertEquals([code, stdout.trimEnd()], [0, "in red"]);
});
