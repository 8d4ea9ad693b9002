// Reads the history, from any place on, as whole lines. What happens to its files meanwhile (one becomes
// a part, is compressed, is dropped) is followed; nothing is written.

import { lstat, openRegular } from "./files.ts";
import {
  BREAK,
  type Cursor,
  historyPath,
  listParts,
  LONGEST_LINE,
  type Part,
  partIn,
  partOf,
} from "./history_files.ts";

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
    // One that is younger than what is appended to is none of ours.
    const current = partIn(historyPath(dir)) ?? Infinity;
    const [first] = listParts(dir).filter((part) =>
      part.part < current && part.part >= (next?.part ?? 0) && !isOld(part)
    );
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
    if (part > current) {
      file.close();
      turn++;
      continue;
    }
    yield* chunksOf(file, part, next?.part === part ? next.offset : 0, false);
    return;
  }
}

/** So much is read at once, bytes, where so much is there: who follows reads a line, and again and again. */
const BLOCK = 1024 * 1024;
const LEAST_BLOCK = 4096;

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
  const { size } = file.statSync();
  if (!isCompressed && from > 0) {
    at = isLineStart(file, from, size) ? from : 0;
    file.seekSync(at, Deno.SeekMode.Start);
  }
  const blocks = isCompressed ? inflated(file) : blocksOf(file, size - at);
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

function* blocksOf(file: Deno.FsFile, left: number): Generator<Uint8Array<ArrayBuffer>> {
  try {
    const length = Math.min(BLOCK, Math.max(LEAST_BLOCK, left));
    for (const buffer = new Uint8Array(length);;) {
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
