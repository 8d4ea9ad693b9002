// A branch is moved from one commit to another, and the working copies that have it checked out go along.
// Their files come first and the branch last, each by git itself: `read-tree -m -u` changes nothing where a
// change of the user's is in the way, and `update-ref` nothing where somebody else has moved the branch.
// Killed in between, some files are of the one commit and some of the other: see bring.ts.

import { pause } from "../launch/pause.ts";
import { OrchestraError } from "../task/error.ts";
import { isThere } from "./disk.ts";
import {
  ask as askAnywhere,
  git as gitAnywhere,
  GitError,
  type GitOptions,
  tryAsk,
} from "./git.ts";
import { withIndex } from "./index_file.ts";
import { PATIENCE, type Patience, patiently } from "./lock.ts";
import { askNames, shown, unquoted } from "./names.ts";
import type { Repository } from "./repository.ts";

/** A file that differs between two commits; null where a commit has none of that name. */
export interface Change {
  /** Its name, a character for each byte. */
  readonly path: string;
  readonly old: Entry | null;
  readonly new: Entry | null;
}

/** What a commit has under a name. */
export interface Entry {
  readonly mode: string;
  readonly object: string;
}

/** Should a working copy be gone, no git that is to be in it finds one that lies around it. */
export function here<Options extends GitOptions>(checkout: string, options: Options): Options {
  const ceiling = checkout.slice(0, checkout.lastIndexOf("/"));
  return { ...options, env: { ...options.env, GIT_CEILING_DIRECTORIES: ceiling } };
}

const git = (checkout: string, args: readonly string[], options: GitOptions = {}) =>
  gitAnywhere(checkout, args, here(checkout, options));
const ask = (checkout: string, args: readonly string[], options: GitOptions = {}) =>
  askAnywhere(checkout, args, here(checkout, options));
const namesIn = (checkout: string, args: readonly string[], options: GitOptions = {}) =>
  askNames(checkout, args, here(checkout, options));

/** What differs between two commits. */
export async function changesBetween(top: string, from: string, to: string): Promise<Change[]> {
  const args = ["diff-tree", "-r", "--raw", "--no-renames", "--no-abbrev", from, to];
  const entry = (mode: string, object: string) => mode === "000000" ? null : { mode, object };
  return (await namesIn(top, args)).map((line) => {
    const tab = line.indexOf("\t");
    const [oldMode, newMode, oldObject, newObject] = line.slice(1, tab).split(" ");
    return {
      path: unquoted(line.slice(tab + 1)),
      old: entry(oldMode!, oldObject!),
      new: entry(newMode!, newObject!),
    };
  });
}

/**
 * The files of a working copy that are in the way of a move: changed and not committed, or not git's and in
 * the place of one that would come, ignored or not.
 */
export async function filesInTheWay(
  checkout: string,
  from: string,
  to: string,
): Promise<string[]> {
  const changes = await changesBetween(checkout, from, to);
  if (changes.length === 0) return [];
  const changed = new Set(changes.map(({ path }) => path));
  const found = new Set<string>();
  const status = ["status", "--porcelain", "--no-renames", "--untracked-files=no"];
  for (const line of await namesIn(checkout, [...status, "--ignore-submodules=all"])) {
    const path = unquoted(line.slice(3));
    if (changed.has(path)) found.add(path);
  }
  const added = changes.filter(({ old }) => old === null).map(({ path }) => path);
  if (added.length > 0) {
    const coming = new Set(added);
    const above = new Set(added.flatMap((path) => foldersOf(path)));
    for (const told of await namesIn(checkout, ["ls-files", "--others"])) {
      const path = unquoted(told).replace(/\/$/, "");
      const blocks = coming.has(path) || above.has(path) ||
        foldersOf(path).some((folder) => coming.has(folder));
      if (blocks) found.add(path);
    }
  }
  return [...found].sort().map(shown);
}

/** The folders that lead to a path. */
function foldersOf(path: string): string[] {
  const folders: string[] = [];
  for (let at = path.indexOf("/"); at > 0; at = path.indexOf("/", at + 1)) {
    folders.push(path.slice(0, at));
  }
  return folders;
}

/**
 * Has git change the index of a working copy as soon as no other git has it. Killed it leaves its lock, so that
 * what is under way must stand in the record before.
 *
 * @param before is done before each attempt; what it throws ends it
 * @throws GitError
 */
export async function changeIndex(
  checkout: string,
  args: readonly string[],
  options: Pick<GitOptions, "input"> = {},
  before: () => Promise<void> = () => Promise.resolve(),
): Promise<void> {
  await patiently(async () => {
    await before();
    await ask(checkout, args, options);
  });
}

/** Files that were written anew with the same content count as they are. */
export async function refreshIndex(checkout: string): Promise<void> {
  await changeIndex(checkout, ["update-index", "-q", "--refresh"]).catch((error) => {
    // It only says that some have changed.
    if (!(error instanceof GitError && error.isAnswer)) throw error;
  });
}

/** The lock of a working copy's index, where it is or would be. */
export async function indexLockOf(checkout: string): Promise<string> {
  return await ask(checkout, ["rev-parse", "--path-format=absolute", "--git-path", "index.lock"]);
}

/** The lock of a working copy's index that another git does not let go of; null where none has it. */
export async function lockOfAnother(checkout: string): Promise<string | null> {
  const path = await indexLockOf(checkout);
  const until = performance.now() + PATIENCE;
  while (await isThere(path)) {
    if (performance.now() > until) return path;
    await pause(50);
  }
  return null;
}

/**
 * Whether git would bring the files of a working copy from one commit to another. That is asked of a copy of
 * its index: nothing is changed, and nothing locked.
 *
 * @returns why not; null where it would
 */
export async function refusalToCarry(
  repo: Repository,
  checkout: string,
  from: string,
  to: string,
): Promise<GitError | null> {
  return await withIndex(repo, checkout, async (env) => {
    await git(checkout, ["update-index", "-q", "--refresh"], { env });
    const args = ["read-tree", "-n", "-m", "-u", from, to];
    const output = await git(checkout, args, { env });
    return output.code === 0 ? null : new GitError(args, output);
  });
}

/** Whether a working copy has a branch checked out. */
export async function isOn(checkout: string, ref: string): Promise<boolean> {
  return (await git(checkout, ["symbolic-ref", "--quiet", "HEAD"])).stdout.trimEnd() === ref;
}

/** Its user has checked out something else meanwhile. */
export class SwitchedAway extends OrchestraError {
  constructor(checkout: string, ref: string) {
    const name = ref.replace(/^refs\/heads\//, "");
    super("state", `Moving ${name}: ${checkout} has something else checked out since`, {
      hint: "Try again.",
    });
  }
}

/**
 * Brings the files of a working copy from one commit to another, all or none. Its branch stays where it is.
 *
 * @param ref the branch that it has checked out
 * @throws GitError where git refuses: a change of the user's is in the way; SwitchedAway where it has
 * another branch checked out meanwhile, and then its files may have been brought
 */
export async function carry(
  checkout: string,
  ref: string,
  from: string,
  to: string,
): Promise<void> {
  await refreshIndex(checkout);
  // Whoever had the index may have gone to another branch with it.
  const check = async () => {
    if (!await isOn(checkout, ref)) throw new SwitchedAway(checkout, ref);
  };
  await changeIndex(checkout, ["read-tree", "-m", "-u", from, to], {}, check);
  await check();
}

/**
 * Moves a branch.
 *
 * @param from where it is; null where there is none of that name yet
 * @param why for the reflog
 * @returns false where it is not at `from` any more
 * @throws GitError where git cannot write it
 */
export async function moveRef(
  top: string,
  ref: string,
  from: string | null,
  to: string,
  why: string,
  patience: Patience = {},
): Promise<boolean> {
  const args = ["update-ref", "-m", why, ref, to, from ?? "0".repeat(to.length)];
  return await patiently(async () => {
    try {
      await ask(top, args);
      return true;
    } catch (error) {
      if (!(error instanceof GitError)) throw error;
      // One that was killed may have done it.
      const now = await tryAsk(top, ["rev-parse", "--verify", "--quiet", ref]);
      if (now === to) return true;
      if (now !== from) return false;
      throw error;
    }
  }, patience);
}

/** The files that git names where they are in its way. */
export function filesOf({ output }: GitError): string[] {
  const listed = output.stderr.split("\n").filter((line) => line.startsWith("\t"))
    .map((line) => line.trim());
  const single = /^error: Entry '(.*)' (?:not uptodate|would be overwritten|overlaps)/gm;
  return [...listed, ...[...output.stderr.matchAll(single)].map(([, name]) => name!)];
}
