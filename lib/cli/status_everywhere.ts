// `status --everywhere`: the tasks of all known workspaces in one table, once or live. Ends of ids are told
// that name no other task in any of them, as `cancel --everywhere` takes them.

import { comparePhased } from "../decide/listing.ts";
import { nameTasks } from "../decide/names.ts";
import { countPhases, spokenOf } from "../decide/view.ts";
import { formatStatus, formatWatch, type StatusInput } from "../format/status.ts";
import type { Queue } from "../queue/queue.ts";
import type { Snapshot } from "../queue/refresh.ts";
import { describeWatcher } from "../supervise/watcher.ts";
import type { Task } from "../task/fields.ts";
import { describeChange } from "./changes.ts";
import type { Context } from "./context.ts";
import { followEverywhere, openEverywhere } from "./everywhere.ts";
import { readKeys } from "./keys.ts";
import { lookOn, stopSignal } from "./look_on.ts";
import { openNotices } from "./notices.ts";
import type { NamedPlace } from "./places.ts";
import { createPage } from "./screen.ts";
import {
  allLanes,
  isFiltered,
  selectTasks,
  selectViews,
  type StatusFilter,
  viewJson,
  viewShown,
} from "./status_input.ts";
import { leaveWatcher, look } from "./supervision.ts";
import type { WatchFlags } from "./status_watch.ts";

/** What is shown of one workspace of several. */
export interface Part {
  readonly name: string;
  readonly queue: Queue;
  readonly shown: Pick<Snapshot, "tasks" | "damaged" | "index" | "shared">;
  readonly filter: StatusFilter;
}

/** Everything that a table of several workspaces needs. */
export function mergeStatus(
  parts: readonly Part[],
  filter: StatusFilter,
  now: number,
): StatusInput {
  // By the tasks themselves: two of different workspaces may have one id.
  const workspaces = new Map<Task, string>();
  const all = parts.flatMap(({ name, shown, filter }) => {
    const found = selectTasks(shown, filter, now, allLanes(shown, now));
    for (const { task } of found) workspaces.set(task, name);
    return found;
  }).sort(comparePhased);
  const isCut = parts.every((part) => part.filter.ids === undefined);
  const views = viewShown(all, { ...filter, all: filter.all || !isCut }, now);
  const tasks = parts.flatMap(({ shown }) => shown.tasks);
  return {
    views,
    names: nameTasks(tasks, () => spokenOf(views)),
    hidden: all.length - views.length,
    counts: countPhases(all),
    damaged: parts.flatMap(({ name, shown }) =>
      shown.damaged.map(({ file, problem }) => ({ file: `${name}: ${file}`, problem }))
    ),
    lanes: parts.flatMap(({ name, shown }) =>
      [...allLanes(shown, now).values()]
        .map(({ agent, until }) => ({ agent: `${agent} in ${name}`, until }))
    ),
    supervisor: describeWatchers(parts),
    usage: filter.usage,
    changes: filter.changes,
    filtered: isFiltered(filter) || !isCut,
    workspaceOf: (task) => workspaces.get(task) ?? "",
  };
}

/** Who watches where, in one line; null for nobody anywhere. */
function describeWatchers(parts: readonly Part[]): string | null {
  const all = parts.flatMap(({ name, queue, shown }) => {
    const text = describeWatcher(queue.store, shown.tasks);
    return text === null ? [] : [{ name, text }];
  });
  const stopped = all.find(({ text }) => text.includes("is stopped"));
  if (stopped !== undefined) return `${stopped.name}: ${stopped.text}`;
  return all.length === 0 ? null : `watched over: ${all.map(({ name }) => name).join(", ")}`;
}

/** Shows what is going on in all known workspaces. */
export async function statusEverywhere(
  context: Context,
  filter: StatusFilter,
  flags: WatchFlags & { watch?: boolean },
): Promise<void> {
  const places = await openEverywhere(context);
  if (flags.watch && !context.globals.json) {
    return await watchEverywhere(context, places.list, filter, flags);
  }
  const looked = await places.each(places.list, async (place) => {
    const shown = await look(place.queue, !flags.noAutoRetry);
    await leaveWatcher(place.context, place.queue, shown);
    return { ...place, shown };
  });
  const parts = looked.map(({ name, queue, shown }): Part => ({ name, queue, shown, filter }));
  const now = Date.now();
  const input = mergeStatus(parts, filter, now);
  if (context.globals.json) return context.printJson(toJson(parts, input, now));
  for (const { context, shown } of looked) {
    for (const change of shown.changes) {
      if (change.kind === "retried" || change.kind === "released") {
        context.note(describeChange(change));
      }
    }
  }
  context.print(formatAll(input, parts, context, now));
}

function formatAll(
  input: StatusInput,
  parts: readonly Part[],
  context: Context,
  now: number,
): string {
  if (input.counts.total === 0 && !input.filtered && input.damaged.length === 0) {
    return `Nothing is queued in ${countOf(parts.length)}`;
  }
  return formatStatus(input, context.style(), now);
}

function countOf(workspaces: number): string {
  return `${workspaces} ${workspaces === 1 ? "workspace" : "workspaces"}`;
}

function toJson(parts: readonly Part[], { counts }: StatusInput, now: number) {
  const part = <T extends object>(of: (part: Part) => readonly T[]) =>
    parts.flatMap((one) => of(one).map((value) => ({ workspace: one.name, ...value })));
  return {
    tasks: part(({ shown, filter }) => selectViews(shown, filter, now).map(viewJson)),
    counts,
    damaged: part(({ shown }) => shown.damaged),
    lanes: part(({ shown }) =>
      [...allLanes(shown, now).values()].map(({ agent, until }) => ({
        agent,
        until: new Date(until).toISOString(),
      }))
    ),
    workspaces: parts.map(({ name, queue, shown }) => ({
      name,
      root: queue.store.root,
      supervisor: describeWatcher(queue.store, shown.tasks),
    })),
  };
}

/** Shows it until it is interrupted. */
async function watchEverywhere(
  context: Context,
  places: readonly NamedPlace[],
  filter: StatusFilter,
  flags: WatchFlags,
): Promise<void> {
  context.endsByExit = true;
  const stop = stopSignal(() => context.fail(130));
  const parts = new Map<string, Part>();
  const shown = () => [...parts.values()];
  const page = context.interactive
    ? createPage(context, (rows) => {
      const now = Date.now();
      const input = { ...mergeStatus(shown(), filter, now), workspace: countOf(parts.size) };
      const filtered = input.filtered || input.counts.total === 0;
      return formatWatch({ ...input, filtered }, context.style(), now, rows);
    })
    : undefined;
  const keys = page === undefined ? undefined : readKeys(() => stop.abort());
  let last = "";
  /** Those that are still being read. */
  const unread = new Set(places.map(({ name }) => name));
  const draw = () => {
    if (page !== undefined) return page.draw();
    // Not first some of them, then some more.
    if (unread.size > 0) return;
    const now = Date.now();
    const text = formatAll(
      { ...mergeStatus(shown(), filter, now), supervisor: null },
      shown(),
      context,
      now,
    );
    if (text !== last) context.print(last === "" ? text : `\n${text}`);
    last = text;
  };
  const signal = AbortSignal.any([stop.signal, context.readerGone]);
  try {
    await followEverywhere(context, places, signal, async ({ name, context, queue }, kept) => {
      try {
        await lookOn(context, queue, {
          until: "forever",
          signal: kept,
          interval: flags.interval,
          retry: !flags.noAutoRetry,
          onChange: await openNotices(context, queue),
          onTurn({ index, damaged, shared }) {
            const tasks = [...index.byId.values()];
            unread.delete(name);
            parts.set(name, {
              name,
              queue,
              filter,
              shown: { tasks, damaged: [...damaged.values()], index, shared },
            });
            draw();
          },
        });
      } finally {
        parts.delete(name);
        unread.delete(name);
        if (!signal.aborted) draw();
      }
    });
  } finally {
    keys?.close();
    page?.close();
  }
}
