// What is told of a change of a task, and whether it happened: from how the task was, and how it is. Pure:
// the history on disk, hooks and statistics all follow from these lines.

import type { Ended, EventKind, HistoryEvent } from "../task/event.ts";
import { isTerminal, parseTime, type Task, type Usage } from "../task/fields.ts";
import { type ChangeKind, changesBetween } from "./changes.ts";

/** Longest title and longest reason in a line. */
const LONGEST = 200;

/** The first line of a text, cut. */
function cut(text: string): string {
  // A prompt may be megabytes long.
  const line = text.slice(0, 10 * LONGEST).trim().split("\n", 1)[0]!.trimEnd();
  return line.length > LONGEST ? `${line.slice(0, LONGEST - 1)}…` : line;
}

/** Seconds between two times, to the millisecond; undefined where one is missing. */
function seconds(from: string | null, to: string | null): number | undefined {
  const [start, end] = [parseTime(from), parseTime(to)];
  return start === null || end === null ? undefined : Math.max(0, end - start) / 1000;
}

/** The same event always gets the same key: the change leaves its mark in the task. */
function keyOf({ taskId, claim, agent }: Task, event: EventKind): string {
  return event === "handed-on"
    ? `${taskId}.${claim}.handed-on.${agent}`
    : `${taskId}.${claim}.${event}`;
}

function usageOf(usage: Usage | null): HistoryEvent["usage"] {
  if (usage === null) return undefined;
  const { sessionId: _, model, ...rest } = usage;
  const told = model === undefined ? rest : { ...rest, model: cut(model) };
  return Object.keys(told).length > 0 ? told : undefined;
}

/** So much of labels is told, characters. */
const LABELS = 4096;

/** Labels, as many as have room, each cut: a line is never too long to be read again. */
function labelsOf(labels: Record<string, string>): HistoryEvent["labels"] {
  let room = LABELS;
  const told: [string, string][] = [];
  for (const [name, value] of Object.entries(labels)) {
    const [key, text] = [cut(name), cut(value)];
    room -= key.length + text.length;
    if (room < 0) break;
    told.push([key, text]);
  }
  return told.length > 0 ? Object.fromEntries(told) : undefined;
}

/** A time as we write it; undefined for none. */
function timeIn(text: string | null): string | undefined {
  const millis = parseTime(text);
  return millis === null ? undefined : new Date(millis).toISOString();
}

/** When it happened, as the task tells; now for what it does not tell. */
function timeOf(task: Task, event: EventKind, now: string): string {
  const told = event === "queued" || event === "retried"
    ? task.createdAt
    : event === "launched"
    ? task.startedAt
    : event === "verifying"
    ? task.verifyAt
    : ["complete", "failed", "cancelled", "lane-paused", "budget"].includes(event)
    ? task.completedAt
    : null;
  const millis = parseTime(told);
  return millis === null ? now : new Date(millis).toISOString();
}

/**
 * One line about a task.
 *
 * @param now ISO 8601, for what the task does not tell the time of
 */
export function taskEvent(task: Task, event: EventKind, now: string): HistoryEvent {
  const { taskId, claim, agent, parentTaskId } = task;
  const begins = event === "queued" || event === "retried";
  const ends = event === "complete" || event === "failed" || event === "cancelled";
  // In the order in which they are written; what is undefined is left out by JSON.
  return {
    key: keyOf(begins ? { ...task, claim: 0 } : task, event),
    time: timeOf(task, event, now),
    event,
    task: taskId,
    claim: begins ? 0 : claim,
    agent: cut(agent),
    chain: parentTaskId === null || parentTaskId === taskId ? undefined : parentTaskId,
    attempt: task.retryHistory.length + 1,
    follows: event === "retried" ? task.retryHistory.at(-1)?.retriedFrom ?? undefined : undefined,
    title: begins || ends || event === "launched" ? cut(task.prompt) : undefined,
    labels: labelsOf(task.labels),
    class: event === "failed" ? task.failureClass ?? undefined : undefined,
    error: event === "failed" && task.errorMessage !== null ? cut(task.errorMessage) : undefined,
    exitCode: ends ? task.exitCode ?? undefined : undefined,
    waited: event === "launched" || ends ? seconds(task.createdAt, task.startedAt) : undefined,
    ran: ends ? seconds(task.startedAt, task.completedAt) : undefined,
    usage: ends || event === "reaped" ? usageOf(task.usage) : undefined,
    until: event === "lane-paused" ? timeIn(task.laneUntil) : undefined,
    retryAt: event === "failed" ? timeIn(task.retryAt) : undefined,
    taskKey: task.key ?? undefined,
  };
}

/**
 * What is told of a change of a task, in order.
 *
 * @param before undefined where the task was not there
 * @param now milliseconds since the epoch
 */
export function eventsBetween(
  before: Task | undefined,
  after: Task,
  now: number,
): HistoryEvent[] {
  const kinds = changesBetween(before, after);
  if (kinds.length === 0) return [];
  const time = new Date(now).toISOString();
  const events = kinds.filter(isToldOf)
    .filter((kind) => kind !== "reaped" || hasNewUsage(before, after))
    .map((kind) => taskEvent(after, kind, time));
  if (kinds.includes("failed")) {
    if (after.failureClass === "budget") events.push(taskEvent(after, "budget", time));
    if (after.laneUntil !== null) events.push(taskEvent(after, "lane-paused", time));
  }
  return events;
}

/** What the files of tasks tell of the past, for a workspace that has no history yet. */
export function pastEvents(tasks: readonly Task[], now: number): HistoryEvent[] {
  return tasks.flatMap((task) => eventsBetween(undefined, task, now))
    .sort((a, b) => a.time < b.time ? -1 : a.time > b.time ? 1 : 0);
}

/** What an agent says of its usage after its task was settled. */
function hasNewUsage(before: Task | undefined, { usage }: Task): boolean {
  return usage !== null && JSON.stringify(usage) !== JSON.stringify(before?.usage);
}

/** A warning changes nothing of a task. */
function isToldOf(kind: ChangeKind): kind is Exclude<ChangeKind, "warning"> {
  return kind !== "warning";
}

/** How tasks ended since the queue was last at rest; undefined where that was too long ago to tell. */
function endedSince(last: readonly HistoryEvent[], isWhole: boolean): Ended | undefined {
  const before = last.findLastIndex(({ event }) => event === "drained");
  if (before < 0 && !isWhole) return undefined;
  const ended: Ended = { complete: 0, failed: 0, cancelled: 0 };
  for (const { event, retryAt } of last.slice(before + 1)) {
    const isEnd = event === "complete" || event === "failed" || event === "cancelled";
    if (isEnd && retryAt === undefined) ended[event]++;
  }
  return ended;
}

const SETTLED: readonly EventKind[] = ["complete", "failed", "cancelled"];

/** What was told last. */
export interface Recent {
  /** Oldest first. */
  readonly events: readonly HistoryEvent[];
  /** Whether that is all that was ever told. */
  readonly isWhole: boolean;
}

/** What there is to know of the queue as a whole. */
export interface QueueState {
  /** Nothing runs, and nothing can start. */
  readonly isAtRest: boolean;
  /** Pauses of agents that are over, by agent: their ends, milliseconds since the epoch. */
  readonly resumed: ReadonlyMap<string, number>;
  /** The workspace: another one's pauses have other keys. */
  readonly identity: string;
}

/**
 * What is to be told of the queue as a whole: that it has come to rest, that the pause of an agent is over.
 * Both follow from what was told last, too, so that whoever takes over tells the same.
 *
 * @param now milliseconds since the epoch
 */
export function queueEvents(
  { events: last, isWhole }: Recent,
  { isAtRest, resumed, identity }: QueueState,
  now: number,
): HistoryEvent[] {
  const time = new Date(now).toISOString();
  const endOf = (agent: string, until: string): HistoryEvent => ({
    key: `lane.${agent}.${until}.${identity}.lane-resumed`,
    time: until,
    event: "lane-resumed",
    agent,
  });
  const owed = [...resumed].map(([agent, until]) => endOf(agent, new Date(until).toISOString()));
  /** Ends of pauses that are not told yet, by the key that each is told by. */
  const ends = new Map(owed.map((end) => [end.key, end]));
  const pauses = new Map<string, HistoryEvent>();
  for (const { event, key, agent = "", until: told, time: at } of last) {
    if (event === "lane-resumed") ends.delete(key);
    const until = timeIn(told ?? null);
    if (event !== "lane-paused" || until === undefined) continue;
    const before = pauses.get(agent);
    if (before !== undefined && before.time > at) {
      // Its quota was found used up again meanwhile: it is paused until the later time.
      if (before.time >= until) continue;
      ends.delete(before.key);
    }
    const end = endOf(agent, until);
    pauses.set(agent, end);
    ends.set(end.key, end);
  }
  const events = [...ends.values()].filter((end) => end.time <= time);
  const settled = last.findLast(isTurn);
  if (isAtRest && settled !== undefined && settled.event !== "drained") {
    const ended = endedSince(last, isWhole);
    events.push({ key: `drained.${settled.key}`, time, event: "drained", ended });
  }
  return events;
}

/** Whether an event decides if the queue has been at rest since. */
export function isTurn({ event }: HistoryEvent): boolean {
  return SETTLED.includes(event) || event === "drained";
}

/** Where a task's file is. */
export interface Whereabouts {
  /** The task; undefined where it is not among the tasks. */
  task: Task | undefined;
  isArchived: boolean;
}

/** Whether what was about to be written happened, as the files tell: whoever wrote it was killed just then. */
export function hasHappened(
  { event, claim = 0, agent }: HistoryEvent,
  { task, isArchived }: Whereabouts,
): boolean {
  switch (event) {
    case "archived":
      return isArchived && task === undefined;
    case "restored":
      return task !== undefined;
    case "removed":
      return task === undefined && !isArchived;
    case "drained":
    case "lane-resumed":
      return true;
  }
  if (task === undefined) return false;
  const isSame = task.claim === claim;
  switch (event) {
    case "queued":
    case "retried":
      return true;
    case "launched":
      return task.claim > claim || (isSame && task.status !== "pending");
    case "released":
      return task.claim > claim || (isSame && task.status === "pending");
    case "verifying":
      return isSame && task.verifyAt !== null;
    case "complete":
    case "failed":
    case "cancelled":
      return isSame && task.status === event;
    case "budget":
    case "lane-paused":
      return isSame && task.status === "failed";
    case "handed-on":
      return isSame && task.agent === agent;
    case "reaped":
      return isSame && isTerminal(task.status) && task.reapAt === null;
  }
}
