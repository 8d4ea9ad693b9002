// What a command brought up to date on its way, told to a person.

import type { Change } from "../decide/changes.ts";

/** One line about a change. */
export function describeChange({ kind, task }: Change): string {
  switch (kind) {
    case "retried":
      return `Queued ${task.taskId} as retry ${task.retryCount}/${task.maxRetries} of ${
        task.retryHistory.at(-1)?.retriedFrom
      }`;
    case "failed":
      return `Failed ${task.taskId}: ${task.errorMessage ?? "unknown error"}`;
    case "released":
      return `Took back ${task.taskId}: whoever launched it died before it began`;
    case "handed-on":
      return `Handed ${task.taskId} on to ${task.agent}: its own agent is paused`;
    default:
      return `${kind[0]!.toUpperCase()}${kind.slice(1)} ${task.taskId}`;
  }
}
