// Which tasks a page is about: filters as they stand in an address, and whether a task passes. The server
// and the page decide it by this one module. Pure.

import { OrchestraError } from "../task/error.ts";
import { STATUSES } from "../task/fields.ts";
import { PHASES } from "../text/style.ts";
import type { WireFilter, WireTask } from "./wire.ts";

/** What can be asked for as status. */
export const FILTER_STATUSES: readonly string[] = [
  ...new Set([...STATUSES, ...PHASES, "needed"]),
];

/** The filters of an address, or of a request. What is empty counts as absent. */
export function parseFilter(query: URLSearchParams): WireFilter {
  const filter: WireFilter = {};
  for (const name of ["status", "agent", "label"] as const) {
    const values = [...new Set(query.getAll(name).filter((value) => value !== ""))];
    if (values.length > 0) filter[name] = values;
  }
  const text = query.get("q");
  if (text !== null && text.trim() !== "") filter.q = text;
  return filter;
}

/**
 * The filters, where they name what there is.
 *
 * @throws OrchestraError `usage`
 */
export function checkFilter(filter: WireFilter): WireFilter {
  const unknown = filter.status?.find((name) => !FILTER_STATUSES.includes(name));
  if (unknown === undefined) return filter;
  throw new OrchestraError("usage", `${JSON.stringify(unknown)} is no status`, {
    hint: `There are: ${FILTER_STATUSES.join(", ")}`,
  });
}

/** The same as an address has them; empty for no filter. */
export function formatFilter({ status = [], agent = [], label = [], q }: WireFilter): string {
  const query = new URLSearchParams([
    ...status.map((value) => ["status", value]),
    ...agent.map((value) => ["agent", value]),
    ...label.map((value) => ["label", value]),
  ]);
  if (q !== undefined && q.trim() !== "") query.set("q", q);
  return String(query);
}

/** Whether any filter is set. */
export function isFiltering(filter: WireFilter): boolean {
  return formatFilter(filter) !== "";
}

/** What is read of a task to decide about it. */
export type Filtered = Pick<
  WireTask,
  "taskId" | "status" | "phase" | "agent" | "labels" | "prompt" | "key" | "retriedBy"
>;

/** Whether it goes on only if a person acts: it is blocked, or has failed and nothing follows. */
export function needsPerson({ phase, retriedBy }: Pick<Filtered, "phase" | "retriedBy">): boolean {
  return phase === "blocked" || (phase === "failed" && retriedBy === null);
}

/** Whether a task passes: one value of each filter that is set. */
export function passes(filter: WireFilter, task: Filtered): boolean {
  const { status, agent, label, q } = filter;
  if (status !== undefined && !status.some((name) => isIn(task, name))) return false;
  if (agent !== undefined && !agent.includes(task.agent)) return false;
  if (label !== undefined && !label.some((text) => hasLabel(task, text))) return false;
  return q === undefined || says(task, q.trim().toLowerCase());
}

/**
 * A name of both is that of the phase, so that each has as many as it is counted: what is `retrying` has
 * the status `failed`.
 */
function isIn(task: Filtered, name: string): boolean {
  if (name === "needed") return needsPerson(task);
  return name === task.phase || (name === "pending" && task.status === name);
}

/** A label is `name:value`; a name alone stands for all its values. */
function hasLabel({ labels }: Filtered, text: string): boolean {
  return Object.entries(labels).some(([name, value]) =>
    text === `${name}:${value}` || text === name
  );
}

function says({ prompt, taskId, key, labels }: Filtered, text: string): boolean {
  return prompt.toLowerCase().includes(text) || taskId.includes(text) ||
    (key ?? "").toLowerCase().includes(text) ||
    Object.entries(labels).some(([name, value]) => `${name}:${value}`.toLowerCase().includes(text));
}
