// What `merge` says of each branch, and of its target. Pure.

import type { Way } from "../decide/cleaning.ts";
import { createPalette, type Style } from "../text/style.ts";
import { sanitize } from "../text/width.ts";

/** What became of a task's branch, as `merge` shows it. */
export interface MergeReport {
  readonly taskId: string;
  readonly branch: string;
  readonly outcome:
    | "fast-forward"
    | "clean"
    | "nothing"
    | "conflict"
    | "unverified"
    | "left-out"
    | "unresolved"
    | "own-files"
    | "in-the-way"
    | "uncommitted";
  /** The commit that it makes; absent where it makes none. */
  readonly commit?: string;
  /** The files in conflict, with marks of one, or in the way. */
  readonly files?: readonly string[];
  /** By which way the target has it already. */
  readonly way?: Way;
  /** How its verify command ended. */
  readonly exitCode?: number;
  /** The task for which it is left out. */
  readonly because?: string;
  /** The task that resolves the conflict, or waits for who does. */
  readonly resolvedBy?: string;
  /** Whether that one is complete. */
  readonly isResolved?: boolean;
  /** The last task that was to resolve it, and did not. */
  readonly unresolvedBy?: string;
  /** The task whose conflict it was to resolve. */
  readonly resolves?: string;
  /** The worktree that has what is in no commit. */
  readonly path?: string;
  /** The tasks whose work comes in with it. */
  readonly along?: readonly string[];
}

const WAYS: Readonly<Record<Way, string>> = {
  same: "it is the same commit",
  ancestor: "it has its commits",
  empty: "it changed nothing",
  squashed: "squashed",
  picked: "commit by commit",
  merged: "its files are the same",
};

/** So many files are named in a line. */
const NAMED = 10;

/** The beginning of a commit's name. */
export function shortCommit(commit: string): string {
  return commit.slice(0, 10);
}

/** Names of files, as many as fit a line. */
export function nameFiles(files: readonly string[]): string {
  const named = files.slice(0, NAMED).map(sanitize).join(", ");
  return files.length > NAMED ? `${named} and ${files.length - NAMED} more` : named;
}

/** Names of tasks, as many as fit a line. */
export function nameTasks(ids: readonly string[]): string {
  const most = 5;
  const more = ids.length > most ? ` and ${ids.length - most} more` : "";
  return ids.slice(0, most).join(", ") + more;
}

/** A line about each branch. */
export function formatMerge(
  reports: readonly MergeReport[],
  target: string,
  moved: boolean,
  style: Style,
): string[] {
  const palette = createPalette(style);
  return reports.map((report) => {
    const { taskId, outcome, commit = "", files = [], way, along = [] } = report;
    const others = along.length === 0 ? "" : `, and with it ${nameTasks(along)}`;
    switch (outcome) {
      case "fast-forward":
        return palette.ok(
          `${taskId} fast-forward${moved ? "ed" : ""} to ${shortCommit(commit)}${others}`,
        );
      case "clean":
        return palette.ok(`${taskId} ${moved ? "merged" : "merges cleanly"}${others}`);
      case "nothing": {
        const how = way === undefined ? "" : ` (${WAYS[way]})`;
        return palette.dim(`${taskId} nothing to merge: ${sanitize(target)} has it already${how}`);
      }
      case "conflict":
        return palette.bad(`${taskId} conflict in ${nameFiles(files)}`);
      case "unverified":
        return palette.bad(
          `${taskId} not confirmed: its verify command ended with exit code ${report.exitCode}`,
        );
      case "left-out":
        return palette.waiting(
          report.resolvedBy === undefined
            ? `${taskId} left out: it builds on ${report.because}`
            : `${taskId} left out: ${report.resolvedBy} resolves its conflict, and needs ` +
              `${report.because === report.resolvedBy ? "a look" : report.because} first`,
        );
      case "unresolved":
        return palette.bad(
          `${taskId} left marks of the conflict that it was to resolve in ${nameFiles(files)}`,
        );
      case "own-files":
        return palette.bad(
          `${taskId} refused: it would change what is Orchestra's own: ${nameFiles(files)}`,
        );
      case "in-the-way":
        return palette.waiting(
          `${taskId} left out: files that are not committed are in its way: ${nameFiles(files)}`,
        );
      case "uncommitted":
        return palette.bad(
          `${taskId} nothing to merge: its work in ${sanitize(report.path ?? "")} is not committed`,
        );
    }
  });
}
