// Removes worktrees: by git, which looks once more, and never more than what is committed. A kill in
// between leaves a worktree that the next call removes, or tells why it does not.

import { authorOf } from "./author.ts";
import { keepBackup } from "./backup.ts";
import { commitTree } from "./base.ts";
import { isFolder, isThere, repositoriesIn } from "./disk.ts";
import { ask, tryAsk } from "./git.ts";
import { alone } from "./lock.ts";
import { OURS } from "./make.ts";
import { queuesWithin } from "./queues_within.ts";
import { loggedHeads } from "./reflog.ts";
import { ownCommits } from "./own_refs.ts";
import { adminFolder, leadsTo, lockOf, taskOf } from "./record.ts";
import { findWorktree, type Repository, type WorktreeEntry } from "./repository.ts";
import { nestedRepositories, snapshotTree } from "./snapshot.ts";
import { ownGitDir, type WorktreeState, worktreeState } from "./state.ts";
import { completeFiles, isBeingRemoved, removeByGit, takeAway } from "./take_away.ts";

/** Whether a worktree was removed, and why not. */
export type Removal = { readonly removed: true } | {
  readonly removed: false;
  readonly why: string;
};

const kept = (why: string): Removal => ({ removed: false, why });

/**
 * Removes the folder of a worktree, and git's record of it; its branch stays. What git ignores goes with it;
 * repositories within and the commits of submodules do not, whatever is said. Commits that nothing but the
 * worktree has are kept first: `refs/orchestra/backup/<name of the folder>-<n>`.
 *
 * @param path as the repository's own list names it
 * @param options `force`: also where something is not committed, of which such a backup is made, too
 * @returns why it stays, where it does
 * @throws GitError where git does not tell how it stands, or a backup cannot be made
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
  const admin = await adminFolder(repo, path);
  // A lock can be written by anybody, and a record turned to another's folder.
  const isOurs = admin !== undefined && taskOf(admin) !== undefined &&
    await lockOf(admin) === entry.locked;
  if (!isOurs) return kept("it was not made for a task");
  if (!await isThere(path)) return await take(repo, entry, admin, false);
  if (!await isFolder(path)) return kept("something else is in its place");
  const hasFile = await isThere(`${path}/.git`);
  if (hasFile && !await leadsTo(path, admin)) {
    return kept("it is no longer a worktree: its .git is not the one that git made");
  }
  const isHalf = !hasFile || await isBeingRemoved(admin, entry.head);
  if (isHalf) await completeFiles(repo, path, admin);
  if (await ownGitDir(repo, path) === null) return kept("it is no longer a worktree");
  const state = await worktreeState(repo, path);
  if (state.submodules) {
    return kept("it has submodules that were set up, with commits of their own");
  }
  const within = [...await nestedRepositories(path), ...await ignoredRepositories(path)];
  if (within.length > 0) return kept(`a repository of its own is within: ${within[0]}`);
  const [queue] = await queuesWithin(path);
  if (queue !== undefined) return kept(`a workspace of its own is within: ${queue}`);
  const isSettled = state.clean && state.operation === null;
  if (!isSettled) {
    if (!force) {
      return kept(
        state.operation === null
          ? uncommitted(state)
          : `git is in the middle of a ${state.operation} there`,
      );
    }
    await keepAll(repo, path, state.head);
  }
  return await take(repo, entry, admin, !isSettled);
}

function uncommitted({ changed, untracked, hidden }: WorktreeState): string {
  const count = changed + untracked;
  const told = `${count} ${count === 1 ? "file is" : "files are"} not committed`;
  // Of these git status says nothing.
  return hidden.length === 0 ? told : `${told}; git was told to overlook ${hidden[0]}`;
}

/** Folders that git ignores and that are repositories. */
async function ignoredRepositories(path: string): Promise<string[]> {
  const said = await ask(path, [
    ...["ls-files", "--others", "--ignored", "--exclude-standard", "--directory", "-z"],
    ...["--", ":(top)"],
  ]);
  const folders = said.split("\0").filter((name) => name.endsWith("/"));
  return await repositoriesIn(path, folders.map((name) => name.slice(0, -1)));
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
  await keepBackup(repo, nameOf(path), await commitTree(repo, tree, parents, { message, author }));
}

/** Keeps the commits at which only the worktree's own HEAD ever was, or that only refs of its own name. */
async function keepCommits(
  repo: Repository,
  { path, head }: WorktreeEntry,
  admin: string,
): Promise<void> {
  const known = [
    head,
    ...await loggedHeads(`${admin}/logs/HEAD`),
    ...await ownCommits(path, admin),
  ];
  const some = known.filter((it) => /[^0]/.test(it));
  if (some.length === 0) return;
  const args = ["rev-list", "--parents", "--ignore-missing", "--stdin", "--not", "--glob=refs/*"];
  const said = await ask(repo.gitDir, args, { input: `${[...new Set(some)].join("\n")}\n` });
  const lines = said.split("\n").filter((line) => line !== "").map((line) => line.split(" "));
  const parents = new Set(lines.flatMap(([_, ...parents]) => parents));
  const tips = lines.map(([commit]) => commit!).filter((it) => !parents.has(it));
  const [first, ...others] = tips;
  if (first === undefined) return;
  // One name for all of them.
  const all = others.length === 0 ? first : await commitTree(repo, `${first}^{tree}`, tips, {
    message: `Commits that no branch had when ${path} was removed`,
    author: await authorOf(repo, null),
  });
  await keepBackup(repo, nameOf(path), all);
}

/**
 * Has git remove it.
 *
 * @param admin git's folder of it
 * @param force whether git looks at nothing: where a backup of all has been made
 */
async function take(
  repo: Repository,
  entry: WorktreeEntry,
  admin: string,
  force: boolean,
): Promise<Removal> {
  return await alone(repo, async () => {
    await keepCommits(repo, entry, admin);
    if (!force) {
      const problem = await takeAway(repo, entry, admin);
      return problem === null ? { removed: true } : kept(problem);
    }
    const problem = await removeByGit(repo, entry, admin, true);
    return problem === null ? { removed: true } : kept(problem.said);
  });
}
