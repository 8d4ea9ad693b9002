// How it is told that tasks wait for their worktrees.

import type { Lacking } from "../queue/refresh.ts";
import { printable } from "../task/error.ts";

/** What stands in the way of one. */
export function wordsOfLacking({ id, why }: Lacking): string {
  return `${id} waits for its worktree: ${printable(why)}`;
}

/** How many wait. */
export function countLacking(count: number): string {
  return count === 1 ? "1 task waits for its worktree" : `${count} tasks wait for their worktrees`;
}
