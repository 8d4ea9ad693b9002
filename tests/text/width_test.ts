// Widths in cells: measured as the terminal does, and nothing cut in half.

import fc from "fast-check";
import { assert, assertEquals } from "../support/assert.ts";
import { createPalette, PHASES } from "../../lib/text/style.ts";
import { displayWidth, pad, sanitizeBlock, truncate, wrap } from "../../lib/text/width.ts";
import { ASCII, nasty, PLAIN } from "../support/views.ts";

Deno.test("displayWidth counts cells as tmux does", () => {
  const cells: [string, number][] = [
    ["plain", 5],
    ["é", 1],
    ["e\u0301", 1],
    ["日本", 4],
    ["ｱ", 1],
    ["한", 2],
    ["\u1112\u1161\u11ab", 2],
    ["👍", 2],
    ["👍🏽", 4],
    ["👨‍👩‍👧", 2],
    ["👨‍👩‍👧x", 3],
    ["🇩🇪", 2],
    ["🇩", 1],
    ["❤", 1],
    ["⚠️", 1],
    ["⌚", 2],
    ["1️⃣", 1],
    ["नि", 2],
    ["क्षि", 3],
    ["a\u200bb", 2],
    ["\u00ad", 1],
    ["…·✓✗●○◌⊘↻⊗━█", 12],
    ["\x1b\x07\x9b", 0],
  ];
  for (const [text, width] of cells) assertEquals(displayWidth(text), width, JSON.stringify(text));
});

Deno.test("displayWidth knows no cheaper answer for a text of narrow letters than the true one", () => {
  for (let code = 0x20; code < 0x3000; code++) {
    const char = String.fromCharCode(code);
    if (/\p{M}/u.test(char)) continue;
    // Beside a wide character the fast path is not taken.
    assertEquals(displayWidth(char), displayWidth("日" + char) - 2, code.toString(16));
  }
});

Deno.test("the icons of all phases are one cell wide and differ from each other", () => {
  for (const style of [PLAIN, ASCII]) {
    const icons = PHASES.map((phase) => createPalette(style).icon[phase]);
    assertEquals(icons.map(displayWidth), PHASES.map(() => 1));
    assertEquals(new Set(icons).size, PHASES.length);
  }
});

Deno.test("truncate never cuts a wide character in half", () => {
  assertEquals(truncate("日本語", 6), "日本語");
  assertEquals(truncate("日本語", 5), "日本…");
  assertEquals(truncate("日本語", 4), "日…");
  assertEquals(truncate("日本語", 2), "…");
  assertEquals(truncate("日本語", 0), "");
});

Deno.test("truncate never cuts a combining sequence, a flag or a joined emoji in half", () => {
  assertEquals(truncate("e\u0301e\u0301e\u0301", 2), "e\u0301…");
  assertEquals(truncate("🇩🇪🇫🇷", 3), "🇩🇪…");
  assertEquals(truncate("🇩🇪🇫🇷", 2), "…");
  assertEquals(truncate("👨‍👩‍👧👨‍👩‍👧", 3), "👨‍👩‍👧…");
  assertEquals(truncate("👍🏽👍🏽", 5), "👍🏽…");
  assertEquals(truncate("👍🏽👍🏽", 4), "…");
  assertEquals(truncate("निनि", 3), "नि…");
  assertEquals(truncate("निनि", 2), "…");
});

Deno.test("truncate marks a cut in ASCII where asked to, even in no room at all", () => {
  assertEquals(truncate("a long text", 8, "..."), "a lon...");
  assertEquals(truncate("a long text", 2, "..."), "..");
  assertEquals(truncate("日本語の", 5, "..."), "日...");
  assertEquals(truncate("words that end", 7), "words…");
});

Deno.test("truncate fits any text into any width, and leaves alone what fits", () => {
  fc.assert(fc.property(nasty, fc.integer({ min: 0, max: 60 }), (text, width) => {
    const cut = truncate(text, width);
    assert(displayWidth(cut) <= width);
    if (displayWidth(text) <= width && width > 0) assertEquals(cut, text);
    else if (width > 0) assertEquals(cut.at(-1), "…");
    if (cut.endsWith("…") && cut !== text) assert(text.startsWith(cut.slice(0, -1)));
  }));
});

Deno.test("pad fills to the width in cells, on the side that is asked for", () => {
  assertEquals(pad("日本", 6), "日本  ");
  assertEquals(pad("日本", 6, "right"), "  日本");
  assertEquals(pad("too long", 3), "too long");
});

Deno.test("wrap breaks at spaces, keeps the indentation, and breaks a long word anywhere", () => {
  assertEquals(wrap("the quick brown fox", 10), ["the quick", "brown fox"]);
  assertEquals(wrap("  - an item of a list", 12), ["  - an item", "  of a list"]);
  assertEquals(wrap("abcdefghij", 4), ["abcd", "efgh", "ij"]);
  assertEquals(wrap("日本語のテキスト", 5), ["日本", "語の", "テキ", "スト"]);
  assertEquals(wrap("a\n\nb", 10), ["a", "", "b"]);
  assertEquals(wrap("\u0301 abcdef", 4), ["\u0301", "abcd", "ef"]);
  assertEquals(wrap("see /a/very/long/path now", 8), ["see", "/a/very/", "long/pat", "h now"]);
});

Deno.test("wrap loses no word of any text and exceeds no width", () => {
  fc.assert(fc.property(nasty, fc.integer({ min: 4, max: 60 }), (text, width) => {
    const clean = sanitizeBlock(text);
    const lines = wrap(clean, width);
    for (const line of lines) assert(displayWidth(line) <= width, JSON.stringify(line));
    assertEquals(lines.join("").replace(/\s/g, ""), clean.replace(/\s/g, ""));
  }));
});
