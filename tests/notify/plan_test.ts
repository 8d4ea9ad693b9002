// What follows from an attempt to tell: waits, giving up, what one receiver's failure means for the others.

import fc from "fast-check";
import type { Delivery, LaneState } from "../../lib/notify/outbox.ts";
import {
  BACKOFF,
  dueAt,
  judge,
  LONGEST,
  type Outcome,
  parseRetryAfter,
  pickNext,
} from "../../lib/notify/plan.ts";
import { assert, assertEquals } from "../support/assert.ts";

const START = Date.parse("2026-03-04T12:00:00.000Z");
const FRESH: LaneState = {
  cursor: "1.0",
  since: START,
  failures: 0,
  pausedUntil: 0,
  failingSince: null,
  lastSuccess: null,
  lastError: null,
};

function delivery(name: string, fields: Partial<Delivery> = {}): Delivery {
  const key = `task_1795338125627.1.${name}`;
  const event = { key, time: "2026-03-04T12:00:00.000Z", event: "complete" } as const;
  return {
    file: `${key}.json`,
    event,
    cursor: "1.10",
    attempts: 0,
    next: START,
    owedSince: START,
    ...fields,
  };
}

const answer = (status: number, retryAfter?: string): Outcome => ({
  kind: "answer",
  status,
  retryAfter,
});

Deno.test("a receiver that answers 500 for days is asked ten times, with growing waits, then given up", () => {
  let now = START;
  let state = FRESH;
  let owed = delivery("complete");
  const waits: number[] = [];
  for (let attempt = 1;; attempt++) {
    const verdict = judge(owed, state, answer(500), now, 0.5);
    assert(!verdict.made && !verdict.gone);
    if (verdict.givenUp) {
      assertEquals(attempt, 10);
      break;
    }
    state = verdict.state;
    owed = verdict.delivery!;
    const due = dueAt({ state, owed: [owed], disabled: false }, now);
    waits.push(due - now);
    now = due;
  }
  assertEquals(waits, [...BACKOFF]);
  assertEquals(state.failingSince, START);
});

Deno.test("waits vary by chance, by a tenth at most", () => {
  fc.assert(fc.property(fc.double({ min: 0, max: 1, noNaN: true }), (random) => {
    const { state } = judge(delivery("a"), FRESH, answer(503), START, random);
    const wait = state.pausedUntil - START;
    assert(wait >= 4500 && wait <= 5500, String(wait));
  }));
});

Deno.test("what a receiver refuses waits by itself, and the others go on", () => {
  const first = delivery("a");
  const second = delivery("b", { cursor: "1.20" });
  for (const status of [400, 401, 404, 422]) {
    const { state, delivery: again, givenUp } = judge(first, FRESH, answer(status), START, 0.5);
    assert(!givenUp);
    assertEquals(state.pausedUntil, 0);
    assertEquals(again!.next, START + BACKOFF[0]!);
    assertEquals(pickNext({ state, owed: [again!, second], disabled: false }, START), second);
  }
});

Deno.test("a receiver that cannot be told holds up all that it is owed", () => {
  const outcomes: Outcome[] = [
    { kind: "unreachable", problem: "refuses the connection" },
    { kind: "unsent", problem: "the secret is missing" },
    answer(500),
    answer(502),
    answer(429),
    answer(302),
    answer(199),
  ];
  for (const outcome of outcomes) {
    const { state, delivery: again } = judge(delivery("a"), FRESH, outcome, START, 0.5);
    assertEquals(state.failures, 1);
    const owing = { state, owed: [again!, delivery("b")], disabled: false };
    assertEquals(dueAt(owing, START), START + BACKOFF[0]!, JSON.stringify(outcome));
  }
});

Deno.test("only 2xx counts, and a success forgets the failures before it", () => {
  const failing: LaneState = { ...FRESH, failures: 3, failingSince: START, lastError: "x" };
  for (const status of [200, 201, 204, 299]) {
    const { made, state, delivery: left } = judge(delivery("a"), failing, answer(status), START, 0);
    assert(made);
    assertEquals(left, null);
    const { failures, pausedUntil, failingSince, lastSuccess, lastError } = state;
    assertEquals([failures, pausedUntil, failingSince, lastSuccess, lastError], [
      ...[0, 0, null, START],
      null,
    ]);
  }
  for (const status of [100, 300, 301, 304, 400, 500, 999]) {
    assert(!judge(delivery("a"), failing, answer(status), START, 0).made, String(status));
  }
});

Deno.test("410 says that nothing is wanted any more, and loses nothing", () => {
  const verdict = judge(delivery("a"), FRESH, answer(410), START, 0);
  assert(verdict.gone && !verdict.givenUp && !verdict.made);
  assertEquals(verdict.delivery?.file, delivery("a").file);
  assertEquals(dueAt({ state: FRESH, owed: [delivery("a")], disabled: true }, START), Infinity);
});

Deno.test("Retry-After is honoured in both forms, for a day at most, and never hurries", () => {
  assertEquals(parseRetryAfter("120", START), 120_000);
  assertEquals(parseRetryAfter("Wed, 04 Mar 2026 12:01:00 GMT", START), 60_000);
  assertEquals(parseRetryAfter("Wed, 04 Mar 2020 12:01:00 GMT", START), 0);
  assertEquals(parseRetryAfter("9999999", START), 86_400_000);
  for (const bad of ["", "soon", "-5", "1e9", "NaN"]) {
    assertEquals(parseRetryAfter(bad, START), undefined, bad);
  }
  const pause = (asked: string, failures = 0) => {
    const found = judge(delivery("a"), { ...FRESH, failures }, answer(429, asked), START, 0.5);
    assertEquals(found.delivery!.attempts, 1);
    return found.state.pausedUntil - START;
  };
  assertEquals([pause("7"), pause("0"), pause("3")], [7000, 5000, 5000]);
  assertEquals(pause("Wed, 04 Mar 2015 12:01:00 GMT", 1), 300_000);
});

Deno.test("what is owed for too long is given up with the next failure, however it was asked for", () => {
  const old = delivery("a", { owedSince: START - LONGEST - 1 });
  assert(judge(old, FRESH, answer(429, "7"), START, 0).givenUp);
  assert(!judge(delivery("a"), FRESH, answer(429, "7"), START, 0).givenUp);
});

Deno.test("deliveries are made in their order, the first that is due before the others", () => {
  const later = delivery("a", { next: START + 1000 });
  const now = delivery("b", { cursor: "1.20" });
  const owing = { state: FRESH, owed: [later, now], disabled: false };
  assertEquals(pickNext(owing, START), now);
  assertEquals(dueAt(owing, START), START);
  assertEquals(pickNext({ ...owing, owed: [later] }, START), later);
  assertEquals(dueAt({ ...owing, owed: [] }, START), Infinity);
});
