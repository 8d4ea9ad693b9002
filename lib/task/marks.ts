// What is known of a task by its name. The files beside it: sentinels (`done`, `error`, `cancelled`, `timeout`),
// what shims write (`<claim>.pid`, `exitcode`, for a check `verify.<claim>.pid`, `verifycode`, for what sets a
// worktree up `setup.<claim>.pid`, `setupcode`; on Windows also `<claim>.pid.cmd`, the lines for cmd.exe), and what a write that was interrupted left. What each holds,
// and who writes it, is in docs/formats.md.

/**
 * What marks the processes of a task in their environment.
 *
 * @param workspace its identity
 */
export function processMark(workspace: string, id: string): string {
  return `${workspace}/${id}`;
}

/** Whether a file beside a task is one that Orchestra or an agent makes; others are the user's. */
export function isOwnMark(mark: string): boolean {
  return OWN_MARK.test(mark);
}

const OWN_MARK =
  /^(?:done|error|cancelled|timeout|exitcode|verifycode|setupcode|(?:(?:verify|setup)\.)?\d+\.pid(?:\.cmd)?)$|\.tmp$/;
