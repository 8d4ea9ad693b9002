// The last lines of a file, read from its end: a log of a gigabyte costs what its tail costs.

import { openRegular, readExactly } from "../store/files.ts";

/** The end of a file. */
export interface Tail {
  lines: string[];
  /** Size of the whole file, bytes. */
  size: number;
  /** Where reading ended, bytes from the start. */
  end: number;
}

const BLOCK = 64 * 1024;
/** A line longer than this is cut at its start, bytes. */
const MOST = 8 * 1024 * 1024;
const LINE_BREAK = 10;

/**
 * The last lines of a file.
 *
 * @param most no more than this is read, bytes: of a longer line only the end is seen
 * @returns undefined where there is no regular file
 */
export function tailFile(path: string, count: number, most = MOST): Tail | undefined {
  using file = openRegular(path);
  if (file === undefined) return undefined;
  const { size } = file.statSync();
  const start = findTail(file, size, count, most);
  const lines = new TextDecoder().decode(readExactly(file, start, size - start)).split("\n");
  if (lines.at(-1) === "") lines.pop();
  return { lines, size, end: size };
}

/** Where the last lines of a file begin, bytes from its start. */
export function findTail(file: Deno.FsFile, size: number, count: number, most = MOST): number {
  if (count === 0) return size;
  let breaks = 0;
  let start = size;
  while (start > 0 && size - start < most) {
    const length = Math.min(BLOCK, start);
    start -= length;
    const block = readExactly(file, start, length);
    for (let at = block.length - 1; at >= 0; at--) {
      // The one at the very end belongs to the last line.
      if (block[at] !== LINE_BREAK || start + at === size - 1) continue;
      if (++breaks === count) return start + at + 1;
    }
  }
  return start;
}
