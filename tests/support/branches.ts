// Tasks with branches and worktrees in a real repository, as they are when their agents are done.

import { formatTime, newTask, type Task } from "../../lib/task/fields.ts";
import { indexTasks } from "../../lib/decide/dependencies.ts";
import { ownerOf } from "../../lib/decide/cleaning.ts";
import { makeWorktree } from "../../lib/worktree/make.ts";
import { cleanBranch, type Cleaned } from "../../lib/worktree/clean.ts";
import { goalOf, lookAt, type Seen } from "../../lib/worktree/look.ts";
import { findBranches, type Found } from "../../lib/worktree/orphans.ts";
import { findRepository, type Repository } from "../../lib/worktree/repository.ts";
import { makeRepository, type TestRepository } from "./repository.ts";

const NOW = Date.parse("2026-03-04T12:00:00Z");

/** A repository with branches of tasks. */
export interface Branches extends AsyncDisposable {
  readonly repo: TestRepository;
  readonly found: Repository;
  /** Where worktrees are made. */
  readonly folder: string;
  /** The tasks; a test may change them. */
  readonly tasks: Task[];
  /** A finished task with a worktree at `main`; the paths and names of it. */
  make(over?: Partial<Task>): Promise<Made>;
  /** Looks at what there is. */
  look(into?: string): Promise<Seen[]>;
  /** Removes the branch of a task. */
  clean(taskId: string, forced?: boolean, into?: string): Promise<Cleaned | undefined>;
}

/** A task that was made. */
export interface Made {
  readonly taskId: string;
  readonly branch: string;
  readonly path: string;
  readonly base: string;
}

export async function makeBranches(): Promise<Branches> {
  const repo = await makeRepository();
  const found = await findRepository(repo.top);
  const folder = repo.beside;
  const tasks: Task[] = [];
  let count = 0;
  const search = () => ({ tasks, pattern: "orchestra/{taskId}", folder });
  const owner = ({ taskId, tasks: own, branch }: Found) =>
    ownerOf([taskId, ...own.map((task) => task.taskId)], branch, {
      tasks,
      index: indexTasks(tasks),
      damaged: new Set(),
      isOver: () => false,
      rootOf: () => undefined,
    });
  return {
    repo,
    found,
    folder,
    tasks,
    async make(over = {}) {
      const taskId = `task_${NOW + count++}`;
      const made = {
        taskId,
        branch: `orchestra/${taskId}`,
        path: `${folder}/${taskId}`,
        base: await repo.git("rev-parse", "main"),
      };
      const { branch, path, base } = made;
      await makeWorktree(found, {
        branch,
        base,
        path,
        reason: `orchestra ${taskId}`,
        dirty: "ignore",
        include: false,
      });
      tasks.push({
        ...newTask(taskId, { agent: "shell", prompt: "do it" }, NOW),
        status: "complete",
        claim: 1,
        completedAt: formatTime(NOW + 1000),
        git: {
          branch,
          path,
          base,
          folder: "",
          tip: null,
          files: null,
          insertions: null,
          deletions: null,
          left: null,
        },
        ...over,
      });
      return made;
    },
    async look(into) {
      const goal = await goalOf(found, into ?? null);
      return await Promise.all(
        (await findBranches(found, search())).map((one) => lookAt(found, one, owner(one), goal)),
      );
    },
    async clean(taskId, forced = false, into) {
      return await cleanBranch(found, taskId, forced, {
        search,
        owner,
        goal: await goalOf(found, into ?? null),
        author: { name: "Ann Author", email: "ann@example.org" },
      });
    },
    [Symbol.asyncDispose]: () => repo[Symbol.asyncDispose](),
  };
}
