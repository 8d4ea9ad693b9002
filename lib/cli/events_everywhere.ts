// `events --everywhere`: the histories of all known workspaces as one, in the order of time, from any point
// on and as they grow. Each event carries a place in all of them; who goes on from one misses nothing.

import { followEvents, lastEvents, readEvents } from "../store/events.ts";
import { type Cursor, isPlace, parseCursor } from "../store/history_files.ts";
import { pause } from "../launch/pause.ts";
import { OrchestraError } from "../task/error.ts";
import type { StoredEvent } from "../task/event.ts";
import type { Context } from "./context.ts";
import { followEverywhere, openEverywhere, tellProblem } from "./everywhere.ts";
import { lookOn, stopSignal } from "./look_on.ts";
import { formatCursors, type ManyCursors, placeKey, type Printer } from "./many_cursors.ts";
import type { NamedPlace, Place, Places } from "./places.ts";
import { leaveWatcher, look } from "./supervision.ts";

/** What of the histories is wanted. */
export interface Wanted {
  readonly follow: boolean;
  readonly since?: number | Cursor | ManyCursors;
  readonly task?: string;
  /** So many of the last ones, unless `isWhole`. */
  readonly lines: number;
  readonly isWhole: boolean;
}

/** Events that come within this are put in their order, milliseconds. */
const TOGETHER = 30;
const BEGINNING: Cursor = { part: 0, offset: 0 };

/** An event, and whose it is. */
interface Told {
  readonly place: NamedPlace;
  readonly event: StoredEvent;
}

/** What has been read so far. */
interface Reading {
  readonly since: number;
  readonly positions: Map<string, Cursor>;
  isWanted(told: Told): boolean;
}

/** Prints what happened in all known workspaces. */
export async function eventsEverywhere(
  context: Context,
  wanted: Wanted,
  print: Printer,
): Promise<void> {
  const { since, task, follow } = wanted;
  if (typeof since === "object" && !("places" in since)) {
    throw new OrchestraError("usage", "--since: this is a cursor of one workspace", {
      hint: "Go on from it with: orchestra events --since CURSOR",
    });
  }
  const places = await openEverywhere(context);
  const looked = await places.each(places.list, async (place) => {
    await leaveWatcher(place.context, place.queue, await look(place.queue, true));
    return place;
  });
  const reading: Reading = {
    since: typeof since === "object" ? since.since : since ?? Date.now(),
    positions: new Map(typeof since === "object" ? since.places : []),
    isWanted: filterOf(places, task),
  };
  checkPlaces(looked, reading);
  const first = since === undefined && task === undefined
    ? await lastTold(context, looked, wanted.lines, reading)
    : readAll(context, looked, since === undefined, reading);
  print.expect(looked.map(({ name }) => name));
  const say = printTold(print, reading);
  if (wanted.isWhole) {
    for await (const told of first) {
      if (context.readerGone.aborted) return;
      say(told);
    }
  } else {
    const last: [Told, string][] = [];
    for await (const told of first) {
      const cursor = move(reading, told);
      if (reading.isWanted(told)) last.push([told, cursor]);
      if (last.length > wanted.lines) last.shift();
    }
    for (const [told, cursor] of last) printOne(print, told, cursor);
  }
  if (!follow) return print.end();
  await followAll(context, looked, reading, say);
}

/** Notes what was read; the place after it. */
function move({ since, positions }: Reading, { place, event }: Told): string {
  positions.set(keyOf(place), parseCursor(event.cursor)!);
  return formatCursors({ since, places: positions });
}

function printTold(print: Printer, reading: Reading): (told: Told) => void {
  return (told) => {
    const cursor = move(reading, told);
    if (reading.isWanted(told)) printOne(print, told, cursor);
  };
}

function printOne(print: Printer, { place, event }: Told, cursor: string): void {
  print.event({ workspace: place.name, ...event, cursor });
}

function keyOf({ queue }: Place): string {
  return placeKey(queue.store.root);
}

/** Says so where reading does not begin at the place that a cursor names. */
function checkPlaces(places: readonly NamedPlace[], { positions }: Reading): void {
  for (const place of places) {
    const at = positions.get(keyOf(place));
    if (at === undefined || at.part === 0 || isPlace(place.queue.store.dir, at)) continue;
    place.context.note(
      "that place is not in the history any more: it begins with the oldest that is there",
    );
  }
}

/**
 * Which events are wanted. A task that is not there any more is found by the key that it had, or the end
 * of its id.
 */
function filterOf(
  places: Places<NamedPlace>,
  name: string | undefined,
): (told: Told) => boolean {
  if (name === undefined) return () => true;
  try {
    const [[home, ids] = []] = places.find([name], "anywhere");
    const id = ids?.[0];
    return ({ place, event: { task, chain } }) =>
      place.name === home?.name && (task === id || chain === id);
  } catch (error) {
    if (!(error instanceof OrchestraError) || error.code !== "no-task") throw error;
    return ({ event: { task, chain, taskKey } }) =>
      taskKey === name ||
      [task, chain].some((id) => id === name || (/^\d+$/.test(name) && id?.endsWith(name)));
  }
}

/** The last of all, in order, and where each history was before them. */
async function lastTold(
  context: Context,
  places: readonly NamedPlace[],
  count: number,
  { positions }: Reading,
): Promise<AsyncIterable<Told>> {
  const sources: [NamedPlace, AsyncIterable<StoredEvent>][] = [];
  for (const place of places) {
    // So many of each: where one of another is shown, one of these is older, and tells the place after it.
    const events = await lastEvents(place.queue.store, Math.max(1, count));
    positions.set(keyOf(place), BEGINNING);
    sources.push([place, ReadableStream.from(events)]);
  }
  return merge(context, sources);
}

/** @param isFromStart whether histories that no position is known of are read from their beginning */
function readAll(
  context: Context,
  places: readonly NamedPlace[],
  isFromStart: boolean,
  { since, positions }: Reading,
): AsyncIterable<Told> {
  return merge(
    context,
    places.map((place) => {
      const key = keyOf(place);
      if (isFromStart) positions.set(key, BEGINNING);
      const from = positions.get(key);
      const options = from === undefined ? { since } : { from };
      return [place, readEvents(place.queue.store, options)] as const;
    }),
  );
}

/** Several histories as one: of the next event of each always the oldest. */
async function* merge(
  context: Context,
  sources: readonly (readonly [NamedPlace, AsyncIterable<StoredEvent>])[],
): AsyncGenerator<Told> {
  const heads: (Told & { rest: AsyncIterator<StoredEvent> })[] = [];
  const draw = async (place: NamedPlace, rest: AsyncIterator<StoredEvent>) => {
    try {
      const { done, value } = await rest.next();
      return done ? [] : [{ place, event: value, rest }];
    } catch (error) {
      tellProblem(context, place.name, error);
      return [];
    }
  };
  for (const [place, events] of sources) {
    heads.push(...await draw(place, events[Symbol.asyncIterator]()));
  }
  while (heads.length > 0) {
    let at = 0;
    for (let one = 1; one < heads.length; one++) {
      if (heads[one]!.event.time < heads[at]!.event.time) at = one;
    }
    const { place, event, rest } = heads[at]!;
    yield { place, event };
    heads.splice(at, 1, ...await draw(place, rest));
  }
}

/** What comes, from all histories, in the order of time as far as it comes together. */
async function followAll(
  context: Context,
  places: readonly NamedPlace[],
  reading: Reading,
  say: (told: Told) => void,
): Promise<void> {
  context.endsByExit = true;
  const stop = stopSignal(() => context.fail(130));
  const leaves = AbortSignal.any([stop.signal, context.readerGone]);
  let pending: Told[] = [];
  let flushing: Promise<void> | undefined;
  const flush = async () => {
    await pause(TOGETHER, leaves);
    const together = inOrder(pending);
    pending = [];
    flushing = undefined;
    if (!leaves.aborted) together.forEach(say);
  };
  await followEverywhere(context, places, leaves, async (place, kept) => {
    const { queue } = place;
    const gone = new AbortController();
    const signal = AbortSignal.any([kept, gone.signal]);
    // Somebody must see what ends: whoever watches, or who is left where nobody does.
    const looking = lookOn(place.context, queue, { signal, until: "forever" });
    const ended = looking.finally(() => gone.abort());
    ended.catch(() => {});
    const from = reading.positions.get(keyOf(place));
    const options = from === undefined ? { since: reading.since } : { from };
    for await (const event of followEvents(queue.store, options, signal)) {
      pending.push({ place, event });
      flushing ??= flush();
    }
    await ended;
  });
  await flushing;
}

/** By time; those of one workspace stay in the order of its history. */
function inOrder(told: readonly Told[]): Told[] {
  const latest = new Map<NamedPlace, string>();
  return told.map((one) => {
    const before = latest.get(one.place) ?? "";
    const time = one.event.time > before ? one.event.time : before;
    latest.set(one.place, time);
    return { one, time };
  }).sort((a, b) => a.time < b.time ? -1 : a.time > b.time ? 1 : 0).map(({ one }) => one);
}
