// One at a time makes and removes worktrees of a repository: git's own locks do not wait for each other. A
// git that is killed leaves its own where they are, and no other git does anything there from then on: they
// are released as soon as nobody can have them any more.

import { pause } from "../launch/pause.ts";
import { findByHand } from "../store/by_hand.ts";
import { openLockFile } from "../store/lock.ts";
import { OrchestraError, toOrchestraError } from "../task/error.ts";
import { formatTime } from "../task/fields.ts";
import { permitted } from "./disk.ts";
import { GitError, type GitOutput, killedGits } from "./git.ts";
import { type Repository, samePath } from "./repository.ts";

/** So long somebody may have it, milliseconds: registering a worktree takes some, not seconds. */
const LONGEST = 60_000;
/** So long a lock of git's own is waited for, milliseconds. */
export const PATIENCE = 10_000;

/** Who in this process waits for which. */
const queues = new Map<string, Promise<void>>();

/**
 * Does something while nobody else of us makes or removes worktrees of a repository. The kernel frees the
 * lock when its owner dies; what he had locked by git is released by the next who has it.
 *
 * @throws OrchestraError `environment` where somebody does not let go
 */
export async function alone<T>(repo: Repository, act: () => Promise<T>): Promise<T> {
  const before = queues.get(repo.gitDir) ?? Promise.resolve();
  const { promise, resolve } = Promise.withResolvers<void>();
  const own = before.then(() => promise);
  queues.set(repo.gitDir, own);
  await before;
  try {
    const { file, path } = open(repo);
    try {
      await take(file, path);
      return await noted(repo, file, act);
    } finally {
      file.close();
    }
  } finally {
    resolve();
    if (queues.get(repo.gitDir) === own) queues.delete(repo.gitDir);
  }
}

/**
 * In git's folder, so that all worktrees and workspaces have the same. Where we may not write there, git
 * may all the same; then the workspace's own keeps out most, and what collides is tried again.
 */
function open(repo: Repository): { file: Deno.FsFile; path: string } {
  const path = `${repo.gitDir}/orchestra.lock`;
  try {
    return { file: openLockFile(path), path };
  } catch (error) {
    const forbidden = error instanceof Deno.errors.NotCapable ||
      error instanceof Deno.errors.PermissionDenied;
    if (!forbidden) throw error;
    const workspace = repo.prefix === "" ? repo.top : `${repo.top}/${repo.prefix}`;
    const other = `${workspace}/.orchestra/worktree.lock`;
    try {
      return { file: openLockFile(other), path: other };
    } catch {
      throw toOrchestraError(error, "Taking the lock of the repository");
    }
  }
}

async function take(file: Deno.FsFile, path: string): Promise<void> {
  const until = performance.now() + LONGEST;
  for (let wait = 1; !file.tryLockSync(true); wait = Math.min(wait * 2, 20)) {
    if (performance.now() > until) {
      throw new OrchestraError("environment", `Somebody holds ${path} and does not let go`, {
        hint: `See who with: ${findByHand(path)}`,
      });
    }
    await pause(wait);
  }
}

/**
 * Does something, and as long as it lasts its beginning stands in the lock's file. Who finds one there knows
 * that somebody was killed, and since when locks of git's own may be left.
 */
async function noted<T>(repo: Repository, file: Deno.FsFile, act: () => Promise<T>): Promise<T> {
  const left = readNote(file);
  const isClear = left === undefined || await released(repo, left);
  const began = Date.now();
  if (isClear) writeNote(file, began);
  const before = killedGits();
  try {
    return await act();
  } finally {
    const isWhole = killedGits() === before;
    if (isClear && (isWhole || await released(repo, began))) file.truncateSync(0);
  }
}

/**
 * Since when locks of git's own may be left by somebody of us who was killed, milliseconds since the epoch;
 * undefined where nobody was, somebody is at work, or it is not for us to look.
 */
export function killedSince({ gitDir }: Repository): number | undefined {
  try {
    using file = Deno.openSync(`${gitDir}/orchestra.lock`, { read: true, write: true });
    return file.tryLockSync(true) ? readNote(file) : undefined;
  } catch {
    return undefined;
  }
}

async function released(repo: Repository, since: number): Promise<boolean> {
  const { releaseKilled } = await import("./stale_locks.ts");
  // What it meets there is no reason to leave undone what is to be done.
  return await releaseKilled(repo, since).catch(() => false);
}

/** Milliseconds since the epoch; undefined where there is none. */
function readNote(file: Deno.FsFile): number | undefined {
  if (file.statSync().size === 0) return undefined;
  const bytes = new Uint8Array(30);
  const length = file.readSync(bytes) ?? 0;
  const since = Date.parse(new TextDecoder().decode(bytes.subarray(0, length)).trim());
  // Somebody was killed when he had just begun to write it.
  return Number.isNaN(since) ? file.statSync().mtime?.getTime() : since;
}

function writeNote(file: Deno.FsFile, since: number): void {
  file.seekSync(0, Deno.SeekMode.Start);
  try {
    file.truncateSync(0);
    file.writeSync(new TextEncoder().encode(`${formatTime(since)}\n`));
  } catch {
    // A full disk keeps nobody from making room on it.
  }
}

/** What git says when somebody else has one of its locks for a moment, or takes away the folder of one. */
const BUSY = new RegExp(
  [
    "Unable to create '[^\n]*\\.lock': File exists",
    "cannot lock ref [^\n]*: Unable to create '[^\n]*\\.lock': No such file",
    "could not lock config file [^\n]*: File exists",
  ].join("|"),
);

/** How it is dealt with locks of git's own that are in the way. */
export interface Patience {
  /**
   * Whether only we, and an agent that has ended, lock what a lock is of: then it is released where its git
   * was killed. None is, where absent.
   */
  readonly isOwn?: (lock: string) => boolean;
  /** Milliseconds after which it is given up. */
  readonly within?: number;
}

/**
 * Does something again as long as a lock of another git is in its way: editors look all the time.
 *
 * @param act is done anew each time; throws a GitError where a git of its refuses
 * @throws GitError
 */
export async function patiently<T>(
  act: () => Promise<T>,
  { isOwn = () => false, within = PATIENCE }: Patience = {},
): Promise<T> {
  const until = performance.now() + within;
  for (let wait = 5;; wait = Math.min(wait * 2, 500)) {
    try {
      return await act();
    } catch (error) {
      const isBusy = error instanceof GitError && BUSY.test(error.output.stderr);
      if (!isBusy || performance.now() + wait > until) throw error;
      const lock = lockInTheWay(error.output);
      if (lock !== undefined && isOwn(lock)) await releaseLeft(lock);
    }
    await pause(wait * (0.5 + Math.random()));
  }
}

/** Tells the locks of a task's branch, and of what git has noted of worktrees. */
export function ownLocks({ gitDir }: Repository, branch: string): (lock: string) => boolean {
  const ref = `${gitDir}/refs/heads/${branch}.lock`;
  return (lock) => samePath(lock, ref) || lock.startsWith(`${gitDir}/worktrees/`);
}

/** The lock of git's own that a git says it cannot have. */
export function lockInTheWay({ stderr }: GitOutput): string | undefined {
  return /Unable to create '(.*?\.lock)': File exists/.exec(stderr)?.[1];
}

/**
 * Releases a lock of git's own in a place where only we and the agent have started gits, where it is proven
 * that nobody can have it any more: its git was killed.
 */
async function releaseLeft(path: string): Promise<void> {
  await permitted(async () => {
    const { releaseOld } = await import("./stale_locks.ts");
    // However new it is: elsewhere it might be that of a machine that we do not see.
    releaseOld(path, Infinity);
  }, () => Promise.resolve());
}
