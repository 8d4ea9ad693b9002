// Deliveries that are owed once more, because somebody wants it so: from the history, or from those that
// were given up. The files are what is owed; whoever delivers finds them there.

import type { Subscriber } from "../settings/subscribers.ts";
import { wants } from "../settings/subscribers.ts";
import { readEvents } from "../store/events.ts";
import type { Store } from "../store/tasks.ts";
import type { StoredEvent } from "../task/event.ts";
import {
  addDeliveries,
  askToResume,
  type Delivery,
  fileFor,
  lanePath,
  listDead,
  makeLane,
  readDisabled,
  removeDead,
  updateDelivery,
} from "./outbox.ts";

/** One delivery that is owed again. */
export interface Replayed {
  name: string;
  id: string;
  /** It is switched off: told once it is enabled. */
  waits: boolean;
}

/**
 * Owes deliveries again.
 *
 * @param isMeant which events
 * @param now milliseconds since the epoch
 */
export async function replay(
  store: Store,
  subscribers: readonly Subscriber[],
  isMeant: (event: Pick<StoredEvent, "key" | "task">) => boolean,
  now: number,
): Promise<Replayed[]> {
  // What is told twice counts once.
  const events = new Map<string, StoredEvent>();
  for await (const event of readEvents(store)) if (isMeant(event)) events.set(event.key, event);
  const replayed: Replayed[] = [];
  for (const subscriber of subscribers) {
    const folder = lanePath(store.dir, subscriber.name);
    const owed = new Map<string, Delivery>();
    for (const { cursor, ...event } of events.values()) {
      if (!wants(subscriber, event)) continue;
      const file = fileFor(event.key);
      owed.set(file, { file, event, cursor, attempts: 0, next: now, owedSince: now });
    }
    const dead = listDead(folder).filter(({ event }) => isMeant(event));
    for (const delivery of dead) {
      owed.set(delivery.file, { ...delivery, attempts: 0, next: now, owedSince: now });
    }
    if (owed.size === 0) continue;
    await makeLane(store.dir, subscriber.name, subscriber.since, now);
    await addDeliveries(folder, [...owed.values()]);
    for (const delivery of owed.values()) updateDelivery(folder, delivery);
    for (const { file } of dead) removeDead(folder, file);
    // A receiver that wanted nothing any more stays so until it is enabled.
    const waits = readDisabled(folder) !== undefined;
    if (!waits) askToResume(folder);
    replayed.push(...[...owed.values()].map(({ event }) => ({
      name: subscriber.name,
      id: event.key,
      waits,
    })));
  }
  return replayed;
}
