// The repository in which a workspace lies, and its worktrees, as git itself names them.

import { OrchestraError, quote } from "../task/error.ts";
import { ask, git, GitError, type GitOutput, lastLine, tryAsk } from "./git.ts";

/** A repository that worktrees can be made of. */
export interface Repository {
  /** Top of the working copy in which the workspace lies, an absolute real path. */
  readonly top: string;
  /** The `.git` folder that all worktrees share, an absolute real path. */
  readonly gitDir: string;
  /** The workspace's root relative to `top`, with `/`; empty for the top itself. */
  readonly prefix: string;
  /** Format of the names of objects: `sha1` or `sha256`. */
  readonly hash: string;
  /** The commit that is checked out. */
  readonly head: string;
}

/** A working copy of a repository. */
export interface WorktreeEntry {
  /** Absolute. */
  readonly path: string;
  /** Commit; zeros where it has none yet. */
  readonly head: string;
  /** Branch without `refs/heads/`; null where HEAD is at a commit itself. */
  readonly branch: string | null;
  /** Why it is locked, empty where nobody said; null where it is not. */
  readonly locked: string | null;
  /** Why git would forget it; null where it would not. */
  readonly prunable: string | null;
  readonly bare: boolean;
  /** The one that was there first, whose `.git` is a folder. */
  readonly isMain: boolean;
}

const MAKING = "A worktree cannot be made";

/** The first that merges without a working copy. */
const OLDEST = [2, 38] as const;

let known: Promise<string> | undefined;

/** The version of git, `2.39.5`; asked once. */
async function gitVersion(folder: string): Promise<string> {
  const said = await ask(folder, ["version"]);
  return /\d+\.\d+[\w.]*/.exec(said)?.[0] ?? said;
}

/**
 * The repository in which a folder lies.
 *
 * @param root absolute path, a workspace's root as a rule
 * @param attempted what cannot be done without one, for messages
 * @throws OrchestraError `environment` where there is no git, one that is too old, or one that is not
 * allowed to look; `state` where there is no repository, a bare one, or one without a commit
 */
export async function findRepository(root: string, attempted = MAKING): Promise<Repository> {
  known ??= gitVersion(root).catch((error) => {
    known = undefined;
    throw error;
  });
  const [version, output] = await Promise.all([known, lookAround(root)]);
  const [major = 0, minor = 0] = version.split(".").map(Number);
  if (major < OLDEST[0] || (major === OLDEST[0] && minor < OLDEST[1])) {
    throw new OrchestraError(
      "environment",
      `A worktree needs git ${OLDEST.join(".")}, not ${version}`,
      {
        hint: "Install a newer git and see that it comes first on PATH.",
      },
    );
  }
  if (output.code !== 0) throw await refusal(root, output, attempted);
  const [top, gitDir, hash, head, ...prefix] = output.stdout.replace(/\n$/, "").split("\n");
  if (!/^sha\d+$/.test(hash!)) {
    throw new OrchestraError(
      "environment",
      `A worktree cannot be made of ${top}…: its path has line ends`,
      {
        hint: "Give the folder another name.",
      },
    );
  }
  return {
    top: top!,
    gitDir: gitDir!,
    hash: hash!,
    head: head!,
    prefix: prefix.join("\n").replace(/\/$/, ""),
  };
}

function lookAround(root: string): Promise<GitOutput> {
  return git(root, [
    "rev-parse",
    "--path-format=absolute",
    "--show-toplevel",
    "--git-common-dir",
    "--show-object-format",
    "HEAD^{commit}",
    // The last: a folder's name may have line ends in it.
    "--show-prefix",
  ]);
}

/** Why there is no repository of use, and what to do. */
async function refusal(
  root: string,
  output: GitOutput,
  attempted: string,
): Promise<OrchestraError> {
  const because = (code: "state" | "environment", what: string, hint: string) =>
    new OrchestraError(code, `${attempted}: ${what}`, {
      hint,
      cause: new GitError(["rev-parse"], output),
    });
  const said = output.stderr;
  if (/dubious ownership|safe\.directory/.test(said)) {
    const path = /in repository at '(.*)'/.exec(said)?.[1] ?? root;
    return because(
      "environment",
      `the repository ${path} belongs to somebody else, and git does not obey it`,
      `To trust it: git config --global --add safe.directory ${quote([path])}`,
    );
  }
  if (/not a git repository/.test(said)) {
    return because(
      "state",
      `${root} is in no git repository`,
      "Make one, with git init and a first commit" +
        (attempted === MAKING ? ", or leave --worktree away." : "."),
    );
  }
  if (await tryAsk(root, ["rev-parse", "--is-bare-repository"]) === "true") {
    return because(
      "state",
      `${root} is in a bare repository, which has no files`,
      "Clone it, or make a working copy of it with git worktree add, and put the workspace there.",
    );
  }
  if (await tryAsk(root, ["rev-parse", "--is-inside-work-tree"]) === "false") {
    return because(
      "state",
      `${root} is in git's own folder`,
      "Put the workspace into the working copy.",
    );
  }
  if (await tryAsk(root, ["rev-parse", "--verify", "--quiet", "HEAD^{commit}"]) === null) {
    return because(
      "state",
      `there is no commit yet on the branch of the repository ${root}`,
      "Commit something first: git add -A && git commit.",
    );
  }
  return because("environment", lastLine(output), "See what git status says there.");
}

/**
 * The working copies of a repository, the main one first.
 *
 * @throws GitError where git does not tell
 */
export async function listWorktrees(repo: Repository): Promise<WorktreeEntry[]> {
  const list = await ask(repo.gitDir, ["worktree", "list", "--porcelain", "-z"]);
  return list.split("\0\0").filter((record) => record !== "").map((record, at) => {
    const lines = record.split("\0");
    const value = (name: string) => {
      const line = lines.find((it) => it === name || it.startsWith(`${name} `));
      return line === undefined ? null : line.slice(name.length + 1);
    };
    return {
      path: value("worktree") ?? "",
      head: value("HEAD") ?? "",
      branch: value("branch")?.replace(/^refs\/heads\//, "") ?? null,
      locked: value("locked"),
      prunable: value("prunable"),
      bare: lines.includes("bare"),
      isMain: at === 0,
    };
  });
}

/** A path as it is compared: Windows takes either slash, and either case. */
function comparable(path: string): string {
  const trimmed = path.length > 1 ? path.replace(/[/\\]+$/, "") : path;
  return Deno.build.os === "windows" ? trimmed.replaceAll("\\", "/").toLowerCase() : trimmed;
}

/** Whether two absolute paths name the same place. */
export function samePath(one: string, other: string): boolean {
  return comparable(one) === comparable(other);
}

/**
 * The linked worktree at a path. Only what this finds is ever touched: the path in a task's file may have
 * been written by anybody.
 *
 * @returns undefined where the repository has none there
 */
export async function findWorktree(
  repo: Repository,
  path: string,
): Promise<WorktreeEntry | undefined> {
  return (await listWorktrees(repo)).find((it) => !it.isMain && samePath(it.path, path));
}
