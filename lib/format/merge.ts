// What `merge` says of each branch, and of its target. Pure.

import type { Way } from "../decide/cleaning.ts";
import { createPalette, type Style } from "../text/style.ts";
import { sanitize } from "../text/width.ts";

/** What became of a task's branch, as `merge` shows it. */
export interface MergeReport {
  readonly taskId: string;
  readonly branch: string;
  readonly outcome: "fast-forward" | "clean" | "nothing" | "conflict" | "unverified" | "left-out";
  /** The commit that it makes; absent where it makes none. */
  readonly commit?: string;
  /** The files in conflict. */
  readonly files?: readonly string[];
  /** By which way the target has it already. */
  readonly way?: Way;
  /** How its verify command ended. */
  readonly exitCode?: number;
  /** The task for which it is left out. */
  readonly because?: string;
  /** The task that resolves the conflict. */
  readonly resolvedBy?: string;
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

/** A line about each branch. */
export function formatMerge(
  reports: readonly MergeReport[],
  target: string,
  moved: boolean,
  style: Style,
): string[] {
  const palette = createPalette(style);
  return reports.map((report) => {
    const { taskId, outcome, commit = "", files = [], way } = report;
    switch (outcome) {
      case "fast-forward":
        return palette.ok(`${taskId} fast-forward${moved ? "ed" : ""} to ${shortCommit(commit)}`);
      case "clean":
        return palette.ok(`${taskId} ${moved ? "merged" : "merges cleanly"}`);
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
        return palette.waiting(`${taskId} left out: it builds on ${report.because}`);
    }
  });
}
