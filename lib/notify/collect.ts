// From the history into an outbox: what a subscriber wants becomes deliveries, then its place in the history
// moves on. Killed in between, the same deliveries are made again, under the same names.

import { wants } from "../settings/subscribers.ts";
import type { Subscriber } from "../settings/subscribers.ts";
import { eventsIn } from "../store/events.ts";
import { formatCursor, historyPath, isPlace, parseCursor } from "../store/history_files.ts";
import { readHistory } from "../store/history_read.ts";
import { lstat } from "../store/files.ts";
import type { StoredEvent } from "../task/event.ts";
import { formatTime } from "../task/fields.ts";
import { addDeliveries, type Delivery, fileFor, type LaneState } from "./outbox.ts";

/** So many deliveries are written before the place moves on. */
const AT_ONCE = 200;

/** What the file of the history looks like: where it is the same, nothing was told since. */
export function historyStamp(dir: string): string {
  const info = lstat(historyPath(dir));
  return info === undefined ? "-" : `${info.ino} ${info.size}`;
}

/** What becomes of what is found. */
export interface Collector {
  /** The deliveries are on disk. */
  add(deliveries: readonly Delivery[]): void;
  /** The history was looked through up to this place: from now on reading begins there. */
  moveTo(cursor: string): Promise<void>;
}

/** Some of what was told, as far as a subscriber wants it. */
export interface News {
  readonly events: readonly StoredEvent[];
  /** The place after it, wanted or not. */
  readonly end: string;
  /** So much of the history it took, bytes. */
  readonly bytes: number;
}

/** What was told since a subscriber's place in the history, piece by piece. */
export async function* newsFor(
  dir: string,
  subscriber: Pick<Subscriber, "on">,
  { cursor: place, since }: Pick<LaneState, "cursor" | "since">,
): AsyncGenerator<News> {
  // Where the history was made anew, what happened before it was wanted is no more wanted than then.
  const known = place === null ? undefined : parseCursor(place);
  const from = known !== undefined && isPlace(dir, known) ? known : undefined;
  const first = from === undefined ? formatTime(since) : "";
  for await (const chunk of readHistory(dir, from === undefined ? { since } : { from })) {
    const { part, start, bytes: { length } } = chunk;
    const events = [...eventsIn(chunk)]
      .filter((event) => event.time >= first && wants(subscriber, event));
    yield { events, end: formatCursor({ part, offset: start + length }), bytes: length };
  }
}

/**
 * Makes deliveries of what was told since a subscriber's place in the history.
 *
 * @param now milliseconds since the epoch
 */
export async function collect(
  dir: string,
  folder: string,
  subscriber: Pick<Subscriber, "on">,
  state: Pick<LaneState, "cursor" | "since">,
  now: number,
  collector: Collector,
): Promise<void> {
  let fresh: Delivery[] = [];
  const flush = async (cursor: string) => {
    await addDeliveries(folder, fresh);
    collector.add(fresh);
    fresh = [];
    await collector.moveTo(cursor);
  };
  for await (const { events, end } of newsFor(dir, subscriber, state)) {
    for (const { cursor, ...event } of events) {
      const file = fileFor(event.key);
      fresh.push({ file, event, cursor, attempts: 0, next: now, owedSince: now });
      if (fresh.length >= AT_ONCE) await flush(cursor);
    }
    await flush(end);
  }
}
