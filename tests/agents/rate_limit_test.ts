// A used-up quota in an agent's output: found in the words of providers, in a time that grows with the
// output and no faster, whatever is in it.

import { findRefusal } from "../../lib/agents/rate_limit.ts";
import { PRESETS } from "../../lib/agents/presets.ts";
import { assert, assertEquals } from "../support/assert.ts";
import { growth } from "../support/growth.ts";

const NOW = Date.parse("2026-03-04T12:00:00Z");

/** What each preset knows, those that know the same once. */
const RULES = [
  ...new Map(
    Object.values(PRESETS).flatMap(({ agent: { rateLimit } }) =>
      rateLimit === undefined ? [] : [[JSON.stringify(rateLimit), rateLimit] as const]
    ),
  ).values(),
];

/** Texts that a pattern may try at every place, and fail late. */
const HOSTILE: Readonly<Record<string, (length: number) => string>> = {
  dots: (length) => `429 rate limit, try again in ${".".repeat(length)}x`,
  beginnings: (length) => "try again in ".repeat(length / 13),
  limits: (length) => "usage limit ".repeat(length / 12),
  codes: (length) => "429 ".repeat(length / 4),
  errors: (length) => '{"type":"error",'.repeat(length / 16),
  digits: (length) => `limit reached|${"1".repeat(length)}`,
  blanks: (length) => `rate limit exceeded${" ".repeat(length)}x`,
  lines: (length) => "retry in 3\n".repeat(length / 11),
  hours: (length) => `exhausted your capacity, reset after ${"1h".repeat(length / 2)}.`,
};

Deno.test("a quota is found, and until when, also far into a long line", () => {
  const [opencode] = RULES.filter(({ patterns }) =>
    patterns.some((it) => it.includes("statusCode"))
  );
  const line = `{"type":"error","x":"${"y".repeat(3000)}","statusCode":429,"retry-after":"30"}`;
  for (const before of ["", `${"z".repeat(20_000)}\n`, "z".repeat(20_000)]) {
    const hit = findRefusal(before + line, opencode!, NOW);
    assertEquals(hit?.until, NOW + 30_000, `${before.length} characters before it`);
  }
  assertEquals(findRefusal("all went well\n", opencode!, NOW), null);
});

Deno.test("what is looked for in an output costs time in proportion to it, whatever it is", () => {
  for (const rules of RULES) {
    for (const [name, make] of Object.entries(HOSTILE)) {
      const [short, long] = [make(32_000), make(256_000)];
      const factor = growth(
        () => findRefusal(short, rules, NOW),
        () => findRefusal(long, rules, NOW),
      );
      assert(factor < 24, `${name}: 8 times the text costs ${factor.toFixed(1)} times`);
    }
  }
});
