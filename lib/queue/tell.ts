// Tells what happens to the queue as a whole: that it has come to rest, that the pause of an agent is over.
// It follows from the history itself: killed before it is told, whoever watches next tells it.

import { queueEvents } from "../decide/history.ts";
import { recentEvents } from "../store/events.ts";
import type { Queue } from "./queue.ts";

/**
 * Tells what has not been told; for whoever watches.
 *
 * @param isAtRest nothing runs, and nothing starts by itself
 */
export function tellQueue({ store, now }: Queue, isAtRest: boolean): void {
  const owed = () => {
    const { events, isWhole } = recentEvents(store);
    return queueEvents(events, isWhole, isAtRest, now());
  };
  if (owed().length === 0) return;
  // Somebody else may tell it just now.
  store.locked(() => store.tell(owed()));
}
