// What the settings of worktrees must be, without the schemas.

import { isBranchName } from "../decide/branch.ts";
import { DIRTY } from "../task/options.ts";

/** Whether a value is the name of a branch in which the task's id stands. */
export function isBranchPattern(value: unknown): value is string {
  return typeof value === "string" && value.includes("{taskId}") &&
    isBranchName(branchName(value, "task_0000000000"));
}

/** The name of a task's branch, from the setting. */
export function branchName(pattern: string, taskId: string): string {
  return pattern.replaceAll("{taskId}", taskId);
}

/** Whether a value is the path of a folder. */
export function isFolderPath(value: unknown): value is string {
  return typeof value === "string" && value.trim() !== "" && !/[\0\r\n]/.test(value);
}

/** Whether a value is a name and an address, as git writes them. */
export function isAuthor(value: unknown): value is string {
  return typeof value === "string" &&
    /^[^<>\0\n]*[^<>\0\n\s][^<>\0\n]* <[^<>\0\n\s]+>$/.test(value);
}

/** Whether a value is a command, as a line for the shell or as a list with the program first. */
export function isSetup(value: unknown): value is string | string[] {
  return Array.isArray(value)
    ? value.length > 0 &&
      value.every((word) => typeof word === "string" && !word.includes("\0"))
    : typeof value === "string" && value.trim() !== "" && !value.includes("\0");
}

/** Whether a value says what becomes of uncommitted changes. */
export function isDirty(value: unknown): boolean {
  return DIRTY.some((one) => one === value);
}
