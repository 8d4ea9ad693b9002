// What is typed and what is printed.

import { assert } from "./assert.ts";

export const MISSING = "task_1234567890";

/** A line of the table about a task. */
export function lineOf(text: string, id: string): string {
  const line = text.split("\n").find((item) => item.startsWith(id));
  assert(line !== undefined, `no line about ${id} in:\n${text}`);
  return line;
}
