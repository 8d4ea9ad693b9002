// Which of all processes belong to a task: by the mark in their environment, by descent from what
// carries it, and from the shim where its start time proves it. Pure; who signals must ask this first.

import type { Shim } from "./place.ts";
import type { Process } from "./processes.ts";

/**
 * Those of a table that may carry the mark of a task: what started before its shim cannot, nor can
 * the kernel's own threads.
 */
export function pickMarkable(table: ReadonlyMap<number, Process>, shim: Shim | null): Process[] {
  return pickYounger(table, shim).filter(({ zombie }) => !zombie);
}

/** The same with those that have ended and are not collected. */
function pickYounger(table: ReadonlyMap<number, Process>, shim: Shim | null): Process[] {
  const [boot, ticks] = splitStart(shim?.start ?? "");
  const since = ticks === undefined ? 0 : Number(ticks);
  return [...table.values()].filter((process) => {
    if (process.pid === 2 || process.ppid === 2) return false;
    const [itsBoot, itsTicks] = splitStart(process.start);
    return !(since > 0) || itsBoot !== boot || !(Number(itsTicks) < since);
  });
}

/**
 * Whether a look that found nothing of a task has missed nothing. A table is not read in one moment: who
 * was listed and had ended when it was read may have left a child that was not listed yet; and who is
 * becoming another program shows no environment.
 *
 * @param vanished how many of those that were listed could not be read any more
 * @param dead those that had ended at the look before: nothing was started by them since
 */
export function isSettled(
  table: ReadonlyMap<number, Process>,
  vanished: number,
  shim: Shim | null,
  dead: ReadonlySet<number>,
): boolean {
  return vanished === 0 &&
    pickYounger(table, shim).every(({ pid, zombie, blank }) =>
      zombie ? dead.has(pid) : !blank || pid === 1
    );
}

function splitStart(start: string): [string, string | undefined] {
  const at = start.indexOf(" ");
  return at < 0 ? [start, undefined] : [start.slice(0, at), start.slice(at + 1)];
}

/** All processes by what proves whose they are. */
export interface TableIndex {
  readonly table: ReadonlyMap<number, Process>;
  readonly children: ReadonlyMap<number, readonly Process[]>;
  readonly sessions: ReadonlyMap<number, readonly Process[]>;
  readonly marked: ReadonlyMap<string, readonly Process[]>;
}

/** The index of a table whose marks are read. */
export function indexTable(table: ReadonlyMap<number, Process>): TableIndex {
  const children = new Map<number, Process[]>();
  const sessions = new Map<number, Process[]>();
  const marked = new Map<string, Process[]>();
  const add = <K>(groups: Map<K, Process[]>, key: K, process: Process) => {
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [process]);
    else group.push(process);
  };
  for (const process of table.values()) {
    add(children, process.ppid, process);
    add(sessions, process.session, process);
    if (process.marker) add(marked, process.marker, process);
  }
  return { table, children, sessions, marked };
}

/**
 * The processes of one task, out of all: the shim where its start time proves it, its session and
 * descendants, whatever carries the task's mark, with descendants, and what an earlier look had proven.
 * What carries another task's mark is that task's, with all that descends from it: but not in the session
 * of the shim, for every task has one of its own.
 *
 * @param index all processes
 * @param mark of the task whose tree it is
 * @param shim leader of its session, where known
 * @param self our own pid, never part of it
 * @param known start times by pid of what was proven before: since then a process may have lost its
 *   parent, and with it the only proof where its environment is another
 */
export function pickTree(
  { table, children, sessions, marked }: TableIndex,
  mark: string,
  shim: Shim | null,
  self: number,
  known: ReadonlyMap<number, string> = new Map(),
): Process[] {
  const queue = [...marked.get(mark) ?? []];
  for (const [pid, start] of known) {
    const process = table.get(pid);
    if (process?.start === start) queue.push(process);
  }
  const root = shim === null ? undefined : table.get(shim.pid);
  // A pid file may be forged: what can be read and has no mark is not a task's.
  const proven = root !== undefined && root.start === shim!.start &&
    (root.marker === null || root.marker === mark || known.get(root.pid) === root.start);
  if (proven) queue.push(root, ...sessions.get(root.pid) ?? []);
  const found = new Map<number, Process>();
  for (let process = queue.pop(); process !== undefined; process = queue.pop()) {
    if (found.has(process.pid) || process.pid === self || process.pid <= 1) continue;
    const inside = proven && process.session === root.pid;
    if (process.marker && process.marker !== mark && !inside) continue;
    found.set(process.pid, process);
    queue.push(...children.get(process.pid) ?? []);
  }
  return [...found.values()].filter((process) => !process.zombie);
}
