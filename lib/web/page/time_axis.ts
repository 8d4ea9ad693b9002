// An axis of time, and what stands on it: ticks at times that a clock shows, ranges that are zoomed and
// moved, and runs as they are drawn, those too short to be told apart as one. Times are milliseconds since
// the epoch; the local time zone is the process's. Pure.

import { formatClock, formatStamp } from "../../text/time.ts";
import type { WireTimeline } from "../wire.ts";

/** From one time to another. */
export interface Range {
  readonly from: number;
  readonly to: number;
}

export interface Tick {
  readonly time: number;
  readonly label: string;
  /** Whether a day begins with it. */
  readonly day: boolean;
}

const SECOND = 1000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;
const STEPS = [
  ...[1, 2, 5, 10, 15, 30].map((count) => count * SECOND),
  ...[1, 2, 5, 10, 15, 30].map((count) => count * MINUTE),
  ...[1, 2, 3, 6, 12].map((count) => count * HOUR),
  ...[1, 2, 7, 14, 28, 91, 364].map((count) => count * DAY),
];
/** Pixels that a label needs. */
const LABEL = 74;
/** No range is shorter or longer. */
const SHORTEST = 5 * SECOND;
const LONGEST = 400 * DAY;

/**
 * Ticks of an axis.
 *
 * @param width pixels
 */
export function ticksOf({ from, to }: Range, width: number): Tick[] {
  const room = (to - from) * LABEL / Math.max(1, width);
  const step = STEPS.find((step) => step >= room) ?? Math.ceil(room / DAY) * DAY;
  const ticks: Tick[] = [];
  for (let time = firstTick(from, step); time <= to; time = nextTick(time, step)) {
    const date = new Date(time);
    const isMidnight = date.getHours() === 0 && date.getMinutes() === 0 && date.getSeconds() === 0;
    const day = step >= DAY || isMidnight;
    const label = day
      ? formatStamp(time).slice(5, 10)
      : formatClock(time).slice(0, step < MINUTE ? 8 : 5);
    // Where summer time begins, two may be an hour nearer to each other than they say.
    if (time < from || time - (ticks.at(-1)?.time ?? -Infinity) < 0.7 * room) continue;
    ticks.push({ time, label, day });
  }
  return ticks;
}

function firstTick(from: number, step: number): number {
  const date = new Date(from);
  if (step < HOUR) return Math.floor(from / step) * step;
  date.setHours(0, 0, 0, 0);
  // Steps of several days are counted from a fixed one, so that they stay where they are.
  if (step > DAY) date.setDate(date.getDate() - dayNumber(date) % (step / DAY));
  return date.getTime();
}

/** The next one by the clock, over a change to summer time too. */
function nextTick(time: number, step: number): number {
  if (step < HOUR) return time + step;
  const date = new Date(time);
  if (step >= DAY) {
    date.setDate(date.getDate() + step / DAY);
    date.setHours(0, 0, 0, 0);
  } else date.setHours(Math.floor(date.getHours() / (step / HOUR)) * (step / HOUR) + step / HOUR);
  const next = date.getTime();
  return next > time ? next : time + step;
}

function dayNumber(date: Date): number {
  return Math.floor(Date.UTC(date.getFullYear(), date.getMonth(), date.getDate()) / DAY);
}

/** Longer or shorter by a factor; a time in it stays where it is. */
export function zoomRange({ from, to }: Range, factor: number, at: number): Range {
  const length = Math.min(LONGEST, Math.max(SHORTEST, (to - from) * factor));
  const share = (at - from) / (to - from);
  return { from: at - share * length, to: at + (1 - share) * length };
}

/** Moved by a part of its length. */
export function moveRange({ from, to }: Range, part: number): Range {
  const by = (to - from) * part;
  return { from: from + by, to: to + by };
}

/** A range that is fitted is no shorter. */
const SHORTEST_FIT = MINUTE;
/** Room beside what is fitted, as a part of it. */
const BESIDE = 0.03;

/** The range in which all of some runs are seen; null where there are none. */
export function fitRange(runs: readonly Run[], now: number): Range | null {
  if (runs.length === 0) return null;
  const first = runs.reduce((least, { started }) => Math.min(least, started), Infinity);
  const last = runs.reduce((most, { ended }) => Math.max(most, ended ?? now), first);
  const length = Math.max(SHORTEST_FIT, last - first);
  return { from: last - length * (1 + BESIDE), to: last + length * BESIDE };
}

export type Run = WireTimeline["runs"][number];

/** A run, or several that are too short to be told apart. */
export interface Bar extends Range {
  readonly slot: number;
  readonly runs: readonly Run[];
}

/**
 * What is to be drawn of some runs.
 *
 * @param least what is shorter is drawn so long, and with what follows as close as one
 * @param now where those end that run
 */
export function barsOf(runs: readonly Run[], range: Range, least: number, now: number): Bar[] {
  const slots = new Map<number, { from: number; to: number; slot: number; runs: Run[] }[]>();
  for (const run of [...runs].sort((a, b) => a.started - b.started)) {
    const end = Math.max(run.ended ?? now, run.started);
    if (end < range.from || run.started > range.to) continue;
    const to = Math.max(end, run.started + least);
    const bars = slots.get(run.slot) ?? [];
    slots.set(run.slot, bars);
    const last = bars.at(-1);
    const isShort = end - run.started < least;
    if (last !== undefined && isShort && run.started < last.to && last.to - last.from < 3 * least) {
      last.runs.push(run);
      last.to = Math.max(last.to, end);
    } else bars.push({ from: run.started, to, slot: run.slot, runs: [run] });
  }
  return [...slots.values()].flat();
}
