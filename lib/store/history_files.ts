// The files of the history: the one that is appended to, `history.jsonl`, and complete parts of it in
// `history/`. The first line of each tells its number; those that follow each other have numbers that do.

import { lstat, openRegular, readExactly } from "./files.ts";

/** A longer line is none of ours, bytes. */
export const LONGEST_LINE = 1024 * 1024;
/** Ends a line. */
export const BREAK = 10;

const decoder = new TextDecoder();

/** The file that is appended to. */
export function historyPath(dir: string): string {
  return `${dir}/history.jsonl`;
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
    const match = /^(\d{1,15})\.jsonl(\.gz)?$/.exec(name);
    if (match === null || !isFile) continue;
    const part = Number(match[1]);
    const isCompressed = match[2] !== undefined;
    // Killed while it was compressed, both are there and say the same.
    if (parts.get(part)?.isCompressed === false) continue;
    parts.set(part, { part, path: `${folder}/${name}`, isCompressed });
  }
  return [...parts.values()].sort((a, b) => a.part - b.part);
}

/** The number that a file's first line tells. */
export function partIn(path: string): number | undefined {
  using file = openRegular(path);
  return file === undefined ? undefined : partOf(file);
}

/** The number of the file that is appended to, also before it is there. */
export function currentPart(dir: string): number {
  return partIn(historyPath(dir)) ?? (listParts(dir).at(-1)?.part ?? 0) + 1;
}

export function partOf(file: Deno.FsFile): number | undefined {
  const bytes = new Uint8Array(128);
  file.seekSync(0, Deno.SeekMode.Start);
  const count = file.readSync(bytes) ?? 0;
  file.seekSync(0, Deno.SeekMode.Start);
  const match = /^\{"history":1,"part":(\d{1,15})\}\n/.exec(
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
  const match = /^(\d{1,15})\.(\d{1,15})$/.exec(text);
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
  const bytes = readExactly(file, start, size - start);
  return { part, offset: start + bytes.lastIndexOf(BREAK) + 1 };
}

/**
 * Whether reading on from a cursor means reading more than so many bytes of the file that is appended to:
 * whatever has grown it, most of it is no history.
 */
export function isFarBehind(dir: string, cursor: Cursor, bytes: number): boolean {
  using file = openRegular(historyPath(dir));
  if (file === undefined) return false;
  const { size } = file.statSync();
  if (size <= bytes) return false;
  // From no place reading begins with the first line.
  const isThere = cursor.part === partOf(file) && isPlace(dir, cursor);
  return size - (isThere ? cursor.offset : 0) > bytes;
}

/** Whether a cursor is a place between two lines; of a compressed part only that it is there. */
export function isPlace(dir: string, { part, offset }: Cursor): boolean {
  const found = listParts(dir).find((one) => one.part === part);
  if (found === undefined && part !== currentPart(dir)) return false;
  if (found?.isCompressed || offset === 0) return true;
  using file = openRegular(found?.path ?? historyPath(dir));
  if (file === undefined) return false;
  return offset <= file.statSync().size && readExactly(file, offset - 1, 1)[0] === BREAK;
}
