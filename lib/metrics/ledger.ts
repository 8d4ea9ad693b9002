// Goes through the history and tells each thing once, with what went before it: what is told twice has
// the same task, claim and kind, and stands close together. Memory is bounded: a task is forgotten once
// many others were spoken of since. Whoever counts from the history counts from this.

import type { EventKind, HistoryEvent } from "../task/event.ts";
import { type Line, lineOf } from "./line.ts";
import { createMemory } from "./memory.ts";

/** What is remembered of a task. */
export interface Known<Note> {
  /** The claim that was spoken of last. */
  claim: number;
  /** What was told of that claim, a bit for each kind. */
  told: number;
  /** Whom it was handed on to last. */
  handed: string | undefined;
  /** Kind of its failure. */
  class: string | undefined;
  /** What its agent said it consumed; of use where there is a note, and whoever counts keeps it here. */
  readonly usage: Consumed;
  /** What whoever counts keeps of it. */
  note: Note | undefined;
}

/** What an agent said it consumed, with zero for what it did not say; one object for each task. */
export interface Consumed {
  input: number;
  output: number;
  /** Of the input. */
  cached: number;
  /** US dollars. */
  cost: number;
  isPriced: boolean;
}

/** Takes down what an agent said, in the place of what is there. */
export function setConsumed(to: Consumed, told: HistoryEvent["usage"]): void {
  to.input = amount(told?.inputTokens);
  to.output = amount(told?.outputTokens);
  to.cached = Math.min(to.input, amount(told?.cachedTokens));
  to.cost = amount(told?.costUsd);
  to.isPriced = typeof told?.costUsd === "number";
}

/** An amount as a file tells it: what is none counts as zero. */
function amount(told: unknown): number {
  return typeof told === "number" && told > 0 && told < 1e15 ? told : 0;
}

/** What a line is about. */
export interface Told<Note> {
  line: Line;
  /** What is known of its task, before the event changes it; undefined where it is about the queue. */
  task: Known<Note> | undefined;
  /** For a retry, what is known of the attempt that it follows. */
  follows: Known<Note> | undefined;
}

/** Takes the events of a history, in the order in which they stand there. */
export interface Ledger {
  add(event: HistoryEvent): void;
  /** The same, as it was read. */
  addLine(line: Line): void;
}

const BITS = Object.fromEntries(
  ([
    "queued",
    "retried",
    "launched",
    "released",
    "verifying",
    "complete",
    "failed",
    "cancelled",
    "reaped",
    "archived",
    "restored",
    "removed",
    "budget",
    "lane-paused",
  ] satisfies EventKind[]).map((kind, at) => [kind, 1 << at]),
) as { readonly [K in EventKind]?: number };

/** What is told once for a task, whatever its claims. */
const OF_TASK = BITS.queued! | BITS.retried! | BITS.archived! | BITS.restored! | BITS.removed!;
/** A claim has one of these ends. */
const ENDS = BITS.complete! | BITS.failed! | BITS.cancelled!;

/**
 * A ledger.
 *
 * @param tell called for each event that was not told before; may keep a note with the task
 */
export function createLedger<Note>(tell: (told: Told<Note>) => void): Ledger {
  const tasks = createMemory<Known<Note>>(blank, clear, copy);

  /** Whether it is told for the first time, which is noted. */
  function isNew({ kind, claim, agent }: Line, task: Known<Note>): boolean {
    if (kind === "handed-on") {
      const isSame = task.handed === agent;
      task.handed = agent;
      return !isSame;
    }
    const bit = BITS[kind] ?? 0;
    if (claim > task.claim) {
      task.claim = claim;
      task.told &= OF_TASK;
    } else if (claim < task.claim && (bit & OF_TASK) === 0) {
      // A claim that is over: what there was to tell of it was told.
      return false;
    }
    if ((task.told & ((bit & ENDS) === 0 ? bit : ENDS)) !== 0) return false;
    task.told |= bit;
    if (kind === "archived") task.told &= ~BITS.restored!;
    if (kind === "restored") task.told &= ~BITS.archived!;
    return true;
  }

  function addLine(line: Line): void {
    if (Number.isNaN(line.time)) return;
    const task = line.task === 0 ? undefined : tasks.open(line.task);
    if (task !== undefined && !isNew(line, task)) return;
    const follows = line.kind === "retried" && line.follows !== 0
      ? tasks.find(line.follows)
      : undefined;
    tell({ line, task, follows });
    if (task !== undefined && line.kind === "failed") task.class = line.class;
  }

  return { add: (event) => addLine(lineOf(event)), addLine };
}

function blank<Note>(): Known<Note> {
  return {
    claim: 0,
    told: 0,
    handed: undefined,
    class: undefined,
    usage: { input: 0, output: 0, cached: 0, cost: 0, isPriced: false },
    note: undefined,
  };
}

function clear(known: Known<unknown>): void {
  known.claim = 0;
  known.told = 0;
  known.handed = undefined;
  known.class = undefined;
  known.note = undefined;
}

function copy<Note>(from: Known<Note>, to: Known<Note>): void {
  to.claim = from.claim;
  to.told = from.told;
  to.handed = from.handed;
  to.class = from.class;
  to.note = from.note;
  if (from.note === undefined) return;
  to.usage.input = from.usage.input;
  to.usage.output = from.usage.output;
  to.usage.cached = from.usage.cached;
  to.usage.cost = from.usage.cost;
  to.usage.isPriced = from.usage.isPriced;
}
