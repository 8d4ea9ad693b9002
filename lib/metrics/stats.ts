// Counts what the history tells: how much was done, how well, how fast, and for how much. Pure: events
// in, numbers out. What a hostile or damaged history says changes numbers, never the memory it takes.

import { believedTime } from "../decide/waits.ts";
import type { EventKind, HistoryEvent } from "../task/event.ts";
import type { NamedGroup, Stats, StatsBy, StatsGroup } from "../task/stats.ts";
import type { Line } from "./line.ts";
import { type Consumed, createLedger, setConsumed, type Told } from "./ledger.ts";
import { boundSeconds, createSpread, type SpreadCounter } from "./spread.ts";

/** The events that statistics come from; others need not be read. */
export const COUNTED: ReadonlySet<EventKind> = new Set<EventKind>([
  "queued",
  "retried",
  "complete",
  "failed",
  "cancelled",
  "reaped",
  "lane-paused",
  "lane-resumed",
]);

/** A further group would be one of these, which stands for all that come later. */
const MOST_GROUPS = 5000;
const OTHERS = "(others)";
/** So many hours have a count of their own: some five years. */
const MOST_HOURS = 50_000;
/** Pauses of one agent that are told apart. */
const MOST_PAUSES = 50_000;
const HOUR = 3_600_000;
const DAY = 24 * HOUR;
/** Longest span that is shown by the hour, milliseconds. */
const BY_HOUR = 8 * DAY;
/** No series has more steps. */
const MOST_STEPS = 400;

/** What is counted, and how. */
export interface StatsOptions {
  /** Only what happened since then, milliseconds since the epoch; all where absent. */
  since?: number;
  /** Milliseconds since the epoch. */
  now: number;
  by?: StatsBy;
  /** How many tasks may run at once. */
  slots: number;
  /** Since when each slot that is held now is held, milliseconds since the epoch. */
  held?: readonly number[];
}

/** Counts events. */
export interface StatsCounter {
  /** Takes the next event of the history. */
  add(event: HistoryEvent): void;
  /** The same, as it was read. */
  addLine(line: Line): void;
  /**
   * What was counted so far.
   *
   * @param unread lines that were no events
   */
  result(unread?: number): Stats;
}

type Counts = StatsGroup & { wait: SpreadCounter; run: SpreadCounter };
/** Where something is counted: in the whole, and in a group of it. */
type Note = readonly Counts[];
/** Times from and to, milliseconds since the epoch. */
type Pause = [from: number, to: number];

/** A counter. */
export function createStats(options: StatsOptions): StatsCounter {
  const { since = -Infinity, now, by, slots, held = [] } = options;
  const total = newCounts();
  const whole: Note = [total];
  const groups = new Map<string | null, Note>();
  const keyOf = groupKey(by);
  const hours = new Map<number, { complete: number; failed: number }>();
  const pauses = new Map<string, Pause[]>();
  let first: number | undefined;
  const ledger = createLedger<Note>(tell);

  function groupsOf(told: Told<Note>): Note {
    const key = keyOf(told);
    if (key === undefined) return whole;
    const known = groups.get(key);
    if (known !== undefined) return known;
    const name = groups.size < MOST_GROUPS ? key : OTHERS;
    const found = groups.get(name) ?? [total, newCounts()];
    groups.set(name, found);
    return found;
  }

  function tell(told: Told<Note>): void {
    const { line, task } = told;
    if (line.kind === "lane-paused" || line.kind === "lane-resumed") return pause(line);
    const isCounted = line.time >= since;
    if (isCounted) first ??= line.time;
    switch (line.kind) {
      case "queued":
        if (isCounted) { for (const group of groupsOf(told)) group.queued++; }
        return;
      case "retried":
        return follow(told, isCounted);
      case "complete":
      case "failed":
      case "cancelled":
        if (isCounted) end(told, line.kind);
        return;
      case "reaped":
        // What it said when it settled is replaced.
        if (line.usage === undefined || task?.note === undefined) return;
        for (const group of task.note) {
          addUsage(group, task.usage, -1);
          if (!task.usage.isPriced && line.usage.costUsd !== undefined) group.usage.unpriced--;
        }
        setConsumed(task.usage, line.usage);
        for (const group of task.note) addUsage(group, task.usage, 1);
    }
  }

  function end(told: Told<Note>, kind: "complete" | "failed" | "cancelled"): void {
    const { line, task } = told;
    const { time } = line;
    if (task === undefined) return;
    const within = groupsOf(told);
    const ran = line.ran === undefined ? undefined : boundSeconds(line.ran);
    const busy = ran === undefined ? 0 : overlap(time - ran * 1000, time, since, now) / 1000;
    // A launch that failed is none.
    const isRun = ran !== undefined && line.class !== "spawn";
    setConsumed(task.usage, line.usage);
    task.note = within;
    for (const group of within) {
      group.attempts.settled++;
      group.attempts[kind]++;
      group.chains[kind]++;
      if (kind === "failed") count(group.failures, line.class ?? "unknown");
      if (line.waited !== undefined) group.wait.add(line.waited);
      if (ran !== undefined) group.run.add(ran);
      group.busySeconds += busy;
      if (isRun) group.usage.runs++;
      if (isRun && !task.usage.isPriced) group.usage.unpriced++;
      addUsage(group, task.usage, 1);
    }
    const hour = Math.floor(time / HOUR);
    let counts = hours.get(hour);
    if (counts === undefined) {
      if (hours.size >= MOST_HOURS) return;
      hours.set(hour, counts = { complete: 0, failed: 0 });
    }
    if (kind !== "cancelled") counts[kind]++;
  }

  function follow(told: Told<Note>, isCounted: boolean): void {
    const { follows } = told;
    // Its chain goes on: what was counted as its end was none.
    if (follows?.note !== undefined) {
      for (const group of follows.note) group.chains[isFailed(follows) ? "failed" : "cancelled"]--;
      follows.note = undefined;
    }
    if (!isCounted) return;
    const why = follows === undefined ? "unknown" : follows.class ?? "cancelled";
    for (const group of groupsOf(told)) count(group.retries, why);
  }

  function pause({ kind, time, agent, until }: Line): void {
    if (agent === undefined) return;
    const known = pauses.get(agent);
    const last = known?.at(-1);
    if (kind === "lane-resumed") {
      if (last !== undefined && last[1] > time) last[1] = Math.max(last[0], time);
      return;
    }
    const to = believedTime(until === undefined ? null : Date.parse(until), time);
    if (!(to > time)) return;
    if (known === undefined) {
      if (pauses.size < MOST_GROUPS) pauses.set(agent, [[time, to]]);
    } else if (last !== undefined && last[0] <= time && time <= last[1]) {
      last[1] = Math.max(last[1], to);
    } else if (known.length < MOST_PAUSES) known.push([time, to]);
  }

  /** Seconds of a span in which agents were paused, those of several at once counted for each. */
  function limitedIn(span: Pause, agents: Iterable<string> = pauses.keys()): number {
    let sum = 0;
    for (const agent of agents) {
      for (const one of pauses.get(agent) ?? []) sum += overlap(...one, ...span) / 1000;
    }
    return sum;
  }

  return {
    add: ledger.add,
    addLine: ledger.addLine,
    result(unread = 0) {
      const from = Math.min(options.since ?? first ?? now, now);
      const span: Pause = [from, now];
      for (const [agent, known] of pauses) pauses.set(agent, joined(known));
      for (const start of held) total.busySeconds += overlap(start, now, ...span) / 1000;
      const seconds = (now - from) / 1000;
      const limited: Record<string, number> = {};
      for (const agent of pauses.keys()) {
        const its = limitedIn(span, [agent]);
        if (its > 0) limited[agent] = its;
      }
      const limitedOf = (name: string | null): number | null => {
        if (by === "agent") return limitedIn(span, name === null ? [] : [name]);
        const step = by === "day" || by === "hour" ? bucketOf(by, Date.parse(name!)) : undefined;
        return step === undefined ? null : limitedIn([
          Math.max(from, step[0]),
          Math.min(now, step[1]),
        ]);
      };
      const { settled } = total.attempts;
      const rate = (unit: number) => seconds > 0 ? settled / seconds * unit / 1000 : null;
      return {
        from: isoTime(from),
        to: isoTime(now),
        seconds,
        total: finish(total, limitedIn(span)),
        groups: [...groups].map(([name, [, counts]]): NamedGroup => ({
          name,
          ...finish(counts!, limitedOf(name)),
        })).sort(order(by)),
        limited,
        slots: {
          there: slots,
          used: seconds > 0 && slots > 0 ? total.busySeconds / (slots * seconds) : null,
        },
        throughput: { perHour: rate(HOUR), perDay: rate(DAY), ...series(hours, from, now) },
        unread,
      };
    },
  };
}

function newCounts(): Counts {
  return {
    queued: 0,
    attempts: { settled: 0, complete: 0, failed: 0, cancelled: 0, successRate: 0, perSuccess: 0 },
    chains: { settled: 0, complete: 0, failed: 0, cancelled: 0, successRate: 0 },
    waiting: null,
    running: null,
    // What a file says becomes a name here: nothing is inherited.
    failures: Object.create(null),
    retries: Object.create(null),
    limitedSeconds: null,
    usage: { inputTokens: 0, outputTokens: 0, cachedTokens: 0, costUsd: 0, runs: 0, unpriced: 0 },
    busySeconds: 0,
    wait: createSpread(),
    run: createSpread(),
  };
}

function finish({ wait, run, ...counts }: Counts, limitedSeconds: number | null): StatsGroup {
  const { attempts, chains, usage } = counts;
  const share = (part: number, whole: number) => whole === 0 ? null : part / whole;
  const ended = attempts.complete + attempts.failed;
  return {
    ...counts,
    attempts: {
      ...attempts,
      successRate: share(attempts.complete, ended),
      perSuccess: share(ended, attempts.complete),
    },
    chains: {
      ...chains,
      settled: chains.complete + chains.failed + chains.cancelled,
      successRate: share(chains.complete, chains.complete + chains.failed),
    },
    waiting: wait.result(),
    running: run.result(),
    limitedSeconds,
    // Millionths of a cent are of adding up.
    usage: { ...usage, costUsd: Math.round(usage.costUsd * 1e8) / 1e8 },
  };
}

function isFailed({ class: kind }: { class: string | undefined }): boolean {
  return kind !== undefined;
}

/** Counts a name; of a hostile file's endless names no more than of classes that there may be. */
function count(counts: Record<string, number>, name: string): void {
  if (!(name in counts) && Object.keys(counts).length >= 64) name = "other";
  counts[name] = (counts[name] ?? 0) + 1;
}

/** Adds what an agent said it consumed, or takes it back. */
function addUsage({ usage }: Counts, told: Consumed, sign: 1 | -1): void {
  usage.inputTokens += sign * told.input;
  usage.outputTokens += sign * told.output;
  usage.cachedTokens += sign * told.cached;
  usage.costUsd += sign * told.cost;
}

/** What two spans have in common. */
function overlap(from: number, to: number, start: number, end: number): number {
  return Math.max(0, Math.min(to, end) - Math.max(from, start));
}

/** The same times without what is said twice, in order. */
function joined(pauses: readonly Pause[]): Pause[] {
  const result: Pause[] = [];
  for (const pause of pauses.toSorted(([a], [b]) => a - b)) {
    const last = result.at(-1);
    if (last !== undefined && pause[0] <= last[1]) last[1] = Math.max(last[1], pause[1]);
    else result.push([...pause]);
  }
  return result;
}

/** Furthest time that can be told, either way, milliseconds. */
const FURTHEST = 8.64e15;

function isoTime(millis: number): string {
  return new Date(Math.max(-FURTHEST, Math.min(FURTHEST, millis))).toISOString();
}

/** Local day or hour of a time: its start and its end, milliseconds since the epoch. */
function bucketOf(by: "day" | "hour", millis: number): Pause {
  const start = new Date(millis);
  if (by === "hour") start.setMinutes(0, 0, 0);
  else start.setHours(0, 0, 0, 0);
  const end = new Date(start);
  if (by === "hour") end.setTime(start.getTime() + HOUR);
  else end.setDate(start.getDate() + 1);
  return [start.getTime(), end.getTime()];
}

/** What a thing is counted under, undefined for nothing but the whole. */
function groupKey(by: StatsBy | undefined): (told: Told<Note>) => string | null | undefined {
  if (by === undefined) return () => undefined;
  if (by === "agent") return ({ line }) => line.agent ?? null;
  if (by === "class") {
    return ({ line, follows }) =>
      line.kind === "failed"
        ? line.class ?? "unknown"
        : line.kind === "retried"
        ? follows?.class
        : line.kind === "queued"
        ? undefined
        : line.kind;
  }
  if (typeof by === "object") {
    return ({ line: { labels = {} } }) => {
      const value = Object.hasOwn(labels, by.label) ? labels[by.label] : undefined;
      return typeof value === "string" ? value : null;
    };
  }
  let bucket: Pause = [NaN, NaN];
  let name = "";
  return ({ line: { time } }) => {
    if (!(time >= bucket[0] && time < bucket[1])) {
      bucket = bucketOf(by, time);
      name = isoTime(bucket[0]);
    }
    return name;
  };
}

/** Times in their order; of the others those with most attempts first. */
function order(by: StatsBy | undefined): (a: NamedGroup, b: NamedGroup) => number {
  const byName = (a: NamedGroup, b: NamedGroup) =>
    a.name === b.name ? 0 : (a.name ?? "") < (b.name ?? "") ? -1 : 1;
  if (by === "day" || by === "hour") return byName;
  return (a, b) => b.attempts.settled - a.attempts.settled || b.queued - a.queued || byName(a, b);
}

/** What settled in each of some equal steps, the last of which ends now. */
function series(
  hours: ReadonlyMap<number, { complete: number; failed: number }>,
  from: number,
  now: number,
): { step: number; complete: number[]; failed: number[] } {
  let step = now - from <= BY_HOUR ? HOUR : DAY;
  while ((now - from) / step > MOST_STEPS) step *= 2;
  // A span that was asked for begins a little before what is now: that is no step of its own.
  const steps = Math.max(1, Math.ceil((now - from) / step - 0.01));
  const complete = new Array<number>(steps).fill(0);
  const failed = new Array<number>(steps).fill(0);
  for (const [hour, counts] of hours) {
    // An hour counts where its middle is; the one that is not over, in the last step.
    const middle = Math.min(now - 1, Math.max(from, (hour + 0.5) * HOUR));
    const at = steps - 1 - Math.floor((now - middle) / step);
    if (hour * HOUR > now || (hour + 1) * HOUR < from) continue;
    complete[Math.max(0, at)]! += counts.complete;
    failed[Math.max(0, at)]! += counts.failed;
  }
  return { step: step / 1000, complete, failed };
}
