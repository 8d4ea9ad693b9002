// What `start` says of a task that changes the same files as others: before it starts, while that can
// still be helped. Loaded only for a task that may.

import { findOverlaps } from "../decide/overlap_marks.ts";
import { indexTasks } from "../decide/dependencies.ts";
import { nameTasks } from "../decide/names.ts";
import { formatOverlap } from "../format/reason.ts";
import type { Queue } from "../queue/queue.ts";
import { archivedDependencies } from "../store/archive.ts";

/** Overlaps that are told one by one; more are only counted. */
const TOLD = 5;

/** Lines on the overlaps of a task that was just queued; none where it has none. */
export function overlapNotes({ store }: Queue, id: string): string[] {
  const { tasks } = store.scan();
  const index = () => indexTasks(tasks, archivedDependencies(store, tasks));
  const marks = findOverlaps(tasks, index).of(id);
  const names = nameTasks(tasks, () => [id, ...marks.flatMap((mark) => mark.tasks)]);
  const lines = marks.slice(0, TOLD).map((mark) => formatOverlap(mark, id, names));
  if (marks.length > TOLD) lines.push(`and ${marks.length - TOLD} more: orchestra show ${id}`);
  return lines.map((line, at) => at === 0 ? line[0]!.toUpperCase() + line.slice(1) : line);
}
