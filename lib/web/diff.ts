// What a task changed, as the page shows it: all files by name and number of lines, and the hunks of those
// that somebody can read at once. The hunks of one file that is larger are given where it is named.

import { branchOf } from "../decide/branch.ts";
import type { Store } from "../store/tasks.ts";
import { OrchestraError } from "../task/error.ts";
import type { Task } from "../task/fields.ts";
import { type ChangedFile, compareTask, listChanges, readPatches } from "../worktree/diff.ts";
import type { WireChange, WireDiff } from "./wire.ts";

/** Bytes of the hunks of one answer. */
const MOST_BYTES = 2 * 1024 * 1024;
/** Files that are listed. */
const MOST_LISTED = 1000;
/** Those of them that come with their hunks. */
export const MOST_SHOWN = 100;
/** Changed lines of a file that comes with its hunks unasked. */
const MOST_LINES = 400;
/** Milliseconds that git may take. */
const PATIENCE = 60_000;

/** What is asked for. */
export interface DiffWish {
  /** Only this file, and its hunks in any case. */
  readonly path?: string;
  /** Compare with where the branch and this parted. */
  readonly against?: string;
}

/**
 * What a task changed.
 *
 * @throws OrchestraError `state` where it has no branch, `usage` where it did not change that path
 */
export async function diffOf(store: Store, task: Task, wish: DiffWish): Promise<WireDiff> {
  const { path, against } = wish;
  const signal = AbortSignal.timeout(PATIENCE);
  await using comparison = await compareTask(store.root, task, { against, scratch: store.dir });
  const all = await listChanges(comparison, { signal });
  const listed = path === undefined
    ? all.slice(0, MOST_LISTED)
    : all.filter((file) => file.path === path);
  if (path !== undefined && listed.length === 0) {
    throw new OrchestraError("usage", `${task.taskId} did not change ${JSON.stringify(path)}`);
  }
  const reasons = listed.map((file, at) => path === undefined ? whyLeft(file, at) : whyNever(file));
  const shown = listed.filter((_, at) => reasons[at] === null);
  const { patches, cut } = await readPatches(comparison, shown, MOST_BYTES, { signal });
  const sum = (of: "insertions" | "deletions") =>
    all.reduce((total, file) => total + (file[of] ?? 0), 0);
  const changes = listed.map((file, at): WireChange => {
    const patch = reasons[at] === null ? patches.get(file.path) ?? null : null;
    // What did not come was beyond the bytes, or changed between two looks.
    const isWhole = patch !== null && (path === undefined || !cut);
    const left = reasons[at] ?? (isWhole ? null : cut ? "size" : "moving");
    return { ...file, modes: file.modes === null ? null : [...file.modes], patch, left };
  });
  return {
    branch: branchOf(task)!.branch,
    base: comparison.base,
    tip: comparison.tip,
    insertions: sum("insertions"),
    deletions: sum("deletions"),
    files: changes,
    more: path === undefined ? all.length - listed.length : 0,
  };
}

/** Why the hunks of a file are not given, whoever asks; null where they are. */
function whyNever({ path, from, insertions }: ChangedFile): WireChange["left"] {
  if (insertions === null) return "binary";
  // Its name is no text, and cannot be told to git.
  return `${path}${from ?? ""}`.includes("\ufffd") ? "name" : null;
}

/** Why the hunks of a file, one of several, are not given unasked. */
function whyLeft(file: ChangedFile, at: number): WireChange["left"] {
  const { insertions, deletions } = file;
  return whyNever(file) ??
    (at >= MOST_SHOWN
      ? "many"
      : (insertions ?? 0) + (deletions ?? 0) > MOST_LINES
      ? "large"
      : null);
}
