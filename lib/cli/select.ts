// Several tasks at once: by their names, or by the filters of `status`; in one workspace or in all.

import { indexTasks, type TaskIndex } from "../decide/dependencies.ts";
import type { PhaseName } from "../decide/view.ts";
import type { Task } from "../task/fields.ts";
import type { Context } from "./context.ts";
import type { Places } from "./places.ts";

/**
 * Where a command works: in the one workspace, or in all that are known.
 *
 * @param everywhere whether all are meant
 */
export async function openPlaces(context: Context, everywhere = false): Promise<Places> {
  if (everywhere) {
    const { openEverywhere } = await import("./everywhere.ts");
    return await openEverywhere(context);
  }
  const place = { name: undefined, context, queue: await context.openQueue() };
  return {
    list: [place],
    isWhole: true,
    each: (some, act) => Promise.all(some.map(act)),
    // Names were looked up when the command line was read.
    find: (ids) => new Map([[place, ids]]),
  };
}

/** The filters of `status`, for commands that take several tasks. */
export interface Filters {
  status?: readonly (PhaseName | "pending")[];
  agent?: readonly string[];
  label?: readonly (readonly [string, string])[];
}

/** Whether any filter was given. */
export function isFiltering({ status, agent, label }: Filters): boolean {
  return status !== undefined || agent !== undefined || label !== undefined;
}

/** The tasks that pass the filters, oldest first. */
export async function pickFiltered(
  tasks: readonly Task[],
  filters: Filters,
  now: number,
  index: TaskIndex = indexTasks(tasks),
): Promise<Task[]> {
  const { selectViews } = await import("./status_input.ts");
  const { status, agent, label } = filters;
  const views = selectViews({ tasks: [...tasks], index }, { status, agent, label }, now);
  const passed = new Set(views.map(({ task }) => task.taskId));
  return tasks.filter(({ taskId }) => passed.has(taskId));
}
