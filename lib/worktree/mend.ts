// Mends a worktree from which git's own file was taken away, by an agent that cleaned up too well or by a git
// that was killed while it removed the folder. Everything else in it is as it was.

import { isFolder, isThere } from "./disk.ts";
import { adminFolder } from "./record.ts";
import { findWorktree, type Repository } from "./repository.ts";

/**
 * Writes the file `.git` of a worktree again, where it is missing and git still has the worktree on record.
 *
 * @param path as the repository's own list names it
 * @returns whether it was written
 */
export async function mend(repo: Repository, path: string): Promise<boolean> {
  if (await findWorktree(repo, path) === undefined) return false;
  if (!await isFolder(path) || await isThere(`${path}/.git`)) return false;
  const admin = await adminFolder(repo, path);
  if (admin === undefined) return false;
  Deno.writeTextFileSync(`${path}/.git`, `gitdir: ${admin}\n`, { createNew: true });
  return true;
}
