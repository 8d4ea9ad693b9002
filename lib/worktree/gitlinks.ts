// Submodules of which a merge brings in commits that are not here: they may be in the worktree alone in which
// an agent made them.

import { git } from "./git.ts";
import { changesBetween } from "./move.ts";
import { asText, shown } from "./names.ts";

/** A submodule, and the commit of its that is asked for. */
export interface Gitlink {
  readonly path: string;
  readonly commit: string;
}

/** Mode of a submodule in a tree. */
const GITLINK = "160000";

/**
 * The submodules that two commits have at different commits, as far as the later one is not to be found in
 * a working copy.
 *
 * @throws GitError where git does not tell what differs
 */
export async function missingGitlinks(top: string, from: string, to: string): Promise<Gitlink[]> {
  const missing: Gitlink[] = [];
  for (const { path, new: entry } of await changesBetween(top, from, to)) {
    if (entry?.mode !== GITLINK) continue;
    const commit = entry.object;
    const folder = asText(path);
    if (folder !== undefined && await has(top, folder, commit)) continue;
    missing.push({ path: shown(path), commit });
  }
  return missing;
}

async function has(top: string, folder: string, commit: string): Promise<boolean> {
  // One that nobody has initialised is an empty folder: git would look in the repository around it.
  const prefix = await git(top, ["-C", folder, "rev-parse", "--show-prefix"]);
  if (prefix.code !== 0 || prefix.stdout.trim() !== "") return false;
  const found = await git(top, ["-C", folder, "cat-file", "-e", `${commit}^{commit}`]);
  return found.code === 0;
}
