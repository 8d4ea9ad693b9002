// Worktrees for the time of a merge: what cannot be done in git's database alone is done there, away from
// everybody's files. Detached, of this workspace by their names, and locked with a reason of ours. While
// the lock of merges is held nobody uses one: what is there then, a kill has left.

import { hash } from "../task/hash.ts";
import { ask, git, GitError, lastLine } from "./git.ts";
import { alone } from "./lock.ts";
import { listWorktrees, type Repository } from "./repository.ts";

/** Why they are locked. */
const REASON = "orchestra merge";

/** Where the scratches of a workspace are. */
export interface ScratchPlace {
  readonly repo: Repository;
  /** The folder of the repository's worktrees. */
  readonly folder: string;
  /** Root of the workspace. */
  readonly root: string;
}

/**
 * Keeps a git that is run in a scratch there. Should the scratch be gone, it would look for a repository
 * above it otherwise, and where worktrees lie inside of a working copy it would find somebody's.
 */
export function scratchEnv(path: string): Record<string, string> {
  return { GIT_CEILING_DIRECTORIES: path.slice(0, path.lastIndexOf("/")) };
}

/** How the names of a workspace's scratches begin. */
const stemOf = (root: string) => `merge-${hash(root).slice(0, 8)}-`;

/**
 * Does something in a new worktree at a commit, which is gone afterwards.
 *
 * @throws GitError where git cannot make it
 */
export async function withScratch<T>(
  place: ScratchPlace,
  commit: string,
  body: (path: string) => Promise<T>,
): Promise<T> {
  const { repo, folder, root } = place;
  const name = `${stemOf(root)}${Date.now().toString(36)}-${crypto.randomUUID().slice(0, 4)}`;
  const path = `${folder}/${name}`;
  const add = ["worktree", "add", "--detach", "--no-checkout", "--lock", "--reason", REASON];
  // Registering it takes no time; its files may.
  await alone(repo, () => ask(repo.gitDir, [...add, path, commit]));
  try {
    // What git itself does there unless it is told not to.
    await ask(path, ["reset", "--hard", "--quiet"], { env: scratchEnv(path) });
    return await body(path);
  } finally {
    await alone(repo, () => remove(repo, path));
  }
}

/**
 * Removes what a kill has left of a workspace's scratches.
 *
 * @returns those that could not be removed, with what git said
 */
export async function removeScratches(
  { repo, root }: Pick<ScratchPlace, "repo" | "root">,
): Promise<{ path: string; why: string }[]> {
  const stem = stemOf(root);
  const left: { path: string; why: string }[] = [];
  for (const { path, branch, isMain, locked } of await listWorktrees(repo)) {
    // Half made, it is locked by git itself.
    const isOurs = !isMain && branch === null && (locked === REASON || locked === "initializing") &&
      path.slice(path.lastIndexOf("/") + 1).startsWith(stem);
    if (!isOurs) continue;
    try {
      await alone(repo, () => remove(repo, path));
    } catch (error) {
      if (!(error instanceof GitError)) throw error;
      left.push({ path, why: lastLine(error.output) });
    }
  }
  return left;
}

/**
 * Removes a scratch: nothing in it is anybody's, what was built to verify a merge among it. Twice `--force`
 * is git's word for one that is locked.
 */
async function remove({ gitDir }: Repository, path: string): Promise<void> {
  const args = ["worktree", "remove", "--force", "--force", path];
  if ((await git(gitDir, args)).code === 0) return;
  try {
    // Killed before it had a `.git`: an empty folder is left, if any.
    Deno.removeSync(path);
  } catch {
    // Killed in the middle of its removal: git writes its `.git` anew, and can go on with it then.
    await git(gitDir, ["worktree", "repair"]);
  }
  const output = await git(gitDir, args);
  if (output.code !== 0) throw new GitError(args, output);
}
