// Lives of tasks as events, made the way the queue makes them.

import type { EventKind, HistoryEvent } from "../../lib/task/event.ts";

/** When everything here begins, milliseconds since the epoch. */
export const START = Date.parse("2026-01-31T12:00:00.000Z");

/** Id of a task that is queued so many seconds after the start. */
export function idAt(seconds: number): string {
  return `task_${START + seconds * 1000}000`;
}

/** An event so many seconds after the start. */
export function event(
  kind: EventKind,
  seconds: number,
  more: Partial<HistoryEvent> = {},
): HistoryEvent {
  const { task, claim = 0 } = more;
  return {
    key: `${task ?? "queue"}.${claim}.${kind}`,
    time: new Date(START + seconds * 1000).toISOString(),
    event: kind,
    ...more,
  };
}

/** What becomes of a task that runs. */
export interface Life {
  /** Seconds after the start at which it is queued. */
  at: number;
  waited?: number;
  ran?: number;
  end?: "complete" | "failed" | "cancelled";
  more?: Partial<HistoryEvent>;
  /** The attempt that it is a retry of. */
  follows?: Life;
}

/** Id of the first attempt of a life's chain. */
function chainOf(life: Life): string {
  return life.follows === undefined ? idAt(life.at) : chainOf(life.follows);
}

/** The events of a task from its queueing to its end. */
export function eventsOf(life: Life): HistoryEvent[] {
  const { at, waited = 5, ran = 60, end = "complete", more = {}, follows } = life;
  const task = idAt(at);
  const { usage, class: kind, ...common } = more;
  const base = {
    task,
    agent: "alpha",
    ...common,
    chain: follows === undefined ? undefined : chainOf(life),
  };
  const failure = end === "failed" ? kind ?? "exit" : undefined;
  return [
    event(follows === undefined ? "queued" : "retried", at, {
      ...base,
      follows: follows === undefined ? undefined : idAt(follows.at),
    }),
    event("launched", at + waited, { ...base, claim: 1, waited }),
    event(end, at + waited + ran, { ...base, claim: 1, waited, ran, usage, class: failure }),
  ];
}
