// `orchestra clean`: removes finished tasks with everything that belongs to them.

import { buildCommand } from "@stricli/core";
import { archivedDependencies } from "../../store/archive.ts";
import { closedOf } from "../../store/tasks.ts";
import { indexTasks, type TaskIndex } from "../../decide/dependencies.ts";
import { tasksThatStay } from "../../decide/removing.ts";
import { OrchestraError, toOrchestraError } from "../../task/error.ts";
import { noTask } from "../../queue/queue.ts";
import { removeTask, staysError } from "../../queue/remove.ts";
import { isTaskId, isTerminal, type Task } from "../../task/fields.ts";
import type { Context } from "../context.ts";
import { taskNameOr } from "../flags.ts";
import { filterFlags, optional, parsed, startingWith, text } from "../parameters.ts";
import { type Filters, isFiltering, pickFiltered } from "../select.ts";
import { look } from "../supervision.ts";

interface CleanFlags extends Omit<Filters, "status"> {
  yes?: boolean;
  worktrees?: boolean;
  dryRun?: boolean;
  force?: boolean;
  into?: string;
}

/** So many tasks are removed without a question. */
const ASKED_ABOVE = 10;

const FILTERS: Readonly<Record<string, (task: Task) => boolean>> = {
  completed: (task) => task.status === "complete",
  complete: (task) => task.status === "complete",
  failed: (task) => task.status === "failed",
  cancelled: (task) => task.status === "cancelled",
  all: (task) => isTerminal(task.status),
};

export const command = buildCommand({
  func: clean,
  parameters: {
    flags: {
      yes: optional("do not ask"),
      agent: filterFlags.agent,
      label: filterFlags.label,
      worktrees: optional("their branches and worktrees instead: what is integrated, and clean"),
      dryRun: optional("with --worktrees: only say what would be removed"),
      force: optional("with --worktrees and ids: also what is not; a backup of it is kept"),
      into: parsed(text, "with --worktrees: integrated into what (what is checked out)", "ref"),
    },
    positional: {
      kind: "array",
      parameter: {
        brief: "completed, failed, cancelled, all, or a task (completed)",
        placeholder: "filter",
        parse: taskNameOr(Object.keys(FILTERS), "active"),
        proposeCompletions: startingWith(() => ["completed", "failed", "cancelled", "all"]),
      },
    },
    aliases: { y: "yes", l: "label" },
  },
  docs: { brief: "Remove finished tasks, or their branches and worktrees" },
});

async function clean(
  this: Context,
  flags: CleanFlags,
  ...words: string[]
): Promise<void> {
  const queue = await this.openQueue();
  if (flags.worktrees) {
    const { cleanWorktrees } = await import("../clean_worktrees.ts");
    return await cleanWorktrees(this, queue, flags, words);
  }
  refuseWithout(flags);
  if (words.length === 0) words = ["completed"];
  const ids = new Set(words.filter((word) => !Object.hasOwn(FILTERS, word)));
  for (const id of ids) if (!isTaskId(id)) throw await noFilter(id);
  const filters = words.filter((word) => !ids.has(word)).map((word) => FILTERS[word]!);
  const snapshot = await look(queue);
  for (const id of ids) {
    const task = snapshot.index.byId.get(id);
    if (task === undefined) {
      // Reading it anew says what is wrong with a file that is there but damaged.
      queue.store.read(id);
      throw noTask(queue.store, id);
    }
    if (!isTerminal(task.status)) {
      throw new OrchestraError(
        "state",
        `${id} is ${task.status}: only finished tasks are removed`,
        {
          hint: `Cancel it first: orchestra cancel ${id}`,
        },
      );
    }
  }
  // Agent and label never change: what passes now passes when it is looked at again.
  const passing = isFiltering(flags)
    ? new Set(
      (await pickFiltered(snapshot.tasks, flags, queue.now(), snapshot.index))
        .map(({ taskId }) => taskId),
    )
    : undefined;
  const matches = (task: Task) =>
    ids.has(task.taskId) ||
    (filters.some((filter) => filter(task)) && (passing?.has(task.taskId) ?? true));
  const choose = (tasks: readonly Task[], index: TaskIndex) => {
    const stays = tasksThatStay(tasks, index);
    const chosen = tasks.filter(matches);
    return {
      stays,
      kept: chosen.filter(({ taskId }) => stays.has(taskId)),
      going: chosen.filter(({ taskId }) => !stays.has(taskId)),
    };
  };
  const { stays, kept, going } = choose(snapshot.tasks, snapshot.index);
  const stuck = kept.find(({ taskId }) => ids.has(taskId))?.taskId;
  if (stuck !== undefined) throw staysError(stuck, stays.get(stuck)!);
  // Where nobody is there to be asked, what was said is what is meant.
  const asks = going.length > ASKED_ABOVE && !flags.yes && !this.globals.json &&
    Deno.stdin.isTerminal();
  if (asks && !confirm(`Remove ${going.length} tasks with logs and plans?`)) {
    this.print("Nothing removed");
    return;
  }
  const { store } = queue;
  const removed: string[] = [];
  // Looked at again: somebody may have queued what depends on one of them since we asked.
  const settled = closedOf(snapshot.tasks);
  let { marks } = snapshot;
  let mayGo = new Set<string>();
  const left = new Set(kept.map(({ taskId }) => taskId));
  store.lockedEach(going, (task) => {
    const id = task.taskId;
    if (!mayGo.has(id)) {
      left.add(id);
      return;
    }
    try {
      removeTask(queue, task, marks.get(id) ?? []);
      removed.push(id);
    } catch (error) {
      this.note(`It stays: ${toOrchestraError(error, `Removing ${id}`).message}`);
      this.fail(5);
    }
  }, () => {
    const scan = store.scan(settled);
    const index = indexTasks(scan.tasks, archivedDependencies(store, scan.tasks));
    mayGo = new Set(choose(scan.tasks, index).going.map(({ taskId }) => taskId));
    marks = scan.marks;
  });
  if (this.globals.json) {
    this.printJson({ removed, kept: [...left] });
    return;
  }
  this.print(`Removed ${removed.length} ${removed.length === 1 ? "task" : "tasks"}`);
  const branched = going.filter(({ taskId, git }) => git !== null && removed.includes(taskId));
  if (branched.length > 0) {
    const { withBranches } = await import("../branches_left.ts");
    const stay = (await withBranches(store.root, branched)).length;
    if (stay > 0) {
      this.note(
        `Branches of ${stay} stay, with their worktrees; see them with: orchestra worktrees`,
      );
    }
  }
  if (left.size > 0) {
    this.note(`Kept ${left.size} that others depend on or that are not over yet`);
  }
}

/** What is for worktrees alone must not be taken for something else. */
function refuseWithout({ dryRun, force, into }: CleanFlags): void {
  const given = dryRun ? "--dry-run" : force ? "--force" : into === undefined ? null : "--into";
  if (given === null) return;
  throw new OrchestraError("usage", `clean ${given}: it goes with --worktrees only`, {
    hint: "For example: orchestra clean --worktrees --dry-run",
  });
}

/** The error for a word that is neither a filter nor a task. */
async function noFilter(word: string): Promise<OrchestraError> {
  const { closest } = await import("../../text/suggest.ts");
  const near = closest(word, Object.keys(FILTERS));
  return new OrchestraError("usage", `clean ${JSON.stringify(word)}: neither a filter nor a task`, {
    hint: near === undefined
      ? "Give completed, failed, cancelled, all, or the id or key of a task."
      : `Did you mean "${near}"?`,
  });
}
