// The index of a working copy: what is in it, and a copy of it to work with that is nobody's, so that neither
// the user's nor the agent's is ever touched.

import { isThere, permitted, removeOne } from "./disk.ts";
import { ask, git, tryAsk } from "./git.ts";
import type { Repository } from "./repository.ts";

/** Copies that are older were left by somebody who was killed, milliseconds. */
const STALE = 24 * 60 * 60 * 1000;
const PREFIX = "orchestra-index-";
let count = 0;

/** What of an index counts beside its files. */
export interface IndexList {
  /** Folders that stand for commits of other repositories. */
  readonly links: string[];
  /** Files that git was told to overlook (`--assume-unchanged`, `--skip-worktree`), and that are there. */
  readonly overlooked: string[];
}

/**
 * Reads an index.
 *
 * @param path top of its working copy
 * @throws GitError where git does not tell
 */
export async function listIndex(path: string): Promise<IndexList> {
  const said = await ask(path, ["ls-files", "-v", "--stage", "-z", "--", ":(top)"]);
  const links: string[] = [];
  const overlooked: string[] = [];
  for (const line of said.split("\0")) {
    const name = line.slice(line.indexOf("\t") + 1);
    if (line.startsWith("160000 ", 2)) links.push(name);
    // What a sparse checkout leaves out is marked so as well, and is not there.
    else if (/^[a-zS] /.test(line) && await isThere(`${path}/${name}`)) overlooked.push(name);
  }
  return { links, overlooked };
}

/**
 * Does something with a copy of an index.
 *
 * @param folder top of its working copy
 * @param act gets the variables by which git finds the copy
 */
export async function withIndex<T>(
  repo: Repository,
  folder: string,
  act: (env: Record<string, string>) => Promise<T>,
): Promise<T> {
  await sweep(repo);
  const index = `${repo.gitDir}/${PREFIX}${Deno.pid}-${Date.now()}-${++count}`;
  const env = { GIT_INDEX_FILE: index };
  try {
    await copyIndex(folder, index);
    return await act(env);
  } finally {
    await removeOne(index);
    await removeOne(`${index}.lock`);
  }
}

/**
 * Copies the index of a working copy; where there is none, or it may not be read, HEAD's is made.
 *
 * @param folder top of the working copy
 * @param index where the copy is to be
 */
export async function copyIndex(folder: string, index: string): Promise<void> {
  const own = await ask(folder, ["rev-parse", "--path-format=absolute", "--git-path", "index"]);
  // With the times of files that it knows most need not be read.
  const copied = await permitted(async () => {
    if (!await isThere(own)) return false;
    const { mtime } = await Deno.stat(own);
    await Deno.copyFile(own, index);
    // A file that was written when the index was, or later, may have changed without a sign, and git looks
    // into it: a copy as young as it is would hide that. Rather a second too old.
    const then = new Date((mtime?.getTime() ?? 1000) - 1000);
    await Deno.utime(index, then, then);
    return true;
  }, () => Promise.resolve(false));
  if (copied) return;
  const env = { GIT_INDEX_FILE: index };
  await removeOne(index);
  if (await tryAsk(folder, ["read-tree", "HEAD"], { env }) === null) {
    await ask(folder, ["read-tree", "--empty"], { env });
  }
}

/** In an index that is a copy git overlooks nothing any more. */
export async function unhide(
  folder: string,
  env: Record<string, string>,
  overlooked: readonly string[],
): Promise<void> {
  // A name that is no text cannot be told to git.
  const input = overlooked.filter((name) => !name.includes("\ufffd")).join("\0");
  if (input === "") return;
  for (const mark of ["--no-assume-unchanged", "--no-skip-worktree"]) {
    await ask(folder, ["update-index", "-z", mark, "--stdin"], { env, input });
  }
}

/**
 * Of the files that git overlooks, those that differ from its index: `git status` tells of none of them, and
 * `git worktree remove` takes them all.
 */
export async function hiddenChanges(
  repo: Repository,
  path: string,
  overlooked: readonly string[],
): Promise<string[]> {
  if (overlooked.length === 0) return [];
  return await withIndex(repo, path, async (env) => {
    await unhide(path, env, overlooked);
    // It tells by its code whether any differs.
    await git(path, ["update-index", "-q", "--refresh"], { env });
    const differing = (await ask(path, ["diff-files", "--name-only", "-z"], { env })).split("\0");
    const known = new Set(differing);
    return overlooked.filter((name) => known.has(name));
  });
}

/** Takes away what the killed have left. */
async function sweep(repo: Repository): Promise<void> {
  await permitted(() => {
    for (const { name } of Deno.readDirSync(repo.gitDir)) {
      if (!name.startsWith(PREFIX)) continue;
      const path = `${repo.gitDir}/${name}`;
      const age = Date.now() - (Deno.lstatSync(path).mtime?.getTime() ?? Date.now());
      if (age > STALE) Deno.removeSync(path);
    }
  }, () => Promise.resolve()).catch(() => {
    // Somebody else has taken it away.
  });
}
