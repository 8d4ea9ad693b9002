// A workspace in a real git repository, whose tasks may have worktrees.

import { branchOf } from "../../lib/decide/branch.ts";
import type { Task, TaskBranch } from "../../lib/task/fields.ts";
import { assert } from "./assert.ts";
import { type Box, openBox } from "./box.ts";
import { makeRepository, type TestRepository } from "./repository.ts";

/** A workspace in a repository. */
export interface WorktreeBox extends AsyncDisposable {
  readonly repo: TestRepository;
  readonly box: Box;
  /** Writes the settings, beside where worktrees are made. */
  config(settings: Record<string, unknown>, worktrees?: Record<string, unknown>): void;
  /** Queues a task with a worktree, whose prompt is a script. */
  start(script: string, ...options: string[]): Promise<string>;
  /** The branch of a task, as its file says. */
  branch(task: Task | string): TaskBranch;
  /** A file as it is in a commit. */
  show(commit: string, path: string): Promise<string>;
  /** Paths of the linked worktrees, as git tells. */
  worktrees(): Promise<string[]>;
}

/**
 * Makes one.
 *
 * @param folder where in the repository the workspace is; its top where absent
 */
export async function makeWorktreeBox(folder = ""): Promise<WorktreeBox> {
  const repo = await makeRepository();
  const root = folder === "" ? repo.top : `${repo.top}/${folder}`;
  for (const name of ["", "/tasks", "/plans", "/logs", "/workspace", "/archive"]) {
    Deno.mkdirSync(`${root}/.orchestra${name}`, { recursive: true, mode: 0o700 });
  }
  Deno.mkdirSync(`${root}/.orchestra-cli`);
  repo.write(".git/info/exclude", ".orchestra/\n.orchestra-cli/\n");
  const box = openBox(root);
  box.agents({});
  const branch = (task: Task | string): TaskBranch => {
    const found = branchOf(typeof task === "string" ? box.task(task) : task);
    assert(found !== null, "it has no branch");
    return found;
  };
  const config = (settings: Record<string, unknown>, worktrees = {}) =>
    box.config({ ...settings, worktrees: { folder: repo.beside, ...worktrees } });
  config({});
  return {
    repo,
    box,
    config,
    branch,
    start: (script, ...options) => box.start("--worktree", ...options, "shell", script),
    show: (commit, path) => repo.git("show", `${commit}:${path}`),
    async worktrees() {
      const list = await repo.git("worktree", "list", "--porcelain");
      return list.split("\n").filter((line) => line.startsWith("worktree ")).slice(1)
        .map((line) => line.slice(9));
    },
    async [Symbol.asyncDispose]() {
      await box[Symbol.asyncDispose]();
      await repo[Symbol.asyncDispose]();
    },
  };
}
