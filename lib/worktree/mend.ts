// Mends a worktree from which git's own file was taken away, by an agent that cleaned up too well or by a git
// that was killed while it removed the folder. Everything else in it is as it was.

import { isFolder, isThere, permitted, readText } from "./disk.ts";
import { findWorktree, type Repository, samePath } from "./repository.ts";

/**
 * Git's own folder for a worktree, whether its folder is there or not.
 *
 * @param path as the repository's own list names it
 * @returns null where there is none, or Deno's permissions do not let us look
 */
export async function recordOf(repo: Repository, path: string): Promise<string | null> {
  const records = `${repo.gitDir}/worktrees`;
  const names = await permitted(
    async () => await isFolder(records) ? [...Deno.readDirSync(records)] : [],
    () => Promise.resolve([]),
  );
  for (const { name } of names) {
    const place = (await readText(`${records}/${name}/gitdir`))?.replace(/\n$/, "");
    if (place !== undefined && samePath(place, `${path}/.git`)) return `${records}/${name}`;
  }
  return null;
}

/**
 * Writes the file `.git` of a worktree again, where it is missing and git still has the worktree on record.
 *
 * @param path as the repository's own list names it
 * @returns whether it was written
 */
export async function mend(repo: Repository, path: string): Promise<boolean> {
  if (await findWorktree(repo, path) === undefined) return false;
  if (!await isFolder(path) || await isThere(`${path}/.git`)) return false;
  const record = await recordOf(repo, path);
  if (record === null) return false;
  Deno.writeTextFileSync(`${path}/.git`, `gitdir: ${record}\n`, { createNew: true });
  return true;
}
