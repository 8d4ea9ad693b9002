// Notices that something changed in a folder: names of files, gathered until somebody asks. Where
// the system does not let us watch, nothing is ever reported and the caller's rescan does it all.
//
// All watching of this process goes through here, for Deno has one thread for all of it, and that thread
// opens what has changed: at a pipe it waits until somebody writes to it, and whoever then asks for another
// watch, or closes one, waits for the thread, for good. Pipes are therefore held open, and a watch is begun
// beside others, or closed, only right after the thread was heard. Nothing is kept beyond the process.

import { lstat, messageOf } from "./files.ts";

/** Changes in a folder, gathered. */
export interface FolderWatch extends Disposable {
  /** Whether the system watches for us. */
  readonly active: boolean;
  /** Names of the files that changed since the last call; temporary files left out. */
  take(): Set<string>;
  /** Fulfilled when something changed since the last {@linkcode take}. */
  changed(): Promise<void>;
  /** How often the system has told of something, temporary files included. */
  readonly heard: number;
  /** Makes a change that is told of where any is; whether it could be made. */
  knock(): boolean;
}

/** More pipes than these are not held open: at one more changes are not told of, and nobody waits. */
const MOST_HELD = 512;
/** What the thread does not tell of within this it does not tell of at all, milliseconds. */
const PATIENCE = 1000;
/** Milliseconds until the thread is asked again after it was silent. */
const AGAIN = 5000;
/** Milliseconds for which a folder is watched after nobody asks any more: most of us end before. */
const LINGER = 50;
/** In no more folders is the thread asked: one that answers is enough. */
const ASKED = 3;

/** A folder that Deno watches for this process. */
interface Watched {
  readonly path: string;
  /** Which folder it was: another one may have its name by now. */
  readonly identity: string;
  readonly watcher: Deno.FsWatcher;
  readonly listeners: Set<Listener>;
}

interface Listener {
  /** Told each name that has changed, null for what is not to be told on. */
  told(name: string | null): void;
  failed(reason: string): void;
}

const folders = new Map<string, Watched>();
/** Pipes that are held open, by path, as long as they are there: closing one is told of as a change. */
const held = new Map<string, { file: Deno.FsFile; identity: string }>();
/** Called when the thread was heard. */
const hearers = new Set<() => void>();

/**
 * Watches a folder, not what is in its folders.
 *
 * @param path the folder
 * @param onProblem called once where watching is not to be had, with the reason
 */
export function watchFolder(path: string, onProblem?: (reason: string) => void): FolderWatch {
  let names = new Set<string>();
  let wake: (() => void) | undefined;
  let heard = 0;
  let watched: Watched | undefined;
  let isOver = false;
  const began = Date.now();
  const add = (name: string) => {
    names.add(name);
    wake?.();
  };
  const listener: Listener = {
    told(name) {
      heard++;
      if (name !== null) add(name);
    },
    failed: (reason) => onProblem?.(reason),
  };
  function join(): void {
    try {
      watched = joinFolder(path, listener);
    } catch (error) {
      onProblem?.(messageOf(error));
    }
  }
  async function joinLater(): Promise<void> {
    while (!await answers()) {
      await unrefPause(AGAIN);
      if (isOver) return;
    }
    if (isOver) return;
    join();
    if (watched !== undefined) changedSince(path, began).forEach(add);
  }
  if (folders.size === 0 || isWatched(path)) join();
  else joinLater();
  return {
    get active() {
      return watched !== undefined;
    },
    take() {
      const taken = names;
      names = new Set();
      return taken;
    },
    changed() {
      if (names.size > 0) return Promise.resolve();
      return new Promise((resolve) => {
        wake = () => {
          wake = undefined;
          resolve();
        };
      });
    },
    get heard() {
      return heard;
    },
    knock: () => knockAt(path),
    [Symbol.dispose]() {
      isOver = true;
      watched?.listeners.delete(listener);
      if (watched?.listeners.size === 0) closeUnused();
    },
  };
}

const identityOf = (path: string): string | undefined => {
  const info = lstat(path);
  return info === undefined ? undefined : `${info.dev} ${info.ino}`;
};

function isWatched(path: string): boolean {
  const watched = folders.get(path);
  return watched !== undefined && watched.identity === identityOf(path);
}

/** Listens to a folder, which is watched from now on where it was not yet. */
function joinFolder(path: string, listener: Listener): Watched {
  const before = folders.get(path);
  const watched = before !== undefined && isWatched(path) ? before : openFolder(path);
  watched.listeners.add(listener);
  return watched;
}

function openFolder(path: string): Watched {
  const identity = identityOf(path) ?? "";
  folders.get(path)?.watcher.close();
  folders.delete(path);
  const watcher = Deno.watchFs(path, { recursive: false });
  const watched: Watched = { path, identity, watcher, listeners: new Set() };
  folders.set(path, watched);
  pump(watched);
  return watched;
}

/** Tells on what the system tells, until the watch is closed. */
async function pump({ watcher, listeners }: Watched): Promise<void> {
  try {
    for await (const event of watcher) {
      for (const hearer of hearers) hearer();
      for (const changed of event.paths) {
        const name = changed.slice(
          Math.max(changed.lastIndexOf("/"), changed.lastIndexOf("\\")) + 1,
        );
        // Somebody has closed it; what was written was told of before.
        const isNews = event.kind !== "access" && !name.endsWith(".tmp");
        for (const listener of listeners) listener.told(isNews ? name : null);
      }
    }
  } catch (error) {
    for (const listener of listeners) listener.failed(messageOf(error));
  }
}

function knockAt(path: string): boolean {
  const file = `${path}/knock-${crypto.randomUUID()}.${Deno.pid}.tmp`;
  try {
    Deno.openSync(file, { write: true, createNew: true, mode: 0o600 }).close();
    Deno.removeSync(file);
    return true;
  } catch {
    return false;
  }
}

let asking: Promise<boolean> | undefined;

/**
 * Whether the thread that watches is at work, after it was let go from pipes. Where nothing may be written
 * to any folder nothing can be found out, and it is taken to be.
 */
function answers(): Promise<boolean> {
  return asking ??= ask().finally(() => asking = undefined);
}

async function ask(): Promise<boolean> {
  holdPipes();
  const { promise, resolve } = Promise.withResolvers<boolean>();
  const hearer = () => resolve(true);
  hearers.add(hearer);
  const timer = setTimeout(() => resolve(false), PATIENCE);
  let asked = 0;
  for (const { path } of [...folders.values()].reverse()) {
    if (asked < ASKED && isWatched(path) && knockAt(path)) asked++;
  }
  if (asked === 0) resolve(true);
  const isHeard = await promise;
  clearTimeout(timer);
  hearers.delete(hearer);
  // What has come since must not be met by what is done now.
  if (isHeard) holdPipes();
  return isHeard;
}

/** Whether it is about to be found out which folders nobody asks for. */
let isClosing = false;

/** Ends the watches that nobody listens to; where the thread is silent they stay, for we would wait. */
async function closeUnused(): Promise<void> {
  if (isClosing) return;
  isClosing = true;
  await unrefPause(LINGER);
  isClosing = false;
  if (!await answers()) return;
  for (const { path, watcher, listeners } of [...folders.values()]) {
    if (listeners.size > 0) continue;
    watcher.close();
    folders.delete(path);
  }
}

/** Holds open the pipes in all folders that are watched: who waits at one goes on. */
export function holdPipes(): void {
  for (const [path, { file, identity }] of held) {
    if (identityOf(path) === identity) continue;
    held.delete(path);
    file.close();
  }
  for (const folder of folders.keys()) {
    try {
      for (const { name, isFile, isDirectory, isSymlink } of Deno.readDirSync(folder)) {
        if (!isFile && !isDirectory && !isSymlink) holdOpen(`${folder}/${name}`);
      }
    } catch {
      // Gone, or not for us to read.
    }
  }
}

function holdOpen(path: string): void {
  if (held.has(path) || held.size >= MOST_HELD || !lstat(path)?.isFifo) return;
  try {
    // For both: then it waits for nobody, fifo(7).
    const file = Deno.openSync(path, { read: true, write: true });
    const { isFifo, dev, ino } = file.statSync();
    if (isFifo) held.set(path, { file, identity: `${dev} ${ino}` });
    else file.close();
  } catch {
    // Not for us to open, or gone.
  }
}

/** Names of what has changed in a folder since a time, milliseconds since the epoch, or shortly before. */
function changedSince(path: string, since: number): string[] {
  const from = since - PATIENCE;
  try {
    return [...Deno.readDirSync(path)].map(({ name }) => name).filter((name) => {
      if (name.endsWith(".tmp")) return false;
      const info = lstat(`${path}/${name}`);
      return info !== undefined && (info.ctime ?? info.mtime ?? new Date()).getTime() >= from;
    });
  } catch {
    return [];
  }
}

/** Waits, and keeps no process from ending. */
function unrefPause(milliseconds: number): Promise<void> {
  return new Promise((resolve) => Deno.unrefTimer(setTimeout(resolve, milliseconds)));
}
