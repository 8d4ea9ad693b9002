// At which commits a HEAD has been, as its log tells. Git itself reads no log of a HEAD without a commit, nor
// that of a worktree whose folder is gone.

import { readText } from "./disk.ts";

/**
 * The commits in a log of git's, oldest first; some may be gone.
 *
 * @param path of the file
 */
export async function loggedHeads(path: string): Promise<string[]> {
  const lines = (await readText(path) ?? "").split("\n");
  return lines.flatMap((line) => line.split(" ", 2)).filter((it) =>
    /^(?:[0-9a-f]{40}|[0-9a-f]{64})$/.test(it) && /[^0]/.test(it)
  );
}
