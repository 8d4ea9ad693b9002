// The parts of the history that are complete: compressed, and dropped when they are old or too many. For
// whoever watches. Killed in between, a part is there twice, says the same, and is read once.

import { lstat, openRegular, removeFile, renameFile } from "./files.ts";
import { listParts, type Part } from "./history_files.ts";

/** How much of the past is kept. */
export interface HistoryPolicy {
  /** Parts older than this go, days. */
  readonly max_age_days: number;
  /** The oldest parts go where all of them take more, MiB. */
  readonly max_size_mb: number;
}

const DAY = 86_400_000;
const MIB = 1024 * 1024;

/**
 * Compresses what is not, and drops what need not be kept any more.
 *
 * @param now milliseconds since the epoch
 */
export async function tidyHistory(dir: string, policy: HistoryPolicy, now: number): Promise<void> {
  for (const part of listParts(dir)) {
    const packed = `${part.path}.gz`;
    if (part.isCompressed) removeFile(part.path.slice(0, -".gz".length));
    else if (lstat(packed) === undefined) await compress(part.path, packed);
    else removeFile(packed);
  }
  for (const { path } of pickDropped(sizesOf(dir), policy, now)) removeFile(path);
}

interface Sized extends Part {
  readonly size: number;
  /** When its last line was written, milliseconds since the epoch. */
  readonly endedAt: number;
}

function sizesOf(dir: string): Sized[] {
  return listParts(dir).map((part) => {
    const info = lstat(part.path);
    return { ...part, size: info?.size ?? 0, endedAt: info?.mtime?.getTime() ?? 0 };
  });
}

/** The parts that go, oldest first. */
function pickDropped(parts: readonly Sized[], policy: HistoryPolicy, now: number): Sized[] {
  let surplus = parts.reduce((sum, { size }) => sum + size, 0) - policy.max_size_mb * MIB;
  const dropped: Sized[] = [];
  for (const part of parts) {
    if (surplus <= 0 && now - part.endedAt <= policy.max_age_days * DAY) break;
    surplus -= part.size;
    dropped.push(part);
  }
  return dropped;
}

/** The compressed file appears whole, with the time of the plain one. */
async function compress(path: string, packed: string): Promise<void> {
  const temporary = `${packed}.${Deno.pid}.tmp`;
  const file = openRegular(path);
  if (file === undefined) return;
  const { mtime } = file.statSync();
  try {
    removeFile(temporary);
    const target = Deno.openSync(temporary, { write: true, createNew: true, mode: 0o600 });
    await file.readable.pipeThrough(new CompressionStream("gzip")).pipeTo(target.writable);
    if (mtime !== null) Deno.utimeSync(temporary, mtime, mtime);
    renameFile(temporary, packed);
    removeFile(path);
  } finally {
    removeFile(temporary);
  }
}
