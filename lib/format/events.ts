// One line an event: when, what, which task, and what a person wants to know of it. Pure.

import type { EventKind, HistoryEvent } from "../task/event.ts";
import { parseTime } from "../task/fields.ts";
import { createPalette, type Paint, type Palette, type Style } from "../text/style.ts";
import { formatElapsed, formatMoment, formatStamp } from "../text/time.ts";
import { displayWidth, sanitize, truncate } from "../text/width.ts";

/** How each event is drawn. */
function lookOf(event: EventKind, { icon, phase, plain, dim, waiting }: Palette): [string, Paint] {
  switch (event) {
    case "queued":
      return [icon.ready, phase.ready];
    case "retried":
      return [icon.retrying, phase.retrying];
    case "launched":
    case "verifying":
      return [icon.running, phase.running];
    case "complete":
    case "failed":
    case "cancelled":
      return [icon[event], phase[event]];
    case "budget":
      return [icon.failed, phase.failed];
    case "lane-paused":
      return [icon.waiting, waiting];
    case "drained":
    case "lane-resumed":
      return [" ", plain];
    default:
      return [" ", dim];
  }
}

/** Longest name of an event. */
const WIDTH = "lane-resumed".length;

/** What is said of an event beside its name and its task. */
function detailOf(event: HistoryEvent): string {
  const { event: kind, attempt = 1, follows, waited, ran, until, title, error } = event;
  const parts: string[] = [];
  if (kind === "launched" && waited !== undefined) parts.push(`waited ${formatElapsed(waited)}`);
  if (ran !== undefined) parts.push(formatElapsed(ran));
  if (event.class !== undefined) parts.push(event.class);
  if (kind === "retried") parts.push(`attempt ${attempt}, after ${follows ?? "?"}`);
  if (until !== undefined) parts.push(`until ${formatStamp(parseTime(until) ?? 0)}`);
  if (event.retryAt !== undefined) parts.push("is tried again");
  for (const [end, count] of Object.entries(event.ended ?? {})) {
    if (count > 0) parts.push(`${count} ${end}`);
  }
  if (error !== undefined) parts.push(error);
  else if (title !== undefined) parts.push(title);
  return sanitize(parts.join("  "));
}

/** On less than so many cells a task is called by its key or the end of its id, and today has no date. */
const NARROW = 120;
/** So much of an id names its task, most of the time. */
const END = 6;

function nameOf({ task, taskKey }: HistoryEvent, { width }: Style): string | undefined {
  if (task === undefined || width >= NARROW) return task;
  return taskKey ?? task.slice(-END);
}

/**
 * One event as a line that is no longer than the style's width.
 *
 * @param now milliseconds since the epoch
 * @param workspace what its workspace is called, where there are several; as wide as the others
 */
export function formatEventLine(
  event: HistoryEvent,
  style: Style,
  now: number,
  workspace?: string,
): string {
  const palette = createPalette(style);
  const [icon, paint] = lookOf(event.event, palette);
  const millis = parseTime(event.time) ?? 0;
  const head = `${style.width < NARROW ? formatMoment(millis, now) : formatStamp(millis)}  `;
  const where = workspace === undefined ? "" : `${workspace}  `;
  const name = `${icon} ${event.event.padEnd(WIDTH)}`;
  const who = [nameOf(event, style), event.agent].filter((part) => part !== undefined)
    .map(sanitize).join("  ");
  const rest = truncate(
    [who, detailOf(event)].filter((part) => part !== "").join("  "),
    Math.max(0, style.width - head.length - displayWidth(where) - name.length - 2),
    palette.ellipsis,
  );
  return `${palette.dim(head)}${where}${paint(name)}  ${rest}`.trimEnd();
}
