// Tables that fit.

import fc from "fast-check";
import { assert, assertEquals } from "../support/assert.ts";
import { type ColumnLayout, fitColumns, formatTable } from "../../lib/text/table.ts";
import { PLAIN } from "../support/views.ts";

Deno.test("a table aligns its columns and ends no line in spaces", () => {
  assertEquals(
    formatTable(
      [{ header: "NAME" }, { header: "N", align: "right" }, { header: "NOTE" }],
      [["a", "1", "日本"], ["long name", "1000", ""], ["b\x1b[2J", "2", { text: "c\nd" }]],
      PLAIN,
    ),
    ["NAME          N  NOTE", "a             1  日本", "long name  1000", "b             2  c d"],
  );
});

Deno.test("a narrow table shrinks what is flexible, then drops what matters least", () => {
  const columns: ColumnLayout[] = [
    {},
    { dropOrder: 2 },
    { dropOrder: 1, flex: 1, min: 10 },
  ];
  assertEquals(fitColumns(columns, [8, 6, 40], 100), [8, 6, 40]);
  assertEquals(fitColumns(columns, [8, 6, 40], 40), [8, 6, 22]);
  assertEquals(fitColumns(columns, [8, 6, 40], 28), [8, 6, 10]);
  assertEquals(fitColumns(columns, [8, 6, 40], 27), [8, 0, 17]);
  assertEquals(fitColumns(columns, [8, 6, 40], 19), [8, 0, 0]);
  assertEquals(fitColumns(columns, [8, 6, 40], 5), [5, 0, 0]);
});

Deno.test("flexible columns share by weight, and what one does not need goes to the other", () => {
  const columns: ColumnLayout[] = [{ flex: 1, min: 5 }, { flex: 3, min: 5 }];
  assertEquals(fitColumns(columns, [100, 100], 42), [10, 30]);
  assertEquals(fitColumns(columns, [100, 12], 42), [28, 12]);
  assertEquals(fitColumns(columns, [100, 100], 14), [5, 7]);
});

Deno.test("columns of any kind fit into any width, and use it up where there is more to show", () => {
  const layout = fc.record({
    min: fc.option(fc.integer({ min: 1, max: 30 }), { nil: undefined }),
    max: fc.option(fc.integer({ min: 1, max: 30 }), { nil: undefined }),
    flex: fc.option(fc.integer({ min: 1, max: 9 }), { nil: undefined }),
    dropOrder: fc.option(fc.integer({ min: 1, max: 9 }), { nil: undefined }),
    gap: fc.option(fc.integer({ min: 0, max: 3 }), { nil: undefined }),
  });
  const column = fc.tuple(layout, fc.integer({ min: 1, max: 80 }));
  fc.assert(
    fc.property(
      fc.array(column, { minLength: 1, maxLength: 8 }),
      fc.integer({ min: 1, max: 200 }),
      (columns, width) => {
        const layouts = columns.map(([layout]) => layout);
        const natural = columns.map(([, size]) => size);
        const widths = fitColumns(layouts, natural, width);
        const shown = [...widths.keys()].filter((i) => widths[i]! > 0);
        const total = shown.reduce(
          (sum, i, at) => sum + widths[i]! + (at < shown.length - 1 ? layouts[i]!.gap ?? 2 : 0),
          0,
        );
        assert(shown.length > 0 && total <= width, `${widths} in ${width}`);
        const wanting = shown.filter((i) =>
          widths[i]! < Math.min(natural[i]!, layouts[i]!.max ?? Infinity)
        );
        if (wanting.length > 0) assertEquals(total, width, `${widths} in ${width}`);
      },
    ),
  );
});
