// What holds of every screen: nothing dangerous, nothing wider than the terminal, colours closed.

import fc from "fast-check";
import { assert, assertEquals, assertNotEquals, assertStringIncludes } from "../support/assert.ts";
import { formatShow } from "../../lib/format/show.ts";
import {
  formatPlainEvent,
  formatProgress,
  formatStatus,
  formatWatch,
} from "../../lib/format/status.ts";
import type { Style } from "../../lib/text/style.ts";
import {
  assertFits,
  COLOR,
  DANGEROUS,
  detailOf,
  fullDetail,
  fullQueue,
  nasty,
  NOW,
  PLAIN,
  queueOf,
  SGR,
  taskOf,
  uncolored,
} from "../support/views.ts";

Deno.test("no line of the status table is wider than the terminal at any width from 20 to 250", () => {
  const long = "word ".repeat(100);
  for (const text of ["short", long, "日本語のドキュメント".repeat(30), "👍🏽🇩🇪".repeat(50)]) {
    const input = fullQueue(text);
    for (let width = 20; width <= 250; width++) {
      for (const unicode of [true, false]) {
        assertFits(formatStatus(input, { color: false, unicode, width }, NOW), width);
      }
    }
  }
});

Deno.test("no line of any screen is wider than the terminal, whatever users and agents wrote", () => {
  fc.assert(
    fc.property(
      nasty,
      fc.integer({ min: 1, max: 160 }),
      fc.integer({ min: 1, max: 60 }),
      fc.boolean(),
      fc.boolean(),
      fc.nat({ max: 9 }),
      (text, width, height, color, unicode, which) => {
        const style: Style = { color, unicode, width };
        const input = fullQueue(text);
        const view = input.views[which]!;
        const watch = formatWatch({ ...input, workspace: text }, style, NOW, height);
        const outputs = [
          formatStatus(input, style, NOW),
          watch,
          formatProgress(input.counts, style),
          formatPlainEvent(view, style, NOW),
          formatShow(fullDetail(view, text), { ...style, width: Math.max(16, width) }, NOW),
        ];
        assert(watch.split("\n").length <= height);
        outputs.forEach((output, i) => {
          assertFits(output, i === 4 ? Math.max(16, width) : width);
          assert(!DANGEROUS.test(color ? uncolored(output) : output), JSON.stringify(output));
          assert(!output.endsWith("\n"));
        });
      },
    ),
    { numRuns: 200 },
  );
});

Deno.test("a prompt with escape sequences reaches the terminal as plain text", () => {
  const input = queueOf([
    taskOf("shell\x1b[5m", "evil \x1b]0;owned\x07title\x1b[2J\u202e end\r\nnext line", 5, {
      labels: { "\x1b[31ma": "b\nc" },
    }),
  ]);
  const text = formatStatus(input, PLAIN, NOW);
  assertStringIncludes(text, "evil title end next line");
  assert(!DANGEROUS.test(text));
});

Deno.test("output without colour holds no escape code, and with colour differs only by them", () => {
  const input = fullQueue();
  for (const width of [30, 60, 80, 120, 200]) {
    const plain = formatStatus(input, { ...PLAIN, width }, NOW);
    const colored = formatStatus(input, { ...COLOR, width }, NOW);
    assert(!plain.includes("\x1b"));
    assertNotEquals(colored, plain);
    assertEquals(uncolored(colored), plain);
    for (const view of input.views) {
      const detail = fullDetail(view, "some text");
      assertEquals(
        uncolored(formatShow(detail, { ...COLOR, width }, NOW)),
        formatShow(detail, { ...PLAIN, width }, NOW),
      );
    }
  }
});

Deno.test("every colour that is opened is closed on the same line", () => {
  const input = fullQueue("日本語 ".repeat(30));
  const texts = [
    formatStatus(input, COLOR, NOW),
    formatWatch({ ...input, workspace: "/w" }, COLOR, NOW, 20),
    ...input.views.map((view) => formatShow(fullDetail(view, "text ".repeat(99)), COLOR, NOW)),
  ];
  for (const line of texts.flatMap((text) => text.split("\n"))) {
    const codes = [...line.matchAll(SGR)].map(([code]) => Number(code.slice(2, -1)));
    for (let i = 0; i < codes.length; i += 2) {
      assertEquals(codes[i + 1], codes[i]! < 3 ? 22 : 39, JSON.stringify(line));
    }
  }
});

Deno.test("our own marks are ASCII where the terminal is", () => {
  const input = fullQueue();
  const ascii = fullQueue("plain");
  // deno-lint-ignore no-control-regex
  const foreign = /[^\x00-\x7f]/;
  const views = ascii.views.filter((view) => !foreign.test(view.task.prompt));
  for (const color of [true, false]) {
    for (const width of [30, 80, 200]) {
      const style = { color, unicode: false, width };
      assert(!foreign.test(formatStatus({ ...ascii, views }, style, NOW)));
      assert(!foreign.test(formatWatch({ ...ascii, views, workspace: "/w" }, style, NOW, 8)));
      assert(!foreign.test(formatProgress(input.counts, style)));
      for (const view of views) {
        assert(!foreign.test(formatPlainEvent(view, style, NOW)));
        assert(!foreign.test(formatShow(detailOf(view, { plan: "x\n".repeat(99) }), style, NOW)));
      }
    }
  }
});
