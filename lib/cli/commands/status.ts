// `orchestra status`: what is going on.

import { ensureSupervisor, readDaemonInfo } from "../../supervise/watcher.ts";
import { formatStatus } from "../../format/status.ts";
import type { Queue, Snapshot } from "../../queue/queue.ts";
import type { Phase } from "../../decide/view.ts";
import type { Context } from "../context.ts";
import { describeChange } from "./run.ts";
import { selectViews, type StatusFilter, statusInput, viewJson } from "../status_input.ts";

/** Options of `status`. */
export interface StatusFlags {
  watch?: boolean;
  interval?: number;
  noAutoRetry?: boolean;
  status?: readonly (Phase | "pending")[];
  agent?: readonly string[];
  label?: readonly [string, string][];
  all?: boolean;
  usage?: boolean;
}

/** Runs `orchestra status`. */
export async function status(this: Context, flags: StatusFlags): Promise<void> {
  const queue = this.openQueue();
  const filter: StatusFilter = {
    status: flags.status,
    agent: flags.agent,
    label: flags.label,
    all: flags.all,
    usage: flags.usage,
  };
  if (flags.watch && !this.globals.json) {
    const { watchStatus } = await import("../status_watch.ts");
    return await watchStatus.call(this, queue, filter, flags);
  }
  const snapshot = await queue.look({ retry: !flags.noAutoRetry });
  await leaveWatcher(this, queue, snapshot);
  if (this.globals.json) {
    const views = selectViews(snapshot, filter, queue.now());
    const input = statusInput(queue, snapshot, filter);
    this.printJson({
      tasks: views.map(viewJson),
      counts: input.counts,
      damaged: snapshot.damaged,
      lanes: input.lanes.map(({ agent, until }) => ({
        agent,
        until: new Date(until).toISOString(),
      })),
      supervisor: input.supervisor,
    });
    return;
  }
  for (const change of snapshot.changes) {
    if (change.kind === "retried" || change.kind === "released") this.note(describeChange(change));
  }
  this.print(formatStatus(statusInput(queue, snapshot, filter), this.style(), queue.now()));
}

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
  ensureSupervisor(queue.store, context.program, [
    `--parallel=${all ? left.parallel : config.max_concurrent}`,
    `--launch=${all ? "all" : "retries"}`,
  ]);
}
