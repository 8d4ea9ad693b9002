// Hands the worktree of one task over to another, which goes on in it. Its lock says whose it is; that is
// exchanged in one step, so that whoever is killed leaves it with the one or with the other.

import { replaceFile } from "../store/files.ts";
import { isFolder, isThere, permitted, run } from "./disk.ts";
import { GitError } from "./git.ts";
import { alone } from "./lock.ts";
import { OURS } from "./make.ts";
import { mend } from "./mend.ts";
import { removeWorktree } from "./remove.ts";
import { findWorktree, type Repository } from "./repository.ts";
import { adminFolder } from "./record.ts";
import { isBeingRemoved } from "./take_away.ts";

/** What came of it: the worktree has its new lock, there is none any more, or it is none of theirs. */
export type HandedOver = "ours" | "gone" | { readonly locked: string | null };

/**
 * Exchanges the lock of a worktree.
 *
 * @param path as the repository's own list names it
 * @param from locks that it may have: of the tasks that it is taken over from
 * @param to the new one, of ours
 * @throws GitError, OrchestraError where git or the system refuses
 */
export async function handOver(
  repo: Repository,
  path: string,
  from: readonly string[],
  to: string,
): Promise<HandedOver> {
  if (!to.startsWith(OURS)) throw new TypeError("no lock of ours");
  const entry = await findWorktree(repo, path);
  const admin = entry === undefined ? undefined : await adminFolder(repo, path);
  // Somebody was killed while it was removed: it goes, and is made again.
  if (entry?.locked === null && admin !== undefined && await isBeingRemoved(admin, entry.head)) {
    const removal = await removeWorktree(repo, path, { force: false });
    if (removal.removed) return "gone";
  }
  return await alone(repo, async () => {
    const now = await findWorktree(repo, path);
    if (now === undefined || !await isThere(path)) return "gone";
    if (now.locked !== to && (now.locked === null || !from.includes(now.locked))) {
      return { locked: now.locked };
    }
    if (await isFolder(path)) await mend(repo, path);
    if (now.locked === to) return "ours";
    const folder = await adminFolder(repo, path);
    if (folder === undefined) return { locked: now.locked };
    await lockAs(folder, to);
    return "ours";
  });
}

/** Writes the lock anew, as git writes it, in one step. */
async function lockAs(admin: string, reason: string): Promise<void> {
  const file = `${admin}/locked`;
  await permitted(() => replaceFile(file, `${file}.orchestra`, `${reason}\n`), async () => {
    const script = 'printf "%s\\n" "$2" >"$1.orchestra" && mv -f -- "$1.orchestra" "$1"';
    if (await run("sh", ["-c", script, "sh", file, reason]) !== null) return;
    throw new GitError(["worktree", "lock"], {
      code: 1,
      stdout: "",
      stderr: `${file} cannot be written`,
    });
  });
}
