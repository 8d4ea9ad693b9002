// How it stands with the branches and worktrees of tasks: what is in them, what they take, and by which
// way they are in a target. Only read.

import type { Contents, Folder, Owner, Place, Way } from "../decide/cleaning.ts";
import { commitOf } from "./base.ts";
import { isThere, permitted, run } from "./disk.ts";
import { git, GitError, lastLine, tryAsk } from "./git.ts";
import { type Inside, lookInside } from "./inside.ts";
import { integratedBy } from "./integrated.ts";
import { OURS } from "./make.ts";
import type { Found } from "./orphans.ts";
import { currentFolders } from "./processes.ts";
import { adminFolder, ledTo } from "./record.ts";
import type { Repository } from "./repository.ts";
import { isLeft, locksOfWorktree } from "./stale_locks.ts";
import { ownGitDir, worktreeState } from "./state.ts";

/** What branches are to be in. */
export interface Goal {
  /** How people call it. */
  readonly name: string;
  readonly commit: string;
  /** Its branch without `refs/heads/`; null where it is none. */
  readonly branch: string | null;
  /** By which way a merge of ours brought a commit there; null where none did. */
  readonly broughtBy?: (commit: string) => Promise<Way | null>;
}

/** A branch, and how it stands with it. */
export interface Seen {
  readonly found: Found;
  readonly place: Place;
  /** What its folder takes, bytes; null where there is none, or it cannot be told. */
  readonly bytes: number | null;
  /** Commits that only the branch has; null without a branch. */
  readonly ahead: number | null;
  /** Commits that only the target has. */
  readonly behind: number | null;
}

/**
 * What branches are to be in: what is named, else what the workspace's working copy has checked out.
 *
 * @throws OrchestraError `usage` where the name is none of a commit
 */
export async function goalOf(repo: Repository, into: string | null): Promise<Goal> {
  const commit = await commitOf(repo, into ?? "HEAD");
  const args = ["rev-parse", "--symbolic-full-name", "--end-of-options", into ?? "HEAD"];
  const full = (await tryAsk(repo.top, args))?.split("\n").at(-1) ?? "";
  const branch = full.startsWith("refs/heads/") ? full.slice("refs/heads/".length) : null;
  return { name: into ?? branch ?? "HEAD", commit, branch };
}

/** Looks at one of them. */
export async function lookAt(
  repo: Repository,
  found: Found,
  owner: Owner,
  goal: Goal,
): Promise<Seen> {
  const { branch, tip, elsewhere } = found;
  const [{ folder, inside }, way, counts] = await Promise.all([
    lookAtFolder(repo, found),
    tip === null ? null : wayOf(repo, tip, goal, found.base),
    tip === null ? null : countCommits(repo, goal.commit, tip),
  ]);
  return {
    found,
    place: {
      owner,
      branch,
      folder,
      way,
      elsewhere,
      isTarget: branch !== null && branch === goal.branch,
    },
    bytes: inside?.bytes ?? null,
    ahead: counts?.[1] ?? null,
    behind: counts?.[0] ?? null,
  };
}

/** Squashed or rebased, and changed since, nothing in git tells any more that it came there. */
async function wayOf(
  repo: Repository,
  tip: string,
  goal: Goal,
  base: string | null,
): Promise<Way | null> {
  return await integratedBy(repo, tip, goal.commit, base) ?? await goal.broughtBy?.(tip) ?? null;
}

async function countCommits(
  { top }: Repository,
  target: string,
  tip: string,
): Promise<[number, number] | null> {
  const said = await tryAsk(top, ["rev-list", "--count", "--left-right", `${target}...${tip}`]);
  const [left, right] = said?.split("\t").map(Number) ?? [];
  return left === undefined || right === undefined ? null : [left, right];
}

/** A folder, and what it takes. */
interface LookedInto {
  readonly folder: Folder;
  readonly inside?: Inside;
}

async function lookAtFolder(repo: Repository, found: Found): Promise<LookedInto> {
  const { path, entry } = found;
  const foreign = (problem: string) => ({ folder: { kind: "foreign", problem } as const });
  if (path === null) return { folder: { kind: "none" } };
  try {
    if (await isLink(path)) return foreign("a link stands in its place, and is not followed");
    if (entry === undefined) {
      return await isThere(path)
        ? foreign("it is no worktree that was made for this task")
        : { folder: { kind: "none" } };
    }
    const admin = await adminFolder(repo, path);
    if (admin === undefined) return foreign("what git has noted of it cannot be found");
    if (!await isThere(path)) {
      const contents = { ...NOTHING, ...await notedIn(repo, found, admin) };
      return { folder: { kind: "gone", contents } };
    }
    const inside = await lookInside(path);
    if (inside === undefined) return foreign("it is no folder");
    if (await isThere(`${path}/.git`) && await ownGitDir(repo, path) === null) {
      const isAway = await ledTo(path, admin) !== undefined;
      return { ...foreign(isAway ? AWAY : "its .git is not the one that git made"), inside };
    }
    const isHalf = !await isThere(`${admin}/index`) || !await isThere(`${path}/.git`);
    const contents = await lookIn(repo, found, admin, inside);
    return { folder: { kind: isHalf ? "half" : "there", contents }, inside };
  } catch (error) {
    if (error instanceof GitError) {
      return { folder: { kind: "unseen", problem: lastLine(error.output) } };
    }
    if (error instanceof Deno.errors.PermissionDenied || error instanceof Deno.errors.NotCapable) {
      return { folder: { kind: "unseen", problem: "we may not look into it" } };
    }
    throw error;
  }
}

/** Whether a path is a link itself. */
async function isLink(path: string): Promise<boolean> {
  return await permitted(() => {
    try {
      return Deno.lstatSync(path).isSymlink;
    } catch (error) {
      if (error instanceof Deno.errors.NotCapable) throw error;
      return false;
    }
  }, async () => await run("sh", ["-c", '[ -L "$1" ]', "sh", path]) !== null);
}

/** The repository was moved. */
const AWAY =
  "its .git leads to where the repository is no more: run git worktree repair in the repository";

const NOTHING: Contents = {
  changed: 0,
  untracked: 0,
  operation: null,
  submodules: false,
  nested: [],
  locked: null,
  gitLocks: [],
  branch: null,
  loose: false,
  users: [],
};

/** What git has noted of a worktree, whether its folder is there or not. */
async function notedIn(
  repo: Repository,
  { entry, branch, tip }: Found,
  admin: string,
): Promise<Pick<Contents, "locked" | "gitLocks" | "loose" | "submodules" | "branch">> {
  const { locked = null, head = "" } = entry ?? {};
  return {
    locked: locked === null || locked.startsWith(OURS) ? null : locked,
    gitLocks: (await locksOfWorktree(admin)).filter((lock) => !isLeft(lock, Date.now()))
      .map(({ path }) => path),
    loose: head !== tip && /[^0]/.test(head) && await isOnly(repo, [head], branch),
    submodules: await isThere(`${admin}/modules`),
    branch: entry?.branch ?? null,
  };
}

async function lookIn(
  repo: Repository,
  found: Found,
  admin: string,
  inside: Inside,
): Promise<Contents> {
  const path = found.path!;
  const [noted, state] = await Promise.all([
    notedIn(repo, found, admin),
    worktreeState(repo, path),
  ]);
  const nested: string[] = [];
  for (const name of inside.nested) if (!await isTracked(path, name)) nested.push(name);
  return {
    ...noted,
    changed: state.changed,
    untracked: state.untracked,
    operation: state.operation,
    submodules: noted.submodules || state.submodules,
    nested,
    users: processesIn(path),
  };
}

/** Processes whose current folder is a folder or below it, as far as they can be seen. */
function processesIn(path: string): number[] {
  return [...currentFolders()].filter(([, cwd]) => cwd === path || cwd.startsWith(`${path}/`))
    .map(([pid]) => pid);
}

/** Whether a repository without a working copy is files of this one, of a test for example. */
async function isTracked(path: string, name: string): Promise<boolean> {
  if (await isThere(`${path}/${name}/.git`)) return false;
  const args = ["ls-files", "--error-unmatch", "--", `:(top,literal)${name}/HEAD`];
  return (await git(path, args)).code === 0;
}

/** What names commits for good, beside one branch. */
export function otherRefs(branch: string | null): string[] {
  const without = branch === null ? [] : [`--exclude=${branch}`];
  // Which backups there are counts, and what tasks are merged from.
  return [...without, "--branches", "--tags", "--remotes", "--glob=refs/orchestra/*"];
}

/** Whether some of what leads to commits has no name but that of one branch. */
export async function isOnly(
  { top }: Repository,
  commits: readonly string[],
  branch: string | null,
): Promise<boolean> {
  const args = ["rev-list", "--max-count=1", ...commits, "--not", ...otherRefs(branch)];
  return await tryAsk(top, args) !== "";
}
