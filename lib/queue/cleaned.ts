// The worktree of a finished task is gone: that it stays is no longer true.

import { branchOf } from "../decide/branch.ts";
import { isAtRest } from "../task/fields.ts";
import type { Queue } from "./queue.ts";

/** Takes back what the files of tasks say of why their worktrees stay. Archived ones are left as they are. */
export function noteCleaned({ store }: Pick<Queue, "store">, ids: readonly string[]): void {
  store.locked(() => {
    for (const id of ids) {
      const parsed = store.tryRead(id);
      if (parsed === undefined || !("task" in parsed)) continue;
      const { task } = parsed;
      if (!isAtRest(task) || task.git === null || branchOf(task)?.left == null) continue;
      store.write({ ...task, git: { ...task.git, left: null } });
    }
  });
}
