/// <reference lib="dom" />
// What this tab knows: one store, read once from the server and kept by one stream of events, which the
// browser resumes where it broke off. Components are drawn anew at most once a frame. The server is right
// in everything; closing the tab loses nothing.

import { useEffect, useState } from "preact/hooks";
import type { HistoryEvent } from "../../task/event.ts";
import { formatFilter, isFiltering } from "../filter.ts";
import type {
  WireCounts,
  WireEvent,
  WireFilter,
  WireLane,
  WireRow,
  WireServer,
  WireTasks,
  WireWorkspace,
} from "../wire.ts";
import { apiAddress, ApiError, at, get, sayError } from "./api.ts";
import { createBatch } from "./batch.ts";
import { changeListing, countsIn, isSameRow, type Listing, listingOf } from "./listing.ts";
import { here, onPlace } from "./router.ts";

/** Rows that a list asks for at first, and more each time. */
export const PAGE = 300;
/** Tasks that no list shows are kept up to so many. */
const MOST_ROWS = 4000;

/** What is known, as of one moment. */
export interface ServerState {
  /** Null until it has told; which workspaces it has is as they are now. */
  server: WireServer | null;
  /** All workspaces that are served. */
  workspaces: readonly WireWorkspace[];
  /** Name of the one that the address names. */
  workspace: string | null;
  /** Tasks of the workspace that have been read; never all of a large one. */
  tasks: ReadonlyMap<string, WireRow>;
  counts: WireCounts;
  lanes: readonly WireLane[];
  supervisor: string | null;
  /** Whether changes come in. */
  connected: boolean;
  /** Why nothing could be read; null where all is well. */
  problem: string | null;
  /** Milliseconds since the epoch, when this was drawn up. */
  now: number;
}

const EMPTY: Readonly<Pick<ServerState, "tasks" | "counts" | "lanes" | "supervisor">> = {
  tasks: new Map(),
  counts: { total: 0 },
  lanes: [],
  supervisor: null,
};

let state: ServerState = {
  server: null,
  workspaces: [],
  workspace: null,
  ...EMPTY,
  connected: false,
  problem: null,
  now: Date.now(),
};

const listeners = new Set<() => void>();

function set(change: Partial<ServerState>): void {
  state = { ...state, ...change, now: Date.now() };
  redraw.add(undefined);
}

/** At the next frame; in a tab that is not looked at there are none, but its title tells the state. */
function nextFrame(run: () => void): void {
  let due = true;
  const once = () => {
    if (due) run();
    due = false;
  };
  // A tab may be hidden between now and the frame, which then never comes.
  setTimeout(once, 250);
  if (!document.hidden) requestAnimationFrame(once);
}

/** So long at least lies between two rounds of changes, milliseconds: nobody reads faster. */
const ROUND = 60;
let lastRound = 0;

/** At the next frame, but not at each one while a lot happens. */
function nextRound(run: () => void): void {
  const wait = Math.max(0, lastRound + ROUND - performance.now());
  const take = () => {
    lastRound = performance.now();
    run();
  };
  if (wait === 0) nextFrame(take);
  else setTimeout(() => nextFrame(take), wait);
}

const redraw = createBatch<undefined>(nextFrame, () => {
  for (const listener of [...listeners]) listener();
});

/** What is known now; for what is no component. */
export function serverState(): ServerState {
  return state;
}

/** What is known; the component is drawn anew when that changes. */
export function useServer(): ServerState {
  const [, drawAnew] = useState({});
  useEffect(() => {
    const listener = () => drawAnew({});
    listeners.add(listener);
    return () => void listeners.delete(listener);
  }, []);
  return state;
}

// ---------------------------------------------------------------------------------------------
// Lists

interface Meanwhile {
  changed: Map<string, WireRow>;
  removed: Set<string>;
}

interface OpenList {
  key: string;
  workspace: string;
  filter: WireFilter;
  limit: number;
  listing: Listing | null;
  problem: string | null;
  users: number;
  /** What was told since it is being read; null where it is not. */
  meanwhile: Meanwhile | null;
  /** Whether what is being read may be older than the stream, and is to be read once more. */
  again: boolean;
  timer: ReturnType<typeof setTimeout> | undefined;
}

const lists = new Map<string, OpenList>();
/** A list whose counts are stale is read again so much later, milliseconds. */
const REREAD = 1000;

function listKey(workspace: string, filter: WireFilter, limit: number): string {
  return JSON.stringify([workspace, formatFilter(filter), limit]);
}

/** Reads a list from the server. */
async function readList(list: OpenList): Promise<void> {
  if (list.meanwhile !== null) return;
  const meanwhile: Meanwhile = { changed: new Map(), removed: new Set() };
  list.meanwhile = meanwhile;
  try {
    const answer = await get<WireTasks>(pathOf(list, list.limit));
    list.problem = null;
    if (list.workspace !== state.workspace) return;
    // What was told while the answer was on its way is newer than it.
    const { changed, removed } = meanwhile;
    const tasks = new Map(state.tasks);
    for (const row of answer.tasks) {
      const { taskId } = row;
      if (changed.has(taskId) || removed.has(taskId)) continue;
      const known = tasks.get(taskId);
      if (known === undefined || !isSameRow(known, row)) tasks.set(taskId, row);
    }
    const listing = listingOf(list.filter, list.limit, answer);
    list.listing = changed.size + removed.size === 0
      ? listing
      : changeListing(listing, [...changed.values()], [...removed], tasks);
    const { lanes, supervisor } = answer;
    const whole = isFiltering(list.filter) ? {} : { counts: answer.counts };
    set({ tasks, lanes, supervisor, ...whole, problem: null });
  } catch (error) {
    list.problem = sayError(error);
    set({});
  } finally {
    list.meanwhile = null;
    if (list.again) {
      list.again = false;
      readList(list);
    }
  }
}

/** Reads all lists once more: of what has changed before now nothing will be told. */
function readListsAgain(): void {
  for (const list of lists.values()) {
    if (list.meanwhile !== null) list.again = true;
    else readList(list);
  }
}

/** Reads how many tasks pass; and which, where that cannot be known here. */
async function recount(list: OpenList): Promise<void> {
  const { listing } = list;
  if (listing === null || list.filter.q !== undefined) return await readList(list);
  try {
    const answer = await get<WireTasks>(pathOf(list, 0));
    if (list.listing === null) return;
    list.listing = { ...list.listing, ...countsIn(answer), stale: false };
    set({});
    const { ids, limit } = list.listing;
    if (ids.size < Math.min(limit, answer.more)) await readList(list);
  } catch {
    // The stream tells where the server is gone; the next change asks again.
  }
}

function pathOf({ workspace, filter }: OpenList, limit: number): string {
  const query = formatFilter(filter);
  return `${at(workspace, "tasks")}?limit=${limit}${query && `&${query}`}`;
}

function recountLater(list: OpenList): void {
  if (list.timer !== undefined) return;
  list.timer = setTimeout(() => {
    list.timer = undefined;
    // Where nobody looks, it is read when somebody does again.
    if (lists.get(list.key) === list && !document.hidden) recount(list);
  }, REREAD);
}

/** A list of tasks, and how it stands with it. */
export interface ListedTasks {
  rows: WireRow[];
  listing: Listing | null;
  /** Why it could not be read; null for nothing. */
  problem: string | null;
}

/** The tasks that pass some filters, at first so many; null for none to be read. */
export function useTasks(filter: WireFilter | null, limit = PAGE): ListedTasks {
  const { workspace, tasks } = useServer();
  const key = workspace === null || filter === null ? null : listKey(workspace, filter, limit);
  useEffect(() => {
    if (key === null || workspace === null || filter === null) return;
    let list = lists.get(key);
    if (list === undefined) {
      list = {
        key,
        workspace,
        filter,
        limit,
        listing: null,
        problem: null,
        users: 0,
        meanwhile: null,
        again: false,
        timer: undefined,
      };
      lists.set(key, list);
      readList(list);
    }
    list.users++;
    return () => {
      list.users--;
      // Whoever asks for more of the same wants to see what is there until it has come.
      setTimeout(() => list.users === 0 && lists.delete(key), 10_000);
    };
  }, [key]);
  const list = key === null ? undefined : lists.get(key);
  // While more is read, what was there stays on the screen.
  const shown = list?.listing ?? (filter === null ? null : lesser(workspace, filter));
  const rows = [...shown?.ids ?? []].flatMap((id) => tasks.get(id) ?? []);
  return { rows, listing: shown, problem: list?.problem ?? null };
}

/** The same list with another limit, where there is one. */
function lesser(workspace: string | null, filter: WireFilter): Listing | null {
  const query = formatFilter(filter);
  for (const list of lists.values()) {
    if (list.workspace === workspace && formatFilter(list.filter) === query && list.listing) {
      return list.listing;
    }
  }
  return null;
}

// ---------------------------------------------------------------------------------------------
// Events

type Happening = (workspace: string, events: readonly HistoryEvent[]) => void;
const happenings = new Set<Happening>();

/** Calls with what the history tells, of all workspaces; returns how to stop that. */
export function onHappened(listener: Happening): () => void {
  happenings.add(listener);
  return () => void happenings.delete(listener);
}

const events = createBatch<WireEvent>(nextRound, (batch) => {
  let tasks: Map<string, WireRow> | null = null;
  const changed = new Map<string, WireRow>();
  const removed = new Set<string>();
  for (const { event, data } of batch) {
    if (event === "workspaces") {
      const { server } = state;
      const names = data.map(({ name }) => name);
      set({ workspaces: data, server: server && { ...server, workspaces: names } });
    } else if (event === "reset") {
      if (data.workspace === state.workspace) readAnew();
    } else if (event === "log") {
      for (const listener of logs.get(`${data.workspace}/${data.taskId}`) ?? []) {
        listener(data.size);
      }
    } else {
      const { workspace, counts, lanes, supervisor } = data;
      const workspaces = state.workspaces.map((one) =>
        one.name === workspace ? { ...one, counts, lanes, supervisor } : one
      );
      set({ workspaces });
      if (data.happened.length > 0) {
        for (const listener of happenings) listener(workspace, data.happened);
      }
      if (workspace !== state.workspace) continue;
      set({ counts, lanes, supervisor });
      tasks ??= new Map(state.tasks);
      for (const row of data.changed) {
        tasks.set(row.taskId, row);
        changed.set(row.taskId, row);
        removed.delete(row.taskId);
      }
      for (const id of data.removed) {
        tasks.delete(id);
        changed.delete(id);
        removed.add(id);
      }
    }
  }
  if (tasks !== null) takeChanges(tasks, [...changed.values()], [...removed]);
});

function takeChanges(
  tasks: Map<string, WireRow>,
  changed: readonly WireRow[],
  removed: readonly string[],
): void {
  for (const list of lists.values()) {
    if (list.workspace !== state.workspace) continue;
    if (list.meanwhile !== null) {
      for (const row of changed) {
        list.meanwhile.changed.set(row.taskId, row);
        list.meanwhile.removed.delete(row.taskId);
      }
      for (const id of removed) {
        list.meanwhile.changed.delete(id);
        list.meanwhile.removed.add(id);
      }
    }
    if (list.listing === null) continue;
    list.listing = changeListing(list.listing, changed, removed, tasks);
    if (list.users > 0) recountLater(list);
  }
  if (tasks.size > MOST_ROWS) forget(tasks);
  set({ tasks });
}

/** Drops what no list shows. */
function forget(tasks: Map<string, WireRow>): void {
  const shown = [...lists.values()].flatMap(({ listing }) => listing ? [listing.ids] : []);
  for (const id of tasks.keys()) {
    if (!shown.some((ids) => ids.has(id))) tasks.delete(id);
  }
}

// ---------------------------------------------------------------------------------------------
// The stream

const logs = new Map<string, Set<(size: number) => void>>();
/** Those of tasks that there are not: the server gives no stream with one of them. */
const unknownLogs = new Set<string>();
let stream: EventSource | null = null;
/** Which log the stream tells of. */
let streamed: string | null = null;

/** Calls with the size of a log, bytes, whenever it has grown; returns how to stop that. */
export function onLogSize(
  workspace: string,
  id: string,
  listener: (size: number) => void,
): () => void {
  const key = `${workspace}/${id}`;
  const those = logs.get(key) ?? new Set();
  logs.set(key, those.add(listener));
  unknownLogs.delete(key);
  setTimeout(connect);
  return () => {
    those.delete(listener);
    if (those.size === 0) logs.delete(key);
    setTimeout(connect);
  };
}

const KINDS = ["tasks", "log", "reset", "workspaces"] as const;

/** Sees to it that there is a stream that tells of the log that is looked at. */
function connect(): void {
  const log = [...logs.keys()].filter((key) => !unknownLogs.has(key)).at(-1) ?? null;
  const before = stream;
  if (before !== null && before.readyState !== EventSource.CLOSED && log === streamed) return;
  streamed = log;
  const next = new EventSource(
    apiAddress(
      `/events${log === null ? "" : `?log=${log.split("/").map(encodeURIComponent).join("/")}`}`,
    ),
  );
  stream = next;
  /** Whether nothing is missed until it is open: the one before it tells until then. */
  let isCovered = before !== null && before.readyState === EventSource.OPEN;
  /** Whether the browser can say what it has seen last, when it comes back. */
  let isResumable = false;
  for (const event of KINDS) {
    next.addEventListener(event, (message) => {
      const { data: text, lastEventId } = message as MessageEvent<string>;
      if (lastEventId !== "") isResumable = true;
      const data = JSON.parse(text);
      events.add({ event, data });
    });
  }
  next.addEventListener("open", () => {
    // Only now, so that nothing is missed between the two.
    before?.close();
    if (next !== stream) return;
    set({ connected: true });
    if (!isCovered && !isResumable) readListsAgain();
    isCovered = false;
  });
  next.addEventListener("error", () => {
    if (next !== stream) return;
    set({ connected: false });
    // The browser tries again by itself, but not after an answer that is no stream.
    if (next.readyState !== EventSource.CLOSED) return;
    before?.close();
    comeBack(next, log);
  });
}

/** After an answer that was no stream: without the log that is to blame, or after a while. */
async function comeBack(refused: EventSource, log: string | null): Promise<void> {
  if (log !== null && await isUnknown(log)) unknownLogs.add(log);
  else await new Promise((resolve) => setTimeout(resolve, 2000));
  if (refused === stream) readAnew().then(connect);
}

async function isUnknown(log: string): Promise<boolean> {
  const end = log.lastIndexOf("/");
  try {
    await get(at(log.slice(0, end), "tasks", log.slice(end + 1)));
    return false;
  } catch (error) {
    return error instanceof ApiError && error.status === 404;
  }
}

// ---------------------------------------------------------------------------------------------
// Beginning, and beginning anew

/** Reads all that is shown. */
async function readAnew(): Promise<void> {
  try {
    // Of the workspaces more takes longer than which there are, and views wait for that alone.
    const glances = get<WireWorkspace[]>("/workspaces");
    glances.catch(() => {});
    set({ server: await get<WireServer>("") });
    const workspaces = await glances;
    set({ workspaces, problem: null, ...atAGlance(workspaces) });
    await Promise.all([...lists.values()].map(readList));
  } catch (error) {
    set({ problem: sayError(error) });
  }
}

/** What the list of the workspaces tells of the one that the address names. */
function atAGlance(workspaces: readonly WireWorkspace[]): Partial<ServerState> {
  const found = workspaces.find(({ name }) => name === state.workspace);
  if (found === undefined) return {};
  const { counts, lanes, supervisor } = found;
  return { counts, lanes, supervisor };
}

/** Takes up the workspace that the address names. */
function follow(): void {
  const { workspace } = here();
  if (workspace === null || workspace === state.workspace) return;
  set({ workspace, ...EMPTY });
  set(atAGlance(state.workspaces));
  for (const list of lists.values()) {
    if (list.workspace === workspace) readList(list);
  }
}

/** Fills the store and keeps it; whoever is called has shown that he may. */
export async function startState(): Promise<void> {
  onPlace(follow);
  follow();
  document.addEventListener("visibilitychange", () => {
    if (document.hidden) return;
    for (const list of lists.values()) if (list.listing?.stale) readList(list);
  });
  setTimeout(connect);
  await readAnew();
}
