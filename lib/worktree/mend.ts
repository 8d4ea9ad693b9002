// Mends a worktree from which git's own file was taken away, by an agent that cleaned up too well or by a git
// that was killed while it removed the folder. Everything else in it is as it was.

import { isFolder, isThere, readText } from "./disk.ts";
import { findWorktree, type Repository, samePath } from "./repository.ts";

/**
 * Writes the file `.git` of a worktree again, where it is missing and git still has the worktree on record.
 *
 * @param path as the repository's own list names it
 * @returns whether it was written
 */
export async function mend(repo: Repository, path: string): Promise<boolean> {
  if (await findWorktree(repo, path) === undefined) return false;
  if (!await isFolder(path) || await isThere(`${path}/.git`)) return false;
  try {
    for (const { name } of Deno.readDirSync(`${repo.gitDir}/worktrees`)) {
      const record = `${repo.gitDir}/worktrees/${name}`;
      const place = (await readText(`${record}/gitdir`))?.replace(/\n$/, "");
      if (place === undefined || !samePath(place, `${path}/.git`)) continue;
      Deno.writeTextFileSync(`${path}/.git`, `gitdir: ${record}\n`, { createNew: true });
      return true;
    }
  } catch (error) {
    const isOver = error instanceof Deno.errors.NotCapable ||
      error instanceof Deno.errors.AlreadyExists;
    if (!isOver) throw error;
  }
  return false;
}
