// Commits on a task's branch what its agent has left. Whatever stops halfway is done again from the
// beginning: the branch moves last, and only from where it was.

import { isBranchName } from "../decide/branch.ts";
import { quote } from "../task/error.ts";
import type { Author } from "./author.ts";
import { commitTree, isAncestor } from "./base.ts";
import { isThere, largeFile } from "./disk.ts";
import { ask, fatalLine, GitError, tryAsk } from "./git.ts";
import { lockInTheWay, ownLocks, patiently } from "./lock.ts";
import { mend } from "./mend.ts";
import { moveRef } from "./move.ts";
import { loggedHeads } from "./reflog.ts";
import { adminFolder, ledTo, recordOf, worktreeEnv } from "./record.ts";
import { findWorktree, listWorktrees, type Repository, samePath } from "./repository.ts";
import { ownGitDir, readStatus, worktreeState } from "./state.ts";

/** What a branch has come to. */
export interface Committed {
  /** Its last commit. */
  readonly tip: string;
  /** How many files differ from where it began. */
  readonly files: number;
  /** Lines; of what is no text none. */
  readonly insertions: number;
  readonly deletions: number;
  /** Those files, relative to the top, in order. */
  readonly paths: string[];
  /** Whether something was committed now. */
  readonly committed: boolean;
}

/** Something stays uncommitted, or the worktree off its branch; the message says why. */
export class NotCommitted extends GitError {
  constructor(why: string) {
    super(["commit"], { code: 1, stdout: "", stderr: why });
    this.message = why;
  }
}

/**
 * Commits what is uncommitted in a worktree, and brings its branch to where the agent has gone.
 *
 * @param path as the repository's own list names it. Where the folder is gone, the branch is as it is
 * @param wanted `base`: where the branch began; `branch`: its name; `message`; `author`
 * @throws GitError where that cannot be done without losing something, or git refuses; the tree is as it was
 */
export async function commitLeft(
  repo: Repository,
  path: string,
  { base, branch, message, author }: {
    base: string;
    branch: string;
    message: string;
    author: Author;
  },
): Promise<Committed> {
  if (!isBranchName(branch)) throw new NotCommitted(`${branch} is no name of a branch`);
  const before = await tipOf(repo, branch);
  const record = await standing(repo, path);
  if (record === "gone") {
    if (before === null) {
      throw new NotCommitted(`the worktree is gone, and its branch ${branch} too`);
    }
    return { ...await changes(repo, base, before), committed: false };
  }
  // It would move under whoever works there.
  const other = (await listWorktrees(repo)).find((it) =>
    it.branch === branch && it.prunable === null && !samePath(it.path, path)
  );
  if (other !== undefined) {
    throw new NotCommitted(`the branch ${branch} is checked out in ${other.path}`);
  }
  await refuseLosses(repo, path);
  // From here on git means this worktree, whatever becomes of its `.git`.
  const env = worktreeEnv(record, path);
  const tree = await stage(path, env);
  const { head, branch: on } = await readHead(path, env);
  const tip = await place(repo, path, {
    ...{ env, tree, head, on, branch, before, base, message, author },
  });
  // Whoever else watches may have done it meanwhile: it is looked at anew.
  if (tip === null) return await commitLeft(repo, path, { base, branch, message, author });
  return { ...await changes(repo, base, tip), committed: tip !== before && tip !== head };
}

/** The commit of a branch; null where there is none. */
async function tipOf(repo: Repository, branch: string): Promise<string | null> {
  return await tryAsk(repo.gitDir, [
    "rev-parse",
    "--verify",
    "--quiet",
    `refs/heads/${branch}^{commit}`,
  ]);
}

/** Git's record of a worktree that is there. Where only git's file in it is gone, that is mended. */
async function standing(repo: Repository, path: string): Promise<string | "gone"> {
  const entry = await findWorktree(repo, path);
  if (entry === undefined) {
    if (!await isThere(path)) return "gone";
    throw new NotCommitted(`${path} is no worktree of ${repo.top}`);
  }
  if (!await isThere(path)) return "gone";
  await mend(repo, path);
  const record = await recordOf(repo, path);
  if (record !== undefined && await ownGitDir(repo, path) !== null) return record;
  const moved = await wasMoved(repo, path);
  throw new NotCommitted(moved ?? `${path} is no longer a worktree of ${repo.top}`);
}

/** What to do where the repository is not any more where its worktree looks for it. */
async function wasMoved(repo: Repository, path: string): Promise<string | undefined> {
  const record = await adminFolder(repo, path);
  if (record === undefined || await ledTo(path, record) === undefined) return undefined;
  return `${path} looks for its repository where it is no more; ` +
    `to mend it: git -C ${quote([repo.top])} worktree repair`;
}

/** What `git add` would lose or spoil. */
async function refuseLosses(repo: Repository, path: string): Promise<void> {
  const { operation } = await worktreeState(repo, path);
  if (operation !== null) throw new NotCommitted(`git is in the middle of a ${operation} there`);
  const { conflicts, changed, untracked } = await readStatus(path);
  if (conflicts.length > 0) {
    throw new NotCommitted(`in conflict: ${conflicts.slice(0, 3).join(", ")}`);
  }
  // Only the name of its commit would be committed, and its files be nowhere.
  const nested = untracked.filter((name) => name.endsWith("/"));
  if (nested.length > 0) {
    throw new NotCommitted(`a repository of its own is within: ${nested.slice(0, 3).join(", ")}`);
  }
  const large = await largeFile(path, [...changed, ...untracked]);
  if (large !== undefined) {
    throw new NotCommitted(`${large} is larger than 1 GB: ignore it, or commit it yourself`);
  }
}

/** Puts everything into the index; the tree that it is. */
async function stage(path: string, env: Record<string, string>): Promise<string> {
  await askPatiently(path, [
    ...["-c", "core.safecrlf=false", "-c", "advice.addEmbeddedRepo=false"],
    // Also outside of what a sparse checkout shows.
    ...["add", "--all", "--sparse", "--", ":(top)"],
  ], env);
  return await askPatiently(path, ["write-tree"], env);
}

/** What a git prints that has to lock something of the worktree; that is taken from nobody who may have it. */
async function askPatiently(
  path: string,
  args: readonly string[],
  env: Record<string, string>,
): Promise<string> {
  try {
    return await patiently(() => ask(path, args, { env }), { isOwn: () => true });
  } catch (error) {
    if (!(error instanceof GitError) || !error.isAnswer) throw error;
    const lock = lockInTheWay(error.output);
    throw new NotCommitted(
      lock === undefined
        ? `git ${error.command}: ${fatalLine(error.output)}`
        : `another git holds ${lock}`,
    );
  }
}

/** Where HEAD is: its commit, null where there is none; its branch, null where it is at the commit itself. */
async function readHead(
  path: string,
  env: Record<string, string>,
): Promise<{ head: string | null; branch: string | null }> {
  const head = await tryAsk(path, ["rev-parse", "--verify", "--quiet", "HEAD^{commit}"], { env });
  const ref = await tryAsk(path, ["symbolic-ref", "--quiet", "HEAD"], { env });
  return { head, branch: ref?.replace(/^refs\/heads\//, "") ?? null };
}

interface Found {
  /** Variables by which git means the worktree. */
  readonly env: Record<string, string>;
  /** Everything that is in the worktree. */
  readonly tree: string;
  readonly head: string | null;
  /** Branch that is checked out. */
  readonly on: string | null;
  readonly branch: string;
  /** Where the branch is; null where there is none any more. */
  readonly before: string | null;
  readonly base: string;
  readonly message: string;
  readonly author: Author;
}

/**
 * Brings the branch to a commit that has the tree and all that was committed in the worktree.
 *
 * @returns that commit; null where the branch has moved meanwhile, and nothing was done
 */
async function place(repo: Repository, path: string, found: Found): Promise<string | null> {
  const { env, tree, head, on, branch, before, base } = found;
  // A branch without a commit, or one that has been taken away: it goes on where it last was.
  const from = head ?? before ?? await lastHead(path) ?? base;
  const work = async () =>
    await treeOf(repo, from) === tree ? from : await commitTree(repo, tree, [from], found);
  let tip: string;
  if (before === null || before === from) tip = await work();
  else if (await treeOf(repo, before) === tree && await isAncestor(repo, from, before)) {
    tip = before;
  } else if (await isAncestor(repo, before, from)) tip = await work();
  else if (await treeOf(repo, from) === tree && await isAncestor(repo, from, before)) {
    // The agent has looked at an older commit, and left it as it was.
    return before;
  } else {
    const where = on === null ? `at ${from.slice(0, 10)}` : `on ${on}`;
    throw new NotCommitted(`HEAD is ${where}, which does not go on from ${branch}`);
  }
  if (tip !== before) {
    const why = "orchestra: what the agent left";
    const patience = { isOwn: ownLocks(repo, branch) };
    const ref = `refs/heads/${branch}`;
    if (!await moveRef(repo.gitDir, ref, before, tip, why, patience)) return null;
  }
  if (on !== branch) await goTo(path, branch, env);
  return tip;
}

async function treeOf(repo: Repository, commit: string): Promise<string> {
  return await ask(repo.gitDir, ["rev-parse", "--verify", `${commit}^{tree}`]);
}

/** The last commit that a HEAD without one was at, as its log tells: git itself reads none for such a HEAD. */
async function lastHead(path: string): Promise<string | null> {
  const log = await ask(path, ["rev-parse", "--path-format=absolute", "--git-path", "logs/HEAD"]);
  const last = (await loggedHeads(log)).at(-1);
  return last === undefined
    ? null
    : await tryAsk(path, ["rev-parse", "--verify", "--quiet", `${last}^{commit}`]);
}

/** The worktree is on its branch again, as its files are. */
async function goTo(path: string, branch: string, env: Record<string, string>): Promise<void> {
  const args = ["symbolic-ref", "-m", "orchestra: back on the branch"];
  await askPatiently(path, [...args, "HEAD", `refs/heads/${branch}`], env);
}

/** What differs between two commits. */
async function changes(
  repo: Repository,
  base: string,
  tip: string,
): Promise<Omit<Committed, "committed">> {
  const said = await ask(repo.gitDir, [
    ...["diff-tree", "-r", "-z", "--numstat", "--no-renames", "--no-ext-diff", "--no-textconv"],
    ...[base, tip, "--"],
  ]);
  let [insertions, deletions] = [0, 0];
  const paths: string[] = [];
  for (const line of said.split("\0")) {
    const [added, removed, ...name] = line.split("\t");
    if (name.length === 0) continue;
    insertions += Number(added) || 0;
    deletions += Number(removed) || 0;
    paths.push(name.join("\t"));
  }
  return { tip, files: paths.length, insertions, deletions, paths };
}
