// Where a task's plan, log and the rest are. What a task file says of them is not believed: it leads to
// a place below `.orchestra/` that bears the task's own id, or it is an error.

import type { Places } from "../decide/launch_plan.ts";
import { processMark } from "../task/marks.ts";
import type { Task } from "../task/fields.ts";
import { OrchestraError } from "../task/error.ts";
import { lstat } from "./files.ts";
import type { Store } from "./tasks.ts";

/** What follows the id in the names of a task's files in `plans/`. */
export const PLANS: readonly string[] = ["_plan.md", "_prompt.md", "_stdin", "_usage.json"];

/**
 * Absolute places of a task's files.
 *
 * @throws OrchestraError `damaged` where the task names a place that is not its own
 */
export function placesOf(store: Store, task: Task): Places {
  return {
    root: store.root,
    mark: processMark(store.identity, task.taskId),
    planFile: planPlace(store, task),
    logFile: logPlace(store, task),
    promptFile: `${store.dir}/plans/${task.taskId}_prompt.md`,
    usageFile: `${store.dir}/plans/${task.taskId}_usage.json`,
    doneFile: store.markPath(task.taskId, "done"),
    errorFile: store.markPath(task.taskId, "error"),
    workspace: `${store.dir}/workspace`,
  };
}

/** Where what sets up a task's worktree prints. */
export function setupLogOf({ dir }: Pick<Store, "dir">, id: string): string {
  return `${dir}/logs/${id}.setup.log`;
}

/** Absolute path of a task's own file: what bears another's name is another's, to be neither read nor removed. */
function ownPlace(store: Store, { taskId }: Task, path: string, what: "plan" | "log"): string {
  const purpose = `The ${what} of ${taskId}`;
  const place = store.resolve(path, purpose, `${what}s`);
  const name = place.slice(place.lastIndexOf("/") + 1);
  if (name.startsWith(`${taskId}.`) || name.startsWith(`${taskId}_`)) return place;
  throw new OrchestraError("damaged", `${purpose}: ${JSON.stringify(path)} is not its own`, {
    hint: "Mend the task file by hand.",
  });
}

/** Where a task's plan and log are: in their usual place, or in the archive. */
export function readablePlaces(store: Store, task: Task): Pick<Places, "planFile" | "logFile"> {
  return {
    planFile: readablePlace(store, task, "plan"),
    logFile: readablePlace(store, task, "log"),
  };
}

/** The same for one of them: that the other one is wrong means nothing for it. */
export function readablePlace(store: Store, task: Task, what: "plan" | "log"): string {
  const archive = `${store.dir}/archive/${task.taskId}`;
  const [place, archived] = what === "plan"
    ? [planPlace(store, task), `${archive}_plan.md`]
    : [logPlace(store, task), `${archive}.log`];
  return lstat(place) === undefined ? archived : place;
}

function planPlace(store: Store, task: Task): string {
  const path = task.planFile || `.orchestra/plans/${task.taskId}_plan.md`;
  return ownPlace(store, task, path, "plan");
}

function logPlace(store: Store, task: Task): string {
  return ownPlace(store, task, task.logFile || `.orchestra/logs/${task.taskId}.log`, "log");
}
