// What a task has changed: from where its branch began up to its tip, or up to the files as they stand in
// its worktree while nothing is committed yet. Only looks: an index of its own, in a scratch file, keeps the
// agent's untouched; into the repository goes nothing but the empty object, which git adds by itself.

import { branchOf } from "../decide/branch.ts";
import { OrchestraError } from "../task/error.ts";
import type { Task, TaskBranch } from "../task/fields.ts";
import { commitOf } from "./base.ts";
import { type ChangedFile, parseChanges, splitPatches } from "./diff_parse.ts";
import { ask, askPart, GitError, lastLine, showGit, tryAsk } from "./git.ts";
import { copyIndex, listIndex, unhide } from "./index_file.ts";
import { findRepository, findWorktree, type Repository } from "./repository.ts";

export type { ChangedFile } from "./diff_parse.ts";

/** What is compared with what. */
export interface Comparison extends AsyncDisposable {
  /** Where git runs. */
  readonly folder: string;
  /** Commit from which on. */
  readonly base: string;
  /** Commit up to which; null for the files as they stand in the folder. */
  readonly tip: string | null;
  /** Variables that git is given. */
  readonly env: Readonly<Record<string, string>>;
}

/** How it is compared. */
export interface CompareOptions {
  /** Compare with where the branch and this parted; with the task's own base where absent. */
  readonly against?: string;
  /** Folder for a scratch file. */
  readonly scratch: string;
}

/**
 * Finds out what there is to be compared of a task.
 *
 * @param root of its workspace
 * @throws OrchestraError `state` where it has no branch, or that is gone; `usage` where `against` is none;
 * `environment` without git
 */
export async function compareTask(
  root: string,
  task: Task,
  options: CompareOptions,
): Promise<Comparison> {
  const branch = branchOf(task);
  if (branch === null) {
    const { taskId, worktree, status } = task;
    throw new OrchestraError(
      "state",
      status === "pending" && worktree !== false
        ? `${taskId} has no branch before it runs`
        : worktree === true
        ? `${taskId} has no branch: none was made for it`
        : `${taskId} has no branch: it works in the workspace itself`,
      {
        hint: worktree === true
          ? `See how it stands with it: orchestra show ${taskId}`
          : "A task gets a worktree and a branch of its own with: orchestra start --worktree",
      },
    );
  }
  return await compare(
    await findRepository(root, `diff ${task.taskId}`),
    task.taskId,
    branch,
    options,
  );
}

/**
 * Finds out what there is to be compared of a branch.
 *
 * @param task its id, for messages
 * @throws OrchestraError `state` where the branch or its commits are gone, `usage` where `against` is none
 */
export async function compare(
  repo: Repository,
  task: string,
  branch: TaskBranch,
  { against, scratch }: CompareOptions,
): Promise<Comparison> {
  const end = await endOf(repo, task, branch);
  const base = against === undefined
    ? branch.base
    : await partingOf(repo, against, end.commit ?? branch.base);
  await mustHave(repo, task, "base", base);
  if (!("folder" in end)) {
    const nothing = { [Symbol.asyncDispose]: () => Promise.resolve() };
    return { folder: repo.top, base, tip: end.commit, env: {}, ...nothing };
  }
  await sweep(scratch);
  const index = `${scratch}/diff-${crypto.randomUUID()}.index`;
  const remove = async () => {
    for (const path of [index, `${index}.lock`]) await Deno.remove(path).catch(() => {});
  };
  try {
    await fillIndex(end.folder, index);
  } catch (error) {
    await remove();
    if (!(error instanceof GitError)) throw error;
    throw new OrchestraError(
      "environment",
      `What ${task} has not committed cannot be told: ${lastLine(error.output)}`,
      { hint: `See what git status says in ${end.folder}`, cause: error },
    );
  }
  return {
    folder: end.folder,
    base,
    tip: null,
    env: { GIT_INDEX_FILE: index },
    [Symbol.asyncDispose]: remove,
  };
}

/** Where a task's work ends: a commit, or a worktree whose HEAD is at a commit. */
type End = { readonly commit: string } | {
  readonly folder: string;
  readonly commit: string | null;
};

async function endOf(repo: Repository, task: string, branch: TaskBranch): Promise<End> {
  if (branch.tip !== null) {
    await mustHave(repo, task, "tip", branch.tip);
    return { commit: branch.tip };
  }
  const tree = await findWorktree(repo, branch.path);
  if (tree !== undefined && await tryAsk(tree.path, ["rev-parse", "--git-dir"]) !== null) {
    return { folder: tree.path, commit: /^0+$/.test(tree.head) ? null : tree.head };
  }
  const ref = `refs/heads/${branch.branch}^{commit}`;
  const commit = await tryAsk(repo.top, ["rev-parse", "--verify", "--quiet", ref]);
  if (commit !== null) return { commit };
  throw new OrchestraError("state", `${task} has neither its worktree nor its branch any more`, {
    hint: `Look for it with: git branch --list ${branch.branch}`,
  });
}

/** Where a branch and another ref parted. */
async function partingOf(repo: Repository, against: string, tip: string): Promise<string> {
  const other = await commitOf(repo, against);
  const found = await tryAsk(repo.top, ["merge-base", other, tip]);
  if (found !== null) return found.split("\n", 1)[0]!;
  throw new OrchestraError(
    "usage",
    `--against ${against}: it has nothing in common with the branch`,
    {
      hint: "Name a branch that the task's branch came from.",
    },
  );
}

async function mustHave(
  repo: Repository,
  task: string,
  what: string,
  commit: string,
): Promise<void> {
  if (await tryAsk(repo.top, ["cat-file", "-e", `${commit}^{commit}`]) !== null) return;
  throw new OrchestraError(
    "state",
    `${task}: the ${what} of its branch, ${commit.slice(0, 12)}, is not in ${repo.top}`,
    { hint: "Fetch it, or go to the repository that the task worked in." },
  );
}

/** A scratch file that nobody removed is as old as this, milliseconds. */
const OLD = 3_600_000;

/** Removes what a killed look left. */
async function sweep(scratch: string): Promise<void> {
  for await (const { name, isFile } of Deno.readDir(scratch)) {
    if (!isFile || !/^diff-[0-9a-f-]{36}\.index(?:\.lock)?$/.test(name)) continue;
    const path = `${scratch}/${name}`;
    const info = await Deno.lstat(path).catch(() => null);
    if (Date.now() - (info?.mtime?.getTime() ?? Date.now()) > OLD) {
      await Deno.remove(path).catch(() => {});
    }
  }
}

/** A list of more is of use to nobody, bytes. */
const MOST_LIST = 32 * 1024 * 1024;

/** So often it is tried while files come and go. */
const TRIES = 5;

/** Makes an index that knows every file of a worktree that git does not ignore, contents apart. */
async function fillIndex(folder: string, index: string): Promise<void> {
  const env = { GIT_INDEX_FILE: index };
  await copyIndex(folder, index);
  await unhide(folder, env, (await listIndex(folder)).overlooked);
  for (let tried = 1;; tried++) {
    const listing = ["ls-files", "--others", "--exclude-standard", "-z"];
    const { bytes } = await askPart(folder, listing, MOST_LIST, { env });
    const others = ownFiles(bytes);
    if (others.length === 0) return;
    const args = ["--literal-pathspecs", "add", "--intent-to-add"];
    const added = await tryAsk(folder, [...args, "--pathspec-from-file=-", "--pathspec-file-nul"], {
      env,
      input: others,
    });
    if (added !== null) return;
    // One of them has gone meanwhile, and git takes all or none; of a whole folder it takes what is there.
    if (tried === TRIES) {
      await ask(folder, ["add", "--intent-to-add", "--ignore-errors", "--", ":/"], { env });
      return;
    }
  }
}

/**
 * Those names of a list, each with a NUL at its end, that are no folders: a repository within this one is not
 * of it. Byte by byte, for a name need not be text.
 */
function ownFiles(list: Uint8Array<ArrayBuffer>): Uint8Array<ArrayBuffer> {
  const kept = new Uint8Array(list.length);
  let length = 0;
  for (let at = 0; at < list.length;) {
    const end = list.indexOf(0, at) + 1;
    if (end === 0) break;
    if (list[end - 2] !== SLASH) {
      kept.set(list.subarray(at, end), length);
      length += end - at;
    }
    at = end;
  }
  return kept.slice(0, length);
}

const SLASH = 0x2f;

/** What is compared, as git takes it. */
function ends({ base, tip }: Comparison): string[] {
  return tip === null ? [base] : [base, tip];
}

/** For programs: whatever the user and the repository have set, the same form, and no program of theirs. */
const PLAIN = [
  "--no-color",
  "--no-ext-diff",
  "--no-textconv",
  "--no-relative",
  "--find-renames",
  "--submodule=short",
  "--src-prefix=a/",
  "--dst-prefix=b/",
];
const diffOf = (more: readonly string[]) => [
  "-c",
  "diff.suppressBlankEmpty=false",
  "diff",
  ...PLAIN,
  ...more,
];

/** What ends git. */
interface Ended {
  readonly signal?: AbortSignal;
}

/**
 * The files that changed, in git's order.
 *
 * @throws OrchestraError `state` where there are too many, `environment` where git failed or took too long
 */
export async function listChanges(
  comparison: Comparison,
  { signal }: Ended = {},
): Promise<ChangedFile[]> {
  const args = diffOf(["--raw", "--numstat", "-z", ...ends(comparison), "--"]);
  const { bytes, cut } = await part(comparison, args, MOST_LIST, signal);
  if (cut) {
    throw new OrchestraError("state", "So many files changed that they are not listed", {
      hint: "Ask git itself: git diff --stat",
    });
  }
  return parseChanges(new TextDecoder().decode(bytes));
}

/** Characters of the paths of one command line: Windows takes 32,767 in all. */
const MOST_PATHS = 16_000;

/**
 * The patches of some of the files, from the first `@@` on.
 *
 * @param files as they were listed, in that order
 * @param most bytes that are read in all
 * @returns by path, and whether there was more; a file is absent whose patch is beyond that, or that has
 * changed meanwhile. Of a file that is asked for alone it is the beginning.
 */
export async function readPatches(
  comparison: Comparison,
  files: readonly ChangedFile[],
  most: number,
  { signal }: Ended = {},
): Promise<{ patches: Map<string, string>; cut: boolean }> {
  const patches = new Map<string, string>();
  let left = most;
  for (let at = 0; at < files.length && left > 0;) {
    const batch: ChangedFile[] = [];
    for (let size = 0; at < files.length && (size === 0 || size < MOST_PATHS); at++) {
      batch.push(files[at]!);
      size += files[at]!.path.length + (files[at]!.from?.length ?? 0) + 8;
    }
    const paths = batch.flatMap(({ path, from }) => from === null ? [path] : [from, path]);
    const args = [
      "--literal-pathspecs",
      ...diffOf(["--unified=3", ...ends(comparison), "--", ...paths]),
    ];
    const { bytes, cut } = await part(comparison, args, left, signal);
    left -= bytes.length;
    const text = new TextDecoder().decode(bytes);
    const isAlone = files.length === 1;
    const found = splitPatches(cut ? text.slice(0, text.lastIndexOf("\n") + 1) : text);
    // The last one is not whole.
    if (cut && !isAlone) found.pop();
    // What became something else is told as one that went and one that came.
    const wanted = batch.flatMap((file) => file.change === "retyped" ? [file, file] : [file]);
    if (!cut && found.length !== wanted.length) continue;
    for (const [number, patch] of found.entries()) {
      const { path } = wanted[number]!;
      patches.set(path, (patches.get(path) ?? "") + patch);
    }
    if (cut) return { patches, cut };
  }
  return { patches, cut: left <= 0 };
}

/** All of it as one patch, at most so many bytes. */
export async function readWhole(
  comparison: Comparison,
  most: number,
): Promise<{ text: string; cut: boolean }> {
  const args = diffOf(["--unified=3", ...ends(comparison), "--"]);
  const { bytes, cut } = await part(comparison, args, most);
  return { text: new TextDecoder().decode(bytes), cut };
}

async function part(
  { folder, env }: Comparison,
  args: readonly string[],
  most: number,
  signal?: AbortSignal,
): Promise<{ bytes: Uint8Array; cut: boolean }> {
  try {
    return await askPart(folder, args, most, { env, signal });
  } catch (error) {
    if (!(error instanceof GitError)) throw error;
    const why = signal?.aborted ? "it took too long" : lastLine(error.output);
    throw new OrchestraError("environment", `git diff in ${folder}: ${why}`);
  }
}

/** What a person wants to see of it. */
export interface ShowOptions {
  readonly stat?: boolean;
  readonly nameOnly?: boolean;
  /** As git has it where absent. */
  readonly color?: boolean;
}

/**
 * Git's own diff, on what is our standard output: with its user's pager and colours on a terminal.
 *
 * @returns git's exit code
 */
export async function showDiff(
  comparison: Comparison,
  { stat, nameOnly, color }: ShowOptions,
): Promise<number> {
  const args = [
    "diff",
    "--no-relative",
    ...(stat ? ["--stat"] : []),
    ...(nameOnly ? ["--name-only"] : []),
    ...(color === undefined ? [] : [`--color=${color ? "always" : "never"}`]),
    ...ends(comparison),
    "--",
  ];
  return await showGit(comparison.folder, args, { env: comparison.env });
}
