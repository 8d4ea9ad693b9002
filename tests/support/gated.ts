// Agents that wait at a gate and tell their numbers, and tasks as a crash would leave them.

import type { Task } from "../../lib/task/fields.ts";
import { SHELL } from "./needs.ts";
import { type Box, kill, lives } from "./program.ts";
import { AT_GATE, GATE_SCRIPT } from "./shell.ts";

/** Lets go all that wait at the gate, now or later; they print what is in it. */
export function openGate(box: Box): void {
  Deno.writeTextFileSync(`${box.root}/gate.new`, "go\n");
  Deno.renameSync(`${box.root}/gate.new`, `${box.root}/gate`);
}

/** Shell that tells its pid in a file, waits at the gate, and ends with a code. */
export const gated = (code = 0) =>
  SHELL === null
    ? `echo $$ >"$ORCHESTRA_WORKSPACE/$ORCHESTRA_TASK_ID"; ${AT_GATE}; exit ${code}`
    : `deno eval '${TELL_PID}; ${GATE_SCRIPT} Deno.exit(${code})'`;
const TELL_PID = 'const [folder, id] = ["WORKSPACE", "TASK_ID"]' +
  '.map((name) => Deno.env.get("ORCHESTRA_" + name)); ' +
  'Deno.writeTextFileSync(folder + "/" + id, Deno.pid + "\\n")';

/** Fulfilled with the pid that the agent of a task wrote down. */
export function agentOf(box: Box, id: string): Promise<number> {
  return box.until(`the agent of ${id}`, () => numberIn(box.path(`workspace/${id}`)));
}

/** Fulfilled with the pid of the shim of a task's claim. */
export function shimOf(box: Box, id: string, claim = 1): Promise<number> {
  return box.until(`the shim of ${id}`, () => numberIn(box.path(`tasks/${id}.${claim}.pid`)));
}

export function numberIn(path: string): number | undefined {
  const match = /^(\d+)[ \n]/.exec(textIn(path) ?? "");
  return match === null ? undefined : Number(match[1]);
}

export function textIn(path: string): string | undefined {
  try {
    return Deno.readTextFileSync(path);
  } catch {
    return undefined;
  }
}

/** The exit code of a task's agent; undefined until it is written. */
export function exitIn(box: Box, id: string): string | undefined {
  return textIn(box.path(`tasks/${id}.exitcode`))?.trim() || undefined;
}

/** Changes a task's file by hand, as a crash at the worst moment would leave it. */
export function forge(box: Box, id: string, change: Partial<Task>): void {
  const path = box.path(`tasks/${id}.json`);
  Deno.writeTextFileSync(`${path}.forged`, JSON.stringify({ ...box.task(id), ...change }));
  Deno.renameSync(`${path}.forged`, path);
}

export function gone(box: Box, pid: number): Promise<true> {
  return box.until(`the end of process ${pid}`, () => !lives(pid));
}

/** Stops a process while it is in no locked section of the workspace: in one it would stop everybody. */
export function stopOutsideLock(box: Box, pid: number): void {
  using lock = Deno.openSync(box.path("lock"), { write: true, create: true });
  lock.lockSync(true);
  kill(pid, "SIGSTOP");
}
