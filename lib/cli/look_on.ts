// Commands that look on while others work: the live model, what is to be done left to whoever watches,
// and an end by Ctrl+C, a closed terminal or a reader that has gone.

import type { Queue } from "../queue/queue.ts";
import { type WatchOptions, watchOver } from "../supervise/loop.ts";
import { hasOne, type Mirror } from "../supervise/mirror.ts";
import { isWatched } from "../supervise/watcher.ts";
import type { Context } from "./context.ts";
import { leaveSupervisor, orderLeft } from "./supervision.ts";

/** Milliseconds that a supervisor gets to begin before another one is left. */
const BEGINS = 3000;

/** How a command looks on. */
export type LookOptions =
  & Pick<WatchOptions, "until" | "signal">
  & Partial<Pick<WatchOptions, "interval" | "retry" | "onChange" | "onTurn">>;

/** Looks on until something is so, or the signal is aborted. */
export async function lookOn(
  context: Context,
  queue: Queue,
  options: LookOptions,
): Promise<Mirror> {
  const config = await context.config(queue.store);
  return await watchOver(queue, {
    ...options,
    signal: AbortSignal.any([options.signal, context.readerGone]),
    wanted: () => ({ launch: "nothing" }),
    leaveToOthers: keepWatched(context, queue, config.supervise),
    onProblem: (problem) => context.note(problem),
  });
}

/** Whether somebody watches; where nobody does, somebody is left to. */
export function keepWatched(
  context: Context,
  queue: Queue,
  supervise: boolean,
): NonNullable<WatchOptions["leaveToOthers"]> {
  let left = -Infinity;
  return (mirror, unseen) => {
    // What runs elsewhere is watched over there, or by nobody.
    if (isWatched(queue.store) || unseen.size > 0) return true;
    if (!supervise) return false;
    const order = orderLeft(queue, {
      unsettled: mirror.running.size + mirror.reaping.size > 0,
      retrying: mirror.followed.size > 0 || hasOne(mirror.ready(true)),
    });
    if (order === undefined) return false;
    if (performance.now() - left < BEGINS) return true;
    left = performance.now();
    leaveSupervisor(context, queue, order);
    return true;
  };
}

/** A signal that is aborted by Ctrl+C, a polite kill, or a terminal that is closed. */
export function stopSignal(onStop: () => void = () => {}): AbortController {
  const stop = new AbortController();
  const signals: Deno.Signal[] = Deno.build.os === "windows"
    ? ["SIGINT", "SIGBREAK"]
    : ["SIGINT", "SIGTERM", "SIGHUP"];
  for (const name of signals) {
    Deno.addSignalListener(name, () => {
      onStop();
      stop.abort();
    });
  }
  return stop;
}

/** A daemon has begun within this, milliseconds, also on a machine that has much to do. */
export const STARTS = 30_000;

/** The same for a daemon, which others ask to stop: on Windows not by a signal. */
export async function daemonStopSignal(): Promise<AbortController> {
  const stop = stopSignal();
  if (Deno.build.os === "windows") {
    const { onStopAsked } = await import("../launch/windows/stopping.ts");
    onStopAsked(() => stop.abort());
  }
  return stop;
}
