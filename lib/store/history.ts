// The history on disk: one line for each thing that happened, appended under the workspace lock.
//
// What is about to be written to a task is told to the lock file first, which is open anyway; when the
// section ends, its lines go to `history.jsonl` in one write, and the lock file is emptied. Killed in
// between, whoever takes the lock next finds lines there: all but those of the last write happened, and
// for those the task's own file says so. So nothing is missing, and nothing is told that did not happen.
//
// A file that has grown large becomes a part of `history/`; whoever watches compresses parts and drops
// the oldest. A reader goes through them in order, by a cursor that says where in which part it is.

import { parseEvent } from "../task/event.ts";
import { lstat, openNamed, openRegular, setAside } from "./files.ts";

/** A file larger than this becomes a part, bytes. */
const PART = 8 * 1024 * 1024;
/** A longer line is none of ours, bytes. */
export const LONGEST_LINE = 1024 * 1024;
/** Of what a killed process left in the lock file no more than this is read, bytes. */
const MOST_LEFT = 64 * 1024 * 1024;
/** Stands before the lines of each write in the lock file. */
const WRITE = "#\n";
const BREAK = 10;

const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** The file that is appended to. */
export function historyPath(dir: string): string {
  return `${dir}/history.jsonl`;
}

/** What goes on in one locked section. */
export interface Section {
  /**
   * Tells what is about to happen, lines without their ends.
   *
   * @returns takes it back: it did not happen
   */
  intend(lines: readonly string[]): () => void;
  /** What was told has happened: it becomes history. */
  end(): void;
}

/** Who knows about tasks. */
export interface Witness {
  /** Whether what a line tells has happened. */
  hasHappened(line: string): boolean;
  /** The lines of all that has happened so far, for a workspace that has no history yet. */
  past(): string[];
  /** Told of what cannot be written: it is tried again in the next section. */
  problem(error: unknown): void;
}

/**
 * Begins a locked section; what a killed process left is made history first.
 *
 * @param lock the lock file, held
 * @param left its size, bytes
 */
export function beginSection(
  dir: string,
  lock: Deno.FsFile,
  left: number,
  witness: Witness,
): Section {
  /** Lines that happened and are not in the history yet. */
  let owed: string[] = [];
  let size = 0;
  /** Where the next write to the lock file goes by itself. */
  let position = 0;
  if (left > 0) {
    const found = readLeft(lock, left, witness);
    owed = found.lines;
    size = found.size;
    position = -1;
    if (size !== left) lock.truncateSync(size);
    flush();
  }

  function flush(): void {
    if (owed.length === 0 && size === 0) return;
    try {
      append(dir, owed, left > 0, witness);
      left = 0;
      owed = [];
      lock.truncateSync(0);
      size = 0;
    } catch (error) {
      // A full disk: the lines stay in the lock file.
      left = size;
      witness.problem(error);
    }
  }

  return {
    intend(lines) {
      if (lines.length === 0) return () => {};
      const bytes = encoder.encode(`${WRITE}${lines.join("\n")}\n`);
      const before = size;
      const back = () => {
        lock.truncateSync(before);
        size = before;
      };
      try {
        if (position !== size) lock.seekSync(size, Deno.SeekMode.Start);
        position = -1;
        for (let at = 0; at < bytes.length;) at += lock.writeSync(bytes.subarray(at));
      } catch (error) {
        back();
        throw error;
      }
      size += bytes.length;
      position = size;
      const count = owed.length;
      owed.push(...lines);
      return () => {
        owed.length = count;
        back();
      };
    },
    end: flush,
  };
}

/** What a killed process left in the lock file and has happened, and how much of the file that is. */
function readLeft(
  lock: Deno.FsFile,
  left: number,
  witness: Witness,
): { lines: string[]; size: number } {
  const text = decoder.decode(readFrom(lock, 0, Math.min(left, MOST_LEFT)));
  const last = text.lastIndexOf(`\n${WRITE}`) + 1;
  const before = linesOf(text.slice(0, last));
  let kept = text.slice(0, last);
  let some = text.slice(last);
  // The write itself was cut short: what it announced was not begun.
  if (!some.endsWith("\n")) some = "";
  const lines: string[] = [];
  for (const line of linesOf(some)) {
    // One write tells of one change, or of many tasks that appear one after the other.
    if (!witness.hasHappened(line)) break;
    lines.push(line);
  }
  if (lines.length > 0) kept += `${WRITE}${lines.join("\n")}\n`;
  return { lines: [...before, ...lines], size: encoder.encode(kept).length };
}

function linesOf(text: string): string[] {
  return text.split("\n").filter((line) => line.startsWith("{") && parseEvent(line) !== undefined);
}

/** Adds lines to the history, all in one write. */
function append(
  dir: string,
  lines: readonly string[],
  mayBeThere: boolean,
  witness: Witness,
): void {
  if (lines.length === 0) return;
  const path = historyPath(dir);
  let file = open(path);
  try {
    let { size } = file.statSync();
    if (size > PART && !mayBeThere) {
      file.close();
      becomePart(dir);
      file = open(path);
      size = file.statSync().size;
    }
    if (size === 0) {
      const parts = listParts(dir);
      const header = JSON.stringify({ history: 1, part: (parts.at(-1)?.part ?? 0) + 1 });
      const past = parts.length === 0 ? witness.past() : [];
      const known = new Set(past.map(keyIn));
      const fresh = lines.filter((line) => !known.has(keyIn(line)));
      write(file, 0, [header, ...past, ...fresh]);
      return;
    }
    let more = lines;
    // Somebody's editor, or a power cut, left a line without its end: ours is one of its own.
    if (!mayBeThere && readFrom(file, size - 1, 1)[0] !== BREAK) more = ["", ...lines];
    if (mayBeThere) {
      const there = mend(path, size, lines.reduce((sum, line) => sum + 4 * line.length + 1, 0));
      size = there.size;
      more = lines.filter((line) => !there.lines.has(line));
    }
    write(file, size, more);
  } finally {
    file.close();
  }
}

/** Opens the file to append to it; what else has its name is set aside. */
function open(path: string): Deno.FsFile {
  const options = { read: true, append: true } as const;
  let file: Deno.FsFile | undefined;
  try {
    file = openNamed(path, options);
  } catch (error) {
    if (!(error instanceof Deno.errors.PermissionDenied)) throw error;
  }
  if (file === undefined) {
    setAside(path);
    file = openNamed(path, options);
  }
  if (file === undefined) throw new Error(`${path} is replaced again and again`);
  return file;
}

/** Writes whole lines at the end of a file, or none. */
function write(file: Deno.FsFile, size: number, lines: readonly string[]): void {
  if (lines.length === 0) return;
  const bytes = encoder.encode(lines.join("\n") + "\n");
  try {
    for (let at = 0; at < bytes.length;) at += file.writeSync(bytes.subarray(at));
  } catch (error) {
    file.truncateSync(size);
    throw error;
  }
}

/**
 * The last lines of a file, where a killed process may have written them already; a line that it wrote
 * by half is cut off.
 */
function mend(path: string, size: number, length: number): { lines: Set<string>; size: number } {
  using file = Deno.openSync(path, { read: true, write: true });
  const start = Math.max(0, size - length - LONGEST_LINE);
  const bytes = readFrom(file, start, size - start);
  const end = bytes.lastIndexOf(BREAK) + 1;
  if (end < bytes.length) file.truncateSync(start + end);
  return { lines: new Set(decoder.decode(bytes.subarray(0, end)).split("\n")), size: start + end };
}

function keyIn(line: string): string {
  return parseEvent(line)?.key ?? line;
}

/** One file of the history. */
export interface Part {
  /** Its number; those that follow each other have numbers that do. */
  readonly part: number;
  readonly path: string;
  readonly isCompressed: boolean;
}

/** The parts that are complete, oldest first. */
export function listParts(dir: string): Part[] {
  const folder = `${dir}/history`;
  if (!lstat(folder)?.isDirectory) return [];
  const parts = new Map<number, Part>();
  for (const { name, isFile } of Deno.readDirSync(folder)) {
    const match = /^(\d{1,9})\.jsonl(\.gz)?$/.exec(name);
    if (match === null || !isFile) continue;
    const part = Number(match[1]);
    const isCompressed = match[2] !== undefined;
    // Killed while it was compressed, both are there and say the same.
    if (parts.get(part)?.isCompressed === false) continue;
    parts.set(part, { part, path: `${folder}/${name}`, isCompressed });
  }
  return [...parts.values()].sort((a, b) => a.part - b.part);
}

/** The file that is appended to becomes a part; inside the lock. */
function becomePart(dir: string): void {
  const folder = `${dir}/history`;
  const info = lstat(folder);
  if (info !== undefined && (!info.isDirectory || info.isSymlink)) setAside(folder);
  Deno.mkdirSync(folder, { recursive: true, mode: 0o700 });
  const last = listParts(dir).at(-1)?.part ?? 0;
  const number = Math.max(partIn(historyPath(dir)) ?? 0, last + 1);
  Deno.renameSync(historyPath(dir), `${folder}/${String(number).padStart(6, "0")}.jsonl`);
}

/** The number that a file's first line tells. */
function partIn(path: string): number | undefined {
  using file = openRegular(path);
  return file === undefined ? undefined : partOf(file);
}

function partOf(file: Deno.FsFile): number | undefined {
  const bytes = new Uint8Array(128);
  file.seekSync(0, Deno.SeekMode.Start);
  const count = file.readSync(bytes) ?? 0;
  file.seekSync(0, Deno.SeekMode.Start);
  const match = /^\{"history":1,"part":(\d{1,9})\}\n/.exec(
    decoder.decode(bytes.subarray(0, count)),
  );
  return match === null ? undefined : Number(match[1]);
}

/** A place in the history. */
export interface Cursor {
  readonly part: number;
  /** Bytes from the start of the part, uncompressed. */
  readonly offset: number;
}

/** As it is given out. */
export function formatCursor({ part, offset }: Cursor): string {
  return `${part}.${offset}`;
}

/** Undefined for what is no cursor. */
export function parseCursor(text: string): Cursor | undefined {
  const match = /^(\d{1,9})\.(\d{1,15})$/.exec(text);
  return match === null ? undefined : { part: Number(match[1]), offset: Number(match[2]) };
}

/** The place after the last whole line. */
export function historyEnd(dir: string): Cursor {
  const next = (listParts(dir).at(-1)?.part ?? 0) + 1;
  using file = openRegular(historyPath(dir));
  if (file === undefined) return { part: next, offset: 0 };
  const part = partOf(file) ?? next;
  const { size } = file.statSync();
  const start = Math.max(0, size - LONGEST_LINE);
  const bytes = readFrom(file, start, size - start);
  return { part, offset: start + bytes.lastIndexOf(BREAK) + 1 };
}

/** Bytes of an open file from a place on; fewer where it ends before. */
function readFrom(file: Deno.FsFile, start: number, length: number): Uint8Array {
  const bytes = new Uint8Array(length);
  file.seekSync(start, Deno.SeekMode.Start);
  let read = 0;
  while (read < length) {
    const count = file.readSync(bytes.subarray(read));
    if (count === null) break;
    read += count;
  }
  return bytes.subarray(0, read);
}

/** Some whole lines of one part. */
export interface Chunk {
  readonly part: number;
  /** Where the first of them begins. */
  readonly start: number;
  readonly bytes: Uint8Array<ArrayBuffer>;
}

/** What is read of the history. */
export interface ReadOptions {
  /** Begin there; with the oldest where absent. */
  from?: Cursor;
  /** Leave out parts that were complete before this time, milliseconds since the epoch. */
  since?: number;
}

/** How often a part is looked for again that is compressed or dropped just now. */
const AGAIN = 100;

/**
 * Reads the history as far as it is written, oldest first. What is not whole at its end is not read. A
 * cursor that points nowhere (its part was dropped, a file was replaced) begins with what is there.
 */
export async function* readHistory(dir: string, options: ReadOptions = {}): AsyncGenerator<Chunk> {
  let next = options.from;
  const isOld = ({ path }: Part) =>
    next === undefined && options.since !== undefined &&
    (lstat(path)?.mtime?.getTime() ?? Infinity) < options.since;
  for (let turn = 0; turn < AGAIN;) {
    const parts = listParts(dir).filter((part) => part.part >= (next?.part ?? 0) && !isOld(part));
    const [first] = parts;
    if (first !== undefined) {
      const file = openRegular(first.path);
      if (file === undefined) {
        turn++;
        continue;
      }
      const from = next?.part === first.part ? next.offset : 0;
      yield* chunksOf(file, first.part, from, first.isCompressed);
      next = { part: first.part + 1, offset: 0 };
      continue;
    }
    const file = openRegular(historyPath(dir));
    if (file === undefined) return;
    const part = partOf(file) ?? (listParts(dir).at(-1)?.part ?? 0) + 1;
    // The one that we are after has become a part since.
    if (
      next !== undefined && listParts(dir).some((one) => one.part >= next!.part && one.part < part)
    ) {
      file.close();
      turn++;
      continue;
    }
    yield* chunksOf(file, part, next?.part === part ? next.offset : 0, false);
    return;
  }
}

const BLOCK = 1024 * 1024;

/** The whole lines of an open file, from one place on. */
async function* chunksOf(
  file: Deno.FsFile,
  part: number,
  from: number,
  isCompressed: boolean,
): AsyncGenerator<Chunk> {
  let carry = new Uint8Array(0);
  /** A line that is too long is passed over up to its end. */
  let skipping = false;
  let at = 0;
  if (!isCompressed && from > 0) {
    const { size } = file.statSync();
    at = isLineStart(file, from, size) ? from : 0;
    file.seekSync(at, Deno.SeekMode.Start);
  }
  const blocks = isCompressed ? inflated(file) : blocksOf(file);
  for await (const block of blocks) {
    let bytes = block;
    if (isCompressed && at + bytes.length <= from) {
      at += bytes.length;
      continue;
    }
    if (isCompressed && at < from) {
      bytes = bytes.subarray(from - at);
      at = from;
    }
    const end = bytes.lastIndexOf(BREAK) + 1;
    if (end === 0) {
      if (skipping || carry.length + bytes.length > LONGEST_LINE) {
        skipping = true;
        at += carry.length + bytes.length;
        carry = new Uint8Array(0);
      } else carry = joined(carry, bytes);
      continue;
    }
    if (skipping) {
      const first = bytes.indexOf(BREAK) + 1;
      skipping = false;
      at += first;
      bytes = bytes.subarray(first);
      if (end > first) yield { part, start: at, bytes: bytes.slice(0, end - first) };
      at += end - first;
      carry = bytes.slice(end - first);
      continue;
    }
    const whole = joined(carry, bytes.subarray(0, end));
    yield { part, start: at, bytes: whole };
    at += whole.length;
    carry = bytes.slice(end);
  }
}

function joined(one: Uint8Array, other: Uint8Array): Uint8Array<ArrayBuffer> {
  const both = new Uint8Array(one.length + other.length);
  both.set(one);
  both.set(other, one.length);
  return both;
}

function isLineStart(file: Deno.FsFile, offset: number, size: number): boolean {
  if (offset > size) return false;
  file.seekSync(offset - 1, Deno.SeekMode.Start);
  const byte = new Uint8Array(1);
  return file.readSync(byte) === 1 && byte[0] === BREAK;
}

function* blocksOf(file: Deno.FsFile): Generator<Uint8Array<ArrayBuffer>> {
  try {
    for (const buffer = new Uint8Array(BLOCK);;) {
      const count = file.readSync(buffer);
      if (count === null) return;
      yield buffer.subarray(0, count);
    }
  } finally {
    file.close();
  }
}

async function* inflated(file: Deno.FsFile): AsyncGenerator<Uint8Array<ArrayBuffer>> {
  try {
    yield* file.readable.pipeThrough(new DecompressionStream("gzip"));
  } catch {
    // Damaged from here on: what came before counts.
  }
}
