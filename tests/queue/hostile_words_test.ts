// What an agent writes and prints must never keep its task from ending: here it is nested so deep that
// writing it again exhausts the stack, or larger than anybody would write it.

import { assert, assertEquals, assertStringIncludes } from "../support/assert.ts";
import { ON_POSIX, test } from "../support/needs.ts";
import { makeBox, processesWith } from "../support/program.ts";

/** Deep JSON. The object within keeps V8 off the path that needs no stack. */
const deep = (levels: number) => "[".repeat(levels) + '{"toJSON":1}' + "]".repeat(levels);
const LEVELS = 30_000;

test("a .error nested deep ends its task, and the agent with it", ON_POSIX, async () => {
  await using box = await makeBox();
  Deno.writeTextFileSync(`${box.root}/deep`, `{"error": "x", "details": ${deep(LEVELS)}}`);
  const id = await box.start("signal", 'cp deep "$ORCHESTRA_ERROR_FILE"; exec sleep 1000');
  await box.ok("run");
  const task = await box.settled(id);
  assertEquals([task.status, task.failureClass, task.errorMessage], ["failed", "agent-error", "x"]);
  assertEquals(processesWith("environ", [`ORCHESTRA_TASK_ID=${id}`]), []);
});

test("events nested deep say nothing, and their tasks end", ON_POSIX, async () => {
  await using box = await makeBox();
  const events: Record<string, string> = {
    opencode: `{"type":"tool_use","part":{"tool":"x","state":{"input":${deep(9000)}}}}`,
    claude: `{"type":"assistant","message":{"content":[{"type":"tool_use","input":${
      deep(9000)
    }}]}}`,
    codex: `{"type":"item.completed","item":{"type":"command_execution",` +
      `"aggregated_output":{"a":${deep(9000)}}}}`,
  };
  box.agents(Object.fromEntries(
    Object.keys(events).map((usage) => [usage, {
      command: "sh",
      args: ["-c", `cat ${usage}; exit 3`],
      usage,
      completion: "exit",
    }]),
  ));
  for (const [usage, event] of Object.entries(events)) {
    // Without a line break at its end, too.
    Deno.writeTextFileSync(`${box.root}/${usage}`, `${event}\n${event}`);
    const id = await box.start(usage, "x");
    await box.run("run", "--wait");
    const task = await box.settled(id);
    assertEquals([task.status, task.failureClass], ["failed", "exit"], usage);
    assertStringIncludes(await box.ok("show", id), "Process exited with code 3");
    await box.ok("logs", "--readable", id);
  }
});

test("a usage file of any size and form says nothing, or what can be", ON_POSIX, async () => {
  await using box = await makeBox();
  const model = { usage: { inputTokens: 1 } };
  const many = Object.fromEntries(Array.from({ length: 200_000 }, (_, at) => [`m${at}`, model]));
  const contents: Record<string, [string, number | undefined]> = {
    many: [JSON.stringify({ modelMetrics: many }), undefined],
    deep: [`{"modelMetrics": ${deep(LEVELS)}}`, undefined],
    some: [JSON.stringify({ modelMetrics: { a: model, b: model } }), 2],
  };
  box.agents({
    copilot: {
      command: "sh",
      args: ["-c", 'cp "$1" "$2"', "sh", "{userPrompt}", "{usageFile}"],
      usage: "copilot",
      completion: "exit",
    },
  });
  for (const [name, [content, tokens]] of Object.entries(contents)) {
    Deno.writeTextFileSync(`${box.root}/${name}`, content);
    const id = await box.start("copilot", name);
    await box.run("run", "--wait");
    const task = await box.settled(id);
    assertEquals([task.status, task.usage?.inputTokens], ["complete", tokens], name);
    assert((task.usage?.inputTokens ?? 0) <= Number.MAX_SAFE_INTEGER);
  }
});
