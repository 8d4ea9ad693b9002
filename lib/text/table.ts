// Columns that fit a width: flexible ones shrink, the least important are dropped, and no line is
// ever wider than the terminal. Paint never counts as width.

import { createPalette, type Paint, type Style } from "./style.ts";
import { displayWidth, sanitize, truncate } from "./width.ts";

/** A piece of text in one paint. */
export interface Span {
  text: string;
  paint?: Paint;
}

/**
 * A cell: a text, a painted one, or one that decides by the room it gets what to say. The latter is
 * asked with Infinity for its natural width.
 */
export type Cell = string | Span | ((width: number) => Span[]);

/** How a column takes its place in a line. */
export interface ColumnLayout {
  align?: "left" | "right";
  /** Least width of a flexible column, 12 unless told. */
  min?: number;
  /** Most that the column takes, whatever its cells hold. */
  max?: number;
  /** Share in what is left once the others have theirs; a column without one keeps its width. */
  flex?: number;
  /** Columns with a higher number go first where the terminal is narrow; none: never dropped. */
  dropOrder?: number;
  /** Spaces after it, two unless told. */
  gap?: number;
}

/** A column with its header; one without a header may have an empty one. */
export interface HeadedColumn extends ColumnLayout {
  header: string;
}

/** A column of a table over rows of one type. */
export interface Column<Row> extends HeadedColumn {
  /** Asked twice for each row, to measure and to draw: kept cells would cost more than that. */
  cell: (row: Row) => Cell;
  /** What is measured instead, where that is made with less. */
  measure?: (row: Row) => string;
}

const GAP = 2;
const MIN_FLEX = 12;

function naturalWidth(cell: Cell): number {
  if (typeof cell === "string") return displayWidth(cell);
  if (typeof cell !== "function") return displayWidth(cell.text);
  let total = 0;
  for (const span of cell(Infinity)) total += displayWidth(span.text);
  return total;
}

/** Width of each column, in order; 0 for one that is dropped. */
export function fitColumns(
  columns: readonly ColumnLayout[],
  natural: readonly number[],
  width: number,
): number[] {
  const wanted = columns.map((column, i) => Math.min(natural[i] ?? 0, column.max ?? Infinity));
  const least = columns.map((column, i) =>
    column.flex === undefined
      ? wanted[i]!
      : Math.min(wanted[i]!, Math.max(1, column.min ?? MIN_FLEX))
  );
  const kept = new Set(columns.keys());
  const gaps = () => {
    let total = 0;
    const last = Math.max(...kept);
    for (const i of kept) if (i !== last) total += columns[i]!.gap ?? GAP;
    return total;
  };
  const sum = (of: readonly number[]) => {
    let total = 0;
    for (const i of kept) total += of[i]!;
    return total;
  };
  while (kept.size > 1 && sum(least) + gaps() > width) {
    let victim: number | undefined;
    for (const i of kept) {
      const order = columns[i]!.dropOrder;
      if (
        order !== undefined &&
        (victim === undefined || order >= columns[victim]!.dropOrder!)
      ) victim = i;
    }
    if (victim === undefined) break;
    kept.delete(victim);
  }
  let room = width - gaps();
  // Only columns that may not be dropped are left and they do not fit: the last ones go or are cut.
  while (kept.size > 1 && room < kept.size) {
    kept.delete(Math.max(...kept));
    room = width - gaps();
  }
  const widths = columns.map((_, i) => kept.has(i) ? wanted[i]! : 0);
  let excess = sum(widths) - room;
  if (excess <= 0) return widths;
  const flexible = [...kept].filter((i) => columns[i]!.flex !== undefined);
  if (sum(least) <= room) {
    // As CSS does it: deal out by weight, hold each column to its bounds, and settle first those on
    // the side where holding to bounds changed the sum more.
    let free = room;
    for (const i of kept) if (columns[i]!.flex === undefined) free -= widths[i]!;
    let open = flexible;
    while (open.length > 0) {
      const total = open.reduce((all, i) => all + columns[i]!.flex!, 0);
      const share = (i: number) => free * columns[i]!.flex! / total;
      const held = (i: number) => Math.max(least[i]!, Math.min(wanted[i]!, share(i)));
      const violation = open.reduce((all, i) => all + held(i) - share(i), 0);
      const settled = new Set(
        open.filter((i) =>
          violation > 0 ? held(i) > share(i) : violation < 0 ? held(i) < share(i) : false
        ),
      );
      if (settled.size === 0) {
        open.forEach((i, at) => {
          widths[i] = at === open.length - 1 ? free : Math.floor(held(i));
          free -= widths[i]!;
        });
        break;
      }
      const deal = new Map([...settled].map((i) => [i, held(i)]));
      for (const [i, size] of deal) {
        widths[i] = size;
        free -= size;
      }
      open = open.filter((i) => !settled.has(i));
    }
    return widths;
  }
  for (const i of flexible) widths[i] = least[i]!;
  for (excess = sum(widths) - room; excess > 0; excess--) {
    const widest = [...kept].reduce((a, b) => widths[b]! > widths[a]! ? b : a);
    widths[widest]!--;
  }
  return widths;
}

/**
 * Lines of a simple table, the header first: cells are given row by row, and are sanitized here.
 *
 * @param columns the columns, in order
 * @param rows cells of each row, in the order of the columns
 * @param style how to draw
 */
export function formatTable(
  columns: readonly HeadedColumn[],
  rows: readonly (readonly (string | Span)[])[],
  style: Style,
): string[] {
  const clean = (cell: string | Span): Cell =>
    typeof cell === "string" ? sanitize(cell) : { ...cell, text: sanitize(cell.text) };
  return formatRows(
    columns.map((column, i): Column<readonly (string | Span)[]> => ({
      ...column,
      cell: (row) => clean(row[i] ?? ""),
    })),
    rows,
    style,
  );
}

/**
 * Lines of a table whose columns draw from rows of any type, the header first. Cells must be
 * sanitized.
 *
 * @param columns what is in each column
 * @param rows what the columns draw from
 * @param style how to draw
 */
export function formatRows<Row>(
  columns: readonly Column<Row>[],
  rows: readonly Row[],
  style: Style,
): string[] {
  const palette = createPalette(style);
  const natural = columns.map((column) => {
    // A column that already fills the line need not be measured any further.
    const most = Math.min(style.width, column.max ?? Infinity);
    let width = displayWidth(column.header);
    for (const row of rows) {
      if (width >= most) break;
      width = Math.max(width, naturalWidth((column.measure ?? column.cell)(row)));
    }
    return width;
  });
  const widths = fitColumns(columns, natural, style.width);
  const shown = [...columns.keys()].filter((i) => widths[i]! > 0);
  // One array for all lines: a line joined at once is one flat string, where one grown by += would
  // keep all of its pieces alive.
  const pieces: string[] = [];
  let used = 0;
  const add = (text: string, room: number, paint?: Paint) => {
    const fitted = truncate(text, room, palette.ellipsis);
    used += displayWidth(fitted);
    pieces.push(paint === undefined ? fitted : paint(fitted));
  };
  const line = (cellOf: (column: Column<Row>) => Cell) => {
    pieces.length = 0;
    let pending = 0;
    for (const i of shown) {
      const column = columns[i]!;
      const width = widths[i]!;
      const cell = cellOf(column);
      const at = pieces.push("") - 1;
      used = 0;
      if (typeof cell === "string") add(cell, width);
      else if (typeof cell !== "function") add(cell.text, width, cell.paint);
      else {
        for (const span of cell(width)) {
          if (used >= width) break;
          add(span.text, width - used, span.paint);
        }
      }
      const fill = width - used;
      if (used > 0) {
        pieces[at] = " ".repeat(pending + (column.align === "right" ? fill : 0));
        pending = column.align === "right" ? 0 : fill;
      } else pending += fill;
      pending += column.gap ?? GAP;
    }
    return pieces.join("");
  };
  const lines = [line((column) => ({ text: column.header, paint: palette.dim }))];
  for (const row of rows) lines.push(line((column) => column.cell(row)));
  return lines;
}
