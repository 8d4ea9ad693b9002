// Has git remove the folder of a worktree, without its --force: it looks once more, and what changed since
// we looked stays. What we are about to remove is noted where git keeps what belongs to the worktree: who
// was killed in between has left part of the files, and they are brought back before git looks again.

import { replaceFile } from "../store/files.ts";
import { isThere, permitted, removeOne } from "./disk.ts";
import { ask, git, lastLine } from "./git.ts";
import { worktreeEnv } from "./record.ts";
import type { Repository, WorktreeEntry } from "./repository.ts";
import { gitlinks, readStatus } from "./state.ts";

/** Our note, in git's folder of a worktree: the commit that it was at. */
const noteOf = (admin: string) => `${admin}/orchestra-removing`;

/** Whether somebody was about to remove a worktree, which is at the same commit still. */
export async function isBeingRemoved(admin: string, head: string): Promise<boolean> {
  return await permitted(() => {
    try {
      return Deno.readTextFileSync(noteOf(admin)).trim() === head;
    } catch (error) {
      if (error instanceof Deno.errors.NotFound) return false;
      throw error;
    }
  }, () => Promise.resolve(false));
}

/**
 * Brings back the files that are missing in a worktree, where nothing else differs from its commit: git was
 * killed while it made it or removed it. No file that is there is written.
 *
 * @param admin git's folder of it
 * @throws GitError where git cannot
 */
export async function completeFiles(
  repo: Repository,
  path: string,
  admin: string,
): Promise<void> {
  if (!await isThere(`${path}/.git`)) {
    await permitted(
      () => Deno.writeTextFileSync(`${path}/.git`, `gitdir: ${admin}\n`, { createNew: true }),
      // All of them; what is whole, git leaves as it is.
      async () => void await git(repo.gitDir, ["worktree", "repair"]),
    );
  }
  const env = worktreeEnv(admin, path);
  if (!await isThere(`${admin}/index`)) await ask(path, ["read-tree", "HEAD"], { env });
  // Git compares times first; a new index has none.
  await git(path, ["update-index", "-q", "--refresh"], { env });
  const others = ["diff-index", "-z", "--name-only", "--diff-filter=d", "HEAD", "--"];
  if ((await readStatus(path)).untracked.length > 0 || await ask(path, others, { env }) !== "") {
    return;
  }
  await ask(path, ["checkout-index", "--all", "--quiet"], { env });
  await git(path, ["update-index", "-q", "--refresh"], { env });
}

/**
 * Removes the folder of a worktree, and what git has noted of it. It must have been looked at, under the
 * lock of ours.
 *
 * @param admin git's folder of it
 * @returns why it stays; null where it is gone
 */
export async function takeAway(
  repo: Repository,
  { path, locked, head }: WorktreeEntry,
  admin: string,
): Promise<string | null> {
  await permitted(
    () => replaceFile(noteOf(admin), `${noteOf(admin)}.${Deno.pid}.tmp`, `${head}\n`),
    () => Promise.resolve(),
  );
  if (locked !== null) await ask(repo.gitDir, ["worktree", "unlock", path]);
  const output = await git(repo.gitDir, ["worktree", "remove", ...await force(path), "--", path]);
  if (output.code === 0) return null;
  if (locked !== null) await git(repo.gitDir, ["worktree", "lock", "--reason", locked, path]);
  await removeOne(noteOf(admin));
  return lastLine(output);
}

/**
 * Git refuses one with places for sub-modules, whether they were set up or not: there its own look is done
 * for it, and none of them is set up.
 */
async function force(path: string): Promise<string[]> {
  if (!await isThere(path) || (await gitlinks(path)).length === 0) return [];
  const { changed, untracked } = await readStatus(path);
  return changed.length + untracked.length === 0 ? ["--force"] : [];
}
