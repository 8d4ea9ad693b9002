// Removes branches and worktrees of tasks. In this order, so that a kill at any point loses nothing and the
// next call goes on: looked at anew, under the lock of ours; each commit that nothing else has gets a backup,
// and so does what is not committed; the folder goes, by git, which looks once more; then the branch, if it
// is where it was.

import {
  type Cleaning,
  decideCleaning,
  type Kept,
  type Owner,
  type Way,
} from "../decide/cleaning.ts";
import type { Author } from "./author.ts";
import { keepBackup } from "./backup.ts";
import { commitTree } from "./base.ts";
import { ask, git, GitError, lastLine, tryAsk } from "./git.ts";
import { alone, ownLocks, patiently } from "./lock.ts";
import { type Goal, isOnly, lookAt, otherRefs, type Seen } from "./look.ts";
import { findBranches, type Found, type Search } from "./orphans.ts";
import { ownCommits } from "./own_refs.ts";
import { adminFolder, worktreeEnv } from "./record.ts";
import { loggedHeads } from "./reflog.ts";
import type { Repository } from "./repository.ts";
import { snapshotTree } from "./snapshot.ts";
import { isLeft, locksOfWorktree, releaseLock } from "./stale_locks.ts";
import { completeFiles, isBeingRemoved, takeAway } from "./take_away.ts";

/** What a backup holds: a branch, what was not committed, another commit, or states that were given up. */
export type BackupOf = "branch" | "changes" | "head" | "earlier";

/** A commit that was kept before what named it was removed. */
export interface Backup {
  readonly ref: string;
  readonly of: BackupOf;
}

/** What came of it. */
export type Cleaned =
  & { readonly taskId: string; readonly branch: string | null }
  & (
    | {
      readonly kind: "removed";
      /** The folder that is gone; null where there was none. */
      readonly path: string | null;
      readonly way: Way | null;
      /** Its commit; null where there was no branch. */
      readonly tip: string | null;
      /** What the folder took, bytes. */
      readonly bytes: number;
      readonly backups: readonly Backup[];
    }
    | { readonly kind: "kept"; readonly why: Kept; readonly forcible: boolean }
    /** Git refused in the middle; what was backed up until then stays. */
    | { readonly kind: "failed"; readonly problem: string; readonly backups: readonly Backup[] }
  );

/** Which of them are cleaned, and how. */
export interface CleanRequest {
  /** What is looked for, looked up anew each time. */
  search(): Search;
  /** Whose they are, as it stands now. */
  owner(found: Found): Owner;
  readonly goal: Goal;
  readonly author: Author;
}

/**
 * Removes the branch and the worktree of a task, where they may go.
 *
 * @param taskId as {@linkcode findBranches} tells it
 * @param forced whether it was asked for by name
 * @returns what came of it; undefined where there is none of that name any more
 * @throws GitError where git does not tell how it stands
 */
export async function cleanBranch(
  repo: Repository,
  taskId: string,
  forced: boolean,
  request: CleanRequest,
): Promise<Cleaned | undefined> {
  return await alone(repo, async () => {
    const found = (await findBranches(repo, request.search())).find((it) => it.taskId === taskId);
    if (found === undefined) return undefined;
    const about = { taskId, branch: found.branch };
    let { seen, cleaning } = await decide(repo, found, forced, request);
    if (await isPartial(repo, seen, cleaning)) {
      // Whoever made or removed it was killed: what it lacks is no change of anybody's.
      const admin = (await adminFolder(repo, found.path!))!;
      const locked = await releaseLeft(admin);
      if (locked !== undefined) {
        return { ...about, kind: "failed", problem: `${locked} is in use`, backups: [] };
      }
      await completeFiles(repo, found.path!, admin);
      ({ seen, cleaning } = await decide(repo, found, forced, request));
      if (seen.place.folder.kind === "half") {
        return {
          ...about,
          kind: "failed",
          problem: "its files cannot be brought back",
          backups: [],
        };
      }
    }
    if (cleaning.kind === "keep") {
      return { ...about, kind: "kept", why: cleaning.why, forcible: cleaning.forcible };
    }
    const backups: Backup[] = [];
    try {
      const problem = await remove(repo, seen, request.author, backups);
      if (problem !== null) return { ...about, kind: "failed", problem, backups };
    } catch (error) {
      if (!(error instanceof GitError)) throw error;
      return { ...about, kind: "failed", problem: lastLine(error.output), backups };
    }
    const { entry, tip } = found;
    return {
      ...about,
      kind: "removed",
      path: entry?.path ?? null,
      way: seen.place.way,
      tip,
      bytes: seen.bytes ?? 0,
      backups,
    };
  });
}

/**
 * Mends a worktree that a kill has left half done, or whose folder is gone: what is missing is brought back,
 * or git is told that there is nothing. Its branch stays as it is.
 *
 * @returns what was done; null where there is nothing to mend, or it is not safe
 * @throws GitError where git refuses
 */
export async function mendWorktree(
  repo: Repository,
  taskId: string,
  request: CleanRequest,
): Promise<"completed" | "forgotten" | null> {
  return await alone(repo, async () => {
    const found = (await findBranches(repo, request.search())).find((it) => it.taskId === taskId);
    if (found?.entry === undefined) return null;
    const { place: { folder, owner } } = (await decide(repo, found, false, request)).seen;
    const admin = await adminFolder(repo, found.entry.path);
    if (admin === undefined || owner.kind !== "rest" || !("contents" in folder)) return null;
    const { locked, gitLocks, users, submodules, loose } = folder.contents;
    if (locked !== null || gitLocks.length > 0 || users.length > 0) return null;
    if (folder.kind === "half") {
      await releaseLeft(admin);
      await completeFiles(repo, found.entry.path, admin);
      return "completed";
    }
    if (folder.kind !== "gone" || submodules || loose) return null;
    const problem = await takeAway(repo, found.entry, admin);
    return problem === null ? "forgotten" : null;
  });
}

/** Releases what locks of git's nobody can have any more; the path of one that somebody may have. */
async function releaseLeft(admin: string): Promise<string | undefined> {
  for (const lock of await locksOfWorktree(admin)) {
    if (!isLeft(lock, Date.now()) || !releaseLock(lock)) return lock.path;
  }
  return undefined;
}

async function decide(
  repo: Repository,
  found: Found,
  forced: boolean,
  { owner, goal }: CleanRequest,
): Promise<{ seen: Seen; cleaning: Cleaning }> {
  const seen = await lookAt(repo, found, owner(found), goal);
  return { seen, cleaning: decideCleaning(seen.place, forced) };
}

/** Whether a worktree is in the way that lacks files because somebody was killed. */
async function isPartial(
  repo: Repository,
  { found: { entry }, place: { folder, owner } }: Seen,
  cleaning: Cleaning,
): Promise<boolean> {
  const isInTheWay = cleaning.kind === "remove" || cleaning.why.code === "changed";
  if (!isInTheWay || entry === undefined || owner.kind !== "rest") return false;
  if (folder.kind === "half") return true;
  if (folder.kind !== "there" || folder.contents.changed === 0) return false;
  const admin = await adminFolder(repo, entry.path);
  return admin !== undefined && await isBeingRemoved(admin, entry.head);
}

/**
 * Backups, then the folder, then the branch.
 *
 * @param backups those that were made
 * @returns why it stays; null where all of it is gone
 */
async function remove(
  repo: Repository,
  { found, place }: Seen,
  author: Author,
  backups: Backup[],
): Promise<string | null> {
  const { taskId, branch, tip, entry } = found;
  const keep = async (of: BackupOf, commit: string) => {
    backups.push({ of, ref: await keepBackup(repo, taskId, commit) });
  };
  const keepGiven = async (admin: string | undefined) => {
    const earlier = await keepEarlier(repo, found, admin, author);
    if (earlier !== null) await keep("earlier", earlier);
  };
  if (tip !== null && await isOnly(repo, [tip], branch)) await keep("branch", tip);
  if (entry !== undefined && "contents" in place.folder) {
    const admin = await adminFolder(repo, entry.path);
    if (admin === undefined) return "what git has noted of it is gone";
    const locked = await releaseLeft(admin);
    if (locked !== undefined) return `${locked} is in use`;
    const { changed, untracked, operation } = place.folder.contents;
    const env = worktreeEnv(admin, entry.path);
    let head = entry.head;
    if (changed + untracked > 0 || operation !== null) {
      head = await keepChanges(repo, found, author);
      await keep("changes", head);
      // It is at what was kept, and so git finds it clean unless somebody changes more of it.
      const update = ["update-ref", "--no-deref", "-m", "orchestra: backup", "HEAD", head];
      await ask(entry.path, update, { env });
      await ask(entry.path, ["read-tree", head], { env });
      await git(entry.path, ["update-index", "-q", "--refresh"], { env });
    } else if (/[^0]/.test(head) && head !== tip && await isOnly(repo, [head], branch)) {
      await keep("head", head);
    }
    await keepGiven(admin);
    const problem = await takeAway(repo, { ...entry, head }, admin);
    if (problem !== null) return problem;
  } else await keepGiven(undefined);
  if (branch === null || tip === null) return null;
  return await removeBranch(repo, branch, tip);
}

/** A commit with what is not committed; its second parent has what was staged, as git's own stash does it. */
async function keepChanges(
  repo: Repository,
  { taskId, path, entry }: Found,
  author: Author,
): Promise<string> {
  const head = entry!.head;
  const tree = await snapshotTree(repo, path!);
  const old = await ask(repo.gitDir, ["rev-parse", "--verify", `${head}^{tree}`]);
  // The same changes make the same commit: who was killed in between finds it again.
  const date = `${await factsOf(repo, head, "%ct")} +0000`;
  const parents = [head];
  const staged = await tryAsk(path!, ["write-tree"]);
  if (staged !== null && staged !== old && staged !== tree) {
    const message = `What was staged in the worktree of ${taskId}`;
    parents.push(await commitTree(repo, staged, [head], { message, author, date }));
  }
  const message = `What was not committed in the worktree of ${taskId}`;
  return await commitTree(repo, tree, parents, { message, author, date });
}

/** Facts of a commit, as git's formats name them. */
function factsOf({ gitDir }: Repository, commit: string, format: string): Promise<string> {
  const args = ["rev-list", "--max-count=1", "--no-commit-header", `--format=${format}`];
  return ask(gitDir, [...args, commit, "--"]);
}

/** So many states that were given up are looked at. */
const MOST = 1000;

/**
 * A commit that leads to what only the logs of the branch and of the worktree still name, and what else
 * belongs to that: commits that were amended, or left behind by a reset. Null where there is nothing.
 */
async function keepEarlier(
  repo: Repository,
  { taskId, branch, tip, entry }: Found,
  admin: string | undefined,
  author: Author,
): Promise<string | null> {
  const own = entry === undefined || admin === undefined ? [] : await ownCommits(entry.path, admin);
  const log = branch === null ? null : await tryAsk(repo.gitDir, [
    ...["rev-list", "--walk-reflogs", `--max-count=${MOST}`, `refs/heads/${branch}`, "--"],
  ]);
  const heads = admin === undefined ? [] : (await loggedHeads(`${admin}/logs/HEAD`)).slice(-MOST);
  const commits = [...new Set([...log?.split("\n") ?? [], ...own, ...heads])].filter((it) =>
    /^[0-9a-f]{40,}$/.test(it)
  );
  if (commits.length === 0) return null;
  const named = tip === null ? [] : [tip];
  // What git has forgotten already is passed over.
  const args = ["rev-list", "--ignore-missing", "--stdin", "--not", ...named, ...otherRefs(branch)];
  const only = await tryAsk(repo.gitDir, args, { input: `${commits.join("\n")}\n` }) ?? "";
  if (only === "") return null;
  const lost = new Set(only.split("\n"));
  const ends = await ask(repo.gitDir, [
    ...["merge-base", "--independent"],
    ...commits.filter((commit) => lost.has(commit)),
  ]);
  const parents = ends.split("\n");
  if (parents.length === 1) return parents[0]!;
  const [tree = "", date = ""] = (await factsOf(repo, parents[0]!, "%T%n%ct")).split("\n");
  const message = `Earlier states of the branch of ${taskId}`;
  return await commitTree(repo, tree, parents, { message, author, date: `${date} +0000` });
}

/** Removes a branch that is where it was, with what git's settings say of it. */
async function removeBranch(
  repo: Repository,
  branch: string,
  tip: string,
): Promise<string | null> {
  const { gitDir } = repo;
  const args = ["update-ref", "-d", "-m", "orchestra: cleaned", `refs/heads/${branch}`, tip];
  try {
    await patiently(() => ask(gitDir, args), { isOwn: ownLocks(repo, branch) });
  } catch (error) {
    if (error instanceof GitError) return lastLine(error.output);
    throw error;
  }
  const section = `branch.${branch}`;
  const settings = await tryAsk(gitDir, ["config", "--local", "--name-only", "--list"]);
  if (settings?.split("\n").some((name) => name.startsWith(`${section}.`))) {
    // Without the branch they are of no use; where they stay, they do no harm.
    await git(gitDir, ["config", "--local", "--remove-section", section]);
  }
  return null;
}
