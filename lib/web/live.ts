// What happens, as it happens: server-sent events, one stream for each page, with all workspaces in it.
// Changes are gathered for a moment and made into one text for all who listen. An event's id says where
// the history of each workspace is: who comes back with it is told what it missed, from the history, or
// that too much is missed. Who reads too slowly is let go, and comes back.

import { readEvents } from "../store/events.ts";
import { lstat } from "../store/files.ts";
import { type Cursor, formatCursor, isPlace, parseCursor } from "../store/history_files.ts";
import { readablePlaces } from "../store/places.ts";
import { type FolderWatch, watchFolder } from "../store/watch.ts";
import { describeWatcher } from "../supervise/watcher.ts";
import { toOrchestraError } from "../task/error.ts";
import type { HistoryEvent } from "../task/event.ts";
import { isTerminal } from "../task/fields.ts";
import { formatReason } from "../format/reason.ts";
import { timeTask } from "../decide/view.ts";
import { respond } from "./answer.ts";
import type { Lease, Live, Served } from "./served.ts";
import type { WireEvent, WireWorkspace } from "./wire.ts";
import { countTasks, type Moment, momentOf, namesAmong, wireLanes, wireRow } from "./wire_of.ts";

/** Milliseconds for which changes are gathered. */
const GATHER = 50;
/** Milliseconds between two signs of life. */
const BEAT = 20_000;
/** More rows than these are not sent: who listens reads all anew. */
const MOST_ROWS = 500;
/** Bytes that wait for one reader, at most. */
const MOST_WAITING = 4 * 1024 * 1024;
/** Milliseconds between two looks at a log that is followed: of a task that runs, and of another. */
const LOG_RUNS = 100;
const LOG_RESTS = 1000;
/** How old it may be who watches, milliseconds: asking may cost a process. */
const WATCHER_AGE = 2000;
/** Timers take at most 2^31 - 1 ms. */
const LONGEST_TIMER = 2_000_000_000;

/** What a page listens to. */
export interface Listening {
  /** Where it was when it last listened, as the id of an event; undefined for from now on. */
  readonly since: string | undefined;
  /** A log that it follows. */
  readonly log: { readonly workspace: string; readonly task: string } | undefined;
  /** Settled when it has gone. */
  readonly gone: Promise<void>;
}

/** All streams of a server. */
export interface Hub extends Disposable {
  /** The stream of one more page. */
  listen(listening: Listening): Promise<Response>;
  /** How many listen. */
  readonly size: number;
}

/** One page. */
interface Client {
  /** Workspaces of which it knows all that was told to the others. */
  readonly knows: Set<string>;
  /** Whether that is all of them: only then an id says what it knows. */
  isCurrent: boolean;
  send(text: string): void;
}

/** One workspace, as it was last told. */
interface Feed {
  readonly live: Live;
  readonly lease: Lease;
  /** What was last told of each task, as far as it can change without its file. */
  sent: Map<string, string>;
  /** The rest of what was last told. */
  rest: string;
  watcher: { readonly text: string | null; readonly at: number } | undefined;
  /** Ends the gathering. */
  timer: ReturnType<typeof setTimeout> | undefined;
  /** Comes when something changes with time alone. */
  alarm: ReturnType<typeof setTimeout> | undefined;
  /** One at a time. */
  flushing: Promise<void>;
  cursor: Cursor;
  subscription: Disposable;
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
  let beat: ReturnType<typeof setInterval> | undefined;
  let comings: FolderWatch | undefined;
  let known: string | undefined;
  /** One at a time: feeds are opened and closed here alone. */
  let aligning = Promise.resolve();

  const idNow = () =>
    String(
      new URLSearchParams([...feeds].map(([name, { cursor }]) => [name, formatCursor(cursor)])),
    );
  /** Tells all who know what came before it. */
  function broadcast(event: WireEvent, workspace?: string): void {
    const [text, marked] = [format(event), format(event, idNow())];
    for (const client of [...clients]) {
      if (workspace !== undefined && !client.knows.has(workspace)) continue;
      client.send(client.isCurrent ? marked : text);
    }
  }

  /** Opens what is served now, and closes what is not any more, or nobody listens to. */
  async function alignNow(): Promise<void> {
    const names = clients.size === 0 ? [] : served.list().map(({ name }) => name);
    for (const [name, feed] of [...feeds]) if (!names.includes(name)) close(name, feed);
    for (const name of names) {
      if (feeds.has(name)) continue;
      try {
        const lease = await served.lease(name);
        const feed = openFeed(lease);
        feeds.set(name, feed);
        // Whoever listens already has heard nothing of it yet.
        for (const client of clients) if (client.isCurrent) client.knows.add(name);
        feed.live.ended.then(() => close(name, feed));
      } catch {
        // What is wrong with it is told by the overview.
      }
    }
    const now = names.join("\n");
    if (known !== undefined && known !== now && clients.size > 0) {
      broadcast({ event: "workspaces", data: await overview() });
    }
    known = clients.size === 0 ? undefined : now;
  }

  /** What goes on as long as somebody listens. */
  function wake(): void {
    beat ??= setInterval(() => {
      for (const one of [...clients]) one.send(": \n\n");
      align();
    }, BEAT);
    if (registry === undefined || comings !== undefined) return;
    const watch = comings = watchFolder(registry);
    (async () => {
      for (;;) {
        await watch.changed();
        if (comings !== watch) return;
        watch.take();
        align();
      }
    })();
  }

  function rest(): void {
    clearInterval(beat);
    beat = undefined;
    comings?.[Symbol.dispose]();
    comings = undefined;
  }

  function align(): Promise<void> {
    aligning = aligning.then(alignNow, alignNow);
    return aligning;
  }

  function close(name: string, feed: Feed): void {
    clearTimeout(feed.timer);
    clearTimeout(feed.alarm);
    feed.subscription[Symbol.dispose]();
    feed.lease[Symbol.dispose]();
    if (feeds.get(name) === feed) feeds.delete(name);
  }

  function openFeed(lease: Lease): Feed {
    const { live } = lease;
    const feed: Feed = {
      live,
      lease,
      sent: new Map(),
      rest: "",
      watcher: undefined,
      timer: undefined,
      alarm: undefined,
      flushing: Promise.resolve(),
      cursor: live.cursor,
      subscription: live.onNews(() => feed.timer ??= setTimeout(() => flush(feed), GATHER)),
    };
    const moment = momentOf(live.mirror, live.queue.now());
    feed.sent = statesOf(moment);
    feed.rest = restOf(feed, moment);
    live.take();
    setAlarm(feed, moment);
    return feed;
  }

  /** What changes with time alone is told when it is time. */
  function setAlarm(feed: Feed, moment: Moment): void {
    clearTimeout(feed.alarm);
    const next = nextChange(moment);
    if (next === Infinity) return;
    const millis = Math.min(LONGEST_TIMER, Math.max(GATHER, next - moment.now));
    feed.alarm = setTimeout(() => flush(feed), millis);
  }

  function flush(feed: Feed): Promise<void> {
    const again = () => flushNow(feed).catch(() => {});
    feed.flushing = feed.flushing.then(again, again);
    return feed.flushing;
  }

  async function flushNow(feed: Feed): Promise<void> {
    const { live } = feed;
    clearTimeout(feed.timer);
    feed.timer = undefined;
    const moment = await live.moment();
    const { ids, happened } = live.take();
    const { byId } = moment.index;
    const states = statesOf(moment);
    const changed = new Set<string>();
    const removed: string[] = [];
    for (const id of ids) {
      if (byId.has(id)) changed.add(id);
      else if (feed.sent.has(id)) removed.push(id);
    }
    for (const [id, state] of states) if (feed.sent.get(id) !== state) changed.add(id);
    const rest = restOf(feed, moment);
    const isNew = changed.size > 0 || removed.length > 0 || happened.length > 0 ||
      rest !== feed.rest;
    feed.sent = states;
    feed.rest = rest;
    feed.cursor = live.cursor;
    setAlarm(feed, moment);
    if (!isNew || clients.size === 0) return;
    broadcast(tell(feed, moment, [...changed], removed, happened), live.name);
  }

  /** Tells a page what it missed of a workspace; from then on it is told with the others. */
  async function catchUp(client: Client, feed: Feed, since: Cursor | undefined): Promise<void> {
    const { name } = feed.live;
    if (await tellMissed(client, feed, since).catch(() => false)) return;
    client.send(format({ event: "reset", data: { workspace: name } }));
    client.knows.add(name);
  }

  /** Whether it could be told: nothing is awaited between the look at the tasks and the telling. */
  async function tellMissed(
    client: Client,
    feed: Feed,
    since: Cursor | undefined,
  ): Promise<boolean> {
    const { live } = feed;
    const { store } = live.queue;
    await flush(feed);
    if (since === undefined || !isPlace(store.dir, since)) return false;
    const happened: HistoryEvent[] = [];
    const changed = new Set<string>();
    for (let at = since; isAfter(feed.cursor, at);) {
      const before = at;
      for await (const { cursor, ...event } of readEvents(store, { from: at })) {
        const next = parseCursor(cursor)!;
        // What comes now is told to all.
        if (isAfter(next, feed.cursor)) break;
        at = next;
        happened.push(event);
        if (event.task !== undefined) changed.add(event.task);
        if (changed.size > MOST_ROWS) return false;
      }
      if (at === before) break;
    }
    const moment = momentOf(live.mirror, live.queue.now());
    const { byId } = moment.index;
    // What is open may have changed in ways that are no history.
    for (const task of byId.values()) if (!isTerminal(task.status)) changed.add(task.taskId);
    if (changed.size > MOST_ROWS) return false;
    const there = [...changed].filter((id) => byId.has(id));
    const gone = [...changed].filter((id) => !byId.has(id));
    client.send(format(tell(feed, moment, there, gone, happened)));
    client.knows.add(live.name);
    return true;
  }

  function open({ log, gone }: Listening): { client: Client; body: ReadableStream<Uint8Array> } {
    let stream: ReadableStreamDefaultController<Uint8Array>;
    let following: ReturnType<typeof setInterval> | undefined;
    const encoder = new TextEncoder();
    const leave = () => {
      clearInterval(following);
      if (!clients.delete(client) || clients.size > 0) return;
      rest();
      align();
    };
    const body = new ReadableStream<Uint8Array>({
      start(controller) {
        stream = controller;
      },
      cancel: leave,
    }, new ByteLengthQueuingStrategy({ highWaterMark: MOST_WAITING }));
    const client: Client = {
      knows: new Set(),
      isCurrent: false,
      send(text) {
        if (!clients.has(client)) return;
        const bytes = encoder.encode(text);
        if ((stream.desiredSize ?? 0) >= bytes.length) return stream.enqueue(bytes);
        // What waits for it goes as well; it comes back with the last id that it has read.
        leave();
        stream.error(new Error("read too slowly"));
      },
    };
    gone.catch(() => {}).then(leave);
    if (log !== undefined) {
      following = followLog(log, (size) => {
        const { workspace, task: taskId } = log;
        client.send(format({ event: "log", data: { workspace, taskId, size } }));
      });
    }
    return { client, body };
  }

  /** Looks at a log again and again: told of each of many small writes, we would do little else. */
  function followLog(
    { workspace, task }: NonNullable<Listening["log"]>,
    tell: (size: number) => void,
  ): ReturnType<typeof setInterval> {
    let before = -1;
    let next = 0;
    return setInterval(() => {
      const live = feeds.get(workspace)?.live;
      if (live === undefined || performance.now() < next) return;
      const found = live.mirror.index.byId.get(task);
      next = found?.status === "running" ? 0 : performance.now() + LOG_RESTS;
      const size = found === undefined ? undefined : sizeOfLog(live, task);
      if (size === undefined || size === before) return;
      before = size;
      tell(size);
    }, LOG_RUNS);
  }

  return {
    get size() {
      return clients.size;
    },
    async listen(listening) {
      const { client, body } = open(listening);
      clients.add(client);
      wake();
      client.send("retry: 1000\n\n");
      await align();
      const last = new URLSearchParams(listening.since);
      for (const [name, feed] of [...feeds]) {
        if (listening.since === undefined) client.knows.add(name);
        else await catchUp(client, feed, parseCursor(last.get(name) ?? ""));
      }
      client.isCurrent = true;
      client.send(`id: ${idNow()}\n\n`);
      return respond(body, "text/event-stream", { headers: { "x-accel-buffering": "no" } });
    },
    [Symbol.dispose]() {
      rest();
      for (const [name, feed] of [...feeds]) close(name, feed);
    },
  };
}

/** The text of an event. */
export function format({ event, data }: WireEvent, id?: string): string {
  const mark = id === undefined ? "" : `id: ${id}\n`;
  return `${mark}event: ${event}\ndata: ${JSON.stringify(data)}\n\n`;
}

function tell(
  feed: Feed,
  moment: Moment,
  changed: readonly string[],
  removed: readonly string[],
  happened: readonly HistoryEvent[],
): WireEvent {
  const { live } = feed;
  if (changed.length > MOST_ROWS) return { event: "reset", data: { workspace: live.name } };
  const { byId } = moment.index;
  const names = namesAmong(moment.index, changed);
  return {
    event: "tasks",
    data: {
      workspace: live.name,
      changed: changed.map((id) => wireRow(byId.get(id)!, moment, names)),
      removed: [...removed],
      counts: countTasks(byId.values(), moment),
      lanes: wireLanes(moment),
      supervisor: watcherNow(feed),
      happened: [...happened],
    },
  };
}

/** What of each task may change while its file does not. */
function statesOf(moment: Moment): Map<string, string> {
  const states = new Map<string, string>();
  for (const [id, task] of moment.index.byId) {
    const phase = moment.phase(task);
    const reason = phase.kind === "waiting" || phase.kind === "blocked"
      ? formatReason(timeTask({ task, phase }, moment.now))
      : null;
    states.set(id, reason === null ? phase.kind : `${phase.kind} ${reason}`);
  }
  return states;
}

function restOf(feed: Feed, moment: Moment): string {
  return JSON.stringify([wireLanes(moment), watcherNow(feed)]);
}

function watcherNow(feed: Feed): string | null {
  const now = performance.now();
  if (feed.watcher === undefined || now - feed.watcher.at > WATCHER_AGE) {
    const { store } = feed.live.queue;
    const text = describeWatcher(store, feed.live.mirror.index.byId.values());
    feed.watcher = { text, at: now };
  }
  return feed.watcher.text;
}

/** When a phase changes next by time alone, milliseconds since the epoch. */
function nextChange({ index, phase, lanes }: Moment): number {
  let next = Math.min(Infinity, ...[...lanes.values()].map(({ until }) => until));
  for (const task of index.byId.values()) {
    if (task.status !== "pending") continue;
    const found = phase(task);
    if (found.kind === "waiting" && found.wait.kind === "time") {
      next = Math.min(next, found.wait.until);
    }
  }
  return next;
}

function isAfter(a: Cursor, b: Cursor): boolean {
  return a.part !== b.part ? a.part > b.part : a.offset > b.offset;
}

function sizeOfLog({ queue: { store }, mirror }: Live, id: string): number | undefined {
  try {
    const task = mirror.index.byId.get(id);
    if (task === undefined) return undefined;
    const info = lstat(readablePlaces(store, task).logFile);
    return info?.isFile ? info.size : undefined;
  } catch (error) {
    // A task that names a place which is not its own has no log.
    toOrchestraError(error, "Looking at a log");
    return undefined;
  }
}
