// The branch that others are merged into, and the working copies that have it checked out.

import { OrchestraError } from "../task/error.ts";
import { ask, git, tryAsk } from "./git.ts";
import { listWorktrees, type Repository } from "./repository.ts";
import { isBranchName } from "../decide/branch.ts";

/** A branch that is merged into. */
export interface Target {
  /** `refs/heads/<name>` */
  readonly ref: string;
  readonly name: string;
  /** Its commit. */
  readonly commit: string;
}

/**
 * The branch that is merged into: the one that is named, else the one that the workspace's working copy
 * has checked out.
 *
 * @param into a branch of this repository; null for the one that is checked out
 * @param option how another one is named
 * @throws OrchestraError `usage` where there is no such branch, `state` where none is checked out
 */
export async function findTarget(
  repo: Repository,
  into: string | null,
  option = "--into",
): Promise<Target> {
  const ref = into === null ? await checkedOut(repo, option) : await named(repo, into);
  const commit = await ask(repo.top, ["rev-parse", "--verify", `${ref}^{commit}`]);
  return { ref, name: nameOf(ref), commit };
}

/** A branch without `refs/heads/`. */
export function nameOf(ref: string): string {
  return ref.replace(/^refs\/heads\//, "");
}

async function checkedOut({ top }: Repository, option: string): Promise<string> {
  const ref = await tryAsk(top, ["symbolic-ref", "--quiet", "HEAD"]);
  if (ref?.startsWith("refs/heads/")) return ref;
  throw new OrchestraError(
    "state",
    `${top} has no branch checked out (its HEAD is detached)`,
    { hint: `Name the branch that is meant: ${option} main` },
  );
}

async function named({ top }: Repository, into: string): Promise<string> {
  const name = nameOf(into);
  if (isBranchName(name)) {
    const ref = `refs/heads/${name}`;
    const meant = await tryAsk(top, ["symbolic-ref", "--quiet", ref]) ?? ref;
    const found = await git(top, ["show-ref", "--verify", "--quiet", meant]);
    if (found.code === 0 && meant.startsWith("refs/heads/")) return meant;
  }
  throw new OrchestraError(
    "usage",
    `--into ${JSON.stringify(into)}: there is no such branch in ${top}`,
    { hint: "See the branches with: git branch   or make one: git branch NAME" },
  );
}

/**
 * The working copies that have a branch checked out. One whose folder is gone for good does not count.
 *
 * @throws OrchestraError `state` where one is on a disk that is not there, or rebases the branch just now
 */
export async function checkoutsOf(repo: Repository, { ref, name }: Target): Promise<string[]> {
  const paths: string[] = [];
  for (const entry of await listWorktrees(repo)) {
    if (entry.bare || entry.prunable !== null) continue;
    if (entry.branch !== null && nameOf(entry.branch) === name) paths.push(entry.path);
    else if (entry.branch === null && await rebases(entry.path, ref)) {
      throw new OrchestraError(
        "state",
        `Merging into ${name}: it is being rebased in ${entry.path}`,
        {
          hint: "Finish that first, with git rebase --continue or --abort.",
        },
      );
    }
  }
  return paths;
}

/** Whether a working copy rebases a branch just now: git checks then that nobody has moved it. */
async function rebases(path: string, ref: string): Promise<boolean> {
  for (const folder of ["rebase-merge", "rebase-apply"]) {
    const place = await tryAsk(path, ["rev-parse", "--git-path", `${folder}/head-name`])
      .catch(() => null);
    if (place === null) continue;
    const absolute = /^(?:\/|[A-Za-z]:)/.test(place) ? place : `${path}/${place}`;
    try {
      if (Deno.readTextFileSync(absolute).trim() === ref) return true;
    } catch {
      // None is under way there, or we may not see it.
    }
  }
  return false;
}
