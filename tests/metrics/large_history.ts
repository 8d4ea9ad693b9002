// Makes a workspace with a large history, as a year of a busy queue leaves it: parts of 8 MiB, compressed
// but for the last, one in the middle of being written. The same seed is the same history, to the byte.
// Run it by hand for a look: deno run -A tests/metrics/large_history.ts FOLDER [LINES]

import { formatEvent, type HistoryEvent } from "../../lib/task/event.ts";
import type { FailureClass } from "../../lib/task/fields.ts";

const PART = 8 * 1024 * 1024;

/** What is known of a history that was made. */
export interface LargeHistory {
  lines: number;
  /** Uncompressed. */
  bytes: number;
  /** Time of the last event, milliseconds since the epoch. */
  end: number;
  /** What a recount must come to. */
  expected: {
    queued: number;
    attempts: number;
    complete: number;
    failed: number;
    cancelled: number;
  };
}

/** Numbers from 0 to 1 that look like chance (mulberry32). */
export function createRandom(seed: number): () => number {
  return () => {
    seed = seed + 0x6d2b79f5 | 0;
    let mixed = Math.imul(seed ^ seed >>> 15, 1 | seed);
    mixed = mixed + Math.imul(mixed ^ mixed >>> 7, 61 | mixed) ^ mixed;
    return ((mixed ^ mixed >>> 14) >>> 0) / 2 ** 32;
  };
}

const WEEK = 7 * 86_400_000;
const AGENTS = ["claude", "codex", "gemini", "opencode"] as const;
const CLASSES: readonly FailureClass[] = ["exit", "no-signal", "timeout", "rate-limit", "verify"];
const TITLES = [
  "Add tests for the parser of durations, and mend what they find",
  "Translate docs/guide.md to German; keep the code as it is",
  "Why is the build of the arm64 image slow? Measure it and propose something",
  'Rename "Manager" to what it does in all of src/',
];

/** The events of such a queue, in the order in which they are written, endlessly. */
export function* events(seed: number, start: number): Generator<HistoryEvent> {
  const random = createRandom(seed);
  let now = start;
  let number = start * 1000;
  /** What is yet to come, in no order: a few hundred. */
  let later: HistoryEvent[] = [];
  /** What has ended, in order, and is archived a week later, as the settings have it by themselves. */
  const finished: HistoryEvent[] = [];
  let next = 0;
  for (;;) {
    now += 20_000 * random();
    const time = iso(now);
    const weekAgo = iso(now - WEEK);
    const due = later.filter((event) => event.time <= time);
    for (; next < finished.length && finished[next]!.time <= weekAgo; next++) {
      due.push(archived(finished[next]!));
    }
    later = later.filter((event) => event.time > time);
    if (next > 10_000) {
      finished.splice(0, next);
      next = 0;
    }
    for (const event of due.sort((a, b) => a.time < b.time ? -1 : a.time > b.time ? 1 : 0)) {
      if (event.event === "complete") finished.push(event);
      yield event;
    }
    number = Math.max(number + 1, Math.round(now) * 1000 + Math.floor(random() * 1000));
    const life = lifeOf(number, now, random);
    later.push(...life.slice(1));
    yield life[0]!;
  }
}

const iso = (millis: number) => new Date(Math.round(millis)).toISOString();

function archived(
  { task, claim, agent, chain, attempt, labels, time }: HistoryEvent,
): HistoryEvent {
  const common = { task, claim, agent, chain, attempt, labels };
  const when = iso(Date.parse(time) + WEEK);
  return { key: `${task}.${claim}.archived`, time: when, event: "archived", ...common };
}

/** All that becomes of a task and its retries. */
function lifeOf(number: number, start: number, random: () => number): HistoryEvent[] {
  const events: HistoryEvent[] = [];
  const agent = AGENTS[Math.floor(random() ** 2 * AGENTS.length)]!;
  const labels = random() < 0.5
    ? { team: random() < 0.3 ? "web" : "core", run: `nightly-${Math.floor(start / 864e5)}` }
    : undefined;
  const title = TITLES[Math.floor(random() * TITLES.length)]!;
  const first = `task_${number}`;
  let task = first;
  let follows: string | undefined;
  let now = start;
  for (let attempt = 1;; attempt++) {
    const waited = Math.round(60_000 * random() ** 3) / 1000;
    const ran = Math.round(1_800_000 * random() ** 4) / 1000;
    const begun = now + waited * 1000;
    const ended = begun + ran * 1000;
    const chain = attempt > 1 ? first : undefined;
    const tell = (
      event: HistoryEvent["event"],
      time: number,
      claim: number,
      more: Partial<HistoryEvent> = {},
    ) => {
      const key = `${task}.${claim}.${event}`;
      const common = { key, time: iso(time), event, task, claim, agent, chain, attempt };
      // In the order in which they are written.
      const { follows, title, class: kind, error, exitCode, waited, ran, usage, until } = more;
      const rest = { class: kind, error, exitCode, waited, ran, usage, until };
      events.push({ ...common, follows, title, labels, ...rest });
    };
    tell(attempt > 1 ? "retried" : "queued", now, 0, { follows, title });
    const dice = random();
    if (dice < 0.02) {
      tell("cancelled", now + 500, 0, { title });
      return events;
    }
    tell("launched", begun, 1, { waited });
    const isFailed = dice < 0.2;
    const usage = random() < 0.8
      ? {
        inputTokens: Math.floor(random() * 200_000),
        outputTokens: Math.floor(random() * 20_000),
        cachedTokens: Math.floor(random() * 100_000),
        costUsd: random() < 0.8 ? Math.floor(random() * 2_000_000) / 1e6 : undefined,
        turns: Math.floor(random() * 40),
        model: `${agent}-large`,
      }
      : undefined;
    const failure = isFailed ? CLASSES[Math.floor(random() * CLASSES.length)]! : undefined;
    tell(isFailed ? "failed" : "complete", ended, 1, {
      title,
      class: failure,
      error: isFailed ? "exit code 1: the tests of the parser fail" : undefined,
      exitCode: isFailed ? 1 : 0,
      waited,
      ran,
      usage,
    });
    if (failure === "rate-limit") tell("lane-paused", ended, 1, { until: iso(ended + 600_000) });
    if (random() < 0.1) tell("reaped", ended + 900, 1, { usage });
    if (!isFailed || attempt === 4) return events;
    follows = task;
    now = ended + 5000 * random();
    number = Math.max(number + 1, Math.round(now) * 1000 + Math.floor(random() * 1000));
    task = `task_${number}`;
  }
}

/**
 * Writes a history of so many lines into `.orchestra/` of a folder.
 *
 * @param dir `.orchestra/`
 * @param start time of its first event, milliseconds since the epoch
 */
export async function writeLargeHistory(
  dir: string,
  lines: number,
  start: number,
  seed = 1,
): Promise<LargeHistory> {
  const encoder = new TextEncoder();
  const expected = { queued: 0, attempts: 0, complete: 0, failed: 0, cancelled: 0 };
  const made: LargeHistory = { lines: 0, bytes: 0, end: start, expected };
  await Deno.mkdir(`${dir}/history`, { recursive: true });
  let part = 1;
  let texts: string[] = [];
  let size = 0;
  const close = async (isLast: boolean) => {
    const text = `${JSON.stringify({ history: 1, part })}\n${texts.join("\n")}\n`;
    const bytes = encoder.encode(text);
    made.bytes += bytes.length;
    if (isLast) {
      await Deno.writeFile(`${dir}/history.jsonl`, bytes);
    } else {
      const path = `${dir}/history/${String(part).padStart(6, "0")}.jsonl.gz`;
      await Deno.writeFile(
        path,
        new Blob([bytes]).stream().pipeThrough(new CompressionStream("gzip")),
      );
    }
    part++;
    texts = [];
    size = 0;
  };
  for (const event of events(seed, start)) {
    if (made.lines === lines) break;
    const text = formatEvent(event);
    texts.push(text);
    size += text.length + 1;
    made.lines++;
    made.end = Math.max(made.end, Date.parse(event.time));
    if (event.event === "queued") expected.queued++;
    if (event.event === "launched") expected.attempts++;
    if (event.event === "complete") expected.complete++;
    if (event.event === "failed") expected.failed++;
    if (event.event === "cancelled") expected.cancelled++;
    if (size > PART) await close(false);
  }
  await close(true);
  return made;
}

if (import.meta.main) {
  const [folder = ".", lines = "1000000"] = Deno.args;
  const dir = `${folder}/.orchestra`;
  for (const name of ["tasks", "plans", "logs", "workspace", "archive"]) {
    await Deno.mkdir(`${dir}/${name}`, { recursive: true, mode: 0o700 });
  }
  const start = Date.now() - Number(lines) * 2_900;
  console.log(await writeLargeHistory(dir, Number(lines), start));
}
