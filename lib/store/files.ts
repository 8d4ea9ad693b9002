// Files as a crash-only program writes and reads them: under another name, synced, renamed, so that
// readers never see half a file and a kill at any point leaves the old or the new content. Nothing
// here knows what a task is.

import { OrchestraError } from "../task/error.ts";

const encoder = new TextEncoder();
/** Largest file that is read, bytes. */
export const MAX_TASK = 64 * 1024 * 1024;

/** What task files are read into, one after the other; it grows with the largest. */
let buffer = new Uint8Array(64 * 1024);
const decoder = new TextDecoder();

/** So long others may have a file open that is to be replaced or removed, milliseconds. */
const CHANGING = 2000;
/** And so long one that is to be read: one that we may never read is told in the same words. */
const READING = 100;

/**
 * Does what Windows refuses as long as somebody else has a file open in another way: a reader of ours for
 * a moment, a virus scanner or an indexer for longer. Elsewhere it is done at once, or not.
 *
 * @param path the file; a folder in its place is not waited for
 * @param within milliseconds after which it is given up, with the system's error
 */
export function whenShared<T>(
  path: string,
  act: () => T,
  within: number = CHANGING,
  windows: boolean = Deno.build.os === "windows",
): T {
  if (!windows) return act();
  const until = performance.now() + within;
  for (let wait = 1;; wait = Math.min(wait * 2, 50)) {
    try {
      return act();
    } catch (error) {
      if (!isSharingViolation(error) || lstat(path)?.isDirectory) throw error;
      if (performance.now() + wait > until) throw error;
      block(wait);
    }
  }
}

/**
 * A sharing violation (32) or a lock violation (33); or access denied (5), as which most are told. Node.js has
 * words of its own for them.
 */
function isSharingViolation(error: unknown): boolean {
  return /\(os error (?:5|32|33)\)|^(?:EBUSY|EPERM|EACCES):/.test(messageOf(error));
}

/** Gives a file another name, and replaces the file that has it. */
export function renameFile(from: string, to: string): void {
  whenShared(to, () => Deno.renameSync(from, to));
}

/** Nobody ever changes it: waiting for that is a sleep. */
const NEVER = new Int32Array(new SharedArrayBuffer(4));

/** Waits for some milliseconds without a turn of the event loop, for who has nothing else to do. */
export function block(millis: number): void {
  Atomics.wait(NEVER, 0, 0, millis);
}

/** Facts about a path itself, a link not followed; undefined where nothing is or may be seen. */
export function lstat(path: string): Deno.FileInfo | undefined {
  try {
    return Deno.lstatSync(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound || error instanceof Deno.errors.NotCapable) {
      return undefined;
    }
    // A path through a file, or one with a NUL in it, leads nowhere.
    if (error instanceof Deno.errors.NotADirectory || error instanceof TypeError) return undefined;
    // On Windows neither does one to a device, or with what no name has (`<`, `?`).
    if (Deno.build.os === "windows" && /\(os error (?:6|123)\)/.test(messageOf(error))) {
      return undefined;
    }
    throw error;
  }
}

/**
 * What changes with the content of a file that is replaced or written to; of a link also with what it
 * leads to. The same for all that is not there.
 */
export function stampOf(path: string): string {
  const stamp = ({ ino, mtime, size }: Deno.FileInfo) => `${ino} ${mtime?.getTime()} ${size}`;
  const info = lstat(path);
  if (info === undefined) return "-";
  if (!info.isSymlink) return stamp(info);
  try {
    return `${stamp(info)} ${stamp(Deno.statSync(path))}`;
  } catch {
    return stamp(info);
  }
}

/** Whether what a file says counts, by whose it is. */
export type Obeyed = (info: Deno.FileInfo) => boolean;

export const FOREIGN = "belongs to another user";

/** How often a file is opened again that was replaced by another one in between. */
const REPLACED = 10;

/** What was opened, and what was known of it before; or why it is not read. */
type Opened = { file: Deno.FsFile; info: Deno.FileInfo } | { problem: string };

/**
 * Opens a file to read it, and looks at what was opened: what has its name must be a regular file, no
 * link among them, and the same before and after. Undefined where there is none.
 *
 * @param foreign others write it: should it be exchanged for a pipe just now, nobody waits at it
 */
function tryOpen(path: string, foreign = false): Opened | undefined {
  for (let turn = 0; turn < REPLACED; turn++) {
    const info = lstat(path);
    if (info === undefined) return undefined;
    if (!info.isFile) return { problem: "is not a regular file" };
    let file: Deno.FsFile;
    try {
      file = foreign ? openWithoutWaiting(path) : openToRead(path);
    } catch (error) {
      if (error instanceof Deno.errors.NotFound) return undefined;
      throw error;
    }
    const opened = file.statSync();
    const isSame = opened.ino === info.ino && opened.dev === info.dev;
    // Numbers of what is gone are given out again.
    if (isSame && opened.isFile) return { file, info };
    file.close();
  }
  return { problem: "is replaced again and again" };
}

function openToRead(path: string): Deno.FsFile {
  return whenShared(path, () => Deno.openSync(path), READING);
}

/**
 * Opens a file for both reading and writing, where that is allowed: then it waits for nobody at a pipe,
 * fifo(7), and there is no other way to say so here. Nothing is written.
 */
function openWithoutWaiting(path: string): Deno.FsFile {
  try {
    return Deno.openSync(path, { read: true, write: true });
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) throw error;
    return openToRead(path);
  }
}

/** The same; undefined too where it is no regular file. */
export function openRegular(path: string): Deno.FsFile | undefined {
  const opened = tryOpen(path);
  return opened !== undefined && "file" in opened ? opened.file : undefined;
}

/** The text of a file that must be a regular one, or why it is not read; undefined where there is none. */
export function tryReadRegular(
  path: string,
  limit: number,
  isObeyed: Obeyed = () => true,
): { text: string } | { problem: string } | undefined {
  const opened = tryOpen(path);
  if (opened === undefined || "problem" in opened) return opened;
  using file = opened.file;
  const { info } = opened;
  if (!isObeyed(info)) return { problem: FOREIGN };
  if (info.size > limit) return { problem: `is too large (${info.size} bytes)` };
  // As the scan reads it: an editor's byte order mark is no part of the text.
  const bytes = readAll(file, limit);
  return bytes === undefined ? { problem: "is too large" } : { text: decoder.decode(bytes) };
}

/**
 * The same, for who cannot go on without it.
 *
 * @param name what it is called in a message
 */
export function readRegular(
  path: string,
  limit: number,
  name: string,
  isObeyed?: Obeyed,
): string | undefined {
  const read = tryReadRegular(path, limit, isObeyed);
  if (read === undefined || "text" in read) return read?.text;
  throw new OrchestraError("damaged", `Reading ${name}: it ${read.problem}`, {
    hint: "Move it out of the way.",
  });
}

/** A file of somebody else's, of which nothing was read. */
export class ForeignFile extends Error {
  constructor() {
    super(FOREIGN);
  }
}

/**
 * The text of a task file; undefined where it is larger than any task. As fast as reading it in one
 * call; what stands under the name must have been looked at before.
 */
export function readBounded(
  path: string,
  isObeyed?: Obeyed,
): string | undefined {
  using file = openToRead(path);
  if (isObeyed !== undefined && !isObeyed(file.statSync())) throw new ForeignFile();
  const bytes = readAll(file, MAX_TASK);
  return bytes === undefined ? undefined : decoder.decode(bytes);
}

/**
 * All bytes of a file, until the next call; undefined where there are more than allowed. No more is ever
 * read: a file of many gigabytes costs no memory.
 */
function readAll(file: Deno.FsFile, most: number): Uint8Array | undefined {
  for (let length = 0;;) {
    length += file.readSync(length === 0 ? buffer : buffer.subarray(length)) ?? 0;
    // A regular file gives less than was asked for only at its end.
    if (length < buffer.length) return length > most ? undefined : buffer.subarray(0, length);
    if (length > most || file.statSync().size > most) return undefined;
    const larger = new Uint8Array(buffer.length * 2);
    larger.set(buffer);
    buffer = larger;
  }
}

/** Reads a part of a file; shorter where the file ends earlier. */
export function readExactly(
  file: Deno.FsFile,
  start: number,
  length: number,
): Uint8Array<ArrayBuffer> {
  file.seekSync(start, Deno.SeekMode.Start);
  const buffer = new Uint8Array(length);
  let at = 0;
  while (at < length) {
    const count = file.readSync(buffer.subarray(at));
    if (count === null) break;
    at += count;
  }
  return buffer.subarray(0, at);
}

/**
 * Opens a file to write to it, made where there is none, and looks at what was opened: undefined where
 * its name is that of something else, a link among them, or is given to something else again and again.
 */
export function openNamed(path: string, options: Deno.OpenOptions): Deno.FsFile | undefined {
  for (let turn = 0; turn < 9; turn++) {
    const before = lstat(path);
    if (before !== undefined && !before.isFile) return undefined;
    // Made only where nothing is: through a link that was put there since, it would be made elsewhere.
    const how = before === undefined ? { ...options, createNew: true, mode: 0o600 } : options;
    let file: Deno.FsFile;
    try {
      file = whenShared(path, () => Deno.openSync(path, how));
    } catch (error) {
      const made = error instanceof Deno.errors.AlreadyExists;
      const gone = error instanceof Deno.errors.NotFound && before !== undefined;
      if (made || gone) continue;
      throw error;
    }
    const named = lstat(path);
    if (named?.isFile === true && named.ino === file.statSync().ino) return file;
    file.close();
    // Removed since, or made anew, it is opened again.
    if (named !== undefined && !named.isFile) return undefined;
  }
  return undefined;
}

/**
 * The first bytes of a file as text, and when it was last written; undefined where there is none. Of what
 * is no regular file, or may not be read, nothing is read.
 *
 * @param foreign others write it; see {@linkcode tryOpen}
 */
export function readHead(
  path: string,
  limit: number,
  foreign = false,
): { text: string; modifiedAt: number; links: number } | undefined {
  let opened: Opened | undefined;
  try {
    opened = tryOpen(path, foreign);
  } catch (error) {
    if (!(error instanceof Deno.errors.PermissionDenied)) throw error;
    opened = { problem: "may not be read" };
  }
  if (opened === undefined) return undefined;
  if ("problem" in opened) {
    const info = lstat(path);
    return info === undefined
      ? undefined
      : { text: "", modifiedAt: info.mtime?.getTime() ?? 0, links: 1 };
  }
  const { info } = opened;
  using file = opened.file;
  // Most hold a few bytes.
  let head = new Uint8Array(Math.min(limit, 4096));
  let length = 0;
  for (;;) {
    const count = file.readSync(head.subarray(length));
    if (count === null) break;
    length += count;
    if (length === limit) break;
    if (length < head.length) continue;
    const larger = new Uint8Array(limit);
    larger.set(head);
    head = larger;
  }
  return {
    text: new TextDecoder().decode(head.subarray(0, length)),
    modifiedAt: info.mtime?.getTime() ?? 0,
    links: info.nlink ?? 1,
  };
}

/**
 * Makes the names in a folder durable, where the system can: not every file system lets folders be
 * synced (FUSE, network shares), and what has its name already must not be told to have failed.
 */
export function syncFolder(path: string): void {
  // Windows neither opens folders as files nor needs it: NTFS journals names by itself.
  if (Deno.build.os === "windows") return;
  try {
    using folder = Deno.openSync(path);
    folder.syncSync();
  } catch (error) {
    // The name is there; whether it survives a power cut is up to the file system.
    if (typeof (error as { code?: unknown }).code !== "string") throw error;
  }
}

/** Writes a new file under a temporary name, on its way to another one. */
export function writeTemporary(temporary: string, text: string, sync = true): void {
  const open = () => Deno.openSync(temporary, { write: true, createNew: true, mode: 0o600 });
  let file: Deno.FsFile;
  try {
    file = open();
  } catch (error) {
    // Left by a process that had our number and was killed.
    if (!(error instanceof Deno.errors.AlreadyExists)) throw error;
    Deno.removeSync(temporary);
    file = open();
  }
  try {
    const bytes = encoder.encode(text);
    for (let at = 0; at < bytes.length;) at += file.writeSync(bytes.subarray(at));
    if (sync) file.syncSync();
    file.close();
  } catch (error) {
    file.close();
    removeFile(temporary);
    throw error;
  }
}

export function replaceFile(
  path: string,
  temporary: string,
  text: string,
  sync: "name" | "content" | "nothing" = "name",
): void {
  writeTemporary(temporary, text, sync !== "nothing");
  try {
    renameFile(temporary, path);
  } catch (error) {
    removeFile(temporary);
    throw error;
  }
  if (sync === "name") syncFolder(path.slice(0, path.lastIndexOf("/")));
}

/** Makes the content of many files durable: all at once where the system can, else one by one. */
export function syncAll(paths: readonly string[], folder: string): void {
  if (Deno.build.os === "linux" && paths.length > 8) {
    try {
      // syncfs(2), by coreutils' sync: one wait for the disk instead of a thousand.
      const { success } = new Deno.Command("sync", {
        args: ["-f", folder],
        stdin: "null",
        stdout: "null",
        stderr: "null",
      }).outputSync();
      if (success) return;
    } catch {
      // No such program, or no permission to start one.
    }
  }
  for (const path of paths) {
    const file = Deno.openSync(path, { read: true, write: true });
    try {
      file.syncSync();
    } finally {
      file.close();
    }
  }
}

/** Gives a file its name, which must be free. */
export function linkOrMove(temporary: string, path: string): void {
  try {
    Deno.linkSync(temporary, path);
  } catch (error) {
    if (error instanceof Deno.errors.AlreadyExists) throw error;
    // A file system without hard links; the caller holds the lock.
    if (lstat(path) !== undefined) throw new Deno.errors.AlreadyExists(path);
    Deno.renameSync(temporary, path);
  }
}

/** Creates a file that appears whole or not at all; false where the name is taken. */
export function createExclusive(path: string, temporary: string, text: string): boolean {
  writeTemporary(temporary, text);
  try {
    Deno.linkSync(temporary, path);
    return true;
  } catch (error) {
    if (error instanceof Deno.errors.AlreadyExists) return false;
    // A file system without hard links: exclusive all the same, but a kill in the middle of the
    // write can leave a file that is reported as damaged.
    const file = openExclusive(path);
    if (file === undefined) return false;
    try {
      const bytes = encoder.encode(text);
      for (let at = 0; at < bytes.length;) at += file.writeSync(bytes.subarray(at));
      file.syncSync();
    } catch (error) {
      // It is ours, and nobody was told of it.
      removeFile(path);
      throw error;
    } finally {
      file.close();
    }
    return true;
  } finally {
    removeFile(temporary);
  }
}

export function openExclusive(path: string): Deno.FsFile | undefined {
  try {
    return Deno.openSync(path, { write: true, createNew: true, mode: 0o600 });
  } catch (error) {
    if (error instanceof Deno.errors.AlreadyExists) return undefined;
    throw error;
  }
}

export function removeFile(path: string): void {
  try {
    whenShared(path, () => Deno.removeSync(path));
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
}

/** Takes what stands in the place of a file of ours out of the way, under a name that says so. */
export function setAside(path: string): void {
  renameFile(path, `${path}.damaged-${Date.now()}`);
}

export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
