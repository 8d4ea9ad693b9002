// Merges branches, or undoes that, for tests that kill it: at the n-th thing that it does, a change of a
// file or a program that it starts, before that or just after.

import { openQueue } from "../../lib/queue/queue.ts";
import { mergeOrder } from "../../lib/decide/merging.ts";
import { indexTasks } from "../../lib/decide/dependencies.ts";
import { type Mergeable, planMerges } from "../../lib/worktree/merge.ts";
import { whileMerging } from "../../lib/worktree/merge_record.ts";
import { performMove, settleMove } from "../../lib/worktree/perform.ts";
import { findRepository } from "../../lib/worktree/repository.ts";
import { removeScratches } from "../../lib/worktree/scratch.ts";
import { findTarget } from "../../lib/worktree/target.ts";
import { undoMerge } from "../../lib/worktree/undo.ts";
import type { MergeMode } from "../../lib/decide/merging.ts";

const author = { name: "Ann Author", email: "ann@example.org" };

/** As `orchestra merge` does it: finishes what was killed, and then merges, or undoes. */
export async function act(root: string, folder: string, what: MergeMode | "undo"): Promise<void> {
  const { store } = openQueue(root);
  const repo = await findRepository(root);
  const place = { repo, store, folder, root, now: () => 1_772_625_600_000 };
  await whileMerging(store, async () => {
    await settleMove(place);
    await removeScratches(place);
    const target = await findTarget(repo, null);
    if (what === "undo") return void await undoMerge(place, target);
    const tasks = store.scan().tasks;
    const verifier = what === "rebase"
      ? null
      : { command: "true", args: [], env: {}, inherit: null, folder: "" };
    const items = tasks.map(({ taskId, git }): [string, Mergeable] => [taskId, {
      ...{ taskId, branch: git!.branch, tip: git!.tip!, base: git!.base },
      ...{ message: `merge ${taskId}`, verifier },
    }]);
    const plan = await planMerges(
      place,
      target.commit,
      mergeOrder(tasks, indexTasks(tasks)),
      new Map(items),
      { mode: what, author, verify: true, before: () => Promise.resolve(null) },
    );
    if (plan.to === plan.from) return;
    const ids = tasks.map(({ taskId }) => taskId);
    await performMove(place, target, plan.to, { kind: "merge", tasks: ids, tips: {}, mode: what });
  });
}

type Method = (...args: unknown[]) => unknown;

/** From now on the n-th thing is the last that this process does. */
function killAt(count: number, after: boolean): void {
  let left = count;
  const step = (action: () => unknown) => {
    const isLast = --left === 0;
    if (isLast && !after) Deno.kill(Deno.pid, "SIGKILL");
    const done = action();
    if (isLast) Deno.kill(Deno.pid, "SIGKILL");
    return done;
  };
  const wrap = (owner: unknown, name: string) => {
    const methods = owner as Record<string, Method>;
    const real = methods[name]!;
    methods[name] = function (this: unknown, ...args) {
      return step(() => real.apply(this, args));
    };
  };
  for (const name of ["renameSync", "removeSync", "mkdirSync"]) wrap(Deno, name);
  wrap(Deno.FsFile.prototype, "writeSync");
  wrap(Deno.Command.prototype, "spawn");
}

if (import.meta.main) {
  const [root, folder, what, count, after] = Deno.args;
  killAt(Number(count), after === "after");
  await act(root!, folder!, what as MergeMode);
}
