// Queues that an agent has begun in its worktree. They keep themselves out of git, so that git tells nothing
// of them; with the folder their tasks would go.

import { ask } from "./git.ts";

/**
 * The folders of queues in a worktree, unless all that is in them is tracked.
 *
 * @param path of the worktree
 * @returns relative to it: `.orchestra` for its own
 * @throws GitError where git does not tell
 */
export async function queuesWithin(path: string): Promise<string[]> {
  const said = await ask(path, ["ls-files", "--others", "-z", "--", ":(top,glob)**/.orchestra/**"]);
  const folders = said.split("\0").flatMap((name) =>
    /^(?:.*?\/)?\.orchestra(?=\/)/.exec(name) ?? []
  );
  return [...new Set(folders)];
}
