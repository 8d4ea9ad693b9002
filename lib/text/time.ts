// Points in time and spans as people read them: relative where the distance matters, local clock
// time where the moment does. The clock is an argument; the local time zone is the process's.

import { formatDuration } from "../task/duration.ts";
import type { Millis } from "../task/fields.ts";

/** A duration without parts that are zero: `5m` where {@linkcode formatDuration} has `5m00s`. */
export function formatLimit(seconds: number): string {
  return formatDuration(seconds).replace(/([dhm])00[hms]$/, "$1");
}

/** How long something took: tenths below ten seconds, else as {@linkcode formatDuration}. */
export function formatElapsed(seconds: number): string {
  if (seconds < 1 || seconds >= 10) return formatDuration(seconds);
  return `${(Math.floor(seconds * 10) / 10).toFixed(1)}s`;
}

/** A span in its one largest unit: `12s`, `3m`, `2h`, `5d`. */
export function formatSpan(seconds: number): string {
  const whole = Math.max(0, Math.floor(seconds));
  if (whole < 60) return `${whole}s`;
  if (whole < 3600) return `${Math.floor(whole / 60)}m`;
  return whole < 86400 ? `${Math.floor(whole / 3600)}h` : `${Math.floor(whole / 86400)}d`;
}

/**
 * How long ago, or how long until: `just now`, `12s ago`, `3m ago`, `in 8s`.
 *
 * @param millis the moment; `-` for null
 * @param now milliseconds since the epoch
 */
export function formatAgo(millis: Millis, now: number): string {
  if (millis === null) return "-";
  const seconds = (now - millis) / 1000;
  if (seconds >= 0 && seconds < 1) return "just now";
  // Rounded up, so that what is due in 7.9 s is not announced for 7 s.
  return seconds > 0 ? `${formatSpan(seconds)} ago` : `in ${formatSpan(Math.ceil(-seconds))}`;
}

/**
 * As {@linkcode formatAgo}, for what has already happened: a moment up to a minute ahead comes
 * from another machine's clock and is `just now`.
 */
export function formatPast(millis: Millis, now: number): string {
  return formatAgo(millis !== null && millis > now && millis - now < 60_000 ? now : millis, now);
}

const two = (value: number) => String(value).padStart(2, "0");

/** Local time of day, `12:03:04`. */
export function formatClock(millis: number): string {
  const date = new Date(millis);
  return `${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}`;
}

/** Local date and time, `2026-01-31 12:03:04`. */
export function formatStamp(millis: number): string {
  const date = new Date(millis);
  return `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())} ` +
    formatClock(millis);
}

/** A moment as local time, without the date where that is today. */
export function formatMoment(millis: number, now: number): string {
  const stamp = formatStamp(millis);
  const date = stamp.slice(0, 11);
  return formatStamp(now).startsWith(date) ? stamp.slice(date.length) : stamp;
}
