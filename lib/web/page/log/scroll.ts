// Where one is in a log whose rows are known only where it has been read. A place is a chunk and a row in
// it, so that it stays where it is whatever becomes known of the rest; only the length of the scroll bar
// follows from guesses. Pure.

/** A place: a row of a chunk, parts of a row for what is scrolled half out of sight. */
export interface Anchor {
  readonly chunk: number;
  readonly row: number;
}

/** How long a log is. */
export interface Extent {
  readonly chunks: number;
  /** Rows of a chunk; undefined where it was not read. */
  rowsOf(chunk: number): number | undefined;
  /** Rows that a chunk has where nobody knows, a whole number. */
  readonly guess: number;
}

/** No browser scrolls over much more, pixels. */
const TALLEST = 5_000_000;

/** Where a log begins. */
export const START: Anchor = { chunk: 0, row: 0 };

const count = ({ rowsOf, guess }: Extent, chunk: number) => rowsOf(chunk) ?? guess;

/** Rows before a place. */
export function rowsBefore(extent: Extent, { chunk, row }: Anchor): number {
  let sum = row;
  for (let at = 0; at < Math.min(chunk, extent.chunks); at++) sum += count(extent, at);
  return sum;
}

/** Rows of all. */
export function totalRows(extent: Extent): number {
  return rowsBefore(extent, { chunk: extent.chunks, row: 0 });
}

/** The place so many rows from the start. */
export function placeAt(extent: Extent, rows: number): Anchor {
  return move(extent, START, rows);
}

/** A place so many rows on, or back; never before the start or behind the end. */
export function move(extent: Extent, { chunk, row }: Anchor, rows: number): Anchor {
  let to = row + rows;
  while (to < 0 && chunk > 0) to += count(extent, --chunk);
  while (chunk < extent.chunks - 1 && to >= count(extent, chunk)) to -= count(extent, chunk++);
  return { chunk, row: Math.max(0, to) };
}

/** The place from which so many rows lead to the end. */
export function endPlace(extent: Extent, view: number): Anchor {
  let chunk = extent.chunks;
  let missing = view;
  while (missing > 0 && chunk > 0) missing -= count(extent, --chunk);
  return { chunk, row: Math.max(0, -missing) };
}

/** The earlier of two places. */
export function earlier(a: Anchor, b: Anchor): Anchor {
  return a.chunk < b.chunk || (a.chunk === b.chunk && a.row <= b.row) ? a : b;
}

/** Some rows of a chunk; of one that is not known so many are taken as it is guessed to have. */
export interface Stretch {
  readonly chunk: number;
  readonly from: number;
  readonly to: number;
}

/** What is to be seen from a place on, in so many rows. */
export function stretches(extent: Extent, { chunk, row }: Anchor, view: number): Stretch[] {
  const found: Stretch[] = [];
  let from = Math.floor(row);
  let missing = view + row - from;
  for (let at = chunk; at < extent.chunks && missing > 0; at++, from = 0) {
    const rows = count(extent, at);
    const to = Math.min(rows, from + Math.ceil(missing));
    if (to > from || extent.rowsOf(at) === undefined) found.push({ chunk: at, from, to });
    missing -= Math.max(0, to - from);
  }
  return found;
}

/** How the scroll bar stands. */
export interface Bar {
  /** Pixels that can be scrolled over. */
  readonly height: number;
  /** Pixels from the top. */
  readonly top: number;
}

/**
 * The scroll bar for a place.
 *
 * @param view rows that are seen at once
 * @param rowHeight pixels
 */
export function barAt(extent: Extent, anchor: Anchor, view: number, rowHeight: number): Bar {
  const total = totalRows(extent);
  const height = Math.max(Math.min(total * rowHeight, TALLEST), view * rowHeight);
  const range = Math.max(0, total - view);
  const share = range === 0 ? 0 : Math.min(1, rowsBefore(extent, anchor) / range);
  return { height, top: share * (height - view * rowHeight) };
}

/** The place that the scroll bar was drawn to. */
export function placeOfBar(extent: Extent, bar: Bar, view: number, rowHeight: number): Anchor {
  const range = bar.height - view * rowHeight;
  const share = range <= 0 ? 0 : Math.min(1, Math.max(0, bar.top / range));
  return placeAt(extent, share * Math.max(0, totalRows(extent) - view));
}
