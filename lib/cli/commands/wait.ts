// `orchestra wait`: until tasks are settled. A task that is being retried is not; one that is blocked
// would be waited for until somebody acts, so that it counts as settled, and not as complete.

import { buildCommand } from "@stricli/core";
import { isWatched } from "../../supervise/watcher.ts";
import { findArchived } from "../../store/archive.ts";
import {
  dependentsOf,
  indexTasks,
  latestAttempt,
  type Readiness,
  type TaskIndex,
} from "../../decide/dependencies.ts";
import { hasEnded } from "../../decide/ended.ts";
import { formatStatus } from "../../format/status.ts";
import { OrchestraError } from "../../task/error.ts";
import { noTask, type Queue } from "../../queue/queue.ts";
import type { Mirror } from "../../supervise/mirror.ts";
import { isTerminal, type Task } from "../../task/fields.ts";
import { ownTask } from "../calling.ts";
import type { Context } from "../context.ts";
import { duration } from "../flags.ts";
import { lookOn, stopSignal } from "../look_on.ts";
import { anyIdArgument, filterAliases, filterFlags, parsed } from "../parameters.ts";
import { type Filters, isFiltering, pickFiltered } from "../select.ts";
import { statusInput, viewJson } from "../status_input.ts";
import { leaveWatcher, look } from "../supervision.ts";

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
  const snapshot = await look(queue, true);
  for (const id of ids) {
    // Reading it anew says what is wrong with a file that is there but damaged.
    if (
      !snapshot.index.byId.has(id) && queue.store.read(id) === undefined &&
      queue.store.readArchived(id) === undefined
    ) throw noTask(queue.store, id);
  }
  await leaveWatcher(this, queue, snapshot);
  const others = notEndingBefore(ownTask(queue.store), snapshot.index);
  const itself = ids.find((id) => others.has(id));
  if (itself !== undefined) {
    throw new OrchestraError(
      "usage",
      `wait ${itself}: it cannot end before the task that asks, which would wait for itself`,
      { hint: "Leave it out: orchestra wait waits for all others." },
    );
  }
  const open = isFiltering(flags)
    ? await pickFiltered(snapshot.tasks, flags, queue.now(), snapshot.index)
    : snapshot.tasks.filter((task) => !isTerminal(task.status));
  const wanted = ids.length > 0
    ? ids
    : open.map(({ taskId }) => taskId).filter((id) => !others.has(id));
  this.endsByExit = true;
  let interrupted = false;
  const stop = stopSignal(() => interrupted = true);
  const patience = flags.timeout === undefined
    ? undefined
    : setTimeout(() => stop.abort(), Math.min(flags.timeout * 1000, LONGEST_TIMER));
  let told = false;
  const openOf = (index: TaskIndex) => {
    const memo = new Map<string, Readiness>();
    // One that is archived has ended.
    return wanted.filter((id) => index.byId.has(id) && !hasEnded(id, index, memo));
  };
  const mirror = await lookOn(this, queue, {
    signal: stop.signal,
    until: ({ index, running, reaping }) => {
      const open = openOf(index);
      if (!told && open.length > 0 && running.size + reaping.size === 0) {
        told = true;
        if (!isWatched(queue.store)) {
          this.note("Nothing runs and nobody launches: orchestra run --all, from somewhere else");
        }
      }
      return open.length === 0;
    },
  });
  clearTimeout(patience);
  if (wanted.length === 0 && !this.globals.json) {
    const none = `no ${others.size > 0 ? "other " : ""}task${
      isFiltering(flags) ? " that passes" : ""
    }`;
    this.print(`Nothing to wait for: ${none} is pending or running`);
  } else finish(this, queue, mirror, wanted, openOf(mirror.index), interrupted);
}

/** A task that asks from within, and what waits for it. */
function notEndingBefore(own: Task | undefined, index: TaskIndex): ReadonlySet<string> {
  if (own === undefined) return new Set();
  return new Set([own, ...dependentsOf([own.taskId], index)].map(({ taskId }) => taskId));
}

/** Timers take at most 2^31 - 1 ms. */
const LONGEST_TIMER = 2_000_000_000;

function finish(
  context: Context,
  queue: Queue,
  { index, damaged }: Mirror,
  wanted: readonly string[],
  open: readonly string[],
  interrupted: boolean,
): void {
  const archived = findArchived(queue.store, wanted, index.byId);
  const whole = indexTasks([...archived, ...index.byId.values()], index.archived);
  const latest = wanted
    .map((id) => whole.byId.get(id))
    .filter((task) => task !== undefined)
    .map((task) => latestAttempt(task, whole));
  const complete = latest.length === wanted.length &&
    latest.every((task: Task) => task.status === "complete");
  const input = statusInput(
    queue,
    { tasks: [...whole.byId.values()], damaged: [...damaged.values()], index: whole },
    { ids: new Set(latest.map((task) => task.taskId)) },
  );
  if (context.globals.json) {
    context.printJson({
      complete,
      timedOut: open.length > 0 && !interrupted,
      tasks: input.views.map(viewJson),
    });
  } else context.print(formatStatus(input, context.style(), queue.now()));
  if (interrupted) return context.fail(130);
  if (open.length > 0) {
    context.note(`Time is up: ${open.length} not settled yet: ${open.join(", ")}`);
  }
  if (!complete) context.fail(1);
}
