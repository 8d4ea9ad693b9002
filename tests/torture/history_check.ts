// Where the history and the files of the tasks tell different stories.

import { eventsIn } from "../../lib/store/events.ts";
import { readHistory } from "../../lib/store/history_read.ts";
import type { StoredEvent } from "../../lib/task/event.ts";
import { isTerminal, type Task } from "../../lib/task/fields.ts";

/** All events of a workspace, oldest first. */
export async function readAll(dir: string): Promise<StoredEvent[]> {
  const events: StoredEvent[] = [];
  for await (const chunk of readHistory(dir)) events.push(...eventsIn(chunk));
  return events;
}

/**
 * What is missing, or told and not so.
 *
 * @param tasks all, archived ones included
 * @param archived ids of those
 */
export function contradictions(
  events: readonly StoredEvent[],
  tasks: ReadonlyMap<string, Task>,
  archived: ReadonlySet<string>,
): string[] {
  const found: string[] = [];
  const byTask = Map.groupBy(events.filter(({ task }) => task !== undefined), ({ task }) => task!);
  for (const id of byTask.keys()) {
    if (!tasks.has(id)) found.push(`${id} is told of, and is in no folder`);
  }
  for (const task of tasks.values()) {
    const told = byTask.get(task.taskId) ?? [];
    const wrong = contradiction(task, told, archived.has(task.taskId));
    if (wrong !== undefined) {
      const names = told.map(({ event, claim }) => `${event} ${claim}`).join(", ");
      found.push(`${task.taskId} (${task.status}, claim ${task.claim}) ${wrong}: ${names}`);
    }
  }
  // A task can be archived and restored again and again; all else happens once.
  const keys = events.filter(({ event }) => !isMove(event)).map(({ key }) => key);
  const twice = keys.filter((key, at) => keys.indexOf(key) !== at);
  if (twice.length > 0) found.push(`told twice: ${twice.slice(0, 5).join(", ")}`);
  return found;
}

const isMove = (event: string) => event === "archived" || event === "restored";

function contradiction(
  task: Task,
  told: readonly StoredEvent[],
  isArchived: boolean,
): string | undefined {
  const [first] = told;
  const begins = task.retryHistory.length > 0 ? "retried" : "queued";
  if (first?.event !== begins || first.time !== task.createdAt) return `is not told as ${begins}`;
  const lives = told.filter(({ event }) => !isMove(event)).slice(1);
  for (let claim = 1; claim <= task.claim; claim++) {
    const events = lives.filter((event) => event.claim === claim).map(({ event }) => event);
    const isLast = claim === task.claim;
    if (!isLast || task.status === "pending") {
      if (events.join() !== "launched,released") return `was released, but claim ${claim} is not`;
    } else if (task.failureClass !== "spawn" && events[0] !== "launched") {
      // A pending task that was taken back before may be cancelled with that claim.
      return `is not told as launched`;
    }
  }
  const ends = lives.filter(({ event }) => ["complete", "failed", "cancelled"].includes(event));
  if (ends.length !== (isTerminal(task.status) ? 1 : 0)) return `has ${ends.length} ends`;
  const [end] = ends;
  if (end !== undefined) {
    if (end.event !== task.status || end.claim !== task.claim) return `ended otherwise`;
    if (end.time !== task.completedAt) return `ended at another time`;
    if ((end.class ?? null) !== (task.status === "failed" ? task.failureClass : null)) {
      return `is told of as ${end.class}`;
    }
  }
  const moves = told.filter(({ event }) => isMove(event)).map(({ event }) => event);
  if ((moves.at(-1) === "archived") !== isArchived) return `is not where it was moved`;
  return undefined;
}
