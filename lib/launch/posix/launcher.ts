// Agents on Linux and macOS: a constant `sh` script, the shim, is the parent of each. It creates
// the claim's pid file exclusively, runs the agent with its output straight into the log, and
// records the exit code. No pipe leads back to us, so our death changes nothing for it.

import { block, pause } from "../pause.ts";
import type { EndOptions, Launched, Launcher, LaunchSpec, Shim } from "../launcher.ts";
import { FENCE } from "../launcher.ts";
import { pickMarkable, pickTree, type Process, readMarks, readProcesses } from "./processes.ts";

/**
 * $1 pid file, $2 exit file, $3 log, $4 stdin, $5 folder, then the command. Values come as
 * arguments only, never as text of the script. Its variables have names that no environment has,
 * for assigning to one that the agent inherits would change the agent's.
 *
 * What else the caller had open (the lock of a script, the pipe of a CI runner) is not kept open by
 * an agent that outlives it, as far as a shell can: it knows no descriptors above 9.
 *
 * The traps keep the shim alive through a SIGTERM to its group, so that it can still record how the
 * agent ended; in the subshell they are reset. A signal before the agent runs keeps it from running.
 * The exit code is written again every second for a while where the disk is full, unless the folder
 * is gone. A pid file that the full disk leaves empty is removed, so that the claim is taken back; a
 * task that was archived or cleaned in the meantime is not run.
 */
export const SHIM = `
exec 3>&- 4>&- 5>&- 6>&- 7>&- 8>&- 9>&-
_o_mask=$(umask)
umask 077
set -Cf
_o_out=$2
_o_ended=
trap _o_ended=1 TERM INT HUP QUIT
_o_end() {
  _o_tmp=$_o_out.$$.tmp
  for _o_try in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
    if [ -e "$_o_tmp" ] || [ -L "$_o_tmp" ]; then rm -f "$_o_tmp"; fi
    [ -d "\${_o_out%/*}" ] && [ ! -d "$_o_out" ] || exit 0
    printf '%s\\n' "$1" >"$_o_tmp" && mv -f "$_o_tmp" "$_o_out" && exit 0
    sleep 1
  done
  rm -f "$_o_tmp"
  exit 0
}
_o_field() { shift 19; _o_start=$1; }
_o_boot=-
if read -r _o_line </proc/$$/stat; then
  _o_field \${_o_line##*) }
  read -r _o_boot </proc/sys/kernel/random/boot_id
else
  _o_start=$(TZ=UTC0 LC_ALL=C ps -o lstart= -p $$)
fi
[ ! -L "$1" ] || exit 0
: >"$1" || exit 0
set +C
printf '%s %s %s\\n' "$$" "$_o_boot" "$_o_start" >"$1" || { rm -f "$1"; exit 0; }
set -C
_o_task=\${1%.*.pid}
[ -e "\${_o_task%.verify}.json" ] || { rm -f "$1"; exit 0; }
_o_found() {
  case $1 in
    -*) false ;;
    */*) [ -f "$1" ] && [ -x "$1" ] ;;
    *) command -v "$1" ;;
  esac
}
cd "$5" && _o_found "$6" && [ -r "$4" ] || _o_end '127 spawn'
[ -z "$_o_ended" ] || _o_end 143
( set +Cf; umask "$_o_mask"; shift 5; exec "$@" ) <"$4" >>"$3" 2>&1
_o_end "$?"
`;

/** Milliseconds between looks at what was asked to end; the last one repeats. */
const DEAD_POLL = [1, 0.5, 0.5, 1, 1, 2, 2, 3, 5, 10, 20, 40, 80] as const;

/** How often what is left of a tree is looked for again. */
const ROUNDS = 20;

/** What the launcher is made with. */
export interface PosixOptions {
  /** Program and leading arguments of a POSIX shell. */
  shell?: readonly [string, ...string[]];
}

let hasSetsid = Deno.build.os === "linux";

/**
 * Starts a program in a session of its own, which does not keep us alive. With `detached` Deno forks
 * its whole memory and waits for the program to be loaded, 6 to 9 ms; setsid(1) is started by
 * vfork(2), in under 1 ms, and becomes the program itself: the pid is the same.
 */
export function spawnSession(
  program: string,
  options: Omit<Deno.CommandOptions, "detached">,
): Deno.ChildProcess {
  if (hasSetsid) {
    try {
      const args = [program, ...options.args ?? []];
      const child = new Deno.Command("/usr/bin/setsid", { ...options, args }).spawn();
      child.unref();
      return child;
    } catch (error) {
      if (!(error instanceof Deno.errors.NotFound)) throw error;
      hasSetsid = false;
    }
  }
  const child = new Deno.Command(program, { ...options, detached: true }).spawn();
  child.unref();
  return child;
}

/** The launcher of Linux and macOS. */
export function createPosixLauncher({ shell = ["/bin/sh"] }: PosixOptions = {}): Launcher {
  const [program, ...leading] = shell;

  function launch(spec: LaunchSpec): Launched {
    const child = spawnSession(program, {
      args: [
        ...leading,
        "-c",
        SHIM,
        "orchestra-shim",
        spec.pidFile,
        spec.exitFile,
        spec.logFile,
        spec.stdinFile ?? "/dev/null",
        spec.cwd,
        spec.command,
        ...spec.args,
      ],
      stdin: "null",
      stdout: "null",
      stderr: "null",
      cwd: "/",
      ...environment(spec),
    });
    return { pid: child.pid, ended: child.status.then(() => {}, () => {}) };
  }

  function alive(shims: readonly Shim[]): Set<number> {
    // Most of the dead are told by one system call each; a pid that lives may be another's by now.
    const candidates = shims.filter((shim) => exists(shim.pid));
    const table = readProcesses(candidates.map((shim) => shim.pid));
    return new Set(candidates.filter((shim) => lives(shim, table)).map((shim) => shim.pid));
  }

  function isMarked(taskId: string): boolean {
    const processes = [...readProcesses().values()].filter((process) => !process.zombie);
    readMarks(processes);
    return processes.some((process) => process.marker === taskId);
  }

  async function endTree(
    taskId: string,
    shim: Shim | null,
    { grace, signal, blocking = false }: EndOptions,
  ): Promise<number> {
    const known = new Map<number, string>();
    const signalled = new Set<number>();
    // What is older than the shim is not of its tree, and need not be looked at again; for a second,
    // in which no system gives out all its numbers and comes back to this one.
    let older: ReadonlySet<number> = new Set();
    let olderUntil = 0;
    const collect = () => {
      const at = performance.now();
      const table = readProcesses(undefined, at < olderUntil ? older : undefined);
      const markable = pickMarkable(table, shim);
      if (at >= olderUntil) {
        const younger = new Set(markable.map(({ pid }) => pid));
        older = new Set([...table.keys()].filter((pid) => !younger.has(pid)));
        olderUntil = at + 1000;
      }
      readMarks(markable);
      // What may not be signalled (an agent's `sudo`) is not waited for either.
      const members = pickTree(table, taskId, shim, Deno.pid, known)
        .filter((member) => !forbidden.has(member.pid));
      for (const { pid, start } of members) known.set(pid, start);
      return members;
    };
    const forbidden = new Set<number>();
    const send = (members: readonly Process[], name: Deno.Signal) => {
      for (const { pid } of members) {
        try {
          Deno.kill(pid, name);
          signalled.add(pid);
        } catch (error) {
          // Otherwise it ended by itself in the meantime.
          if (error instanceof Deno.errors.PermissionDenied) forbidden.add(pid);
        }
      }
      return members.filter(({ pid }) => !forbidden.has(pid));
    };
    /** Stops processes, until none is left that could start another behind our back. */
    const freeze = (members: readonly Process[]) => {
      const stopped = new Map<number, Process>();
      let more = members;
      for (let round = 0; more.length > 0 && round < ROUNDS; round++) {
        for (const member of send(more, "SIGSTOP")) stopped.set(member.pid, member);
        more = collect().filter(({ pid }) => pid !== shim?.pid && !stopped.has(pid));
      }
      return [...stopped.values()];
    };
    let members = collect();
    if (members.length === 0) return 0;
    await allGone(send(members, "SIGTERM"), grace, signal, blocking);
    for (let round = 0; round < ROUNDS && !signal?.aborted; round++) {
      members = collect();
      if (members.length === 0) break;
      // The shim goes last: with the agent gone it records the exit code and ends by itself.
      const isShim = (member: Process) => member.pid === shim?.pid;
      if (members.every(isShim)) {
        if (round > 0) send(members, "SIGKILL");
      } else {
        send(freeze(members.filter((member) => !isShim(member))), "SIGKILL");
      }
      await allGone(members, 250, signal, blocking);
    }
    return signalled.size;
  }

  return { launch, parsePidFile, exists, alive, isMarked, endTree };
}

function lives(shim: Shim, table: ReadonlyMap<number, Process>): boolean {
  const process = table.get(shim.pid);
  return process !== undefined && !process.zombie && process.start === shim.start;
}

/** What `Deno.Command` needs for the environment of a launch. */
export function environment(
  spec: Pick<LaunchSpec, "env" | "inherit">,
): { env: Record<string, string>; clearEnv?: boolean } {
  if (spec.inherit === null) return { env: { ...spec.env } };
  const env: Record<string, string> = {};
  for (const name of spec.inherit) {
    const value = Deno.env.get(name);
    if (value !== undefined) env[name] = value;
  }
  return { env: { ...env, ...spec.env }, clearEnv: true };
}

/** The identity in a pid file, as the shim writes it: pid, boot id, start time. */
export function parsePidFile(text: string): Shim | null | undefined {
  if (text === FENCE) return null;
  const match = /^(\d+) (\S+) (.+)\n$/.exec(text);
  if (match === null) return undefined;
  return { pid: Number(match[1]), start: `${match[2]} ${match[3]!.trim().split(/\s+/).join("_")}` };
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

async function allGone(
  members: readonly Process[],
  within: number,
  signal: AbortSignal | undefined,
  blocking: boolean,
): Promise<void> {
  const began = performance.now();
  const deadline = began + within;
  let left = [...members];
  for (let turn = 0;; turn++) {
    left = left.filter(({ pid }) => exists(pid));
    // A zombie answers too, and where nobody collects it, for ever.
    const table = readProcesses(left.map(({ pid }) => pid));
    left = left.filter((member) => lives(member, table));
    const remaining = deadline - performance.now();
    if (left.length === 0 || remaining <= 0 || signal?.aborted) return;
    const wait = Math.min(remaining, DEAD_POLL[Math.min(turn, DEAD_POLL.length - 1)]!);
    if (blocking && performance.now() - began < BLOCKING) block(wait);
    else await pause(wait, signal);
  }
}

/** How long at most a caller may be kept from its event loop, milliseconds. */
const BLOCKING = 60;
