// Whether a task that somebody waits for has come to its end. Pure.

import {
  latestAttempt,
  lookUp,
  type Readiness,
  readinessOf,
  type TaskIndex,
} from "./dependencies.ts";
import { isTerminal } from "../task/fields.ts";

/**
 * Whether a task has come to its end: no retry of it runs or is due. One that is blocked would be waited
 * for until somebody acts, so it has ended as well, and so has one that is gone.
 *
 * @param memo shared between calls over one index
 */
export function hasEnded(id: string, index: TaskIndex, memo: Map<string, Readiness>): boolean {
  const task = lookUp(id, index);
  if (task === undefined) return true;
  const latest = latestAttempt(task, index);
  if (latest.status === "pending") return readinessOf(latest, index, memo).kind === "blocked";
  return isTerminal(latest.status) && latest.retryAt === null;
}
