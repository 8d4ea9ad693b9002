// `orchestra status --watch`: drawn anew on every change, and on a clock as the safety net.

import { formatStatus } from "../format/status.ts";
import type { Queue } from "../queue/queue.ts";
import type { Context } from "./context.ts";
import { readKeys } from "./keys.ts";
import { openNotices } from "./notices.ts";
import { lookOn, stopSignal } from "./look_on.ts";
import { createScreen } from "./screen.ts";
import { type StatusFilter, statusInput } from "./status_input.ts";

/** How `status --watch` looks. */
export interface WatchFlags {
  /** At least this often, seconds. */
  interval?: number;
  noAutoRetry?: boolean;
}

/** Shows the queue until it is interrupted. */
export async function watchStatus(
  this: Context,
  queue: Queue,
  filter: StatusFilter,
  flags: WatchFlags,
): Promise<void> {
  this.endsByExit = true;
  const stop = stopSignal(() => this.fail(130));
  const screen = this.interactive ? createScreen(this, queue, filter) : undefined;
  const keys = screen === undefined ? undefined : readKeys(() => stop.abort());
  let last = "";
  try {
    await lookOn(this, queue, {
      until: "forever",
      signal: stop.signal,
      interval: flags.interval,
      retry: !flags.noAutoRetry,
      onChange: await openNotices(this, queue),
      onTurn: ({ index, damaged, shared }) => {
        const tasks = [...index.byId.values()];
        if (screen !== undefined) return screen.update(tasks, [...damaged.values()], index, shared);
        // Piped: the table again whenever it differs, separated by an empty line.
        const shown = { tasks, damaged: [...damaged.values()], index, shared };
        // Who watches is no change of the queue: a table that stays must not tell it.
        const input = { ...statusInput(queue, shown, filter), supervisor: null };
        const table = formatStatus(input, this.style(), queue.now());
        const text = input.counts.total === 0 ? this.spell(table) : table;
        if (text !== last) this.print(last === "" ? text : `\n${text}`);
        last = text;
      },
    });
  } finally {
    keys?.close();
    screen?.close();
  }
}
