// Backups: a ref for each commit that nothing else would name any more, so that git never forgets it.

import { ask, git, GitError } from "./git.ts";
import { patiently } from "./lock.ts";
import type { Repository } from "./repository.ts";

/** Where they are. */
const PLACE = "refs/orchestra/backup/";

/**
 * Keeps a commit. One that is kept already by that name is not kept twice.
 *
 * @param name what it was: a task's id, a branch's name
 * @returns the ref
 * @throws GitError where it cannot be written
 */
export async function keepBackup(repo: Repository, name: string, commit: string): Promise<string> {
  const stem = `${PLACE}${refName(name)}-`;
  const own = (await backups(repo)).flatMap((it) => {
    const number = it.ref.startsWith(stem) ? it.ref.slice(stem.length) : "";
    return /^\d+$/.test(number) ? [{ ...it, number: Number(number) }] : [];
  });
  const kept = own.find((it) => it.commit === commit);
  if (kept !== undefined) return kept.ref;
  const first = Math.max(0, ...own.map(({ number }) => number)) + 1;
  for (let number = first;; number++) {
    const ref = `${stem}${number}`;
    // Only where there is none: somebody else may have been faster.
    const args = ["update-ref", "-m", "orchestra: backup", ref, commit, "0".repeat(commit.length)];
    const isNew = await patiently(async () => {
      const output = await git(repo.gitDir, args);
      if (output.code === 0) return true;
      if (/reference already exists/.test(output.stderr) && number < first + 100) return false;
      throw new GitError(args, output);
    }, { isOwn: (lock) => lock.includes(`/${PLACE}`) });
    if (isNew) return ref;
  }
}

/** What git takes within the name of a ref. */
function refName(name: string): string {
  return name.replace(/^refs\/heads\//, "")
    .replace(/[^\w./-]+/g, "-")
    .replace(/\.{2,}|\/{2,}/g, "-")
    .replace(/(^|\/)[.-]+|\.(?=\/|$)|\.lock(?=\/|$)/g, "$1")
    .replace(/^\/+|\/+$/g, "") || "commit";
}

/**
 * All backups, by name.
 *
 * @throws GitError where git does not tell
 */
export async function backups(repo: Repository): Promise<{ ref: string; commit: string }[]> {
  const args = ["for-each-ref", "--format=%(objectname) %(refname)", PLACE];
  const list = await ask(repo.gitDir, args);
  return list.split("\n").filter((line) => line !== "").map((line) => {
    const at = line.indexOf(" ");
    return { commit: line.slice(0, at), ref: line.slice(at + 1) };
  });
}
