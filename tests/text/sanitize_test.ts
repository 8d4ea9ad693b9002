// Nothing that a terminal obeys is left of any text.

import fc from "fast-check";
import { assert, assertEquals, assertLess } from "../support/assert.ts";
import { growth } from "../support/growth.ts";
import { sanitize, sanitizeBlock } from "../../lib/text/width.ts";
import { DANGEROUS, nasty } from "../support/views.ts";

Deno.test("sanitize takes whole escape sequences, and only the introducer of an unfinished one", () => {
  assertEquals(sanitize("a\x1b[31mred\x1b[0m b"), "ared b");
  assertEquals(sanitize("\x1b]0;owned\x07title"), "title");
  assertEquals(sanitize("\x1b]8;;http://evil\x1b\\link\x1b]8;;\x1b\\"), "link");
  assertEquals(sanitize("\x1bP+q544e\x1b\\x"), "x");
  assertEquals(sanitize("\x9b2Jx\x9d0;t\x9cy"), "xy");
  assertEquals(sanitize("\x1bcreset"), "reset");
  assertEquals(sanitize("\x1b]52;c;never ended"), "52;c;never ended");
  assertEquals(sanitize("\x1b\x1b[31m[2Jx"), "[2Jx");
  assertEquals(sanitize("end\x1b"), "end");
});

Deno.test("sanitize makes one line, and takes what hides or turns text around", () => {
  assertEquals(sanitize("one\r\n\ttwo\n\n three\u2028four"), "one two three four");
  assertEquals(sanitize("a\u202eb\u2066c\u200fd\u061ce"), "abcde");
  assertEquals(sanitize("a\u200bb\ufeffc\u00add"), "abcd");
  assertEquals(sanitize("a\u{e0041}\u{e0042}b"), "ab");
  assertEquals(sanitize("👨‍👩‍👧 ❤️"), "👨👩👧 ❤");
  assertEquals(sanitize("x" + "\u0301".repeat(500)), "x" + "\u0301".repeat(8));
  assertEquals(sanitize("lone \ud800 half"), "lone \ufffd half");
  assertEquals(sanitize("می‌خواهم"), "می‌خواهم");
});

Deno.test("sanitizeBlock keeps line breaks and turns tabs into spaces", () => {
  assertEquals(sanitizeBlock("a\r\nb\n\tc\n"), "a\nb\n    c\n");
  assertEquals(sanitizeBlock("shown\rpainted over"), "shown\npainted over");
  assertEquals(sanitizeBlock("\x1b[1mbold\x1b[0m\n\x07"), "bold\n");
});

Deno.test("nothing dangerous is left of any text, and cleaning twice changes nothing", () => {
  fc.assert(fc.property(nasty, (text) => {
    const line = sanitize(text);
    assert(!DANGEROUS.test(line) && !line.includes("\n"), JSON.stringify(line));
    assertEquals(sanitize(line), line);
    const block = sanitizeBlock(text);
    assert(!DANGEROUS.test(block), JSON.stringify(block));
    assertEquals(sanitizeBlock(block), block);
  }));
});

Deno.test("sanitize takes time in proportion to the text, whatever is in it", () => {
  for (const part of ["\x1b]", "\x9d", "\x1b[", "\x1b[0;", " ", "\u0301", "\n ", "\x1bP"]) {
    const clean = (count: number) => {
      const text = "é" + part.repeat(count) + "é";
      return () => sanitize(text) + sanitizeBlock(text);
    };
    // Eight times the text: were it by the square, it would be 64 times the cost.
    assertLess(growth(clean(50_000), clean(400_000)), 24, JSON.stringify(part));
  }
});
