// The workspace's locks: files locked by the kernel, which frees them when their owner dies.

import { OrchestraError } from "../task/error.ts";
import { findByHand } from "./by_hand.ts";
import { block, lstat, openNamed } from "./files.ts";

/**
 * Opens a lock file, made where it is not there. What else stands in its place is refused: a lock that
 * is somewhere else keeps nobody out.
 */
export function openLockFile(path: string): Deno.FsFile {
  const file = openNamed(path, { read: true, write: true });
  if (file !== undefined) return file;
  const info = lstat(path);
  const what = info?.isSymlink ? "a symbolic link" : info?.isDirectory ? "a folder" : "no file";
  throw new OrchestraError("damaged", `Taking the lock: ${path} is ${what}`, {
    hint: "Move it out of the way; Orchestra makes the file itself.",
  });
}

/**
 * Takes a lock, and makes sure that it is the one that others take: while we waited the file may have been
 * removed, and made anew by somebody who has it now.
 *
 * @param within milliseconds after which it is given up; never where absent
 * @returns the file, and its size, bytes
 * @throws OrchestraError `environment` where it is given up
 */
export function takeLock(path: string, within?: number): { file: Deno.FsFile; size: number } {
  for (;;) {
    const file = openLockFile(path);
    if (within === undefined) file.lockSync(true);
    else if (!lockWithin(file, within)) {
      file.close();
      throw new OrchestraError("environment", `Somebody holds ${path} and does not let go`, {
        hint: `See who with: ${findByHand(path)}`,
      });
    }
    const { ino, size } = file.statSync();
    if (lstat(path)?.ino === ino) return { file, size };
    file.close();
  }
}

function lockWithin(file: Deno.FsFile, millis: number): boolean {
  const until = performance.now() + millis;
  while (!file.tryLockSync(true)) {
    if (performance.now() >= until) return false;
    block(1);
  }
  return true;
}

/** Whether a file is still the one that has its name. */
export function isNamed(file: Deno.FsFile, path: string): boolean {
  return lstat(path)?.ino === file.statSync().ino;
}
