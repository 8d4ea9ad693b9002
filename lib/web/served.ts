// The workspaces that are served. The tasks of one are in memory while somebody asks for them and a while
// after, kept by a loop that looks on and leaves to others what is to be done; then the loop ends, and
// nothing of it costs anything. What was not told yet is gathered here for whoever tells it on. Killed,
// nothing is lost: all of it is on disk.

import { openQueue, type Queue } from "../queue/queue.ts";
import { readEvents } from "../store/events.ts";
import { type Cursor, historyEnd, isFarBehind, parseCursor } from "../store/history_files.ts";
import { type FolderWatch, watchFolder } from "../store/watch.ts";
import { type WatchOptions, watchOver } from "../supervise/loop.ts";
import type { Mirror } from "../supervise/mirror.ts";
import { OrchestraError, toOrchestraError } from "../task/error.ts";
import type { HistoryEvent } from "../task/event.ts";
import type { KnownWorkspace } from "../workspaces/registry.ts";
import { type Moment, momentOf } from "./wire_of.ts";

/** What becomes of what is to be done: left to whoever watches, or to who is left where nobody does. */
export type Keeper = (queue: Queue) => Promise<NonNullable<WatchOptions["leaveToOthers"]>>;

/** What has come since it was last taken. */
export interface News {
  /** Tasks whose files are others, or gone. */
  readonly ids: ReadonlySet<string>;
  readonly happened: readonly HistoryEvent[];
  /** Whether somebody else may be watching. */
  readonly isWatcherNew: boolean;
}

/** A workspace whose tasks are in memory. */
export interface Live {
  readonly name: string;
  readonly queue: Queue;
  readonly mirror: Mirror;
  /** The tasks as they are now, with what has come and was not told by the system yet. */
  moment(): Promise<Moment>;
  /** Where the history was when {@linkcode moment} was last asked for. */
  readonly cursor: Cursor;
  /** Reads tasks again that were changed just now. */
  look(ids: Iterable<string>): void;
  /** What has come since the last call. */
  take(): News;
  /** Called whenever there may be news, until it is disposed of. */
  onNews(listener: () => void): Disposable;
  /** Fulfilled when it is not looked on at any more. */
  readonly ended: Promise<void>;
}

/** A live workspace, for as long as it is not disposed of. */
export interface Lease extends Disposable {
  readonly live: Live;
}

/** The workspaces that are served. */
export interface Served extends Disposable {
  /** Those that there are now. */
  list(): KnownWorkspace[];
  /**
   * @throws OrchestraError `no-workspace` for a name that is none, or what is wrong with the workspace
   */
  lease(name: string): Promise<Lease>;
}

/** How workspaces are served. */
export interface ServedOptions {
  /** Those that there are now; asked again and again. */
  readonly list: () => KnownWorkspace[];
  readonly keeper: Keeper;
  /** Milliseconds for which one stays in memory after it was last asked for. */
  readonly linger: number;
  /** Told of what makes looking on difficult. */
  readonly onProblem: (problem: string) => void;
}

interface Slot {
  readonly root: string;
  readonly opening: Promise<Live>;
  readonly stop: AbortController;
  users: number;
  timer: ReturnType<typeof setTimeout> | undefined;
}

/** Serves workspaces. */
export function serveWorkspaces(options: ServedOptions): Served {
  const slots = new Map<string, Slot>();

  function close(name: string, slot: Slot): void {
    clearTimeout(slot.timer);
    if (slots.get(name) === slot) slots.delete(name);
    slot.stop.abort();
  }

  function open({ name, root }: KnownWorkspace): Slot {
    const stop = new AbortController();
    const opening = openLive({ name, root }, options, stop.signal);
    const slot: Slot = { root, opening, stop, users: 0, timer: undefined };
    // What cannot be opened is tried again with the next request; what has ended, too.
    opening.then(({ ended }) => ended).catch(() => {}).then(() => close(name, slot));
    slots.set(name, slot);
    return slot;
  }

  return {
    list: options.list,
    async lease(name) {
      const known = options.list().find((one) => one.name === name);
      if (known === undefined) throw noWorkspace(name);
      const before = slots.get(name);
      if (before !== undefined && before.root !== known.root) close(name, before);
      const slot = slots.get(name) ?? open(known);
      slot.users++;
      clearTimeout(slot.timer);
      let isReleased = false;
      const release = () => {
        if (isReleased) return;
        isReleased = true;
        slot.users--;
        if (slot.users > 0 || slot.stop.signal.aborted) return;
        clearTimeout(slot.timer);
        slot.timer = setTimeout(() => close(name, slot), options.linger);
      };
      try {
        return { live: await slot.opening, [Symbol.dispose]: release };
      } catch (error) {
        release();
        throw error;
      }
    },
    [Symbol.dispose]() {
      for (const [name, slot] of [...slots]) close(name, slot);
    },
  };
}

function noWorkspace(name: string): OrchestraError {
  return new OrchestraError("no-workspace", `No workspace ${JSON.stringify(name)} is served here`, {
    hint: "See which there are with: GET /api/v1/workspaces",
  });
}

/** A lock that somebody has for longer is not waited for: all who ask would wait as well. Milliseconds. */
const PATIENCE = 1000;

/** Bytes of the history that are read at once, at most: far more than ever happens between two looks. */
export const MOST_HISTORY = 64 * 1024 * 1024;

/** Files of a workspace that tell what no task does: what happened, and who watches. */
const HISTORY = "history.jsonl";
const WATCHER = "daemon.json";

async function openLive(
  { name, root }: KnownWorkspace,
  { keeper, onProblem }: ServedOptions,
  signal: AbortSignal,
): Promise<Live> {
  const queue = openQueue(root, { patience: PATIENCE });
  const { store } = queue;
  const listeners = new Set<() => void>();
  let ids = new Set<string>();
  let happened: HistoryEvent[] = [];
  let isWatcherNew = false;
  const tell = () => listeners.forEach((listener) => listener());
  const begun = Promise.withResolvers<Mirror>();
  const leaveToOthers = await keeper(queue);
  const looking = watchOver(queue, {
    wanted: () => ({ launch: "nothing" }),
    until: "forever",
    signal,
    leaveToOthers,
    onKeep(id) {
      ids.add(id);
      tell();
    },
    onTurn: (mirror) => begun.resolve(mirror),
    onBroken: ({ message }) => onProblem(`${name}: ${message}`),
    onProblem: (problem) => onProblem(`${name}: ${problem}`),
  });
  looking.catch((error) => begun.reject(error));
  const mirror = await Promise.race([begun.promise, looking]);
  const ended = looking.then(() => {}, (error) => {
    onProblem(`${name}: ${toOrchestraError(error, "Looking on").message}`);
  });
  const onFiles = (names: ReadonlySet<string>) => {
    isWatcherNew ||= names.has(WATCHER);
    if (names.has(WATCHER) || names.has(HISTORY)) tell();
  };
  if (store.isMade()) watchFiles(watchFolder(store.dir), ended, onFiles);
  let cursor = historyEnd(store.dir);

  async function readHistory(): Promise<void> {
    // Whoever asks would wait for it, and all others with him; what has changed is told by the tasks' files.
    if (isFarBehind(store.dir, cursor, MOST_HISTORY)) {
      cursor = historyEnd(store.dir);
      return;
    }
    for await (const event of readEvents(store, { from: cursor })) {
      const { cursor: next, ...rest } = event;
      cursor = parseCursor(next) ?? cursor;
      happened.push(rest);
      // The system may tell of its file later.
      if (rest.task !== undefined) mirror.look(rest.task);
    }
  }

  /** Reading is one at a time: each event is told once. */
  let reading = Promise.resolve();
  const take = (): News => {
    const news = { ids, happened, isWatcherNew };
    ids = new Set();
    happened = [];
    isWatcherNew = false;
    return news;
  };
  return {
    name,
    queue,
    mirror,
    ended,
    get cursor() {
      return cursor;
    },
    async moment() {
      reading = reading.then(readHistory, readHistory);
      await reading;
      // Nobody is there to be told.
      if (listeners.size === 0) take();
      return momentOf(mirror, queue.now());
    },
    look(changed) {
      for (const id of changed) mirror.look(id);
    },
    take,
    onNews(listener) {
      listeners.add(listener);
      return { [Symbol.dispose]: () => void listeners.delete(listener) };
    },
  };
}

/** Tells of changes of what stands beside the tasks, as long as somebody looks on. */
async function watchFiles(
  watch: FolderWatch,
  ended: Promise<void>,
  onFiles: (names: ReadonlySet<string>) => void,
): Promise<void> {
  let isOver = false;
  ended.then(() => {
    isOver = true;
    watch[Symbol.dispose]();
  });
  for (;;) {
    await watch.changed();
    if (isOver) return;
    onFiles(watch.take());
  }
}
