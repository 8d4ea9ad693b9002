// Processes of this machine: who lives, and whose they are.

import { listChildren, listPids, livesOnWindows, wordsOf } from "./windows_processes.ts";

const ON_WINDOWS = Deno.build.os === "windows";

/** Sends a signal to a process that a test started; nothing where it has ended. */
export function kill(pid: number, signal: Deno.Signal): void {
  try {
    Deno.kill(pid, signal);
  } catch {
    // It has ended.
  }
}

/** Whether a process lives; zombies do not. */
export function lives(pid: number): boolean {
  if (ON_WINDOWS) return livesOnWindows(pid);
  try {
    return !/^\d+ \(.*\) [ZX] /s.test(Deno.readTextFileSync(`/proc/${pid}/stat`));
  } catch (error) {
    if (Deno.build.os === "linux" || !(error instanceof Deno.errors.NotFound)) return false;
  }
  const { stdout } = new Deno.Command("ps", { args: ["-o", "stat=", "-p", String(pid)] })
    .outputSync();
  const state = new TextDecoder().decode(stdout).trim();
  return state !== "" && !state.startsWith("Z");
}

/** A process and what was started by it and lives, a line each, for who wants to know why one hangs. */
export function familyOf(pid: number): string[] {
  const args = [Deno.build.os === "linux" ? "-eww" : "-axww", "-o", "pid=,ppid=,stat=,args="];
  let lines: string[];
  try {
    const { stdout } = new Deno.Command("ps", { args }).outputSync();
    lines = new TextDecoder().decode(stdout).trim().split("\n");
  } catch {
    return [];
  }
  const family = new Set([pid]);
  const rows = lines.map((line) => ({ line: line.trim(), ids: line.match(/\d+/g)!.map(Number) }));
  for (let size = 0; size < family.size;) {
    size = family.size;
    for (const { ids: [own, parent] } of rows) if (family.has(parent!)) family.add(own!);
  }
  return rows.filter(({ ids: [own] }) => family.has(own!)).map(({ line }) => line);
}

/** Processes that were started by another one, on Linux and Windows. */
export function childrenOf(pid: number): number[] {
  if (ON_WINDOWS) return listChildren(pid);
  const text = Deno.readTextFileSync(`/proc/${pid}/task/${pid}/children`);
  return text.split(" ").filter((part) => part !== "").map(Number);
}

/** Processes whose command line or environment has all the given parts, in whatever order. */
export function processesWith(kind: "cmdline" | "environ", parts: readonly string[]): number[] {
  if (ON_WINDOWS) {
    return listPids().filter((pid) => {
      const words = pid === Deno.pid ? undefined : wordsOf(pid, kind);
      return words !== undefined && parts.every((part) => words.includes(part));
    });
  }
  const found: number[] = [];
  if (Deno.build.os !== "linux") {
    const args = ["-axww", kind === "environ" ? "-Eo" : "-o", "pid=,command="];
    const { stdout } = new Deno.Command("ps", { args }).outputSync();
    for (const line of new TextDecoder().decode(stdout).split("\n")) {
      const words = line.trim().split(" ");
      if (parts.every((part) => words.includes(part))) found.push(Number(words[0]));
    }
    return found;
  }
  for (const { name } of Deno.readDirSync("/proc")) {
    if (!/^\d+$/.test(name) || Number(name) === Deno.pid) continue;
    try {
      const words = Deno.readTextFileSync(`/proc/${name}/${kind}`).split("\0");
      if (parts.every((part) => words.includes(part))) found.push(Number(name));
    } catch {
      // It ended while we looked, or is somebody else's.
    }
  }
  return found;
}
