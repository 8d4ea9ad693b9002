// Logs of events as a person reads them.

import { createRenderer, render } from "../../lib/agents/render.ts";
import { PRESETS } from "../../lib/agents/presets.ts";
import { assert, assertEquals, assertMatch } from "../support/assert.ts";

const fixture = (name: string) =>
  Deno.readTextFileSync(new URL(`../fixtures/${name}.jsonl`, import.meta.url));
const formatOf = (name: string) => PRESETS[name.split("_", 1)[0]!]!.agent.usage!;
const shown = (name: string) =>
  render(formatOf(name), fixture(name)).map(({ kind, text }) => `${kind}: ${text}`);

Deno.test("a run is shown as what was said, what was run, what came of it, and what it cost", () => {
  assertEquals(shown("codex_success"), [
    "note: … 3 events",
    "call: $ shell  /bin/bash -lc \"printf '%s\\\\n' 'made by the agent' > 'hello.txt'\"",
    "note:   (no output)",
    'call: $ shell  /bin/bash -lc "printf \'%s\' \'{\\"summary\\":\\"Wrote hello.txt.\\",' +
    '\\"files\\":[\\"hello.txt\\"]}\n\' > \'/project/.orchestra/tasks/task_1795331564659.done\'"',
    "note:   (no output)",
    "text: Done: the file is written and the task is signalled as complete.",
    "note: tokens: 3000 in (600 cached), 150 out",
  ]);
  for (const program of ["claude", "cline", "copilot", "gemini", "opencode", "qwen"]) {
    const lines = shown(`${program}_success`);
    assert(lines.some((line) => /^call: \$ \S+ {2}.*(?:printf|echo)/.test(line)), lines.join("\n"));
    assert(lines.some((line) => line.startsWith("text: Done")), lines.join("\n"));
  }
});

Deno.test("an error is shown as one, and words of the program as they are", () => {
  assertMatch(shown("opencode_http_429").join("\n"), /^error: error: Rate limit reached/m);
  assertMatch(shown("gemini_success")[0]!, /^plain: Warning: 256-color/);
  assertEquals(render("codex", 'half\n{"cut'), [
    { kind: "plain", text: "half" },
    { kind: "plain", text: '{"cut' },
  ]);
});

Deno.test("words that come in pieces are shown as the lines that they make", () => {
  const piece = (content: string) =>
    JSON.stringify({ type: "message", role: "assistant", content, delta: true }) + "\n";
  const renderer = createRenderer("gemini");
  assertEquals(renderer.add(piece("I shall ") + piece("do ")), []);
  assertEquals(renderer.add(piece("it.\n\nThen")), [{ kind: "text", text: "I shall do it.\n" }]);
  assertEquals(renderer.add(piece(" I")), []);
  const call = { type: "tool_use", tool_name: "shell", parameters: { command: "true" } };
  assertEquals(renderer.add(JSON.stringify(call) + "\n"), [
    { kind: "text", text: "Then I" },
    { kind: "call", text: "$ shell  true" },
  ]);
  renderer.add(piece("Done"));
  assertEquals(renderer.end(), [{ kind: "text", text: "Done" }]);
});

Deno.test("a long output is cut in the middle, with a mark", () => {
  const output = Array.from({ length: 100 }, (_, at) => `line ${at}`).join("\n");
  const event = { type: "tool_result", status: "error", output };
  const [part] = render("gemini", JSON.stringify(event));
  assertEquals(part!.kind, "failed");
  const lines = part!.text.split("\n");
  assertEquals([lines.length, lines[10], lines.at(-1)], [21, "  … 80 lines", "  line 99"]);
  // Who wants all of it has it.
  assertEquals(part!.whole, output.replaceAll(/^/gm, "  "));
});

Deno.test("a log is shown the same in whatever pieces it comes", () => {
  const text = fixture("claude_success");
  const whole = render("claude", text);
  for (const size of [1, 7, 1000]) {
    const renderer = createRenderer("claude");
    const parts = [];
    for (let at = 0; at < text.length; at += size) {
      parts.push(...renderer.add(text.slice(at, at + size)));
    }
    assertEquals([...parts, ...renderer.end()], whole);
  }
});
