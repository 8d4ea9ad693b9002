// The workspace's locks: files locked by the kernel, which frees them when their owner dies.

import { OrchestraError } from "../task/error.ts";
import { lstat } from "./files.ts";

/** Opens a lock file, made where it is not there; a link in its place is refused. */
export function openLockFile(path: string): Deno.FsFile {
  if (lstat(path)?.isSymlink) {
    throw new OrchestraError("damaged", `Taking the lock: ${path} is a symbolic link`, {
      hint: "Remove it; Orchestra makes the file itself.",
    });
  }
  return Deno.openSync(path, { read: true, write: true, create: true, mode: 0o600 });
}
