// The history as it is read by those who count: line by line what the gate makes of it, whatever is in
// the files.

import { type Line, lineOf } from "../../lib/metrics/line.ts";
import { eachLine } from "../../lib/metrics/read.ts";
import { COUNTED } from "../../lib/metrics/stats.ts";
import { formatEvent, parseEvent } from "../../lib/task/event.ts";
import { assert, assertEquals } from "../support/assert.ts";
import { createRandom, events, writeLargeHistory } from "./large_history.ts";
import { event, idAt, START } from "./lives.ts";

/** What is read of a history of some bytes, and how many lines could not be. */
async function read(
  content: string | Uint8Array,
  options: Parameters<typeof eachLine>[2] = {},
): Promise<{ found: Line[]; unread: number }> {
  const dir = await Deno.makeTempDir({ prefix: "orchestra-metrics-test-" });
  try {
    const bytes = typeof content === "string" ? new TextEncoder().encode(content) : content;
    await Deno.writeFile(`${dir}/history.jsonl`, bytes);
    const found: Line[] = [];
    const unread = await eachLine(dir, (one) => found.push(one), options);
    return { found, unread };
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
}

/** Line by line without what is undefined, and of usage only what is counted. */
function plain({ usage, ...rest }: Line): unknown {
  const { inputTokens, outputTokens, cachedTokens, costUsd } = usage ?? {};
  const counted = usage && { inputTokens, outputTokens, cachedTokens, costUsd };
  return JSON.parse(JSON.stringify({ ...rest, usage: counted }));
}

Deno.test("each line is read as the gate reads it, whichever way it goes", async () => {
  const lines: string[] = [];
  for (const one of events(5, START)) {
    lines.push(formatEvent(one));
    if (lines.length === 5000) break;
  }
  const base = { task: idAt(1), claim: 1, agent: "alpha", attempt: 1 };
  lines.push(
    ...[
      event("failed", 1, { ...base, title: 'ends with \\"', labels: { a: '}"\\' } }),
      event("failed", 1, { ...base, title: "\\", error: '\\\\"', class: "exit" }),
      event("failed", 1, { ...base, agent: 'al"pha', labels: { "": "\u2028" } }),
      event("complete", 1, { ...base, waited: 1e-7, ran: 1e21 }),
      event("complete", 1, { ...base, waited: -1, ran: 0.1 + 0.2 }),
      event("complete", 1, { ...base, attempt: 12345678901234567890 }),
      event("reaped", 1, { ...base, usage: { model: "}{", costUsd: 0 } }),
      event("lane-paused", 1, { ...base, until: "\ud800" }),
      event("queued", 1, { task: "", agent: "ü€😀" }),
    ].map(formatEvent),
  );
  const { found, unread } = await read(lines.join("\n") + "\n", { labels: true });
  assertEquals(unread, 0);
  assertEquals(found.length, lines.length);
  for (const [at, line] of lines.entries()) {
    assertEquals(plain(found[at]!), plain(lineOf(parseEvent(line)!)), line);
  }
});

Deno.test("a line that is damaged anywhere is read as the gate reads it, or not at all", async () => {
  const random = createRandom(11);
  const pick = (most: number) => Math.floor(random() * most);
  const sound: string[] = [];
  for (const one of events(9, START)) {
    sound.push(formatEvent(one));
    if (sound.length === 300) break;
  }
  const bits = ['"', "\\", "{", "}", ",", ":", "0", "e", "-", "null", "[]", " ", "ü", "\0"];
  const lines = Array.from({ length: 20_000 }, () => {
    const line = sound[pick(sound.length)]!;
    const at = pick(line.length);
    return line.slice(0, at) + bits[pick(bits.length)] + line.slice(at + pick(4));
  });
  const { found, unread } = await read(lines.join("\n") + "\n", { labels: true });
  const strict = lines.map(parseEvent).filter((one) => one !== undefined);
  // What the gate accepts is never lost; beyond that only lines whose damage is in what nobody counts.
  assertEquals(found.length + unread, lines.length);
  let at = 0;
  for (const one of strict) {
    const expected = JSON.stringify(plain(lineOf(one)));
    while (at < found.length && JSON.stringify(plain(found[at]!)) !== expected) at++;
    assert(at++ < found.length, `lost: ${JSON.stringify(one)}`);
  }
  assert(found.length - strict.length < lines.length / 20, `${found.length - strict.length}`);
});

Deno.test("headers, empty lines, torn ends and lines of ten megabytes are passed over", async () => {
  const line = formatEvent(event("queued", 1, { task: idAt(1), agent: "alpha" }));
  const long = line.replace("alpha", "x".repeat(10 * 1024 * 1024));
  const large = line.replace("alpha", "y".repeat(300 * 1024));
  const { found, unread } = await read(
    ['{"history":1,"part":1}', line, "", long, "   ", line, large, "nonsense", line + "\r", "{}"]
      .join("\n") + "\n" + line.slice(0, 40),
  );
  assertEquals(found.map(({ agent }) => agent!.length), [5, 5, 300 * 1024, 5]);
  assertEquals(unread, 2);
});

Deno.test("bytes that are no text are passed over", async () => {
  const random = createRandom(4);
  const bytes = Uint8Array.from({ length: 300_000 }, () => Math.floor(random() * 256));
  const { found } = await read(bytes);
  assertEquals(found, []);
});

Deno.test("of the kinds that nobody counts nothing is looked at, of the others nothing is lost", async () => {
  const dir = await Deno.makeTempDir({ prefix: "orchestra-metrics-test-" });
  try {
    const made = await writeLargeHistory(dir, 60_000, START);
    assertEquals([...Deno.readDirSync(`${dir}/history`)].map(({ name }) => name).sort(), [
      "000001.jsonl.gz",
      "000002.jsonl.gz",
    ]);
    const kinds = { queued: 0, complete: 0, failed: 0, cancelled: 0 } as Record<string, number>;
    assertEquals(
      await eachLine(dir, (one) => kinds[one.kind] = (kinds[one.kind] ?? 0) + 1, {
        kinds: COUNTED,
      }),
      0,
    );
    const { queued, complete, failed, cancelled } = made.expected;
    assertEquals(
      [kinds.queued, kinds.complete, kinds.failed, kinds.cancelled, kinds.launched],
      [queued, complete, failed, cancelled, undefined],
    );
    // A part that is damaged in the middle counts as far as it can be read.
    const path = `${dir}/history/000001.jsonl.gz`;
    const bytes = await Deno.readFile(path);
    await Deno.writeFile(path, bytes.subarray(0, bytes.length / 2));
    let left = 0;
    await eachLine(dir, () => left++);
    assert(left > 30_000 && left < 60_000, `${left}`);
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
});
