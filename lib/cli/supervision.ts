// Who watches over a workspace, seen from the command line: what a command leaves behind for what
// runs, and what whoever watches is told to launch. `daemon.json` carries it; the lock is the truth.

import type { Queue } from "../queue/queue.ts";
import { refresh, type Snapshot } from "../queue/refresh.ts";
import { NOTHING_MORE } from "../queue/step.ts";
import { configProblem, loadConfig, mayTell } from "../settings/config.ts";
import type { Config } from "../settings/config_fields.ts";
import {
  type DaemonInfo,
  daemonInfoTime,
  ensureSupervisor,
  isWatched,
  orderOf,
  readDaemonInfo,
  rereadOrder,
  type StandingOrder,
} from "../supervise/watcher.ts";
import type { EventKind } from "../task/event.ts";
import type { Context } from "./context.ts";

/** Whoever leaves somebody behind, and says so. */
type Leaver = Pick<Context, "program" | "note" | "config">;

/**
 * A look leaves a supervisor where something runs that nobody watches, or where what was ordered is due
 * and whoever had the order was killed. It says so.
 *
 * @returns whether somebody watches now
 */
export async function leaveWatcher(
  context: Leaver,
  queue: Queue,
  seen: Pick<Snapshot, "unsettled" | "retrying" | "unseen">,
): Promise<boolean> {
  if (seen.unseen) {
    const watched = isWatched(queue.store);
    if (!watched) context.note(UNSEEN);
    return watched;
  }
  const order = orderLeft(queue, seen);
  if (order === undefined) {
    if (!await leaveForNews(context, queue)) return isWatched(queue.store);
    context.note("A supervisor tells hooks and webhooks what happened, in the background");
    return true;
  }
  const config = await context.config(queue.store);
  if (!config.supervise) return isWatched(queue.store);
  if (leaveSupervisor(context, queue, order)) {
    context.note("Nobody watched over it: a supervisor goes on with it in the background");
  }
  return true;
}

/**
 * Leaves a supervisor where a hook or a webhook is to be told of something and nobody watches; says
 * whether it did. Who they are is asked only where there may be some.
 *
 * @param told kinds of what this command has told; anything where absent
 */
export async function leaveForNews(
  context: Leaver,
  queue: Queue,
  told?: ReadonlySet<EventKind>,
): Promise<boolean> {
  const { store } = queue;
  if (!mayTell(store, undefined, told) || !store.isMade() || isWatched(store)) return false;
  const { config } = await loadConfig(store);
  if (!mayTell(store, config, told)) return false;
  const { isNewsOwed } = await import("../notify/owed.ts");
  if (!await isNewsOwed(store, config, queue.now(), told) || !config.supervise) return false;
  // What somebody had ordered who was killed is not forgotten over it.
  const order = orderLeft(queue, { unsettled: true, retrying: false }) ?? { launch: "retries" };
  return leaveSupervisor(context, queue, order);
}

const UNSEEN = "Nobody watches over what runs in another container or on another machine: " +
  "look at it from there";

/**
 * What is wrong with the settings of a workspace, which whoever watches goes on without, a sentence; null for
 * nothing. A look reads them only where it needs them, and so cannot be counted upon to tell.
 */
export async function brokenSettings({ store }: Queue): Promise<string | null> {
  const problem = await configProblem(store);
  if (problem === null) return null;
  return isWatched(store)
    ? `${problem}; who watches goes on with earlier settings`
    : `${problem}; nothing is launched before it is mended`;
}

/** Whether nobody watches, and the settings say that nobody is to be left. */
export function isAlone({ store }: Queue, config: Pick<Config, "supervise">): boolean {
  return !config.supervise && !isWatched(store);
}

/**
 * What every command sees that only shows: what has ended is settled, and no more is begun. Where nobody
 * is to be left behind, limits are enforced by who looks.
 *
 * @param retry also queue due retries
 */
export function look(queue: Queue, retry = false): Promise<Snapshot> {
  return refresh(queue, {
    retry,
    may: ({ config }) => isAlone(queue, config) ? { limits: true, verify: false } : NOTHING_MORE,
  });
}

/**
 * What is to be gone on with where nobody watches: what somebody had ordered who was killed, or what
 * runs. Undefined for nothing.
 */
export function orderLeft(
  { store }: Queue,
  { unsettled, retrying }: Pick<Snapshot, "unsettled" | "retrying">,
): StandingOrder | undefined {
  // Who ends takes its record along; a daemon that was killed is started again by who started it.
  const ordered = orderOf(readDaemonInfo(store));
  if (ordered?.launch === "all") return ordered;
  return unsettled || (ordered !== undefined && retrying) ? { launch: "retries" } : undefined;
}

/** Leaves a supervisor behind, unless somebody watches already; says whether it did. */
export function leaveSupervisor(
  context: Pick<Context, "program">,
  queue: Queue,
  order: StandingOrder,
): boolean {
  return ensureSupervisor(queue.store, context.program, order);
}

/** What is to be launched: as it was ordered at first, or as others ordered since. */
export function followOrders({ store }: Queue, mine: DaemonInfo): () => StandingOrder {
  let seen = daemonInfoTime(store);
  let said = mine;
  return () => {
    const time = daemonInfoTime(store);
    if (time !== seen) {
      seen = time;
      said = rereadOrder(store, said);
    }
    return { launch: said.launch, parallel: said.parallel };
  };
}
