// Beside whoever watches: what is told in the history reaches hooks and webhooks. Each has a lane of its
// own, in which one delivery is made after the other, in order; a few lanes are busy at once, and none ever
// holds up the queue. All that is owed is on disk: killed at any point, whoever watches next goes on.

import { foreignPaths, loadSubscribers } from "../settings/subscribers.ts";
import type { Config } from "../settings/config_fields.ts";
import { pause } from "../launch/pause.ts";
import { messageOf, stampOf } from "../store/files.ts";
import { historyStamp } from "./collect.ts";
import {
  attempt,
  closeChannel,
  collectInto,
  keepState,
  type Lane,
  openLane,
  refill,
  type Teller,
} from "./lane.ts";
import { listLanes, makeFolder, outboxPath, removeLane } from "./outbox.ts";
import { dueAt, pickNext } from "./plan.ts";

/** What brings the news of a workspace to its subscribers. */
export interface Notifier {
  /** Looks for what is to be told; what it leads to goes on beside the caller. */
  look(config: Config): void;
  /** Whether something is being told, or is to be before long: who watches stays for it. */
  readonly isBusy: boolean;
  /** Called when it is not busy any more, and when a hook has ended while no other is begun. */
  onIdle: () => void;
  /** Whether hooks are begun; they are unless it is said that they are not. */
  beginsHooks: boolean;
  /** Names of the hooks that run. */
  readonly hooks: readonly string[];
  /**
   * Stops. What is being told has a moment to come to its end; then it is ended, and told again by whoever
   * watches next. A hook that runs has its whole time, unless somebody asks us to stop.
   *
   * @param stop aborted where somebody has asked, or does so meanwhile; where absent somebody has
   */
  close(stop?: AbortSignal): Promise<void>;
}

/** What a notifier works with. */
export interface NotifierOptions extends Teller {
  /** Told of what goes wrong, a sentence each. */
  readonly onProblem?: (problem: string) => void;
}

/** Who watches stays for what is due within this, milliseconds. */
export const SOON = 15 * 60_000;
/** Most lanes that are busy at once: slow ones hold up nobody while there are no more of them. */
const AT_ONCE = 16;
/** What others change in the outbox, or in settings, is seen after this, milliseconds. */
const POLL = 5000;
/** Hooks that are ended then have ended after this, milliseconds. */
const ENDING = 5000;
/** What is being told when who watches leaves has so long to come to its end, milliseconds. */
const MOMENT = 2000;

/** Opens the notifier of a workspace; nothing is done before the first look. */
export function openNotifier({ onProblem = () => {}, ...teller }: NotifierOptions): Notifier {
  const { store, now } = teller;
  const lanes = new Map<string, Lane>();
  /** Nothing more is begun. */
  let closing = false;
  /** What was begun is ended. */
  const over = new AbortController();
  let config: Config | undefined;
  let loaded: { readonly config: Config; readonly stamp: string } | undefined;
  let collected: string | undefined;
  let polled = -Infinity;
  let passing: Promise<void> | undefined;
  let again = false;
  let wasBusy = false;
  /** Where the system refuses (a full disk), it is tried again now and then; times of the process. */
  let refused: { readonly since: number; readonly until: number } | undefined;
  let timer: ReturnType<typeof setTimeout> | undefined;

  const stampNow = () => foreignPaths(store.root).map(stampOf).join();
  const runningLanes = () => [...lanes.values()].filter(({ running }) => running).length;
  const isHook = ({ subscriber }: Lane) => subscriber.kind !== "webhook";
  const hooks = () => [...lanes.values()].filter((lane) => lane.running && isHook(lane));
  const isFree = (lane: Lane) => !lane.running && (notifier.beginsHooks || !isHook(lane));
  const dueOf = (lane: Lane) => dueAt(lane, now());
  const isStale = () =>
    loaded === undefined || loaded.config !== config ||
    (performance.now() - polled >= POLL && loaded.stamp !== stampNow());
  const isUntold = () => lanes.size > 0 && collected !== historyStamp(store.dir);
  const mayStart = () =>
    runningLanes() < AT_ONCE &&
    [...lanes.values()].some((lane) => isFree(lane) && dueOf(lane) <= now());
  const isToPoll = () => lanes.size > 0 && performance.now() - polled >= POLL;

  function isBusy(): boolean {
    if (closing || config === undefined) return false;
    if (refused !== undefined) return performance.now() - refused.since <= SOON;
    return passing !== undefined || isUntold() ||
      [...lanes.values()].some((lane) => lane.running || dueOf(lane) <= now() + SOON);
  }

  /** Does what is to be done now, unless nothing is. */
  function kick(): void {
    if (closing || config === undefined) return;
    if (passing !== undefined) {
      again = true;
      return;
    }
    const isRefused = performance.now() < (refused?.until ?? 0);
    if (!isRefused && (isStale() || isUntold() || mayStart() || isToPoll())) {
      wasBusy = true;
      passing = pass().then(() => {
        refused = undefined;
      }, (error) => {
        const now = performance.now();
        refused = { since: refused?.since ?? now, until: now + POLL };
        onProblem(`Telling what happened: ${messageOf(error)}`);
      })
        .then(() => {
          passing = undefined;
          if (again) {
            again = false;
            kick();
          }
          rest();
        });
      return;
    }
    rest();
  }

  /** Until the next thing is due. */
  function rest(): void {
    if (closing || passing !== undefined) return;
    const busy = isBusy();
    if (wasBusy && !busy) notifier.onIdle();
    wasBusy = busy;
    clearTimeout(timer);
    if (lanes.size === 0 && refused === undefined) return;
    const free = runningLanes() < AT_ONCE ? [...lanes.values()].filter(isFree) : [];
    const due = isUntold() ? 0 : Math.min(...free.map(dueOf), Infinity) - now();
    const least = Math.max(10, (refused?.until ?? 0) - performance.now());
    timer = setTimeout(kick, Math.min(Math.max(due, least), POLL));
    Deno.unrefTimer(timer);
  }

  async function pass(): Promise<void> {
    const missing = isStale() ? await reload() : undefined;
    if (lanes.size > 0) {
      const stamp = historyStamp(store.dir);
      if (collected !== stamp) {
        await forEachLane((lane) => collectInto(lane, teller));
        collected = stamp;
      }
      if (isToPoll()) {
        polled = performance.now();
        await forEachLane((lane) => refill(lane, now()));
      }
      start();
    } else polled = performance.now();
    if (missing !== undefined) throw missing.error;
  }

  /** One that cannot be written to disturbs no other; then what was to be done fails as a whole. */
  async function forEachLane(action: (lane: Lane) => void | Promise<void>): Promise<void> {
    let thrown: { readonly error: unknown } | undefined;
    for (const lane of lanes.values()) {
      try {
        await action(lane);
      } catch (error) {
        thrown ??= { error };
      }
    }
    if (thrown === undefined) return;
    start();
    throw thrown.error;
  }

  /**
   * Reads who is to be told. One whose folder cannot be made disturbs no other.
   *
   * @returns why it could not: settings are read again then
   */
  async function reload(): Promise<{ readonly error: unknown } | undefined> {
    const wanted = config!;
    const stamp = stampNow();
    const subscribers = await loadSubscribers(store, wanted);
    for (const problem of subscribers.problems) onProblem(problem);
    if (closing) return undefined;
    let thrown: { readonly error: unknown } | undefined;
    const names = new Set<string>();
    if (subscribers.active.length > 0) {
      store.make();
      makeFolder(outboxPath(store.dir));
    }
    for (const subscriber of subscribers.active) {
      const key = subscriber.name.toLowerCase();
      names.add(key);
      const lane = lanes.get(key);
      try {
        if (lane === undefined) lanes.set(key, await openLane(teller, subscriber));
        else if (JSON.stringify(lane.subscriber) !== JSON.stringify(subscriber)) {
          lane.subscriber = subscriber;
        }
      } catch (error) {
        thrown ??= { error };
      }
    }
    for (const [key, lane] of lanes) {
      if (names.has(key)) continue;
      lanes.delete(key);
      closeChannel(lane);
    }
    if (subscribers.whole) {
      // What only waits for approval, and what the environment of another process names, keeps its place.
      for (const { name } of subscribers.unapproved) names.add(name.toLowerCase());
      names.add("otlp");
      for (const name of listLanes(store.dir)) {
        if (!names.has(name)) removeLane(store.dir, name, now());
      }
    }
    collected = undefined;
    loaded = thrown === undefined ? { config: wanted, stamp } : undefined;
    return thrown;
  }

  /** Begins what is due, the longest due first. */
  function start(): void {
    if (closing) return;
    const ready = [...lanes.values()].filter((lane) => isFree(lane) && dueOf(lane) <= now())
      .sort((a, b) => dueOf(a) - dueOf(b));
    for (const lane of ready.slice(0, Math.max(0, AT_ONCE - runningLanes()))) {
      const delivery = pickNext(lane, now());
      if (delivery === undefined) continue;
      lane.running = true;
      attempt(lane, delivery, teller, over.signal)
        .catch((error) => {
          onProblem(`Telling ${lane.subscriber.name}: ${messageOf(error)}`);
          lane.state = { ...lane.state, pausedUntil: now() + POLL };
        })
        .then(() => {
          lane.running = false;
          if (!notifier.beginsHooks) notifier.onIdle();
          kick();
        });
    }
  }

  const notifier: Notifier = {
    look(wanted) {
      config = wanted;
      kick();
    },
    get isBusy() {
      return isBusy();
    },
    onIdle() {},
    beginsHooks: true,
    get hooks() {
      return hooks().map(({ subscriber }) => subscriber.name);
    },
    async close(stop = AbortSignal.abort()) {
      closing = true;
      clearTimeout(timer);
      const until = performance.now() + MOMENT;
      while (
        (!stop.aborted && hooks().length > 0) ||
        ((runningLanes() > 0 || passing !== undefined) && performance.now() < until)
      ) await pause(10);
      over.abort();
      for (const lane of lanes.values()) closeChannel(lane);
      // A hook that does not end when it is asked to is ended.
      const last = performance.now() + ENDING;
      while (hooks().length > 0 && performance.now() < last) await pause(10);
      await Promise.all([...lanes.values()].map((lane) => keepState(lane).catch(() => {})));
    },
  };
  return notifier;
}
