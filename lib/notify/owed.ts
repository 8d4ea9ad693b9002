// Whether something is owed that somebody should deliver now, for a command that only passes by. What is
// owed is made and delivered by whoever watches; only that a subscriber is one is noted here.

import type { Config } from "../settings/config_fields.ts";
import { mayWant } from "../settings/subscriber_shape.ts";
import { loadSubscribers, type Subscriber } from "../settings/subscribers.ts";
import type { Store } from "../store/tasks.ts";
import type { EventKind } from "../task/event.ts";
import { newsFor } from "./collect.ts";
import {
  believed,
  isToResume,
  lanePath,
  type LaneState,
  listFiles,
  makeLane,
  readDelivery,
  readDisabled,
  readState,
} from "./outbox.ts";

/** So many files tell whether one of them is due. */
const LOOKED_AT = 50;
/** Where more of the history has not been looked through, somebody should, bytes. */
const UNREAD = 1024 * 1024;

/**
 * Whether somebody is to be told of something now.
 *
 * @param now milliseconds since the epoch
 * @param told kinds of what was told just now: what is none of anybody's business is not looked for
 */
export async function isNewsOwed(
  store: Store,
  config: Config,
  now: number,
  told?: ReadonlySet<EventKind>,
): Promise<boolean> {
  const { active } = await loadSubscribers(store, config);
  const asked = told === undefined ? active : active.filter(({ on }) => mayWant(on, told));
  // From now on it is on disk since when it is to be told, whoever touches the settings later.
  for (const { name, since } of told === undefined ? [] : asked) {
    await makeLane(store.dir, name, since, now);
  }
  return await isOwed(store.dir, asked, now);
}

/** Whether one of some subscribers is owed something that is due. */
async function isOwed(
  dir: string,
  subscribers: readonly Subscriber[],
  now: number,
): Promise<boolean> {
  for (const subscriber of subscribers) {
    const folder = lanePath(dir, subscriber.name);
    const state = readState(folder, subscriber.since);
    const resumes = isToResume(folder);
    const isPaused = believed(state.pausedUntil, now) > now && !resumes;
    if (readDisabled(folder) !== undefined || isPaused) continue;
    const files = listFiles(folder);
    if (files.length > LOOKED_AT || (files.length > 0 && resumes)) return true;
    const nextOf = (file: string) => believed(readDelivery(folder, file)?.next ?? 0, now);
    if (files.some((file) => nextOf(file) <= now)) return true;
    if (await isUntold(dir, subscriber, state)) return true;
  }
  return false;
}

async function isUntold(
  dir: string,
  subscriber: Subscriber,
  state: Pick<LaneState, "cursor" | "since">,
): Promise<boolean> {
  let read = 0;
  for await (const { events, bytes } of newsFor(dir, subscriber, state)) {
    read += bytes;
    if (events.length > 0 || read > UNREAD) return true;
  }
  return false;
}
