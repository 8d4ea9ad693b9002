// Text as a terminal shows it: how many cells it takes, where it may be cut, and what of it must
// never get there. Everything that a user, an agent or a file says passes sanitize() or
// sanitizeBlock() before it is printed. Pure.

// Widths follow what tmux answers to a cursor position report, compared for every code point below
// U+20000. (The republished @std/cli/unicode-width lacks its data file, and counts every member of
// a ZWJ emoji.) Where terminals disagree the larger width is taken: a line too short is a blemish,
// a line too long wraps and breaks the screen.
const WIDE =
  /[\u1100-\u115f\u2329\u232a\u2e80-\u303e\u3041-\ua4cf\ua960-\ua97c\uac00-\ud7a3\uf900-\ufaff\ufe10-\ufe19\ufe30-\ufe6b\uff01-\uff60\uffe0-\uffe6\u{16fe0}-\u{18d08}\u{1aff0}-\u{1b2fb}\u{1f200}-\u{1f265}\u{20000}-\u{3fffd}]|\p{Emoji_Presentation}/u;
const ZERO = /[\p{Mn}\p{Me}\p{Cf}\u1160-\u11ff\u2028\u2029]/u;
/** Format characters that are drawn. */
const DRAWN = /[\u00ad\u0600-\u0605\u06dd\u070f\u0890\u0891\u08e2\u{110bd}\u{110cd}]/u;
const MARK = /\p{M}/u;
/** Reserved for emoji of a Unicode version to come. */
const FUTURE_EMOJI = /\p{Extended_Pictographic}/u;
const UNASSIGNED = /\p{Cn}/u;

const JOINER = 0x200d;
/** By code point: the width, plus EXTENDS where the character belongs to the one before it. */
const kinds = new Map<number, number>();
const EXTENDS = 4;

function kindOf(code: number): number {
  let kind = kinds.get(code);
  if (kind === undefined) {
    const width = measure(code);
    // Spacing vowel signs and skin tones have a width of their own and still must not be cut off.
    const extending = width === 0 || isSkinTone(code) ||
      (code >= 0x300 && MARK.test(String.fromCodePoint(code)));
    kind = width + (extending ? EXTENDS : 0);
    kinds.set(code, kind);
  }
  return kind;
}

function measure(code: number): number {
  if (code < 0x300) return code >= 0x20 && (code < 0x7f || code >= 0xa0) ? 1 : 0;
  const char = String.fromCodePoint(code);
  if (ZERO.test(char)) return DRAWN.test(char) ? 1 : 0;
  if (isRegional(code)) return 1;
  if (WIDE.test(char)) return 2;
  return UNASSIGNED.test(char) && FUTURE_EMOJI.test(char) ? 2 : 1;
}

function isRegional(code: number): boolean {
  return code >= 0x1f1e6 && code <= 0x1f1ff;
}

function isSkinTone(code: number): boolean {
  return code >= 0x1f3fb && code <= 0x1f3ff;
}

function sizeOf(code: number): number {
  return code > 0xffff ? 2 : 1;
}

/** Calls back for each piece that must not be cut: a character and what combines with it. */
function eachUnit(
  text: string,
  visit: (start: number, end: number, width: number) => boolean | void,
): void {
  let at = 0;
  while (at < text.length) {
    const base = text.codePointAt(at)!;
    let end = at + sizeOf(base);
    let width = kindOf(base) & 3;
    if (isRegional(base)) {
      const next = text.codePointAt(end);
      if (next !== undefined && isRegional(next)) {
        end += 2;
        width = 2;
      }
    }
    while (end < text.length) {
      const next = text.codePointAt(end)!;
      if (next < 0x300 && next >= 0x20) break;
      if (next === JOINER) {
        end += 1;
        const joined = text.codePointAt(end);
        if (joined === undefined) break;
        if (joined === JOINER) continue;
        end += sizeOf(joined);
        width = 2;
        continue;
      }
      const kind = kindOf(next);
      if (kind < EXTENDS) break;
      end += sizeOf(next);
      width += kind & 3;
    }
    if (visit(at, end, width) === false) return;
    at = end;
  }
}

const PLAIN = /^[\x20-\x7e]*$/;
/**
 * Texts whose length is their width: Latin, Greek and Cyrillic letters, punctuation, arrows, lines
 * and our own marks. Only speed depends on it.
 */
const NARROW =
  /^[\x20-\x7e\xa0-\u02ff\u03a3-\u0482\u048a-\u052f\u2010-\u2027\u2030-\u205e\u2190-\u22ff\u2500-\u25fc\u2713\u2717]*$/;

/** Cells that a text takes on one line of a terminal. Control characters count as nothing. */
export function displayWidth(text: string): number {
  if (NARROW.test(text)) return text.length;
  let total = 0;
  eachUnit(text, (_start, _end, width) => {
    total += width;
  });
  return total;
}

// A whole escape sequence goes, an unfinished one loses only its introducer: what follows is text
// that the reader should see. No body may hold a control character, which keeps this linear.
/** What a terminal obeys as a whole. */
export const SEQUENCE =
  // deno-lint-ignore no-control-regex
  /(?:\x1b\[|\x9b)[0-?]*[ -/]*[@-~]|(?:\x1b[\]PX^_]|[\x90\x98\x9d-\x9f])[^\x00-\x08\x0a-\x1f\x7f-\x9f]*(?:\x07|\x1b\\|\x9c)|\x1b[ -/]*[0-~]?/g;
// deno-lint-ignore no-control-regex
const CONTROL = /[\x00-\x08\x0e-\x1f\x7f-\x84\x86-\x9f]/g;
/**
 * What is not seen but changes what is seen: direction marks and overrides, zero-width spaces and
 * joiners, soft hyphens, annotations and tags. Variation selectors and the joiner of an emoji
 * sequence go too: terminals disagree about the width of what they make. The non-joiner stays, since
 * Persian is misspelt without it.
 */
const INVISIBLE = new RegExp(
  "[\\u00ad\\u061c\\u180b-\\u180f\\u200b\\u200d-\\u200f\\u202a-\\u202e\\u2060-\\u206f\\ufe00-\\ufe0f" +
    "\\ufeff\\ufff9-\\ufffb]|[\\u{e0000}-\\u{e0fff}]",
  "gu",
);
/** More marks on one letter than any language writes: they would spill over other lines. */
const MARK_PILE = /(\p{M}{8})\p{M}+/gu;

function strip(text: string): string {
  return text.replace(CONTROL, "").toWellFormed().replace(INVISIBLE, "").replace(MARK_PILE, "$1");
}

/**
 * One line that is safe to print: no escape sequence, control character, direction override or
 * other invisible trick; a run of line breaks or tabs is one space.
 */
export function sanitize(text: string): string {
  if (PLAIN.test(text)) return text;
  return strip(text.replace(SEQUENCE, "").replace(/[\t-\r\x85\u2028\u2029]\s*/g, " "));
}

/** As {@linkcode sanitize}, for many lines: line breaks are `\n`, tabs are four spaces. */
export function sanitizeBlock(text: string): string {
  if (PLAIN.test(text)) return text;
  // A lone carriage return would let later text paint over earlier text: it is a line break here.
  return strip(
    text.replace(SEQUENCE, "").replace(/\r\n|[\v\f\r\x85\u2028\u2029]/g, "\n").replaceAll(
      "\t",
      "    ",
    ),
  );
}

/**
 * A text in at most `width` cells, with a mark at the end where something was cut. Never cuts a
 * wide character, a combining sequence or a flag in half.
 */
export function truncate(text: string, width: number, mark = "…"): string {
  if (width <= 0) return "";
  if (NARROW.test(text)) {
    if (text.length <= width) return text;
    return width <= mark.length
      ? mark.slice(0, width)
      : text.slice(0, width - mark.length).trimEnd() + mark;
  }
  const room = width - displayWidth(mark);
  let total = 0;
  let cut = 0;
  eachUnit(text, (_start, end, unit) => {
    total += unit;
    if (total <= room) cut = end;
    return total <= width;
  });
  if (total <= width) return text;
  return room < 0 ? mark.slice(0, width) : text.slice(0, cut).trimEnd() + mark;
}

/**
 * One line of a text that may be megabytes long: only what can be visible is looked at.
 *
 * @param text anything a user or an agent wrote
 * @param width cells that may be filled
 */
export function firstLine(text: string, width: number): string {
  const enough = Math.min(text.length, Math.max(200, width) * 8);
  const line = sanitize(text.slice(0, enough)).trim();
  // Something must be left for truncate() to cut, or the cut would go unmarked.
  return enough < text.length ? line.padEnd(width) + "~" : line;
}

/** How much of a text stands in so many cells, UTF-16 units: at least one character of it. */
export function fit(text: string, width: number): number {
  if (NARROW.test(text)) return Math.min(text.length, Math.max(1, width));
  let total = 0;
  let cut = 0;
  eachUnit(text, (_start, end, unit) => {
    total += unit;
    if (total <= width || cut === 0) cut = end;
    return total <= width;
  });
  return cut;
}

/** Fills a text with spaces to `width` cells; a longer one stays as it is. */
export function pad(text: string, width: number, align: "left" | "right" = "left"): string {
  const missing = width - displayWidth(text);
  if (missing <= 0) return text;
  return align === "left" ? text + " ".repeat(missing) : " ".repeat(missing) + text;
}

/**
 * Lines of at most `width` cells, broken at spaces where possible. Line breaks and the indentation
 * of the text are kept.
 */
export function wrap(text: string, width: number): string[] {
  const limit = Math.max(2, width);
  const lines: string[] = [];
  for (const source of text.split("\n")) {
    if (displayWidth(source) <= limit) {
      lines.push(source.trimEnd());
      continue;
    }
    const indent = /^ */.exec(source)![0].slice(0, limit >> 1);
    let line = indent;
    let used = indent.length;
    for (const word of source.split(" ")) {
      if (word === "") continue;
      const size = displayWidth(word);
      // Not by its width: what is on it may have none, such as a mark without its letter.
      const space = line !== indent ? 1 : 0;
      if (used + space + size <= limit) {
        line += " ".repeat(space) + word;
        used += space + size;
        continue;
      }
      if (space === 1) lines.push(line);
      line = indent;
      used = indent.length;
      // A word that fits no line (a path, a URL, a language without spaces) is broken anywhere.
      eachUnit(word, (start, end, unit) => {
        if (used + unit > limit) {
          if (line !== indent) lines.push(line);
          // What is wider than the room beside the indent stands without it.
          line = indent.length + unit > limit ? "" : indent;
          used = line.length;
        }
        line += word.slice(start, end);
        used += unit;
      });
    }
    if (line !== indent) lines.push(line);
  }
  return lines;
}
