// `orchestra status --watch`: drawn anew on every change, and on a clock as the safety net.

import { pause } from "../launch/pause.ts";
import { formatStatus } from "../format/status.ts";
import type { Queue } from "../queue/queue.ts";
import { watchFolder } from "../store/watch.ts";
import type { Context } from "./context.ts";
import { createScreen } from "./screen.ts";
import { type StatusFilter, statusInput } from "./status_input.ts";
import { leaveWatcher } from "./supervision.ts";

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
  const stop = new AbortController();
  for (const name of ["SIGINT", "SIGTERM"] as const) {
    Deno.addSignalListener(name, () => {
      this.fail(130);
      stop.abort();
    });
  }
  const seconds = flags.interval ?? 5;
  const screen = this.interactive ? createScreen(this, queue, filter) : undefined;
  const keys = screen === undefined ? undefined : readKeys(() => stop.abort());
  let last = "";
  try {
    using watch = watchFolder(
      queue.store.tasksDir,
      (reason) => this.note(`Watching the folder failed, looking every ${seconds} s: ${reason}`),
    );
    while (!stop.signal.aborted) {
      watch.take();
      const snapshot = await queue.look({ retry: !flags.noAutoRetry });
      await leaveWatcher(this, queue, snapshot);
      if (screen !== undefined) screen.update(snapshot.tasks, snapshot.damaged);
      else {
        // Piped: the table again whenever it differs, separated by an empty line.
        const text = formatStatus(statusInput(queue, snapshot, filter), this.style(), queue.now());
        if (text !== last) this.print(last === "" ? text : `\n${text}`);
        last = text;
      }
      await pause(seconds * 1000, stop.signal, [watch.changed()]);
    }
  } finally {
    keys?.close();
    screen?.close();
  }
}

/** Calls back on `q` or Ctrl+C in a screen; undefined where keys cannot be read one by one. */
export function readKeys(leave: () => void): { close(): void } | undefined {
  if (!Deno.stdin.isTerminal()) return undefined;
  let open = true;
  (async () => {
    const buffer = new Uint8Array(16);
    while (open) {
      const count = await Deno.stdin.read(buffer);
      if (count === null) return;
      const text = new TextDecoder().decode(buffer.subarray(0, count));
      if (text.includes("q") || text.includes("\x03")) return leave();
    }
  })().catch(() => {});
  return {
    close() {
      open = false;
    },
  };
}
