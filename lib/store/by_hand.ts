// What a person does by hand about a process or a file, in the commands of their system.

import { quote } from "../task/error.ts";

const WINDOWS = Deno.build.os === "windows";

/** How to end a process that does not listen. */
export function endByHand(pid: number): string {
  return WINDOWS ? `taskkill /F /PID ${pid}` : `kill -9 ${pid}`;
}

/** How to see who has a file open. */
export function findByHand(path: string): string {
  return WINDOWS
    ? `resmon   (CPU, Associated Handles: ${path.split("/").at(-1)})`
    : `fuser ${quote([path])}`;
}
