// Who watches over a workspace, seen from the command line: what a command leaves behind for what
// runs, and what whoever watches is told to launch. `daemon.json` carries it; the lock is the truth.

import {
  type DaemonInfo,
  daemonInfoTime,
  ensureSupervisor,
  isWatched,
  readDaemonInfo,
  writeDaemonInfo,
} from "../supervise/watcher.ts";
import type { Queue, Snapshot } from "../queue/queue.ts";
import type { LaunchMode } from "../supervise/loop.ts";
import type { Context } from "./context.ts";

/** What runs and is watched by nobody gets a supervisor, so that nothing runs for ever. */
export async function leaveWatcher(
  context: Context,
  queue: Queue,
  snapshot: Snapshot,
): Promise<void> {
  // Who ends takes its record along: one that is left is of somebody who was killed.
  const left = readDaemonInfo(queue.store);
  const all = left?.kind === "supervisor" && left.launch === "all";
  if (!snapshot.unsettled && !all) return;
  const config = await context.config(queue.store);
  if (!config.supervise) return;
  if (all) watchOver(context, queue, "all", left.parallel);
  else watchOver(context, queue, "retries", config.max_concurrent);
}

/** Leaves a supervisor behind, unless somebody watches already. */
export function watchOver(
  context: Context,
  queue: Queue,
  launch: LaunchMode,
  parallel: number,
): void {
  ensureSupervisor(queue.store, context.program, [
    `--parallel=${parallel}`,
    `--launch=${launch}`,
  ]);
}

/** Tells whoever watches to launch everything from now on; read with its next turn. */
export function tellLauncher(queue: Queue, parallel: number): void {
  const { store } = queue;
  const info = readDaemonInfo(store);
  if (info === undefined || info.launch === "all" || !isWatched(store)) return;
  writeDaemonInfo(store, { ...info, launch: "all", parallel });
}

/** What the supervisor is told to launch since it began; undefined where nothing changed. */
export function readOrders(
  queue: Queue,
  mine: DaemonInfo,
): () => { launch: LaunchMode; parallel: number } | undefined {
  let seen = daemonInfoTime(queue.store);
  return () => {
    const time = daemonInfoTime(queue.store);
    if (time === seen) return undefined;
    seen = time;
    const info = readDaemonInfo(queue.store);
    if (info === undefined || info.pid !== mine.pid) return undefined;
    return { launch: info.launch, parallel: info.parallel };
  };
}
