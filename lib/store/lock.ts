// The workspace's locks: files locked by the kernel, which frees them when their owner dies.

import { OrchestraError } from "../task/error.ts";
import { lstat } from "./files.ts";

/**
 * Opens a lock file, made where it is not there. What else stands in its place is refused: a lock that
 * is somewhere else keeps nobody out.
 */
export function openLockFile(path: string): Deno.FsFile {
  const before = lstat(path);
  if (before !== undefined && !before.isFile) throw noLock(path, before);
  const file = Deno.openSync(path, { read: true, write: true, create: true, mode: 0o600 });
  // Nobody has exchanged it in between.
  const named = lstat(path);
  if (named?.isFile === true && named.ino === file.statSync().ino) return file;
  file.close();
  throw noLock(path, named);
}

function noLock(path: string, info: Deno.FileInfo | undefined): OrchestraError {
  const what = info?.isSymlink ? "a symbolic link" : info?.isDirectory ? "a folder" : "no file";
  return new OrchestraError("damaged", `Taking the lock: ${path} is ${what}`, {
    hint: "Move it out of the way; Orchestra makes the file itself.",
  });
}
