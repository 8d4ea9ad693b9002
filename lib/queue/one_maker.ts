// One at a time makes the worktree of a task, from the look whether it lacks one until its file says that it
// has: who stood still in between would make another one, or take away what has been done since. Others make
// those of other tasks meanwhile. Loaded only where a task has a worktree.

import { pause } from "../launch/pause.ts";
import { removeFile } from "../store/files.ts";
import { isNamed, openLockFile } from "../store/lock.ts";
import type { Store } from "../store/tasks.ts";

/** So long another maker is waited for, milliseconds; most take some hundred. */
const PATIENCE = 60_000;

/**
 * Does something while nobody else makes the worktree of a task. The kernel frees the lock when its owner
 * dies; its file goes with it, and what a kill has left of it the next one takes.
 *
 * @returns undefined where somebody else is at it, and does not come to an end
 */
export async function asOnlyMaker<T>(
  { dir }: Pick<Store, "dir">,
  id: string,
  act: () => Promise<T>,
  within: number = PATIENCE,
): Promise<T | undefined> {
  const path = `${dir}/${id}.worktree.lock`;
  const file = await take(path, within);
  if (file === undefined) return undefined;
  try {
    return await act();
  } finally {
    // As long as it is held: whoever has opened it sees then that it is not the one to be taken any more.
    removeFile(path);
    file.close();
  }
}

async function take(path: string, within: number): Promise<Deno.FsFile | undefined> {
  const until = performance.now() + within;
  for (let wait = 1;; wait = Math.min(wait * 2, 50)) {
    const file = openLockFile(path);
    if (file.tryLockSync(true) && isNamed(file, path)) return file;
    file.close();
    if (performance.now() >= until) return undefined;
    await pause(wait);
  }
}
