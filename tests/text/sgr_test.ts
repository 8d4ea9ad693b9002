// Colours of a text, whatever else is in it and however it is cut.

import fc from "fast-check";
import { assert, assertEquals, assertLess } from "../support/assert.ts";
import { growth } from "../support/growth.ts";
import { DANGEROUS, nasty } from "../support/views.ts";
import {
  append,
  createSgrSplitter,
  createSpanReader,
  type Look,
  paletteColor,
  PLAIN_LOOK,
  type Span,
} from "../../lib/text/sgr.ts";
import { sanitizeBlock } from "../../lib/text/width.ts";

function spansOf(...pieces: string[]): Span[] {
  const reader = createSpanReader();
  const spans: Span[] = [];
  for (const piece of pieces) for (const span of reader.add(piece)) append(spans, span);
  for (const span of reader.end()) append(spans, span);
  return spans;
}
const textOf = (spans: readonly Span[]) => spans.map(({ text }) => text).join("");
/** Text, and how it differs from plain text. */
const brief = (text: string) =>
  spansOf(text).map(({ text, look }) => [
    text,
    Object.fromEntries(
      Object.entries(look).filter(([name, value]) => PLAIN_LOOK[name as keyof Look] !== value),
    ),
  ]);

/** Texts with colours among everything else. */
const colourful = fc.array(fc.oneof(
  nasty,
  fc.constantFrom(
    "\x1b[1;31m",
    "\x1b[m",
    "\x9b38;5;208m",
    "\x1b[38:2::1:2:3m",
    "\x1b[0",
    "\x1b",
    "\r",
  ),
  fc.array(
    fc.constantFrom("\x1b", "[", "]", "\x9b", "3", ";", "m", "\\", "\x07", "\u0301", "é", "\n"),
  )
    .map((parts) => parts.join("")),
)).map((parts) => parts.join(""));

Deno.test("colours of all three kinds are read, and what ends them", () => {
  assertEquals(brief("a\x1b[31mb\x1b[92;44mc\x1b[39;49md\x1b[0m"), [
    ["a", {}],
    ["b", { foreground: 1 }],
    ["c", { foreground: 10, background: 4 }],
    ["d", {}],
  ]);
  assertEquals(brief("\x1b[38;5;208;1ma\x1b[48;2;1;2;255mb\x1b[mc"), [
    ["a", { foreground: 208, bold: true }],
    ["b", { foreground: 208, background: "#0102ff", bold: true }],
    ["c", {}],
  ]);
  assertEquals(brief("\x1b[38:5:9ma\x9b48:2::16:32:48;38:2:1:2:3mb"), [
    ["a", { foreground: 9 }],
    ["b", { foreground: "#010203", background: "#102030" }],
  ]);
  assertEquals(["#000000", "#ffffff", "#ff8700", "#080808", "#eeeeee"], [
    paletteColor(16),
    paletteColor(231),
    paletteColor(208),
    paletteColor(232),
    paletteColor(255),
  ]);
});

Deno.test("weights are set and unset, and what is not known changes nothing", () => {
  assertEquals(brief("\x1b[1;2;3;4;7;9ma\x1b[22;23;24;27;29mb\x1b[4:3mc\x1b[4:0;5;999md"), [
    ["a", { bold: true, dim: true, italic: true, underline: true, inverse: true, strike: true }],
    ["b", {}],
    ["c", { underline: true }],
    ["d", {}],
  ]);
  // No colour is what says one badly.
  assertEquals(brief("\x1b[38;5;256;3ma\x1b[38;9;1mb\x1b[38;2;1mc"), [
    ["a", { italic: true }],
    ["bc", { bold: true, italic: true }],
  ]);
});

Deno.test("what a terminal would obey beside colours is taken away, and text stays", () => {
  assertEquals(
    textOf(spansOf("\x1b[2J\x1b]0;title\x07\x1b[31mred\x1b[>4;2m \x1b[?25lhid\x08den\rline\x1b[")),
    "red hidden\nline",
  );
});

Deno.test("no printable text is lost, and nothing dangerous is left", () => {
  fc.assert(
    fc.property(colourful, (text) => {
      const shown = textOf(spansOf(text));
      assert(!DANGEROUS.test(shown), JSON.stringify(shown));
      // deno-lint-ignore no-control-regex
      const parts = text.split(/(?:\x1b\[|\x9b)[\d;:]*m/).map(sanitizeBlock).join("");
      assertEquals(shown, sanitizeBlock(parts));
    }),
    { numRuns: 1000 },
  );
});

Deno.test("a text gives the same spans wherever it is cut", () => {
  fc.assert(
    fc.property(colourful, fc.array(fc.nat(60), { maxLength: 6 }), (text, cuts) => {
      const places = [
        0,
        ...cuts.filter((at) => at <= text.length).sort((a, b) => a - b),
        text.length,
      ];
      const pieces = places.slice(1).map((end, at) => text.slice(places[at], end));
      assertEquals(spansOf(...pieces), spansOf(text));
      assertEquals(spansOf(...text.split("")), spansOf(text));
    }),
    { numRuns: 1000 },
  );
});

Deno.test("what was held back is no longer than what can be a sequence", () => {
  const splitter = createSgrSplitter();
  assertEquals(splitter.add("\x1b]never ends").join(""), "");
  const shown = splitter.add("x".repeat(300 * 1024)).join("");
  assertEquals(shown, "never ends" + "x".repeat(300 * 1024));
});

Deno.test("spans take time in proportion to the text, whatever is in it", () => {
  for (
    const part of [
      "\x1b]",
      "\x9d",
      "\x1b[",
      "\x1b[0;",
      "\x1b[31m",
      "\x1b[31mx",
      "\u0301",
      "\r",
      "\x1bP",
    ]
  ) {
    const read = (count: number) => {
      const text = "é" + part.repeat(count) + "é";
      return () => spansOf(text);
    };
    assertLess(growth(read(10_000), read(80_000)), 24, JSON.stringify(part));
  }
});
