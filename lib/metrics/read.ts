// Reads the whole history for those who count. Reads only; what a killed process left half written is
// not read. Lines as we write them are read field by field, for a history has a million of them; whatever
// is not exactly that goes through the one gate, lib/task/event.ts.

import { EVENT_KINDS, type EventKind, type HistoryEvent, parseEvent } from "../task/event.ts";
import { readHistory } from "../store/history_read.ts";

const decoder = new TextDecoder();
/** Each kind by its name: a name that was cut out of a line is slow to look up under, again and again. */
const KINDS: ReadonlyMap<string, EventKind> = new Map(EVENT_KINDS.map((kind) => [kind, kind]));
const BREAK = 10;
/** So much of the history is made text at once, unless a line is longer, bytes. */
const MOST_TEXT = 64 * 1024;
/** The first line of a file. */
const HEADER = '{"history":';

/** What is read of the history. */
export interface ReadOptions {
  /** Parts that were complete before it are left out, milliseconds since the epoch. */
  since?: number;
  /** What is of use; all where absent. Of the rest nothing is looked at. */
  kinds?: ReadonlySet<EventKind>;
  /** Whether labels are of use; they are left out where they are not. */
  labels?: boolean;
}

/**
 * Hands on the events of the history, oldest first, without titles, errors and what else nobody counts.
 *
 * @param dir `.orchestra/`
 * @param add told of each
 * @returns how many lines could not be read
 */
export async function eachEvent(
  dir: string,
  add: (event: HistoryEvent) => void,
  { since, kinds = new Set(EVENT_KINDS), labels = false }: ReadOptions = {},
): Promise<number> {
  let unread = 0;
  const scanner = createScanner(kinds, labels);
  const readText = (text: string) => {
    scanner.begin(text);
    for (let at = 0; at < text.length;) {
      const found = text.indexOf("\n", at);
      const end = found < 0 ? text.length : found;
      let event = scanner.scan(at, end);
      if (event === undefined) {
        const line = text.slice(at, end);
        event = parseEvent(line) ?? null;
        if (event === null && line.trim() !== "" && !line.startsWith(HEADER)) unread++;
      }
      if (event !== null && kinds.has(event.event)) add(event);
      at = end + 1;
    }
  };
  for await (const { bytes } of readHistory(dir, { since })) {
    for (let start = 0; start < bytes.length;) {
      // Short texts are gone as soon as they are read.
      const end = bytes.lastIndexOf(BREAK, start + MOST_TEXT) + 1;
      const stop = end > start ? end : bytes.indexOf(BREAK, start + MOST_TEXT) + 1 || bytes.length;
      readText(decoder.decode(bytes.subarray(start, stop)));
      start = stop;
    }
  }
  return unread;
}

const BACKSLASH = 92;
const DOT = 46;
const ZERO = 48;

interface Scanner {
  /** Goes on with another text. */
  begin(text: string): void;
  /** The line from one place to another; undefined where it has another form, null where it is of no use. */
  scan(start: number, end: number): HistoryEvent | null | undefined;
}

/**
 * Reads lines of a text that are exactly as `taskEvent` makes them: these fields in this order, no
 * escapes, in `labels` and `usage` no further objects.
 */
function createScanner(kinds: ReadonlySet<EventKind>, wantsLabels: boolean): Scanner {
  let text = "";
  let at = 0;
  let isOurs = true;
  /** Where the next backslash is, as far as it was looked for. */
  let escape = -1;

  /** Whether there is such a field here; goes on to its value. */
  function has(name: string): boolean {
    // Most fields that are not there differ in the first letter, which costs next to nothing to see.
    if (text.charCodeAt(at + 2) !== name.charCodeAt(2)) return false;
    if (!text.startsWith(name, at)) return false;
    at += name.length;
    return true;
  }

  /** One without escapes. */
  function string(name: string): string | undefined {
    if (!has(name)) return undefined;
    const start = at;
    at = text.indexOf('"', at) + 1;
    if (escape < start) {
      const next = text.indexOf("\\", start);
      escape = next < 0 ? Infinity : next;
    }
    if (escape < at) isOurs = false;
    return text.slice(start, at - 1);
  }

  function skipString(name: string): void {
    if (!has(name)) return;
    for (;;) {
      const end = text.indexOf('"', at);
      at = end + 1;
      let before = end - 1;
      while (text.charCodeAt(before) === BACKSLASH) before--;
      // Behind an odd number of them the quote is one of the text.
      if ((end - before) % 2 === 1 || end < 0) return;
    }
  }

  function digits(): number {
    let value = 0;
    for (;; at++) {
      const digit = text.charCodeAt(at) - ZERO;
      if (!(digit >= 0 && digit <= 9)) return value;
      value = value * 10 + digit;
    }
  }

  /** Not below zero, without exponent, as long as it is exact. */
  function number(name: string): number | undefined {
    if (!has(name)) return undefined;
    const start = at;
    const whole = digits();
    if (at === start) isOurs = false;
    if (text.charCodeAt(at) !== DOT) {
      if (at - start > 15) isOurs = false;
      return whole;
    }
    const point = at++;
    digits();
    // Tasks are told of to the millisecond.
    if (at - start > 15 || at === point + 1) isOurs = false;
    return Number(text.slice(start, at));
  }

  /** An object without further ones in it. */
  function object(name: string, isWanted: boolean): Record<string, string> | undefined {
    if (!has(name)) return undefined;
    const start = at - 1;
    const end = text.indexOf("}", at) + 1;
    at = end;
    if (!isWanted || end === 0) return undefined;
    try {
      return JSON.parse(text.slice(start, end));
    } catch {
      isOurs = false;
      return undefined;
    }
  }

  function scan(start: number, end: number): HistoryEvent | null | undefined {
    at = start;
    isOurs = true;
    const key = string('{"key":"');
    const time = string(',"time":"');
    const event = KINDS.get(string(',"event":"') ?? "");
    if (key === undefined || time?.length !== 24 || event === undefined) return undefined;
    if (!kinds.has(event)) return null;
    const task = string(',"task":"');
    const claim = number(',"claim":');
    const agent = string(',"agent":"');
    const chain = string(',"chain":"');
    const attempt = number(',"attempt":');
    const follows = string(',"follows":"');
    if (event === "queued" && !wantsLabels) {
      if (!isOurs || text.charCodeAt(end - 1) !== 125) return undefined;
      return {
        key,
        time,
        event,
        task,
        claim,
        agent,
        chain,
        attempt,
        follows,
        labels: undefined,
        class: undefined,
        waited: undefined,
        ran: undefined,
        usage: undefined,
        until: undefined,
      };
    }
    skipString(',"title":"');
    const labels = object(',"labels":{', wantsLabels);
    const why = string(',"class":"');
    skipString(',"error":"');
    number(',"exitCode":');
    const waited = number(',"waited":');
    const ran = number(',"ran":');
    const usage = object(',"usage":{', true);
    const until = string(',"until":"');
    if (!isOurs || at !== end - 1 || text.charCodeAt(at) !== 125) return undefined;
    return {
      key,
      time,
      event,
      task,
      claim,
      agent,
      chain,
      attempt,
      follows,
      labels,
      class: why as HistoryEvent["class"],
      waited,
      ran,
      usage,
      until,
    };
  }

  return {
    begin(next) {
      text = next;
      escape = -1;
    },
    scan,
  };
}
