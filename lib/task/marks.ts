// The names of the files beside a task: sentinels, pid files, exit codes.

/** Whether a file beside a task is one that Orchestra or an agent makes; others are the user's. */
export function isOwnMark(mark: string): boolean {
  return OWN_MARK.test(mark);
}

const OWN_MARK =
  /^(?:done|error|cancelled|timeout|exitcode|verifycode|(?:verify\.)?\d+\.pid)$|\.tmp$/;
