// Reads lines of the history that are exactly as we write them, byte by byte: these fields in this order,
// no escapes and nothing but ASCII in what is looked at. A history has a million lines, and to make texts
// and objects of them takes three times as long as all the rest. Whatever is not exactly that is left to
// the one gate, lib/task/event.ts. Pure.

import { EVENT_KINDS, type EventKind, type HistoryEvent } from "../task/event.ts";
import { FIRST, hash, joinHalves, type Line, mixA, mixB } from "./line.ts";

/** Reads lines of some bytes. */
export interface Scanner {
  /** Goes on with other bytes. */
  begin(bytes: Uint8Array): void;
  /** The line that begins there; undefined where it has another form, null where it is of no use. */
  scan(start: number): Line | null | undefined;
  /** After a line that was read or is of no use: where the next one begins. */
  next(): number;
}

const encoder = new TextEncoder();
const decoder = new TextDecoder();
const name = (text: string) => encoder.encode(text);

const KEY = name('{"key":"');
const TIME = name(',"time":"');
const EVENT = name(',"event":"');
const TASK = name(',"task":"');
const CLAIM = name(',"claim":');
const AGENT = name(',"agent":"');
const CHAIN = name(',"chain":"');
const ATTEMPT = name(',"attempt":');
const FOLLOWS = name(',"follows":"');
const TITLE = name(',"title":"');
const LABELS = name(',"labels":{');
const CLASS = name(',"class":"');
const ERROR = name(',"error":"');
const EXIT_CODE = name(',"exitCode":');
const WAITED = name(',"waited":');
const RAN = name(',"ran":');
const USAGE = name(',"usage":{');
const UNTIL = name(',"until":"');
const RETRY_AT = name(',"retryAt":"');
const TASK_KEY = name(',"taskKey":"');

const BREAK = 10;
const QUOTE = 34;
const COMMA = 44;
const DOT = 46;
const ZERO = 48;
const COLON = 58;
const BACKSLASH = 92;
const CLOSE = 125;

/** Each kind by its name as a number. */
const KINDS: ReadonlyMap<number, EventKind> = new Map(
  EVENT_KINDS.map((kind) => [hash(kind), kind]),
);
const INPUT = hash("inputTokens");
const OUTPUT = hash("outputTokens");
const CACHED = hash("cachedTokens");
const COST = hash("costUsd");
/** So many names of agents and classes are kept; more are made anew each time. */
const MOST_NAMES = 10_000;

/**
 * A scanner.
 *
 * @param kinds those that are of use
 * @param wantsLabels whether labels are of use
 */
export function createScanner(kinds: ReadonlySet<EventKind>, wantsLabels: boolean): Scanner {
  let bytes: Uint8Array = new Uint8Array(0);
  let at = 0;
  let isOurs = true;
  const names = new Map<number, string>();
  let day = 0;
  let dayStart = NaN;

  /** Whether there is such a field here; goes on to its value. */
  function has(field: Uint8Array): boolean {
    // They differ in the third byte, if they do.
    if (bytes[at + 2] !== field[2]) return false;
    for (let i = 0; i < field.length; i++) if (bytes[at + i] !== field[i]) return false;
    at += field.length;
    return true;
  }

  /** The rest of a text as a number; goes on behind its quote. */
  function hashed(): number {
    let { a, b }: { a: number; b: number } = FIRST;
    for (;;) {
      const unit = bytes[at++];
      if (unit === QUOTE) return joinHalves(a, b);
      if (unit === undefined || unit < 32 || unit > 126 || unit === BACKSLASH) {
        isOurs = false;
        return 0;
      }
      a = mixA(a, unit);
      b = mixB(b, unit);
    }
  }

  /** The rest of a text that is one of few. */
  function shared(): string | undefined {
    const start = at;
    const number = hashed();
    const known = names.get(number);
    if (known !== undefined || !isOurs) return known;
    const text = decoder.decode(bytes.subarray(start, at - 1));
    if (names.size < MOST_NAMES) names.set(number, text);
    return text;
  }

  /** Goes on behind the rest of a text. */
  function skipText(): void {
    for (;;) {
      const unit = bytes[at++];
      if (unit === QUOTE) return;
      // Whatever is escaped is no quote that ends it.
      if (unit === BACKSLASH) at++;
      if (unit === undefined || unit < 32) {
        isOurs = false;
        return;
      }
    }
  }

  /** Not below zero, without exponent, as long as it is exact. */
  function number(): number {
    const start = at;
    let value = 0;
    let scale = 0;
    for (;; at++) {
      const unit = bytes[at] ?? 0;
      const digit = unit - ZERO;
      if (digit >= 0 && digit <= 9) {
        value = value * 10 + digit;
        scale *= 10;
      } else if (unit === DOT && scale === 0 && at > start) scale = 1;
      else break;
    }
    if (at === start || at - start > 15 || bytes[at - 1] === DOT) isOurs = false;
    return scale > 1 ? value / scale : value;
  }

  /** A time of our form, milliseconds since the epoch. */
  function time(): number {
    let isTime = true;
    const two = (from: number) => {
      const tens = (bytes[from] ?? 0) - ZERO;
      const ones = (bytes[from + 1] ?? 0) - ZERO;
      isTime &&= tens >= 0 && tens <= 9 && ones >= 0 && ones <= 9;
      return tens * 10 + ones;
    };
    const start = at;
    at += 25;
    const its = ((two(start) * 100 + two(start + 2)) * 100 + two(start + 5)) * 100 + two(start + 8);
    const hours = two(start + 11);
    const minutes = two(start + 14);
    const seconds = two(start + 17);
    const last = (bytes[start + 22] ?? 0) - ZERO;
    const millis = two(start + 20) * 10 + last;
    // Whether it is written as we write it, and may be.
    isTime &&= last >= 0 && last <= 9 && hours < 24 && minutes < 60 && seconds < 60 &&
      bytes[start + 13] === COLON && bytes[start + 16] === COLON && bytes[start + 19] === DOT &&
      bytes[start + 23] === 90 && bytes[start + 24] === QUOTE;
    if (its !== day || bytes[start + 10] !== 84) {
      day = its;
      dayStart = Date.parse(`${decoder.decode(bytes.subarray(start, start + 11))}00:00:00.000Z`);
    }
    const found = dayStart + ((hours * 60 + minutes) * 60 + seconds) * 1000 + millis;
    if (!isTime || Number.isNaN(found)) isOurs = false;
    return found;
  }

  /** The rest of what an agent said it consumed: numbers and texts by their names. */
  function usage(): HistoryEvent["usage"] {
    const told: HistoryEvent["usage"] = {
      inputTokens: undefined,
      outputTokens: undefined,
      cachedTokens: undefined,
      costUsd: undefined,
    };
    if (bytes[at] === CLOSE) {
      at++;
      return told;
    }
    while (isOurs) {
      if (bytes[at++] !== QUOTE) break;
      const field = hashed();
      if (bytes[at++] !== COLON) break;
      if (bytes[at] === QUOTE) {
        at++;
        skipText();
        if (field === INPUT || field === OUTPUT || field === CACHED || field === COST) break;
      } else {
        const value = number();
        if (field === INPUT) told.inputTokens = value;
        else if (field === OUTPUT) told.outputTokens = value;
        else if (field === CACHED) told.cachedTokens = value;
        else if (field === COST) told.costUsd = value;
      }
      const end = bytes[at++];
      if (end === CLOSE) return told;
      if (end !== COMMA) break;
    }
    isOurs = false;
    return undefined;
  }

  /** The rest of the labels: none of their texts has a brace in it, or it is not ours. */
  function labels(): Line["labels"] {
    const start = at - 1;
    const end = bytes.indexOf(CLOSE, at) + 1;
    if (end === 0) isOurs = false;
    at = end;
    if (!wantsLabels || !isOurs) return undefined;
    try {
      return JSON.parse(decoder.decode(bytes.subarray(start, end)));
    } catch {
      isOurs = false;
      return undefined;
    }
  }

  function text(): string {
    const start = at;
    hashed();
    return decoder.decode(bytes.subarray(start, at - 1));
  }

  function scan(start: number): Line | null | undefined {
    at = start;
    isOurs = true;
    if (!has(KEY)) return undefined;
    skipText();
    if (!has(TIME)) return undefined;
    const when = time();
    if (!has(EVENT)) return undefined;
    const kind = KINDS.get(hashed());
    if (kind === undefined || !isOurs) return undefined;
    if (!kinds.has(kind)) {
      const end = bytes.indexOf(BREAK, at);
      at = end < 0 ? bytes.length : end;
      return null;
    }
    const line: Line = {
      kind,
      time: when,
      task: has(TASK) ? hashed() : 0,
      claim: has(CLAIM) ? number() : 0,
      agent: has(AGENT) ? shared() : undefined,
      follows: 0,
      labels: undefined,
      class: undefined,
      waited: undefined,
      ran: undefined,
      usage: undefined,
      until: undefined,
    };
    if (has(CHAIN)) hashed();
    if (has(ATTEMPT)) number();
    if (has(FOLLOWS)) line.follows = hashed();
    if (has(TITLE)) skipText();
    if (has(LABELS)) line.labels = labels();
    if (has(CLASS)) line.class = shared();
    if (has(ERROR)) skipText();
    if (has(EXIT_CODE)) number();
    if (has(WAITED)) line.waited = number();
    if (has(RAN)) line.ran = number();
    if (has(USAGE)) line.usage = usage();
    if (has(UNTIL)) line.until = text();
    if (has(RETRY_AT)) skipText();
    if (has(TASK_KEY)) skipText();
    if (!isOurs || bytes[at] !== CLOSE) return undefined;
    at++;
    return at === bytes.length || bytes[at] === BREAK ? line : undefined;
  }

  return {
    begin(given) {
      bytes = given;
    },
    scan,
    next: () => at + 1,
  };
}
