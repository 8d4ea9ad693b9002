// What a worktree holds that git does not tell of: how much it takes on the disk, and repositories in it
// that are none of this one. Links are never followed. Only read.

import { lstat } from "../store/files.ts";
import { isFolder, isThere, permitted, run } from "./disk.ts";

/** What is in a folder. */
export interface Inside {
  /** What it takes on the disk, bytes. */
  readonly bytes: number;
  /** Folders in it that are repositories of their own, relative to it, "/" between. */
  readonly nested: readonly string[];
}

/**
 * Looks through a folder.
 *
 * @param path absolute
 * @returns undefined where there is none, or a link in its place
 */
export async function lookInside(path: string): Promise<Inside | undefined> {
  if (!await isFolder(path)) return undefined;
  return await permitted(() => walk(path), () => askAround(path));
}

function walk(path: string): Inside {
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
      if (isDirectory) waiting.push(`${below}${name}/`);
      else if ((info.nlink ?? 1) > 1 && info.ino !== null) {
        if (counted.has(info.ino)) continue;
        counted.add(info.ino);
      }
      bytes += info.blocks === null ? info.size : info.blocks * 512;
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

/** What git looks for in a repository without a working copy. */
const BARE = ["HEAD", "objects", "refs"];

/** One with a working copy has `.git`. */
function isRepository(below: string, names: ReadonlySet<string>): boolean {
  if (names.has(".git")) return true;
  return !below.endsWith("/.git/") && below !== ".git/" && BARE.every((name) => names.has(name));
}

/** The same by programs of the system. */
async function askAround(path: string): Promise<Inside> {
  const [size, found] = await Promise.all([
    run("du", ["-sk", "--", path]),
    run("find", [
      ...[
        path,
        "-mindepth",
        "2",
        "(",
        "-name",
        ".git",
        "-o",
        "-type",
        "d",
        "-name",
        "objects",
        ")",
      ],
      "-print0",
    ]),
  ]);
  if (found === null) throw new Deno.errors.PermissionDenied(`${path} cannot be looked through`);
  const nested = new Set<string>();
  for (const name of found.split("\0").filter((name) => name !== "")) {
    const at = name.lastIndexOf("/");
    const folder = name.slice(0, at);
    const isOne = name.endsWith("/.git") || !folder.endsWith("/.git") &&
        (await Promise.all(BARE.map((it) => isThere(`${folder}/${it}`)))).every((there) => there);
    if (isOne) nested.add(folder.slice(path.length + 1));
  }
  return { bytes: Number(/^\d+/.exec(size ?? "")?.[0] ?? 0) * 1024, nested: [...nested].sort() };
}
