// Where a task's files are, for tests of launches that never come about.

import type { Places } from "../../lib/decide/launch_plan.ts";

export const PLACES: Places = {
  root: "/w",
  mark: "1.2.3/task_1",
  planFile: "/w/.orchestra/plans/p.md",
  logFile: "/w/.orchestra/logs/l.log",
  promptFile: "/w/.orchestra/plans/prompt.md",
  usageFile: "/w/usage",
  doneFile: "/w/.orchestra/tasks/t.done",
  errorFile: "/w/.orchestra/tasks/t.error",
  workspace: "/w/.orchestra/workspace",
};
