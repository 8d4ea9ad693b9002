// Who is at work in a repository, as far as the system lets us see: on Linux, by /proc. Not to see a
// process is not to know that there is none; whoever asks is told whether everything can be seen.

import { readLookout } from "../launch/posix/processes.ts";
import { permitted, run } from "./disk.ts";

/** A process's numbers are turned to times with this; USER_HZ of Linux, proc_pid_stat(5). */
const TICKS = 100;

/** Numbers of all processes; none where they cannot be listed. */
function pidsOf(): number[] {
  if (Deno.build.os !== "linux") return [];
  try {
    return [...Deno.readDirSync("/proc")].map(({ name }) => Number(name)).filter((pid) => pid > 0);
  } catch {
    return [];
  }
}

function linkOf(path: string): string | undefined {
  try {
    return Deno.readLinkSync(path);
  } catch {
    return undefined;
  }
}

/** The current folder of each process, by its number, as far as they can be seen. */
export function currentFolders(): Map<number, string> {
  const folders = new Map<number, string>();
  for (const pid of pidsOf()) {
    const cwd = linkOf(`/proc/${pid}/cwd`);
    if (cwd !== undefined) folders.set(pid, cwd);
  }
  return folders;
}

/**
 * Gits that we started, in whose arguments or current folder a task's id is, as far as they can be seen: on
 * Linux. Those of others, which may read there for hours, have not our settings; nor does it count who looks
 * at a diff.
 */
export async function gitsNaming(id: string): Promise<number[]> {
  if (Deno.build.os !== "linux") return [];
  return await permitted(() => {
    Deno.readTextFileSync("/proc/self/stat");
    return pidsOf().filter((pid) => {
      const words = textOf(`/proc/${pid}/cmdline`);
      return /^(?:[^\0]*\/)?git\0.*\0core\.hooksPath=/s.test(words) &&
        !words.includes("\0diff\0") &&
        (words.includes(id) || linkOf(`/proc/${pid}/cwd`)?.includes(id) === true);
    });
  }, async () => {
    const script = `cd /proc && for pid in [0-9]*; do
      words=$(tr '\\0' ' ' <$pid/cmdline) || continue
      case $words in *' diff '*) continue ;; esac
      case $words in 'git '*core.hooksPath=*|*/'git '*core.hooksPath=*) ;; *) continue ;; esac
      case "$words $(readlink $pid/cwd)" in *$1*) echo $pid ;; esac
    done 2>/dev/null`;
    return (await run("sh", ["-c", script, "sh", id]) ?? "").split("\n").filter((it) => it !== "")
      .map(Number);
  });
}

/** Processes that have a file open. */
export function holdersOf(path: string): number[] | null {
  if (Deno.build.os !== "linux") return null;
  return pidsOf().filter((pid) => {
    try {
      return [...Deno.readDirSync(`/proc/${pid}/fd`)]
        .some(({ name }) => linkOf(`/proc/${pid}/fd/${name}`) === path);
    } catch {
      // It is gone, or somebody else's, who cannot have opened what is closed to others.
      return false;
    }
  });
}

/**
 * When each git that is alive here began, milliseconds since the epoch; null where not all processes of this
 * machine can be seen.
 */
export function beginningsOfGit(): number[] | null {
  try {
    if (Deno.build.os !== "linux" || !readLookout().whole) return null;
    // Mounted with hidepid, /proc shows no processes of others: not even the first.
    if (textOf("/proc/1/stat") === "") return null;
    const boot = Number(/^btime (\d+)$/m.exec(Deno.readTextFileSync("/proc/stat"))?.[1]) * 1000;
    if (!(boot > 0)) return null;
    return pidsOf().flatMap((pid) => {
      const stat = textOf(`/proc/${pid}/stat`);
      const name = stat.slice(stat.indexOf("(") + 1, stat.lastIndexOf(")"));
      const [state, ...fields] = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
      // One whose end nobody has noticed yet has nothing any more.
      if (!name.startsWith("git") || state === "Z" || state === "X") return [];
      const ticks = Number(fields[18]);
      return [boot + ticks / TICKS * 1000];
    });
  } catch {
    return null;
  }
}

function textOf(path: string): string {
  try {
    return Deno.readTextFileSync(path);
  } catch {
    return "";
  }
}

/** File systems that no other machine writes to. */
const LOCAL = /^(?:ext[234]|xfs|btrfs|zfs|f2fs|tmpfs|overlay|ramfs|bcachefs)$/;

/** Whether a folder is on a disk of this machine alone; null where that is not known. */
export function isOnOwnDisk(path: string): boolean | null {
  if (Deno.build.os !== "linux") return null;
  try {
    const { dev } = Deno.statSync(path);
    // makedev(3)
    const device = BigInt(dev);
    const major = (device >> 8n & 0xfffn) | (device >> 32n & ~0xfffn);
    const minor = (device & 0xffn) | (device >> 12n & ~0xffn);
    for (const line of Deno.readTextFileSync("/proc/self/mountinfo").split("\n")) {
      const [left = "", right = ""] = line.split(" - ");
      if (left.split(" ")[2] === `${major}:${minor}`) return LOCAL.test(right.split(" ", 1)[0]!);
    }
  } catch {
    // Not for us to look at.
  }
  return null;
}
