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
