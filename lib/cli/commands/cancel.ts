// `orchestra cancel`: ends pending and running tasks, with everything they started.

import { buildCommand } from "@stricli/core";
import { block } from "../../store/lock.ts";
import { isWatched } from "../../supervise/watcher.ts";
import { dependentsOf, indexTasks } from "../../decide/dependencies.ts";
import { OrchestraError, toOrchestraError } from "../../task/error.ts";
import { cancel as cancelTasks } from "../../queue/cancel.ts";
import { endTask } from "../../queue/end.ts";
import { loadRules, noTask } from "../../queue/queue.ts";
import type { Store } from "../../store/tasks.ts";
import { isTerminal, type Task } from "../../task/fields.ts";
import { env } from "../calling.ts";
import type { Context } from "../context.ts";
import { filterAliases, filterFlags, idArgument, optional, parsed, text } from "../parameters.ts";
import { type Filters, isFiltering, pickFiltered } from "../select.ts";

interface CancelFlags extends Filters {
  all?: boolean;
  reason?: string;
  withDependents?: boolean;
}

export const command = buildCommand({
  func: cancel,
  parameters: {
    flags: {
      all: optional("cancel all that are pending or running"),
      reason: parsed(text, "why, for the record", "text"),
      withDependents: optional("also what depends on them, directly or through others"),
      ...filterFlags,
    },
    positional: { kind: "array", parameter: idArgument },
    aliases: filterAliases,
  },
  docs: { brief: "End pending or running tasks, with all they started" },
});

async function cancel(this: Context, flags: CancelFlags, ...ids: string[]): Promise<void> {
  const some = (flags.all ?? false) || isFiltering(flags);
  if (some === (ids.length > 0)) {
    throw new OrchestraError(
      "usage",
      some ? "cancel takes ids, or --all and filters, not both" : "cancel needs the id of a task",
      { hint: "For example: orchestra cancel task_1795331564659   or: orchestra cancel --all" },
    );
  }
  const queue = await this.openQueue();
  let wanted = ids;
  if (some) {
    const { tasks } = queue.store.scan();
    wanted = (isFiltering(flags) ? await pickFiltered(tasks, flags, queue.now()) : tasks)
      .filter((task) => !isTerminal(task.status)).map((task) => task.taskId);
  }
  if (flags.withDependents) {
    const index = indexTasks(queue.store.scan().tasks);
    const open = dependentsOf(wanted, index).filter((task) => !isTerminal(task.status));
    wanted = [...new Set([...wanted, ...open.map((task) => task.taskId)])];
  }
  /** What has ended by itself, and how. */
  const final = new Map<string, string>();
  for (const id of wanted) {
    const task = queue.store.read(id);
    if (task === undefined) throw noTask(queue.store, id);
    if (isTerminal(task.status)) final.set(id, task.status);
  }
  const skipped = () => [...final].map(([id, status]) => `${id} is ${status} already`);
  const checkLeft = () => {
    if (final.size === 0 || final.size < wanted.length) return;
    throw new OrchestraError("state", `Nothing to cancel: ${skipped().join(", ")}`, {
      hint: "Only pending and running tasks can be cancelled.",
    });
  };
  checkLeft();
  const rules = await loadRules(queue, ({ message }) => this.note(`Defaults hold: ${message}`));
  if (wanted.includes(env("ORCHESTRA_TASK_ID") ?? "") && Deno.build.os !== "windows") {
    // The agent that cancels itself wants to be told; whoever watches ends us with all of it.
    Deno.addSignalListener("SIGTERM", () => {});
    this.endsByExit = true;
  }
  const done: Task[] = [];
  const problems: OrchestraError[] = [];
  for (const outcome of cancelTasks(queue, wanted, flags.reason ?? null, rules)) {
    if ("error" in outcome) {
      problems.push(toOrchestraError(outcome.error, `Cancelling ${outcome.id}`));
    } else if (outcome.cancelled) done.push(outcome.task!);
    // It ended while we came.
    else if (!final.has(outcome.id)) final.set(outcome.id, outcome.task?.status ?? "gone");
  }
  if (!some) checkLeft();
  if (done.length === 0 && problems.length > 0) throw problems[0];
  // Told before the processes are ended: we may be one of them.
  if (this.globals.json) {
    this.printJson({
      cancelled: done.map(({ taskId }) => taskId),
      skipped: skipped(),
      problems: problems.map(({ message }) => message),
    });
  } else {
    for (const { taskId } of done) this.print(`Cancelled ${taskId}`);
    for (const text of skipped()) this.note(`Skipped: ${text}`);
    for (const { message } of problems) this.note(`Not cancelled: ${message}`);
    if (wanted.length === 0) {
      this.print(
        `Nothing to cancel: no task ${
          isFiltering(flags) ? "that passes is" : "is"
        } pending or running`,
      );
    }
  }
  if (problems.length > 0) this.fail(5);
  const ends = done.filter(({ reapAt }) => reapAt !== null).map(({ taskId }) => taskId);
  if (ends.length > 0 && isWatched(queue.store)) waitForWatcher(queue.store, ends);
  await Promise.all(ends.map((id) => endTask(queue, id, rules)));
}

/**
 * Whoever watches sees the same change and ends the processes too, and is quicker: it runs already.
 * While it gets on we wait: for each a moment, as long as a willing agent takes. What it has not ended
 * then we end ourselves.
 */
function waitForWatcher(store: Store, ids: readonly string[]): void {
  for (const id of ids) {
    const deadline = performance.now() + 100;
    while (store.read(id)?.reapAt !== null) {
      if (performance.now() >= deadline) return;
      block(0.5);
    }
  }
}
