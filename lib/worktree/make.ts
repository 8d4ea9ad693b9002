// Makes the worktree of a task. Each step leaves something that the next call finishes: first the branch
// and git's record of the worktree, under a lock of ours; then, beside others, what .worktreeinclude
// names; then the files of the commit. Git writes a worktree's index when all of them are there: as long
// as there is none, the worktree is half made, and nobody has worked in it.

import { isBranchName } from "../decide/branch.ts";
import { isAbsolute, parentOf } from "../store/paths.ts";
import { OrchestraError, quote } from "../task/error.ts";
import { authorOf } from "./author.ts";
import { commitTree, mergeTrees } from "./base.ts";
import { isThere, largeFile, makeFolder, namesIn, removeOne } from "./disk.ts";
import { ask, fatalLine, GitError, type GitOutput, tryAsk } from "./git.ts";
import { copyIncluded } from "./include.ts";
import { alone, ownLocks, type Patience, patiently } from "./lock.ts";
import { listWorktrees, type Repository, samePath, type WorktreeEntry } from "./repository.ts";
import { snapshotTree } from "./snapshot.ts";
import { ownGitDir, readStatus } from "./state.ts";

/** Which worktree is wanted. */
export interface WantedWorktree {
  /** Its branch, without `refs/heads/`. */
  readonly branch: string;
  /** Commit that the branch begins from. */
  readonly base: string;
  /** Where, absolute. */
  readonly path: string;
  /** Why it is locked: begins with {@linkcode OURS}. */
  readonly reason: string;
  /**
   * What becomes of the user's uncommitted changes: they are left where they are, and only there
   * (`ignore`); they are copied, as the first commit of the branch (`carry`); or nothing is made (`refuse`).
   */
  readonly dirty: "ignore" | "carry" | "refuse";
  /** Whether files that `.worktreeinclude` names are copied. */
  readonly include: boolean;
  /** Whether the branch has somebody's work, and stays where the worktree cannot be made. */
  readonly keepBranch?: boolean;
}

/** How the reason of each lock of ours begins. */
export const OURS = "orchestra ";
/** Subject of the commit with the user's changes. */
const CARRIED = "Uncommitted changes, carried over";
/** How locks of git's own are waited for: many may be made at once. */
const patience = (repo: Repository, { branch }: WantedWorktree): Patience => ({
  isOwn: ownLocks(repo, branch),
  within: 30_000,
});

const failed = (
  code: "state" | "environment" | "usage",
  { path }: Pick<WantedWorktree, "path">,
  what: string,
  hint: string,
) => new OrchestraError(code, `Making the worktree ${path}: ${what}`, { hint });

/**
 * Makes a worktree on a branch of its own, locked so that no `git worktree prune` takes it. Where it is
 * there already nothing is done; a half-made one is finished, or undone and made anew.
 *
 * @param signal ends it, where filters of the user's take too long
 * @throws OrchestraError `state` where the branch or the path is in use, or the user's changes are in the
 * way; `environment` where the system refuses. What was begun is undone as far as it can be
 */
export async function makeWorktree(
  repo: Repository,
  wanted: WantedWorktree,
  signal?: AbortSignal,
): Promise<void> {
  const { branch, path, reason } = wanted;
  if (!isBranchName(branch)) throw new TypeError(`${branch} is no name of a branch`);
  if (!isAbsolute(path) || !reason.startsWith(OURS)) throw new TypeError("no worktree of ours");
  try {
    if (wanted.dirty === "refuse") await refuseDirty(repo, wanted, signal);
    const start = wanted.dirty === "carry" ? await carry(repo, wanted, signal) : wanted.base;
    const found = await alone(
      repo,
      () => patiently(() => register(repo, wanted, start), patience(repo, wanted)),
    );
    if (found !== "made") await fill(repo, wanted, start, found, signal);
  } catch (error) {
    throw error instanceof GitError ? explain(wanted, error.output) : error;
  }
}

/** What git says, with what to do about it. */
function explain(wanted: WantedWorktree, output: GitOutput): OrchestraError {
  const all = output.stderr;
  const said = fatalLine(output);
  if (/no space left|disk quota/i.test(all)) {
    return failed("environment", wanted, said, "The disk is full: free some space and try again.");
  }
  if (
    /permission denied|read-only file system|operation not permitted|insufficient permission/i.test(
      all,
    )
  ) {
    return failed(
      "environment",
      wanted,
      said,
      "Check who owns the folder and the repository's .git.",
    );
  }
  // Git does not tell of a file that was written in part why.
  if (/unable to (?:write|create)(?! '.*\.lock')/i.test(all)) {
    const hint = `See whether the disk is full: df ${quote([parentOf(wanted.path)])}`;
    return failed("environment", wanted, said, hint);
  }
  const lock = /Unable to create '(.*\.lock)'|could not lock config file (.*?):/.exec(all);
  if (lock !== null) {
    const file = lock[1] ?? `${lock[2]}.lock`;
    const hint = `Let the other git end. If none runs, one was killed: remove ${quote([file])}`;
    return failed("environment", wanted, `another git holds ${file}`, hint);
  }
  const taken = /'refs\/heads\/([^']*)' exists; cannot create/.exec(all)?.[1];
  if (taken !== undefined) {
    return failed(
      "state",
      wanted,
      `there is a branch named ${taken}, so ${wanted.branch} cannot be one`,
      `Rename that one, or choose other names: orchestra config set worktrees.branch PATTERN`,
    );
  }
  return failed("environment", wanted, said, "See what git status and git worktree list say.");
}

/** Nothing is made where the user has something uncommitted. */
async function refuseDirty(
  repo: Repository,
  wanted: WantedWorktree,
  signal: AbortSignal | undefined,
): Promise<void> {
  const { changed, untracked } = await readStatus(repo.top, signal);
  // Worktrees that stand within are nobody's changes.
  const within = (await listWorktrees(repo)).map(({ path }) => path);
  const isWithin = (name: string) => within.some((it) => samePath(it, `${repo.top}/${name}`));
  const names = [...changed, ...untracked.filter((name) => !isWithin(name))];
  if (names.length === 0) return;
  const more = names.length > 3 ? ` and ${names.length - 3} more` : "";
  throw failed(
    "state",
    wanted,
    `${repo.top} has uncommitted changes: ${names.slice(0, 3).join(", ")}${more}`,
    "Commit them, or say --dirty carry to have them on the branch, or --dirty ignore to leave them out.",
  );
}

/**
 * A commit on the base with what the user has not committed. As a commit it cannot be mixed up with what
 * the agent does, and nothing of it is lost by a kill.
 *
 * @returns the base itself where there is nothing
 */
async function carry(
  repo: Repository,
  wanted: WantedWorktree,
  signal: AbortSignal | undefined,
): Promise<string> {
  const { conflicts, changed, untracked } = await readStatus(repo.top, signal);
  if (conflicts.length > 0) {
    throw failed(
      "state",
      wanted,
      `${repo.top} is in the middle of a merge: ${conflicts.slice(0, 3).join(", ")}`,
      "Finish the merge, or say --dirty ignore to leave it out.",
    );
  }
  const large = await largeFile(repo.top, [...changed, ...untracked]);
  if (large !== undefined) {
    throw failed(
      "state",
      wanted,
      `${large} is larger than 1 GB, and is not put into the repository unasked`,
      "Have git ignore it, commit it yourself, or say --dirty ignore to leave changes out.",
    );
  }
  const tree = await snapshotTree(repo, repo.top, { hidden: false, signal });
  const [head = "", old = ""] = (await ask(repo.top, ["rev-parse", "HEAD^{commit}", "HEAD^{tree}"]))
    .split("\n");
  if (tree === old) return wanted.base;
  const author = await authorOf(repo, null);
  const commit = (tree: string, parents: string[], message = CARRIED) =>
    commitTree(repo, tree, parents, { message, author });
  if (head === wanted.base) return await commit(tree, [wanted.base]);
  // The difference to HEAD upon another commit, as a cherry-pick would do it: both from a common beginning.
  const root = await commit(old, []);
  const base = await commit(await ask(repo.top, ["rev-parse", `${wanted.base}^{tree}`]), [root]);
  const merged = await mergeTrees(repo, base, await commit(tree, [root]));
  if ("tree" in merged) return await commit(merged.tree, [wanted.base]);
  throw failed(
    "state",
    wanted,
    `the uncommitted changes do not fit on ${wanted.base.slice(0, 10)}: ` +
      merged.conflict.slice(0, 3).join(", "),
    "Commit them first, or say --dirty ignore to leave them out.",
  );
}

/**
 * Makes the branch and git's record of the worktree, without files. Under the lock.
 *
 * @returns whether it was there already, or in half, or is new
 */
async function register(
  repo: Repository,
  wanted: WantedWorktree,
  start: string,
): Promise<"made" | "half" | "new"> {
  const { branch, path, reason } = wanted;
  const [entries, tip] = await Promise.all([
    listWorktrees(repo),
    tryAsk(repo.gitDir, ["rev-parse", "--verify", "--quiet", `refs/heads/${branch}`]),
  ]);
  const other = entries.find((it) => it.branch === branch && !samePath(it.path, path));
  if (other !== undefined) {
    throw failed(
      "state",
      wanted,
      `the branch ${branch} is checked out in ${other.path}`,
      `Remove that worktree first: git worktree remove ${quote([other.path])}`,
    );
  }
  const entry = entries.find((it) => samePath(it.path, path));
  if (entry !== undefined) {
    const found = await lookAt(repo, wanted, entry);
    if (found !== "broken") return found;
  } else await refuseTaken(wanted);
  await makeFolder(parentOf(path));
  if (tip !== null && !await isBeginning(repo, wanted, tip, start)) {
    throw failed(
      "state",
      wanted,
      `there is a branch ${branch} already, with other commits`,
      `Rename it: git branch -m ${quote([branch, `${branch}-old`])}`,
    );
  }
  // A record without a folder is overwritten by the second --force, and nothing else is.
  const force = entry === undefined ? [] : ["--force", "--force"];
  const how = tip === null ? ["--no-track", "-b", branch, "--", path, start] : ["--", path, branch];
  await ask(repo.gitDir, [
    ...["worktree", "add", "--no-checkout", "--lock", "--reason", reason],
    ...force,
    ...how,
  ]);
  return "new";
}

/** Whether a branch is one of ours that was made and never used. */
async function isBeginning(
  repo: Repository,
  { base, dirty }: WantedWorktree,
  tip: string,
  start: string,
): Promise<boolean> {
  if (tip === base || tip === start) return true;
  if (dirty !== "carry") return false;
  const said = await ask(repo.gitDir, ["show", "-s", "--format=%P%n%s", tip, "--"]);
  return said === `${base}\n${CARRIED}`;
}

/** What is at a path of which git knows nothing is somebody else's. */
async function refuseTaken(wanted: WantedWorktree): Promise<void> {
  const names = await namesIn(wanted.path);
  if (names === null ? !await isThere(wanted.path) : names.length === 0) return;
  throw failed("state", wanted, "something else is there", "Move it out of the way.");
}

/** A worktree that git has on record at our path: made, half made, or a record and nothing else. */
async function lookAt(
  repo: Repository,
  wanted: WantedWorktree,
  entry: WorktreeEntry,
): Promise<"made" | "half" | "broken"> {
  const { branch, path } = wanted;
  const isOurs = entry.locked === null ? entry.prunable !== null : entry.locked.startsWith(OURS);
  const gitDir = entry.isMain ? null : await ownGitDir(repo, path);
  if (gitDir !== null && await isThere(`${gitDir}/index`)) {
    if (entry.branch === branch || entry.locked === wanted.reason) return "made";
    throw failed("state", wanted, "another worktree is there", "See git worktree list.");
  }
  const names = await namesIn(path);
  if (gitDir !== null && entry.branch === branch && isOurs) return "half";
  // Of what has no more than git's own file, or nothing, nobody can lose anything.
  const isEmpty = names === null ? !await isThere(path) : names.every((name) => name === ".git");
  if (entry.isMain || !isOurs || !isEmpty) {
    throw failed(
      "state",
      wanted,
      "what is there is no whole worktree, and not empty",
      `See what it is; git worktree repair ${quote([path])} may mend it.`,
    );
  }
  await removeOne(`${path}/.git`);
  return "broken";
}

/** Whether all files of a worktree have come. */
async function isFilled(repo: Repository, path: string): Promise<boolean> {
  const gitDir = await ownGitDir(repo, path);
  return gitDir !== null && await isThere(`${gitDir}/index`);
}

/** Brings the files. Where that fails, all is undone: nobody has worked there yet. */
async function fill(
  repo: Repository,
  wanted: WantedWorktree,
  start: string,
  found: "half" | "new",
  signal: AbortSignal | undefined,
): Promise<void> {
  const { path } = wanted;
  let isNew = found === "new";
  try {
    if (wanted.include) await copyIncluded(repo, path);
    await patiently(async () => {
      // Somebody else may have brought them meanwhile.
      if (!isNew && await isFilled(repo, path)) return;
      isNew = false;
      await ask(path, ["reset", "--hard", "--quiet", "--no-recurse-submodules"], { signal });
    }, patience(repo, wanted));
  } catch (error) {
    await undo(repo, wanted, start).catch(() => {
      // As it is, the next call finds it.
    });
    throw error;
  }
}

/** Takes away a half-made worktree and its branch, on which there is nothing but its beginning. */
async function undo(
  repo: Repository,
  wanted: WantedWorktree,
  start: string,
): Promise<void> {
  const { branch, path, keepBranch } = wanted;
  await alone(repo, async () => {
    if (await ownGitDir(repo, path) === null || await isFilled(repo, path)) return;
    const tip = await tryAsk(repo.gitDir, ["rev-parse", "--verify", `refs/heads/${branch}`]);
    if (tip !== start) return;
    await ask(repo.gitDir, ["worktree", "unlock", path]);
    // Without an index all that is there is what was copied here a moment ago.
    await ask(repo.gitDir, ["worktree", "remove", "--force", path]);
    if (keepBranch) return;
    await ask(repo.gitDir, ["update-ref", "-d", `refs/heads/${branch}`, start]);
  });
}
