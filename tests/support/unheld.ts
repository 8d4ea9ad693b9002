// Windows removes and replaces nothing that another process has open, and one that was ended, or looks at
// a file now and then, may have it open for a moment.

import { pause } from "../../lib/launch/pause.ts";
import { PATIENCE } from "./program.ts";

/** Removes what is there, with all that is in it, when nobody on Windows has it open any more. */
export function removed(path: string): Promise<void> {
  return unheld(() => {
    try {
      Deno.removeSync(path, { recursive: true });
    } catch (error) {
      if (!(error instanceof Deno.errors.NotFound)) throw error;
    }
  });
}

/** Does something with files; on Windows again, until nobody has them open. */
export async function unheld<T>(act: () => T): Promise<T> {
  for (const until = performance.now() + PATIENCE;;) {
    try {
      return act();
    } catch (error) {
      if (Deno.build.os !== "windows" || performance.now() > until) throw error;
      await pause(20);
    }
  }
}
