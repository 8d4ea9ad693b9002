// How a worktree stands: what is not committed in it, what is half done, what git would lose.

import { isFolder, isThere } from "./disk.ts";
import { ask, tryAsk } from "./git.ts";
import { hiddenChanges, listIndex } from "./index_file.ts";
import { recordOf } from "./record.ts";
import { findWorktree, type Repository, samePath } from "./repository.ts";

/** How a worktree stands. */
export interface WorktreeState {
  /** Whether its folder is there, with git's file in it. */
  readonly exists: boolean;
  /** Nothing that git does not ignore differs from its commit. */
  readonly clean: boolean;
  /** Tracked files that differ from the commit. */
  readonly changed: number;
  /** Those of them that git was told to overlook: `git status` tells of none. */
  readonly hidden: readonly string[];
  /** Files that are not tracked and not ignored; a repository within counts as one. */
  readonly untracked: number;
  /** What git is in the middle of: `merge`, `rebase`, `cherry-pick`, `revert`, `bisect`; null for nothing. */
  readonly operation: string | null;
  /** Whether it has submodules that were set up: their commits may be nowhere else. */
  readonly submodules: boolean;
  /** Branch; null where HEAD is at a commit itself, and where it is not there. */
  readonly branch: string | null;
  /** Commit; null where there is none yet, and where it is not there. */
  readonly head: string | null;
}

const GONE: WorktreeState = {
  exists: false,
  clean: false,
  changed: 0,
  hidden: [],
  untracked: 0,
  operation: null,
  submodules: false,
  branch: null,
  head: null,
};

/** What git leaves in its folder while it is in the middle of something. */
const OPERATIONS = [
  ["rebase-merge", "rebase"],
  ["rebase-apply", "rebase"],
  ["MERGE_HEAD", "merge"],
  ["CHERRY_PICK_HEAD", "cherry-pick"],
  ["REVERT_HEAD", "revert"],
  ["BISECT_LOG", "bisect"],
] as const;

/** A worktree's own folder in git's, or null where its folder is not the top of a worktree of the repository. */
export async function ownGitDir(repo: Repository, path: string): Promise<string | null> {
  // Git follows whatever is in `.git`, to the user's own working copy, too.
  if (!await isFolder(path) || await recordOf(repo, path) === undefined) return null;
  const said = await tryAsk(path, [
    ...["rev-parse", "--path-format=absolute"],
    ...["--show-toplevel", "--git-common-dir", "--absolute-git-dir"],
  ]);
  if (said === null) return null;
  // A path may have line ends in it, so what is expected is compared first.
  const expected = `${path}\n${repo.gitDir}\n`;
  if (said.startsWith(expected)) return said.slice(expected.length);
  const [top, common, own] = said.split("\n");
  return samePath(top!, path) && samePath(common ?? "", repo.gitDir) ? own ?? null : null;
}

/** What git is in the middle of. */
async function operationIn(gitDir: string): Promise<string | null> {
  for (const [name, operation] of OPERATIONS) {
    if (await isThere(`${gitDir}/${name}`)) return operation;
  }
  return null;
}

/** Whether submodules of a worktree were set up: git keeps their commits in the worktree's own folder. */
async function hasSubmodules(
  gitDir: string,
  path: string,
  links: readonly string[],
): Promise<boolean> {
  if (await isThere(`${gitDir}/modules`)) return true;
  for (const link of links) if (await isThere(`${path}/${link}/.git`)) return true;
  return false;
}

/** Folders that stand for commits of other repositories. */
export async function gitlinks(path: string): Promise<string[]> {
  return (await listIndex(path)).links;
}

/**
 * How a worktree stands.
 *
 * @param path as the repository's own list names it; what is elsewhere is told as not being there
 * @throws GitError where git does not tell
 */
export async function worktreeState(repo: Repository, path: string): Promise<WorktreeState> {
  if (await findWorktree(repo, path) === undefined) return GONE;
  const gitDir = await ownGitDir(repo, path);
  if (gitDir === null) return GONE;
  const [status, operation, { links, overlooked }] = await Promise.all([
    readStatus(path),
    operationIn(gitDir),
    listIndex(path),
  ]);
  const { branch, head } = status;
  const hidden = await hiddenChanges(repo, path, overlooked);
  const changed = status.changed.length + hidden.length;
  const untracked = status.untracked.length;
  return {
    exists: true,
    clean: changed === 0 && untracked === 0,
    changed,
    hidden,
    untracked,
    operation,
    submodules: await hasSubmodules(gitDir, path, links),
    branch,
    head,
  };
}

/** What `git status` tells of a working copy. */
export interface Status {
  readonly branch: string | null;
  readonly head: string | null;
  /** Tracked files that differ from the commit, those in conflict among them. */
  readonly changed: string[];
  /** Those in conflict. */
  readonly conflicts: string[];
  /** A repository within, which is not looked into, ends with `/`. */
  readonly untracked: string[];
}

/**
 * Reads what differs in a working copy.
 *
 * @param signal ends it: git reads changed files through filters of the user's
 * @throws GitError where git does not tell
 */
export async function readStatus(path: string, signal?: AbortSignal): Promise<Status> {
  const said = await ask(path, [
    ...["status", "--porcelain=v2", "-z", "--branch", "--untracked-files=all"],
    ...["--no-renames", "--ignore-submodules=none"],
  ], { signal });
  const lines = said.split("\0");
  const value = (name: string) =>
    lines.find((line) => line.startsWith(`# branch.${name} `))?.slice(name.length + 10) ?? null;
  const branch = value("head");
  const head = value("oid");
  /** What follows so many words. */
  const rest = (line: string, words: number) => line.split(" ").slice(words).join(" ");
  const conflicts = lines.filter((line) => line.startsWith("u ")).map((line) => rest(line, 10));
  return {
    branch: branch === "(detached)" ? null : branch,
    head: head === "(initial)" ? null : head,
    changed: [
      ...lines.filter((line) => line.startsWith("1 ")).map((line) => rest(line, 8)),
      ...conflicts,
    ],
    conflicts,
    untracked: lines.filter((line) => line.startsWith("? ")).map((line) => line.slice(2)),
  };
}
