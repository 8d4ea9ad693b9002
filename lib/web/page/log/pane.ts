/// <reference lib="dom" />
// What is seen of a log: where one is in it, how its lines become rows, what it follows. Components draw
// what it says; whatever changes, it asks to be drawn anew, and what was looked at stays where it is.

import type { UsageFormat } from "../../../task/agent.ts";
import { type LoadedChunk, type LogDocument, openLog, type ReadRange } from "./document.ts";
import { CHUNK, chunkAt, countChunks } from "./lines.ts";
import { type Row, rowsOf } from "./rows.ts";
import {
  type Anchor,
  type Bar,
  barAt,
  earlier,
  endPlace,
  type Extent,
  move,
  placeOfBar,
  rowsBefore,
  START,
  stretches,
} from "./scroll.ts";

/** How it is shown. */
export interface PaneStyle {
  format: UsageFormat | null;
  raw: boolean;
  columns: number | null;
}

/** A row that is seen; null for one that was not read so far. */
export interface SeenRow {
  readonly key: string;
  readonly row: Row | null;
  readonly number: number | undefined;
}

/** A line that was asked for. */
export type Target =
  | { readonly kind: "line"; readonly line: number }
  | { readonly kind: "byte"; readonly byte: number };

/** What is seen of a log. */
export interface Pane {
  readonly log: LogDocument;
  /** Whether the end is kept in sight. */
  readonly following: boolean;
  /** First byte of the line that was asked for; null for none. */
  readonly marked: number | null;
  /** What is asked for and not reached so far. */
  readonly target: Target | null;
  /** Rows to be drawn, the first of them scrolled half out of sight by `offset` rows. */
  look(): { rows: SeenRow[]; offset: number; bar: Bar };
  /** How it is to be shown. */
  setStyle(style: PaneStyle): void;
  /** Rows that are seen at once, and the height of one in pixels. */
  setView(rows: number, rowHeight: number): void;
  /** Scrolls by some rows. */
  moveBy(rows: number): void;
  /** Scrolls to where the bar was drawn to. */
  drag(top: number): void;
  follow(on: boolean): void;
  toggle(fold: string): void;
  /** Goes to a line as soon as it is known where it is. */
  goTo(target: Target | null): void;
  close(): void;
}

/** Rows of a chunk where nothing was read so far. */
const GUESS = CHUNK / 100;
/** A line that was asked for stands so far below the top, as a part of what is seen. */
const BELOW = 0.3;

/**
 * Opens a log to be seen.
 *
 * @param changed is called whenever it is to be drawn anew
 */
export function openPane(read: ReadRange, style: PaneStyle, changed: () => void): Pane {
  const log = openLog(read, changed);
  let open = new Set<string>();
  let view = 1;
  let rowHeight = 20;
  let anchor: Anchor = START;
  let following = true;
  /** Chunks up to the end that is shown while what came after it is read. */
  let shownChunks = 0;
  let target: Target | null = null;
  let marked: number | null = null;
  /** What is known of chunks that were shown, whether they are in memory or not. */
  let counts = new Map<number, number>();
  let counted = 0;
  let rendered = new WeakMap<LoadedChunk, Row[]>();

  function rows(chunk: number): Row[] | undefined {
    const loaded = log.chunk(chunk);
    if (loaded === undefined) return undefined;
    let rows = rendered.get(loaded);
    if (rows === undefined) {
      rows = rowsOf(loaded.lines, { ...style, open });
      rendered.set(loaded, rows);
      counted += rows.length - (counts.get(chunk) ?? 0);
      counts.set(chunk, rows.length);
    }
    return rows;
  }

  function extent(chunks = countChunks(log.size)): Extent {
    const guess = counts.size === 0 ? GUESS : Math.max(1, Math.round(counted / counts.size));
    return { chunks, guess, rowsOf: (chunk) => counts.get(chunk) };
  }

  /** Makes rows anew after a change; the line at the top stays there. */
  function renderAnew(change: () => void): void {
    const top = rows(anchor.chunk)?.[Math.floor(anchor.row)];
    change();
    counts = new Map();
    counted = 0;
    rendered = new WeakMap();
    anchor = (top && placeOfByte(top.from)) ?? { ...anchor, row: 0 };
    changed();
  }

  /** Where the line is that a byte stands in; undefined while that is not read. */
  function placeOfByte(byte: number): Anchor | undefined {
    const chunk = chunkAt(byte);
    const found = rows(chunk);
    if (found === undefined) return undefined;
    const row = found.findIndex(({ from }) => from >= byte);
    return { chunk, row: row < 0 ? Math.max(0, found.length - 1) : row };
  }

  /** Whether the last rows are there. */
  function isEndRead(): boolean {
    let seen = 0;
    for (let chunk = countChunks(log.size) - 1; chunk >= 0 && seen < view; chunk--) {
      const found = rows(chunk);
      if (found === undefined) return false;
      seen += found.length;
    }
    return true;
  }

  function goOn(): void {
    if (target === null) return;
    const byte = target.kind === "byte" ? target.byte : byteOfLine(target.line);
    if (byte === undefined) return;
    const place = placeOfByte(byte);
    if (place === undefined) return;
    target = null;
    marked = rows(place.chunk)?.[place.row]?.from ?? byte;
    following = false;
    const seen = rowsBefore(extent(), place) - rowsBefore(extent(), anchor);
    // What is in sight anyway is not moved.
    if (shownChunks > 0 && seen >= 0 && seen < view - 1) return;
    anchor = clamp(move(extent(), place, -Math.floor(view * BELOW)));
    shownChunks = countChunks(log.size);
  }

  function byteOfLine(line: number): number | undefined {
    const chunk = log.index.chunkOf(line);
    if (chunk === undefined) return undefined;
    // The line feed before it may be the last byte of the chunk before its own.
    for (const at of [chunk, chunk + 1]) {
      const loaded = log.chunk(at);
      if (loaded === undefined) return undefined;
      const found = loaded.lines.findIndex((_, index) => log.numberOf(at, index) === line);
      if (found >= 0) return loaded.lines[found]!.from;
    }
    return undefined;
  }

  function clamp(place: Anchor): Anchor {
    return earlier(place, endPlace(extent(), view));
  }

  function wantedOf(target: Target): number[] {
    if (target.kind === "byte") return [chunkAt(target.byte)];
    const chunk = log.index.chunkOf(target.line);
    return chunk === undefined ? [] : [chunk, chunk + 1];
  }

  function look(): { rows: SeenRow[]; offset: number; bar: Bar } {
    goOn();
    const chunks = countChunks(log.size);
    if (following) {
      if (isEndRead()) shownChunks = chunks;
      shownChunks = Math.min(shownChunks, chunks);
      anchor = endPlace(extent(shownChunks), view);
    }
    const seen: SeenRow[] = [];
    const wanted: number[] = following ? [chunks - 1, chunks - 2] : [];
    // What was only guessed may turn out to be shorter than what is to be filled.
    let parts = stretches(extent(), anchor, view + 1);
    for (let again = 0; again < 8; again++) {
      for (const { chunk } of parts) rows(chunk);
      const next = stretches(extent(following ? shownChunks : chunks), anchor, view + 1);
      if (next.length === parts.length && next.every((part, at) => part.to === parts[at]!.to)) {
        break;
      }
      parts = next;
    }
    for (const { chunk, from, to } of parts) {
      const found = rows(chunk);
      wanted.push(chunk);
      for (let at = from; at < to; at++) {
        const row = found?.[at] ?? null;
        const number = row?.first ? log.numberOf(chunk, row.line) : undefined;
        seen.push({ key: `${chunk}.${at}`, row, number });
      }
    }
    const asked = target === null ? [] : wantedOf(target);
    // What is next to it is likely to be looked at next.
    const beside = parts.length === 0 ? [] : [parts.at(-1)!.chunk + 1, parts[0]!.chunk - 1];
    log.want([...new Set([...asked, ...wanted, ...beside])].filter((at) => at >= 0));
    return {
      rows: seen,
      offset: anchor.row - Math.floor(anchor.row),
      bar: barAt(extent(), anchor, view, rowHeight),
    };
  }

  function moveTo(place: Anchor): void {
    target = null;
    anchor = clamp(place);
    const end = endPlace(extent(), view);
    following = anchor.chunk === end.chunk && anchor.row >= end.row - 0.5;
    shownChunks = countChunks(log.size);
    changed();
  }

  return {
    log,
    get following() {
      return following;
    },
    get marked() {
      return marked;
    },
    get target() {
      return target;
    },
    look,
    setStyle(next) {
      const { format, raw, columns } = style;
      if (next.format === format && next.raw === raw && next.columns === columns) return;
      renderAnew(() => style = next);
    },
    setView(rows, height) {
      if (rows === view && height === rowHeight) return;
      [view, rowHeight] = [rows, height];
      changed();
    },
    moveBy: (rows) => moveTo(move(extent(), anchor, rows)),
    drag(top) {
      const { height } = barAt(extent(), anchor, view, rowHeight);
      moveTo(placeOfBar(extent(), { height, top }, view, rowHeight));
    },
    follow(on) {
      following = on;
      if (on) target = null;
      changed();
    },
    toggle(fold) {
      // Nobody unfolds what is to run away from him.
      following = false;
      renderAnew(() => {
        open = new Set(open);
        if (!open.delete(fold)) open.add(fold);
      });
    },
    goTo(next) {
      target = next;
      marked = null;
      if (next !== null) following = false;
      changed();
    },
    close: log.close,
  };
}
