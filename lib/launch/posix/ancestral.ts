// Processes that the ancestor launched: it recorded a bare number and, in local time, when. A process
// with that number is the task's where it began at that time and does the task's work: its command line
// names the task, or it works in the workspace. Reads only.

import { parseTime } from "../../task/fields.ts";
import type { Identity, LegacyTask } from "../launcher.ts";
import { formatPidText, type Lookout } from "./place.ts";
import { type Process, readMarks } from "./processes.ts";

/** The ancestor wrote the start of a task around that of its process, within this, milliseconds. */
const SLACK = 2000;
/** A clock is set by a day at most, and a name for local time by less, milliseconds. */
const LATER = 86_400_000;
/** Ticks in a second: fixed in what Linux tells processes, proc_pid_stat(5). */
const TICKS = 100;

/** Whether a number can be that of an agent. */
export function isNumber(pid: number | null): pid is number {
  return Number.isSafeInteger(pid) && pid! > 1;
}

/**
 * What a living process that has a task's number is to the task: its identity where it is proven to be
 * the task's, null where the number was given to another since, `unknown` where neither is certain.
 *
 * @param root of the workspace
 */
export function judgeAncestral(
  { taskId, startedAt }: LegacyTask,
  process: Process,
  root: string,
  mine: Lookout,
): Identity | null | "unknown" {
  if (mine.namespace === "?") return "unknown";
  readMarks([process]);
  const began = startOf(process.start);
  const wanted = parseTime(startedAt);
  if (began === null || wanted === null) return "unknown";
  const works = worksFor(process.pid, taskId, root);
  if (Math.abs(began - wanted) <= SLACK && works === true && process.marker === null) {
    const { pid } = process;
    return { pid, token: formatPidText(process, mine) };
  }
  return began - wanted > LATER && works === false && mine.whole ? null : "unknown";
}

/** Milliseconds since the epoch at which a process began; null where the system does not tell. */
function startOf(start: string): number | null {
  const text = start.slice(start.indexOf(" ") + 1);
  if (Deno.build.os !== "linux") {
    const millis = Date.parse(`${text.replaceAll("_", " ")} UTC`);
    return Number.isNaN(millis) ? null : millis;
  }
  try {
    const began = /^btime (\d+)$/m.exec(Deno.readTextFileSync("/proc/stat"))?.[1];
    return began === undefined ? null : Number(began) * 1000 + Number(text) / TICKS * 1000;
  } catch {
    return null;
  }
}

/**
 * Whether a process's command line names a task, or its folder is the workspace's; undefined where
 * that cannot be read.
 */
function worksFor(pid: number, taskId: string, root: string): boolean | undefined {
  try {
    return Deno.readTextFileSync(`/proc/${pid}/cmdline`).includes(taskId) ||
      Deno.readLinkSync(`/proc/${pid}/cwd`) === Deno.realPathSync(root);
  } catch {
    return undefined;
  }
}
