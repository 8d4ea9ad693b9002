// The room that limits across workspaces leave, for who watches and launches: read with each turn in which
// something is ready, and told of when another workspace gives a slot back. Where the user has set no
// limits, nothing is looked at. Nothing is kept here that a kill could lose.

import type { Held, Shared } from "../decide/room.ts";
import { openQueue, type Queue, type Rules } from "../queue/queue.ts";
import { refresh } from "../queue/refresh.ts";
import { readShared } from "../queue/shared.ts";
import { lstat } from "../store/files.ts";
import { type FolderWatch, watchFolder } from "../store/watch.ts";
import { heldSlots, slotsFolder } from "../workspaces/slots.ts";
import { isWatched } from "./watcher.ts";

/** The room for one watcher's launches. */
export interface Room extends Disposable {
  /** What holds across workspaces now. */
  look(isReady: boolean): Shared;
  /** Something is not launched for want of room; null where nothing is. */
  note(held: Held | null): void;
  /** Whether something waits for room. */
  readonly waits: boolean;
  /** Fulfilled when a slot has changed hands, for who waits for one. */
  freed(): Promise<void>[];
  /** Looks at the workspaces whose slots are in the way, where nobody else does. */
  rescan(): Promise<void>;
}

/** @param rules settings and agents as they are now */
export function openRoom({ store, now }: Queue, rules: () => Rules): Room {
  let watch: FolderWatch | undefined;
  let waits = false;
  return {
    look(isReady) {
      watch?.take();
      return readShared(rules(), now(), isReady);
    },
    note(held) {
      waits = held !== null;
      const folder = slotsFolder();
      if (!waits || watch !== undefined || folder === undefined) return;
      if (lstat(folder)?.isDirectory) watch = watchFolder(folder);
    },
    get waits() {
      return waits;
    },
    freed: () => waits && watch !== undefined ? [watch.changed()] : [],
    async rescan() {
      if (!waits) return;
      const roots = new Set(heldSlots().map(({ root }) => root));
      for (const root of roots) if (root !== store.root) await lookAt(root);
    },
    [Symbol.dispose]: () => watch?.[Symbol.dispose](),
  };
}

/**
 * Brings a workspace up to date over which nobody watches: what has ended there gives its slot back, once
 * nothing of it lives.
 */
async function lookAt(root: string): Promise<void> {
  try {
    const queue = openQueue(root);
    if (isWatched(queue.store)) return;
    await refresh(queue, { retry: false, may: () => ({ limits: true, verify: false }) });
  } catch {
    // Somebody else's, damaged, or gone: what is wrong with it is told there.
  }
}
