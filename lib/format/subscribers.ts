// Hooks and webhooks as tables: how it stands with each, and what came of the attempts. Pure.

import { parseTime } from "../task/fields.ts";
import type { Attempt, Standing } from "../task/standing.ts";
import { createPalette, type Style } from "../text/style.ts";
import { formatTable } from "../text/table.ts";
import { formatMoment, formatPast } from "../text/time.ts";

/** How it stands with each. */
export function formatStandings(rows: readonly Standing[], style: Style, now: number): string {
  const palette = createPalette(style);
  return formatTable(
    [
      { header: "NAME" },
      { header: "TOLD", flex: 2, min: 16 },
      { header: "FORMAT" },
      { header: "EVENTS", flex: 2, min: 12 },
      { header: "OWED", align: "right" },
      { header: "LAST" },
      { header: "STATE", flex: 3, min: 16 },
    ],
    rows.map((row) => [
      row.name,
      row.to,
      row.format ?? row.kind,
      row.events.join(","),
      String(row.owed),
      formatPast(parseTime(row.lastSuccess), now),
      { text: stateText(row, now), paint: row.state === "ok" ? palette.ok : palette.bad },
    ]),
    style,
  ).join("\n");
}

function stateText({ state, problem, failingSince, givenUp }: Standing, now: number): string {
  const gone = givenUp === 0 ? "" : `; ${givenUp} given up`;
  switch (state) {
    case "ok":
      return `ok${gone}`;
    case "failing":
      return `failing since ${
        formatMoment(parseTime(failingSince) ?? now, now)
      }: ${problem}${gone}`;
    default:
      return `${state.replace("-", " ")}: ${problem}${gone}`;
  }
}

/** What came of some attempts, oldest first, with whom each was made. */
export function formatAttempts(
  rows: readonly (Attempt & { name: string })[],
  style: Style,
  now: number,
): string {
  const palette = createPalette(style);
  return formatTable(
    [
      { header: "TIME" },
      { header: "NAME" },
      { header: "EVENT", flex: 2, min: 20 },
      { header: "ATTEMPT", align: "right" },
      { header: "OUTCOME", flex: 3, min: 20 },
    ],
    rows.map(({ time, name, id, attempt, outcome, ok }) => [
      formatMoment(parseTime(time) ?? now, now),
      name,
      id,
      String(attempt),
      { text: outcome, paint: ok ? palette.ok : palette.bad },
    ]),
    style,
  ).join("\n");
}
