// The known workspaces as a table that fits the terminal, and below it what is wrong with any; the same
// for those that a daemon for all has. Pure.

import type { QueueCounts } from "../decide/view.ts";
import { createPalette, type Paint, type Palette, type Style } from "../text/style.ts";
import { type Column, formatRows } from "../text/table.ts";
import { displayWidth, firstLine, truncate, wrap } from "../text/width.ts";

/** What is shown of a workspace. */
export interface WorkspaceRow {
  name: string;
  root: string;
  /** Null where it could not be looked at. */
  counts: QueueCounts | null;
  /** Tasks that somebody must look after: failed for good, or blocked. */
  attention: number;
  /** Who watches, in words; null for nobody. */
  supervisor: string | null;
  /** What is wrong with it as a whole; null for nothing. */
  problem: string | null;
}

/** A workspace as a daemon for all has it. */
export interface KeptRow {
  readonly name: string;
  readonly root: string;
  readonly state: string;
  /** Why it is not watched; null where it is. */
  readonly reason: string | null;
}

/** The table; the home folder is written as `~`. */
export function formatWorkspaces(
  rows: readonly WorkspaceRow[],
  home: string | undefined,
  style: Style,
): string {
  const palette = createPalette(style);
  const lines = formatRows(columnsOf(palette, home), rows, style);
  const problems = rows.flatMap(({ name, problem }) =>
    problem === null ? [] : noteLines(name, problem, palette.bad, palette, style)
  );
  return [...lines, ...(problems.length > 0 ? ["", ...problems] : [])].join("\n");
}

/** What a daemon for all has: a table, and below it why one is not watched. */
export function formatKept(
  rows: readonly KeptRow[],
  home: string | undefined,
  style: Style,
): string {
  const palette = createPalette(style);
  const paints = { watched: palette.ok, failed: palette.bad } as Partial<Record<string, Paint>>;
  const paintOf = ({ state }: KeptRow) => paints[state] ?? palette.waiting;
  const columns: Column<KeptRow>[] = [
    NAME,
    { header: "STATE", cell: (row) => ({ text: firstLine(row.state, 20), paint: paintOf(row) }) },
    whereColumn(palette, home, () => undefined),
  ];
  const reasons = rows.flatMap((row) =>
    row.reason === null ? [] : noteLines(row.name, row.reason, paintOf(row), palette, style)
  );
  return [...formatRows(columns, rows, style), ...(reasons.length > 0 ? ["", ...reasons] : [])]
    .join("\n");
}

/** A note on one of them, on as many lines as it takes. */
function noteLines(
  name: string,
  note: string,
  paint: Paint,
  palette: Palette,
  { width }: Style,
): string[] {
  return wrap(`${firstLine(name, 61)}: ${firstLine(note, 1000)}`, Math.max(20, width - 2))
    .map((line, at) => paint(`${at === 0 ? palette.alert : " "} ${line}`));
}

const NAME: Column<{ name: string }> = {
  header: "NAME",
  flex: 2,
  min: 12,
  cell: ({ name }) => firstLine(name, 61),
};

/** Where they are: of a long path the end. */
function whereColumn<Row extends { root: string }>(
  palette: Palette,
  home: string | undefined,
  paintOf: (row: Row) => Paint | undefined,
): Column<Row> {
  return {
    header: "WHERE",
    flex: 3,
    min: 16,
    cell(row) {
      const path = firstLine(shortened(row.root, home), 4096);
      const paint = paintOf(row);
      return (width) => [{ text: tail(path, width, palette.ellipsis), paint }];
    },
  };
}

/** Who watches, as short as it goes: `supervisor 8042`, `daemon (all) 8063`. */
function shortWatcher(words: string): string {
  const [, who, pid] = /^(.*?) \(pid (\d+)\)/.exec(words) ?? [];
  if (who === undefined) return firstLine(words, 24);
  const kind = who === "daemon for all workspaces" ? "daemon (all)" : who.split(" ", 1)[0];
  return `${firstLine(kind!, 24)} ${pid}`;
}

function columnsOf(palette: Palette, home: string | undefined): Column<WorkspaceRow>[] {
  const count = (
    header: string,
    of: (row: WorkspaceRow & { counts: QueueCounts }) => number,
    paint: Palette["ok"],
  ): Column<WorkspaceRow> => ({
    header,
    align: "right",
    cell(row) {
      const { counts } = row;
      if (counts === null) return { text: "-", paint: palette.dim };
      const value = of({ ...row, counts });
      return { text: String(value), paint: value === 0 ? palette.dim : paint };
    },
  });
  return [
    NAME,
    count("RUNNING", ({ counts: { byPhase } }) => byPhase.running, palette.running),
    count(
      "WAITING",
      ({ counts: { byPhase } }) => byPhase.ready + byPhase.waiting + byPhase.retrying,
      palette.plain,
    ),
    count("ATTENTION", ({ attention }) => attention, palette.bad),
    {
      header: "WATCHED BY",
      dropOrder: 1,
      max: 24,
      cell: ({ supervisor, problem }) =>
        supervisor !== null
          ? shortWatcher(supervisor)
          : { text: problem === null ? "nobody" : "-", paint: palette.dim },
    },
    whereColumn(palette, home, ({ problem }) => problem === null ? undefined : palette.bad),
  ];
}

function shortened(root: string, home: string | undefined): string {
  return home !== undefined && home !== "/" && root.startsWith(`${home}/`)
    ? `~${root.slice(home.length)}`
    : root;
}

/** The end of a path says more than its beginning. */
function tail(path: string, width: number, ellipsis: string): string {
  if (displayWidth(path) <= width) return path;
  const letters = [...path];
  while (letters.length > 0 && displayWidth(ellipsis + letters.join("")) > width) letters.shift();
  return truncate(ellipsis + letters.join(""), width, ellipsis);
}
