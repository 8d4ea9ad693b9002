// Hooks and webhooks as tables: how it stands with each, and what came of the attempts. Pure.

import { parseTime } from "../task/fields.ts";
import type { Attempt, Standing, StandingState } from "../task/standing.ts";
import { createPalette, type Style } from "../text/style.ts";
import { formatTable } from "../text/table.ts";
import { formatAgo, formatMoment, formatPast } from "../text/time.ts";
import { sanitize, wrap } from "../text/width.ts";

const WORDS: Readonly<Record<StandingState, string>> = {
  "ok": "ok",
  "failing": "failing",
  "disabled": "off",
  "not-approved": "not approved",
  "secret-missing": "no secret",
  "program-missing": "cannot run",
};

/** How it stands with each, and below it the whole of what is wrong. */
export function formatStandings(rows: readonly Standing[], style: Style, now: number): string {
  const palette = createPalette(style);
  const areMixed = new Set(rows.map(({ source }) => source)).size > 1;
  const table = formatTable(
    [
      { header: "NAME" },
      { header: "STATE" },
      { header: "OWED", align: "right" },
      { header: "LAST", dropOrder: 1 },
      { header: "TOLD", flex: 2, min: 12, dropOrder: 2 },
      { header: "FORMAT", dropOrder: 5 },
      { header: "EVENTS", flex: 2, min: 8, dropOrder: 4 },
      ...(areMixed ? [{ header: "SOURCE", dropOrder: 3 }] : []),
    ],
    rows.map((row) => [
      row.name,
      { text: WORDS[row.state], paint: row.state === "ok" ? palette.ok : palette.bad },
      String(row.owed),
      formatPast(parseTime(row.lastSuccess), now),
      row.to,
      row.format ?? row.kind,
      row.events.join(","),
      ...(areMixed ? [row.source] : []),
    ]),
    style,
  );
  const details = rows.flatMap((row) => {
    const parts = detailsOf(row, now);
    if (parts.length === 0) return [];
    const [first = "", ...rest] = wrap(
      sanitize(`${row.name}: ${parts.join("; ")}`),
      style.width - 2,
    );
    return [first, ...rest.map((line) => `  ${line}`)];
  });
  return [...table, ...(details.length === 0 ? [] : ["", ...details])].join("\n");
}

/** What is wrong with one, since when, and what follows. */
function detailsOf(row: Standing, now: number): string[] {
  const { name, kind, state, problem, failingSince, next, givenUp } = row;
  const parts: string[] = [];
  // Why it is not approved is the same for all, and is said once.
  if (problem !== null && state !== "not-approved") {
    parts.push(problem);
    const since = parseTime(failingSince);
    if (since !== null) parts.push(`since ${formatMoment(since, now)}`);
    const due = parseTime(next);
    if (state === "disabled") parts.push(`waits for: orchestra webhooks enable ${name}`);
    else if (due !== null) {
      parts.push(due <= now ? "due now" : `tried again ${formatAgo(due, now)}`);
    } else if (kind !== "webhook" && state === "failing") {
      parts.push("what it printed is in .orchestra/hooks.log");
    }
  }
  if (givenUp > 0) parts.push(`${givenUp} given up`);
  return parts;
}

/** On less than so many cells an event is named by the end of its task's id. */
const NARROW = 120;
/** So much of an id names its task, most of the time. */
const END = 6;

/** What came of some attempts, oldest first, with whom each was made. */
export function formatAttempts(
  rows: readonly (Attempt & { name: string })[],
  style: Style,
  now: number,
): string {
  const palette = createPalette(style);
  const isNarrow = style.width < NARROW;
  return formatTable(
    [
      { header: "TIME" },
      { header: "NAME", flex: 1, min: 6 },
      { header: "EVENT" },
      isNarrow ? { header: "TASK" } : { header: "KEY", flex: 2, min: 20 },
      { header: "TRY", align: "right" },
      { header: "OUTCOME", flex: 3, min: 20 },
    ],
    rows.map(({ time, name, id, event, attempt, outcome, ok }) => [
      formatMoment(parseTime(time) ?? now, now),
      name,
      event,
      isNarrow ? endOf(id) : id,
      String(attempt),
      { text: outcome, paint: ok ? palette.ok : palette.bad },
    ]),
    style,
  ).join("\n");
}

/** The end of the task's id in an event's key, with the number of its claim; empty where it has none. */
function endOf(key: string): string {
  const [, task, claim] = /task_(\d+)\.(\d+)/.exec(key) ?? [];
  return task === undefined ? "" : `${task.slice(-END)}.${claim}`;
}
