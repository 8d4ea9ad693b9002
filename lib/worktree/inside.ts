// What a worktree holds that git does not tell of: how much it takes on the disk, and repositories in it
// that are none of this one. Links are never followed. Only read.

import { lstat } from "../store/files.ts";

/** What is in a folder. */
export interface Inside {
  /** What it takes on the disk, bytes. */
  readonly bytes: number;
  /** Folders in it that are repositories of their own, relative to it, "/" between. */
  readonly nested: readonly string[];
}

/** Looks through a folder; undefined where there is none, or a link in its place. */
export function lookInside(path: string): Inside | undefined {
  if (lstat(path)?.isDirectory !== true) return undefined;
  let bytes = 0;
  const nested: string[] = [];
  // A file with several names takes its room once.
  const counted = new Set<number>();
  const waiting = [""];
  for (let below = waiting.pop(); below !== undefined; below = waiting.pop()) {
    const names = new Set<string>();
    for (const { name, isDirectory } of entriesOf(`${path}/${below}`)) {
      names.add(name);
      const info = lstat(`${path}/${below}${name}`);
      if (info === undefined) continue;
      if ((info.nlink ?? 1) < 2 || isDirectory || !counted.has(info.ino ?? 0)) {
        bytes += info.blocks === null ? info.size : info.blocks * 512;
      }
      if (!isDirectory && info.ino !== null) counted.add(info.ino);
      if (isDirectory) waiting.push(`${below}${name}/`);
    }
    if (below !== "" && isRepository(below, names)) nested.push(below.slice(0, -1));
  }
  return { bytes, nested: nested.sort() };
}

/** What is in a folder; nothing where it has just gone. */
function entriesOf(path: string): Deno.DirEntry[] {
  try {
    return [...Deno.readDirSync(path)];
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return [];
    throw error;
  }
}

/** One with a working copy has `.git`; one without has what git itself looks for. */
function isRepository(below: string, names: ReadonlySet<string>): boolean {
  if (names.has(".git")) return true;
  return !below.endsWith(".git/") && ["HEAD", "objects", "refs"].every((name) => names.has(name));
}
