// `orchestra _supervise`: the supervisor that other commands leave in the background. It goes away
// when nothing is left to do; killed, whoever looks next leaves another one.

import { buildCommand } from "@stricli/core";
import { readProcesses } from "../../launch/posix/processes.ts";
import { type LaunchMode, supervise } from "../../supervise/loop.ts";
import {
  type DaemonInfo,
  removeDaemonInfo,
  tryDaemonLock,
  writeDaemonInfo,
} from "../../supervise/watcher.ts";
import { formatTime } from "../../task/fields.ts";
import type { Context } from "../context.ts";
import { integer } from "../flags.ts";
import { readOrders } from "../supervision.ts";

interface SuperviseFlags {
  parallel: number;
  launch: LaunchMode;
}

export const command = buildCommand({
  func: superviseInBackground,
  parameters: {
    flags: {
      parallel: { kind: "parsed", parse: integer(1, 1000), brief: "most at once" },
      launch: { kind: "enum", values: ["retries", "all"], brief: "what to launch" },
    },
  },
  docs: { brief: "The supervisor that run leaves behind" },
});

async function superviseInBackground(this: Context, flags: SuperviseFlags): Promise<void> {
  const queue = await this.openQueue();
  if (this.globals.debug) await this.traceToFile(queue.store);
  // A command that only asks whether somebody watches holds the lock for a moment.
  let lock = tryDaemonLock(queue.store);
  for (let turn = 0; lock === undefined && turn < 20; turn++) {
    await new Promise((resolve) => setTimeout(resolve, 10));
    lock = tryDaemonLock(queue.store);
  }
  if (lock === undefined) return;
  this.endsByExit = true;
  const stop = new AbortController();
  for (const name of ["SIGTERM", "SIGINT"] as const) {
    Deno.addSignalListener(name, () => stop.abort());
  }
  const mine: DaemonInfo = {
    pid: Deno.pid,
    start: readProcesses([Deno.pid]).get(Deno.pid)?.start,
    startedAt: formatTime(Date.now()),
    kind: "supervisor",
    launch: flags.launch,
    parallel: flags.parallel,
  };
  writeDaemonInfo(queue.store, mine);
  const { config } = await queue.rules();
  if (config.debug_log && !this.globals.debug) await this.traceToFile(queue.store);
  const leave = () => {
    removeDaemonInfo(queue.store);
    lock[Symbol.dispose]();
  };
  await supervise(queue, {
    launch: flags.launch,
    parallel: flags.parallel,
    until: flags.launch === "all" ? "drained" : "idle",
    signal: stop.signal,
    interval: config.interval,
    orders: readOrders(queue, mine),
    // Inside the workspace lock: whoever launches next sees that nobody watches.
    onIdle: leave,
  });
  if (stop.signal.aborted) leave();
}
