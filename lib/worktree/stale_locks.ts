// Locks of git's own that a killed git left behind. One is released only where it is proven that nobody
// can have it any more; it is moved aside before it is removed, and back where it was another one.

import { isStale } from "../decide/cleaning.ts";
import { lstat, removeFile, renameFile } from "../store/files.ts";
import { isAbsolute } from "../store/paths.ts";
import { namesIn, permitted } from "./disk.ts";
import { tryAsk } from "./git.ts";
import { beginningsOfGit, holdersOf, isOnOwnDisk } from "./processes.ts";
import { type Repository, samePath } from "./repository.ts";

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

/**
 * The folder of git's in which it keeps what belongs to one worktree, whether that is still there or not.
 *
 * @param path of the worktree, as git tells it
 * @returns undefined where there is none, or another repository says that it is in that place
 */
export async function adminFolder({ gitDir }: Where, path: string): Promise<string | undefined> {
  const all = `${gitDir}/worktrees`;
  return await permitted(() => {
    const file = realOf(`${path}/.git`);
    const isIt = (folder: string) => {
      const told = textOf(`${folder}/gitdir`)?.replace(/\r?\n$/, "");
      if (told === undefined) return false;
      const absolute = isAbsolute(told) ? told : `${folder}/${told}`;
      return samePath(absolute, `${path}/.git`) ||
        file !== undefined && realOf(absolute) === file;
    };
    return entriesOf(all).map((name) => `${all}/${name}`).find(isIt);
  }, async () => {
    const folder = await tryAsk(path, ["rev-parse", "--absolute-git-dir"]).catch(() => null);
    return folder?.startsWith(`${all}/`) ? folder : undefined;
  });
}

/** Whether the `.git` of a worktree leads where git keeps what belongs to it. */
export async function leadsTo(path: string, admin: string): Promise<boolean> {
  return await permitted(() => {
    const told = /^gitdir: (.+?)\r?\n?$/.exec(textOf(`${path}/.git`) ?? "")?.[1];
    if (told === undefined || lstat(`${path}/.git`)?.isFile !== true) return false;
    const real = realOf(isAbsolute(told) ? told : `${path}/${told}`);
    return real !== undefined && real === realOf(admin);
  }, async () => await tryAsk(path, ["rev-parse", "--absolute-git-dir"]) === admin);
}

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

function realOf(path: string): string | undefined {
  try {
    return Deno.realPathSync(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotCapable) throw error;
    return undefined;
  }
}

function textOf(path: string): string | undefined {
  try {
    return Deno.readTextFileSync(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotCapable) throw error;
    return undefined;
  }
}

function entriesOf(folder: string): string[] {
  try {
    return [...Deno.readDirSync(folder)].map(({ name }) => name);
  } catch (error) {
    if (error instanceof Deno.errors.NotCapable) throw error;
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
