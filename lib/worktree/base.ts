// What a branch begins from: a commit that somebody named, or the merge of what it builds on.

import { OrchestraError } from "../task/error.ts";
import { type Author, authorEnv } from "./author.ts";
import { ask, git, GitError, tryAsk } from "./git.ts";
import type { Repository } from "./repository.ts";

/** The end of a branch that another builds on. */
export interface Tip {
  readonly taskId: string;
  readonly branch: string;
  /** Commit. */
  readonly tip: string;
}

/**
 * The commit that a name stands for.
 *
 * @param ref a branch, a tag, a commit or what else git takes
 * @throws OrchestraError `usage` where it names none
 */
export async function commitOf(repo: Repository, ref: string): Promise<string> {
  const commit = ref === "" || ref.startsWith("-") || ref.includes("\0")
    ? null
    : await tryAsk(repo.top, [
      "rev-parse",
      "--verify",
      "--quiet",
      "--end-of-options",
      `${ref}^{commit}`,
    ]);
  if (commit !== null) return commit;
  throw new OrchestraError("usage", `No commit is named "${ref}" in ${repo.top}`, {
    hint: "Name a branch, a tag or a commit: git log --oneline --all shows some.",
  });
}

/** The same of a name that git made itself, a ref or a commit; null where it is gone. */
export function commitNamed({ gitDir }: Repository, name: string): Promise<string | null> {
  return tryAsk(gitDir, ["rev-parse", "--verify", "--quiet", `${name}^{commit}`]);
}

/** Whether all of a commit is in another. */
export async function isAncestor(repo: Repository, old: string, tip: string): Promise<boolean> {
  const args = ["merge-base", "--is-ancestor", old, tip];
  const output = await git(repo.gitDir, args);
  if (output.code > 1 || output.code < 0) throw new GitError(args, output);
  return output.code === 0;
}

/**
 * Merges two commits in the object database alone: no working copy is touched.
 *
 * @returns the tree; or the names of the files that are in conflict
 */
export async function mergeTrees(
  repo: Repository,
  ours: string,
  theirs: string,
): Promise<{ tree: string } | { conflict: string[] }> {
  const args = ["merge-tree", "--write-tree", "-z", "--name-only", "--no-messages", ours, theirs];
  const output = await git(repo.gitDir, args);
  if (output.code !== 0 && output.code !== 1) throw new GitError(args, output);
  const [tree, ...files] = output.stdout.split("\0");
  return output.code === 0
    ? { tree: tree! }
    : { conflict: [...new Set(files.filter((file) => file !== ""))].sort() };
}

/**
 * One commit that has everything of several, merged one after the other. The same tips make the same
 * commit, whenever it is made: who was killed in between finds it again.
 *
 * @param tips at least one
 * @returns the commit; or the files in which they contradict each other, and the branches up to the one
 * that does not fit
 * @throws GitError where git fails for another reason
 */
export async function mergeTips(
  repo: Repository,
  tips: readonly Tip[],
  author: Author,
): Promise<{ commit: string } | { conflict: string[]; branches: string[] }> {
  const [first, ...others] = tips;
  if (first === undefined) throw new TypeError("there is nothing to merge");
  let commit = first.tip;
  const merged = [first.branch];
  for (const { tip, branch } of others) {
    if (await isAncestor(repo, tip, commit)) continue;
    const names = merged.map((it) => `'${it}'`).join(", ");
    merged.push(branch);
    if (await isAncestor(repo, commit, tip)) {
      commit = tip;
      continue;
    }
    const result = await mergeTrees(repo, commit, tip);
    if ("conflict" in result) return { ...result, branches: merged };
    commit = await commitTree(repo, result.tree, [commit, tip], {
      message: `Merge '${branch}' into ${names}`,
      author,
      date: await laterDate(repo, commit, tip),
    });
  }
  return { commit };
}

/** When the later of two commits was made. */
async function laterDate(repo: Repository, one: string, other: string): Promise<string> {
  const dates = await ask(repo.gitDir, ["show", "-s", "--format=%ct", one, other, "--"]);
  return `${Math.max(...dates.split("\n").map(Number))} +0000`;
}

/**
 * Makes a commit that nothing names yet.
 *
 * @param date as git takes it; now where absent
 * @throws GitError where it cannot be written
 */
export async function commitTree(
  repo: Repository,
  tree: string,
  parents: readonly string[],
  { message, author, date }: { message: string; author: Author; date?: string },
): Promise<string> {
  const args = ["commit-tree", tree, ...parents.flatMap((parent) => ["-p", parent]), "-F", "-"];
  const dates: Record<string, string> = date === undefined
    ? {}
    : { GIT_AUTHOR_DATE: date, GIT_COMMITTER_DATE: date };
  return await ask(repo.gitDir, args, {
    // Git takes no NUL.
    input: `${message.replaceAll("\0", "").trimEnd()}\n`,
    env: { ...authorEnv(author), ...dates },
  });
}
