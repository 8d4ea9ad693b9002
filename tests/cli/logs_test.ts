// logs.

import type { Context } from "../../lib/cli/context.ts";
import { createLogPrinter } from "../../lib/cli/log_printer.ts";
import { assertEquals, assertStringIncludes } from "../support/assert.ts";
import { filePath } from "../support/file_path.ts";
import { terminal, test } from "../support/needs.ts";
import { makeBox, runLine } from "../support/program.ts";
import { inTerminal } from "../support/terminal.ts";
import { AT_GATE, openGate, printing } from "../support/shell.ts";
import { MISSING } from "../support/words.ts";

Deno.test("logs prints the log, its last lines, or follows it until the task is settled", async () => {
  await using box = await makeBox();
  const lines = [1, 2, 3].map((number) => `echo 'line ${number} 日本'; `).join("");
  const script = `${lines}${AT_GATE}; ${printing("no newline \x1b[31m")}`;
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
  assertEquals([code, stdout.trimEnd()], [0, "in \x1b[31mred\r\n\x1b[0m"]);
});

Deno.test("a log of events is shown as a person reads it where that is asked for, else byte for byte", async () => {
  await using box = await makeBox();
  const event = (item: unknown, type = "item.completed") => JSON.stringify({ type, item });
  const lines = [
    "a warning of the program",
    event({ type: "command_execution", command: "make" }, "item.started"),
    event({ type: "command_execution", aggregated_output: "it \x1b[2Jbroke\n", exit_code: 2 }),
    event({ type: "agent_message", text: "I could not do it." }),
    JSON.stringify({ type: "turn.completed", usage: { input_tokens: 7, output_tokens: 3 } }),
  ];
  Deno.writeTextFileSync(`${box.root}/events`, lines.join("\n") + "\n");
  box.agents({
    events: { ...runLine("cat events"), completion: "exit", usage: "codex" },
  });
  const id = await box.start("events", "x");
  await box.ok("run", "--wait");
  assertEquals(await box.ok("logs", id), lines.join("\n") + "\n");
  assertEquals(await box.ok("logs", id, "--raw"), lines.join("\n") + "\n");
  const readable = [
    "a warning of the program",
    "$ shell  make",
    "  it broke",
    "I could not do it.",
    "tokens: 7 in, 3 out",
    "",
  ];
  assertEquals((await box.ok("logs", id, "--readable")).split("\n"), readable);
  assertStringIncludes(await box.ok("show", id), "  $ shell  make\n");
  assertEquals((await box.ok("logs", id, "--readable", "-n", "2")).split("\n"), readable.slice(3));
});

Deno.test("a terminal gets a log's colours and nothing else that it would obey", () => {
  const said: string[] = [];
  const context = {
    interactive: true,
    write: (text: string) => void said.push(text),
    style: () => ({ color: true }),
  } as unknown as Context;
  const printer = createLogPrinter(context);
  // Cut within a sequence, too.
  for (const piece of ["\x1b[3", "1mred\x1b[0m \x1b[2Jgone\x1b", "[1mbold \x07"]) {
    printer.write(new TextEncoder().encode(piece));
  }
  printer.end();
  assertEquals(said.join(""), "\x1b[31mred\x1b[0m gone\x1b[1mbold \x1b[0m");
});

Deno.test("the last lines of a log of events are lines that a person reads", async () => {
  await using box = await makeBox();
  const path = filePath(new URL("../fixtures/copilot_success.jsonl", import.meta.url));
  box.agents({
    copilot: { ...runLine(`cat '${path}'`), usage: "copilot", completion: "exit" },
  });
  const id = await box.start("copilot", "x");
  await box.run("run", "--wait");
  const whole = (await box.ok("logs", "--readable", id)).split("\n");
  assertEquals((await box.ok("logs", "--readable", "-n", "3", id)).split("\n"), whole.slice(-4));
  assertEquals(await box.ok("logs", "--readable", "-n", "0", id), "");
  assertEquals((await box.ok("logs", "--raw", "-n", "1", id)).split("\n").length, 2);
  // Who follows cannot know yet that no more comes: the events at the end are counted when it is over.
  const followed = await box.ok("logs", "--readable", "-f", "-n", "3", id);
  assertEquals(followed.split("\n"), whole.slice(-5));
});
