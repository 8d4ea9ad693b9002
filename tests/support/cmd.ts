// Lines for cmd.exe, given to it as somebody would type them. Loaded on Windows alone: what quotes a line
// for it is Node.js' way to start a program.

import { spawn } from "node:child_process";
import { text } from "node:stream/consumers";
import { cleanEnv, type Outcome } from "./program.ts";

/** Runs a line, and waits for its end. */
export async function runTyped(
  line: string,
  { cwd, env = {} }: { cwd: string; env?: Record<string, string> },
): Promise<Outcome> {
  const child = spawn("cmd.exe", ["/d", "/s", "/c", `"${line}"`], {
    cwd,
    env: { ...cleanEnv(), ...env },
    windowsHide: true,
    windowsVerbatimArguments: true,
    stdio: ["ignore", "pipe", "pipe"],
  });
  const ended = new Promise<number>((resolve, reject) => {
    child.on("error", reject);
    child.on("exit", (code) => resolve(code ?? -1));
  });
  const [stdout, stderr] = await Promise.all([text(child.stdout), text(child.stderr)]);
  return { code: await ended, stdout, stderr };
}
