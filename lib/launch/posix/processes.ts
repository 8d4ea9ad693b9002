// The process table of Linux and macOS, and which of it belongs to a task. Linux is read from /proc
// file by file, with no process started; Deno allows that only with every permission granted, so
// with fewer one constant `sh` script prints the same files. macOS asks `ps`. Writes nothing.

import type { Shim } from "../launcher.ts";

/** One process. */
export interface Process {
  pid: number;
  /** Its parent. */
  ppid: number;
  /** Its session; on macOS, where `ps` tells no session, its process group. */
  session: number;
  /** Ended, and waiting for its parent to notice. */
  zombie: boolean;
  /** Start time as the system tells it, opaque. */
  start: string;
  /** Value of `ORCHESTRA_TASK_ID` in its first environment; null where it was not asked for. */
  marker: string | null;
}

/** Name of the environment variable that marks a task's processes. */
export const MARKER = "ORCHESTRA_TASK_ID";

/** One line of an environment that says whose process it is. */
const MARK = new RegExp(`(?:^|\\0)${MARKER}=(task_\\d+)(?:\\0|$)`);
const BOOT_ID = "/proc/sys/kernel/random/boot_id";

// A line with the boot's id, then the stat files of the given processes, or of all, and with all
// the marks: each line behind the name of its file, for a name may hold line breaks of its own.
// Where there is no grep, or too many processes for one, sh reads by itself (slower: byte by byte).
// Marks are lost where grep cannot tell lines ended by NUL; what descends from the shim, or is in
// its session, is found all the same.
const LINUX_TABLE = `
cd /proc || exit 0
boot=-
read -r boot <sys/kernel/random/boot_id
printf '%s\\n' "$boot"
read_stats() {
  for p; do
    while IFS= read -r s; do printf '%s/stat:%s\\n' "$p" "$s"; done <"$p/stat"
  done
}
if [ "$#" -gt 0 ]; then
  read_stats "$@"
  exit 0
fi
grep -a -H '' [0-9]*/stat
[ "$?" -lt 126 ] || read_stats [0-9]*
grep -a -o -z -H '^${MARKER}=task_[0-9]*$' [0-9]*/environ | tr '\\0' '\\n'
exit 0`;

/** What the `ps` of macOS is asked for. Each column is an option of its own: POSIX lets the text
 * behind `=` go on to the end of the argument, and that `ps` does. */
export const PS_COLUMNS: readonly string[] = ["pid", "ppid", "pgid", "stat", "lstart"]
  .flatMap((column) => ["-o", `${column}=`]);

/** Runs a constant command and returns what it prints; nothing where it cannot be run. */
function run(command: string, args: readonly string[]): string {
  const { stdout } = new Deno.Command(command, {
    args: [...args],
    stdin: "null",
    stdout: "piped",
    stderr: "null",
    // Times are compared as text, so they must not depend on where and when they are asked for.
    // An agent may have started us: its mark must not make the helper part of its tree.
    env: { LC_ALL: "C", TZ: "UTC0", [MARKER]: "" },
  }).outputSync();
  return new TextDecoder().decode(stdout);
}

/** Content of a file of /proc; undefined where it is gone or not for us. */
function readFile(path: string): string | undefined {
  try {
    return Deno.readTextFileSync(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotCapable) throw error;
    return undefined;
  }
}

/**
 * The given processes, or all. With all come their marks, unless {@linkcode readMarks} can read
 * them one by one: most need not be read.
 *
 * @param pids which; undefined for the whole table
 * @param except of the whole table, what need not be in it
 */
export function readProcesses(
  pids?: readonly number[],
  except?: ReadonlySet<number>,
): Map<number, Process> {
  if (pids?.length === 0) return new Map();
  if (Deno.build.os !== "linux") {
    const which = pids === undefined ? ["-ax"] : ["-p", pids.join(",")];
    const table = run("ps", ["-ww", ...PS_COLUMNS, ...which]);
    const marked = pids === undefined ? run("ps", ["-axEww", "-o", "pid=", "-o", "command="]) : "";
    return parsePs(table, marked);
  }
  try {
    return readProc(pids, except);
  } catch (error) {
    if (!(error instanceof Deno.errors.NotCapable)) throw error;
    return parseProc(run("/bin/sh", ["-c", LINUX_TABLE, "sh", ...(pids ?? []).map(String)]));
  }
}

function readProc(
  pids: readonly number[] | undefined,
  except: ReadonlySet<number> | undefined,
): Map<number, Process> {
  const boot = readFile(BOOT_ID)?.trim() || "-";
  const table = new Map<number, Process>();
  const add = (pid: number) => {
    const stat = readFile(`/proc/${pid}/stat`);
    const process = stat === undefined ? undefined : parseStat(pid, stat, boot);
    if (process !== undefined) table.set(pid, process);
  };
  if (pids !== undefined) pids.forEach(add);
  else {
    for (const { name } of Deno.readDirSync("/proc")) {
      const pid = Number(name);
      if (pid > 0 && !except?.has(pid)) add(pid);
    }
  }
  return table;
}

/** Fills in the marks of the given processes of a table, where they did not come with it. */
export function readMarks(processes: readonly Process[]): void {
  if (Deno.build.os !== "linux") return;
  try {
    for (const process of processes) {
      const environment = readFile(`/proc/${process.pid}/environ`);
      process.marker = environment === undefined ? null : MARK.exec(environment)?.[1] ?? null;
    }
  } catch (error) {
    if (!(error instanceof Deno.errors.NotCapable)) throw error;
  }
}

/** The process table from what the Linux script prints. */
export function parseProc(text: string): Map<number, Process> {
  const [boot, ...lines] = text.split("\n");
  const stats = new Map<number, string>();
  const marks = new Map<number, string>();
  for (const line of lines) {
    const match = /^(\d+)\/(stat|environ):(.*)$/.exec(line);
    if (match === null) continue;
    const pid = Number(match[1]);
    const rest = match[3]!;
    if (match[2] === "environ") {
      const mark = MARK.exec(rest)?.[1];
      if (mark !== undefined) marks.set(pid, mark);
    } else {
      const earlier = stats.get(pid);
      stats.set(pid, earlier === undefined ? rest : `${earlier}\n${rest}`);
    }
  }
  const table = new Map<number, Process>();
  for (const [pid, stat] of stats) {
    const process = parseStat(pid, stat, boot || "-");
    if (process !== undefined) table.set(pid, { ...process, marker: marks.get(pid) ?? null });
  }
  return table;
}

/**
 * A process from its /proc/<pid>/stat; see proc_pid_stat(5).
 *
 * @param pid under which the file was read; what the file says may be forged by a name
 */
export function parseStat(pid: number, stat: string, boot: string): Process | undefined {
  // The name, in parentheses, may itself hold spaces, parentheses and line breaks.
  const close = stat.lastIndexOf(")");
  if (close < 0) return undefined;
  const fields = stat.slice(close + 2).split(" ");
  const [state, ppid, , session] = fields;
  const ticks = fields[19];
  // A line that ends with the time itself may have been cut off in the middle of it.
  if (state === undefined || ticks === undefined || fields.length < 21) return undefined;
  return {
    pid,
    ppid: Number(ppid),
    session: Number(session),
    zombie: state === "Z" || state === "X",
    start: `${boot} ${ticks}`,
    marker: null,
  };
}

/** The process table from what macOS's `ps` prints. */
export function parsePs(text: string, marked: string): Map<number, Process> {
  const table = new Map<number, Process>();
  for (const line of text.split("\n")) {
    // "1234 1 1234 Ss Tue Sep 22 07:03:05 2026": a line cut off in the time is not taken.
    const match = /^\s*(\d+)\s+(\d+)\s+(\d+)\s+(\S+)\s+(\S.*\d{4})\s*$/.exec(line);
    if (match === null) continue;
    const pid = Number(match[1]);
    table.set(pid, {
      pid,
      ppid: Number(match[2]),
      session: Number(match[3]),
      zombie: match[4]!.startsWith("Z"),
      start: `- ${match[5]!.trim().split(/\s+/).join("_")}`,
      marker: null,
    });
  }
  // The last one counts: the environment follows the command line, and arguments may forge it.
  const mark = new RegExp(`^\\s*(\\d+)\\s.*\\s${MARKER}=(task_\\d+)(?:\\s|$)`);
  for (const line of marked.split("\n")) {
    const match = mark.exec(line);
    const process = match === null ? undefined : table.get(Number(match[1]));
    if (process !== undefined) process.marker = match![2]!;
  }
  return table;
}

/**
 * Those of a table that may carry the mark of a task: what started before its shim cannot, nor can
 * the kernel's own threads.
 */
export function pickMarkable(table: ReadonlyMap<number, Process>, shim: Shim | null): Process[] {
  const [boot, ticks] = splitStart(shim?.start ?? "");
  const since = ticks === undefined ? 0 : Number(ticks);
  return [...table.values()].filter((process) => {
    if (process.pid === 2 || process.ppid === 2 || process.zombie) return false;
    const [itsBoot, itsTicks] = splitStart(process.start);
    return !(since > 0) || itsBoot !== boot || !(Number(itsTicks) < since);
  });
}

function splitStart(start: string): [string, string | undefined] {
  const at = start.indexOf(" ");
  return at < 0 ? [start, undefined] : [start.slice(0, at), start.slice(at + 1)];
}

/**
 * The processes of one task, out of the whole table: the shim where its start time proves it, its
 * session and descendants, whatever carries the task's mark, with descendants, and what an earlier
 * look had proven. What carries another task's mark is that task's, with all that descends from it.
 *
 * @param table all processes
 * @param taskId whose tree
 * @param shim leader of its session, where known
 * @param self our own pid, never part of it
 * @param known start times by pid of what was proven before: since then a process may have lost its
 *   parent, and with it the only proof where its environment is another
 */
export function pickTree(
  table: ReadonlyMap<number, Process>,
  taskId: string,
  shim: Shim | null,
  self: number,
  known: ReadonlyMap<number, string> = new Map(),
): Process[] {
  const children = new Map<number, Process[]>();
  for (const process of table.values()) {
    const list = children.get(process.ppid);
    if (list === undefined) children.set(process.ppid, [process]);
    else list.push(process);
  }
  const root = shim === null ? undefined : table.get(shim.pid);
  const proven = root !== undefined && root.start === shim!.start &&
    (root.marker === null || root.marker === taskId);
  const queue: Process[] = [];
  for (const process of table.values()) {
    const ours = process.marker === taskId || known.get(process.pid) === process.start ||
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
