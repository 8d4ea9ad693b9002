// The launcher for the system that this runs on.

import type { Launcher } from "./launcher.ts";
import { createPosixLauncher } from "./posix.ts";

/** The launcher for this system. */
export function createLauncher(): Launcher {
  return createPosixLauncher();
}
