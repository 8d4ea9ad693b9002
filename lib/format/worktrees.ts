// The branches and worktrees of tasks as a table, why each stays, and what came of cleaning them. Pure.

import {
  type Cleaning,
  decideCleaning,
  type Kept,
  type Place,
  type Way,
} from "../decide/cleaning.ts";
import type { Names } from "../decide/names.ts";
import { formatTime } from "../task/fields.ts";
import { formatBytes } from "../text/bytes.ts";
import { createPalette, type Style } from "../text/style.ts";
import { type Column, formatRows } from "../text/table.ts";
import { formatSpan } from "../text/time.ts";
import { firstLine } from "../text/width.ts";
import { nameColumns } from "./names.ts";

/** A branch, and how it stands with it. */
export interface BranchRow {
  readonly taskId: string;
  readonly key: string | null;
  /** Of its task; `archived` or `removed` where that is not among the others, `elsewhere` where another workspace has it, `unknown` where none has. */
  readonly status: string;
  /** Its name; null where git has no such branch. */
  readonly branch: string | null;
  readonly base: string | null;
  readonly tip: string | null;
  readonly path: string | null;
  readonly place: Place;
  readonly bytes: number | null;
  /** When the task began, milliseconds since the epoch; null where nobody knows. */
  readonly since: number | null;
  readonly ahead: number | null;
  readonly behind: number | null;
  /** Why the worktree was left when the task was over, in words; null where that is not told. */
  readonly left: string | null;
}

/** How a branch came into its target, in words. */
export const WAYS: Readonly<Record<Way, string>> = {
  same: "same commit",
  ancestor: "merged",
  empty: "no changes",
  squashed: "squashed",
  picked: "cherry-picked",
  merged: "same files",
};

const count = (number: number, what: string) => `${number} ${what}${number === 1 ? "" : "s"}`;

/** Some names, and how many more. */
function some(names: readonly string[]): string {
  const more = names.length > 2 ? ` and ${names.length - 2} more` : "";
  return names.slice(0, 2).map((name) => firstLine(name, 200)).join(", ") + more;
}

/** Why something stays, as a part of a sentence. */
export function formatKept(why: Kept, into: string): string {
  switch (why.code) {
    case "active":
      return `${why.taskId} is ${
        why.status === "pending" || why.status === "running" ? why.status : "not over"
      }`;
    case "needed":
      return `${why.by} builds on it`;
    case "unreadable":
      return "the task's file is damaged";
    case "other-workspace":
      return `the workspace ${firstLine(why.root, 200)} has it`;
    case "foreign":
    case "unseen":
      return firstLine(why.problem, 200);
    case "locked":
      return `somebody locked it${why.reason === "" ? "" : `: ${firstLine(why.reason, 100)}`}`;
    case "submodules":
      return "it has sub-modules with commits of their own";
    case "nested":
      return `a repository is in it: ${some(why.paths)}`;
    case "git-locks":
      return `a git is at work, or was killed: ${some(why.names)}`;
    case "in-use":
      return `${why.pids.length === 1 ? "process" : "processes"} ${
        why.pids.slice(0, 3).join(", ")
      } ${why.pids.length === 1 ? "is" : "are"} in it`;
    case "elsewhere":
      return `the branch is checked out in ${firstLine(why.path, 200)}`;
    case "target":
      return "it is what others are to be in";
    case "no-task":
      return "no task of this workspace has it";
    case "operation":
      return `a ${firstLine(why.operation, 40)} is under way`;
    case "changed":
      return `${count(why.changed + why.untracked, "file")} not committed`;
    case "loose":
      return "it is at a commit that no branch has";
    case "other-branch":
      return `${firstLine(why.branch, 100)} is checked out in it`;
    case "not-integrated":
      return `not in ${firstLine(into, 100)}`;
  }
}

/** What to do about it, where it is known; undefined where `--force` does it, or nobody needs to act. */
export function remedyOf(why: Kept, path: string | null): string | undefined {
  const at = path === null ? "" : ` in ${path}`;
  switch (why.code) {
    case "submodules":
      return `Push what is only there, then remove it yourself${at}: git submodule deinit --all, ` +
        "git worktree remove --force";
    case "nested":
      return `Move it out of the worktree${at}, or remove it yourself.`;
    case "git-locks":
      return "It is released when nobody can have it. Where you know that no git runs there, remove it.";
    case "locked":
      return `Unlock it, if it is yours: git worktree unlock ${path ?? ""}`.trimEnd();
    case "in-use":
      return "End them, or have them leave.";
    case "elsewhere":
      return "Check out another branch there.";
    default:
      return undefined;
  }
}

/** How it stands with a folder, in a word or two. */
function folderWords({ folder }: Place): string {
  switch (folder.kind) {
    case "none":
      return "-";
    case "gone":
      return "gone";
    case "half":
      return "half made";
    case "foreign":
      return "not its own";
    case "unseen":
      return "unreadable";
    case "there": {
      const { changed, untracked, operation } = folder.contents;
      if (operation !== null) return operation;
      return changed + untracked === 0 ? "clean" : `${changed + untracked} changed`;
    }
  }
}

function isKept(cleaning: Cleaning): cleaning is Extract<Cleaning, { kind: "keep" }> {
  return cleaning.kind === "keep";
}

/** Cells of a line from which there is room for whole ids. */
const ROOMY = 110;

/** The table; what each of them is to be in is in its header. */
export function formatBranches(
  rows: readonly BranchRow[],
  names: Names,
  into: string,
  style: Style,
  now: number,
): string {
  const palette = createPalette(style);
  // Where room is short, the end of an id and the key say more than the whole of it.
  const isShort = style.width < ROOMY;
  const dash = { text: "-", paint: palette.dim };
  const columns: Column<BranchRow>[] = [
    ...nameColumns(rows, (row) => row, names, palette, style, isShort),
    { header: "TASK", cell: ({ status }) => status },
    { header: "FOLDER", cell: ({ place }) => folderWords(place) },
    {
      header: "SIZE",
      align: "right",
      dropOrder: 4,
      cell: ({ bytes }) => bytes === null ? dash : formatBytes(bytes),
    },
    {
      header: "AGE",
      align: "right",
      dropOrder: 3,
      cell: ({ since }) => since === null ? dash : formatSpan((now - since) / 1000),
    },
    {
      header: "COMMITS",
      align: "right",
      dropOrder: 2,
      cell: ({ ahead, behind }) =>
        ahead === null || behind === null ? dash : `+${ahead} -${behind}`,
    },
    {
      header: `IN ${firstLine(into, 20)}`,
      cell: ({ place: { way }, branch }) =>
        branch === null
          ? dash
          : way === null
          ? { text: "no", paint: palette.waiting }
          : { text: WAYS[way], paint: palette.ok },
    },
    {
      header: "STAYS BECAUSE",
      flex: 4,
      min: 14,
      dropOrder: 1,
      cell({ place, taskId }) {
        const cleaning = decideCleaning(place, false);
        if (isKept(cleaning) && cleaning.why.code === "active" && cleaning.why.taskId === taskId) {
          return "it is not over";
        }
        return isKept(cleaning)
          ? formatKept(cleaning.why, into)
          : { text: "can be cleaned", paint: palette.dim };
      },
    },
    {
      header: "BRANCH",
      flex: 3,
      min: 12,
      dropOrder: 5,
      cell: ({ branch }) => branch === null ? dash : firstLine(branch, 200),
    },
  ];
  return formatRows(columns, rows, style).join("\n");
}

/** The branches of removed tasks that are named at once. */
const NAMED = 3;

/**
 * What is to be done with them: what is not there is merged, and what is need not stay.
 *
 * @param into what they are to be in; null where no branch is checked out
 * @param named whether that was asked for
 */
export function adviseOn(
  rows: readonly BranchRow[],
  into: string | null,
  named: boolean,
): string[] {
  if (into === null) return [NO_BRANCH];
  const lines: string[] = [];
  const open = rows.filter(({ place, branch }) =>
    branch !== null && place.way === null && !place.isTarget && place.owner.kind === "rest"
  );
  const option = named ? ` --into ${firstLine(into, 100)}` : "";
  if (open.some(({ status }) => status === "complete" || status === "archived")) {
    lines.push(`Merge what is complete with: orchestra merge --all${option}`);
  }
  if (open.some(({ status }) => status === "failed" || status === "cancelled")) {
    lines.push(`What did not come to its end is merged by its id: orchestra merge ID${option}`);
  }
  const removed = open.filter(({ status }) => status === "removed")
    .map(({ branch }) => `git merge ${firstLine(branch!, 200)}`);
  if (removed.length > 0) {
    const more = removed.length > NAMED ? `, and ${removed.length - NAMED} more` : "";
    lines.push(`What was removed is merged by git: ${removed.slice(0, NAMED).join(", ")}${more}`);
  }
  if (rows.some(({ place }) => decideCleaning(place, false).kind === "remove")) {
    lines.push("What can be cleaned goes with: orchestra clean --worktrees");
  }
  return lines;
}

/** Said where HEAD is at a commit itself. */
export const NO_BRANCH =
  "No branch is checked out: say which one they are to be in, for example --into main";

/** A row as `--json` prints it. */
export function branchJson(row: BranchRow, into: string): Record<string, unknown> {
  const { taskId, key, status, branch, base, tip, path, place, bytes, ahead, behind, left } = row;
  const { folder, way } = place;
  const contents = "contents" in folder ? folder.contents : null;
  const cleaning = decideCleaning(place, false);
  const kept = isKept(cleaning) ? cleaning : null;
  return {
    taskId,
    key,
    status,
    branch,
    base,
    tip,
    path,
    folder: folder.kind,
    changed: contents?.changed ?? null,
    untracked: contents?.untracked ?? null,
    operation: contents?.operation ?? null,
    bytes,
    since: row.since === null ? null : formatTime(row.since),
    ahead,
    behind,
    into,
    integrated: way,
    removable: kept === null,
    stays: kept === null ? null : keptJson(kept.why, kept.forcible, into),
    left,
  };
}

/** Why something stays, as `--json` prints it. */
export function keptJson(why: Kept, forcible: boolean, into: string): Record<string, unknown> {
  return { code: why.code, reason: formatKept(why, into), forcible };
}

/** What a backup holds, in words. */
export const BACKUPS = {
  branch: "its branch",
  changes: "what was not committed",
  head: "the commit that it was at",
  earlier: "earlier states of it",
} as const;
