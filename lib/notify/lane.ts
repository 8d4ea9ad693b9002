// One subscriber while somebody watches: what it is owed, in memory as on disk, and one attempt after the
// other. What came of an attempt is on disk before the next one; killed in between, it is made again.

import type { Subscriber } from "../settings/subscribers.ts";
import type { Store } from "../store/tasks.ts";
import { formatTime } from "../task/fields.ts";
import { runFor, sendTo } from "./attempt.ts";
import { type Channel, openChannel } from "./channel.ts";
import { collect } from "./collect.ts";
import type { HookOutcome } from "./hook.ts";
import {
  believed,
  bury,
  compareDeliveries,
  type Delivery,
  disable,
  lanePath,
  type LaneState,
  listFiles,
  logAttempt,
  makeFolder,
  makeLane,
  readDelivery,
  readDisabled,
  readState,
  removeDelivery,
  removeStrays,
  takeResume,
  updateDelivery,
  writeState,
} from "./outbox.ts";
import { describe, dueAt, judge, LONGEST, type Outcome } from "./plan.ts";

/** One subscriber. */
export interface Lane {
  subscriber: Subscriber;
  readonly folder: string;
  state: LaneState;
  disabled: boolean;
  /** In order. */
  owed: Delivery[];
  running: boolean;
  /** The state says more than its file. */
  dirty: boolean;
  /** Its file is being written. */
  saving: Promise<void>;
  channel: { readonly of: Subscriber; readonly channel: Channel } | undefined;
}

/** What is needed to tell anybody. */
export interface Teller {
  readonly store: Store;
  /** Module of the command line, or the path of the compiled program. */
  readonly program: string;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
  /** From 0 to 1. */
  readonly random: () => number;
}

/** Opens the lane of a subscriber; its place is on disk before anything is looked for. */
export async function openLane({ store, now }: Teller, subscriber: Subscriber): Promise<Lane> {
  const folder = lanePath(store.dir, subscriber.name);
  makeFolder(folder);
  removeStrays(folder, now());
  await makeLane(store.dir, subscriber.name, subscriber.since, now());
  const read = readState(folder, subscriber.since);
  const state = { ...read, pausedUntil: believed(read.pausedUntil, now()) };
  const lane: Lane = {
    subscriber,
    folder,
    state,
    disabled: false,
    owed: [],
    running: false,
    dirty: false,
    saving: Promise.resolve(),
    channel: undefined,
  };
  refill(lane, now());
  return lane;
}

/** Takes over what others have put in or taken out since. */
export function refill(lane: Lane, now: number): void {
  const { folder } = lane;
  makeFolder(folder);
  if (takeResume(folder)) {
    lane.state = { ...lane.state, failures: 0, pausedUntil: 0 };
    lane.dirty = true;
    lane.owed = lane.owed.map((delivery) => ({ ...delivery, next: now }));
  }
  lane.disabled = readDisabled(folder) !== undefined;
  const known = new Map(lane.owed.map((delivery) => [delivery.file, delivery]));
  const owed: Delivery[] = [];
  for (const file of listFiles(folder)) {
    const delivery = known.get(file) ?? readDelivery(folder, file);
    if (delivery !== undefined) owed.push({ ...delivery, next: believed(delivery.next, now) });
    else bury(folder, file); // None that can be understood: it is kept, and disturbs no other.
  }
  lane.owed = owed.sort(compareDeliveries);
}

/** Makes deliveries of what was told in the history since. */
export async function collectInto(lane: Lane, { store, now }: Teller): Promise<void> {
  makeFolder(lane.folder);
  await collect(store.dir, lane.folder, lane.subscriber, lane.state, now(), {
    add(deliveries) {
      const known = new Set(lane.owed.map(({ file }) => file));
      lane.owed = [...lane.owed, ...deliveries.filter(({ file }) => !known.has(file))]
        .sort(compareDeliveries);
    },
    async moveTo(cursor) {
      if (cursor === lane.state.cursor) return;
      lane.state = { ...lane.state, cursor };
      lane.dirty = true;
      await keepState(lane);
    },
  });
}

/**
 * Makes one attempt, and what follows from it.
 *
 * @param signal ends it: it is made again by whoever watches next
 */
export async function attempt(
  lane: Lane,
  delivery: Delivery,
  teller: Teller,
  signal: AbortSignal,
): Promise<void> {
  const { subscriber } = lane;
  const { store, program, now } = teller;
  if (subscriber.kind !== "webhook") {
    // That it is begun is on disk: one that takes whoever watches with it is not run for ever.
    const begun = { ...delivery, attempts: delivery.attempts + 1 };
    updateDelivery(lane.folder, begun);
    const outcome: HookOutcome = delivery.attempts < MOST_BEGUN
      ? await runFor(subscriber, delivery.event, store, signal)
      : { ok: false, problem: "whoever watched ended each time that it ran" };
    if (!signal.aborted) await settleHook(lane, begun, outcome, now());
    return;
  }
  if (lane.channel?.of !== subscriber) closeChannel(lane);
  lane.channel ??= { of: subscriber, channel: openChannel(subscriber, program, store.root) };
  const outcome = await sendTo(subscriber, delivery.event, store, lane.channel.channel);
  if (signal.aborted) return;
  await settleWebhook(lane, delivery, outcome, teller);
  if (dueAt(lane, now()) <= now()) return;
  closeChannel(lane);
  await keepState(lane);
}

/** A hook that somebody kills is run so many times, at most. */
const MOST_RUNS = 3;
/** And so many times where whoever watched did not see its end. */
const MOST_BEGUN = 10;
/** And again after this, milliseconds. */
const RUN_AGAIN = 1000;

/** A hook is run once, whatever comes of it; once more where it was killed. */
async function settleHook(
  lane: Lane,
  delivery: Delivery,
  outcome: HookOutcome,
  now: number,
): Promise<void> {
  noteAttempt(lane, delivery, delivery.attempts, outcome.ok, outcome.problem || "done", now);
  if (outcome.isKilled && delivery.attempts < MOST_RUNS) {
    const again = { ...delivery, next: now + RUN_AGAIN };
    lane.owed = lane.owed.map((one) => one.file === again.file ? again : one);
    updateDelivery(lane.folder, again);
    return;
  }
  forget(lane, delivery);
  removeDelivery(lane.folder, delivery.file);
  const { state } = lane;
  lane.dirty = true;
  lane.state = outcome.ok
    ? { ...state, failingSince: null, lastSuccess: now, lastError: null }
    : { ...state, failingSince: state.failingSince ?? now, lastError: outcome.problem };
  if (lane.owed.length === 0) await keepState(lane);
}

async function settleWebhook(
  lane: Lane,
  delivery: Delivery,
  outcome: Outcome,
  teller: Teller,
): Promise<void> {
  const now = teller.now();
  const verdict = judge(delivery, lane.state, outcome, now, teller.random());
  noteAttempt(lane, delivery, delivery.attempts + 1, verdict.made, describe(outcome), now);
  lane.state = { ...verdict.state, cursor: lane.state.cursor };
  lane.dirty = true;
  if (verdict.delivery === null) {
    forget(lane, delivery);
    removeDelivery(lane.folder, delivery.file);
  } else if (verdict.givenUp) {
    const late = lane.owed.filter(({ owedSince }) => now - owedSince > LONGEST);
    for (const one of new Set([delivery, ...late])) {
      forget(lane, one);
      bury(lane.folder, one.file);
    }
  } else {
    lane.owed = lane.owed.map((one) => one.file === delivery.file ? verdict.delivery! : one);
    updateDelivery(lane.folder, verdict.delivery);
  }
  if (verdict.gone) {
    lane.disabled = true;
    await disable(lane.folder, describe(outcome), now);
  }
  if (!verdict.made) await keepState(lane);
}

function noteAttempt(
  { folder }: Lane,
  { event }: Delivery,
  attempt: number,
  ok: boolean,
  outcome: string,
  now: number,
): void {
  logAttempt(folder, {
    time: formatTime(now),
    id: event.key,
    event: event.event,
    attempt,
    outcome,
    ok,
  });
}

function forget(lane: Lane, { file }: Delivery): void {
  lane.owed = lane.owed.filter((one) => one.file !== file);
}

/** Writes how it stands: one write after the other, each of what is known then. */
export function keepState(lane: Lane): Promise<void> {
  const write = async () => {
    if (!lane.dirty) return;
    lane.dirty = false;
    await writeState(lane.folder, lane.state);
  };
  lane.saving = lane.saving.then(write, write);
  return lane.saving;
}

/** Ends the process that sends, if there is one. */
export function closeChannel(lane: Lane): void {
  lane.channel?.channel.close();
  lane.channel = undefined;
}
