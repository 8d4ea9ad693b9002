// What follows from an attempt: whether it was made, when it is tried again, and when it is given up. Pure:
// time and chance are arguments.

import type { Delivery, LaneState } from "./outbox.ts";

/** What came of an attempt to send. */
export type Outcome =
  /** The receiver answered. */
  | {
    readonly kind: "answer";
    readonly status: number;
    /** What it asks for in `Retry-After`, as it stands. */
    readonly retryAfter?: string;
    /** The beginning of what it said. */
    readonly said?: string;
  }
  /** It could not be reached, or did not answer as it should. */
  | { readonly kind: "unreachable"; readonly problem: string }
  /** Nothing was sent: a secret is missing, or what sends cannot be started. */
  | { readonly kind: "unsent"; readonly problem: string };

/** Waits between attempts, milliseconds. */
export const BACKOFF: readonly number[] = [
  5_000,
  5 * 60_000,
  30 * 60_000,
  2 * 3_600_000,
  5 * 3_600_000,
  10 * 3_600_000,
  14 * 3_600_000,
  20 * 3_600_000,
  24 * 3_600_000,
];
/** A delivery that is owed for longer is given up with the next failure, milliseconds. */
export const LONGEST = 4 * 86_400_000;
/** No receiver is waited for longer because it asks for it, milliseconds. */
const MOST_ASKED = 86_400_000;
/** By so much of it a wait is shorter or longer. */
const JITTER = 0.1;

/** Whether 2xx, which alone counts. */
export function isMade(outcome: Outcome): boolean {
  return outcome.kind === "answer" && outcome.status >= 200 && outcome.status < 300;
}

/** What a receiver asks for, milliseconds; undefined where it asks for nothing. */
export function parseRetryAfter(text: string | undefined, now: number): number | undefined {
  if (text === undefined) return undefined;
  const asked = /^\d{1,10}$/.test(text.trim())
    ? Number(text.trim()) * 1000
    : /[a-z]{3}/i.test(text)
    ? Date.parse(text) - now
    : NaN;
  return Number.isNaN(asked) ? undefined : Math.min(MOST_ASKED, Math.max(0, asked));
}

/** The wait after so many failures in a row, from 1; undefined where there is none any more. */
function backoff(failures: number, random: number): number | undefined {
  const wait = BACKOFF[failures - 1];
  return wait === undefined ? undefined : wait * (1 - JITTER + 2 * JITTER * random);
}

/** What is to be done after an attempt. */
export interface Verdict {
  readonly state: LaneState;
  /** The delivery as it is owed from now on; null where it is not any more. */
  readonly delivery: Delivery | null;
  /** Whether it was made. */
  readonly made: boolean;
  /** Whether it is given up, and so are others that are owed for too long. */
  readonly givenUp: boolean;
  /** The receiver wants nothing any more. */
  readonly gone: boolean;
}

/**
 * What follows from an attempt.
 *
 * @param now milliseconds since the epoch
 * @param random from 0 to 1
 */
export function judge(
  delivery: Delivery,
  state: LaneState,
  outcome: Outcome,
  now: number,
  random: number,
): Verdict {
  if (isMade(outcome)) {
    return {
      state: {
        ...state,
        failures: 0,
        pausedUntil: 0,
        failingSince: null,
        lastSuccess: now,
        lastError: null,
      },
      delivery: null,
      made: true,
      givenUp: false,
      gone: false,
    };
  }
  const lastError = describe(outcome);
  const failing = { ...state, failingSince: state.failingSince ?? now, lastError };
  if (outcome.kind === "answer" && outcome.status === 410) {
    return {
      state: failing,
      delivery: { ...delivery, lastError },
      made: false,
      givenUp: false,
      gone: true,
    };
  }
  const asked = outcome.kind === "answer" ? parseRetryAfter(outcome.retryAfter, now) ?? 0 : 0;
  const isLanes = isReceivers(outcome);
  const failures = isLanes ? state.failures + 1 : 0;
  const attempts = delivery.attempts + 1;
  const own = backoff(attempts, random);
  const givenUp = own === undefined || now - delivery.owedSince > LONGEST;
  const ladder = isLanes ? backoff(Math.min(failures, BACKOFF.length), random) : own;
  // No sooner than the receiver asks for, and no sooner than any other would be tried again.
  const wait = Math.max(asked, ladder ?? 0);
  return {
    state: { ...failing, failures, pausedUntil: isLanes ? now + wait : 0 },
    delivery: {
      ...delivery,
      attempts,
      // Where all wait, none waits by itself.
      next: isLanes ? delivery.next : now + wait,
      lastError,
    },
    made: false,
    givenUp,
    gone: false,
  };
}

/** Whether a failure is one of the receiver as a whole, and not of this delivery. */
function isReceivers(outcome: Outcome): boolean {
  if (outcome.kind !== "answer") return true;
  const { status } = outcome;
  return status === 429 || status === 408 || status < 400 || status >= 500;
}

/** An outcome in words. */
export function describe(outcome: Outcome): string {
  if (outcome.kind !== "answer") return outcome.problem;
  const { status, said } = outcome;
  const what = status >= 300 && status < 400
    ? `answered ${status}: redirects are not followed`
    : `answered ${status}`;
  return said === undefined || said === "" ? what : `${what}: ${said}`;
}

/** How it stands with a subscriber, for who decides what is sent next. */
export interface Owing {
  readonly state: LaneState;
  readonly disabled: boolean;
  /** In order. */
  readonly owed: readonly Delivery[];
}

/** The delivery that is made next, once it is due; undefined where nothing is owed. */
export function pickNext({ owed }: Owing, now: number): Delivery | undefined {
  return owed.find(({ next }) => next <= now) ??
    owed.reduce<Delivery | undefined>(
      (first, one) => first === undefined || one.next < first.next ? one : first,
      undefined,
    );
}

/** When something is to be done for a subscriber, milliseconds since the epoch; Infinity for never. */
export function dueAt(owing: Owing, now: number): number {
  if (owing.disabled) return Infinity;
  const next = pickNext(owing, now);
  return next === undefined ? Infinity : Math.max(next.next, owing.state.pausedUntil);
}
