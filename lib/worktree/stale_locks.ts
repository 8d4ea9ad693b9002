// Locks of git's own that a killed git left behind. One is released only where it is proven that nobody
// can have it any more; it is moved aside before it is removed, and back where it was another one.

import { isStale } from "../decide/cleaning.ts";
import { isAbsolute } from "../store/paths.ts";
import { lstat, removeFile, renameFile } from "../store/files.ts";
import { beginningsOfGit, holdersOf, isOnOwnDisk } from "./processes.ts";
import type { Repository } from "./repository.ts";

/** A lock file of git's. */
export interface GitLock {
  /** Absolute path. */
  readonly path: string;
  /** When it was made, milliseconds since the epoch. */
  readonly since: number;
  /** Which file it is. */
  readonly ino: number | null;
}

type Where = Pick<Repository, "gitDir">;

/**
 * The folder of git's in which it keeps what belongs to one worktree; undefined where it has none.
 *
 * @param path of the worktree, as git tells it
 */
export function adminFolder({ gitDir }: Where, path: string): string | undefined {
  const all = `${gitDir}/worktrees`;
  const file = realOf(`${path}/.git`);
  return entriesOf(all).map((name) => `${all}/${name}`).find((folder) => {
    try {
      const told = Deno.readTextFileSync(`${folder}/gitdir`).replace(/\r?\n$/, "");
      return told === `${path}/.git` ||
        file !== undefined && realOf(isAbsolute(told) ? told : `${folder}/${told}`) === file;
    } catch {
      return false;
    }
  });
}

/** Locks that stand in a worktree: of its index, of its HEAD. */
export function locksOfWorktree(repo: Where, path: string): GitLock[] {
  const folder = adminFolder(repo, path);
  return folder === undefined ? [] : locksIn(folder);
}

/** Locks that stand in a repository, those of its worktrees not among them. */
export function locksOfRepository({ gitDir }: Where): GitLock[] {
  return [...locksIn(gitDir), ...locksBelow(`${gitDir}/refs`)];
}

function realOf(path: string): string | undefined {
  try {
    return Deno.realPathSync(path);
  } catch {
    return undefined;
  }
}

function entriesOf(folder: string): string[] {
  try {
    return [...Deno.readDirSync(folder)].map(({ name }) => name);
  } catch {
    return [];
  }
}

/** Ours is a lock of the kernel's, and its file stays. */
const OURS = "orchestra.lock";

function locksIn(folder: string): GitLock[] {
  return entriesOf(folder).flatMap((name) => {
    if (!name.endsWith(".lock") || name === OURS) return [];
    const path = `${folder}/${name}`;
    const info = lstat(path);
    if (info?.isFile !== true) return [];
    return [{ path, since: info.mtime?.getTime() ?? Infinity, ino: info.ino }];
  });
}

function locksBelow(folder: string): GitLock[] {
  return [
    ...locksIn(folder),
    ...entriesOf(folder).flatMap((name) => {
      const path = `${folder}/${name}`;
      return lstat(path)?.isDirectory === true ? locksBelow(path) : [];
    }),
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
 * Releases a lock that nobody can have any more.
 *
 * @returns whether it is gone
 */
export function releaseLock({ path, ino, since }: GitLock): boolean {
  const aside = `${path}.${Deno.pid}.left`;
  try {
    renameFile(path, aside);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return true;
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
