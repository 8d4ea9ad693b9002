// A working copy as it stands, as a tree in the object database: changed, new and removed files. Neither its
// index nor any file is touched.

import { ask } from "./git.ts";
import { listIndex, unhide, withIndex } from "./index_file.ts";
import type { Repository } from "./repository.ts";

/**
 * The tree of a working copy: what is tracked as it stands, and what is not tracked and not ignored.
 * Repositories within it are left out.
 *
 * @param folder its top
 * @param options `hidden`: whether changes count that git was told to overlook; they do where absent
 * @returns the tree's name
 * @throws GitError where a file cannot be read, or the tree not be written
 */
export async function snapshotTree(
  repo: Repository,
  folder: string,
  { hidden = true }: { hidden?: boolean } = {},
): Promise<string> {
  return await withIndex(repo, folder, async (env) => {
    if (hidden) await unhide(folder, env, (await listIndex(folder)).overlooked);
    const nested = await nestedRepositories(folder);
    const pathspecs = nested.map((it) => `:(top,exclude,literal)${it}`);
    await ask(folder, [
      ...["-c", "core.safecrlf=false", "-c", "advice.addEmbeddedRepo=false"],
      ...["add", "-A", "--sparse", "--", ":(top)", ...pathspecs],
    ], { env });
    return await ask(folder, ["write-tree"], { env });
  });
}

/** Folders in a working copy, not tracked and not ignored, that are repositories of their own. */
export async function nestedRepositories(folder: string): Promise<string[]> {
  const args = ["ls-files", "--others", "--exclude-standard", "-z", "--", ":(top)"];
  const names = (await ask(folder, args)).split("\0");
  return names.filter((name) => name.endsWith("/")).map((name) => name.slice(0, -1));
}
