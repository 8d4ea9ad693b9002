// What is seen of a log while it grows, is scrolled, and is shown otherwise.

import { assert, assertEquals } from "../support/assert.ts";
import { openPane, type Pane } from "../../lib/web/page/log/pane.ts";

const STYLE = { format: null, raw: false, columns: 40 };
const numbered = (from: number, to: number) =>
  Array.from({ length: to - from }, (_, at) => `this is line ${from + at}\n`).join("");

/** A pane of ten rows over a log that grows. */
function makePane(text: string) {
  let bytes = new TextEncoder().encode(text);
  const pane = openPane(
    (from, to) => Promise.resolve({ bytes: bytes.slice(from, to), size: bytes.length }),
    STYLE,
    () => {},
  );
  pane.setView(10, 20);
  const grow = (more: string) => {
    bytes = new TextEncoder().encode(new TextDecoder().decode(bytes) + more);
    pane.log.grow(bytes.length);
  };
  grow("");
  return { pane, grow };
}

/** What is seen when all that is wanted was read. */
async function settled(pane: Pane): Promise<string[]> {
  for (let before = "";;) {
    const { rows } = pane.look();
    const texts = rows.map(({ row }) => row?.spans.map(({ text }) => text).join("") ?? "?");
    const now = JSON.stringify(texts);
    if (now === before && !texts.includes("?")) return texts;
    before = now;
    await new Promise((resolve) => setTimeout(resolve));
  }
}
const line = (number: number) => `this is line ${number}`;

Deno.test("a log is open at its end, and follows it", async () => {
  const { pane, grow } = makePane(numbered(0, 20_000));
  assertEquals((await settled(pane)).at(-1), line(19_999));
  grow(numbered(20_000, 30_000));
  assertEquals((await settled(pane)).at(-1), line(29_999));
  assert(pane.following);
});

Deno.test("what was at the end stays in sight until what came after it was read", async () => {
  const { pane, grow } = makePane(numbered(0, 20_000));
  await settled(pane);
  grow(numbered(20_000, 40_000));
  const { rows } = pane.look();
  assert(rows.length >= 10 && rows.every(({ row }) => row !== null));
});

Deno.test("who scrolls up stays where he is while the log grows, and follows again from its end", async () => {
  const { pane, grow } = makePane(numbered(0, 20_000));
  await settled(pane);
  pane.moveBy(-100);
  const before = await settled(pane);
  assertEquals([before[0], pane.following], [line(19_890), false]);
  grow(numbered(20_000, 21_000));
  assertEquals(await settled(pane), before);
  pane.moveBy(Infinity);
  assert(pane.following);
  assertEquals((await settled(pane)).at(-1), line(20_999));
  pane.moveBy(-Infinity);
  assertEquals((await settled(pane))[0], line(0));
});

Deno.test("the line at the top stays there when lines are broken otherwise", async () => {
  const { pane } = makePane(`${"a ".repeat(300)}\n`.repeat(20) + numbered(0, 20_000));
  await settled(pane);
  pane.goTo({ kind: "line", line: 520 });
  const counted = pane.log.scan(new AbortController().signal);
  await settled(pane);
  await counted;
  const before = await settled(pane);
  assert(before.includes(line(499)), before.join());
  pane.setStyle({ ...STYLE, columns: 9 });
  assertEquals((await settled(pane))[0], before[0]!.slice(0, 8));
});

Deno.test("a line that was asked for is marked, and one that is in sight is not moved", async () => {
  const { pane } = makePane(numbered(0, 20_000));
  await settled(pane);
  await pane.log.scan(new AbortController().signal);
  pane.goTo({ kind: "line", line: 5001 });
  const seen = await settled(pane);
  assertEquals([seen.indexOf(line(5000)), pane.marked, pane.target], [3, 88_890, null]);
  pane.goTo({ kind: "line", line: 5004 });
  assertEquals(await settled(pane), seen);
  pane.goTo({ kind: "byte", byte: 0 });
  assertEquals([(await settled(pane))[0], pane.marked], [line(0), 0]);
});
