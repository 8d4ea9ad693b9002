// Agents on Linux and macOS: a constant `sh` script, the shim, is the parent of each. It creates
// the claim's pid file exclusively, runs the agent with its output straight into the log, and
// records the exit code. No pipe leads back to us, so our death changes nothing for it.

import type { EndOptions, Launched, Launcher, LaunchSpec, Shim } from "./launcher.ts";
import { FENCE } from "./launcher.ts";
import { pickTree, type Process, readProcesses } from "./processes.ts";

/**
 * $1 pid file, $2 exit file, $3 log, $4 stdin, $5 folder, then the command. Values come
 * as arguments only, never as text of the script. The traps keep the shim alive through a SIGTERM
 * to its group, so that it can still record how the agent ended; in the subshell they are reset.
 */
export const SHIM = `
mask=$(umask)
umask 077
set -Cf
out=$2
finish() {
  umask 077
  set +C
  printf '%s\\n' "$1" >"$out.$$.tmp" && mv -f "$out.$$.tmp" "$out"
  exit 0
}
start_time() { shift 21; start=$1; }
boot=-
if read -r line </proc/$$/stat; then
  start_time $line
  read -r boot </proc/sys/kernel/random/boot_id
else
  start=$(LC_ALL=C ps -o lstart= -p $$)
fi
printf '%s %s %s\\n' "$$" "$boot" "$start" >"$1" || exit 0
set +Cf
trap : TERM INT HUP QUIT
cd "$5" || finish '127 spawn'
command -v "$6" >/dev/null || finish '127 spawn'
umask "$mask"
( shift 5; exec "$@" ) <"$4" >>"$3" 2>&1
finish "$?"
`;

const DEAD_POLL = [2, 5, 10, 20, 40, 80] as const;

/** The launcher of Linux and macOS. */
export function createPosixLauncher(): Launcher {
  function launch(spec: LaunchSpec): Launched {
    const child = new Deno.Command("/bin/sh", {
      args: [
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
      detached: true,
      ...environment(spec),
    }).spawn();
    child.unref();
    return { pid: child.pid, ended: child.status.then(() => {}, () => {}) };
  }

  function alive(shims: readonly Shim[]): Set<number> {
    // Most of the dead are told by one system call each; a pid that lives may be another's by now.
    const candidates = shims.filter((shim) => exists(shim.pid));
    const table = readProcesses(candidates.map((shim) => shim.pid));
    return new Set(
      candidates.filter((shim) => {
        const process = table.get(shim.pid);
        return process !== undefined && !process.zombie && process.start === shim.start;
      }).map((shim) => shim.pid),
    );
  }

  async function endTree(
    taskId: string,
    shim: Shim | null,
    { grace, signal }: EndOptions,
  ): Promise<number> {
    const collect = () => pickTree(readProcesses(), taskId, shim, Deno.pid);
    const signalled = new Set<number>();
    const send = (members: Process[], name: Deno.Signal) => {
      for (const { pid } of members) {
        signalled.add(pid);
        try {
          Deno.kill(pid, name);
        } catch {
          // Ended by itself in the meantime.
        }
      }
    };
    let members = collect();
    if (members.length === 0) return 0;
    send(members, "SIGTERM");
    await allGone(members, grace, signal);
    for (let round = 0; round < 20 && !signal?.aborted; round++) {
      members = collect();
      if (members.length === 0) break;
      // The shim goes last: with the agent gone it records the exit code and ends by itself.
      const others = members.filter((member) => member.pid !== shim?.pid);
      send(others.length === 0 && round > 0 ? members : others, "SIGKILL");
      await allGone(members, 250, signal);
    }
    return signalled.size;
  }

  return { launch, parsePidFile, exists, alive, endTree };
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
): Promise<void> {
  const deadline = performance.now() + within;
  let left = members.map((member) => member.pid);
  for (let turn = 0;; turn++) {
    left = left.filter(exists);
    // A zombie answers too: ask the table now and then whether those left are more than that.
    if (left.length > 0 && turn % 4 === 3) {
      const table = readProcesses(left);
      left = left.filter((pid) => table.get(pid)?.zombie === false);
    }
    const remaining = deadline - performance.now();
    if (left.length === 0 || remaining <= 0 || signal?.aborted) return;
    await pause(Math.min(remaining, DEAD_POLL[Math.min(turn, DEAD_POLL.length - 1)]!), signal);
  }
}

/** Waits for some milliseconds, or until the signal is aborted. */
export function pause(millis: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(done, millis);
    function done() {
      clearTimeout(timer);
      signal?.removeEventListener("abort", done);
      resolve();
    }
    signal?.addEventListener("abort", done);
    if (signal?.aborted) done();
  });
}
