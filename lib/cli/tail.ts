// The last lines of a file, read from its end: a log of a gigabyte costs what its tail costs.

import { lstat } from "../store/files.ts";

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

/**
 * The last lines of a file.
 *
 * @param most no more than this is read, bytes: of a longer line only the end is seen
 * @returns undefined where there is no regular file
 */
export function tailFile(path: string, count: number, most = MOST): Tail | undefined {
  const info = lstat(path);
  if (info === undefined || !info.isFile) return undefined;
  const file = Deno.openSync(path);
  try {
    const { size } = file.statSync();
    let start = size;
    const blocks: Uint8Array<ArrayBuffer>[] = [];
    let breaks = 0;
    // One break more than lines, for the one at the very end belongs to the last line.
    while (start > 0 && breaks <= count && size - start < most) {
      const length = Math.min(BLOCK, start);
      start -= length;
      const block = readExactly(file, start, length);
      for (const byte of block) if (byte === 10) breaks++;
      blocks.push(block);
    }
    // One decoder for the whole: a character may lie across two blocks.
    const decoder = new TextDecoder();
    let text = "";
    for (const block of blocks.reverse()) text += decoder.decode(block, { stream: true });
    text += decoder.decode();
    const lines = text.split("\n");
    if (lines.at(-1) === "") lines.pop();
    return { lines: count === 0 ? [] : lines.slice(-count), size, end: size };
  } finally {
    file.close();
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
