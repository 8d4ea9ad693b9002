// Which tasks a list shows: what the server said, kept right by the changes that it tells since. A list
// never grows without end, whatever happens while it is looked at. Pure.

import { needsPerson, passes } from "../filter.ts";
import type { WireCounts, WireFilter, WireRow, WireTasks } from "../wire.ts";

/** A list of tasks that pass some filters. */
export interface Listing {
  filter: WireFilter;
  /** Most tasks that were asked for. */
  limit: number;
  ids: ReadonlySet<string>;
  counts: WireCounts;
  agents: Record<string, number>;
  labels: Record<string, number>;
  /** Whether something has changed that only the server can tell: how many tasks pass. */
  stale: boolean;
}

/** A list as the server told it. */
export function listingOf(filter: WireFilter, limit: number, answer: WireTasks): Listing {
  return {
    filter,
    limit,
    ids: new Set(answer.tasks.map(({ taskId }) => taskId)),
    ...countsIn(answer),
    stale: false,
  };
}

/** How many there are, as the server told it. */
export function countsIn(answer: WireTasks): Pick<Listing, "counts" | "agents" | "labels"> {
  const { counts, agents = {}, labels = {} } = answer;
  return { counts, agents, labels };
}

/** Whether two rows say the same of a task: the seconds that it runs are counted here. */
export function isSameRow(a: WireRow, b: WireRow): boolean {
  return (Object.keys(b) as (keyof WireRow)[]).every((name) => {
    const [left, right] = [a[name], b[name]];
    if (left === right) return true;
    if (name === "elapsedSeconds" || name === "remainingSeconds") return b.status === "running";
    return typeof right === "object" && JSON.stringify(left) === JSON.stringify(right);
  });
}

/** Ended tasks beyond the limit are dropped when there are so many. */
const SLACK = 200;

/**
 * The list after some tasks have changed or are gone.
 *
 * @param rows all tasks that are known, as they are now
 */
export function changeListing(
  listing: Listing,
  changed: readonly WireRow[],
  removed: readonly string[],
  rows: ReadonlyMap<string, WireRow>,
): Listing {
  const ids = new Set(listing.ids);
  const others = { ...listing.filter, q: undefined };
  for (const row of changed) {
    // Of a long prompt only the beginning is known here: what the server found in the rest stays found.
    const found = ids.has(row.taskId) && row.promptLength > row.prompt.length
      ? passes(others, row)
      : passes(listing.filter, row);
    if (found) ids.add(row.taskId);
    else ids.delete(row.taskId);
  }
  for (const id of removed) ids.delete(id);
  if (ids.size > listing.limit + SLACK) {
    const ended = [...ids].flatMap((id) => rows.get(id) ?? []).filter(hasEnded).sort(lastFirst);
    for (const { taskId } of ended.slice(Math.max(0, ended.length - (ids.size - listing.limit)))) {
      ids.delete(taskId);
    }
  }
  return { ...listing, ids, stale: true };
}

/** How many tasks of a list there are in all: those of the phases that its filter names. */
export function totalOf(
  { filter: { status }, counts }: Pick<Listing, "filter" | "counts">,
): number {
  if (status === undefined) return counts.total;
  const phases = new Set(status.flatMap((name) => name === "pending" ? PENDING : [name]));
  if (phases.has("needed")) {
    // What is needed is all that is blocked, and some of what has failed.
    if (phases.has("failed")) phases.add("blocked").delete("needed");
    else phases.delete("blocked");
  }
  return [...phases].reduce((sum, name) => sum + (counts[name as keyof WireCounts] ?? 0), 0);
}

/** Failures that another attempt has followed: they call for nobody. */
export function retriedOf({ needed, blocked = 0, failed = 0 }: WireCounts): number {
  return needed === undefined ? 0 : failed - (needed - blocked);
}

const PENDING = ["ready", "waiting", "blocked"];

function hasEnded({ phase }: WireRow): boolean {
  return phase === "complete" || phase === "failed" || phase === "cancelled";
}

const endOf = ({ completedAt, createdAt }: WireRow) => completedAt ?? createdAt;

/** For sorting: what has ended last comes first. */
export function lastFirst(a: WireRow, b: WireRow): number {
  const [left, right] = [endOf(a), endOf(b)];
  return left === right ? (a.taskId < b.taskId ? 1 : -1) : left < right ? 1 : -1;
}

/** For sorting: in the order in which they are launched. */
function nextFirst(a: WireRow, b: WireRow): number {
  return WAITING.indexOf(a.phase) - WAITING.indexOf(b.phase) || b.priority - a.priority ||
    (a.taskId < b.taskId ? -1 : 1);
}

const WAITING: readonly string[] = ["ready", "retrying", "waiting"];

/** For sorting: what runs longest comes first. */
function oldestFirst(a: WireRow, b: WireRow): number {
  return (a.startedAt ?? "") < (b.startedAt ?? "") ? -1 : 1;
}

/** What the view of the moment shows, in its parts. */
export interface Parts {
  needed: WireRow[];
  running: WireRow[];
  waiting: WireRow[];
  done: WireRow[];
}

/** Parts tasks by what a person wants to know of them. */
export function partTasks(rows: Iterable<WireRow>): Parts {
  const parts: Parts = { needed: [], running: [], waiting: [], done: [] };
  for (const row of rows) {
    if (needsPerson(row)) parts.needed.push(row);
    else if (row.phase === "running") parts.running.push(row);
    else if (WAITING.includes(row.phase)) parts.waiting.push(row);
    else parts.done.push(row);
  }
  parts.needed.sort(lastFirst);
  parts.running.sort(oldestFirst);
  parts.waiting.sort(nextFirst);
  parts.done.sort(lastFirst);
  return parts;
}
