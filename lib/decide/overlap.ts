// Tasks that change the same files: what keeps one from being launched beside another, where the
// settings want it so. Pure.

import type { Task } from "../task/fields.ts";
import { isTerminal } from "../task/fields.ts";
import { canMeet } from "./globs.ts";
import type { Room, Wanted } from "./room.ts";

/** What the settings may say of tasks that declare to touch the same files. */
export const OVERLAP_RULES = ["allow", "serialize"] as const;
/** They run at once, or one after the other. */
export type OverlapRule = typeof OVERLAP_RULES[number];

/** Whether a value is one of them. */
export function isOverlapRule(value: unknown): value is OverlapRule {
  return OVERLAP_RULES.some((one) => one === value);
}

/** Whether a task runs, or may still have processes that change files. */
export function isAtWork({ status, reapAt }: Task): boolean {
  return status === "running" || (isTerminal(status) && reapAt !== null);
}

/** Whether two tasks may change the same file, as they declare; one that declares nothing does not. */
export function overlap(one: readonly string[], other: readonly string[]): boolean {
  return one.some((glob) => other.some((beside) => canMeet(glob, beside)));
}

/**
 * The room for tasks that are kept apart from those at work, and from each other. A task that declares
 * nothing is never held.
 *
 * @param atWork tasks that run, or of which something may still live
 * @param rule of the settings
 * @param room what limits across workspaces leave; any where absent
 * @returns undefined where nothing bounds it
 */
export function apartFrom(
  atWork: Iterable<Wanted>,
  rule: OverlapRule = "allow",
  room?: Room,
): Room | undefined {
  if (rule === "allow") return room;
  const busy = [...atWork].filter(declares);
  return {
    held(wanted) {
      const held = room?.held(wanted) ?? null;
      if (held !== null || !declares(wanted)) return held;
      const other = busy.find((one) =>
        one.taskId !== wanted.taskId && overlap(one.touches, wanted.touches)
      );
      return other === undefined ? null : { kind: "overlap", id: other.taskId };
    },
    take(wanted) {
      room?.take(wanted);
      if (declares(wanted)) busy.push(wanted);
    },
  };
}

/** Whether a task says which files it touches. */
function declares(wanted: Wanted): wanted is Required<Wanted> {
  return wanted.taskId !== undefined && wanted.touches !== undefined && wanted.touches.length > 0;
}
