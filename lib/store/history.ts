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
import { lstat, openNamed, readExactly, renameFile, replaceFile, setAside } from "./files.ts";
import { BREAK, currentPart, historyPath, listParts, LONGEST_LINE } from "./history_files.ts";

/** A file larger than this becomes a part, bytes. */
const PART = 8 * 1024 * 1024;
/** Of what a killed process left in the lock file no more than this is read, bytes. */
const MOST_LEFT = 64 * 1024 * 1024;
/** Stands before the lines of each write in the lock file. */
const WRITE = "#\n";

const encoder = new TextEncoder();
const decoder = new TextDecoder();

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
  const text = decoder.decode(readExactly(lock, 0, Math.min(left, MOST_LEFT)));
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
  const last = openLast(dir, mayBeThere);
  if (last.size === 0) {
    // Windows replaces no file that is open.
    last.file.close();
    begin(dir, last.next, lines, witness);
    return;
  }
  using file = last.file;
  let { size } = last;
  let more = lines;
  // Somebody's editor, or a power cut, left a line without its end: ours is one of its own.
  if (!mayBeThere && readExactly(file, size - 1, 1)[0] !== BREAK) more = ["", ...lines];
  if (mayBeThere) {
    const length = lines.reduce((sum, line) => sum + 4 * line.length + 1, 0);
    const there = mend(historyPath(dir), size, length);
    size = there.size;
    more = lines.filter((line) => !there.lines.has(line));
  }
  write(file, size, more);
}

/** The file that is appended to, its size, and its number where it is a new one. */
function openLast(
  dir: string,
  mayBeThere: boolean,
): { file: Deno.FsFile; size: number; next?: number } {
  const path = historyPath(dir);
  const file = open(path);
  const { size } = file.statSync();
  if (size <= PART || mayBeThere) return { file, size };
  file.close();
  const next = becomePart(dir) + 1;
  const fresh = open(path);
  return { file: fresh, size: fresh.statSync().size, next };
}

/**
 * Begins a file, which appears whole: with the past, where there is no history yet.
 *
 * @param number of the file; found out where absent
 */
function begin(
  dir: string,
  number: number | undefined,
  lines: readonly string[],
  witness: Witness,
): void {
  const parts = listParts(dir);
  const header = JSON.stringify({ history: 1, part: number ?? (parts.at(-1)?.part ?? 0) + 1 });
  const past = parts.length === 0 ? witness.past() : [];
  const known = new Set(past.map(keyIn));
  const fresh = lines.filter((line) => !known.has(keyIn(line)));
  const path = historyPath(dir);
  const text = [header, ...past, ...fresh].join("\n") + "\n";
  replaceFile(path, `${path}.${Deno.pid}.tmp`, text, "nothing");
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
  using file = openNamed(path, { read: true, write: true });
  if (file === undefined) throw new Error(`${path} is replaced again and again`);
  const start = Math.max(0, size - length - LONGEST_LINE);
  const bytes = readExactly(file, start, size - start);
  const end = bytes.lastIndexOf(BREAK) + 1;
  if (end < bytes.length) file.truncateSync(start + end);
  return { lines: new Set(decoder.decode(bytes.subarray(0, end)).split("\n")), size: start + end };
}

function keyIn(line: string): string {
  return parseEvent(line)?.key ?? line;
}

/**
 * The file that is appended to becomes a part; inside the lock.
 *
 * @returns its number
 */
function becomePart(dir: string): number {
  const folder = `${dir}/history`;
  const info = lstat(folder);
  if (info !== undefined && (!info.isDirectory || info.isSymlink)) setAside(folder);
  Deno.mkdirSync(folder, { recursive: true, mode: 0o700 });
  const number = currentPart(dir);
  const path = `${folder}/${String(number).padStart(6, "0")}.jsonl`;
  // Put there by somebody else.
  for (const taken of [path, `${path}.gz`]) if (lstat(taken) !== undefined) setAside(taken);
  renameFile(historyPath(dir), path);
  return number;
}
