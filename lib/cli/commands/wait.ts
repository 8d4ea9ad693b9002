// `orchestra wait`: until tasks are settled. A task that is being retried is not; one that is blocked
// would be waited for until somebody acts, so that it counts as settled, and not as complete.

import { buildCommand } from "@stricli/core";
import { pause } from "../../launch/pause.ts";
import { isWatched } from "../../supervise/watcher.ts";
import { findArchived } from "../../store/archive.ts";
import {
  indexTasks,
  latestAttempt,
  type Readiness,
  readinessOf,
  type TaskIndex,
} from "../../decide/dependencies.ts";
import { formatStatus } from "../../format/status.ts";
import { OrchestraError } from "../../task/error.ts";
import { noTask, type Queue, type Snapshot } from "../../queue/queue.ts";
import { isTerminal, type Task } from "../../task/fields.ts";
import { watchFolder } from "../../store/watch.ts";
import type { Context } from "../context.ts";
import { duration } from "../flags.ts";
import { anyIdArgument, filterAliases, filterFlags, parsed } from "../parameters.ts";
import { type Filters, isFiltering, pickFiltered } from "../select.ts";
import { statusInput, viewJson } from "../status_input.ts";
import { leaveWatcher } from "../supervision.ts";

interface WaitFlags extends Filters {
  timeout?: number;
}

export const command = buildCommand({
  func: wait,
  parameters: {
    flags: { timeout: parsed(duration, "give up after this time", "time"), ...filterFlags },
    positional: { kind: "array", parameter: anyIdArgument },
    aliases: filterAliases,
  },
  docs: {
    brief: "Wait until tasks are settled",
    fullDescription:
      "Waits for the given tasks, for those that pass the filters, or for all that are pending or " +
      "running, retries included. Exit code 1 if one of them did not complete.",
  },
});

async function wait(this: Context, flags: WaitFlags, ...ids: string[]): Promise<void> {
  if (ids.length > 0 && isFiltering(flags)) {
    throw new OrchestraError("usage", "wait takes ids or filters, not both");
  }
  const queue = await this.openQueue();
  let snapshot = await queue.look();
  for (const id of ids) {
    // Reading it anew says what is wrong with a file that is there but damaged.
    if (
      !snapshot.index.byId.has(id) && queue.store.read(id) === undefined &&
      queue.store.readArchived(id) === undefined
    ) throw noTask(id);
  }
  const wanted = ids.length > 0
    ? ids
    : isFiltering(flags)
    ? (await pickFiltered(snapshot.tasks, flags, queue.now(), snapshot.index))
      .map((task) => task.taskId)
    : snapshot.tasks.filter((task) => !isTerminal(task.status)).map((task) => task.taskId);
  const deadline = flags.timeout === undefined
    ? Infinity
    : performance.now() + flags.timeout * 1000;
  this.endsByExit = true;
  const stop = new AbortController();
  Deno.addSignalListener("SIGINT", () => stop.abort());
  using watch = watchFolder(
    queue.store.tasksDir,
    (reason) => this.note(`Watching the folder failed, looking every second: ${reason}`),
  );
  let told = false;
  for (;;) {
    watch.take();
    snapshot = await queue.look();
    await leaveWatcher(this, queue, snapshot);
    const { index } = snapshot;
    const memo = new Map<string, Readiness>();
    const open = wanted.filter((id) => !isSettled(id, index, memo));
    const left = deadline - performance.now();
    if (!told && open.length > 0 && !snapshot.unsettled && !isWatched(queue.store)) {
      told = true;
      this.note("Nothing runs and nobody launches: orchestra run --all, from somewhere else");
    }
    const interrupted = stop.signal.aborted;
    if (open.length === 0 || left <= 0 || interrupted) {
      return finish(this, queue, snapshot, index, wanted, open, interrupted);
    }
    await pause(Math.min(left, watch.active ? 5000 : 1000), stop.signal, [watch.changed()]);
  }
}

/** Whether a task has come to its end, no retry of it running or due. A task that is gone has. */
export function isSettled(id: string, index: TaskIndex, memo: Map<string, Readiness>): boolean {
  const task = index.byId.get(id);
  if (task === undefined) return true;
  const latest = latestAttempt(task, index);
  if (latest.status === "pending") return readinessOf(latest, index, memo).kind === "blocked";
  return isTerminal(latest.status) && latest.retryAt === null;
}

function finish(
  context: Context,
  queue: Queue,
  snapshot: Snapshot,
  index: TaskIndex,
  wanted: readonly string[],
  open: readonly string[],
  interrupted: boolean,
): void {
  const archived = findArchived(queue.store, wanted, index.byId);
  const whole = indexTasks([...archived, ...snapshot.tasks]);
  const latest = wanted
    .map((id) => whole.byId.get(id))
    .filter((task) => task !== undefined)
    .map((task) => latestAttempt(task, whole));
  const complete = latest.length === wanted.length &&
    latest.every((task: Task) => task.status === "complete");
  const input = statusInput(
    queue,
    { ...snapshot, tasks: [...whole.byId.values()], index: whole },
    { ids: new Set(latest.map((task) => task.taskId)) },
  );
  if (context.globals.json) {
    context.printJson({
      complete,
      timedOut: open.length > 0 && !interrupted,
      tasks: input.views.map(viewJson),
    });
  } else if (wanted.length === 0) {
    context.print("Nothing to wait for: no task is pending or running");
  } else context.print(formatStatus(input, context.style(), queue.now()));
  if (interrupted) return context.fail(130);
  if (open.length > 0) {
    context.note(`Time is up: ${open.length} not settled yet: ${open.join(", ")}`);
  }
  if (!complete) context.fail(1);
}
