// What an agent's output says of a quota that is used up, and until when; or that there is no money left,
// for which nobody waits. Pure.

import type { RateLimit, UsageFormat } from "../task/agent.ts";
import { parseDuration } from "../task/duration.ts";
import { type ErrorLine, errorLines } from "./events.ts";

/** What a provider has refused. */
export interface Refusal {
  /**
   * Milliseconds since the epoch when the agent may be tried again; null where that is of no use until
   * somebody has paid.
   */
  until: number | null;
  /** The line that says so. */
  line: string;
}

/** How providers say that there is no money left, whatever program passes their words on. */
const UNPAID =
  "insufficient_quota|(?:credit )?balance is too low|insufficient (?:credits|balance|funds)" +
  "|out of credits|payment required|billing_(?:hard_limit_reached|not_active)" +
  "|check your plan(?: and billing)?";

/** No pause is longer than this, whatever the output says, milliseconds: eight days. */
const LONGEST = 8 * 86_400_000;
const LONGEST_LINE = 300;

const UNITS: Readonly<Record<string, number>> = {
  ms: 1,
  s: 1000,
  sec: 1000,
  second: 1000,
  m: 60_000,
  min: 60_000,
  minute: 60_000,
  h: 3_600_000,
  hr: 3_600_000,
  hour: 3_600_000,
  d: 86_400_000,
  day: 86_400_000,
};

/**
 * Looks for a provider's refusal in the end of a log. Where the events of its agent are known, only in
 * those that tell an error: what the model, a tool or the prompt says of quotas is none.
 *
 * @param output what the agent printed last, whole lines
 * @param rules patterns of its definition; matched without regard to case, line by line
 * @param now milliseconds since the epoch
 * @param format whose events it prints
 */
export function findRefusal(
  output: string,
  rules: RateLimit,
  now: number,
  format?: UsageFormat,
): Refusal | null {
  const all: readonly ErrorLine[] = format === undefined
    ? output.split("\n").map((text) => ({ text }))
    : errorLines(format, output);
  // An event says it better than what the program wrote on the way there.
  const told = all.filter(({ message }) => message !== undefined);
  const lines = [...told, ...all.filter(({ message }) => message === undefined)];
  const found = rules.patterns.values().map((pattern) => findIn(lines, pattern)).find((hit) => hit);
  const reset = found === undefined || rules.resetPattern === undefined
    ? undefined
    : findIn(lines, rules.resetPattern)?.match[1];
  const until = reset === undefined ? null : parseReset(reset.slice(0, LONGEST_TIME), now);
  // Who tells when to come back wants no money.
  const unpaid = until === null ? findIn(lines, UNPAID) : undefined;
  if (unpaid !== undefined) return { until: null, line: shown(unpaid) };
  if (found === undefined) return null;
  return {
    until: Math.min(until ?? now + rules.cooldown * 1000, now + LONGEST),
    line: shown(found),
  };
}

/** A line as it is shown: what an event says in it; of other long ones only what was looked for. */
function shown({ line, match }: Hit): string {
  const text = (line.message ?? line.text).trim();
  if (line.message !== undefined) return text.split("\n", 1)[0]!.slice(0, LONGEST_LINE);
  return text.length > LONGEST_LINE ? match[0].slice(0, LONGEST_LINE) : text;
}

/**
 * Matches are looked for in so much at a time, and so much of it again with the next, characters: what a
 * pattern may cost with the square of a text's length, it costs with that of this.
 */
const WINDOW = 16_000;
const OVERLAP = 4000;
/** No time takes more characters to be told. */
const LONGEST_TIME = 200;

/** A match, and the line that it is in. */
interface Hit {
  readonly line: ErrorLine;
  readonly match: RegExpExecArray;
}

/** The first match of a pattern. */
function findIn(lines: readonly ErrorLine[], pattern: string): Hit | undefined {
  const regExp = new RegExp(pattern, "i");
  for (const line of lines) {
    const { text } = line;
    for (let at = 0; at === 0 || at + OVERLAP < text.length; at += WINDOW - OVERLAP) {
      const match = regExp.exec(text.slice(at, at + WINDOW));
      if (match !== null) return { line, match };
    }
  }
  return undefined;
}

/**
 * The time in what a provider prints: seconds to wait (`20`, `20s`, `3 minutes`), seconds or
 * milliseconds since the epoch (10 or 13 digits), a clock time (`3pm`, `15:30`), or a date.
 *
 * @returns milliseconds since the epoch, always in the future; null where it says no time
 */
export function parseReset(text: string, now: number): number | null {
  const trimmed = text.trim().replace(/[.,;]+$/, "");
  const number = /^\d+(?:\.\d+)?$/.test(trimmed) ? Number(trimmed) : null;
  if (number !== null) {
    const at = number >= 1e12 ? number : number >= 1e9 ? number * 1000 : now + number * 1000;
    return at > now ? at : null;
  }
  const seconds = parseDuration(trimmed.replaceAll(" ", ""));
  if (seconds !== undefined) return now + seconds * 1000;
  const units = [...trimmed.matchAll(/(\d+(?:\.\d+)?)\s*([a-z]+?)s?\b/gi)];
  const spelled = units.every(([, , unit]) => UNITS[unit!.toLowerCase()] !== undefined);
  if (units.length > 0 && spelled) {
    let total = 0;
    for (const [, count, unit] of units) total += Number(count) * UNITS[unit!.toLowerCase()]!;
    return total > 0 ? now + total : null;
  }
  const clock = /^(\d{1,2})(?::(\d{2}))?\s*(am|pm)?\b(?:\s*\(?(UTC|GMT)\)?)?/i.exec(trimmed);
  if (clock !== null && (clock[2] !== undefined || clock[3] !== undefined)) {
    return nextClock(clock, now);
  }
  const date = Date.parse(trimmed.replace(/(\d)(?:st|nd|rd|th)\b/gi, "$1"));
  return Number.isNaN(date) || date <= now ? null : date;
}

function nextClock(clock: RegExpExecArray, now: number): number | null {
  let hour = Number(clock[1]);
  const half = clock[3]?.toLowerCase();
  if (half === "pm" && hour < 12) hour += 12;
  if (half === "am" && hour === 12) hour = 0;
  const minute = Number(clock[2] ?? 0);
  if (hour > 23 || minute > 59) return null;
  const at = new Date(now);
  if (clock[4] === undefined) at.setHours(hour, minute, 0, 0);
  else at.setUTCHours(hour, minute, 0, 0);
  return at.getTime() > now ? at.getTime() : at.getTime() + 86_400_000;
}
