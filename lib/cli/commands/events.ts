// `orchestra events`: what happened, from any point on, and as it happens. The history is read and never
// written; what has ended meanwhile is settled first, as by every command that looks.

import { buildCommand } from "@stricli/core";
import { formatEventLine } from "../../format/events.ts";
import { followEvents, lastEvents, readEvents } from "../../store/events.ts";
import { type Cursor, isPlace, parseCursor } from "../../store/history_files.ts";
import { asJson, OrchestraError } from "../../task/error.ts";
import type { StoredEvent } from "../../task/event.ts";
import { displayWidth, pad, truncate } from "../../text/width.ts";
import type { Context } from "../context.ts";
import { integer, since, taskName } from "../flags.ts";
import { lookOn, stopSignal } from "../look_on.ts";
import { type ManyCursors, parseCursors, type Printer } from "../many_cursors.ts";
import { everywhere, optional, parsed, proposeTasks, text } from "../parameters.ts";
import { leaveWatcher, look } from "../supervision.ts";

interface EventsFlags {
  follow?: boolean;
  since?: number | Cursor | ManyCursors;
  task?: string;
  lines?: number;
  everywhere?: boolean;
}

/** How many are shown where nothing says which. */
const LINES = 100;

export const command = buildCommand({
  func: events,
  parameters: {
    flags: {
      follow: optional("go on with what happens from now on"),
      since: parsed(
        (value) => parseCursor(value) ?? parseCursors(value) ?? since(value),
        "from this time on: 2h ago, an ISO time, or the cursor of an event, which is left out",
        "when",
      ),
      task: {
        ...parsed(text, "only of this task and its retries, also of one that was removed", "id"),
        proposeCompletions: proposeTasks,
      },
      lines: parsed(integer(0), `only the last ones (${LINES} where nothing says which)`, "n"),
      everywhere,
    },
    aliases: { f: "follow", n: "lines" },
  },
  docs: {
    brief: "Print what happened, and what happens",
    fullDescription:
      "Prints the history, oldest first. With --json and --follow each line is one JSON object with " +
      "a cursor, from which a later call goes on.",
  },
});

async function events(this: Context, flags: EventsFlags): Promise<void> {
  if (flags.everywhere) {
    const { eventsEverywhere } = await import("../events_everywhere.ts");
    const { follow = false, lines = LINES } = flags;
    const isWhole = flags.lines === undefined && (flags.since ?? flags.task) !== undefined;
    const print = createPrinter(this, follow, Date.now);
    return await eventsEverywhere(this, { ...flags, follow, lines, isWhole }, print);
  }
  if (typeof flags.since === "object" && "places" in flags.since) {
    throw new OrchestraError("usage", "--since: this is a cursor of all workspaces", {
      hint: "Go on from it with: orchestra events --everywhere --since CURSOR",
    });
  }
  const queue = await this.openQueue();
  const { store } = queue;
  await leaveWatcher(this, queue, await look(queue, true));
  const from = typeof flags.since === "object" ? flags.since : undefined;
  const time = typeof flags.since === "number" ? flags.since : undefined;
  const isWanted = await filterOf(this, flags.task);
  const isWhole = flags.lines === undefined && (flags.since ?? flags.task) !== undefined;
  checkPlace(this, store.dir, from);
  const print = createPrinter(this, flags.follow ?? false, queue.now);
  let next = from;
  if (isWhole) {
    for await (const event of readEvents(store, { from, since: time })) {
      if (this.readerGone.aborted) return;
      if (isWanted(event)) print.event(event);
      next = parseCursor(event.cursor);
    }
  } else {
    const most = flags.lines ?? LINES;
    const last: StoredEvent[] = [];
    const all = (flags.since ?? flags.task) === undefined
      ? await lastEvents(store, Math.max(1, most))
      : readEvents(store, { from, since: time });
    for await (const event of all) {
      next = parseCursor(event.cursor);
      if (isWanted(event)) last.push(event);
      if (last.length > most) last.shift();
    }
    last.forEach(print.event);
  }
  if (!flags.follow) return print.end();
  this.endsByExit = true;
  const stop = stopSignal(() => this.fail(130));
  const leaves = AbortSignal.any([stop.signal, this.readerGone]);
  // Somebody must see what ends: whoever watches, or who is left where nobody does.
  const looking = lookOn(this, queue, { signal: leaves, until: "forever" });
  looking.catch(() => stop.abort());
  for await (const event of followEvents(store, { from: next, since: time }, leaves)) {
    if (isWanted(event)) print.event(event);
  }
  await looking;
}

/**
 * Which events are wanted. A task that is not there any more is found by the key that it had, or the end
 * of its id.
 */
async function filterOf(
  context: Context,
  name: string | undefined,
): Promise<(event: StoredEvent) => boolean> {
  if (name === undefined) return () => true;
  try {
    const id = await taskName("anywhere").call(context, name);
    return ({ task, chain }) => task === id || chain === id;
  } catch (error) {
    if (!(error instanceof OrchestraError) || error.code !== "no-task") throw error;
    return ({ task, chain, taskKey }) =>
      taskKey === name || (/^\d+$/.test(name) && [task, chain].some((id) => id?.endsWith(name)));
  }
}

/** Says so where reading does not begin at the place that a cursor names. */
function checkPlace(context: Context, dir: string, from: Cursor | undefined): void {
  if (from === undefined || isPlace(dir, from)) return;
  context.note(
    "That place is not in the history any more: it begins with the oldest that is there",
  );
}

/** Lines for a person; one JSON value, or one a line where it has no end. */
function createPrinter(context: Context, isEndless: boolean, now: () => number): Printer {
  if (!context.globals.json) return createLines(context, now);
  if (isEndless) {
    return { event: (event) => context.print(asJson(event)), expect() {}, end() {} };
  }
  let before = "[";
  return {
    event(event) {
      context.write(`${before}\n  ${asJson(event)}`);
      before = ",";
    },
    expect() {},
    end() {
      context.print(before === "[" ? "[]" : "\n]");
    },
  };
}

/** Longest name of a workspace that is shown whole, cells. */
const NAME = 20;

function createLines(context: Context, now: () => number): Printer {
  const style = context.style();
  let any = false;
  let width = 0;
  return {
    event(event) {
      any = true;
      const { workspace } = event;
      const where = workspace === undefined
        ? undefined
        : pad(truncate(workspace, NAME, style.unicode ? "…" : "..."), width);
      context.print(formatEventLine(event, style, now(), where));
    },
    expect(workspaces) {
      width = Math.min(NAME, Math.max(0, ...workspaces.map(displayWidth)));
    },
    end() {
      if (!any) context.note("Nothing has happened here yet, or nothing that was asked for");
    },
  };
}
