// The workspace's locks: files locked by the kernel, which frees them when their owner dies.

import { OrchestraError } from "../task/error.ts";
import { lstat, openNamed } from "./files.ts";

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

/** Nobody ever changes it: waiting for that is a sleep. */
const NEVER = new Int32Array(new SharedArrayBuffer(4));

/** Waits for some milliseconds without a turn of the event loop, for who has nothing else to do. */
export function block(millis: number): void {
  Atomics.wait(NEVER, 0, 0, millis);
}
