/// <reference lib="dom" />
// One row of a log: its line's number as a link, and its text in its colours. All of it is text.

import type { JSX } from "preact";
import { type Color, type Look, paletteColor, type Span } from "../../../text/sgr.ts";
import type { Row } from "./rows.ts";
import { occurrences } from "./search.ts";

/** A row, as it is drawn. */
export function RowLine({ row, number, marked, query, onFold }: {
  row: Row;
  /** Of its line; undefined where nobody has counted so far. */
  number: number | undefined;
  marked: boolean;
  /** What is marked in it; nothing where it is empty. */
  query: string;
  onFold: (key: string) => void;
}): JSX.Element {
  const { kind, first, fold, from, continues } = row;
  return (
    <div class={`log-row kind-${kind}${marked ? " marked" : ""}`} data-continues={continues}>
      {first
        ? (
          <a
            class="log-number"
            tabIndex={-1}
            href={number === undefined ? `#B${from}` : `#L${number}`}
            title={number === undefined
              ? `Byte ${from.toLocaleString("en")}`
              : `Line ${number.toLocaleString("en")} of the file`}
          >
            {number ?? "·"}
          </a>
        )
        : <span class="log-number" />}
      {fold === null
        ? (
          <span class="log-text">
            {query === ""
              ? row.spans.map((span, at) => <Painted key={at} span={span} />)
              : <Marked spans={row.spans} query={query} />}
          </span>
        )
        : (
          <button
            type="button"
            class="log-fold"
            aria-expanded={fold.open}
            onClick={() => onFold(fold.key)}
          >
            {fold.open ? "▾" : "▸"} {row.spans[0]?.text.trim()}
          </button>
        )}
    </div>
  );
}

/** Spans with what was searched for marked, wherever its colours change. */
function Marked({ spans, query }: { spans: readonly Span[]; query: string }): JSX.Element {
  const found = occurrences(spans.map(({ text }) => text).join(""), query);
  let start = 0;
  return (
    <>
      {spans.flatMap((span, at) => {
        const from = start;
        start += span.text.length;
        return cut(span.text, from, found).map(({ text, isMatch }, part) => {
          const painted = <Painted key={`${at}.${part}`} span={{ text, look: span.look }} />;
          return isMatch ? <mark key={`${at}.${part}`}>{painted}</mark> : painted;
        });
      })}
    </>
  );
}

/** A text in pieces that are found or are not. */
function cut(
  text: string,
  start: number,
  found: readonly (readonly [from: number, to: number])[],
): { text: string; isMatch: boolean }[] {
  const pieces: { text: string; isMatch: boolean }[] = [];
  let at = 0;
  for (const [from, to] of found) {
    const first = Math.max(0, from - start);
    const last = Math.min(text.length, to - start);
    if (last <= 0 || first >= text.length) continue;
    if (first > at) pieces.push({ text: text.slice(at, first), isMatch: false });
    pieces.push({ text: text.slice(first, last), isMatch: true });
    at = last;
  }
  if (at < text.length) pieces.push({ text: text.slice(at), isMatch: false });
  return pieces;
}

function Painted({ span: { text, look } }: { span: Span }): JSX.Element {
  const style = styleOf(look);
  return style === null ? <>{text}</> : <span style={style}>{text}</span>;
}

const styles = new WeakMap<Look, Record<string, string> | null>();

/** A look in the words of a style sheet; null where it is plain. */
function styleOf(look: Look): Record<string, string> | null {
  let style = styles.get(look);
  if (style === undefined) styles.set(look, style = makeStyle(look));
  return style;
}

function makeStyle(look: Look): Record<string, string> | null {
  const style: Record<string, string> = {};
  const [front, back] = look.inverse
    ? [look.background, look.foreground]
    : [look.foreground, look.background];
  if (back !== null || look.inverse) {
    style.background = back === null ? "var(--text)" : colorOf(back);
    style.color = front === null
      // Letters on a ground of their own must be read in both themes.
      ? look.inverse && back === null ? "var(--log-ground)" : "var(--log-on-color)"
      : colorOf(front);
  } else if (front !== null) style.color = readable(front);
  // Of a colour no less may be left, or it could not be read.
  else if (look.dim) style.color = "var(--muted)";
  if (look.bold) style.fontWeight = "700";
  if (look.italic) style.fontStyle = "italic";
  const lines = [look.underline && "underline", look.strike && "line-through"].filter(Boolean);
  if (lines.length > 0) style.textDecoration = lines.join(" ");
  return Object.keys(style).length === 0 ? null : style;
}

function colorOf(color: NonNullable<Color>): string {
  if (typeof color === "string") return color;
  return color < 16 ? `var(--ansi-${color})` : paletteColor(color);
}

/** A colour, made as dark or as light as it must be on the ground of the log. */
function readable(color: NonNullable<Color>): string {
  const given = colorOf(color);
  // Those with names are chosen so.
  if (typeof color === "number" && color < 16) return given;
  const bound = (lightness: string) => `oklch(from ${given} ${lightness} c h)`;
  return `light-dark(${bound("min(l, 0.5)")}, ${bound("max(l, 0.68)")})`;
}
