// The first text of a task's plan, which is the agent's from then on.

import { firstPlan } from "../decide/launch_plan.ts";
import { placesOf } from "../store/places.ts";
import type { Task } from "../task/fields.ts";
import type { Queue } from "./queue.ts";

/**
 * The plan helps the agent; losing it in a power cut costs nothing, so it is not synced, and where
 * the system refuses it the task is queued all the same: the launch tries again.
 */
export function writePlan({ store }: Pick<Queue, "store">, task: Task): void {
  const path = placesOf(store, task).planFile;
  try {
    Deno.writeTextFileSync(path, firstPlan(task), { createNew: true, mode: 0o600 });
  } catch (error) {
    if (error instanceof Deno.errors.AlreadyExists) return;
    try {
      store.remove(path);
    } catch {
      // Nothing was written either.
    }
  }
}
