// A line of the history as those who count need it: names that stand in millions of lines are numbers or
// shared texts, times are numbers, and what nobody counts is left out.

import type { EventKind, HistoryEvent } from "../task/event.ts";

/** What is counted of an event. */
export interface Line {
  kind: EventKind;
  /** Milliseconds since the epoch; NaN for what is no time. */
  time: number;
  /** The task, as {@linkcode hash} has it; zero where it is about the queue. */
  task: number;
  claim: number;
  agent: string | undefined;
  /** The attempt that it follows, likewise; zero for none. */
  follows: number;
  labels: Readonly<Record<string, unknown>> | undefined;
  class: string | undefined;
  /** Seconds. */
  waited: number | undefined;
  /** Seconds. */
  ran: number | undefined;
  usage: HistoryEvent["usage"];
  /** ISO 8601, as it was told. */
  until: string | undefined;
}

/** What is counted of an event. */
export function lineOf(event: HistoryEvent): Line {
  const { event: kind, time, task, claim = 0, agent, follows, labels, waited, ran, usage, until } =
    event;
  return {
    kind,
    time: Date.parse(time),
    task: task === undefined ? 0 : hash(task),
    claim,
    agent,
    follows: follows === undefined ? 0 : hash(follows),
    labels,
    class: event.class,
    waited,
    ran,
    usage,
    until,
  };
}

/** Where a hash begins. */
export const FIRST = { a: 0x811c9dc5 | 0, b: 0x9747b28c | 0 } as const;

/** Goes on with a hash, by one unit of a text; the other half has another factor. */
export const mixA = (a: number, unit: number) => Math.imul(a ^ unit, 0x01000193);
export const mixB = (b: number, unit: number) => Math.imul(b ^ unit, 0x5bd1e995);

/** 52 bits, above zero: that two of those that are remembered have the same does not happen. */
export function joinHalves(a: number, b: number): number {
  return (b >>> 12) * 2 ** 32 + ((a ^ a >>> 15) >>> 0) + 1;
}

/** A name as a number. */
export function hash(text: string): number {
  let { a, b }: { a: number; b: number } = FIRST;
  for (let at = 0; at < text.length; at++) {
    const unit = text.charCodeAt(at);
    a = mixA(a, unit);
    b = mixB(b, unit);
  }
  return joinHalves(a, b);
}
