// Finds a text in a log, piece by piece: what is searched is what is shown, whatever its case, and each
// match comes with the lines around it. Pure.

import { createRenderer } from "../../../agents/render.ts";
import type { UsageFormat } from "../../../task/agent.ts";
import { sanitizeBlock, SEQUENCE } from "../../../text/width.ts";
import { countFeeds, LONGEST_LINE } from "./lines.ts";

/** A line in which the text is found. */
export interface Match {
  /** Its first byte. */
  readonly from: number;
  /** Its number, from 1. */
  readonly line: number;
  readonly text: string;
  readonly before: readonly string[];
  readonly after: readonly string[];
}

/** A search that goes on. */
export interface Search {
  /** Takes the next piece. */
  add(bytes: Uint8Array): void;
  /** Takes what is left at the end. */
  end(): void;
  readonly matches: readonly Match[];
  /** Whether there are as many as anybody looks at. */
  readonly isFull: boolean;
}

/** Matches that are kept. */
export const MOST_MATCHES = 500;
/** Lines around a match. */
const CONTEXT = 2;
/** Of a long line so much is shown around a match, characters. */
const AROUND = 160;
const FEED = 10;

interface Shown {
  readonly from: number;
  readonly line: number;
  readonly text: string;
}

/**
 * A search that has read nothing yet.
 *
 * @param format whose events the log has, where they are shown as what they mean; null for text
 */
export function createSearch(query: string, format: UsageFormat | null): Search {
  const wanted = query.toLowerCase();
  const renderer = format === null ? null : createRenderer(format);
  const decoder = new TextDecoder();
  const matches: (Match & { before: string[]; after: string[] })[] = [];
  let recent: string[] = [];
  let rest = new Uint8Array();
  let from = 0;
  let line = 1;

  function take(shown: Shown): void {
    const found = find(shown.text, wanted);
    const text = sanitizeBlock(excerpt(shown.text, Math.max(0, found), query.length));
    for (const { after } of matches.slice(-CONTEXT - 1)) {
      if (after.length < CONTEXT) after.push(text);
    }
    if (found >= 0 && matches.length < MOST_MATCHES) {
      matches.push({ from: shown.from, line: shown.line, text, before: recent, after: [] });
    }
    recent = [...recent, text].slice(-CONTEXT);
  }

  /** Whole lines. */
  function read(bytes: Uint8Array): void {
    const text = decoder.decode(bytes);
    if (renderer === null && find(text, wanted) < 0) skim(text, countFeeds(bytes));
    else readLines(bytes);
    from += bytes.length;
  }

  /** Where nothing is found only the first and the last lines matter, as those around a match. */
  function skim(text: string, feeds: number): void {
    const count = text.endsWith("\n") ? feeds : feeds + 1;
    if (count <= 2 * CONTEXT) {
      for (const part of text.split("\n").slice(0, count)) take({ from, line: line++, text: part });
      return;
    }
    for (const part of text.slice(0, 4 * AROUND * CONTEXT).split("\n").slice(0, CONTEXT)) {
      take({ from, line, text: part });
    }
    const last = text.slice(-4 * AROUND * CONTEXT).replace(/\n$/, "").split("\n").slice(-CONTEXT);
    for (const part of last) take({ from, line, text: part });
    line += feeds;
  }

  function readLines(bytes: Uint8Array): void {
    for (let at = 0; at < bytes.length;) {
      const feed = bytes.indexOf(FEED, at);
      const end = feed < 0 ? bytes.length : feed;
      const text = decoder.decode(bytes.subarray(at, end)).replace(/\r$/, "");
      const shown = renderer === null
        ? [text]
        : renderer.add(`${text}\n`).flatMap(({ text, whole }) => (whole ?? text).split("\n"));
      for (const part of shown) take({ from: from + at, line, text: part });
      line++;
      at = end + 1;
    }
  }

  return {
    add(bytes) {
      const all = join(rest, bytes);
      const last = all.lastIndexOf(FEED) + 1;
      const cut = last === 0 && all.length > LONGEST_LINE ? all.length : last;
      if (cut > 0) read(all.subarray(0, cut));
      rest = all.slice(cut);
    },
    end() {
      if (rest.length > 0) read(rest);
      rest = new Uint8Array();
    },
    matches,
    get isFull() {
      return matches.length >= MOST_MATCHES;
    },
  };
}

/** Where a text, in small letters, stands in another as it is shown; -1 where it does not. */
function find(text: string, wanted: string): number {
  const shown = text.includes("\x1b") || text.includes("\x9b") ? text.replace(SEQUENCE, "") : text;
  return shown.toLowerCase().indexOf(wanted);
}

/** What stands around a match. */
function excerpt(text: string, at: number, length: number): string {
  const shown = text.slice(0, 16 * AROUND + at).replace(SEQUENCE, "");
  if (shown.length <= 2 * AROUND) return shown;
  const from = Math.max(0, at - AROUND);
  const to = at + length + AROUND;
  return (from > 0 ? "…" : "") + shown.slice(from, to) + (to < shown.length ? "…" : "");
}

/** Where a query stands in a text, for what is shown: pairs of first and last, in order. */
export function occurrences(text: string, query: string): [from: number, to: number][] {
  if (query === "") return [];
  const found: [number, number][] = [];
  const small = text.toLowerCase();
  // Some letters are longer when they are small: nothing is marked rather than the wrong thing.
  if (small.length !== text.length) return [];
  const wanted = query.toLowerCase();
  for (
    let at = small.indexOf(wanted);
    at >= 0;
    at = small.indexOf(wanted, at + wanted.length)
  ) found.push([at, at + wanted.length]);
  return found;
}

function join(a: Uint8Array, b: Uint8Array): Uint8Array {
  const both = new Uint8Array(a.length + b.length);
  both.set(a);
  both.set(b, a.length);
  return both;
}
