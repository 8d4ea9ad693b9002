// One at a time makes and removes worktrees of a repository: git's own locks do not wait for each other.

import { pause } from "../launch/pause.ts";
import { findByHand } from "../store/by_hand.ts";
import { openLockFile } from "../store/lock.ts";
import { OrchestraError, toOrchestraError } from "../task/error.ts";
import { permitted } from "./disk.ts";
import type { GitOutput } from "./git.ts";
import type { Repository } from "./repository.ts";

/** So long somebody may have it, milliseconds: registering a worktree takes some, not seconds. */
const PATIENCE = 60_000;

/** Who in this process waits for which. */
const queues = new Map<string, Promise<void>>();

/**
 * Does something while nobody else of us makes or removes worktrees of a repository. The kernel frees the
 * lock when its owner dies.
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
      return await act();
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
  const until = performance.now() + PATIENCE;
  for (let wait = 1; !file.tryLockSync(true); wait = Math.min(wait * 2, 20)) {
    if (performance.now() > until) {
      throw new OrchestraError("environment", `Somebody holds ${path} and does not let go`, {
        hint: `See who with: ${findByHand(path)}`,
      });
    }
    await pause(wait);
  }
}

/** The lock of git's own that a git says it cannot have. */
export function lockInTheWay({ stderr }: GitOutput): string | undefined {
  return /Unable to create '(.*?\.lock)': File exists/.exec(stderr)?.[1];
}

/**
 * Releases a lock of git's own in a place where only we and the agent have started gits, where it is proven
 * that nobody can have it any more: its git was killed.
 */
export async function releaseLeft(path: string): Promise<void> {
  await permitted(async () => {
    const { mtime, ino } = await Deno.lstat(path);
    const { isLeft, releaseLock } = await import("./stale_locks.ts");
    const lock = { path, ino, since: mtime?.getTime() ?? Infinity };
    // However new it is: elsewhere it might be that of a machine that we do not see.
    if (isLeft(lock, Infinity)) releaseLock(lock);
  }, () => Promise.resolve()).catch((error) => {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  });
}
