// The process table of Linux and macOS, and the place of who reads it. Linux is read from /proc file by
// file, with no process started; Deno allows that only with every permission granted, so with fewer
// one constant `sh` script prints the same files. macOS asks `ps`. Writes nothing.

import { knownHost, knownMachine, type Lookout } from "./place.ts";

/** One process. */
export interface Process {
  pid: number;
  /** Its parent. */
  ppid: number;
  /** Its process group. */
  group: number;
  /** Its session; on macOS, where `ps` tells no session, its process group. */
  session: number;
  /** Ended with all its threads, and waiting for its parent to notice. */
  zombie: boolean;
  /** How many threads it has; 1 where nobody tells. */
  threads: number;
  /** Stopped by a signal, or by who debugs it. */
  stopped: boolean;
  /** Start time as the system tells it, opaque. */
  start: string;
  /**
   * The mark of a task in its first environment; empty where it has none, null where it was not asked
   * for or may not be read.
   */
  marker: string | null;
  /**
   * Shows no environment at all: it has none, or is just being exchanged for another program (execve(2)
   * puts the new one in place some time after it has taken the old one away).
   */
  blank: boolean;
}

/** Name of the environment variable that marks a task's processes: workspace and task. */
export const MARKER = "ORCHESTRA_MARK";

/** One line of an environment that says whose process it is. */
const MARK = new RegExp(`(?:^|\\0)${MARKER}=([0-9a-z.-]+/task_\\d+)(?:\\0|$)`);
const BOOT_ID = "/proc/sys/kernel/random/boot_id";

// Six lines that tell the place: the boot's id, the machine's, its name, our own number as /proc shows
// it and as it is, the stat file of the first process, and that of the second. Then the stat files of
// the given processes, or of all, and with all the marks: each line behind the name of its file, for a
// name may hold line breaks of its own. Before all of them how many there are, and after them the names
// of the environments that are empty, with the marks of further threads. Where there is no grep, or too
// many processes for one, sh reads by itself (slower: byte by byte). Marks are lost where grep cannot tell lines ended by NUL; what
// descends from the shim, or is in its session, is found all the same.
const LINUX_TABLE = `
cd /proc || exit 0
boot= machine= host= self= first= second=
read -r boot <sys/kernel/random/boot_id
read -r machine </etc/machine-id
read -r host <sys/kernel/hostname
read -r self <self/stat
read -r first <1/stat
read -r second <2/stat
printf '%s\\n' "$boot" "$machine" "$host" "\${self%% *} $$" "$first" "$second"
read_stats() {
  for p; do
    while IFS= read -r s; do printf '%s/stat:%s\\n' "$p" "$s"; done <"$p/stat"
  done
}
if [ "$#" -gt 0 ]; then
  read_stats "$@"
  exit 0
fi
set -- [0-9]*/stat
printf 'listed:%s\\n' "$#"
grep -a -H '' "$@"
[ "$?" -lt 126 ] || read_stats [0-9]*
grep -a -o -z -H '^${MARKER}=[0-9a-z.-]*/task_[0-9]*$' [0-9]*/environ | tr '\\0' '\\n'
for p in $(grep -a -L '' [0-9]*/environ); do
  printf '%s\\n' "$p"
  set -- "\${p%/environ}"/task/*/environ
  [ "$#" -lt 2 ] || grep -a -o -z -H '^${MARKER}=[0-9a-z.-]*/task_[0-9]*$' "$@" | tr '\\0' '\\n'
done
exit 0`;

/** How many lines come before the table. */
const HEAD = 6;

/** A helper's own mark, which is no task's: where it is seen, marks can be read. */
const CANARY = "-/task_0";

/** What the `ps` of macOS is asked for. Each column is an option of its own: POSIX lets the text
 * behind `=` go on to the end of the argument, and that `ps` does. */
export const PS_COLUMNS: readonly string[] = ["pid", "ppid", "pgid", "stat", "lstart"]
  .flatMap((column) => ["-o", `${column}=`]);

/** Runs a constant command and returns what it prints; throws where there is no such program. */
function run(command: string, args: readonly string[]): string {
  const { stdout } = new Deno.Command(command, {
    args: [...args],
    stdin: "null",
    stdout: "piped",
    stderr: "null",
    // Times are compared as text, so they must not depend on where and when they are asked for.
    // An agent may have started us: its mark must not make the helper part of its tree.
    env: { LC_ALL: "C", TZ: "UTC0", [MARKER]: CANARY },
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

/** Processes, and what came with them. */
export interface Survey {
  table: Map<number, Process>;
  /** How many of all processes had ended between being listed and being read. */
  vanished: number;
  /** Where we are, where it came along. */
  place: Lookout | undefined;
  /** Whether a mark would have been seen, or can be read by {@linkcode readMarks}. */
  marked: boolean;
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
  return pids?.length === 0 ? new Map() : survey(pids, except).table;
}

/** The same, with what else is learnt on the way; also where no process is asked for. */
export function survey(pids?: readonly number[], except?: ReadonlySet<number>): Survey {
  if (Deno.build.os !== "linux") {
    if (pids?.length === 0) {
      return { table: new Map(), vanished: 0, place: undefined, marked: false };
    }
    const which = pids === undefined ? ["-ax"] : ["-p", pids.join(",")];
    const table = run("ps", ["-ww", ...PS_COLUMNS, ...which]);
    const marked = pids === undefined ? run("ps", ["-axEww", "-o", "pid=", "-o", "command="]) : "";
    return { table: parsePs(table, marked), vanished: 0, place: undefined, marked: true };
  }
  try {
    return { ...readProc(pids, except), place: undefined, marked: true };
  } catch (error) {
    if (!(error instanceof Deno.errors.NotCapable)) throw error;
    // No process has the number 0: what comes before the table is all that is asked for.
    const which = pids?.length === 0 ? [0] : pids ?? [];
    return parseProc(run("/bin/sh", ["-c", LINUX_TABLE, "sh", ...which.map(String)]));
  }
}

function readProc(
  pids: readonly number[] | undefined,
  except: ReadonlySet<number> | undefined,
): Pick<Survey, "table" | "vanished"> {
  const boot = readFile(BOOT_ID)?.trim() || "-";
  const table = new Map<number, Process>();
  let vanished = 0;
  const add = (pid: number) => {
    const stat = readFile(`/proc/${pid}/stat`);
    const process = stat === undefined ? undefined : parseStat(pid, stat, boot);
    if (process !== undefined) table.set(pid, process);
    else vanished++;
  };
  if (pids !== undefined) pids.forEach(add);
  else {
    for (const { name } of Deno.readDirSync("/proc")) {
      const pid = Number(name);
      if (pid > 0 && !except?.has(pid)) add(pid);
    }
  }
  return { table, vanished };
}

/** Number of a machine's own pid namespace: PROC_PID_INIT_INO of Linux, fixed since 3.8. */
const FIRST_NAMESPACE = "pid:[4026531836]";

/** Where this process is, as far as the system lets it see. */
export function readLookout(): Lookout {
  if (Deno.build.os !== "linux") {
    const host = knownHost(run("uname", ["-n"]).trim());
    return { boot: "-", machine: "-", host, namespace: "-", whole: true };
  }
  try {
    const line = (path: string) => readFile(path)?.split("\n", 1)[0] ?? "";
    const [boot, machine, host] = [BOOT_ID, "/etc/machine-id", "/proc/sys/kernel/hostname"]
      .map(line);
    const self = `${line("/proc/self/stat").split(" ", 1)[0]} ${Deno.pid}`;
    return lookoutOf([boot!, machine!, host!, self, line("/proc/1/stat")], inFirstNamespace());
  } catch (error) {
    if (!(error instanceof Deno.errors.NotCapable)) throw error;
    return survey([]).place!;
  }
}

function inFirstNamespace(): boolean {
  try {
    return Deno.readLinkSync("/proc/self/ns/pid") === FIRST_NAMESPACE;
  } catch (error) {
    if (error instanceof Deno.errors.NotCapable) throw error;
    return false;
  }
}

/** The place that the first lines of the Linux script tell, without that of the second process. */
function lookoutOf(
  [boot = "", machine = "", host = "", self = "", first = ""]: readonly string[],
  whole: boolean,
): Lookout {
  const [shown, own] = self.split(" ");
  const start = first.slice(first.lastIndexOf(")") + 2).split(" ")[19];
  const isOurs = shown === own && own !== undefined;
  return {
    boot: boot.trim() || "-",
    machine: knownMachine(machine.trim()),
    host: knownHost(host.trim()),
    namespace: isOurs ? start || "-" : "?",
    whole: whole && isOurs,
  };
}

/** The environment of a process, by any of its threads that has one: the first may have ended. */
function readEnvironment({ pid, threads }: Process): string | undefined {
  const environment = readFile(`/proc/${pid}/environ`);
  if (environment !== "" || !(threads > 1)) return environment;
  try {
    for (const { name } of Deno.readDirSync(`/proc/${pid}/task`)) {
      const found = readFile(`/proc/${pid}/task/${name}/environ`);
      if (found) return found;
    }
  } catch (error) {
    if (error instanceof Deno.errors.NotCapable) throw error;
  }
  return environment;
}

/** The mark of a task in an environment, whose lines end with NUL; empty where it has none. */
export function markIn(environment: string): string {
  return MARK.exec(environment)?.[1] ?? "";
}

/** Fills in the marks of the given processes of a table, where they did not come with it. */
export function readMarks(processes: readonly Process[]): void {
  if (Deno.build.os !== "linux") return;
  try {
    for (const process of processes) {
      if (process.marker !== null) continue;
      const environment = readEnvironment(process);
      process.marker = environment === undefined ? null : markIn(environment);
      process.blank = environment === "";
    }
  } catch (error) {
    if (!(error instanceof Deno.errors.NotCapable)) throw error;
  }
}

/** Whether any process lives that carries the mark of a task, in whichever workspace. */
export function isTaskAlive(task: string): boolean {
  const processes = [...readProcesses().values()];
  readMarks(processes);
  return processes.some(({ marker, zombie }) => !zombie && marker?.endsWith(`/${task}`));
}

/** The process table, and the place, from what the Linux script prints. */
export function parseProc(text: string): Survey {
  const lines = text.split("\n");
  const head = lines.splice(0, HEAD);
  // Only a machine's own namespace shows the kernel's threads, and the second process is one.
  const place = lookoutOf(head, /^2 \(kthreadd\) \S 0 0 /.test(head[5] ?? ""));
  const stats = new Map<number, string>();
  const marks = new Map<number, string>();
  const blanks = new Set<number>();
  let marked = false;
  let listed = 0;
  for (const line of lines) {
    listed = Number(/^listed:(\d+)$/.exec(line)?.[1] ?? listed);
    const empty = /^(\d+)\/environ$/.exec(line);
    if (empty !== null) blanks.add(Number(empty[1]));
    const match = /^(\d+)\/(?:task\/\d+\/)?(stat|environ):(.*)$/.exec(line);
    if (match === null) continue;
    const pid = Number(match[1]);
    const rest = match[3]!;
    if (match[2] === "environ") {
      const mark = MARK.exec(rest)?.[1];
      if (mark === CANARY) marked = true;
      else if (mark !== undefined) marks.set(pid, mark);
    } else {
      const earlier = stats.get(pid);
      stats.set(pid, earlier === undefined ? rest : `${earlier}\n${rest}`);
    }
  }
  const table = new Map<number, Process>();
  for (const [pid, stat] of stats) {
    const process = parseStat(pid, stat, place.boot);
    if (process !== undefined) {
      const marker = marks.get(pid) ?? (marked ? "" : null);
      table.set(pid, { ...process, marker, blank: blanks.has(pid) });
    }
  }
  return { table, vanished: Math.max(0, listed - table.size), place, marked };
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
  const [state, ppid, group, session] = fields;
  const ticks = fields[19];
  // A line that ends with the time itself may have been cut off in the middle of it.
  if (state === undefined || ticks === undefined || fields.length < 21) return undefined;
  const threads = Number(fields[17]);
  return {
    pid,
    ppid: Number(ppid),
    group: Number(group),
    session: Number(session),
    // Its first thread may have ended before the others: then they go on.
    zombie: (state === "Z" || state === "X") && !(threads > 1),
    threads,
    stopped: state === "T" || state === "t",
    start: `${boot} ${ticks}`,
    marker: null,
    blank: false,
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
      group: Number(match[3]),
      session: Number(match[3]),
      threads: 1,
      zombie: match[4]!.startsWith("Z"),
      stopped: match[4]!.startsWith("T"),
      start: `- ${match[5]!.trim().split(/\s+/).join("_")}`,
      marker: null,
      blank: false,
    });
  }
  // The last one counts: the environment follows the command line, and arguments may forge it.
  const mark = new RegExp(`^\\s*(\\d+)\\s.*\\s${MARKER}=([0-9a-z.-]+/task_\\d+)(?:\\s|$)`);
  for (const line of marked.split("\n")) {
    const match = mark.exec(line);
    const process = match === null ? undefined : table.get(Number(match[1]));
    if (process !== undefined) process.marker = match![2]!;
  }
  return table;
}

/** Whether a process is in a table, the same one, and has not ended. */
export function isAlive(
  { pid, start }: { readonly pid: number; readonly start: string },
  table: ReadonlyMap<number, Process>,
): boolean {
  const process = table.get(pid);
  return process !== undefined && !process.zombie && process.start === start;
}

/** Whether any process has this pid. Signal 0 is delivered to nobody: kill(2). */
export function exists(pid: number): boolean {
  try {
    Deno.kill(pid, 0);
    return true;
  } catch (error) {
    return error instanceof Deno.errors.PermissionDenied;
  }
}
