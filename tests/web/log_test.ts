// A log as the page has it: lines by bytes, rows, places.

import fc from "fast-check";
import { assert, assertEquals } from "../support/assert.ts";
import {
  CHUNK,
  countChunks,
  countFeeds,
  createLineIndex,
  firstByte,
  isCut,
  linesOf,
} from "../../lib/web/page/log/lines.ts";
import { type Row, rowsOf, type RowStyle, textOfRows } from "../../lib/web/page/log/rows.ts";
import { displayWidth } from "../../lib/text/width.ts";
import {
  type Anchor,
  barAt,
  endPlace,
  type Extent,
  move,
  placeAt,
  placeOfBar,
  rowsBefore,
  stretches,
  totalRows,
} from "../../lib/web/page/log/scroll.ts";

const encode = (text: string) => new TextEncoder().encode(text);
const STYLE: RowStyle = { format: null, raw: false, columns: null, open: new Set() };

/** All lines of a log, chunk by chunk, each read as far as it has to be. */
function readAll(bytes: Uint8Array) {
  const index = createLineIndex();
  const found: { from: number; number: number; text: string }[] = [];
  for (let chunk = 0; chunk < countChunks(bytes.length); chunk++) {
    const from = firstByte(chunk);
    let to = Math.min(bytes.length, (chunk + 1) * CHUNK);
    while (to < bytes.length && isCut(bytes.subarray(from, to), chunk)) to += 999;
    const { lines, skipped, feeds } = linesOf(bytes.subarray(from, to), chunk);
    index.note(chunk, feeds);
    lines.forEach(({ from, text }, at) =>
      found.push({ from, number: index.before(chunk)! + 1 + skipped + at, text })
    );
  }
  return { found, index };
}

/** Logs with lines of all lengths, near the borders of chunks too. */
const logs = fc.array(
  fc.oneof(fc.nat(60), fc.constantFrom(CHUNK - 2, CHUNK - 1, CHUNK, CHUNK + 1, 3 * CHUNK)),
  { maxLength: 8 },
).chain((lengths) =>
  fc.boolean().map((ended) =>
    lengths.map((length, at) => String(at % 10).repeat(length)).join("\n") +
    (ended ? "\n" : "")
  )
);

Deno.test("every line is read once, by its chunk, with its number and its first byte", () => {
  fc.assert(
    fc.property(logs, (text) => {
      const { found, index } = readAll(encode(text));
      const expected = text.split("\n");
      if (expected.at(-1) === "") expected.pop();
      assertEquals(found.map(({ text }) => text), expected);
      let from = 0;
      expected.forEach((line, at) => {
        assertEquals([found[at]!.number, found[at]!.from], [at + 1, from]);
        // Its feed may be the last byte of the chunk before.
        const chunk = index.chunkOf(at + 1)!;
        assert([chunk, chunk + 1].includes(Math.floor(from / CHUNK)), `line ${at + 1}`);
        from += line.length + 1;
      });
    }),
    { numRuns: 60 },
  );
});

Deno.test("numbers are known up to the first chunk that nobody has looked at", () => {
  const index = createLineIndex();
  index.note(0, 10);
  index.note(2, 5);
  assertEquals([index.before(0), index.before(1), index.before(2)], [0, 10, undefined]);
  assertEquals([index.unknown, index.isKnown(1), index.isKnown(2)], [1, false, true]);
  assertEquals([index.chunkOf(1), index.chunkOf(11), index.chunkOf(12)], [0, 0, undefined]);
  index.note(1, 7);
  assertEquals([index.before(2), index.before(3), index.unknown], [17, 22, 3]);
  assertEquals([index.chunkOf(12), index.chunkOf(19), index.chunkOf(24)], [1, 2, undefined]);
});

Deno.test("a character of several bytes and a Windows line end are read whole", () => {
  const { lines, feeds } = linesOf(encode("größe\r\n日本\n"), 0);
  assertEquals(lines.map(({ text }) => text), ["größe", "日本"]);
  assertEquals([feeds, countFeeds(encode("a\n\n"))], [2, 2]);
});

const rows = (text: string, style: Partial<RowStyle> = {}) =>
  rowsOf(linesOf(encode(text), 0).lines, { ...STYLE, ...style });
const texts = (all: readonly Row[]) =>
  all.map(({ spans }) => spans.map(({ text }) => text).join(""));

Deno.test("a line becomes as many rows as it needs, and its text is the same again", () => {
  const all = rows("short\nabcdefghijkl\n日本語日本\n", { columns: 5 });
  assertEquals(texts(all), ["short", "abcde", "fghij", "kl", "日本", "語日", "本"]);
  assertEquals(all.map(({ first }) => first), [true, true, false, false, true, false, false]);
  assertEquals(textOfRows(all), "short\nabcdefghijkl\n日本語日本");
  const words = rows("one two three\n", { columns: 8 });
  assertEquals([texts(words), textOfRows(words)], [["one two ", "three"], "one two three"]);
});

Deno.test("no row is wider than it may be, and no text is lost, whatever it is", () => {
  const line = fc.string({ unit: "grapheme", maxLength: 60 });
  fc.assert(
    fc.property(
      fc.array(line, { maxLength: 5 }),
      fc.integer({ min: 8, max: 20 }),
      (lines, columns) => {
        const text = lines.join("\n");
        const wide = rows(text, { columns });
        assertEquals(textOfRows(wide), textOfRows(rows(text)));
        for (const row of texts(wide)) {
          assert(displayWidth(row) <= columns, row);
        }
      },
    ),
  );
});

Deno.test("colours go on from line to line, and raw shows what a terminal would obey", () => {
  const all = rows("a \x1b[31mred\nstill\x1b[0m not\n");
  assertEquals(all[1]!.spans.map(({ text, look }) => [text, look.foreground]), [
    ["still", 1],
    [" not", null],
  ]);
  assertEquals(texts(rows("a \x1b[31mred\x07\n", { raw: true })), ["a ␛[31mred␇"]);
});

Deno.test("events are shown as what they mean, each row with the line that it comes from", () => {
  const output = Array.from({ length: 50 }, (_, at) => `line ${at}`).join("\n");
  const log = ["words of the program"]
    .concat([
      { type: "tool_use", tool_name: "shell", parameters: { command: "make" } },
      { type: "tool_result", status: "success", output },
    ].map((event) => JSON.stringify(event))).join("\n");
  const folded = rows(log, { format: "gemini" });
  assertEquals(texts(folded).slice(0, 3), ["words of the program", "$ shell  make", "  line 0"]);
  const { fold } = folded.find((row) => row.fold !== null)!;
  assertEquals([folded.length, fold!.open], [2 + 21, false]);
  assertEquals(folded.map(({ line }) => line).slice(0, 3), [0, 1, 2]);
  const open = rows(log, { format: "gemini", open: new Set([fold!.key]) });
  assertEquals([open.length, texts(open).at(-1)], [2 + 51, "  line 49"]);
  assert(texts(rows(log, { format: "gemini", raw: true }))[1]!.startsWith('{"type":"tool_use"'));
});

Deno.test("a line of a megabyte is folded, and can be unfolded", () => {
  const all = rows("x".repeat(500_000), { columns: 100 });
  assertEquals([all.length, texts(all).at(-1)], [21, "498,000 more characters"]);
  const open = rows("x".repeat(500_000), { columns: 100, open: new Set([all.at(-1)!.fold!.key]) });
  assertEquals([open.length, open.at(-1)!.fold!.open], [5001, true]);
});

/** Logs of which only a part is known. */
const extents = fc.record({
  rows: fc.array(fc.option(fc.nat(50), { nil: undefined }), { minLength: 1, maxLength: 30 }),
  guess: fc.integer({ min: 1, max: 40 }),
}).map(({ rows, guess }): Extent => ({
  chunks: rows.length,
  rowsOf: (chunk) => rows[chunk],
  guess,
}));

Deno.test("going on and back again leads to where one was, within the log", () => {
  fc.assert(
    fc.property(extents, fc.nat(500), fc.integer({ min: -300, max: 300 }), (extent, at, by) => {
      const total = totalRows(extent);
      const from = placeAt(extent, Math.min(at, total));
      assert(Math.abs(rowsBefore(extent, from) - Math.min(at, total)) < 1e-6);
      const to = rowsBefore(extent, move(extent, from, by));
      const meant = Math.min(Math.max(0, rowsBefore(extent, from) + by), Math.max(total, to));
      assert(Math.abs(to - meant) < 1e-6, `${to} ${meant}`);
    }),
  );
});

Deno.test("what is seen from the last place on leads to the end", () => {
  fc.assert(fc.property(extents, fc.integer({ min: 1, max: 60 }), (extent, view) => {
    const end = endPlace(extent, view);
    const seen = stretches(extent, end, view);
    const total = totalRows(extent);
    assert(Math.abs(rowsBefore(extent, end) - Math.max(0, total - view)) < 1e-6);
    if (total > 0) {
      assertEquals(seen.at(-1)!.to, Math.ceil(extent.rowsOf(seen.at(-1)!.chunk) ?? extent.guess));
    }
    const bar = barAt(extent, end, view, 20);
    assert(bar.top >= 0 && bar.top <= bar.height - view * 20 + 1e-6);
  }));
});

Deno.test("a scroll bar leads to the place that it was drawn for, in a gigabyte too", () => {
  const extent: Extent = { chunks: 16384, rowsOf: () => undefined, guess: 650 };
  const anchor: Anchor = { chunk: 9000, row: 12 };
  const bar = barAt(extent, anchor, 40, 20);
  assertEquals(bar.height, 5_000_000);
  const back = placeOfBar(extent, bar, 40, 20);
  assertEquals(back.chunk, 9000);
  assert(Math.abs(back.row - 12) < 0.01);
  assertEquals(placeOfBar(extent, { ...bar, top: 0 }, 40, 20), { chunk: 0, row: 0 });
});
