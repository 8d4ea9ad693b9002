// Commits that a worktree names for itself, and that go with it: by refs that each worktree has of its own, and
// by what git remembers of its operations.

import { isFolder } from "./disk.ts";
import { tryAsk } from "./git.ts";
import { worktreeEnv } from "./record.ts";

/** What git remembers of a worktree's operations. */
const PSEUDO_REFS =
  "ORIG_HEAD MERGE_HEAD CHERRY_PICK_HEAD REVERT_HEAD REBASE_HEAD BISECT_HEAD FETCH_HEAD".split(" ");
/** Refs that each worktree has for itself. */
const OWN_REFS = ["refs/worktree", "refs/bisect", "refs/rewritten"];

/**
 * The commits that only belong to a worktree by name.
 *
 * @param path of the worktree, whose folder may be gone
 * @param record git's folder of it
 */
export async function ownCommits(path: string, record: string): Promise<string[]> {
  const env = worktreeEnv(record, path);
  // A git needs a folder to run in.
  const where = await isFolder(path) ? path : record;
  const told = await Promise.all([
    tryAsk(where, ["rev-parse", "--revs-only", ...PSEUDO_REFS], { env }),
    tryAsk(where, ["for-each-ref", "--format=%(objectname)", ...OWN_REFS], { env }),
  ]);
  const commits = told.flatMap((text) => text?.split("\n") ?? []);
  return commits.filter((it) => /^[0-9a-f]{40,}$/.test(it));
}
