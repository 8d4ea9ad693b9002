// A working copy as it stands, as a tree in the object database: changed, new and removed files. By an
// index of its own: neither the user's index nor any file is touched.

import { isThere, permitted, removeOne } from "./disk.ts";
import { ask, tryAsk } from "./git.ts";
import type { Repository } from "./repository.ts";

/** Temporary indexes that are older were left by somebody who was killed, milliseconds. */
const STALE = 24 * 60 * 60 * 1000;
const PREFIX = "orchestra-index-";
let count = 0;

/**
 * The tree of a working copy: what is tracked as it stands, and what is not tracked and not ignored.
 * Repositories within it are left out.
 *
 * @param folder its top
 * @returns the tree's name
 * @throws GitError where a file cannot be read, or the tree not be written
 */
export async function snapshotTree(repo: Repository, folder: string): Promise<string> {
  await sweep(repo);
  const index = `${repo.gitDir}/${PREFIX}${Deno.pid}-${Date.now()}-${++count}`;
  const env = { GIT_INDEX_FILE: index };
  try {
    const own = await ask(folder, ["rev-parse", "--path-format=absolute", "--git-path", "index"]);
    // With the times of files that the user's index knows most need not be read.
    const copied = await permitted(async () => {
      if (!await isThere(own)) return false;
      await Deno.copyFile(own, index);
      return true;
    }, () => Promise.resolve(false));
    if (!copied && await tryAsk(folder, ["read-tree", "HEAD"], { env }) === null) {
      await ask(folder, ["read-tree", "--empty"], { env });
    }
    const nested = await nestedRepositories(folder);
    const pathspecs = nested.map((it) => `:(top,exclude,literal)${it}`);
    await ask(folder, [
      ...["-c", "core.safecrlf=false", "-c", "advice.addEmbeddedRepo=false"],
      ...["add", "-A", "--sparse", "--", ":(top)", ...pathspecs],
    ], { env });
    return await ask(folder, ["write-tree"], { env });
  } finally {
    await removeOne(index);
    await removeOne(`${index}.lock`);
  }
}

/** Folders in a working copy, not tracked and not ignored, that are repositories of their own. */
export async function nestedRepositories(folder: string): Promise<string[]> {
  const list = await ask(folder, [
    "ls-files",
    "--others",
    "--exclude-standard",
    "-z",
    "--",
    ":(top)",
  ]);
  return list.split("\0").filter((name) => name.endsWith("/")).map((name) => name.slice(0, -1));
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
