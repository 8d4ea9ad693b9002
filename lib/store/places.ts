// Where a task's plan, log and the rest are. What a task file says of them is not believed: it leads to
// a place below `.orchestra/`, or it is an error.

import type { Places } from "../decide/launch_plan.ts";
import { processMark } from "../task/marks.ts";
import type { Task } from "../task/fields.ts";
import { lstat } from "./files.ts";
import type { Store } from "./tasks.ts";

/**
 * Absolute places of a task's files.
 *
 * @throws OrchestraError `damaged` where the task names a place that is not its own
 */
export function placesOf(store: Store, task: Task): Places {
  const plan = task.planFile || `.orchestra/plans/${task.taskId}_plan.md`;
  const log = task.logFile || `.orchestra/logs/${task.taskId}.log`;
  return {
    root: store.root,
    mark: processMark(store.identity, task.taskId),
    planFile: store.resolve(plan, `The plan of ${task.taskId}`, "plans"),
    logFile: store.resolve(log, `The log of ${task.taskId}`, "logs"),
    promptFile: `${store.dir}/plans/${task.taskId}_prompt.md`,
    doneFile: store.markPath(task.taskId, "done"),
    errorFile: store.markPath(task.taskId, "error"),
    workspace: `${store.dir}/workspace`,
  };
}

/** Where a task's plan and log are: in their usual place, or in the archive. */
export function readablePlaces(store: Store, task: Task): Pick<Places, "planFile" | "logFile"> {
  const { planFile, logFile } = placesOf(store, task);
  const archive = `${store.dir}/archive/${task.taskId}`;
  return {
    planFile: lstat(planFile) === undefined ? `${archive}_plan.md` : planFile,
    logFile: lstat(logFile) === undefined ? `${archive}.log` : logFile,
  };
}
