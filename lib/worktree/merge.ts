// Merges branches of tasks into a target. Everything is made first, in git's database or in a worktree of
// its own, one after the other; only who calls moves the target then, once, to what all of them make.

import type { Way } from "../decide/cleaning.ts";
import { isOwnFile, type MergeMode, type MergeStep } from "../decide/merging.ts";
import { type Author, authorEnv } from "./author.ts";
import { commitTree } from "./base.ts";
import { ask, git, GitError, tryAsk } from "./git.ts";
import { integratedBy, isAncestor } from "./integrated.ts";
import type { MergeRecord } from "./merge_record.ts";
import { changesBetween } from "./move.ts";
import { shown } from "./names.ts";
import type { Repository } from "./repository.ts";
import { scratchEnv, type ScratchPlace, withScratch } from "./scratch.ts";
import type { Target } from "./target.ts";
import { type Verdict, type Verifier, verifyCommit } from "./verify.ts";

/** A branch that is to be merged. */
export interface Mergeable {
  readonly taskId: string;
  readonly branch: string;
  /** Commit at its end. */
  readonly tip: string;
  /** Commit that its task began from. */
  readonly base: string;
  /** Message of the commit that merges it. */
  readonly message: string;
  /** What must confirm it; null where nothing must. */
  readonly verifier: Verifier | null;
  /** Why it is not to come in, where it would bring anything; absent for nothing. */
  readonly refused?: Refused;
}

/** What is found out about a branch beside merging it. */
export type Refused =
  /** It was to resolve a conflict, and has the marks of one in these files. */
  | { readonly kind: "unresolved"; readonly files: readonly string[] }
  /** It would change these files, which are of the folder of a workspace. */
  | { readonly kind: "own-files"; readonly files: readonly string[] }
  /** These files of a working copy, which are not committed, are in its way. */
  | { readonly kind: "in-the-way"; readonly files: readonly string[] };

/** What became of one. */
export type MergeOutcome =
  /** The target has it already. */
  | { readonly kind: "nothing"; readonly way: Way }
  /** The target only moves along; to this commit. */
  | { readonly kind: "fast-forward"; readonly commit: string }
  /** It makes this commit. */
  | { readonly kind: "clean"; readonly commit: string }
  | { readonly kind: "conflict"; readonly files: readonly string[] }
  /** Its verify command failed. */
  | { readonly kind: "unverified"; readonly verdict: Verdict }
  /** It builds on a task that could not be merged. */
  | { readonly kind: "left-out"; readonly because: string }
  | Refused;

/** What became of all. */
export interface MergePlan {
  /** Commit that the target had. */
  readonly from: string;
  /** Commit that it is to have. */
  readonly to: string;
  readonly merged: readonly { readonly item: Mergeable; readonly outcome: MergeOutcome }[];
}

/** By which way a branch comes in with another one that has its commits. */
const WITHIN: Readonly<Record<MergeMode, Way>> = {
  merge: "ancestor",
  "no-ff": "ancestor",
  squash: "squashed",
  rebase: "picked",
};

/** How branches are merged. */
export interface MergeOptions {
  readonly mode: MergeMode;
  readonly author: Author;
  /** Whether each is confirmed by its verify command. */
  readonly verify: boolean;
  /** How a commit came into the target before; null where it is not known that it did. */
  readonly before: (commit: string) => Promise<MergeMode | null>;
}

/**
 * How commits came into a target by merges of ours: squashed or rebased they are others there, and once
 * their surroundings have changed nothing in git tells that any more.
 */
export function mergedBefore(
  { top }: Pick<Repository, "top">,
  { done }: MergeRecord,
  { ref, commit: now }: Pick<Target, "ref" | "commit">,
): MergeOptions["before"] {
  const known = new Map<string, MergeMode | null>();
  return async (commit) => {
    const found = known.get(commit);
    if (found !== undefined) return found;
    let how: MergeMode | null = null;
    for (const { ref: into, to, tips, mode } of done) {
      if (into !== ref || !Object.values(tips).includes(commit)) continue;
      // It may have been taken back since.
      if (await isAncestor(top, to, now)) how = mode;
    }
    known.set(commit, how);
    return how;
  };
}

/** Whether nothing stands in the way of a branch. */
export function isGood({ kind }: MergeOutcome): boolean {
  return kind === "nothing" || kind === "fast-forward" || kind === "clean";
}

/**
 * Makes what merging some branches makes, one on top of the other. One that is in conflict or not confirmed
 * is left out, with all that build on it. Nothing is changed: no branch, no working copy.
 *
 * @param from commit of the target
 * @param steps the tasks in their order
 * @param items the branches of those that are chosen, by their tasks
 * @throws GitError where git fails
 */
export async function planMerges(
  place: ScratchPlace,
  from: string,
  steps: readonly MergeStep[],
  items: ReadonlyMap<string, Mergeable>,
  options: MergeOptions,
): Promise<MergePlan> {
  const out = new Map<string, string>();
  const merged: { item: Mergeable; outcome: MergeOutcome }[] = [];
  let to = from;
  /** Whether one that came in before has it: squashed, nothing else would tell. */
  const isWithin = async ({ tip }: Mergeable) => {
    for (const { item, outcome } of merged) {
      if ("commit" in outcome && await isAncestor(place.repo.top, tip, item.tip)) return true;
    }
    return false;
  };
  for (const { taskId, after } of steps) {
    const because = after.map((id) => out.get(id)).find((cause) => cause !== undefined);
    if (because !== undefined) out.set(taskId, because);
    const item = items.get(taskId);
    if (item === undefined) continue;
    const outcome: MergeOutcome = because !== undefined
      ? { kind: "left-out", because }
      : await isWithin(item)
      ? { kind: "nothing", way: WITHIN[options.mode] }
      : await mergeOne(place, to, item, options);
    merged.push({ item, outcome });
    if (!isGood(outcome)) out.set(taskId, because ?? taskId);
    else if ("commit" in outcome) to = outcome.commit;
  }
  return { from, to, merged };
}

async function mergeOne(
  place: ScratchPlace,
  target: string,
  item: Mergeable,
  { mode, author, verify, before }: MergeOptions,
): Promise<MergeOutcome> {
  const { repo } = place;
  const how = await before(item.tip);
  const way = how === null ? await integratedBy(repo, item.tip, target, item.base) : WITHIN[how];
  if (way !== null) return { kind: "nothing", way };
  if (item.refused !== undefined) return item.refused;
  const made = await make(place, target, item, { mode, author, before });
  if (made.kind === "conflict" || made.kind === "nothing") return made;
  const own = (await changesBetween(repo.top, target, made.commit)).map(({ path }) => path)
    .filter(isOwnFile);
  if (own.length > 0) return { kind: "own-files", files: own.map(shown) };
  if (!verify || item.verifier === null) return made;
  const verdict = await verifyCommit(place, made.commit, target, item.verifier);
  return verdict.code === 0 ? made : { kind: "unverified", verdict };
}

type Made = Exclude<
  MergeOutcome,
  { readonly kind: "unverified" | "left-out" | Refused["kind"] }
>;

async function make(
  place: ScratchPlace,
  target: string,
  item: Mergeable,
  { mode, author, before }: Pick<MergeOptions, "mode" | "author" | "before">,
): Promise<Made> {
  const { repo } = place;
  const { tip } = item;
  const onTop = await isAncestor(repo.top, target, tip);
  if (onTop && (mode === "merge" || mode === "rebase")) {
    return { kind: "fast-forward", commit: tip };
  }
  const base = onTop ? null : await ownBase(place, target, item, before);
  if (mode === "rebase") return await rebase(place, target, tip, base, author);
  const found = await mergeTrees(repo.top, target, tip, base);
  if ("files" in found) return { kind: "conflict", files: found.files };
  const parents = mode === "squash" ? [target] : [target, tip];
  const commit = await commitTree(repo, found.tree, parents, { message: item.message, author });
  return { kind: "clean", commit };
}

/**
 * The commit from which a branch's own work counts, where git would not find it by itself: what it builds
 * on came into the target as other commits, squashed or rebased.
 *
 * @returns null where git finds it
 */
async function ownBase(
  { repo }: ScratchPlace,
  target: string,
  { base, tip }: Mergeable,
  before: MergeOptions["before"],
): Promise<string | null> {
  const { top } = repo;
  const known = await tryAsk(top, ["rev-parse", "--verify", "--quiet", `${base}^{commit}`]);
  if (known === null || !await isAncestor(top, base, tip)) return null;
  if (await isAncestor(top, base, target)) return null;
  // What builds on several begins from their merge.
  const parents = (await ask(top, ["rev-parse", `${base}^@`])).split("\n");
  const ends = await before(base) !== null || parents.length < 2 ? [base] : parents;
  for (const end of ends) {
    const isThere = await before(end) !== null || await isAncestor(top, end, target) ||
      await integratedBy(repo, end, target, null) !== null;
    if (!isThere) return await integratedBy(repo, base, target, null) === null ? null : base;
  }
  return base;
}

/** Only for the database: who looks for where two commits parted. */
const NOBODY = { name: "Orchestra", email: "orchestra@localhost" };

/**
 * Merges two commits in git's database. It is asked in the working copy: what its `.gitattributes` say of
 * how files are merged counts.
 *
 * @param base where they parted; null where git is to find it
 */
async function mergeTrees(
  top: string,
  target: string,
  tip: string,
  base: string | null,
): Promise<{ tree: string } | { files: string[] }> {
  let ours = target;
  if (base !== null) {
    // merge-tree takes no base before git 2.40: a commit with the same files, whose parent that is, has it.
    const args = ["commit-tree", `${target}^{tree}`, "-p", base, "-m", "the target"];
    ours = await ask(top, args, { env: authorEnv(NOBODY) });
  }
  const args = ["merge-tree", "--write-tree", "-z", "--name-only", "--messages", ours, tip];
  const output = await git(top, args);
  if (output.code !== 0 && output.code !== 1) throw new GitError(args, output);
  const [tree = "", ...rest] = output.stdout.split("\0");
  if (output.code === 0) return { tree };
  const end = rest.indexOf("");
  const files = new Set(rest.slice(0, end < 0 ? undefined : end));
  // Some conflicts are told of in messages alone: a number of paths, the paths, a kind, and a text.
  for (let at = end + 1; end >= 0 && at < rest.length && files.size === 0;) {
    const count = Number(rest[at]);
    if (!Number.isSafeInteger(count)) break;
    const paths = rest.slice(at + 1, at + 1 + count);
    if (rest[at + 1 + count]?.startsWith("CONFLICT")) paths.forEach((path) => files.add(path));
    at += count + 3;
  }
  return { files: [...files].sort() };
}

/** Settings of the user's that would do more than is asked for: move other branches, for example. */
const PLAIN_REBASE = [
  ...["-c", "rebase.updateRefs=false", "-c", "rebase.autoStash=false"],
  ...["-c", "rebase.autoSquash=false", "-c", "rebase.rebaseMerges=false"],
  ...["-c", "rebase.missingCommitsCheck=ignore", "-c", "rerere.enabled=false"],
];

/** Makes the commits of a branch anew on top of the target; they keep their authors. */
async function rebase(
  place: ScratchPlace,
  target: string,
  tip: string,
  base: string | null,
  author: Author,
): Promise<Made> {
  const { GIT_COMMITTER_NAME = "", GIT_COMMITTER_EMAIL = "" } = authorEnv(author);
  return await withScratch(place, tip, async (path): Promise<Made> => {
    const env = { GIT_COMMITTER_NAME, GIT_COMMITTER_EMAIL, ...scratchEnv(path) };
    const args = [
      ...PLAIN_REBASE,
      ...["rebase", "--quiet", "--no-fork-point", "--empty=drop", "--no-verify", "--no-stat"],
      ...(base === null ? [target] : ["--onto", target, base]),
    ];
    const output = await git(path, args, { env });
    if (output.code !== 0) {
      const names = ["diff", "--name-only", "--diff-filter=U", "-z"];
      const files = (await ask(path, names, { env })).split("\0").filter((file) => file !== "");
      if (files.length === 0) throw new GitError(args, output);
      return { kind: "conflict", files: files.sort() };
    }
    const commit = await ask(path, ["rev-parse", "--verify", "HEAD"], { env });
    return commit === target ? { kind: "nothing", way: "picked" } : { kind: "clean", commit };
  });
}
