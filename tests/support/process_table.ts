// Process tables that nobody has.

import type { Process } from "../../lib/launch/posix/processes.ts";

export function tableOf(
  ...processes: (Partial<Process> & { pid: number })[]
): Map<number, Process> {
  return new Map(processes.map((process) => [process.pid, {
    ppid: 1,
    group: 0,
    session: 0,
    threads: 1,
    zombie: false,
    stopped: false,
    start: `b ${process.pid}`,
    marker: null,
    blank: false,
    ...process,
  }]));
}

export function pidsOf(processes: readonly { pid: number }[]): number[] {
  return processes.map(({ pid }) => pid).sort((a, b) => a - b);
}

export const TASK = "task_1795331564659";
