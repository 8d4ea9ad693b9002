// Lines of a log as rows of a screen, all of one height: events as what they mean, by the renderer that
// the terminal's commands use, colours as spans, long lines broken into cells. Pure.

import { parseEvent } from "../../../agents/events.ts";
import { createRenderer, type Renderer, type Shown } from "../../../agents/render.ts";
import type { UsageFormat } from "../../../task/agent.ts";
import { append, createSpanReader, PLAIN_LOOK, type Span } from "../../../text/sgr.ts";
import { fit, sanitizeBlock } from "../../../text/width.ts";
import type { Line } from "./lines.ts";

/** How lines become rows. */
export interface RowStyle {
  /** Whose events they are; null for text. */
  readonly format: UsageFormat | null;
  /** As they stand in the file, what a terminal would obey told by signs. */
  readonly raw: boolean;
  /** Cells of a row; null for rows as long as lines are. */
  readonly columns: number | null;
  /** What was unfolded, by {@linkcode Fold.key}. */
  readonly open: ReadonlySet<string>;
}

/** A row that unfolds, or folds again, what belongs to it. */
export interface Fold {
  readonly key: string;
  readonly open: boolean;
}

/** A row. */
export interface Row {
  /** First byte of the line that it comes from. */
  readonly from: number;
  /** Which of its chunk's lines that is, from 0. */
  readonly line: number;
  /** Whether it is the first row of that line. */
  readonly first: boolean;
  /** Whether it goes on with the text of the row before it. */
  readonly continues: boolean;
  readonly kind: Shown["kind"];
  readonly spans: readonly Span[];
  readonly fold: Fold | null;
}

/** Of an output so many lines are shown while it is folded, from each end. */
const FOLDED_LINES = 10;
/** Of one line of text so many pieces are shown while it is folded. */
const FOLDED_PIECES = 20;
/** A piece of a line, where rows are as long as lines are, characters. */
const LONGEST_ROW = 4000;

/** The rows of some lines that stand after one another. */
export function rowsOf(lines: readonly Line[], style: RowStyle): Row[] {
  const rows: Row[] = [];
  const renderer = style.format === null || style.raw ? null : createRenderer(style.format);
  // Colours go on from line to line.
  const reader = createSpanReader();
  const spans = (text: string) => [...reader.add(text), ...reader.end()];
  lines.forEach((line, at) => {
    const place = { from: line.from, line: at };
    const before = rows.length;
    if (style.raw) addText(rows, place, "plain", [plain(showControls(line.text))], style, "");
    else if (renderer === null) addText(rows, place, "plain", spans(line.text), style, "");
    else addShown(rows, place, eventsOf(renderer, line, at === lines.length - 1), style, spans);
    // A line that says nothing of its own has no row where events are rendered.
    const row = rows[before];
    if (row !== undefined) rows[before] = { ...row, first: true };
  });
  return rows;
}

function eventsOf(renderer: Renderer, { text, open }: Line, last: boolean): Shown[] {
  // The rest of an event that is being written comes at once.
  if (open && text.startsWith("{") && parseEvent(text) === undefined) {
    return [...renderer.end(), { kind: "note", text: "…" }];
  }
  const shown = renderer.add(`${text}\n`);
  return last ? [...shown, ...renderer.end()] : shown;
}

type Place = Pick<Row, "from" | "line">;

function addShown(
  rows: Row[],
  place: Place,
  all: readonly Shown[],
  style: RowStyle,
  spans: (text: string) => Span[],
): void {
  all.forEach(({ kind, text, whole }, at) => {
    const part = String(at);
    if (whole !== undefined) addOutput(rows, place, kind, whole, style, part);
    else addText(rows, place, kind, kind === "plain" ? spans(text) : ownSpans(text), style, part);
  });
}

function addOutput(
  rows: Row[],
  place: Place,
  kind: Row["kind"],
  whole: string,
  style: RowStyle,
  part: string,
): void {
  const key = `${place.from}:${part}`;
  const lines = whole.split("\n");
  const hidden = lines.length - 2 * FOLDED_LINES;
  const open = style.open.has(key);
  const add = (some: readonly string[], which: string) =>
    addText(rows, place, kind, ownSpans(some.join("\n")), style, `${part}${which}`);
  if (!open) add(lines.slice(0, FOLDED_LINES), "a");
  const said = open ? `  fold ${lines.length} lines` : `  ${hidden} more lines`;
  rows.push(fold(place, said, { key, open }));
  if (open) add(lines, "w");
  else add(lines.slice(-FOLDED_LINES), "z");
}

function fold(place: Place, said: string, how: Fold): Row {
  const spans = [plain(said)];
  return { ...place, first: false, continues: false, kind: "note", spans, fold: how };
}

function ownSpans(text: string): Span[] {
  const reader = createSpanReader();
  return [...reader.add(text), ...reader.end()];
}

function plain(text: string): Span {
  return { text, look: PLAIN_LOOK };
}

/** Adds the rows of a text. */
function addText(
  rows: Row[],
  place: Place,
  kind: Row["kind"],
  spans: readonly Span[],
  { columns, open }: RowStyle,
  part: string,
): void {
  splitSpans(spans).forEach((line, at) => {
    const key = `${place.from}:${part}.${at}`;
    const isOpen = open.has(key);
    const most = isOpen ? Infinity : FOLDED_PIECES;
    const { pieces, rest } = breakSpans(line, columns, most);
    pieces.forEach((spans, piece) => {
      rows.push({ ...place, first: false, continues: piece > 0, kind, spans, fold: null });
    });
    if (rest > 0) {
      rows.push(fold(place, `${rest.toLocaleString("en")} more characters`, { key, open: false }));
    } else if (isOpen) rows.push(fold(place, "fold this line", { key, open: true }));
  });
}

/** Spans, line by line: a carriage return within a line breaks it, too. */
function splitSpans(spans: readonly Span[]): Span[][] {
  const lines: Span[][] = [[]];
  for (const { text, look } of spans) {
    text.split("\n").forEach((part, at) => {
      if (at > 0) lines.push([]);
      append(lines.at(-1)!, { text: part, look });
    });
  }
  return lines;
}

/** A line in pieces that fit into a row, and how many characters of it are left over. */
function breakSpans(
  line: readonly Span[],
  columns: number | null,
  most: number,
): { pieces: Span[][]; rest: number } {
  const text = line.map((span) => span.text).join("");
  const cuts = breaksOf(text, columns, most);
  if (cuts.length === 1 && cuts[0] === text.length) return { pieces: [[...line]], rest: 0 };
  const pieces: Span[][] = [];
  let start = 0;
  let span = 0;
  let taken = 0;
  for (const end of cuts) {
    const piece: Span[] = [];
    while (start < end) {
      const { text, look } = line[span]!;
      const part = text.slice(taken, taken + end - start);
      append(piece, { text: part, look });
      start += part.length;
      taken += part.length;
      if (taken === text.length) [span, taken] = [span + 1, 0];
    }
    pieces.push(piece);
  }
  return { pieces, rest: text.length - start };
}

/** Where the pieces of a line end: after a space where there is one in their second half. */
function breaksOf(text: string, columns: number | null, most: number): number[] {
  const width = columns ?? LONGEST_ROW;
  const cuts: number[] = [];
  let at = 0;
  do {
    if (cuts.length === most) break;
    // What is left may be long: no more than can fit is looked at.
    const ahead = text.slice(at, at + 2 * width + 32);
    const cut = columns === null ? Math.min(ahead.length, width) : fit(ahead, width);
    const space = cut < ahead.length ? ahead.lastIndexOf(" ", cut - 1) + 1 : 0;
    at += space > cut / 2 ? space : cut;
    cuts.push(at);
  } while (at < text.length);
  return cuts;
}

// deno-lint-ignore no-control-regex
const CONTROL = /[\x00-\x08\x0a-\x1f\x7f-\x9f]/g;

/** A text with signs for what a terminal would obey: `␛[31m`. */
function showControls(text: string): string {
  const signs = text.replace(CONTROL, (found) => {
    const code = found.charCodeAt(0);
    if (code < 0x20) return String.fromCharCode(0x2400 + code);
    return code === 0x7f ? "␡" : `\\x${code.toString(16)}`;
  });
  return sanitizeBlock(signs);
}

/** What rows say, as it was written: pieces of one line are put together. */
export function textOfRows(rows: readonly Row[]): string {
  return rows.map(({ continues, spans }, at) =>
    (at > 0 && !continues ? "\n" : "") + spans.map(({ text }) => text).join("")
  ).join("");
}
