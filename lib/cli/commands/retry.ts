// `orchestra retry <id>...`: queues failed or cancelled tasks again, as new tasks. What cannot be
// retried is refused before anything is queued.

import { buildCommand } from "@stricli/core";
import { OrchestraError } from "../../task/error.ts";
import { noTask } from "../../queue/queue.ts";
import {
  resumeProblem,
  retriedMeanwhile,
  retry as queueRetry,
  retryProblem,
} from "../../queue/retry.ts";
import { loadAgents } from "../../settings/agents.ts";
import type { Task } from "../../task/fields.ts";
import type { Context } from "../context.ts";
import { integer } from "../flags.ts";
import { filterAliases, filterFlags, idArgument, optional, parsed } from "../parameters.ts";
import { type Filters, isFiltering, pickFiltered } from "../select.ts";
import { look } from "../supervision.ts";

interface RetryFlags extends Filters {
  maxRetries?: number;
  auto?: boolean;
  resume?: boolean;
}

export const command = buildCommand({
  func: retry,
  parameters: {
    flags: {
      maxRetries: parsed(integer(0), "allow this many retries", "n"),
      auto: optional("retry further by itself"),
      resume: optional("go on in the session of its agent, and in its worktree"),
      ...filterFlags,
    },
    positional: { kind: "array", parameter: idArgument },
    aliases: filterAliases,
  },
  docs: {
    brief: "Queue failed or cancelled tasks again",
    fullDescription:
      "Queues failed or cancelled tasks again, each as a new task: the given ones, or those among " +
      "the ones that pass the filters that can be retried.",
  },
});

async function retry(this: Context, flags: RetryFlags, ...ids: string[]): Promise<void> {
  const filtering = isFiltering(flags);
  if (filtering === (ids.length > 0)) {
    throw new OrchestraError(
      "usage",
      filtering ? "retry takes ids or filters, not both" : "retry needs the id of a task",
      { hint: "For example: orchestra retry @last   or: orchestra retry --status failed" },
    );
  }
  const queue = await this.openQueue();
  const snapshot = await look(queue);
  const agents = flags.resume ? await loadAgents(queue.store) : null;
  const problemOf = (task: Task) =>
    retryProblem(queue, task, flags.maxRetries) ??
      (agents === null ? undefined : resumeProblem(task, agents));
  const wanted: Task[] = [];
  if (filtering) {
    const passed = await pickFiltered(snapshot.tasks, flags, queue.now(), snapshot.index);
    wanted.push(...passed.filter((task) => problemOf(task) === undefined));
  }
  for (const id of new Set(ids)) {
    const task = queue.store.read(id);
    if (task === undefined) throw noTask(queue.store, id);
    const problem = problemOf(task);
    if (problem !== undefined) throw problem;
    wanted.push(task);
  }
  const queued: Task[] = [];
  queueRetry(
    queue,
    wanted.map((task) => ({
      id: task.taskId,
      options: {
        maxRetries: flags.maxRetries,
        autoRetry: flags.auto ?? false,
        resume: flags.resume ?? false,
      },
    })),
    snapshot.index,
    ({ successor }) => {
      if (successor !== undefined) queued.push(successor);
    },
  );
  const missed = wanted.find(({ taskId }) =>
    !queued.some(({ retryHistory }) => retryHistory.at(-1)?.retriedFrom === taskId)
  );
  if (missed !== undefined && !filtering) {
    throw retriedMeanwhile(missed.taskId);
  }
  // One that was named is one value; what was picked is a list, of however many.
  if (this.globals.json) return this.printJson(ids.length === 1 ? queued[0]! : queued);
  for (const { taskId, retryCount, maxRetries, retryHistory } of queued) {
    const before = retryHistory.at(-1)?.retriedFrom;
    this.print(`Queued ${taskId} as retry ${retryCount}/${maxRetries} of ${before}`);
  }
  if (queued.length > 0) this.note("Run it with: orchestra run");
  else this.print("Nothing to retry: no task that passes has failed");
}
