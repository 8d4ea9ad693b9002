// The known workspaces as a table that fits the terminal, and below it what is wrong with any. Pure.

import type { QueueCounts } from "../decide/view.ts";
import { createPalette, type Palette, type Style } from "../text/style.ts";
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

/** The table; the home folder is written as `~`. */
export function formatWorkspaces(
  rows: readonly WorkspaceRow[],
  home: string | undefined,
  style: Style,
): string {
  const palette = createPalette(style);
  const lines = formatRows(columnsOf(palette, home), rows, style);
  const problems = rows.flatMap(({ name, problem }) => {
    if (problem === null) return [];
    const text = `${name}: ${firstLine(problem, 1000)}`;
    return wrap(text, Math.max(20, style.width - 2))
      .map((line, at) => palette.bad(`${at === 0 ? palette.alert : " "} ${line}`));
  });
  return [...lines, ...(problems.length > 0 ? ["", ...problems] : [])].join("\n");
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
    { header: "NAME", flex: 2, min: 12, cell: ({ name }) => firstLine(name, 61) },
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
          ? firstLine(supervisor, 200).replace(/\).*$/, ")")
          : { text: problem === null ? "nobody" : "-", paint: palette.dim },
    },
    {
      header: "WHERE",
      flex: 3,
      min: 16,
      cell: ({ root, problem }) => {
        const path = firstLine(shortened(root, home), 4096);
        return (width) => [{
          text: tail(path, width, palette.ellipsis),
          paint: problem === null ? undefined : palette.bad,
        }];
      },
    },
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
