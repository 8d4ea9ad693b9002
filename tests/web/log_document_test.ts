// A log that is read by ranges while it grows, and what is found in it.

import fc from "fast-check";
import { assert, assertEquals } from "../support/assert.ts";
import { type LogDocument, openLog } from "../../lib/web/page/log/document.ts";
import { CHUNK, countChunks } from "../../lib/web/page/log/lines.ts";
import { createSearch, MOST_MATCHES, occurrences } from "../../lib/web/page/log/search.ts";

const encode = (text: string) => new TextEncoder().encode(text);

/** A file that grows, and who reads it. */
function makeLog(text: string) {
  let bytes = encode(text);
  const reads: [number, number][] = [];
  const waiting: { when: () => boolean; go: () => void }[] = [];
  const log: LogDocument = openLog((from, to) => {
    reads.push([from, to]);
    return Promise.resolve({ bytes: bytes.slice(from, to), size: bytes.length });
  }, () => {
    for (const one of waiting.splice(0)) {
      if (one.when()) one.go();
      else waiting.push(one);
    }
  });
  log.grow(bytes.length);
  return {
    log,
    reads,
    write(more: string, all = false) {
      bytes = encode(all ? more : new TextDecoder().decode(bytes) + more);
      log.grow(bytes.length);
    },
    until: (when: () => boolean) =>
      when() ? Promise.resolve() : new Promise<void>((go) => waiting.push({ when, go })),
  };
}

const numbered = (count: number, from = 1) =>
  Array.from({ length: count }, (_, at) => `line ${from + at} of the log\n`).join("");
const texts = (log: LogDocument, chunk: number) => log.chunk(chunk)!.lines.map(({ text }) => text);

Deno.test("the end of a long log is read first, without numbers until what is before it was counted", async () => {
  const { log, reads, until } = makeLog(numbered(50_000));
  const last = countChunks(log.size) - 1;
  log.want([last]);
  await until(() => log.chunk(last) !== undefined);
  assertEquals(texts(log, last).at(-1), "line 50000 of the log");
  assertEquals([reads.length, log.numberOf(last, 0)], [1, undefined]);
  assert(await log.scan(new AbortController().signal));
  const lines = log.chunk(last)!.lines;
  assertEquals(log.numberOf(last, lines.length - 1), 50_000);
  assertEquals(log.index.chunkOf(1), 0);
});

Deno.test("of a log that grows only what is new is read, and a line that was cut becomes whole", async () => {
  const { log, reads, write, until } = makeLog("one\ntw");
  log.want([0]);
  await until(() => log.chunk(0) !== undefined);
  assertEquals(log.chunk(0)!.lines.map(({ open }) => open), [false, true]);
  write("o\nthree\n");
  await until(() => log.chunk(0)!.lines.length === 3);
  assertEquals(texts(log, 0), ["one", "two", "three"]);
  assertEquals(reads[1]![0], 6);
});

Deno.test("a log that is shorter than it was is read anew", async () => {
  const { log, write, until } = makeLog(numbered(20));
  log.want([0]);
  await until(() => log.chunk(0) !== undefined);
  write("another\n", true);
  await until(() => log.chunk(0)?.lines.length === 1);
  assertEquals(texts(log, 0), ["another"]);
});

Deno.test("a log that grows while a part of it is on its way is none that is shorter", async () => {
  let bytes = encode(numbered(1000));
  let growths = 0;
  const log = openLog((from, to) => {
    const answer = { bytes: bytes.slice(from, to), size: bytes.length };
    // Told of by the stream of events before the answer is there.
    if (growths++ < 3) {
      bytes = encode(numbered(1000 + growths));
      log.grow(bytes.length);
    }
    return Promise.resolve(answer);
  }, () => {});
  log.grow(bytes.length);
  const seen: number[] = [];
  const done = await log.scan(
    new AbortController().signal,
    (piece, from) => void seen.push(from, from + piece.length),
  );
  assert(done, "the scan has stopped");
  assertEquals([seen[0], seen.at(-1)], [0, bytes.length]);
  assertEquals(log.size, bytes.length);
});

Deno.test("what is not wanted any more is not read, and memory holds no more than some chunks", async () => {
  const { log, reads, until } = makeLog(numbered(300_000));
  const all = Array.from({ length: countChunks(log.size) }, (_, at) => at);
  assert(all.length > 90);
  log.want(all);
  log.want([50]);
  await until(() => log.chunk(50) !== undefined);
  assert(reads.length <= 2, String(reads.length));
  for (const chunk of all) {
    log.want([chunk]);
    await until(() => log.chunk(chunk) !== undefined);
  }
  assert(all.filter((chunk) => log.chunk(chunk) !== undefined).length <= 48);
});

Deno.test("a line longer than anybody reads does not keep the rest from being read", async () => {
  const { log, until } = makeLog("a\n" + "x".repeat(3_000_000) + "\nend\n");
  const last = countChunks(log.size) - 1;
  log.want([0, 1, last]);
  await until(() => log.chunk(last) !== undefined);
  assertEquals(log.chunk(0)!.lines.map(({ text }) => text.length > 1_000_000), [false, true]);
  assertEquals([log.chunk(1)!.lines.length, texts(log, last)], [0, ["end"]]);
});

Deno.test("a scan can be stopped, and tells how far it is", async () => {
  const { log } = makeLog(numbered(200_000));
  const told: number[] = [];
  const stop = new AbortController();
  const done = await log.scan(stop.signal, undefined, (bytes) => {
    told.push(bytes);
    stop.abort();
  });
  assertEquals([done, told.length], [false, 1]);
  assert(!await log.scan(new AbortController().signal, () => false));
});

/** Everything that is found, the log given in pieces. */
function search(text: string, query: string, size = 1 << 20, format: "gemini" | null = null) {
  const search = createSearch(query, format);
  const bytes = encode(text);
  for (let at = 0; at < bytes.length; at += size) search.add(bytes.subarray(at, at + size));
  search.end();
  return search;
}

Deno.test("a match has its number, its first byte and the lines around it, whatever its case or colour", () => {
  const { matches } = search("a\nb\nc\nan \x1b[31mErr\x1b[0mor\nd\ne\nf\n", "error");
  assertEquals(matches, [
    { from: 6, line: 4, text: "an Error", before: ["b", "c"], after: ["d", "e"] },
  ]);
});

Deno.test("the same is found however the log is cut", () => {
  const part = fc.constantFrom("a", "b", "ab", "\n", "\n", "x\n", "日本\n", "AB\n");
  fc.assert(
    fc.property(
      fc.array(part, { maxLength: 60 }),
      fc.integer({ min: 1, max: 20 }),
      (parts, size) => {
        const text = parts.join("");
        const whole = search(text, "ab").matches;
        assertEquals(search(text, "ab", size).matches, whole);
        const lines = text.split("\n");
        const expected = lines.flatMap((line, at) => /ab/i.test(line) ? [at + 1] : []);
        assertEquals(whole.map(({ line }) => line), expected);
        for (const { line, before, after } of whole) {
          assertEquals(before, lines.slice(Math.max(0, line - 3), line - 1));
          const end = text.endsWith("\n") ? lines.length - 1 : lines.length;
          assertEquals(after, lines.slice(line, Math.min(end, line + 2)));
        }
      },
    ),
  );
});

Deno.test("events are searched as what they mean", () => {
  const event = { type: "tool_result", status: "success", output: 'said "yes"\nand no' };
  const text = `words\n${JSON.stringify(event)}\n`;
  const [match] = search(text, 'said "yes"', 1 << 20, "gemini").matches;
  assertEquals([match!.line, match!.text, match!.after], [2, '  said "yes"', ["  and no"]]);
});

Deno.test("no more matches are kept than anybody looks at, and a long line is shown around its match", () => {
  const many = search("x\n".repeat(2 * MOST_MATCHES), "x");
  assertEquals([many.matches.length, many.isFull], [MOST_MATCHES, true]);
  const [match] = search(`${"a".repeat(CHUNK)}needle${"b".repeat(CHUNK)}\n`, "needle").matches;
  assert(match!.text.length < 400 && /^…a+needleb+…$/.test(match!.text), match!.text);
  assertEquals(occurrences("an Error, error", "error"), [[3, 8], [10, 15]]);
});
