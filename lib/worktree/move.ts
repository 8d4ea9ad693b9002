// A branch is moved from one commit to another, and the working copies that have it checked out go along.
// Their files come first and the branch last, each by git itself: `read-tree -m -u` changes nothing where a
// change of the user's is in the way, and `update-ref` nothing where somebody else has moved the branch.
// Killed in between, some files are of the one commit and some of the other; `bring` finishes that, and
// touches no file that is of neither.

import { OrchestraError } from "../task/error.ts";
import { lstat } from "../store/files.ts";
import { STALE_AFTER } from "../decide/cleaning.ts";
import {
  ask as askAnywhere,
  askPart as askPartAnywhere,
  git as gitAnywhere,
  GitError,
  type GitOptions,
  type GitOutput,
  tryAsk,
} from "./git.ts";
import { isLeft, releaseLock } from "./stale_locks.ts";

/** A file that differs between two commits; null where a commit has none of that name. */
interface Change {
  readonly path: string;
  readonly old: Entry | null;
  readonly new: Entry | null;
}

/** What a commit has under a name. */
interface Entry {
  readonly mode: string;
  readonly object: string;
}

/** So long a lock of git's own is waited for, milliseconds. */
const PATIENCE = 10_000;
/** And so long one that a killed git may have left. */
const LEFT_PATIENCE = 30_000;

/** Should a working copy be gone, no git that is to be in it finds one that lies around it. */
function here<Options extends GitOptions>(checkout: string, options: Options): Options {
  const ceiling = checkout.slice(0, checkout.lastIndexOf("/"));
  return { ...options, env: { ...options.env, GIT_CEILING_DIRECTORIES: ceiling } };
}

const git = (checkout: string, args: readonly string[], options: GitOptions = {}) =>
  gitAnywhere(checkout, args, here(checkout, options));
const ask = (checkout: string, args: readonly string[], options: GitOptions = {}) =>
  askAnywhere(checkout, args, here(checkout, options));
const askPart = (checkout: string, args: readonly string[], most: number) =>
  askPartAnywhere(checkout, args, most, here(checkout, {}));

const sleep = (millis: number) => new Promise((resolve) => setTimeout(resolve, millis));

/** The parts of what git prints with `-z`. */
const parts = (text: string) => text.split("\0").filter((part) => part !== "");

/** What differs between two commits. */
async function changesBetween(top: string, from: string, to: string): Promise<Change[]> {
  const args = ["diff-tree", "-r", "-z", "--raw", "--no-renames", "--no-abbrev", from, to];
  const fields = (await ask(top, args)).split("\0");
  const changes: Change[] = [];
  for (let at = 0; at + 1 < fields.length; at += 2) {
    const [oldMode, newMode, oldObject, newObject] = fields[at]!.slice(1).split(" ");
    const entry = (mode: string, object: string) => mode === "000000" ? null : { mode, object };
    changes.push({
      path: fields[at + 1]!,
      old: entry(oldMode!, oldObject!),
      new: entry(newMode!, newObject!),
    });
  }
  return changes;
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
  const status = ["status", "--porcelain", "-z", "--no-renames", "--untracked-files=no"];
  for (const line of parts(await ask(checkout, [...status, "--ignore-submodules=all"]))) {
    const path = line.slice(3);
    if (changed.has(path)) found.add(path);
  }
  const added = changes.filter(({ old }) => old === null).map(({ path }) => path);
  if (added.length > 0) {
    const coming = new Set(added);
    const above = new Set(added.flatMap((path) => foldersOf(path)));
    for (const told of parts(await ask(checkout, ["ls-files", "--others", "-z"]))) {
      const path = told.replace(/\/$/, "");
      const blocks = coming.has(path) || above.has(path) ||
        foldersOf(path).some((folder) => coming.has(folder));
      if (blocks) found.add(path);
    }
  }
  return [...found].sort();
}

/** The folders that lead to a path. */
function foldersOf(path: string): string[] {
  const folders: string[] = [];
  for (let at = path.indexOf("/"); at > 0; at = path.indexOf("/", at + 1)) {
    folders.push(path.slice(0, at));
  }
  return folders;
}

/** Whether git says that somebody else has the lock of its index just now. */
const isLocked = ({ code, stderr }: GitOutput) =>
  code !== 0 && /index\.lock': File exists/.test(stderr);

/** Runs git, again and again as long as another git has the index: editors look all the time. */
async function whenUnlocked(
  checkout: string,
  args: readonly string[],
  options: { input?: string } = {},
): Promise<GitOutput> {
  const until = performance.now() + PATIENCE;
  for (let wait = 10;; wait = Math.min(wait * 2, 200)) {
    const output = await git(checkout, args, options);
    if (!isLocked(output) || performance.now() > until) return output;
    await sleep(wait);
  }
}

/**
 * Whether git would bring the files of a working copy from one commit to another; nothing is changed.
 *
 * @returns why not; null where it would
 */
export async function refusalToCarry(
  checkout: string,
  from: string,
  to: string,
): Promise<GitError | null> {
  // Files that were written anew with the same content count as they are.
  await whenUnlocked(checkout, ["update-index", "-q", "--refresh"]);
  const args = ["read-tree", "-n", "-m", "-u", from, to];
  const output = await whenUnlocked(checkout, args);
  return output.code === 0 ? null : new GitError(args, output);
}

/**
 * Brings the files of a working copy from one commit to another, all or none. Its branch stays where it is.
 *
 * @throws GitError where git refuses: a change of the user's is in the way
 */
export async function carry(checkout: string, from: string, to: string): Promise<void> {
  await whenUnlocked(checkout, ["update-index", "-q", "--refresh"]);
  const args = ["read-tree", "-m", "-u", from, to];
  const output = await whenUnlocked(checkout, args);
  if (output.code !== 0) throw new GitError(args, output);
}

/**
 * Moves a branch.
 *
 * @param why for the reflog
 * @returns false where it is not at `from` any more
 * @throws GitError where git cannot write it
 */
export async function moveRef(
  top: string,
  ref: string,
  from: string,
  to: string,
  why: string,
): Promise<boolean> {
  const args = ["update-ref", "-m", why, ref, to, from];
  const until = performance.now() + PATIENCE;
  for (;;) {
    const output = await git(top, args);
    if (output.code === 0) return true;
    const now = await tryAsk(top, ["rev-parse", "--verify", "--quiet", ref]);
    if (now === to) return true;
    if (now !== from) return false;
    if (!/File exists/.test(output.stderr) || performance.now() > until) {
      throw new GitError(args, output);
    }
    await sleep(20);
  }
}

/** A git that outlived whoever had started it may still be at work while we look. */
const LOOKS = 3;

/**
 * Finishes what was begun: brings a working copy whose files are some of the one commit and some of the
 * other to `to`. Git writes files in their place, so one may also be missing or cut short.
 *
 * @param scratch path of a file for an index of our own
 * @throws OrchestraError `state` where a file is of neither, and somebody has changed it since
 */
export async function bring(
  checkout: string,
  from: string,
  to: string,
  scratch: string,
): Promise<void> {
  for (let look = 1;; look++) {
    try {
      return await bringOnce(checkout, from, to, scratch);
    } catch (error) {
      if (look === LOOKS) throw error;
    }
    await sleep(100 * look);
  }
}

async function bringOnce(
  checkout: string,
  from: string,
  to: string,
  scratch: string,
): Promise<void> {
  await waitForIndex(checkout);
  const changes = await changesBetween(checkout, from, to);
  const [index, sparse, toOld, toNew] = [
    await indexOf(checkout),
    await sparseOf(checkout),
    await differing(checkout, from, scratch),
    await differing(checkout, to, scratch),
  ];
  const foreign: string[] = [];
  const entries: string[] = [];
  const rewritten: string[] = [];
  const isSame = (one: Entry | null, other: Entry | null) =>
    one?.mode === other?.mode && one?.object === other?.object;
  const removals: string[] = [];
  const put = (path: string, entry: Entry | null) => {
    if (entry === null) removals.push(`0 ${"0".repeat(to.length)}\t${path}`);
    else entries.push(`${entry.mode} ${entry.object} 0\t${path}`);
  };
  for (const { path, old, new: wanted } of changes) {
    const staged = index.get(path) ?? null;
    if (staged === "unmerged" || !(isSame(staged, old) || isSame(staged, wanted))) {
      foreign.push(path);
      continue;
    }
    if (sparse.has(path)) continue;
    // Of a name that a commit has not, the other one tells whether a file is there.
    const isNew = wanted === null ? toOld.get(path) === "D" : !toNew.has(path);
    const isOld = old === null ? toNew.get(path) === "D" : !toOld.has(path);
    if (isNew) put(path, wanted);
    else if (isOld) put(path, old);
    else if (await isTorn(checkout, path, [old, wanted], toOld, toNew)) {
      const entry = wanted ?? old;
      put(path, entry);
      rewritten.push(path);
    } else foreign.push(path);
  }
  if (foreign.length > 0) throw changedSince(checkout, foreign);
  const run = async (args: readonly string[], input: string) => {
    const output = await whenUnlocked(checkout, args, { input });
    if (output.code !== 0) throw new GitError(args, output);
  };
  // Removed first: a file may come where a folder was.
  const info = [...removals, ...entries];
  if (info.length > 0) await run(["update-index", "-z", "--index-info"], `${info.join("\0")}\0`);
  if (rewritten.length > 0) {
    await run(["checkout-index", "-f", "-z", "--stdin"], `${rewritten.join("\0")}\0`);
  }
  await carry(checkout, from, to);
}

/** The error where somebody has changed what was half done. */
function changedSince(checkout: string, files: readonly string[]): OrchestraError {
  const named = files.slice(0, 5).join(", ") + (files.length > 5 ? ", …" : "");
  return new OrchestraError(
    "state",
    `Finishing a merge that was interrupted: in ${checkout} these files have been changed since: ${named}`,
    { hint: "Put the changes aside, with git stash or a copy of the files, and try again." },
  );
}

/** Waits until no git has the index; a lock that a killed one left is released. */
async function waitForIndex(checkout: string): Promise<void> {
  const place = ["rev-parse", "--path-format=absolute", "--git-path", "index.lock"];
  const path = await ask(checkout, place);
  const until = performance.now() + LEFT_PATIENCE;
  for (;;) {
    const info = lstat(path);
    if (info === undefined) return;
    const lock = { path, since: info.mtime?.getTime() ?? Infinity, ino: info.ino };
    // That a git of ours was killed here is known: it need not be old.
    if (isLeft(lock, Date.now() + STALE_AFTER + 1) && releaseLock(lock)) return;
    if (performance.now() > until) {
      throw new OrchestraError(
        "state",
        `Finishing a merge that was interrupted: ${path} is there`,
        {
          hint: "Another git is at work there, or was killed: where none is, remove that file.",
        },
      );
    }
    await sleep(50);
  }
}

/** What the index of a working copy says. */
async function indexOf(checkout: string): Promise<Map<string, Entry | "unmerged">> {
  const entries = new Map<string, Entry | "unmerged">();
  for (const line of parts(await ask(checkout, ["ls-files", "--stage", "-z"]))) {
    const tab = line.indexOf("\t");
    const [mode, object, stage] = line.slice(0, tab).split(" ");
    const entry = stage === "0" ? { mode: mode!, object: object! } : "unmerged";
    entries.set(line.slice(tab + 1), entry);
  }
  return entries;
}

/** The files that a sparse working copy leaves out. */
async function sparseOf(checkout: string): Promise<Set<string>> {
  const lines = parts(await ask(checkout, ["ls-files", "-t", "-z"]));
  return new Set(lines.filter((line) => line.startsWith("S ")).map((line) => line.slice(2)));
}

/** How the files of a working copy differ from those of a commit, whatever its index says. */
async function differing(
  checkout: string,
  commit: string,
  scratch: string,
): Promise<Map<string, string>> {
  const env = { GIT_INDEX_FILE: scratch };
  // By itself read-tree would have looked at an index that a kill left.
  await ask(checkout, ["read-tree", "--empty"], { env });
  await ask(checkout, ["read-tree", commit], { env });
  await git(checkout, ["update-index", "-q", "--refresh"], { env });
  const fields = parts(
    await ask(checkout, ["diff-files", "-z", "--name-status", "--ignore-submodules=all"], { env }),
  );
  const found = new Map<string, string>();
  for (let at = 0; at + 1 < fields.length; at += 2) found.set(fields[at + 1]!, fields[at]!);
  return found;
}

/** Whether a file is as a killed git leaves it: not there yet, or the beginning of what it was to be. */
async function isTorn(
  checkout: string,
  path: string,
  [old, wanted]: readonly [Entry | null, Entry | null],
  toOld: ReadonlyMap<string, string>,
  toNew: ReadonlyMap<string, string>,
): Promise<boolean> {
  if (toOld.get(path) === "D" || toNew.get(path) === "D") return true;
  const info = lstat(`${checkout}/${path}`);
  if (info?.isFile !== true) return false;
  if (info.size === 0) return true;
  let bytes: Uint8Array;
  try {
    bytes = await Deno.readFile(`${checkout}/${path}`);
  } catch {
    return false;
  }
  for (const entry of [old, wanted]) {
    if (entry === null || !entry.mode.startsWith("100")) continue;
    const args = ["cat-file", "--filters", `--path=${path}`, entry.object];
    const whole = await askPart(checkout, args, bytes.length).catch(() => undefined);
    if (whole?.bytes.length === bytes.length && whole.bytes.every((it, at) => it === bytes[at])) {
      return true;
    }
  }
  return false;
}

/** The files that git names where they are in its way. */
export function filesOf({ output }: GitError): string[] {
  const listed = output.stderr.split("\n").filter((line) => line.startsWith("\t"))
    .map((line) => line.trim());
  const single = /^error: Entry '(.*)' (?:not uptodate|would be overwritten|overlaps)/gm;
  return [...listed, ...[...output.stderr.matchAll(single)].map(([, name]) => name!)];
}
