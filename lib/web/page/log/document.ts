// A log of any size, of which only some chunks are in memory: those that are wanted are read one after
// another, the first wanted first, so that what scrolled by before it came is never read. Logs only grow;
// one that is shorter than it was is another one, and is read anew.

import {
  CHUNK,
  chunkAt,
  countChunks,
  countFeeds,
  createLineIndex,
  firstByte,
  isCut,
  type Line,
  type LineIndex,
  linesOf,
  LONGEST_LINE,
} from "./lines.ts";

/** Reads a part of a log: from one byte up to another, less where it ends before. */
export type ReadRange = (
  from: number,
  to: number,
  signal: AbortSignal,
) => Promise<{ bytes: Uint8Array; size: number }>;

/** A chunk that was read. */
export interface LoadedChunk {
  readonly lines: readonly Line[];
  /** Line feeds within it before its first line. */
  readonly skipped: number;
  /** Whether nothing more comes. */
  readonly whole: boolean;
}

/** A log, as far as it is known. */
export interface LogDocument {
  /** Bytes. */
  readonly size: number;
  readonly index: LineIndex;
  /** Why it could not be read; null for nothing. */
  readonly problem: unknown;
  /** Tells how long it is now. */
  grow(size: number): void;
  /** These chunks are to be seen, the first first; what was wanted before is not any more. */
  want(chunks: readonly number[]): void;
  /** A chunk; undefined while it was not read. */
  chunk(chunk: number): LoadedChunk | undefined;
  /** Number of a line, from 1; undefined where nobody has counted so far. */
  numberOf(chunk: number, line: number): number | undefined;
  /**
   * Reads from the start on and counts lines.
   *
   * @param visit gets each piece and its first byte; where there is none, what is counted is not read again
   * @returns whether it came to its end, and was not stopped by `visit` or the signal
   */
  scan(
    signal: AbortSignal,
    visit?: (bytes: Uint8Array, from: number) => boolean | void,
    progress?: (bytes: number) => void,
  ): Promise<boolean>;
  close(): void;
}

interface Kept extends LoadedChunk {
  /** What was read; empty where nothing more comes. */
  readonly bytes: Uint8Array;
  /** Byte after the last that was read. */
  readonly end: number;
}

/** Chunks in memory. */
const MOST_KEPT = 48;
/** A line is read at once that ends so shortly after its chunk, bytes. */
const SLACK = 4 * 1024;
/** What is read at a time of a line that is longer, and of what is only counted, bytes. */
const STEP = 1024 * 1024;

/**
 * Opens a log.
 *
 * @param changed is called whenever more is known
 */
export function openLog(read: ReadRange, changed: () => void): LogDocument {
  const closing = new AbortController();
  let size = 0;
  let index = createLineIndex();
  let problem: unknown = null;
  let wanted: readonly number[] = [];
  let working = false;
  /** Counts how often it was found to be another log. */
  let life = 0;
  const kept = new Map<number, Kept>();

  function grow(now: number): void {
    if (now < size) {
      kept.clear();
      index = createLineIndex();
      life++;
    }
    if (now === size) return;
    size = now;
    problem = null;
    changed();
    work();
  }

  function isMissing(chunk: number): boolean {
    if (chunk < 0 || chunk >= countChunks(size)) return false;
    const found = kept.get(chunk);
    return found === undefined || (!found.whole && found.end < size);
  }

  async function work(): Promise<void> {
    if (working) return;
    working = true;
    try {
      for (;;) {
        const next = wanted.find(isMissing);
        if (next === undefined || closing.signal.aborted) break;
        await load(next);
        changed();
      }
    } catch (error) {
      if (!closing.signal.aborted) {
        problem = error;
        changed();
      }
    } finally {
      working = false;
    }
  }

  async function load(chunk: number): Promise<void> {
    const born = life;
    const before = kept.get(chunk);
    const from = firstByte(chunk);
    let bytes = before?.bytes ?? new Uint8Array();
    let end = from + bytes.length;
    const isFull = () => bytes.length >= LONGEST_LINE + CHUNK;
    while (isCut(bytes, chunk) && end < size && !isFull()) {
      const first = (chunk + 1) * CHUNK + SLACK;
      // It may be told of growth that the answer does not know of yet.
      const known = size;
      const piece = await read(
        end,
        Math.min(size, end < first ? first : end + STEP),
        closing.signal,
      );
      if (born !== life) return;
      if (piece.size < known || piece.bytes.length === 0) return grow(piece.size);
      bytes = join(bytes, piece.bytes);
      end = from + bytes.length;
    }
    const { lines, skipped, feeds, whole } = linesOf(bytes, chunk);
    if (end >= (chunk + 1) * CHUNK) index.note(chunk, feeds);
    const isWhole = whole || isFull();
    kept.delete(chunk);
    kept.set(chunk, {
      lines,
      skipped,
      whole: isWhole,
      end,
      bytes: isWhole ? new Uint8Array() : bytes,
    });
    for (const old of kept.keys()) {
      if (kept.size <= MOST_KEPT) break;
      if (!wanted.includes(old)) kept.delete(old);
    }
  }

  async function scan(
    signal: AbortSignal,
    visit?: (bytes: Uint8Array, from: number) => boolean | void,
    progress?: (bytes: number) => void,
  ): Promise<boolean> {
    const stop = AbortSignal.any([signal, closing.signal]);
    const born = life;
    let from = visit === undefined ? index.unknown * CHUNK : 0;
    while (from < size) {
      if (stop.aborted || born !== life) return false;
      const known = size;
      const { bytes, size: now } = await read(from, Math.min(size, from + STEP), stop);
      if (stop.aborted || born !== life) return false;
      if (now < known || bytes.length === 0) {
        grow(now);
        return false;
      }
      for (let at = 0; at + CHUNK <= bytes.length; at += CHUNK) {
        index.note(chunkAt(from + at), countFeeds(bytes, at, at + CHUNK));
      }
      if (visit?.(bytes, from) === false) return false;
      from += bytes.length;
      progress?.(from);
      // A piece may have been shorter than was asked for; chunks are counted whole.
      if (visit === undefined) from -= from % CHUNK;
      if (visit === undefined && from + CHUNK > size) break;
      changed();
    }
    return true;
  }

  return {
    get size() {
      return size;
    },
    get index() {
      return index;
    },
    get problem() {
      return problem;
    },
    grow,
    want(chunks) {
      wanted = chunks;
      if (problem === null) work();
    },
    chunk(chunk) {
      const found = kept.get(chunk);
      if (found === undefined) return undefined;
      // What was looked at last is forgotten last.
      kept.delete(chunk);
      kept.set(chunk, found);
      return found;
    },
    numberOf(chunk, line) {
      const before = index.before(chunk);
      const found = kept.get(chunk);
      if (before === undefined || found === undefined) return undefined;
      return before + found.skipped + line + 1;
    },
    scan,
    close: () => closing.abort(),
  };
}

function join(a: Uint8Array, b: Uint8Array): Uint8Array {
  if (a.length === 0) return b;
  const both = new Uint8Array(a.length + b.length);
  both.set(a);
  both.set(b, a.length);
  return both;
}
