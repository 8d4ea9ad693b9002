// The places where agents run. There is one today, this machine; that of Windows is loaded there only.

import type { Trace } from "../task/trace.ts";
import type { Launcher } from "./launcher.ts";
import { createPosixLauncher } from "./posix/launcher.ts";

const create: (options: { trace?: Trace }) => Launcher = Deno.build.os === "windows"
  ? (await import("./windows/launcher.ts")).createWindowsLauncher
  : createPosixLauncher;

/** The places by name. */
export interface Launchers {
  /** The place of a name; null is this machine. */
  of(place: string | null): Launcher;
}

/** The places that this program knows. */
export function openLaunchers(options: { trace?: Trace } = {}): Launchers {
  const local = create(options);
  return {
    // A name that nobody knows is of a later version: what runs there is not to be seen from here.
    of: (place) => place === null || place === "local" ? local : foreign(place, local),
  };
}

/** A place that this version does not know. */
function foreign(place: string, local: Launcher): Launcher {
  return {
    ...local,
    launch() {
      throw new Error(`this version of Orchestra knows no place ${JSON.stringify(place)}`);
    },
    probe: (asked) => Promise.resolve(new Map(asked.map(({ token }) => [token, "unknown"]))),
    marked: () => Promise.resolve("unknown"),
    endTree: () => Promise.resolve({ signalled: 0, left: 0, unknown: true }),
  };
}

/**
 * Runs a Windows shim in this process: what the hidden command `_shim` does.
 *
 * @param specFile file with what to launch
 */
export async function runWindowsShim(specFile: string): Promise<void> {
  const { runShim } = await import("./windows/shim.ts");
  await runShim(specFile);
}
