// `orchestra _supervise`: the supervisor that other commands leave in the background. It goes away
// when nothing is left to do; killed, whoever looks next leaves another one.

import { buildCommand } from "@stricli/core";
import { loadRules } from "../../queue/queue.ts";
import { watchOver } from "../../supervise/loop.ts";
import {
  announce,
  removeDaemonInfo,
  type StandingOrder,
  waitForDaemonLock,
} from "../../supervise/watcher.ts";
import type { OrchestraError } from "../../task/error.ts";
import { openNews } from "../beside.ts";
import type { Context } from "../context.ts";
import { integer } from "../flags.ts";
import { stopSignal } from "../look_on.ts";
import { followOrders } from "../supervision.ts";

export const command = buildCommand({
  func: superviseInBackground,
  parameters: {
    flags: {
      parallel: {
        kind: "parsed",
        optional: true,
        parse: integer(1, 1000),
        brief: "most at once",
      },
      launch: { kind: "enum", values: ["retries", "all"], brief: "what to launch" },
    },
  },
  docs: { brief: "The supervisor that run leaves behind" },
});

async function superviseInBackground(this: Context, order: StandingOrder): Promise<void> {
  const queue = await this.openQueue();
  if (this.globals.debug) await this.traceToFile(queue.store);
  const lock = await waitForDaemonLock(queue.store);
  if (lock === undefined) return;
  this.endsByExit = true;
  const stop = stopSignal();
  const mine = announce(queue.store, "supervisor", order);
  // Limits are enforced while a setting is wrong, too: as the defaults say.
  const onBroken = ({ message }: OrchestraError) => this.trace("problem", { problem: message });
  const { config } = await loadRules(queue, onBroken);
  if (config.debug_log && !this.globals.debug) await this.traceToFile(queue.store);
  const leave = () => {
    // Moved away meanwhile, it is another's folder.
    if (queue.store.isHere() && lock.keeps()) removeDaemonInfo(queue.store);
    lock[Symbol.dispose]();
  };
  let left = false;
  const problem = (text: string) => this.trace("problem", { problem: text });
  await watchOver(queue, {
    beside: openNews(this, queue, problem),
    wanted: followOrders(queue, mine),
    until: "finished",
    lock,
    onBroken,
    signal: stop.signal,
    // Inside the workspace lock: whoever launches next sees that nobody watches.
    onFinished() {
      leave();
      left = true;
    },
    onProblem: problem,
  });
  if (!left) leave();
}
