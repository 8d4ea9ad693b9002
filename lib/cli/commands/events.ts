// `orchestra events`: what happened, from any point on, and as it happens. The history is read and never
// written; what has ended meanwhile is settled first, as by every command that looks.

import { buildCommand } from "@stricli/core";
import { formatEventLine } from "../../format/events.ts";
import { followEvents, lastEvents, readEvents } from "../../store/events.ts";
import { type Cursor, parseCursor } from "../../store/history_files.ts";
import { asJson } from "../../task/error.ts";
import type { StoredEvent } from "../../task/event.ts";
import type { Context } from "../context.ts";
import { integer, since, taskName } from "../flags.ts";
import { lookOn, stopSignal } from "../look_on.ts";
import { optional, parsed, proposeTasks } from "../parameters.ts";
import { leaveWatcher, look } from "../supervision.ts";

interface EventsFlags {
  follow?: boolean;
  since?: number | Cursor;
  task?: string;
  lines?: number;
}

/** How many are shown where nothing says which. */
const LINES = 100;

export const command = buildCommand({
  func: events,
  parameters: {
    flags: {
      follow: optional("go on with what happens from now on"),
      since: parsed(
        (text) => parseCursor(text) ?? since(text),
        "from this time on: 2h ago, an ISO time, or the cursor of an event, which is left out",
        "when",
      ),
      task: {
        ...parsed(taskName("anywhere"), "only of this task and its retries", "id"),
        proposeCompletions: proposeTasks,
      },
      lines: parsed(integer(0), `only the last ones (${LINES} where nothing says which)`, "n"),
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
  const queue = await this.openQueue();
  const { store } = queue;
  await leaveWatcher(this, queue, await look(queue, true));
  const from = typeof flags.since === "object" ? flags.since : undefined;
  const time = typeof flags.since === "number" ? flags.since : undefined;
  const isWanted = ({ task, chain }: StoredEvent) =>
    flags.task === undefined || task === flags.task || chain === flags.task;
  const isWhole = flags.lines === undefined && (flags.since ?? flags.task) !== undefined;
  const print = createPrinter(this, flags.follow ?? false);
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

interface Printer {
  event(event: StoredEvent): void;
  end(): void;
}

/** Lines for a person; one JSON value, or one a line where it has no end. */
function createPrinter(context: Context, isEndless: boolean): Printer {
  if (!context.globals.json) {
    const style = context.style();
    let any = false;
    return {
      event(event) {
        any = true;
        context.print(formatEventLine(event, style));
      },
      end() {
        if (!any) context.note("Nothing has happened here yet, or nothing that was asked for");
      },
    };
  }
  if (isEndless) {
    return { event: (event) => context.print(asJson(event)), end() {} };
  }
  let before = "[";
  return {
    event(event) {
      context.write(`${before}\n  ${asJson(event)}`);
      before = ",";
    },
    end() {
      context.print(before === "[" ? "[]" : "\n]");
    },
  };
}
