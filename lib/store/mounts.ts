// File systems on which a lock keeps out this machine's processes alone: another machine that has the same
// folder mounted gets the same lock. Never asked on the way of an everyday command.

/** Network and shared file systems by name, with the options that make their locks local. */
const LOCAL: readonly (readonly [type: RegExp, options: RegExp])[] = [
  // nfs(5): both turn off the lock manager for flock(2).
  [/^nfs4?$/, /(?:^|,)(?:nolock|local_lock=(?:all|flock))(?:,|$)/],
  // mount.cifs(8)
  [/^(?:cifs|smb3)$/, /(?:^|,)nobrl(?:,|$)/],
  // They hand no locks on to who shares the folder.
  [/^(?:fuse\.sshfs|fuse\.vmhgfs-fuse|vboxsf|prl_fs)$/, /^/],
];

/**
 * The file system of a folder, where its locks hold on this machine only.
 *
 * @param mounts content of /proc/self/mountinfo, see proc_pid_mountinfo(5)
 * @param path absolute and real
 * @returns its name; undefined where locks are common to all, as far as is known
 */
export function findLocalLocks(mounts: string, path: string): string | undefined {
  let longest = "";
  let found: string | undefined;
  for (const line of mounts.split("\n")) {
    const [left = "", right = ""] = line.split(" - ");
    const [, , , , point = "", options = ""] = left.split(" ");
    // Spaces and their like are written as octal numbers.
    const folder = point.replace(
      /\\(\d{3})/g,
      (_, octal) => String.fromCharCode(parseInt(octal, 8)),
    );
    const isAbove = path === folder || path.startsWith(folder === "/" ? "/" : `${folder}/`);
    // What was mounted last over the same folder counts.
    if (folder === "" || !isAbove || folder.length < longest.length) continue;
    longest = folder;
    const [type = "", , own = ""] = right.split(" ");
    const all = `${options},${own}`;
    found = LOCAL.some(([name, turned]) => name.test(type) && turned.test(all)) ? type : undefined;
  }
  return found;
}

/** The same for a folder here; undefined where the system does not tell. */
export function localLocks(path: string): string | undefined {
  if (Deno.build.os !== "linux") return undefined;
  try {
    return findLocalLocks(Deno.readTextFileSync("/proc/self/mountinfo"), path);
  } catch {
    return undefined;
  }
}
