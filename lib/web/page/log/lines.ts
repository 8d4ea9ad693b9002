// Lines of a log by the bytes that they stand in. A log is cut into chunks of equal size; a line belongs
// to the chunk that it begins in, so that any chunk can be read by itself, whatever came before. Pure.

/** Bytes of a chunk. */
export const CHUNK = 64 * 1024;
/** Of a line no more is read, bytes. */
export const LONGEST_LINE = 1024 * 1024;

/** A line of a log. */
export interface Line {
  /** Its first byte, from the start of the log. */
  readonly from: number;
  /** Without what ends it. */
  readonly text: string;
  /** Whether more of it is there, or may come. */
  readonly open: boolean;
}

/** What a piece of a log has of a chunk. */
export interface ChunkLines {
  /** Those that begin in it. */
  readonly lines: readonly Line[];
  /** Line feeds within it that stand before its first line. */
  readonly skipped: 0 | 1;
  /** Line feeds within it, as far as it was read. */
  readonly feeds: number;
  /** Whether all of its lines are there in full. */
  readonly whole: boolean;
}

const FEED = 10;

/** Number of the chunk that a byte is in. */
export function chunkAt(byte: number): number {
  return Math.floor(byte / CHUNK);
}

/** How many chunks a log of so many bytes has. */
export function countChunks(size: number): number {
  return Math.ceil(size / CHUNK);
}

/** First byte that has to be read for a chunk: the one before it tells whether a line begins with it. */
export function firstByte(chunk: number): number {
  return Math.max(0, chunk * CHUNK - 1);
}

/** Whether more has to be read to have all lines of a chunk in full. */
export function isCut(bytes: Uint8Array, chunk: number): boolean {
  const from = firstByte(chunk);
  const last = (chunk + 1) * CHUNK - 1 - from;
  if (bytes.length <= last) return true;
  if (bytes.indexOf(FEED, last) >= 0) return false;
  // Whether a line begins in it at all.
  return chunk === 0 || bytes.subarray(0, last).includes(FEED);
}

/**
 * The lines of a chunk.
 *
 * @param bytes of the log, from {@linkcode firstByte} of the chunk on
 */
export function linesOf(bytes: Uint8Array, chunk: number): ChunkLines {
  const base = firstByte(chunk);
  const begin = chunk * CHUNK - base;
  const end = Math.min(bytes.length, begin + CHUNK);
  const decoder = new TextDecoder();
  const lines: Line[] = [];
  const atStart = chunk === 0 || bytes[0] === FEED;
  let from = atStart ? begin : bytes.indexOf(FEED, begin) + 1;
  const skipped = atStart || from === 0 || from > end ? 0 : 1;
  if (!atStart && from === 0) from = bytes.length;
  while (from < end) {
    const feed = bytes.indexOf(FEED, from);
    const to = feed < 0 ? bytes.length : feed;
    const ended = bytes[to - 1] === 13 && to > from ? to - 1 : to;
    lines.push({
      from: base + from,
      text: decoder.decode(bytes.subarray(from, ended)),
      open: feed < 0,
    });
    from = to + 1;
  }
  return { lines, skipped, feeds: countFeeds(bytes, begin, end), whole: !isCut(bytes, chunk) };
}

/** Line feeds in a part of some bytes. */
export function countFeeds(bytes: Uint8Array, from = 0, to = bytes.length): number {
  let count = 0;
  for (let at = bytes.indexOf(FEED, from); at >= 0 && at < to; at = bytes.indexOf(FEED, at + 1)) {
    count++;
  }
  return count;
}

/** Numbers of lines: how many line feeds stand in which chunk, as far as anybody has looked. */
export interface LineIndex {
  /** Tells of a chunk that has all its bytes. */
  note(chunk: number, feeds: number): void;
  isKnown(chunk: number): boolean;
  /** Line feeds before a chunk; undefined where a chunk before it is not known. */
  before(chunk: number): number | undefined;
  /** The first chunk that is not known. */
  readonly unknown: number;
  /** The chunk that a line begins in, from 1; undefined where that is not known. */
  chunkOf(line: number): number | undefined;
}

/** An index that knows nothing yet. */
export function createLineIndex(): LineIndex {
  const counts = new Map<number, number>();
  /** Line feeds before each chunk up to the first that is not known. */
  const sums = [0];
  return {
    note(chunk, feeds) {
      if (chunk < sums.length - 1) return;
      counts.set(chunk, feeds);
      for (
        let next = counts.get(sums.length - 1);
        next !== undefined;
        next = counts.get(sums.length - 1)
      ) {
        counts.delete(sums.length - 1);
        sums.push(sums.at(-1)! + next);
      }
    },
    isKnown: (chunk) => chunk < sums.length - 1 || counts.has(chunk),
    before: (chunk) => sums[chunk],
    get unknown() {
      return sums.length - 1;
    },
    chunkOf(line) {
      // A line begins after so many line feeds, the first after none.
      const feeds = line - 1;
      let [low, high] = [0, sums.length - 1];
      if (feeds > sums[high]!) return undefined;
      while (low < high) {
        const middle = (low + high) >> 1;
        if (sums[middle + 1]! >= feeds) high = middle;
        else low = middle + 1;
      }
      return low;
    },
  };
}
