// The cursor of all histories: what was given out is taken, and nothing else.

import { assertEquals } from "../support/assert.ts";
import { formatCursors, parseCursors, placeKey } from "../../lib/cli/many_cursors.ts";

Deno.test("a cursor of many places is read as it was written, with none and with many", () => {
  for (const count of [0, 1, 2, 50]) {
    const places = new Map(
      Array.from(
        { length: count },
        (_, at) => [placeKey(`/w/${at}`), { part: at, offset: at * 7 }],
      ),
    );
    const cursors = { since: 1795688154500, places };
    assertEquals(parseCursors(formatCursors(cursors)), cursors);
  }
});

Deno.test("what is no cursor of many places is none", () => {
  const key = placeKey("/w");
  for (
    const text of [
      "",
      "@",
      "1.2",
      "2h",
      `@${key}:1.2`,
      `1@${key}`,
      `1@${key}:1`,
      `1@${key}:1.2,`,
      `1@${key}:1.2,${key}`,
      `1@${key}:${"9".repeat(16)}.1`,
      `1@${key.slice(1)}:1.2`,
      `1@${key}:1.2\n`,
      `1@${`${key}:1.2,`.repeat(5000)}`,
    ]
  ) assertEquals(parseCursors(text), undefined, text.slice(0, 80));
});
