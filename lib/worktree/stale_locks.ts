// Locks of git's own that a killed git left behind. One is released only where it is proven that nobody
// can have it any more; it is moved aside before it is removed, and back where it was another one.

import { CLOCK_SLACK, isStale } from "../decide/cleaning.ts";
import { pause } from "../launch/pause.ts";
import { lstat, removeFile, renameFile } from "../store/files.ts";
import { namesIn, permitted } from "./disk.ts";
import { beginningsOfGit, holdersOf, isOnOwnDisk } from "./processes.ts";
import type { Repository } from "./repository.ts";

/** A lock file of git's. */
export interface GitLock {
  /** Absolute path. */
  readonly path: string;
  /** When it was made, milliseconds since the epoch; never, where we may not ask. */
  readonly since: number;
  /** Which file it is. */
  readonly ino: number | null;
}

type Where = Pick<Repository, "gitDir">;

/** So long after a lock was made it is waited until nobody can have it any more, milliseconds. */
const PATIENCE = 10_000;

/** Locks that stand in a worktree: of its index, of its HEAD. */
export async function locksOfWorktree(admin: string): Promise<GitLock[]> {
  return await permitted(() => locksIn(admin), async () => {
    const names = await namesIn(admin, 1000) ?? [];
    return names.filter((name) => name.endsWith(".lock"))
      .map((name) => ({ path: `${admin}/${name}`, since: Infinity, ino: null }));
  });
}

/** Locks that stand in a repository, those of its worktrees not among them. */
export async function locksOfRepository({ gitDir }: Where): Promise<GitLock[]> {
  return await permitted(
    () => [...locksIn(gitDir), ...locksBelow(`${gitDir}/refs`)],
    () => Promise.resolve([]),
  );
}

function entriesOf(folder: string): Deno.DirEntry[] {
  try {
    return [...Deno.readDirSync(folder)];
  } catch (error) {
    if (error instanceof Deno.errors.NotCapable) throw error;
    return [];
  }
}

/** Ours is a lock of the kernel's, and its file stays. */
const OURS = "orchestra.lock";

function locksIn(folder: string): GitLock[] {
  return entriesOf(folder).flatMap(({ name, isFile }) => {
    if (!isFile || !name.endsWith(".lock") || name === OURS) return [];
    const path = `${folder}/${name}`;
    const info = look(path);
    return info === undefined
      ? []
      : [{ path, since: info.mtime?.getTime() ?? Infinity, ino: info.ino }];
  });
}

/** A file; undefined where it is gone, or not for us to look at. */
function look(path: string): Deno.FileInfo | undefined {
  try {
    return lstat(path);
  } catch (error) {
    if (error instanceof Deno.errors.PermissionDenied) return undefined;
    throw error;
  }
}

function locksBelow(folder: string): GitLock[] {
  return [
    ...locksIn(folder),
    ...entriesOf(folder).flatMap(({ name, isDirectory }) =>
      isDirectory ? locksBelow(`${folder}/${name}`) : []
    ),
  ];
}

/** Whether nobody can have a lock any more. */
export function isLeft({ path, since }: GitLock, now: number): boolean {
  return isStale({
    since,
    now,
    gits: beginningsOfGit(),
    holders: holdersOf(path),
    local: isOnOwnDisk(path.slice(0, path.lastIndexOf("/"))),
  });
}

/**
 * Releases the locks that somebody who was killed may have left in a repository, as soon as nobody can have
 * them any more. That of an index stays: it tells that its working copy is half done, see bring.ts.
 *
 * @param since when he began, milliseconds since the epoch: older ones are not his
 * @returns whether it is known that none of them is there any more
 */
export async function releaseKilled(repo: Where, since: number): Promise<boolean> {
  return await permitted(() => release(repo, since), () => Promise.resolve(false));
}

async function release({ gitDir }: Where, since: number): Promise<boolean> {
  for (;;) {
    const left = [
      ...await locksOfRepository({ gitDir }),
      ...entriesOf(`${gitDir}/worktrees`).flatMap(({ name }) =>
        locksIn(`${gitDir}/worktrees/${name}`)
      ),
    ].filter((lock) => isOf(lock, since)).filter((lock) =>
      // However new they are: that he was killed is known.
      !isLeft(lock, Infinity) || !releaseLock(lock)
    );
    if (left.length === 0) return true;
    // A git that outlived who started it comes to its end in this time. Whoever has begun before, and stays,
    // may stay for hours; elsewhere nobody can tell who has one.
    const youngest = Math.max(...left.map((lock) => lock.since));
    const isTold = isOnOwnDisk(gitDir) === true && beginningsOfGit() !== null;
    if (!isTold || Math.abs(Date.now() - youngest) > PATIENCE) return false;
    await pause(50);
  }
}

/** Locks of an index, one that a commit of some files has as long as its message is written among them. */
const OF_INDEX = /\/(?:index|next-index-\d+|orchestra-index-[^/]*)\.lock$/;

/** Whether somebody who began then may have left a lock. */
export function isOf({ path, since }: GitLock, began: number): boolean {
  return since > began - CLOCK_SLACK && !OF_INDEX.test(path);
}

/** Releases the lock at a path, if nobody can have it any more; says whether it is gone. */
export function releaseOld(path: string, now: number): boolean {
  const info = lstat(path);
  if (info?.isFile !== true) return info === undefined;
  const lock = { path, since: info.mtime?.getTime() ?? Infinity, ino: info.ino };
  return isLeft(lock, now) && releaseLock(lock);
}

/**
 * Releases a lock that nobody can have any more.
 *
 * @returns whether it is gone
 */
export function releaseLock({ path, ino, since }: GitLock): boolean {
  // Whatever else it were called, among refs git would take it for one.
  const aside = `${path}.${Deno.pid}.left.lock`;
  try {
    renameFile(path, aside);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return true;
    // It is in a folder of another user's.
    if (error instanceof Deno.errors.PermissionDenied) return false;
    throw error;
  }
  const info = lstat(aside);
  if (info?.ino !== ino || info?.mtime?.getTime() !== since) {
    // Whoever had it has let go, and somebody else has one now.
    renameFile(aside, path);
    return false;
  }
  removeFile(aside);
  return true;
}
