// One at a time does something to the worktree of a task: makes it, commits what was left in it, puts it away,
// cleans it. Who stood still in between would act on what he had seen, and spoil or take away what has been
// done since. The attempts that go on in one worktree have one lock. Loaded only where a task has a worktree, and by doctor.

import { retryOf } from "../decide/dependencies.ts";
import { pause } from "../launch/pause.ts";
import { findByHand } from "../store/by_hand.ts";
import { lstat, removeFile } from "../store/files.ts";
import { isNamed, openLockFile } from "../store/lock.ts";
import type { Store } from "../store/tasks.ts";
import { OrchestraError, toOrchestraError } from "../task/error.ts";
import type { Task } from "../task/fields.ts";
import { killedGits } from "../worktree/git.ts";
import { gitsNaming } from "../worktree/processes.ts";

/** What is needed of the store. */
type Place = Pick<Store, "dir" | "make" | "read" | "readArchived">;

/** So long another one is waited for, milliseconds: then it is tried again later. */
const PATIENCE = 10_000;

/** The lock cannot be had now: somebody else is at it, mostly. The message goes on a sentence. */
export class NotNow extends OrchestraError {
  declare readonly hint: string;
  constructor(what: string, hint: string) {
    super("environment", what, { hint });
  }
}

/**
 * Does something to the worktree of a task while nobody else of us does. The kernel frees the lock when its
 * owner dies; then its file is still there, and who takes it waits for the gits that have outlived him.
 *
 * @param act looks anew at what it needs to know
 * @param within milliseconds after which it is given up
 * @throws NotNow where somebody else does not come to an end in time, or the lock cannot be made
 */
export async function withWorktreeLock<T>(
  store: Place,
  id: string,
  act: () => Promise<T>,
  within: number = PATIENCE,
): Promise<T> {
  const first = firstOf(store, id);
  const path = `${store.dir}/${first}.worktree.lock`;
  const until = performance.now() + within;
  const { file, wasLeft } = await take(store, path, until).catch((error) => {
    if (error instanceof NotNow) throw error;
    const { message, hint } = toOrchestraError(error, "Taking its lock");
    throw new NotNow(message, hint ?? "Try again.");
  });
  try {
    if (wasLeft) await waitForGits(first, until);
    const before = killedGits();
    try {
      return await act();
    } finally {
      const isWhole = killedGits() === before || (await gitsNaming(first)).length === 0;
      if (isWhole) release(file, path);
    }
  } finally {
    file.close();
  }
}

async function take(
  store: Place,
  path: string,
  until: number,
): Promise<{ file: Deno.FsFile; wasLeft: boolean }> {
  store.make();
  for (let wait = 1;; wait = Math.min(wait * 2, 50)) {
    const wasThere = lstat(path) !== undefined;
    const file = openLockFile(path);
    if (file.tryLockSync(true) && isNamed(file, path)) {
      return { file, wasLeft: mark(file) || wasThere };
    }
    file.close();
    if (performance.now() >= until) {
      throw new NotNow(
        "another process is at work on its worktree",
        `See which with: ${findByHand(path)}`,
      );
    }
    await pause(wait);
  }
}

/** Writes into it that somebody has it; whether that stood there already, for he was killed. */
function mark(file: Deno.FsFile): boolean {
  if (file.statSync().size > 0) return true;
  try {
    file.writeSync(new TextEncoder().encode("held\n"));
  } catch {
    // The disk is full: that the file is there tells it, too.
  }
  return false;
}

/** As long as it is held: whoever has opened it sees then that it is not the one to be taken any more. */
function release(file: Deno.FsFile, path: string): void {
  try {
    if (isNamed(file, path)) removeFile(path);
  } catch {
    // It stays: the next one looks whether somebody was killed.
  }
}

/** Gits of somebody who was killed: what they bring, or take away, must not come later. */
async function waitForGits(id: string, until: number): Promise<void> {
  for (;;) {
    const pids = await gitsNaming(id);
    if (pids.length === 0) return;
    if (performance.now() >= until) {
      throw new NotNow(
        "another git is at work on its worktree, though who started it was killed",
        `See what it does: ps ${pids.join(" ")}`,
      );
    }
    await pause(50);
  }
}

/** The first of the attempts that go on with each other's work, as far as they are known. */
function firstOf(store: Place, id: string): string {
  const seen = new Set<string>();
  let first = id;
  for (let next: string | null = id; next !== null && !seen.has(next);) {
    first = next;
    seen.add(first);
    const task = soundTask(store, first);
    next = task === undefined || task.resumes === null ? null : retryOf(task);
  }
  return first;
}

function soundTask(store: Place, id: string): Task | undefined {
  try {
    return store.read(id) ?? store.readArchived(id);
  } catch {
    return undefined;
  }
}

/** The task, the first of its attempts, whose lock a file is by its name; undefined for another file. */
export function idOfLock(path: string): string | undefined {
  return /(?:^|[/\\])(task_\d+)\.worktree\.lock$/.exec(path)?.[1];
}

/** Whether nobody has such a lock: who had it was killed. */
export function isLeftLock(path: string): boolean {
  try {
    using file = Deno.openSync(path, { read: true, write: true });
    return file.tryLockSync(true);
  } catch {
    // It is gone, or no file.
    return false;
  }
}

/** Removes the lock of a task, if nobody has it and no git of his is at work; says whether it did. */
export async function removeLeftLock(path: string, id: string): Promise<boolean> {
  using file = openLockFile(path);
  if (!file.tryLockSync(true) || !isNamed(file, path)) return false;
  if ((await gitsNaming(id)).length > 0) return false;
  removeFile(path);
  return true;
}
