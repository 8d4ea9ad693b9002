// A supervisor in this process, with a clock that can be set.

import type { Launched, Launcher, LaunchSpec } from "../../lib/launch/launcher.ts";
import { joinLaunchers } from "../../lib/launch/mod.ts";
import { createPosixLauncher } from "../../lib/launch/posix/launcher.ts";
import { createWindowsLauncher } from "../../lib/launch/windows/launcher.ts";
import { openQueue, type Queue } from "../../lib/queue/queue.ts";
import { type WatchOptions, watchOver as watch } from "../../lib/supervise/loop.ts";
import type { Mirror } from "../../lib/supervise/mirror.ts";
import type { Box } from "./program.ts";

/** The system's clock, a jump later. */
class FakeClock {
  offset = 0;
  jumpedAt: number | undefined;

  jump(millis: number): void {
    this.offset += millis;
    this.jumpedAt = Date.now();
  }
}

/** A supervisor in this process, with a clock that can be set. */
export interface Watched extends AsyncDisposable {
  queue: Queue;
  clock: FakeClock;
  over: Promise<Mirror>;
}

export function watchOver(
  box: Box,
  options: Partial<WatchOptions> = {},
  onLaunch?: (clock: FakeClock) => void,
  launch: (spec: LaunchSpec, launcher: Launcher) => Launched = (spec, own) => own.launch(spec),
): Watched {
  const clock = new FakeClock();
  const launcher = Deno.build.os === "windows" ? createWindowsLauncher() : createPosixLauncher();
  // The file system reads the same clock: what is written after a jump carries its time.
  const written = Deno.lstatSync;
  Deno.lstatSync = (path) => {
    const info = written(path);
    const { mtime } = info;
    if (mtime === null || mtime.getTime() < (clock.jumpedAt ?? Infinity)) return info;
    return { ...info, mtime: new Date(mtime.getTime() + clock.offset) };
  };
  const queue = openQueue(box.root, {
    now: () => Date.now() + clock.offset,
    launchers: joinLaunchers({
      ...launcher,
      launch(spec) {
        const launched = launch(spec, launcher);
        onLaunch?.(clock);
        return launched;
      },
    }),
  });
  const stop = new AbortController();
  const over = watch(queue, {
    wanted: () => ({ launch: "all", parallel: 3 }),
    until: "finished",
    interval: 0.2,
    signal: stop.signal,
    ...options,
  });
  return {
    queue,
    clock,
    over,
    async [Symbol.asyncDispose]() {
      stop.abort();
      await over;
      Deno.lstatSync = written;
    },
  };
}
