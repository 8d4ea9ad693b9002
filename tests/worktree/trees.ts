// Worktrees of tasks in tests: one that is wanted, and what is checked of each.

import { assertEquals } from "../support/assert.ts";
import { makeRepository, type TestRepository } from "../support/repository.ts";
import { commitLeft, type Committed } from "../../lib/worktree/commit.ts";
import { makeWorktree, type WantedWorktree } from "../../lib/worktree/make.ts";
import { findRepository, type Repository } from "../../lib/worktree/repository.ts";

export const ANN = { name: "Ann Author", email: "ann@example.org" };

/** A repository with the means to make worktrees of it. */
export interface Trees extends AsyncDisposable {
  readonly user: TestRepository;
  readonly repo: Repository;
  /** The first commit. */
  readonly base: string;
  /** What is wanted for the n-th task. */
  wanted(number: number, more?: Partial<WantedWorktree>): WantedWorktree;
  /** Makes it; its path. */
  make(number: number, more?: Partial<WantedWorktree>): Promise<string>;
  /** Commits what is left in it. */
  commit(number: number, more?: { base?: string; message?: string }): Promise<Committed>;
}

export async function makeTrees(): Promise<Trees> {
  const user = await makeRepository();
  const repo = await findRepository(user.top);
  const base = await user.git("rev-parse", "HEAD");
  const wanted = (number: number, more: Partial<WantedWorktree> = {}): WantedWorktree => {
    const id = taskId(number);
    return {
      branch: `orchestra/${id}`,
      base,
      path: `${user.beside}/${id}`,
      reason: `orchestra ${id}`,
      dirty: "ignore",
      include: true,
      ...more,
    };
  };
  return {
    user,
    repo,
    base,
    wanted,
    async make(number, more) {
      const it = wanted(number, more);
      await makeWorktree(repo, it);
      return it.path;
    },
    commit(number, more) {
      const { path, branch } = wanted(number);
      return commitLeft(repo, path, {
        base,
        branch,
        message: "what was left",
        author: ANN,
        ...more,
      });
    },
    [Symbol.asyncDispose]: () => user[Symbol.asyncDispose](),
  };
}

export const taskId = (number: number) => `task_${1_700_000_000_000 + number}`;

/** A worktree that has come to be: on its branch, all files there, locked, nothing left to do. */
export async function assertWhole({ user }: Trees, wanted: WantedWorktree): Promise<void> {
  const { path, branch, reason } = wanted;
  assertEquals(await user.gitIn(path, "status", "--porcelain", "--branch"), `## ${branch}`);
  const list = await user.git("worktree", "list", "--porcelain");
  const record = list.trimEnd().split("\n\n").find((it) => it.startsWith(`worktree ${path}\n`));
  assertEquals(record?.split("\n").slice(2), [`branch refs/heads/${branch}`, `locked ${reason}`]);
}

/** Nothing is broken in the repository, and no lock of git's is left. */
export async function assertSound({ user, repo }: Trees): Promise<void> {
  await user.git("fsck", "--no-dangling", "--strict");
  const left = [...filesIn(repo.gitDir)].filter((name) =>
    // A temporary index is swept by a later one.
    name.endsWith(".lock") && name !== "orchestra.lock" && !name.startsWith("orchestra-index-")
  );
  assertEquals(left, []);
}

function* filesIn(folder: string, prefix = ""): Generator<string> {
  for (const { name, isDirectory } of Deno.readDirSync(folder)) {
    if (isDirectory) yield* filesIn(`${folder}/${name}`, `${prefix}${name}/`);
    else yield `${prefix}${name}`;
  }
}
