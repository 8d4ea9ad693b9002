// Has git remove the folder of a worktree, without its --force: it looks once more, and what changed since
// we looked stays. What we are about to remove is noted where git keeps what belongs to the worktree: who
// was killed in between has left part of the files, and they are brought back before git looks again.

import { replaceFile } from "../store/files.ts";
import { isFolder, isThere, permitted, readText, removeOne, run } from "./disk.ts";
import { ask, git, GitError, lastLine } from "./git.ts";
import { worktreeEnv } from "./record.ts";
import type { Repository, WorktreeEntry } from "./repository.ts";
import { gitlinks, readStatus } from "./state.ts";

/** Our note, in git's folder of a worktree: the commit that it was at. */
const noteOf = (admin: string) => `${admin}/orchestra-removing`;

/** Whether somebody was about to remove a worktree, which is at the same commit still. */
export async function isBeingRemoved(admin: string, head: string): Promise<boolean> {
  return await permitted(() => {
    try {
      return Deno.readTextFileSync(noteOf(admin)).trim() === head;
    } catch (error) {
      if (error instanceof Deno.errors.NotFound) return false;
      throw error;
    }
  }, () => Promise.resolve(false));
}

/**
 * Brings back the files that are missing in a worktree, where nothing else differs from its commit: git was
 * killed while it made it or removed it. No file that is there is written.
 *
 * @param admin git's folder of it
 * @throws GitError where git cannot
 */
export async function completeFiles(
  repo: Repository,
  path: string,
  admin: string,
): Promise<void> {
  if (!await isThere(`${path}/.git`)) {
    await permitted(
      () => Deno.writeTextFileSync(`${path}/.git`, `gitdir: ${admin}\n`, { createNew: true }),
      // All of them; what is whole, git leaves as it is.
      async () => void await git(repo.gitDir, ["worktree", "repair"]),
    );
  }
  const env = worktreeEnv(admin, path);
  if (!await isThere(`${admin}/index`)) await ask(path, ["read-tree", "HEAD"], { env });
  // Git compares times first; a new index has none.
  await git(path, ["update-index", "-q", "--refresh"], { env });
  const others = ["diff-index", "-z", "--name-only", "--diff-filter=d", "HEAD", "--"];
  if ((await readStatus(path)).untracked.length > 0 || await ask(path, others, { env }) !== "") {
    return;
  }
  await ask(path, ["checkout-index", "--all", "--quiet"], { env });
  await git(path, ["update-index", "-q", "--refresh"], { env });
}

/**
 * Removes the folder of a worktree, and what git has noted of it. It must have been looked at, under the
 * lock of ours.
 *
 * @param admin git's folder of it
 * @returns why it stays; null where it is gone
 */
export async function takeAway(
  repo: Repository,
  { path, locked, head }: WorktreeEntry,
  admin: string,
): Promise<string | null> {
  await permitted(
    () => replaceFile(noteOf(admin), `${noteOf(admin)}.${Deno.pid}.tmp`, `${head}\n`),
    () => Promise.resolve(),
  );
  const problem = await removeByGit(repo, { path, locked, head }, admin, false);
  if (problem === null || problem.isForgotten) return problem?.said ?? null;
  await removeOne(noteOf(admin));
  return problem.said;
}

/**
 * Has git remove the folder of a worktree, and its record. Git forgets also a folder that it could not remove
 * all of: it would be nobody's from then on. Its record is written again then, and its files are brought back.
 *
 * @param isForced whether git does not look itself, for a backup of all has been made
 * @returns null where it is gone; else what git said, and whether the record was written again, with a note
 * that it is being removed
 */
export async function removeByGit(
  repo: Repository,
  { path, locked, head }: Pick<WorktreeEntry, "path" | "locked" | "head">,
  admin: string,
  isForced: boolean,
): Promise<{ said: string; isForgotten: boolean } | null> {
  const record = await readRecord(admin);
  await openFolders(path);
  if (locked !== null) await ask(repo.gitDir, ["worktree", "unlock", path]);
  // As late as can be: where git has to be forced, this is the last look.
  const how = isForced ? ["--force"] : await force(path);
  const output = await git(repo.gitDir, ["worktree", "remove", ...how, "--", path]);
  if (output.code === 0) return null;
  const said = lastLine(output);
  if (await isThere(admin)) {
    if (locked !== null) await git(repo.gitDir, ["worktree", "lock", "--reason", locked, path]);
    return { said, isForgotten: false };
  }
  if (!await isThere(path)) return null;
  if (locked !== null) record.push(["locked", `${locked}\n`]);
  record.push([noteOf("").slice(1), `${head}\n`]);
  await writeRecord(admin, record);
  await completeFiles(repo, path, admin).catch((error) => {
    // What is missing, the next call brings back.
    if (!(error instanceof GitError)) throw error;
  });
  return { said, isForgotten: true };
}

/** What makes a folder of git's the record of a worktree, and says which. */
async function readRecord(admin: string): Promise<[name: string, text: string][]> {
  const files: [string, string][] = [];
  for (const name of ["HEAD", "commondir", "gitdir", "config.worktree"]) {
    const text = await readText(`${admin}/${name}`);
    if (text !== null) files.push([name, text]);
  }
  return files;
}

async function writeRecord(admin: string, files: readonly [string, string][]): Promise<void> {
  await permitted(() => {
    Deno.mkdirSync(admin, { recursive: true });
    for (const [name, text] of files) {
      replaceFile(`${admin}/${name}`, `${admin}/${name}.${Deno.pid}.tmp`, text);
    }
  }, async () => {
    for (const [name, text] of files) {
      const script = 'mkdir -p -- "$1" && printf %s "$3" >"$1/$2.new" && mv -f "$1/$2.new" "$1/$2"';
      await run("sh", ["-c", script, "sh", admin, name, text]);
    }
  });
}

/** What its owner may not write to, as a cache of downloads often is, git cannot remove. */
async function openFolders(path: string): Promise<void> {
  if (Deno.build.os === "windows" || !await isFolder(path)) return;
  await permitted(() => open(path), async () => {
    await run("find", [
      ...[path, "-type", "d", "!", "-perm", "-700", "-exec", "chmod", "u+rwx", "{}", "+"],
    ]);
  });
}

/** Links are not followed. */
function open(folder: string): void {
  try {
    const { mode } = Deno.lstatSync(folder);
    if (mode !== null && (mode & 0o700) !== 0o700) Deno.chmodSync(folder, (mode & 0o777) | 0o700);
    for (const { name, isDirectory } of Deno.readDirSync(folder)) {
      if (isDirectory) open(`${folder}/${name}`);
    }
  } catch (error) {
    if (error instanceof Deno.errors.NotCapable) throw error;
    // Another user's: git tells.
  }
}

/**
 * Git refuses one with places for sub-modules, whether they were set up or not: there its own look is done
 * for it, and none of them is set up.
 */
async function force(path: string): Promise<string[]> {
  if (!await isThere(path) || (await gitlinks(path)).length === 0) return [];
  const { changed, untracked } = await readStatus(path);
  return changed.length + untracked.length === 0 ? ["--force"] : [];
}
