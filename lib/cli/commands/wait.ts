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
import { formatStatus, type StatusInput } from "../../format/status.ts";
import { OrchestraError } from "../../task/error.ts";
import { noTask } from "../../queue/queue.ts";
import type { Snapshot } from "../../queue/refresh.ts";
import type { Mirror } from "../../supervise/mirror.ts";
import { isTerminal, type Task } from "../../task/fields.ts";
import { ownTask } from "../calling.ts";
import type { Context } from "../context.ts";
import { duration } from "../flags.ts";
import { lookOn, stopSignal } from "../look_on.ts";
import { anyIdArgument, everywhere, filterAliases, filterFlags, parsed } from "../parameters.ts";
import type { Place } from "../places.ts";
import { type Filters, isFiltering, openPlaces, pickFiltered } from "../select.ts";
import { selectViews, statusInput, viewJson } from "../status_input.ts";
import { leaveWatcher, look } from "../supervision.ts";

interface WaitFlags extends Filters {
  timeout?: number;
  everywhere?: boolean;
}

export const command = buildCommand({
  func: wait,
  parameters: {
    flags: {
      timeout: parsed(duration, "give up after this time", "time"),
      ...filterFlags,
      everywhere,
    },
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

/** What is waited for in a workspace. */
interface Waiting extends Place {
  readonly wanted: readonly string[];
  /** The task that asks from within, and what waits for it. */
  readonly others: ReadonlySet<string>;
}

async function wait(this: Context, flags: WaitFlags, ...ids: string[]): Promise<void> {
  if (ids.length > 0 && isFiltering(flags)) {
    throw new OrchestraError("usage", "wait takes ids or filters, not both");
  }
  const places = await openPlaces(this, flags.everywhere);
  const named = places.find(ids, "anywhere");
  const concerned = ids.length > 0 ? places.list.filter((one) => named.has(one)) : places.list;
  const waitings = await places.each(
    concerned,
    (place) => prepare(place, flags, named.get(place) ?? []),
  );
  this.endsByExit = true;
  let interrupted = false;
  const stop = stopSignal(() => interrupted = true);
  const patience = flags.timeout === undefined
    ? undefined
    : setTimeout(() => stop.abort(), Math.min(flags.timeout * 1000, LONGEST_TIMER));
  const ended = await places.each(
    waitings,
    async (waiting) => outcomeOf(waiting, await waitFor(waiting, stop.signal)),
  );
  clearTimeout(patience);
  if (waitings.every(({ wanted }) => wanted.length === 0) && !this.globals.json) {
    const none = `no ${waitings.some(({ others }) => others.size > 0) ? "other " : ""}task${
      isFiltering(flags) ? " that passes" : ""
    }`;
    this.print(`Nothing to wait for: ${none} is pending or running`);
  } else await finish(this, ended, interrupted, places.isWhole);
}

/** Which tasks are waited for. */
async function prepare(
  place: Place,
  flags: WaitFlags,
  ids: readonly string[],
): Promise<Waiting> {
  const { context, queue } = place;
  const snapshot = await look(queue, true);
  for (const id of ids) {
    // Reading it anew says what is wrong with a file that is there but damaged.
    if (
      !snapshot.index.byId.has(id) && queue.store.read(id) === undefined &&
      queue.store.readArchived(id) === undefined
    ) throw noTask(queue.store, id);
  }
  await leaveWatcher(context, queue, snapshot);
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
  return { ...place, wanted, others };
}

/** Those that have not ended; one that is archived has. */
function openOf({ wanted }: Waiting, index: TaskIndex): string[] {
  const memo = new Map<string, Readiness>();
  return wanted.filter((id) => index.byId.has(id) && !hasEnded(id, index, memo));
}

/** Looks on until all have ended, or the signal is aborted. */
function waitFor(waiting: Waiting, signal: AbortSignal): Promise<Mirror> {
  const { context, queue } = waiting;
  let told = false;
  return lookOn(context, queue, {
    signal,
    until: ({ index, running, reaping }) => {
      const open = openOf(waiting, index);
      if (!told && open.length > 0 && running.size + reaping.size === 0) {
        told = true;
        if (!isWatched(queue.store)) {
          context.note(
            "Nothing runs and nobody launches: orchestra run --all, from somewhere else",
          );
        }
      }
      return open.length === 0;
    },
  });
}

/** A task that asks from within, and what waits for it. */
function notEndingBefore(own: Task | undefined, index: TaskIndex): ReadonlySet<string> {
  if (own === undefined) return new Set();
  return new Set([own, ...dependentsOf([own.taskId], index)].map(({ taskId }) => taskId));
}

/** Timers take at most 2^31 - 1 ms. */
const LONGEST_TIMER = 2_000_000_000;

/** What came of the waiting in a workspace. */
interface Ended extends Waiting {
  readonly open: readonly string[];
  /** Whether all have completed. */
  readonly complete: boolean;
  readonly shown: Pick<Snapshot, "tasks" | "damaged" | "index" | "shared">;
  /** The latest attempts of what was waited for. */
  readonly ids: ReadonlySet<string>;
}

function outcomeOf(waiting: Waiting, { index, damaged, shared }: Mirror): Ended {
  const { queue, wanted } = waiting;
  const archived = findArchived(queue.store, wanted, index.byId);
  const whole = indexTasks([...archived, ...index.byId.values()], index.archived);
  const latest = wanted
    .map((id) => whole.byId.get(id))
    .filter((task) => task !== undefined)
    .map((task) => latestAttempt(task, whole));
  return {
    ...waiting,
    open: openOf(waiting, index),
    complete: latest.length === wanted.length &&
      latest.every((task: Task) => task.status === "complete"),
    shown: {
      tasks: [...whole.byId.values()],
      damaged: [...damaged.values()],
      index: whole,
      shared,
    },
    ids: new Set(latest.map((task) => task.taskId)),
  };
}

/** @param isWhole whether all workspaces could be waited for */
async function finish(
  context: Context,
  ended: readonly Ended[],
  interrupted: boolean,
  isWhole: boolean,
): Promise<void> {
  const complete = ended.every((one) => one.complete);
  const open = ended.flatMap((one) => one.open);
  const now = Date.now();
  if (context.globals.json) {
    context.printJson({
      complete: complete && isWhole,
      timedOut: open.length > 0 && !interrupted,
      tasks: ended.flatMap(({ name, shown, ids, queue }) =>
        selectViews(shown, { ids }, queue.now()).map((view) => ({
          ...(name === undefined ? {} : { workspace: name }),
          ...viewJson(view),
        }))
      ),
    });
  } else context.print(formatStatus(await inputOf(ended, now), context.style(), now));
  if (interrupted) return context.fail(130);
  if (open.length > 0) {
    context.note(`Time is up: ${open.length} not settled yet: ${open.join(", ")}`);
  }
  if (!complete) context.fail(1);
}

async function inputOf(ended: readonly Ended[], now: number): Promise<StatusInput> {
  const [only] = ended;
  if (only !== undefined && only.name === undefined) {
    return statusInput(only.queue, only.shown, { ids: only.ids });
  }
  const { mergeStatus } = await import("../status_everywhere.ts");
  return mergeStatus(
    ended.map(({ name = "", queue, shown, ids }) => ({ name, queue, shown, filter: { ids } })),
    {},
    now,
  );
}
