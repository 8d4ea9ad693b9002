// Whether a process lives that is known by its number and its start time, which each system tells in its own
// way. Numbers are given away again; start times tell whose a number is. Reads, and loads nothing of
// Windows' own before it is asked there.

import { isTaskAlive as isAliveOnPosix, readProcesses } from "./posix/processes.ts";
import { openWindowsSystem } from "./windows/processes.ts";

/** A process as a record has it. */
export interface Recorded {
  readonly pid: number;
  /** As {@linkcode startOf} told it. */
  readonly start: string;
}

const windows = Deno.build.os === "windows" ? openWindowsSystem() : undefined;

/** When a living process was started, opaque; undefined where none has the number, or it may not be asked. */
export function startOf(pid: number): string | undefined {
  if (windows !== undefined) {
    const created = windows.created(pid);
    return typeof created === "bigint" ? String(created) : undefined;
  }
  const process = readProcesses([pid]).get(pid);
  return process === undefined || process.zombie ? undefined : process.start;
}

/** Whether the process of a record lives. */
export function isAlive({ pid, start }: Recorded): boolean {
  return startOf(pid) === start;
}

/** Whether it lives and is stopped (Ctrl+Z, SIGSTOP); Windows stops none. */
export function isStopped({ pid, start }: Recorded): boolean {
  if (windows !== undefined) return false;
  const process = readProcesses([pid]).get(pid);
  return process?.stopped === true && process.start === start;
}

/** Whether any process lives that carries the mark of a task, in whichever workspace. */
export function isTaskAlive(task: string): boolean {
  if (windows === undefined) return isAliveOnPosix(task);
  return windows.list().some(({ pid }) => windows.marker(pid)?.endsWith(`/${task}`) === true);
}
