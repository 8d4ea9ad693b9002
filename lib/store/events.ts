// The history as events: from any point, the last of it, and as it grows. Reads and never writes, but for
// one thing: what a killed process left in the lock file is made history first.

import { type HistoryEvent, parseEvent, type StoredEvent } from "../task/event.ts";
import { pastEvents, type Recent } from "../decide/history.ts";
import { formatTime, type Task } from "../task/fields.ts";
import { lstat, openRegular, readExactly } from "./files.ts";
import { type Chunk, readHistory, type ReadOptions } from "./history_read.ts";
import {
  BREAK,
  type Cursor,
  formatCursor,
  historyEnd,
  historyPath,
  listParts,
} from "./history_files.ts";
import type { Store } from "./tasks.ts";
import { watchFolder } from "./watch.ts";

const decoder = new TextDecoder();

/** The events of some lines, each with the place after it. */
export function* eventsIn({ part, start, bytes }: Chunk): Generator<StoredEvent> {
  for (let at = 0; at < bytes.length;) {
    const end = bytes.indexOf(BREAK, at) + 1;
    if (end === 0) return;
    const event = parseEvent(decoder.decode(bytes.subarray(at, end - 1)));
    at = end;
    if (event !== undefined) {
      yield { ...event, cursor: formatCursor({ part, offset: start + end }) };
    }
  }
}

/** What a killed process left is made history; where that is not ours to do, it stays as it is. */
function settleHistory(store: Store): void {
  if ((lstat(`${store.dir}/lock`)?.size ?? 0) === 0) return;
  try {
    store.locked(() => {});
  } catch {
    // Not ours to write: what is there is read.
  }
}

/** All times have one form, and so are in the order of their texts. */
function sinceText({ since }: ReadOptions): string {
  return since === undefined ? "" : formatTime(since);
}

/** All events up to now, oldest first. */
export async function* readEvents(
  store: Store,
  options: ReadOptions = {},
): AsyncGenerator<StoredEvent> {
  settleHistory(store);
  const since = sinceText(options);
  for await (const chunk of readHistory(store.dir, options)) {
    for (const event of eventsIn(chunk)) if (event.time >= since) yield event;
  }
}

/** The last events, oldest first. */
export async function lastEvents(store: Store, count: number): Promise<StoredEvent[]> {
  const parts = listParts(store.dir);
  // Most often the file that is appended to has enough of them.
  for (let back = parts.length;; back--) {
    const from: Cursor | undefined = back > 0
      ? { part: parts[back - 1]!.part + 1, offset: 0 }
      : undefined;
    const last: StoredEvent[] = [];
    for await (const event of readEvents(store, { from })) {
      last.push(event);
      if (last.length > 2 * count) last.splice(0, last.length - count);
    }
    if (last.length >= count || back === 0) return count === 0 ? [] : last.slice(-count);
  }
}

/** So much of the end most often tells what was told last, bytes; and that many times more, where not. */
const TAIL = 64 * 1024;
const MORE = 16;

/**
 * What was told last: so much of the file's end as it takes to find something.
 *
 * @param isFound whether an event is it
 */
export function recentEvents(store: Store, isFound: (event: HistoryEvent) => boolean): Recent {
  using file = openRegular(historyPath(store.dir));
  if (file === undefined) return { events: [], isWhole: false };
  const { size } = file.statSync();
  for (let length = TAIL;; length *= MORE) {
    const start = Math.max(0, size - length);
    // What begins in the middle is no event.
    const events = decoder.decode(readExactly(file, start, size - start)).split("\n")
      .flatMap((line) => parseEvent(line) ?? []);
    if (start === 0) return { events, isWhole: listParts(store.dir).length === 0 };
    if (events.some(isFound)) return { events, isWhole: false };
  }
}

/** The end of what is written, for who wants what comes from now on. */
export function endOfHistory(store: Store): Cursor {
  settleHistory(store);
  return historyEnd(store.dir);
}

/** What is wrong with a history. */
export interface HistoryReview {
  /** What the files of tasks tell, and the history does not. */
  readonly missing: readonly HistoryEvent[];
  /** Lines that are none. */
  readonly damaged: number;
}

/**
 * Compares the history with the files of tasks: after a power cut, or where a program before this one
 * worked on them, lines may be missing.
 */
export async function reviewHistory(
  store: Store,
  tasks: readonly Task[],
  now: number,
): Promise<HistoryReview> {
  settleHistory(store);
  const missing = new Map(pastEvents(tasks, now).map((event) => [event.key, event]));
  let damaged = 0;
  /** What happened before this is not kept any more. */
  let first: string | undefined;
  const isWhole = (listParts(store.dir)[0]?.part ?? 1) === 1;
  let isThere = false;
  for await (const chunk of readHistory(store.dir)) {
    isThere = true;
    for (const line of decoder.decode(chunk.bytes).split("\n")) {
      const event = parseEvent(line);
      if (event === undefined) {
        if (line !== "" && !line.startsWith('{"history":')) damaged++;
        continue;
      }
      first ??= event.time;
      missing.delete(event.key);
    }
  }
  const kept = [...missing.values()].filter(({ time }) => isWhole || time >= (first ?? time));
  return { missing: isThere ? kept : [], damaged };
}

/** What is looked for where the system tells of no changes, milliseconds. */
const POLL = 1000;

/** Events from one place on, those that are written and those that come, until the signal is aborted. */
export async function* followEvents(
  store: Store,
  options: ReadOptions,
  signal: AbortSignal,
): AsyncGenerator<StoredEvent> {
  using watch = watchFolder(store.dir);
  let { from } = options;
  const aborted = new Promise<void>((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener("abort", () => resolve(), { once: true });
  });
  const since = sinceText(options);
  while (!signal.aborted) {
    watch.take();
    settleHistory(store);
    for await (const chunk of readHistory(store.dir, { ...options, from })) {
      for (const event of eventsIn(chunk)) {
        if (signal.aborted) return;
        if (event.time >= since) yield event;
      }
      from = { part: chunk.part, offset: chunk.start + chunk.bytes.length };
    }
    let timer: ReturnType<typeof setTimeout> | undefined;
    const later = new Promise<void>((resolve) => timer = setTimeout(resolve, POLL));
    await Promise.race([aborted, watch.changed(), later]);
    clearTimeout(timer);
  }
}
