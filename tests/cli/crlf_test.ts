// Files as the editors and shells of Windows write them: lines that end with CRLF, and a byte order mark.

import { assertEquals } from "../support/assert.ts";
import { makeBox } from "../support/program.ts";

/** A text with CRLF and a byte order mark. */
const marked = (text: string) => `\ufeff${text.replaceAll("\n", "\r\n")}`;

Deno.test("settings, agents, templates, tasks and sentinels may have CRLF and a byte order mark", async () => {
  await using box = await makeBox();
  const settings = `${box.root}/.orchestra-cli`;
  Deno.mkdirSync(`${settings}/prompts`, { recursive: true });
  Deno.writeTextFileSync(`${settings}/prompts/two.md`, marked("Task {agent}\nDo: {userPrompt}\n"));
  const agents = {
    program: {
      command: Deno.execPath(),
      args: ["eval", "--no-config", "{userPrompt}"],
      completion: "sentinel",
    },
    reader: {
      command: Deno.execPath(),
      args: [
        "eval",
        "--no-config",
        "console.log(Deno.readTextFileSync(Deno.args[0]))",
        "{promptFile}",
      ],
      promptTemplateFile: ".orchestra-cli/prompts/two.md",
      completion: "exit",
    },
  };
  Deno.writeTextFileSync(
    `${settings}/agent-config.json`,
    marked(JSON.stringify({ agents }, null, 2)),
  );
  Deno.writeTextFileSync(box.path("config.json"), marked('{\n  "max_concurrent": 3\n}\n'));
  const writing = (name: "DONE" | "ERROR", text: string) =>
    `Deno.writeTextFileSync(Deno.env.get("ORCHESTRA_${name}_FILE"), ${
      JSON.stringify(marked(text))
    }); Deno.exit(0)`;
  const done = await box.start("program", writing("DONE", "all is well\n"));
  const failed = await box.start(
    "program",
    writing("ERROR", '{\n  "error": "it broke",\n  "details": "much"\n}\n'),
  );
  const plain = await box.start("program", writing("ERROR", "it broke\nand more\n"));
  const read = await box.start("reader", "hello");
  const list = marked('{"agent":"reader","prompt":"one"}\n{"agent":"reader","prompt":"two"}\n');
  const imported = await box.runWith({ stdin: list }, "start", "--from", "-");
  assertEquals(imported.code, 0, imported.stderr);
  // A task that somebody has edited by hand.
  const file = box.path(`tasks/${read}.json`);
  Deno.writeTextFileSync(file, marked(Deno.readTextFileSync(file)));
  await box.run("run", "--all", "--wait");
  const ends = [done, failed, plain].map((id) => {
    const { status, result, errorMessage, errorDetails } = box.task(id) as unknown as Record<
      string,
      unknown
    >;
    return { status, result, errorMessage, errorDetails };
  });
  const failure = { status: "failed", result: null, errorMessage: "it broke" };
  assertEquals(ends, [
    {
      status: "complete",
      result: { summary: "all is well" },
      errorMessage: null,
      errorDetails: null,
    },
    { ...failure, errorDetails: "much" },
    { ...failure, errorDetails: "and more" },
  ]);
  assertEquals(
    box.tasks().map(({ status }) => status).filter((status) => status === "complete").length,
    4,
  );
  // What goes to an agent is the text as it was written.
  assertEquals(
    Deno.readTextFileSync(box.path(`logs/${read}.log`)),
    "Task reader\r\nDo: hello\r\n\n",
  );
});
