// The launcher for the system that this runs on. That of Windows is loaded on Windows only.

import type { Launcher } from "./launcher.ts";
import { createPosixLauncher } from "./posix/launcher.ts";

const create: () => Launcher = Deno.build.os === "windows"
  ? (await import("./windows/launcher.ts")).createWindowsLauncher
  : createPosixLauncher;

/** The launcher for this system. */
export function createLauncher(): Launcher {
  return create();
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
