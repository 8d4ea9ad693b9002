// `orchestra clean`: removes finished tasks with everything that belongs to them.

import { indexTasks, retryChain } from "../dependencies.ts";
import { OrchestraError } from "../error.ts";
import { noTask } from "../queue.ts";
import { isTaskId, isTerminal, type Task } from "../task.ts";
import type { Context } from "./context.ts";

/** Options of `clean`. */
export interface CleanFlags {
  yes?: boolean;
}

const FILTERS: Readonly<Record<string, (task: Task) => boolean>> = {
  completed: (task) => task.status === "complete",
  complete: (task) => task.status === "complete",
  failed: (task) => task.status === "failed",
  cancelled: (task) => task.status === "cancelled",
  all: (task) => isTerminal(task.status),
};

/** Runs `orchestra clean`. */
export async function clean(this: Context, flags: CleanFlags, filter = "completed"): Promise<void> {
  const queue = this.openQueue();
  const matches = FILTERS[filter];
  if (matches === undefined && !isTaskId(filter)) {
    const { closest } = await import("../suggest.ts");
    const near = closest(filter, Object.keys(FILTERS));
    throw new OrchestraError(
      "usage",
      `clean ${JSON.stringify(filter)}: neither a filter nor an id`,
      {
        hint: near === undefined
          ? "Give completed, failed, cancelled, all, or the id of a task."
          : `Did you mean "${near}"?`,
      },
    );
  }
  const { tasks } = await queue.look({ retry: false });
  const index = indexTasks(tasks);
  let chosen: Task[];
  if (matches === undefined) {
    const task = index.byId.get(filter);
    if (task === undefined) throw noTask(filter);
    if (!isTerminal(task.status)) {
      throw new OrchestraError(
        "state",
        `${filter} is ${task.status}: only finished tasks are removed`,
        {
          hint: `Cancel it first: orchestra cancel ${filter}`,
        },
      );
    }
    chosen = [task];
  } else chosen = tasks.filter(matches);
  // What still ends, will be retried, or is waited for by others must stay.
  const needed = new Set<string>();
  for (const task of tasks) {
    if (isTerminal(task.status)) continue;
    for (const id of task.dependsOn) {
      const dependency = index.byId.get(id);
      if (dependency === undefined) continue;
      for (const attempt of retryChain(dependency, index)) needed.add(attempt.taskId);
    }
  }
  const kept = chosen.filter((task) =>
    needed.has(task.taskId) || task.reapAt !== null || task.retryAt !== null
  );
  const going = chosen.filter((task) => !kept.includes(task));
  if (matches === undefined && kept.length > 0) {
    throw new OrchestraError(
      "state",
      `${filter} stays: ${
        needed.has(filter) ? "a task that has not run yet depends on it" : "it is not over yet"
      }`,
      { hint: "Cancel what depends on it first, or wait." },
    );
  }
  if (going.length > 0 && !flags.yes) {
    const count = `${going.length} ${going.length === 1 ? "task" : "tasks"}`;
    if (this.globals.json || !Deno.stdin.isTerminal()) {
      throw new OrchestraError(
        "usage",
        `clean would remove ${count}; nobody is there to be asked`,
        {
          hint: "Say so with --yes.",
        },
      );
    }
    if (!confirm(`Remove ${count} with logs and plans?`)) {
      this.print("Nothing removed");
      return;
    }
  }
  queue.store.locked(() => {
    const marks = queue.store.listAllMarks();
    for (const task of going) queue.removeTask(task, marks.get(task.taskId) ?? []);
  });
  if (this.globals.json) {
    this.printJson({
      removed: going.map((task) => task.taskId),
      kept: kept.map((task) => task.taskId),
    });
    return;
  }
  this.print(`Removed ${going.length} ${going.length === 1 ? "task" : "tasks"}`);
  if (kept.length > 0) {
    this.note(`Kept ${kept.length} that others depend on or that are not over yet`);
  }
}
