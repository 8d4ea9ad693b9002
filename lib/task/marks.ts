// The names of the files beside a task: sentinels (`done`, `error`, `cancelled`, `timeout`), what shims
// write (`<claim>.pid`, `exitcode`, and for a check `verify.<claim>.pid`, `verifycode`), and what a write
// that was interrupted left. What each holds, and who writes it, is in docs/formats.md.

/** Whether a file beside a task is one that Orchestra or an agent makes; others are the user's. */
export function isOwnMark(mark: string): boolean {
  return OWN_MARK.test(mark);
}

const OWN_MARK =
  /^(?:done|error|cancelled|timeout|exitcode|verifycode|(?:verify\.)?\d+\.pid)$|\.tmp$/;
