// What the events of real programs mean: errors, refusals, and what only sounds like one. Over the captured
// outputs; see tests/fixtures/README.md.

import { errorLines, lastError, readLine } from "../../lib/agents/events.ts";
import { PRESETS } from "../../lib/agents/presets.ts";
import { findRefusal } from "../../lib/agents/rate_limit.ts";
import type { Said } from "../../lib/agents/vendor.ts";
import type { UsageFormat } from "../../lib/task/agent.ts";
import { assert, assertEquals, assertMatch } from "../support/assert.ts";

const NOW = Date.parse("2026-11-22T08:00:00Z");

const fixture = (name: string) =>
  Deno.readTextFileSync(new URL(`../fixtures/${name}.jsonl`, import.meta.url));

/** The preset whose program printed a fixture. */
const presetOf = (name: string) => PRESETS[name.split("_", 1)[0]!]!.agent;
const formatOf = (name: string): UsageFormat => presetOf(name).usage!;

function refusal(name: string, output = fixture(name)) {
  return findRefusal(output, presetOf(name).rateLimit!, NOW, formatOf(name));
}

function saidIn(name: string): Said[] {
  return fixture(name).split("\n").flatMap((line) => [...readLine(formatOf(name), line) ?? []]);
}

const SUCCESSES = ["claude", "cline", "codex", "copilot", "gemini", "opencode", "qwen"]
  .map((program) => `${program}_success`);

Deno.test("the last error that an agent tells is told in its own words", () => {
  const told: Record<string, RegExp> = {
    claude_http_429: /429/,
    cline_http_401: /^Incorrect API key provided: test-key\.$/,
    cline_http_429: /^Rate limit reached for this model/,
    codex_http_401: /401/,
    codex_http_429: /^exceeded retry limit, last status: 429/,
    codex_http_500: /experiencing high demand/,
    codex_usage_limit: /^You’ve hit your usage limit/,
    copilot_http_401: /^Authentication failed with provider/,
    copilot_http_429: /Last error: 429 Rate limit reached/,
    gemini_http_401: /Incorrect API key provided: test-key/,
    gemini_http_429: /You exceeded your current quota/,
    qwen_http_401: /401 Incorrect API key provided: test-key/,
    qwen_http_429: /429 Rate limit reached for gpt-5\.4/,
    qwen_http_429_anthropic: /exceed your organization's rate limit of 50,000/,
    opencode_http_401: /^Incorrect API key provided: test-key\.$/,
    opencode_http_429: /^Rate limit reached for this model/,
    opencode_http_500: /server had an error/,
  };
  for (const [name, words] of Object.entries(told)) {
    const error = lastError(formatOf(name), fixture(name));
    assertMatch(error ?? "", words, name);
    assert(!error!.includes("\n"));
  }
  for (const name of SUCCESSES) assertEquals(lastError(formatOf(name), fixture(name)), undefined);
});

Deno.test("a refusal is found in what agents print of it, and until when", () => {
  for (
    const name of [
      "opencode_http_429",
      "codex_rate_limit",
      "cline_http_429",
      "copilot_http_429",
      "gemini_http_429",
      "qwen_http_429",
    ]
  ) {
    assertEquals(refusal(name)?.until, NOW + 20_000, name);
  }
  assertEquals(
    refusal("codex_usage_limit")?.until,
    Date.parse("Jan 15, 2027 8:00 AM") > NOW + 8 * 864e5 ? NOW + 8 * 86_400_000 : null,
  );
  for (const name of ["claude_http_429", "codex_http_429", "qwen_http_429_anthropic"]) {
    assert((refusal(name)?.until ?? 0) > NOW, name);
  }
  for (
    const name of [
      "codex_http_401",
      "opencode_http_500",
      "copilot_http_401",
      "cline_http_401",
      "gemini_http_401",
      "qwen_http_401",
      // A tool printed what a refusal looks like, and the model said it again.
      "gemini_tool_words",
      "qwen_tool_words",
    ]
  ) {
    assertEquals(refusal(name), null, name);
  }
});

Deno.test("no program that succeeds has been refused, whatever its model and its tools say", () => {
  const words =
    "429 Too Many Requests: rate limit exceeded, try again in 2 hours; insufficient_quota";
  for (const name of SUCCESSES) {
    // Wherever the model, a tool or the prompt speaks it speaks of quotas.
    const output = fixture(name)
      .replaceAll(/made by the agent|made_by_agent\.txt|hello\.txt|Done[:.]/g, words)
      .replaceAll(
        /"(?:output|aggregated_output|content)":""/g,
        (part) => part.replace('""', JSON.stringify(words)),
      );
    assert(output.split(words).length > 3, name);
    assertEquals(refusal(name, output), null, name);
    // Nor if it was cut off within an event.
    assertEquals(refusal(name, output.slice(0, -40)), null, name);
  }
});

Deno.test("providers' wordings are known, with the time to come back and without", () => {
  const event = (message: string) => JSON.stringify({ type: "error", message }) + "\n";
  const rules = PRESETS.cline!.agent.rateLimit!;
  const until = (message: string) => findRefusal(event(message), rules, NOW, "cline")?.until;
  const waits = [
    "This request would exceed your organization's rate limit of 50,000 input tokens per minute",
    "429 Too Many Requests",
    "Rate limit reached for gpt-5 in organization org-1 on tokens per min",
  ];
  for (const message of waits) assertEquals(until(message), NOW + 60_000, message);
  const retry = "You exceeded your current quota, please check your plan and billing details. " +
    "Please retry in 34s.";
  assertEquals(until(retry), NOW + 34_000);
  const unpaid = [
    "You exceeded your current quota, please check your plan and billing details.",
    "429 insufficient_quota",
    "Your credit balance is too low to access the Anthropic API.",
    "402 Payment Required",
    "Quota exceeded. Check your plan and billing details.",
  ];
  for (const message of unpaid) assertEquals(until(message), null, message);
  assertEquals(until("fake failure 401"), undefined);
});

Deno.test("what is no event of a known form is the program's own word", () => {
  const lines = errorLines("codex", 'Error: 429\n{"type":"item.completed"}\n{"cut off\n[1]\nword');
  assertEquals(lines, [{ text: "Error: 429" }, { text: "[1]" }, { text: "word" }]);
});

Deno.test("events tell text, calls, outputs, session, model and usage in words that all share", () => {
  for (const name of SUCCESSES) {
    const said = saidIn(name);
    const kinds = new Set(said.map(({ kind }) => kind));
    for (const kind of ["text", "call", "output"] as const) {
      assert(kinds.has(kind), `${name} ${kind}`);
    }
    assert(!kinds.has("error"), name);
    const text = said.find(({ kind }) => kind === "text") as { text: string };
    assertMatch(text.text, /^Done/, name);
    const calls = said.filter((one) => one.kind === "call");
    assert(calls.some(({ input }) => /printf|echo/.test(input)), JSON.stringify(calls));
  }
});
