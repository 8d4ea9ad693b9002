// What happens, as it happens: server-sent events, one stream for each page, with all workspaces in it, and
// one text for all who listen. An event's id says where the history of each workspace is: who comes back
// with it is told what it missed, from the history, or that too much is missed.

import { lstat } from "../store/files.ts";
import { formatCursor, parseCursor } from "../store/history_files.ts";
import { readablePlace } from "../store/places.ts";
import { type FolderWatch, watchFolder } from "../store/watch.ts";
import { respond } from "./answer.ts";
import { type Client, openClient } from "./client.ts";
import { type Feed, openFeed } from "./feed.ts";
import type { Live, Served } from "./served.ts";
import type { WireEvent, WireWorkspace } from "./wire.ts";

/** Milliseconds between two signs of life. */
const BEAT = 20_000;
/** Milliseconds until a workspace is opened again whose loop has ended by itself. */
const AGAIN = 1000;
/** Milliseconds between two looks at a log that is followed: of a task that runs, and of another. */
const LOG_RUNS = 100;
const LOG_RESTS = 1000;

/** What a page listens to. */
export interface Listening {
  /** Where it was when it last listened, as the id of an event; undefined for from now on. */
  readonly since: string | undefined;
  /** A log that it follows. */
  readonly log: FollowedLog | undefined;
  /** Settled when it has gone. */
  readonly gone: Promise<void>;
}

/** A log that is followed. */
export interface FollowedLog {
  readonly workspace: string;
  /** Whole id of its task. */
  readonly task: string;
}

/** All streams of a server. */
export interface Hub extends Disposable {
  /** The stream of one more page. */
  listen(listening: Listening): Promise<Response>;
}

/**
 * The streams of a server.
 *
 * @param overview of all workspaces
 * @param registry folder that changes when workspaces come and go; undefined where none do
 */
export function createHub(
  served: Served,
  overview: () => Promise<WireWorkspace[]>,
  registry: string | undefined,
): Hub {
  const clients = new Set<Client>();
  const feeds = new Map<string, Feed>();
  const pulse = createPulse(registry, align, () => {
    for (const client of [...clients]) client.send(": \n\n");
    // What others give back of the machine's limits is told by no file of ours.
    for (const feed of feeds.values()) feed.flush();
  });
  /** Names of workspaces of which something may have been missed, for their loops had ended. */
  const missed = new Set<string>();
  let again: ReturnType<typeof setTimeout> | undefined;
  /** Names of what is served, as it was last told. */
  let known: string | undefined;
  /** One at a time: feeds are opened and closed here alone. */
  let aligning = Promise.resolve();

  function idNow(): string {
    const cursors = [...feeds].map(([name, { cursor }]) => [name, formatCursor(cursor)]);
    return String(new URLSearchParams(cursors));
  }

  /** Tells all who know what came before it. */
  function broadcast(event: WireEvent, workspace?: string): void {
    const [text, marked] = [format(event), format(event, idNow())];
    for (const client of [...clients]) {
      if (workspace !== undefined && !client.knows.has(workspace)) continue;
      client.send(client.isCurrent ? marked : text);
    }
  }

  function align(): Promise<void> {
    aligning = aligning.then(alignNow).catch(() => {});
    return aligning;
  }

  /** Opens what is served now, and closes what is not any more, or nobody listens to. */
  async function alignNow(): Promise<void> {
    const names = clients.size === 0 ? [] : served.list().map(({ name }) => name);
    for (const [name, feed] of [...feeds]) if (!names.includes(name)) close(name, feed);
    for (const name of names) if (!feeds.has(name)) await open(name);
    const now = names.join("\n");
    if (known !== undefined && known !== now && clients.size > 0) {
      broadcast({ event: "workspaces", data: await overview() });
    }
    known = clients.size === 0 ? undefined : now;
  }

  async function open(name: string): Promise<void> {
    let feed: Feed;
    try {
      feed = openFeed(await served.lease(name), (event) => broadcast(event, name));
    } catch {
      // What is wrong with it is told by the overview.
      return;
    }
    feeds.set(name, feed);
    if (missed.delete(name)) broadcast({ event: "reset", data: { workspace: name } }, name);
    // Whoever listens already has heard nothing of it yet.
    for (const client of clients) if (client.isCurrent) client.knows.add(name);
    feed.live.ended.then(() => {
      if (feeds.get(name) !== feed) return;
      close(name, feed);
      missed.add(name);
      again ??= setTimeout(() => {
        again = undefined;
        align();
      }, AGAIN);
    });
  }

  function close(name: string, feed: Feed): void {
    feed[Symbol.dispose]();
    if (feeds.get(name) === feed) feeds.delete(name);
  }

  /** Tells a page what it missed of each workspace; from then on it is told with the others. */
  async function catchUp(client: Client, since: URLSearchParams | undefined): Promise<void> {
    for (const [name, feed] of [...feeds]) {
      const deliver = (event: WireEvent | undefined) => {
        if (event !== undefined) client.send(format(event));
        client.knows.add(name);
      };
      const telling = since === undefined
        ? feed.recent(deliver)
        : feed.missed(parseCursor(since.get(name) ?? ""), deliver);
      if (await telling.catch(() => false)) continue;
      deliver({ event: "reset", data: { workspace: name } });
    }
  }

  function leave(client: Client): void {
    if (!clients.delete(client) || clients.size > 0) return;
    pulse.stop();
    align();
  }

  return {
    async listen({ since, log, gone }) {
      let following: Disposable | undefined;
      const client = openClient(gone, (client) => {
        following?.[Symbol.dispose]();
        leave(client);
      });
      clients.add(client);
      pulse.start();
      if (log !== undefined) {
        const live = () => feeds.get(log.workspace)?.live;
        following = followLog(log, live, (event) => client.send(format(event)));
      }
      client.send("retry: 1000\n\n");
      await align();
      await catchUp(client, since === undefined ? undefined : new URLSearchParams(since));
      for (const name of feeds.keys()) client.knows.add(name);
      client.isCurrent = true;
      client.send(`id: ${idNow()}\n\n`);
      return respond(client.body, "text/event-stream");
    },
    [Symbol.dispose]() {
      pulse.stop();
      clearTimeout(again);
      for (const [name, feed] of [...feeds]) close(name, feed);
    },
  };
}

/** The text of an event. */
function format({ event, data }: WireEvent, id?: string): string {
  const mark = id === undefined ? "" : `id: ${id}\n`;
  return `${mark}event: ${event}\ndata: ${JSON.stringify(data)}\n\n`;
}

/**
 * What goes on as long as somebody listens.
 *
 * @param registry folder that changes when workspaces come and go
 * @param onComing called when they may have
 * @param onBeat called now and then
 */
function createPulse(
  registry: string | undefined,
  onComing: () => void,
  onBeat: () => void,
): { start(): void; stop(): void } {
  let beat: ReturnType<typeof setInterval> | undefined;
  let comings: FolderWatch | undefined;
  async function follow(watch: FolderWatch): Promise<void> {
    for (;;) {
      await watch.changed();
      if (comings !== watch) return;
      watch.take();
      onComing();
    }
  }
  return {
    start() {
      beat ??= setInterval(() => {
        onBeat();
        onComing();
      }, BEAT);
      if (registry === undefined || comings !== undefined) return;
      comings = watchFolder(registry);
      follow(comings);
    },
    stop() {
      clearInterval(beat);
      beat = undefined;
      comings?.[Symbol.dispose]();
      comings = undefined;
    },
  };
}

/** Looks at a log again and again: told of each of many small writes, we would do little else. */
function followLog(
  { workspace, task: taskId }: FollowedLog,
  liveNow: () => Live | undefined,
  tell: (event: WireEvent) => void,
): Disposable {
  let before: number | undefined;
  let next = 0;
  const timer = setInterval(() => {
    const live = liveNow();
    if (live === undefined || performance.now() < next) return;
    const isRunning = live.mirror.running.has(taskId);
    if (!isRunning) next = performance.now() + LOG_RESTS;
    const size = sizeOfLog(live, taskId);
    if (size === undefined || size === before) return;
    before = size;
    tell({ event: "log", data: { workspace, taskId, size } });
  }, LOG_RUNS);
  return { [Symbol.dispose]: () => clearInterval(timer) };
}

function sizeOfLog({ queue: { store }, mirror }: Live, id: string): number | undefined {
  try {
    const task = mirror.index.byId.get(id) ?? store.readArchived(id);
    if (task === undefined) return undefined;
    const info = lstat(readablePlace(store, task, "log"));
    return info?.isFile ? info.size : undefined;
  } catch {
    // A task that names a place which is not its own has no log.
    return undefined;
  }
}
