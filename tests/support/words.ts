// What is typed and what is printed.

import { shortestEnds } from "../../lib/decide/names.ts";
import { assert } from "./assert.ts";

export const MISSING = "task_1234567890";

/** A line of the table about a task. */
export function lineOf(text: string, id: string): string {
  const line = text.split("\n").find((item) => item.startsWith(id));
  assert(line !== undefined, `no line about ${id} in:\n${text}`);
  return line;
}

/** What a table calls a task that has no key, among those of some ids. */
export function endOf(id: string, ids: readonly string[]): string {
  const end = shortestEnds(ids).get(id);
  assert(end !== undefined, `${id} is none of ${ids.join(" ")}`);
  return end;
}

/** A text as it is read, without its colours. */
export function withoutColors(text: string): string {
  // deno-lint-ignore no-control-regex
  return text.replaceAll(/\x1b\[\d+m/g, "");
}
