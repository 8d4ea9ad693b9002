// Colours and weights in a text as a terminal reads them (SGR, ECMA-48), and nothing else that it would
// obey: what is no colour goes through sanitizeBlock(). A text may come in pieces, cut anywhere: what may
// go on in the next piece is held back until then. Pure.

import { sanitizeBlock, SEQUENCE } from "./width.ts";

/** A colour of the palette, 0 to 255, of which 0 to 15 have names; or `#rrggbb`; null for the default. */
export type Color = number | string | null;

/** How text looks. */
export interface Look {
  readonly foreground: Color;
  readonly background: Color;
  readonly bold: boolean;
  readonly dim: boolean;
  readonly italic: boolean;
  readonly underline: boolean;
  readonly inverse: boolean;
  readonly strike: boolean;
}

/** Some text, and how it looks. */
export interface Span {
  readonly text: string;
  readonly look: Look;
}

/** Takes a text piece by piece. */
export interface PieceReader<Part> {
  /** Takes the next piece, and gives what is certain. */
  add(text: string): Part[];
  /** What was held back. */
  end(): Part[];
}

/** Text that says nothing of how it looks. */
export const PLAIN_LOOK: Look = {
  foreground: null,
  background: null,
  bold: false,
  dim: false,
  italic: false,
  underline: false,
  inverse: false,
  strike: false,
};

// deno-lint-ignore no-control-regex
const SGR = /((?:\x1b\[|\x9b)[\d;:]*m)/;
/** A sequence that is not whole yet. */
const OPEN_SEQUENCE =
  // deno-lint-ignore no-control-regex
  /(?:\x1b\[|\x9b)[0-?]*[ -/]*|(?:\x1b[\]PX^_]|[\x90\x98\x9d-\x9f])[^\x00-\x08\x0a-\x1f\x7f-\x9f]*\x1b?|\x1b[ -/]*/;
/** Half a character, such a sequence, or a line break that may go on when what is obeyed is taken away. */
const BEGUN = new RegExp(
  `(?:[\\ud800-\\udbff]|${OPEN_SEQUENCE.source}|` +
    `\\r(?:${SEQUENCE.source})*(?:${OPEN_SEQUENCE.source})?)$`,
);
/** No more is held back, characters: a sequence that is longer (an image) is shown as text. */
const LONGEST = 256 * 1024;
/** So many marks may stand on one letter, as sanitizeBlock() has it. */
const MOST_MARKS = 8;
const MARKS_FIRST = /^\p{M}+/u;
const MARKS_LAST = /\p{M}+$/u;
const FIRST_MARK = 0x300;

/**
 * Splits a text into what is shown and what says how it looks: parts 0, 2, 4, … are safe text, parts 1, 3,
 * 5, … are SGR sequences as they were written.
 */
export function createSgrSplitter(): PieceReader<string> {
  let rest = "";
  /** Marks at the end of what was given. */
  let marks = 0;

  /** A part, cleaned; of marks that go on from the part before it no more than one letter may have. */
  function clean(part: string): string {
    let text = sanitizeBlock(part);
    if (text === "") return text;
    let piled = 0;
    if (text.charCodeAt(0) >= FIRST_MARK) {
      const first = MARKS_FIRST.exec(text)?.[0] ?? "";
      const kept = [...first].slice(0, Math.max(0, MOST_MARKS - marks)).join("");
      if (first === text) piled = marks;
      text = kept + text.slice(first.length);
    }
    const last = text.charCodeAt(text.length - 1) >= FIRST_MARK
      ? MARKS_LAST.exec(text.slice(-2 * MOST_MARKS))?.[0] ?? ""
      : "";
    marks = piled + [...last].length;
    return text;
  }

  function split(text: string): string[] {
    const parts = text.split(SGR);
    for (let at = 0; at < parts.length; at += 2) parts[at] = clean(parts[at]!);
    return parts;
  }

  return {
    add(piece) {
      const text = rest + piece;
      // Nothing that may go on has a line feed in it.
      const line = text.slice(Math.max(text.lastIndexOf("\n") + 1, text.length - LONGEST));
      const held = BEGUN.exec(line)?.[0].length ?? 0;
      rest = text.slice(text.length - held);
      return split(text.slice(0, text.length - held));
    },
    end() {
      const parts = split(rest);
      rest = "";
      return parts;
    },
  };
}

/**
 * Reads a text into spans; none is empty, and neighbours differ in how they look.
 *
 * @param start how it looks until it says otherwise
 */
export function createSpanReader(
  start: Look = PLAIN_LOOK,
): PieceReader<Span> & { readonly look: Look } {
  const splitter = createSgrSplitter();
  let look = start;
  const read = (parts: readonly string[]) => {
    const spans: Span[] = [];
    parts.forEach((part, at) => {
      if (at % 2 === 1) look = applySgr(look, part);
      else append(spans, { text: part, look });
    });
    return spans;
  };
  return {
    get look() {
      return look;
    },
    add: (text) => read(splitter.add(text)),
    end: () => read(splitter.end()),
  };
}

/** Adds a span to others, to the last one where it looks the same. */
export function append(spans: Span[], span: Span): void {
  if (span.text === "") return;
  const last = spans.at(-1);
  if (last !== undefined && isSameLook(last.look, span.look)) {
    spans[spans.length - 1] = { text: last.text + span.text, look: last.look };
  } else spans.push(span);
}

function isSameLook(a: Look, b: Look): boolean {
  return a === b ||
    (Object.keys(PLAIN_LOOK) as (keyof Look)[]).every((name) => a[name] === b[name]);
}

/** Parameters that set or unset one thing. */
const SETS: Readonly<Record<number, Partial<Look>>> = {
  0: PLAIN_LOOK,
  1: { bold: true },
  2: { dim: true },
  3: { italic: true },
  4: { underline: true },
  7: { inverse: true },
  9: { strike: true },
  // Doubly underlined.
  21: { underline: true },
  22: { bold: false, dim: false },
  23: { italic: false },
  24: { underline: false },
  27: { inverse: false },
  29: { strike: false },
  39: { foreground: null },
  49: { background: null },
};

/**
 * How text looks after a sequence. What it says that is not known (blinking, fonts) changes nothing.
 *
 * @param sequence as it was written, from its introducer to its `m`
 */
export function applySgr(look: Look, sequence: string): Look {
  const body = sequence.slice(sequence.startsWith("\x9b") ? 1 : 2, -1);
  const parameters = body.split(";");
  let next = look;
  for (let at = 0; at < parameters.length; at++) {
    // `4:3` says of which kind; `4:0` says that there is none.
    const parts = parameters[at]!.split(":");
    const code = Number(parts[0]);
    const basic = basicColor(code);
    if (code === 38 || code === 48) {
      const found = parts.length > 1 ? partsColor(parts) : listColor(parameters, at);
      at += found.taken;
      const side = code === 38 ? "foreground" : "background";
      if (found.color !== undefined) next = { ...next, [side]: found.color };
    } else if (basic !== undefined) next = { ...next, ...basic };
    else if (code === 4 && parts[1] === "0") next = { ...next, underline: false };
    else if (Object.hasOwn(SETS, code)) next = { ...next, ...SETS[code] };
  }
  return next;
}

/** One of the 16 colours that have parameters of their own. */
function basicColor(code: number): Partial<Look> | undefined {
  if (code >= 30 && code <= 37) return { foreground: code - 30 };
  if (code >= 40 && code <= 47) return { background: code - 40 };
  if (code >= 90 && code <= 97) return { foreground: code - 90 + 8 };
  return code >= 100 && code <= 107 ? { background: code - 100 + 8 } : undefined;
}

interface FoundColor {
  /** Undefined where it is none. */
  readonly color: Color | undefined;
  /** How many of the parameters after it belong to it. */
  readonly taken: number;
}

/** The colour in `38:5:208` or `38:2::255:135:0`, the colour space named or not. */
function partsColor([, kind, ...values]: readonly string[]): FoundColor {
  if (kind === "5") return { color: palette(values[0]), taken: 0 };
  return { color: kind === "2" ? trueColor(values.slice(-3)) : undefined, taken: 0 };
}

/** The colour in `38;5;208` or `38;2;255;135;0`. */
function listColor(parameters: readonly string[], at: number): FoundColor {
  const kind = parameters[at + 1];
  if (kind === "5") return { color: palette(parameters[at + 2]), taken: 2 };
  if (kind === "2") return { color: trueColor(parameters.slice(at + 2, at + 5)), taken: 4 };
  return { color: undefined, taken: 1 };
}

function palette(value: string | undefined): number | undefined {
  const number = Number(value);
  return value !== undefined && number <= 255 ? number : undefined;
}

function trueColor(values: readonly string[]): string | undefined {
  if (values.length < 3 || values.some((value) => !(Number(value) <= 255))) return undefined;
  return "#" + values.map((value) => Number(value).toString(16).padStart(2, "0")).join("");
}

/** The colour of the palette as `#rrggbb`, from 16 on: a cube of 6 steps a side, then 24 greys. */
export function paletteColor(index: number): string {
  if (index >= 232) {
    const grey = String(8 + (index - 232) * 10);
    return trueColor([grey, grey, grey])!;
  }
  const step = (value: number) => String(value === 0 ? 0 : 55 + value * 40);
  const at = index - 16;
  return trueColor([step(Math.floor(at / 36)), step(Math.floor(at / 6) % 6), step(at % 6)])!;
}
