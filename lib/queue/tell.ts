// Tells what happens to the queue as a whole: that it has come to rest, that the pause of an agent is over.
// It follows from the history itself, too: killed before it is told, whoever watches next tells it.

import { isTurn, queueEvents, type QueueState } from "../decide/history.ts";
import { recentEvents } from "../store/events.ts";
import type { Queue } from "./queue.ts";

/** Tells what has not been told; for whoever watches. */
export function tellQueue({ store, now }: Queue, state: Omit<QueueState, "identity">): void {
  const { identity } = store;
  const owed = () => queueEvents(recentEvents(store, isTurn), { ...state, identity }, now());
  if (owed().length === 0) return;
  // Somebody else may tell it just now.
  store.locked(() => store.tell(owed()));
}
