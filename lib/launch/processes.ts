// The process table of Linux and macOS, and which of it belongs to a task. Reading runs one
// constant `sh` script (or `ps`), for Deno reads /proc itself only with every permission granted.

import type { Shim } from "./launcher.ts";

/** One process. */
export interface Process {
  pid: number;
  /** Its parent. */
  ppid: number;
  /** Its session; 0 where the system does not tell. */
  session: number;
  /** Ended, and waiting for its parent to notice. */
  zombie: boolean;
  /** Start time as the system tells it, opaque. */
  start: string;
  /** Value of `ORCHESTRA_TASK_ID` in its first environment. */
  marker: string | null;
}

/** Name of the environment variable that marks a task's processes. */
export const MARKER = "ORCHESTRA_TASK_ID";

// One line a process, as in /proc/<pid>/stat, after a line with the boot's id. `read` and `printf`
// are built into sh: no process is started for any of them.
const LINUX_STATS = `
read -r boot </proc/sys/kernel/random/boot_id; printf '%s\\n' "$boot"
for p in "$@"; do read -r s <"/proc/$p/stat" && printf '%s\\n' "$s"; done
exit 0`;
const LINUX_ALL = `
cd /proc || exit 0
read -r boot <sys/kernel/random/boot_id; printf '%s\\n' "$boot"
for p in [0-9]*; do read -r s <"$p/stat" && printf '%s\\n' "$s"; done
grep -a -o -z '^${MARKER}=task_[0-9]*$' [0-9]*/environ | tr '\\0' '\\n'
exit 0`;

function run(command: string, args: string[]): string {
  const { stdout } = new Deno.Command(command, {
    args,
    stdin: "null",
    stdout: "piped",
    stderr: "null",
    env: { LC_ALL: "C" },
  }).outputSync();
  return new TextDecoder().decode(stdout);
}

/**
 * The given processes, or all. Markers are read only with all.
 *
 * @param pids which; undefined for the whole table
 */
export function readProcesses(pids?: readonly number[]): Map<number, Process> {
  if (pids?.length === 0) return new Map();
  if (Deno.build.os === "darwin") {
    const format = ["-ww", "-o", "pid=,ppid=,sess=,stat=,lstart="];
    const table = run(
      "ps",
      pids === undefined ? ["-ax", ...format] : [...format, "-p", pids.join(",")],
    );
    const marked = pids === undefined ? run("ps", ["-axEww", "-o", "pid=,command="]) : "";
    return parsePs(table, marked);
  }
  const text = pids === undefined
    ? run("sh", ["-c", LINUX_ALL, "sh"])
    : run("sh", ["-c", LINUX_STATS, "sh", ...pids.map(String)]);
  return parseProc(text);
}

/** The process table from what the Linux scripts print; see proc_pid_stat(5). */
export function parseProc(text: string): Map<number, Process> {
  const table = new Map<number, Process>();
  const [boot = "-", ...lines] = text.split("\n");
  for (const line of lines) {
    const mark = /^(\d+)\/environ:[A-Z_]+=(task_\d+)$/.exec(line);
    if (mark !== null) {
      const pid = Number(mark[1]);
      const process = table.get(pid);
      if (process !== undefined) process.marker = mark[2]!;
      continue;
    }
    // The name, in parentheses, may itself hold spaces and parentheses.
    const close = line.lastIndexOf(")");
    const pid = Number.parseInt(line, 10);
    if (close < 0 || !Number.isInteger(pid)) continue;
    const fields = line.slice(close + 2).split(" ");
    const [state, ppid, , session] = fields;
    const ticks = fields[19];
    if (state === undefined || ticks === undefined) continue;
    table.set(pid, {
      pid,
      ppid: Number(ppid),
      session: Number(session),
      zombie: state === "Z" || state === "X",
      start: `${boot} ${ticks}`,
      marker: null,
    });
  }
  return table;
}

/** The process table from what macOS's `ps` prints. */
export function parsePs(text: string, marked: string): Map<number, Process> {
  const table = new Map<number, Process>();
  for (const line of text.split("\n")) {
    const [pid, ppid, session, state, ...start] = line.trim().split(/\s+/);
    if (state === undefined || start.length === 0) continue;
    table.set(Number(pid), {
      pid: Number(pid),
      ppid: Number(ppid),
      session: Number(session) || 0,
      zombie: state.startsWith("Z"),
      start: `- ${start.join("_")}`,
      marker: null,
    });
  }
  for (const line of marked.split("\n")) {
    const match = new RegExp(`^\\s*(\\d+)\\s.*\\s${MARKER}=(task_\\d+)(?:\\s|$)`).exec(line);
    const process = match === null ? undefined : table.get(Number(match[1]));
    if (process !== undefined) process.marker = match![2]!;
  }
  return table;
}

/**
 * The processes of one task, out of the whole table: the shim where its start time proves it, its
 * session and descendants, and whatever carries the task's mark, with descendants. What carries
 * another task's mark is that task's, with all that descends from it.
 *
 * @param table all processes
 * @param taskId whose tree
 * @param shim leader of its session, where known
 * @param self our own pid, never part of it
 */
export function pickTree(
  table: ReadonlyMap<number, Process>,
  taskId: string,
  shim: Shim | null,
  self: number,
): Process[] {
  const children = new Map<number, Process[]>();
  for (const process of table.values()) {
    const list = children.get(process.ppid);
    if (list === undefined) children.set(process.ppid, [process]);
    else list.push(process);
  }
  const root = shim === null ? undefined : table.get(shim.pid);
  const proven = root !== undefined && root.start === shim!.start;
  const queue: Process[] = [];
  for (const process of table.values()) {
    const ours = process.marker === taskId ||
      (proven && (process === root || process.session === root.pid));
    if (ours) queue.push(process);
  }
  const found = new Map<number, Process>();
  for (let process = queue.pop(); process !== undefined; process = queue.pop()) {
    if (found.has(process.pid) || process.pid === self || process.pid <= 1) continue;
    if (process.marker !== null && process.marker !== taskId) continue;
    found.set(process.pid, process);
    queue.push(...children.get(process.pid) ?? []);
  }
  return [...found.values()].filter((process) => !process.zombie);
}
