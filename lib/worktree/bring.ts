// A working copy that somebody was killed in while he moved it from one commit to another: its files are
// some of the one and some of the other. They are brought to one of the two. What is of neither somebody
// has changed since: it stays as it is, and is named.

import { pause } from "../launch/pause.ts";
import { OrchestraError } from "../task/error.ts";
import { lstat } from "../store/files.ts";
import { STALE_AFTER } from "../decide/cleaning.ts";
import { keepBackup } from "./backup.ts";
import { commitTree } from "./base.ts";
import { isThere } from "./disk.ts";
import {
  ask as askAnywhere,
  askPart as askPartAnywhere,
  git as gitAnywhere,
  type GitOptions,
} from "./git.ts";
import {
  type Change,
  changeIndex,
  changesBetween,
  type Entry,
  here,
  indexLockOf,
  refreshIndex,
} from "./move.ts";
import { askNames, asText, bytesOf, shown, unquoted } from "./names.ts";
import type { Repository } from "./repository.ts";
import { isLeft, releaseLock } from "./stale_locks.ts";

/** How a working copy is brought to a commit. */
export interface BringOptions {
  readonly repo: Repository;
  /** Path of a file for an index of our own. */
  readonly scratch: string;
  /**
   * Whether a git is known to have ended while it wrote files there. It takes a file away and writes it anew,
   * so one may be missing or cut short; else that is a change of its user's like any other.
   */
  readonly torn: boolean;
  /** Is told, before anything follows from it, that a killed git has left its lock: now `torn` is known. */
  onTorn?(): void;
  /**
   * Only the files that HEAD has as the commit has them, and what is of neither stays as it is: so what was
   * begun is taken back where somebody has gone on since.
   */
  readonly partly: boolean;
  /** What a backup of files that were cut short is named after; null where git has just cut them itself. */
  readonly name: string | null;
}

/** What became of it. */
export interface Brought {
  /** Files that stay as somebody has left them, half of the one commit. */
  readonly foreign: readonly string[];
  /** Files that were missing or cut short, and were written anew. */
  readonly rewritten: readonly string[];
  /** The ref that keeps what those that were cut short had in them; null where there was nothing. */
  readonly kept: string | null;
}

/** So long a lock is waited for that a killed git may have left, milliseconds. */
const LEFT_PATIENCE = 30_000;
/** A git that outlived whoever had started it may still be at work while we look. */
const LOOKS = 5;

const git = (checkout: string, args: readonly string[], options: GitOptions = {}) =>
  gitAnywhere(checkout, args, here(checkout, options));
const ask = (checkout: string, args: readonly string[], options: GitOptions = {}) =>
  askAnywhere(checkout, args, here(checkout, options));
const namesIn = (checkout: string, args: readonly string[], options: GitOptions = {}) =>
  askNames(checkout, args, here(checkout, options));

/**
 * Brings a working copy whose files are some of the one commit and some of the other to `to`.
 *
 * @throws OrchestraError `state` where a file is of neither and not `partly`, or the index stays locked;
 * GitError where git cannot write
 */
export async function bring(
  checkout: string,
  from: string,
  to: string,
  options: BringOptions,
): Promise<Brought> {
  let { torn } = options;
  const onTorn = () => {
    if (!torn) options.onTorn?.();
    torn = true;
  };
  for (let look = 1;; look++) {
    await waitForLocks([await indexLockOf(checkout)], onTorn);
    try {
      return await bringOnce(checkout, from, to, { ...options, torn });
    } catch (error) {
      if (look === LOOKS) throw error;
    }
    await pause(100 * look);
  }
}

const isSame = (one: Entry | null, other: Entry | null) =>
  one?.mode === other?.mode && one?.object === other?.object;

async function bringOnce(
  checkout: string,
  from: string,
  to: string,
  { repo, scratch, torn, partly, name }: BringOptions,
): Promise<Brought> {
  const all = await changesBetween(checkout, from, to);
  const head = partly ? await filesOfHead(checkout) : new Map<string, Entry>();
  const changes = partly
    ? all.filter(({ path, new: wanted }) => isSame(head.get(path) ?? null, wanted))
    : all;
  const [index, sparse, toOld, toNew] = [
    await indexOf(checkout),
    await sparseOf(checkout),
    await differing(checkout, from, scratch),
    await differing(checkout, to, scratch),
  ];
  const foreign: string[] = [];
  const brought: Change[] = [];
  const info: string[] = [];
  const removals: string[] = [];
  const rewritten: string[] = [];
  const cut: string[] = [];
  /** Those that are to go: git takes away what it knows, and for the time being that is an empty file. */
  const emptied: string[] = [];
  let isDone = true;
  const put = (path: string, entry: Entry | null) => {
    if (entry === null) removals.push(`0 ${"0".repeat(to.length)}\t${path}`);
    else info.push(`${entry.mode} ${entry.object} 0\t${path}`);
  };
  for (const change of changes) {
    const { path, old, new: wanted } = change;
    const staged = index.get(path) ?? null;
    const isOurs = staged !== "unmerged" && isSame(staged, old) && !isSame(old, wanted);
    if (staged === "unmerged" || !isOurs && !isSame(staged, wanted)) {
      if (!partly) foreign.push(path);
      continue;
    }
    // Of a name that a commit has not, the other one tells whether a file is there.
    const isNew = wanted === null ? toOld.get(path) === "D" : !toNew.has(path);
    const isOld = old === null ? toNew.get(path) === "D" : !toOld.has(path);
    const isStaged = isSame(staged, wanted);
    if (sparse.has(path) || isNew) {
      isDone &&= isStaged;
      if (isNew && !sparse.has(path)) put(path, wanted);
    } else if (isOld) {
      isDone = false;
      // Written in its place it takes no room: the disk may be full.
      if (torn && isStaged && wanted !== null) rewritten.push(path);
      else put(path, old);
    } else if (torn && await isTorn(checkout, change, toOld, toNew)) {
      isDone = false;
      if (wanted === null) emptied.push(path);
      else put(path, wanted);
      rewritten.push(path);
      cut.push(path);
    } else {
      // What was never touched by a move is its user's alone.
      if (!partly || isOurs) foreign.push(path);
      continue;
    }
    brought.push(change);
  }
  if (foreign.length > 0 && !partly) throw changedSince(checkout, foreign.map(shown));
  const result = { foreign: foreign.map(shown), rewritten: cut.map(shown) };
  if (isDone) return { ...result, kept: null };
  const run = async (args: readonly string[], names: readonly string[]) => {
    if (names.length === 0) return;
    await changeIndex(checkout, args, { input: bytesOf(`${names.join("\0")}\0`) });
  };
  const kept = name === null || cut.length === 0
    ? null
    : await keepTorn(checkout, from, cut, toOld, toNew, { repo, scratch, name });
  const goal = partly ? await withOnly(checkout, from, brought, scratch) : to;
  let start = from;
  if (emptied.length > 0) {
    const object = await ask(checkout, ["hash-object", "-w", "--stdin"], { input: "" });
    const empty = { mode: "100644", object };
    for (const path of emptied) put(path, empty);
    const changes = emptied.map((path) => ({ path, old: empty, new: empty }));
    start = await withOnly(checkout, from, changes, scratch);
  }
  // Removed first: a file may come where a folder was.
  await run(["update-index", "-z", "--index-info"], [...removals, ...info]);
  // With `-u` it has the index while it writes: who comes after a kill sees that there was one.
  await run(["checkout-index", "-f", "-u", "-z", "--stdin"], rewritten);
  await refreshIndex(checkout);
  await changeIndex(checkout, ["read-tree", "-m", "-u", start, goal]);
  return { ...result, kept };
}

/** The error where somebody has changed what was half done. */
function changedSince(checkout: string, files: readonly string[]): OrchestraError {
  const named = files.slice(0, 5).join(", ") + (files.length > 5 ? ", …" : "");
  return new OrchestraError(
    "state",
    `Finishing a merge that was interrupted: in ${checkout} these files have been changed since: ${named}`,
    {
      hint:
        "Put the changes aside, with git stash, or with a copy of the files and git restore, and try again.",
    },
  );
}

/**
 * Waits, while a merge is finished that was interrupted, until no git has some locks; what a killed one left
 * is released.
 *
 * @param onLeft is told of such a one, before anything follows from it
 * @throws OrchestraError `state` where one stays
 */
export async function waitForLocks(paths: readonly string[], onLeft = () => {}): Promise<void> {
  const until = performance.now() + LEFT_PATIENCE;
  for (;;) {
    const left: string[] = [];
    for (const path of paths) if (!await isFree(path, onLeft)) left.push(path);
    if (left.length === 0) return;
    if (performance.now() > until) {
      // Its user is going to remove it, and then nothing tells any more that it was there.
      onLeft();
      const [are, them] = left.length === 1 ? ["is", "that file"] : ["are", "these files"];
      throw new OrchestraError(
        "state",
        `Finishing a merge that was interrupted: ${left.join(" and ")} ${are} there`,
        { hint: `Another git is at work there, or was killed: where none is, remove ${them}.` },
      );
    }
    await pause(50);
  }
}

/** Whether nobody has a lock, or not any more. */
async function isFree(path: string, onLeft: () => void): Promise<boolean> {
  const info = lstat(path);
  // Where we may not see it, another program can.
  if (info === undefined) return !await isThere(path);
  const lock = { path, since: info.mtime?.getTime() ?? Infinity, ino: info.ino };
  // That a git of ours was killed here is known: it need not be old.
  if (!isLeft(lock, Date.now() + STALE_AFTER + 1)) return false;
  onLeft();
  return releaseLock(lock);
}

/** What the index of a working copy says. */
async function indexOf(checkout: string): Promise<Map<string, Entry | "unmerged">> {
  const entries = new Map<string, Entry | "unmerged">();
  for (const line of await namesIn(checkout, ["ls-files", "--stage"])) {
    const tab = line.indexOf("\t");
    const [mode, object, stage] = line.slice(0, tab).split(" ");
    const entry = stage === "0" ? { mode: mode!, object: object! } : "unmerged";
    entries.set(unquoted(line.slice(tab + 1)), entry);
  }
  return entries;
}

/** What the commit has that a working copy has checked out. */
async function filesOfHead(checkout: string): Promise<Map<string, Entry>> {
  const { code } = await git(checkout, ["rev-parse", "--verify", "--quiet", "HEAD^{commit}"]);
  if (code !== 0) return new Map();
  const lines = await namesIn(checkout, ["ls-tree", "-r", "--full-tree", "HEAD"]);
  return new Map(lines.map((line) => {
    const tab = line.indexOf("\t");
    const [mode, , object] = line.slice(0, tab).split(" ");
    return [unquoted(line.slice(tab + 1)), { mode: mode!, object: object! }];
  }));
}

/** The files that a sparse working copy leaves out. */
async function sparseOf(checkout: string): Promise<Set<string>> {
  const lines = await namesIn(checkout, ["ls-files", "-t"]);
  return new Set(
    lines.filter((line) => line.startsWith("S ")).map((line) => unquoted(line.slice(2))),
  );
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
  const args = ["diff-files", "--name-status", "--ignore-submodules=all"];
  return new Map((await namesIn(checkout, args, { env })).map((line) => {
    const tab = line.indexOf("\t");
    return [unquoted(line.slice(tab + 1)), line.slice(0, tab)];
  }));
}

/** Whether a file is as a killed git leaves it: not there yet, or the beginning of what it was to be. */
async function isTorn(
  checkout: string,
  { path, old, new: wanted }: Change,
  toOld: ReadonlyMap<string, string>,
  toNew: ReadonlyMap<string, string>,
): Promise<boolean> {
  if (toOld.get(path) === "D" || toNew.get(path) === "D") return true;
  const name = asText(path);
  if (name === undefined) return false;
  let bytes: Uint8Array;
  try {
    if (Deno.lstatSync(`${checkout}/${name}`).isFile !== true) return false;
    bytes = await Deno.readFile(`${checkout}/${name}`);
  } catch {
    return false;
  }
  if (bytes.length === 0) return true;
  for (const entry of [old, wanted]) {
    if (entry === null || !entry.mode.startsWith("100")) continue;
    const args = ["cat-file", "--filters", `--path=${name}`, entry.object];
    const whole = await askPartAnywhere(checkout, args, bytes.length, here(checkout, {}))
      .catch(() => undefined);
    if (whole?.bytes.length === bytes.length && whole.bytes.every((it, at) => it === bytes[at])) {
      return true;
    }
  }
  return false;
}

/** Whose work it is: nobody's. */
const NOBODY = { name: "Orchestra", email: "orchestra@localhost" };

/** Keeps what files have in them that were cut short: their user may have done it. */
async function keepTorn(
  checkout: string,
  commit: string,
  paths: readonly string[],
  toOld: ReadonlyMap<string, string>,
  toNew: ReadonlyMap<string, string>,
  { repo, scratch, name }: Pick<BringOptions, "repo" | "scratch"> & { readonly name: string },
): Promise<string | null> {
  const env = { GIT_INDEX_FILE: scratch };
  const infos: string[] = [];
  for (const path of paths) {
    if (toOld.get(path) === "D" || toNew.get(path) === "D") continue;
    const file = asText(path);
    if (file === undefined) continue;
    const object = await ask(checkout, ["hash-object", "-w", "--no-filters", "--", file]);
    infos.push(`100644 ${object} 0\t${path}`);
  }
  if (infos.length === 0) return null;
  await ask(checkout, ["read-tree", "--empty"], { env });
  await ask(checkout, ["update-index", "-z", "--index-info"], {
    env,
    input: bytesOf(`${infos.join("\0")}\0`),
  });
  const tree = await ask(checkout, ["write-tree"], { env });
  const message = "Files that an interrupted merge had cut short";
  const kept = await commitTree(repo, tree, [commit], { message, author: NOBODY });
  return await keepBackup(repo, name, kept);
}

/** The tree of a commit in which some files are as they are to be, and the others as they are. */
async function withOnly(
  checkout: string,
  from: string,
  changes: readonly Change[],
  scratch: string,
): Promise<string> {
  const env = { GIT_INDEX_FILE: scratch };
  await ask(checkout, ["read-tree", "--empty"], { env });
  await ask(checkout, ["read-tree", from], { env });
  const line = ({ path, new: wanted }: Change) =>
    wanted === null
      ? `0 ${"0".repeat(from.length)}\t${path}`
      : `${wanted.mode} ${wanted.object} 0\t${path}`;
  const isRemoved = ({ new: wanted }: Change) => wanted === null;
  const infos = [...changes.filter(isRemoved), ...changes.filter((one) => !isRemoved(one))];
  await ask(checkout, ["update-index", "-z", "--index-info"], {
    env,
    input: bytesOf(`${infos.map(line).join("\0")}\0`),
  });
  return await ask(checkout, ["write-tree"], { env });
}
