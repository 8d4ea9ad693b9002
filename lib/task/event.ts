// One line of the history: what happened, to which task, and when. EVENTS below is the single list of
// what is told; the one function that accepts a line is here too. Nothing here reads or writes anything.

import type { FailureClass, Usage } from "./fields.ts";

/** What can happen, and what each means; docs/formats.md lists them. */
export const EVENTS = {
  "queued": "a task was queued",
  "retried": "a task was queued as the retry of another, which `follows` names",
  "launched": "its agent is being launched",
  "released": "the launch did not come to be: the task waits again",
  "verifying": "its agent has succeeded, and its `verify` command is started",
  "complete": "it succeeded",
  "failed": "it failed; `class` says how",
  "cancelled": "it was cancelled",
  "handed-on": "its agent is paused, and another has it now",
  "reaped": "nothing of it lives any more, and its agent has told more of its usage",
  "archived": "it was moved to the archive",
  "restored": "it came back from the archive",
  "removed": "it was removed by `clean`",
  "budget": "it failed because it has cost more than its budget; told beside `failed`",
  "lane-paused": "an agent's quota is used up: it launches nothing before `until`",
  "lane-resumed": "that time is over",
  "drained": "nothing runs, and nothing can start",
} as const;

/** What happened. */
export type EventKind = keyof typeof EVENTS;

/** Names of all events. */
export const EVENT_KINDS = Object.keys(EVENTS) as EventKind[];

/** One line of the history. What a kind of event does not tell is absent. */
export interface HistoryEvent {
  /** The same for the same event, whatever was killed: what is told twice is known by it. */
  key: string;
  /** When it happened, ISO 8601. */
  time: string;
  /** What happened. */
  event: EventKind;
  /** Id of the task; absent where it is about the queue. */
  task?: string;
  /** Number of the launch; 0 before the first. */
  claim?: number;
  /** Agent that has the task, or whose lane it is. */
  agent?: string;
  /** Id of the first attempt, where it is another task. */
  chain?: string;
  /** Number of the attempt, from 1. */
  attempt?: number;
  /** Id of the attempt before it. */
  follows?: string;
  /** First line of the prompt, cut; when it is queued, is launched and has ended. */
  title?: string;
  /** Labels of the task, where it has any. */
  labels?: Record<string, string>;
  /** Kind of failure. */
  class?: FailureClass;
  /** Why it failed, cut. */
  error?: string;
  /** Exit code of the agent. */
  exitCode?: number;
  /** Seconds from its queueing to its launch. */
  waited?: number;
  /** Seconds from its launch to its end. */
  ran?: number;
  /** What its agent says it consumed. */
  usage?: Omit<Usage, "sessionId">;
  /** Until when a lane is paused, ISO 8601. */
  until?: string;
  /** When it is retried by itself, ISO 8601: absent where this failure is the last word. */
  retryAt?: string;
  /** The key that its user gave the task, where it has one. */
  taskKey?: string;
  /** Of a queue at rest: how many tasks have ended since it was so before, and how. */
  ended?: Ended;
}

/** How many tasks have ended, by how; a failure that is tried again is no end. */
export interface Ended {
  /** Tasks that succeeded. */
  complete: number;
  /** Tasks that failed for good. */
  failed: number;
  /** Tasks that were cancelled. */
  cancelled: number;
}

/** An event, and where reading goes on after it. */
export interface StoredEvent extends HistoryEvent {
  /** Opaque: given as `since`, reading begins with what came next. */
  cursor: string;
}

const KNOWN: ReadonlySet<unknown> = new Set(EVENT_KINDS);

const isText = (value: unknown) => value === undefined || typeof value === "string";
const isNumber = (value: unknown) => value === undefined || Number.isFinite(value);
const isObject = (value: unknown) =>
  value === undefined || (typeof value === "object" && value !== null);

/** The one gate for lines of the history: undefined for what is none, the header of a file among it. */
export function parseEvent(line: string): HistoryEvent | undefined {
  let value: Record<string, unknown> | null;
  try {
    value = JSON.parse(line);
  } catch {
    return undefined;
  }
  if (typeof value !== "object" || value === null) return undefined;
  if (typeof value.key !== "string" || typeof value.time !== "string") return undefined;
  // 2026-01-31T12:00:00.000Z
  if (value.time.length !== 24 || Number.isNaN(Date.parse(value.time))) return undefined;
  if (!KNOWN.has(value.event)) return undefined;
  // Name by name: a loop over names takes as long as to parse the line, and a history has a million.
  const { task, agent, chain, follows, title, class: kind, error } = value;
  if (!(isText(task) && isText(agent) && isText(chain) && isText(follows))) return undefined;
  if (!(isText(title) && isText(kind) && isText(error))) return undefined;
  const { until, retryAt, taskKey } = value;
  if (!(isText(until) && isText(retryAt) && isText(taskKey))) return undefined;
  const { claim, attempt, exitCode, waited, ran, labels, usage, ended } = value;
  if (!(isNumber(claim) && isNumber(attempt) && isNumber(exitCode))) return undefined;
  if (!(isNumber(waited) && isNumber(ran))) return undefined;
  if (!(isObject(labels) && isObject(usage) && isObject(ended))) return undefined;
  return value as unknown as HistoryEvent;
}

/** The text of a line, without its end. */
export function formatEvent(event: HistoryEvent): string {
  return JSON.stringify(event);
}
