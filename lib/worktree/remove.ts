// Removes worktrees: by git, which looks once more, and never more than what is committed. A kill in
// between leaves a worktree that the next call removes, or tells why it does not.

import { commitTree } from "./base.ts";
import { authorOf } from "./author.ts";
import { keepBackup } from "./backup.ts";
import { isFolder, isThere, repositoriesIn } from "./disk.ts";
import { ask, git, lastLine, tryAsk } from "./git.ts";
import { alone } from "./lock.ts";
import { OURS } from "./make.ts";
import { mend } from "./mend.ts";
import { findWorktree, type Repository, type WorktreeEntry } from "./repository.ts";
import { nestedRepositories, snapshotTree } from "./snapshot.ts";
import { gitlinks, ownGitDir, readStatus, worktreeState } from "./state.ts";

/** Whether a worktree was removed, and why not. */
export type Removal = { readonly removed: true } | {
  readonly removed: false;
  readonly why: string;
};

const kept = (why: string): Removal => ({ removed: false, why });

/**
 * Removes the folder of a worktree, and git's record of it; its branch stays. What git ignores goes with it,
 * repositories and the commits of submodules do not.
 *
 * @param path as the repository's own list names it
 * @param options `force`: also where something is not committed, of which a backup is made first, with a
 * ref: `refs/orchestra/backup/<name of the folder>-<n>`
 * @returns why it stays, where it does
 * @throws GitError where git does not tell how it stands
 */
export async function removeWorktree(
  repo: Repository,
  path: string,
  { force }: { force: boolean },
): Promise<Removal> {
  const entry = await findWorktree(repo, path);
  if (entry === undefined) {
    return await isThere(path) ? kept("it is no worktree of this repository") : { removed: true };
  }
  if (entry.locked !== null && !entry.locked.startsWith(OURS)) {
    return kept(`it is locked${entry.locked === "" ? "" : `: ${entry.locked}`}`);
  }
  if (!await isThere(path)) return await take(repo, entry, false);
  if (!await isFolder(path)) return kept("something else is in its place");
  const isMended = await mend(repo, path);
  if (await ownGitDir(repo, path) === null) return kept("it is no longer a worktree");
  const state = await worktreeState(repo, path);
  if (state.submodules) {
    return kept("it has submodules that were set up, with commits of their own");
  }
  const within = [...await nestedRepositories(path), ...await ignoredRepositories(path)];
  if (within.length > 0) return kept(`a repository of its own is within: ${within[0]}`);
  const losing = state.clean || (isMended && await isHalfRemoved(path)) ? [] : [state];
  if (!force) {
    if (state.operation !== null) return kept(`git is in the middle of a ${state.operation} there`);
    if (losing.length > 0) return kept(uncommitted(state));
  } else if (losing.length > 0 || state.operation !== null) await keepAll(repo, path, state.head);
  // HEAD may be where no branch is.
  if (state.branch === null && state.head !== null) await keepHead(repo, path, state.head);
  const withLinks = (await gitlinks(path)).length > 0;
  return await take(repo, entry, force || withLinks || isMended);
}

function uncommitted({ changed, untracked }: { changed: number; untracked: number }): string {
  const count = changed + untracked;
  return `${count} ${count === 1 ? "file is" : "files are"} not committed`;
}

/** Whether nothing is there but what is committed, as it is when git was killed while it removed. */
async function isHalfRemoved(path: string): Promise<boolean> {
  const { untracked } = await readStatus(path);
  if (untracked.length > 0) return false;
  const said = await ask(path, [
    "diff-index",
    "-z",
    "--name-only",
    "--diff-filter=d",
    "HEAD",
    "--",
  ]);
  return said === "";
}

/** Folders that git ignores and that are repositories. */
async function ignoredRepositories(path: string): Promise<string[]> {
  const said = await ask(path, [
    ...["ls-files", "--others", "--ignored", "--exclude-standard", "--directory", "-z"],
    ...["--", ":(top)"],
  ]);
  const folders = said.split("\0").filter((name) => name.endsWith("/")).map((name) =>
    name.slice(0, -1)
  );
  return await repositoriesIn(path, folders);
}

/** The name of a worktree's backups. */
const nameOf = (path: string) => path.split(/[/\\]/).at(-1)!;

/** Keeps what is not committed. */
async function keepAll(repo: Repository, path: string, head: string | null): Promise<void> {
  const tree = await snapshotTree(repo, path);
  const author = await authorOf(repo, null);
  const parents = head === null ? [] : [head];
  // What was put into the index and then changed or removed again, as git stash keeps it.
  const index = await tryAsk(path, ["write-tree"]);
  if (index !== null && index !== tree) {
    const message = `The index of ${path}`;
    parents.push(await commitTree(repo, index, head === null ? [] : [head], { message, author }));
  }
  const message = `What was not committed in ${path}`;
  const commit = await commitTree(repo, tree, parents, { message, author });
  await keepBackup(repo, nameOf(path), commit);
}

/** Keeps a commit that no branch may have. */
async function keepHead(repo: Repository, path: string, head: string): Promise<void> {
  const refs = await ask(repo.gitDir, [
    ...["for-each-ref", "--count=1", "--contains", head, "--format=%(refname)"],
    ...["refs/heads", "refs/tags", "refs/remotes", "refs/orchestra"],
  ]);
  if (refs === "") await keepBackup(repo, nameOf(path), head);
}

/** Has git remove it. */
async function take(
  repo: Repository,
  { path, locked }: WorktreeEntry,
  force: boolean,
): Promise<Removal> {
  return await alone(repo, async () => {
    if (locked !== null) await ask(repo.gitDir, ["worktree", "unlock", path]);
    // With --force git looks at nothing: only where we have looked, and its own look cannot be had.
    const how = force ? ["--force"] : [];
    const output = await git(repo.gitDir, ["worktree", "remove", ...how, "--", path]);
    if (output.code === 0) return { removed: true };
    if (locked !== null) await git(repo.gitDir, ["worktree", "lock", "--reason", locked, path]);
    return kept(lastLine(output));
  });
}
