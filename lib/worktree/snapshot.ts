// A working copy as it stands, as a tree in the object database: changed, new and removed files. Neither its
// index nor any file is touched.

import { pause } from "../launch/pause.ts";
import { ask, git, GitError } from "./git.ts";
import { listIndex, unhide, withIndex } from "./index_file.ts";
import { listWorktrees, type Repository } from "./repository.ts";

/**
 * The tree of a working copy: what is tracked as it stands, and what is not tracked and not ignored.
 * Repositories within it are left out, other worktrees of this one among them.
 *
 * @param folder its top
 * @param options `hidden`: whether changes count that git was told to overlook; they do where absent;
 * `signal` ends it
 * @returns the tree's name
 * @throws GitError where a file cannot be read, or the tree not be written
 */
export async function snapshotTree(
  repo: Repository,
  folder: string,
  { hidden = true, signal }: { hidden?: boolean; signal?: AbortSignal } = {},
): Promise<string> {
  return await withIndex(repo, folder, async (env) => {
    const { links, overlooked } = await listIndex(folder);
    if (hidden) await unhide(folder, env, overlooked);
    await addAll(repo, folder, env, signal);
    await dropLinks(folder, env, new Set(links));
    return await ask(folder, ["write-tree"], { env });
  });
}

/** So often what is half made within is waited for: it takes git some milliseconds. */
const TURNS = 10;

async function addAll(
  repo: Repository,
  folder: string,
  env: Record<string, string>,
  signal: AbortSignal | undefined,
): Promise<void> {
  for (let turn = 1;; turn++) {
    const within = [...await nestedRepositories(folder), ...await worktreesWithin(repo, folder)];
    const pathspecs = [...new Set(within)].map((it) => `:(top,exclude,literal)${it}`);
    const args = [
      ...["-c", "core.safecrlf=false", "-c", "advice.addEmbeddedRepo=false"],
      ...["add", "-A", "--sparse", "--", ":(top)", ...pathspecs],
    ];
    const output = await git(folder, args, { env, signal });
    if (output.code === 0) return;
    // A worktree that somebody makes within has no commit for a moment.
    const isHalf = /does not have a commit checked out/.test(output.stderr);
    if (!isHalf || turn === TURNS) throw new GitError(args, output);
    await pause(10 * turn);
  }
}

/** Worktrees of the repository that stand below a folder, relative to it. */
async function worktreesWithin(repo: Repository, folder: string): Promise<string[]> {
  const paths = (await listWorktrees(repo)).map(({ path }) => path);
  return paths.filter((path) => path.startsWith(`${folder}/`))
    .map((path) => path.slice(folder.length + 1));
}

/** Repositories that have come within since they were left out. */
async function dropLinks(
  folder: string,
  env: Record<string, string>,
  known: ReadonlySet<string>,
): Promise<void> {
  const staged = (await ask(folder, ["ls-files", "--stage", "-z", "--", ":(top)"], { env }))
    .split("\0");
  const added = staged.filter((line) => line.startsWith("160000 "))
    .map((line) => line.slice(line.indexOf("\t") + 1)).filter((name) => !known.has(name));
  if (added.length === 0) return;
  const input = added.map((name) => `${name}\0`).join("");
  await ask(folder, ["update-index", "--force-remove", "-z", "--stdin"], { env, input });
}

/** Folders in a working copy, not tracked and not ignored, that are repositories of their own. */
export async function nestedRepositories(folder: string): Promise<string[]> {
  const args = ["ls-files", "--others", "--exclude-standard", "-z", "--", ":(top)"];
  const names = (await ask(folder, args)).split("\0");
  return names.filter((name) => name.endsWith("/")).map((name) => name.slice(0, -1));
}
