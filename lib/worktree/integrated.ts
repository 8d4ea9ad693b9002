// Whether what a branch has is in another one already, and by which way it came there. Nothing is
// changed: what is made, one commit that nobody names, git forgets by itself.

import type { Way } from "../decide/cleaning.ts";
import { ask, git, tryAsk } from "./git.ts";
import type { Repository } from "./repository.ts";

/** What is needed of a repository. */
type Where = Pick<Repository, "top">;

/** Whoever made it at whatever time: one patch is one commit, however often it is looked for. */
const NOBODY: Readonly<Record<string, string>> = Object.fromEntries(
  ["AUTHOR", "COMMITTER"].flatMap((who) => [
    [`GIT_${who}_NAME`, "Orchestra"],
    [`GIT_${who}_EMAIL`, "orchestra@localhost"],
    [`GIT_${who}_DATE`, "@0 +0000"],
  ]),
);

/**
 * By which way a commit is in a target; null where it is not.
 *
 * @param tip name of the commit
 * @param target name of the commit that it should be in
 * @param base name of the commit that the work began from; null where that is not known
 */
export async function integratedBy(
  { top }: Where,
  tip: string,
  target: string,
  base: string | null,
): Promise<Way | null> {
  if (tip === target) return "same";
  const parted = await tryAsk(top, ["merge-base", tip, target]);
  if (parted === tip) return "ancestor";
  if (parted !== null) {
    if (await sameFiles(top, parted, tip)) return "empty";
    // Nothing has come to it since.
    if (parted === target) return null;
    // From where they parted, and from where the task began: that may have been another task's branch.
    const begins = base === null || base === parted || !await isAncestor(top, base, tip)
      ? [parted]
      : [parted, base];
    for (const begin of begins) {
      if (begin !== parted) {
        if (!await isIntegrated(top, begin, target)) continue;
        if (await sameFiles(top, begin, tip)) return "empty";
      }
      if (await isSquashed(top, begin, tip, target)) return "squashed";
      if (await isPicked(top, begin, tip, target)) return "picked";
    }
  }
  return await isMerged(top, tip, target) ? "merged" : null;
}

/** What a task built on counts as there where the target has the like of it. */
async function isIntegrated(top: string, begin: string, target: string): Promise<boolean> {
  return await integratedBy({ top }, begin, target, null) !== null;
}

/** Whether one commit is the other, or among those that led to it. */
export async function isAncestor(top: string, older: string, newer: string): Promise<boolean> {
  return (await git(top, ["merge-base", "--is-ancestor", older, newer])).code === 0;
}

async function sameFiles(top: string, one: string, other: string): Promise<boolean> {
  const trees = await ask(top, ["rev-parse", `${one}^{tree}`, `${other}^{tree}`]);
  const [first, second] = trees.split("\n");
  return first === second;
}

function treeOf(top: string, commit: string): Promise<string> {
  return ask(top, ["rev-parse", "--verify", `${commit}^{tree}`]);
}

/** Whether one commit of the target does what those between two of ours do together. */
async function isSquashed(
  top: string,
  begin: string,
  tip: string,
  target: string,
): Promise<boolean> {
  const args = ["commit-tree", `${tip}^{tree}`, "-p", begin, "-m", "what a branch has done"];
  const all = await ask(top, args, { env: NOBODY });
  return /^- /.test(await tryAsk(top, ["cherry", target, all, begin]) ?? "");
}

/** Whether the target has the like of each of our commits. */
async function isPicked(
  top: string,
  begin: string,
  tip: string,
  target: string,
): Promise<boolean> {
  // One commit is what all do together; and a merge has no patch of its own: what it resolved would be
  // passed over.
  const range = ["rev-list", "--parents", `${begin}..${tip}`];
  const commits = (await tryAsk(top, range))?.split("\n") ?? [];
  if (commits.length < 2 || commits.some((line) => line.split(" ").length > 2)) return false;
  const found = await tryAsk(top, ["cherry", target, tip, begin]);
  return found !== null && found !== "" && found.split("\n").every((line) => line.startsWith("- "));
}

/** Whether a merge would change nothing. */
async function isMerged(top: string, tip: string, target: string): Promise<boolean> {
  const { code, stdout } = await git(top, ["merge-tree", "--write-tree", target, tip]);
  if (code !== 0) return false;
  return stdout.trim() === await treeOf(top, target);
}
