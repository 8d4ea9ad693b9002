// What agents say of tokens and cost: over the captured outputs of real programs, and over garbage.
// The model server reports 1000 input tokens (200 of them cached) and 50 output tokens (10 of them
// reasoning) with every answer; a successful run takes three.

import fc from "fast-check";
import { USAGE_FORMATS, type UsageFormat } from "../../lib/task/agent.ts";
import type { Usage } from "../../lib/task/fields.ts";
import { createUsageReader, parseUsage } from "../../lib/agents/usage.ts";
import { assert, assertEquals } from "../support/assert.ts";

const fixture = (name: string) =>
  Deno.readTextFileSync(new URL(`../fixtures/${name}.jsonl`, import.meta.url));

const THREE = { inputTokens: 3000, outputTokens: 150, cachedTokens: 600 };
const ONE = { inputTokens: 1000, outputTokens: 50, cachedTokens: 200 };
const CODEX = "01a20264-a856-7160-82c3-73292fbe304d";
const OPENCODE = "ses_dfd9b1e10ffeqKhief6K7P3DpQ";
const CLAUDE = "febbe936-1249-4f7f-a758-ce2abe26baa3";

const SAID: [string, UsageFormat, Usage][] = [
  ["codex_success", "codex", { ...THREE, sessionId: CODEX }],
  // Totals of the thread, as codex says them: the run that is resumed is counted in.
  ["codex_resumed", "codex", {
    inputTokens: 6000,
    outputTokens: 300,
    cachedTokens: 1200,
    sessionId: CODEX,
  }],
  ["cline_success", "cline", { ...THREE, costUsd: 0, turns: 3, model: "test-model" }],
  ["cline_http_429", "cline", {
    inputTokens: 0,
    outputTokens: 0,
    cachedTokens: 0,
    costUsd: 0,
    turns: 1,
    model: "test-model",
  }],
  ["copilot_success", "copilot", {
    model: "gpt-4.1",
    sessionId: "9dd268b9-9166-4a40-af7a-7dbedd8bba95",
  }],
  ["codex_http_429", "codex", { sessionId: "01a20264-b17e-7190-a709-b0537732cf04" }],
  ["opencode_success", "opencode", {
    ...THREE,
    costUsd: 0.00396,
    turns: 3,
    sessionId: OPENCODE,
  }],
  ["opencode_resumed", "opencode", {
    ...THREE,
    costUsd: 0.00396,
    turns: 3,
    sessionId: OPENCODE,
  }],
  ["opencode_nothing", "opencode", {
    ...ONE,
    costUsd: 0.00132,
    turns: 1,
    sessionId: "ses_dfd9b030dffe7eH0dv6bTxe8V3",
  }],
  ["opencode_http_429", "opencode", { sessionId: "ses_dfd9ad2fbffe1mHQxM93QrITCw" }],
  ["claude_success", "claude", {
    ...THREE,
    costUsd: 0.01272,
    turns: 3,
    model: "claude-opus-5-5",
    sessionId: CLAUDE,
  }],
  ["claude_http_429", "claude", {
    inputTokens: 0,
    outputTokens: 0,
    cachedTokens: 0,
    costUsd: 0,
    turns: 1,
    model: "claude-opus-5-5",
    sessionId: "76cc663d-f79c-4d3a-a87a-52dd9e79a206",
  }],
  ["qwen_success", "claude", {
    ...THREE,
    turns: 3,
    model: "test-model",
    sessionId: "b2f31c6c-1bd7-464b-b716-b9a6e1cdb50e",
  }],
  ["gemini_success", "gemini", {
    ...THREE,
    model: "gemini-2.5-flash",
    sessionId: "1554b68f-b89d-4509-8287-186e4d25cb9a",
  }],
];

/** Without the error of adding decimal fractions. */
function rounded(usage: Usage | null): Usage | null {
  if (usage?.costUsd === undefined) return usage;
  return { ...usage, costUsd: Math.round(usage.costUsd * 1e8) / 1e8 };
}

for (const [name, format, said] of SAID) {
  Deno.test(`parseUsage counts cached and reasoning tokens in: ${name}`, () => {
    assertEquals(rounded(parseUsage(format, fixture(name))), said);
  });
}

Deno.test("parseUsage says the same of a log in whatever pieces it comes", () => {
  for (const [name, format, said] of SAID) {
    const log = fixture(name) + "\n";
    for (const size of [1, 7, 1000]) {
      const reader = createUsageReader(format);
      for (let at = 0; at < log.length; at += size) reader.add(log.slice(at, at + size));
      assertEquals(rounded(reader.usage()), said, `${name} in pieces of ${size}`);
    }
  }
});

Deno.test("parseUsage takes the end of a log, cut in the middle of a line", () => {
  const codex = fixture("codex_success");
  assertEquals(parseUsage("codex", codex.slice(30)), THREE);
  const claude = fixture("claude_success");
  assertEquals(
    rounded(parseUsage("claude", claude.slice(claude.lastIndexOf("\n{") - 5))),
    rounded(parseUsage("claude", claude)),
  );
  const opencode = parseUsage("opencode", fixture("opencode_success").slice(1500));
  assertEquals([opencode?.turns, opencode?.sessionId], [2, OPENCODE]);
});

Deno.test("parseUsage takes the log of an agent that still runs", () => {
  const opencode = fixture("opencode_success");
  const half = opencode.slice(0, opencode.lastIndexOf('"step_finish"') + 100);
  const usage = rounded(parseUsage("opencode", half));
  assertEquals([usage?.turns, usage?.costUsd], [2, 0.00264]);
  // Claude says what its messages read long before it says what they cost.
  const claude = fixture("claude_success");
  const running = parseUsage("claude", claude.slice(0, claude.lastIndexOf("\n{")));
  assertEquals([running?.inputTokens, running?.cachedTokens, running?.costUsd], [
    3000,
    600,
    undefined,
  ]);
});

Deno.test("parseUsage counts a message of claude once, however many lines it takes", () => {
  const line = fixture("claude_success").split("\n").find((text) => text.includes('"assistant"'));
  const usage = parseUsage("claude", `${line}\n${line}\n`);
  assertEquals(usage?.inputTokens, 1000);
});

Deno.test("parseUsage skips what is no event, and what an event only quotes", () => {
  const quoted = JSON.stringify({
    type: "item.completed",
    item: { text: '{"type":"turn.completed","usage":{"input_tokens":9}}' },
  });
  const log = `a warning\n\n${quoted}\r\n[1]\n{"type":"turn.completed"\n"turn.completed"\n` +
    `{"type":"turn.completed","usage":{"input_tokens":5}}\r\n`;
  assertEquals(parseUsage("codex", log), { inputTokens: 5 });
  assertEquals(parseUsage("codex", ""), null);
  assertEquals(parseUsage("opencode", fixture("codex_success")), null);
});

Deno.test("parseUsage ignores values that cannot be", () => {
  for (const value of [-1, 1.5, 1e300, "1000", null, [], {}, true]) {
    const usage = { input_tokens: value, output_tokens: 7, cached_input_tokens: value };
    const log = JSON.stringify({ type: "turn.completed", usage });
    assertEquals(parseUsage("codex", log), { outputTokens: 7 }, String(value));
  }
  assertEquals(parseUsage("codex", '{"type":"turn.completed","usage":{"input_tokens":NaN}}'), null);
  for (const cost of [-0.01, 1e7, "0.5", null]) {
    const log = JSON.stringify({ type: "step_finish", part: { cost } });
    assertEquals(parseUsage("opencode", log), { turns: 1 }, String(cost));
  }
});

Deno.test("parseUsage takes no session id that a command line would read as an option", () => {
  for (const id of ["--yolo", "-c", "a b", "", "x\n", "x".repeat(300), "../x", 5]) {
    const log = JSON.stringify({ type: "thread.started", thread_id: id });
    assertEquals(parseUsage("codex", log), null, String(id));
  }
});

Deno.test("parseUsage never throws, and says only numbers that are finite and not negative", () => {
  const value = fc.oneof(
    fc.integer(),
    fc.double(),
    fc.string(),
    fc.constant(null),
    fc.maxSafeInteger(),
    fc.jsonValue(),
  );
  const record = (...keys: string[]) =>
    fc.oneof(value, fc.dictionary(fc.constantFrom(...keys), value));
  const event = fc.record({
    type: fc.constantFrom(
      "result",
      "assistant",
      "system",
      "init",
      "step_finish",
      "turn.completed",
      "thread.started",
    ),
    subtype: fc.constantFrom("init", "success"),
    session_id: value,
    sessionID: value,
    thread_id: value,
    model: value,
    modelUsage: value,
    num_turns: value,
    total_cost_usd: value,
    usage: record("input_tokens", "output_tokens", "cached_input_tokens", "total_tokens"),
    message: fc.record({ id: value, model: value, usage: record("input_tokens") }),
    stats: record("input_tokens", "output_tokens", "total_tokens", "cached", "models"),
    part: fc.record({ cost: value, tokens: record("input", "output", "reasoning", "cache") }),
  }, { requiredKeys: ["type"] });
  const line = fc.oneof(fc.string(), fc.json(), event.map((item) => JSON.stringify(item)));
  fc.assert(fc.property(
    fc.constantFrom(...USAGE_FORMATS),
    fc.array(line),
    fc.nat(200),
    (format, lines, cut) => {
      const usage = parseUsage(format, lines.join("\n").slice(cut));
      for (const item of Object.values(usage ?? {})) {
        if (typeof item === "string") assert(item.length <= 200 && !item.startsWith("-"));
        else assert(Number.isFinite(item) && item >= 0);
      }
    },
  ));
});

Deno.test("createUsageReader reads a long log in no time, and drops a line without end", () => {
  const reader = createUsageReader("opencode");
  const piece = "x".repeat(1024 * 1024);
  for (let turn = 0; turn < 40; turn++) reader.add(piece);
  reader.add(`\n${fixture("opencode_success")}`);
  assertEquals(reader.usage()?.turns, 3);
});

Deno.test("what a program writes into its usage file counts beside what it printed", () => {
  const reader = createUsageReader("copilot");
  reader.add(fixture("copilot_success"));
  const session = "9dd268b9-9166-4a40-af7a-7dbedd8bba95";
  assertEquals(reader.usage(), { model: "gpt-4.1", sessionId: session });
  reader.addFile(
    Deno.readTextFileSync(new URL("../fixtures/copilot_usage.json", import.meta.url)),
  );
  assertEquals(reader.usage(), { ...THREE, turns: 3, model: "gpt-4.1", sessionId: session });
  // What it cannot be is not believed, and nobody else's file is read so.
  for (
    const content of ["", "[", "{}", '{"modelMetrics": {"x": {"usage": {"inputTokens": -1}}}}']
  ) {
    const other = createUsageReader("copilot");
    other.addFile(content);
    assertEquals(other.usage()?.inputTokens, undefined, content);
  }
  const claude = createUsageReader("claude");
  claude.addFile('{"type": "result", "num_turns": 3}');
  assertEquals(claude.usage(), null);
});

Deno.test("auggie's result tells words, session and cost, in dollars alone", () => {
  // Its form is from the source of 0.36.0; it could not be run.
  const result = (billing: unknown) =>
    JSON.stringify({
      type: "result",
      result: "Done.",
      is_error: false,
      subtype: "success",
      session_id: "a1b2",
      num_turns: 2,
      billing,
    });
  const usage = { turns: 2, sessionId: "a1b2" };
  assertEquals(parseUsage("auggie", result({ usage_unit: "usd", total_cost: 0.5 })), {
    ...usage,
    costUsd: 0.5,
  });
  assertEquals(parseUsage("auggie", result({ usage_unit: "credits", total_cost: 5 })), usage);
});
