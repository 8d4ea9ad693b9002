// What is told of one workspace as it happens. Changes are gathered for a moment and compared with what was
// told last: a task may be another one though its file is not, for what it waits for has changed, or the
// time has come.

import { timeTask } from "../decide/view.ts";
import { formatReason } from "../format/reason.ts";
import { readEvents } from "../store/events.ts";
import { type Cursor, isFarBehind, isPlace, parseCursor } from "../store/history_files.ts";
import { describeWatcher } from "../supervise/watcher.ts";
import type { HistoryEvent } from "../task/event.ts";
import { isTerminal } from "../task/fields.ts";
import { type Lease, type Live, MOST_HISTORY } from "./served.ts";
import type { WireEvent } from "./wire.ts";
import { countTasks, type Moment, momentOf, namesAmong, wireLanes, wireRow } from "./wire_of.ts";

/** Milliseconds for which changes are gathered. */
const GATHER = 50;
/** More rows than these are not told: who listens reads all anew. */
const MOST_ROWS = 500;
/** More events than these are not told to who comes back. */
const MOST_EVENTS = 5000;
/** So long ago may a list have been read by who listens now, milliseconds. */
const RECENT = 10_000;
/** How old it may be who watches, milliseconds: asking may cost a process. */
const WATCHER_AGE = 2000;
/** Timers take at most 2^31 - 1 ms. */
const LONGEST_TIMER = 2_000_000_000;

/** What is told of one workspace, until it is disposed of. */
export interface Feed extends Disposable {
  readonly live: Live;
  /** Where the history was when something was last told. */
  readonly cursor: Cursor;
  /** Tells what has come, now. */
  flush(): Promise<void>;
  /**
   * Finds what was told since some place.
   *
   * @param deliver called with it, in the same moment in which it is looked up: what comes is told then
   * @returns false where it is too much, or there is no such place
   */
  missed(since: Cursor | undefined, deliver: (event: WireEvent) => void): Promise<boolean>;
  /**
   * The same for who comes for the first time, and may have read a list a moment ago: the tasks of which
   * something happened in the last seconds, and not what; undefined for none.
   */
  recent(deliver: (event: WireEvent | undefined) => void): Promise<boolean>;
}

/** What was told last, as far as it can change without a task's file. */
interface Told {
  /** State of each pending task. */
  states: ReadonlyMap<string, string>;
  /** Lanes and who watches. */
  rest: string;
}

/**
 * Tells of a workspace from now on.
 *
 * @param tell called with each event
 */
export function openFeed(lease: Lease, tell: (event: WireEvent) => void): Feed {
  const { live } = lease;
  const watcher = createWatcherNote(live);
  let timer: ReturnType<typeof setTimeout> | undefined;
  let alarm: ReturnType<typeof setTimeout> | undefined;
  let flushing = Promise.resolve();
  let cursor = live.cursor;
  /** Where the history was in the last seconds, oldest first. */
  let places: { readonly at: number; readonly cursor: Cursor }[] = [];
  let isClosed = false;
  const restOf = (moment: Moment) => JSON.stringify([wireLanes(moment), watcher.text()]);

  const first = momentOf(live.mirror, live.queue.now());
  const told: Told = { states: statesOf(first), rest: restOf(first) };
  live.take();
  const subscription = live.onNews(() => timer ??= setTimeout(flush, GATHER));
  setAlarm(first);

  function flush(): Promise<void> {
    clearTimeout(timer);
    timer = undefined;
    // One at a time; what cannot be read now is told with what comes next.
    flushing = flushing.then(flushNow).catch(() => {});
    return flushing;
  }

  async function flushNow(): Promise<void> {
    const moment = await live.moment();
    if (isClosed) return;
    const { happened, isWatcherNew, ...news } = live.take();
    const ids = new Set(news.ids);
    if (isWatcherNew) watcher.forget();
    const states = statesOf(moment);
    // Where nobody listened before, what happened is all that is known of what has changed.
    for (const { task } of happened) if (task !== undefined) ids.add(task);
    const { changed, removed } = changesSince(told.states, states, ids, moment);
    const rest = restOf(moment);
    const isNew = changed.length + removed.length + happened.length > 0 || rest !== told.rest;
    told.states = states;
    told.rest = rest;
    places = [...recentPlaces(), { at: performance.now(), cursor }];
    cursor = live.cursor;
    setAlarm(moment);
    if (isNew) tell(eventOf(moment, changed, removed, happened));
  }

  function recentPlaces(): typeof places {
    return places.filter(({ at }) => at > performance.now() - RECENT);
  }

  /** What is told of those of some tasks that are there and those that are gone; undefined for too many. */
  function eventAbout(ids: ReadonlySet<string>, happened: readonly HistoryEvent[]) {
    if (ids.size > MOST_ROWS) return undefined;
    const moment = momentOf(live.mirror, live.queue.now());
    const { byId } = moment.index;
    const there = [...ids].filter((id) => byId.has(id));
    const gone = [...ids].filter((id) => !byId.has(id));
    return eventOf(moment, there, gone, happened);
  }

  /** What changes with time alone is told when it is time. */
  function setAlarm(moment: Moment): void {
    clearTimeout(alarm);
    const next = nextChange(moment);
    if (next === Infinity) return;
    alarm = setTimeout(flush, Math.min(LONGEST_TIMER, Math.max(GATHER, next - moment.now)));
  }

  function eventOf(
    moment: Moment,
    changed: readonly string[],
    removed: readonly string[],
    happened: readonly HistoryEvent[],
  ): WireEvent {
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
        supervisor: watcher.text(),
        happened: [...happened],
      },
    };
  }

  return {
    live,
    get cursor() {
      return cursor;
    },
    flush,
    async missed(since, deliver) {
      await flush();
      return await readMissed(live, since, () => cursor, (happened) => {
        const ids = new Set(happened.flatMap(({ task }) => task ?? []));
        // What is open may have changed in ways that are no history.
        for (const task of live.mirror.index.byId.values()) {
          if (!isTerminal(task.status)) ids.add(task.taskId);
        }
        const event = eventAbout(ids, happened);
        if (event !== undefined) deliver(event);
        return event !== undefined;
      });
    },
    async recent(deliver) {
      const from = recentPlaces()[0]?.cursor ?? cursor;
      await flush();
      return await readMissed(live, from, () => cursor, (happened) => {
        const ids = new Set(happened.flatMap(({ task }) => task ?? []));
        const event = ids.size === 0 ? undefined : eventAbout(ids, []);
        if (event === undefined && ids.size > 0) return false;
        deliver(event);
        return true;
      });
    },
    [Symbol.dispose]() {
      isClosed = true;
      clearTimeout(timer);
      clearTimeout(alarm);
      subscription[Symbol.dispose]();
      lease[Symbol.dispose]();
    },
  };
}

/** Which tasks are others than those that were told of, and which are gone. */
function changesSince(
  before: ReadonlyMap<string, string>,
  now: ReadonlyMap<string, string>,
  ids: ReadonlySet<string>,
  { index: { byId } }: Moment,
): { changed: string[]; removed: string[] } {
  const changed = new Set<string>();
  const removed: string[] = [];
  for (const id of ids) {
    if (byId.has(id)) changed.add(id);
    else removed.push(id);
  }
  for (const [id, state] of now) if (before.get(id) !== state) changed.add(id);
  return { changed: [...changed], removed };
}

/**
 * Reads what happened since some place, up to where the others were told of it.
 *
 * @param end where the others are, which goes on meanwhile
 * @param use called with it, at once: whatever comes after is told to all
 * @returns what that says; false where it is too much, or there is no such place
 */
async function readMissed(
  { queue: { store } }: Live,
  since: Cursor | undefined,
  end: () => Cursor,
  use: (happened: readonly HistoryEvent[]) => boolean,
): Promise<boolean> {
  if (since === undefined || !isPlace(store.dir, since)) return false;
  if (isFarBehind(store.dir, since, MOST_HISTORY)) return false;
  const happened: HistoryEvent[] = [];
  for (let at = since; isAfter(end(), at);) {
    const before = at;
    for await (const { cursor, ...event } of readEvents(store, { from: at })) {
      const next = parseCursor(cursor)!;
      if (isAfter(next, end())) break;
      at = next;
      happened.push(event);
      if (happened.length > MOST_EVENTS) return false;
    }
    // What is left are no events.
    if (at === before) break;
  }
  return use(happened);
}

function isAfter(a: Cursor, b: Cursor): boolean {
  return a.part !== b.part ? a.part > b.part : a.offset > b.offset;
}

/** What of each task may change while its file does not: nothing of one that has been started. */
function statesOf(moment: Moment): Map<string, string> {
  const states = new Map<string, string>();
  for (const task of moment.index.byId.values()) {
    if (task.status !== "pending") continue;
    const phase = moment.phase(task);
    const reason = phase.kind === "waiting" || phase.kind === "blocked"
      ? formatReason(timeTask({ task, phase }, moment.now))
      : null;
    states.set(task.taskId, reason === null ? phase.kind : `${phase.kind} ${reason}`);
  }
  return states;
}

/** When a phase changes next by time alone, milliseconds since the epoch. */
function nextChange({ index, phase, lanes }: Moment): number {
  let next = Math.min(Infinity, ...[...lanes.values()].map(({ until }) => until));
  for (const task of index.byId.values()) {
    if (task.status !== "pending") continue;
    const found = phase(task);
    if (found.kind !== "waiting") continue;
    const { wait } = found;
    if (wait.kind === "time") next = Math.min(next, wait.until);
    if (wait.kind === "limit" && wait.held.kind === "launches") {
      next = Math.min(next, wait.held.until);
    }
  }
  return next;
}

/** Who watches, in words, asked again where it may be somebody else. */
function createWatcherNote({ queue, mirror }: Live): { text(): string | null; forget(): void } {
  let known: { readonly text: string | null; readonly at: number } | undefined;
  return {
    text() {
      const at = performance.now();
      if (known === undefined || at - known.at > WATCHER_AGE) {
        known = { text: describeWatcher(queue.store, mirror.index.byId.values()), at };
      }
      return known.text;
    },
    forget() {
      known = undefined;
    },
  };
}
