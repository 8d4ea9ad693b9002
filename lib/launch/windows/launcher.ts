// Agents on Windows. The shim is a process of this program (shim.ts): it creates the
// claim's pid file exclusively, hands the log to the agent as its own output file and records the
// exit code. No pipe leads back to us, so our death changes nothing for it. A task's tree is known by
// parentage from a living shim, and by the mark in the environment of its processes. (A job object would
// hold those of the tasks, too, that an agent queues and runs. The agent itself ends with its shim: the
// runtime puts it in a job that Windows closes with the shim.)

import { pause } from "../pause.ts";
import { NO_TRACE, type Trace } from "../../task/trace.ts";
import type {
  EndOptions,
  EndReport,
  Identity,
  Launched,
  Launcher,
  LaunchSpec,
  Life,
} from "../launcher.ts";
import { parsePidFile } from "../posix/launcher.ts";
import { parsePidText, type Shim, sightOf } from "../posix/place.ts";
import { MARKER } from "../posix/processes.ts";
import {
  formatStart,
  openWindowsSystem,
  type WindowsProcess,
  type WindowsSystem,
} from "./processes.ts";

/** Hidden command of the program that runs the shim, where it is one file. */
export const SHIM_COMMAND = "_shim";

/** What the launcher is made with. */
export interface WindowsOptions {
  /** Command line that runs the shim; the file with what to launch is added to it. */
  shim?: readonly [string, ...string[]];
  system?: WindowsSystem;
  trace?: Trace;
}

/**
 * Command line that runs the shim.
 *
 * @param module URL of this module, or of the one file that it was bundled into
 * @param program path of the running program
 * @param standalone whether that program is all of Orchestra
 */
export function shimCommand(
  module: string,
  program: string,
  standalone: boolean,
): [string, ...string[]] {
  if (standalone) return [program, SHIM_COMMAND];
  const run: [string, ...string[]] = [
    program,
    "run",
    "-A",
    "--quiet",
    "--no-prompt",
    "--no-config",
    "--no-lock",
    // The heap stays small, for it lives as long as the agent.
    "--v8-flags=--single-threaded-gc,--max-lazy",
  ];
  // Bundled into one file, there is no module beside this one: the program runs it.
  return /\/windows\/launcher\.ts$/.test(new URL(module).pathname)
    ? [...run, new URL("./shim.ts", module).href]
    : [...run, module, SHIM_COMMAND];
}

/** The launcher of Windows. */
export function createWindowsLauncher(options: WindowsOptions = {}): Launcher {
  const shimLine = options.shim ??
    shimCommand(import.meta.url, Deno.execPath(), Deno.build.standalone);
  const system = options.system ?? openWindowsSystem();
  const trace = options.trace ?? NO_TRACE;

  function launch(spec: LaunchSpec): Launched {
    const [program, ...leading] = shimLine;
    // In a file, for a command line is short here, and seen by others. Its name is that of a temporary
    // file of ours: where the shim is killed before it has read it, `doctor` finds it.
    const specFile = `${spec.pidFile}.${crypto.randomUUID()}.${Deno.pid}.tmp`;
    Deno.writeTextFileSync(specFile, JSON.stringify(spec), { createNew: true, mode: 0o600 });
    try {
      const child = new Deno.Command(program, {
        args: [...leading, specFile],
        stdin: "null",
        stdout: "null",
        stderr: "null",
        detached: true,
        // An agent of another task may have started us.
        env: { [MARKER]: spec.env[MARKER] ?? "" },
      }).spawn();
      child.unref();
      return { pid: child.pid, ended: child.status.then(() => {}, () => {}) };
    } catch (error) {
      Deno.removeSync(specFile);
      throw error;
    }
  }

  function probe(asked: readonly Identity[]): Promise<ReadonlyMap<string, Life>> {
    const mine = system.place();
    return Promise.resolve(
      new Map(asked.map(({ token }) => {
        const shim = parsePidText(token);
        if (shim === undefined || sightOf(shim, mine) !== "here") return [token, "unknown"];
        const created = system.created(shim.pid);
        return [token, created === null ? "unknown" : lives(created, shim) ? "alive" : "dead"];
      })),
    );
  }

  async function endTree(
    mark: string,
    identity: Identity | null,
    { grace, signal }: EndOptions,
  ): Promise<EndReport> {
    const shim = identity === null ? null : parsePidText(identity.token) ?? null;
    if (shim !== null && sightOf(shim, system.place()) !== "here") {
      return { signalled: 0, left: 0, unknown: true };
    }
    const known = new Map<number, bigint>();
    const signalled = new Set<number>();
    const marks = createMarks(system);
    const collect = () => {
      const table = system.list();
      const members = pickWindowsTree(table, shim, Deno.pid, known, mark, marks.of(table));
      for (const { pid, created } of members) known.set(pid, created);
      return members;
    };
    let members = collect();
    if (members.length === 0) return { signalled: 0, left: 0, unknown: false };
    trace("signalled", { task: mark, pids: members.map(({ pid }) => pid) });
    // The shim has nothing that could be asked; it ends by itself with the agent.
    const others = members.filter(({ pid }) => pid !== shim?.pid);
    await system.ask(others.map(({ pid }) => pid));
    for (const { pid } of members) signalled.add(pid);
    await allGone(members, grace, signal);
    for (let round = 0; round < ROUNDS && !signal?.aborted; round++) {
      members = collect();
      if (members.length === 0) break;
      const left = members.filter(({ pid }) => pid !== shim?.pid);
      for (const { pid, created } of left.length === 0 && round > 0 ? members : left) {
        system.end(pid, created);
        signalled.add(pid);
      }
      await allGone(members, 250, signal);
    }
    const left = members.filter(({ pid, created }) => system.created(pid) === created).length;
    return { signalled: signalled.size, left, unknown: false };
  }

  async function allGone(
    members: readonly Proven[],
    within: number,
    signal: AbortSignal | undefined,
  ): Promise<void> {
    const deadline = performance.now() + within;
    let left = [...members];
    for (let wait = 1;; wait = Math.min(wait * 2, 100)) {
      left = left.filter(({ pid, created }) => system.created(pid) === created);
      const remaining = deadline - performance.now();
      if (left.length === 0 || remaining <= 0 || signal?.aborted) return;
      await pause(Math.min(remaining, wait), signal);
    }
  }

  return {
    launch,
    parsePidFile,
    probe,
    marked(mark) {
      const lives = system.list().some(({ pid }) => system.marker(pid) === mark);
      return Promise.resolve(lives ? "alive" : "dead");
    },
    survey() {
      const pids = system.list().map(({ pid }) => pid);
      const marked = new Map<string, number[]>();
      for (const pid of pids) {
        const mark = pid === Deno.pid ? "" : system.marker(pid);
        if (mark) marked.set(mark, [...marked.get(mark) ?? [], pid]);
      }
      return Promise.resolve({ pids: new Set(pids), marked });
    },
    // The ancestor recorded no creation time: what has its number is not proven to be the task's.
    legacy({ pid }) {
      const created = pid === null ? undefined : system.created(pid);
      return Promise.resolve(created === undefined ? null : "unknown");
    },
    endTree,
  };
}

/** Looks for what a process has started meanwhile, at most. */
const ROUNDS = 20;

/** Ends a child of this process at once, with all that descends from it. */
export function endFamily(pid: number, system: WindowsSystem = openWindowsSystem()): void {
  const created = system.created(pid);
  if (typeof created !== "bigint") return;
  const known = new Map([[pid, created]]);
  for (let round = 0; round < ROUNDS; round++) {
    const members = pickWindowsTree(system.list(), null, Deno.pid, known);
    if (members.length === 0) return;
    for (const member of members) {
      known.set(member.pid, member.created);
      system.end(member.pid, member.created);
    }
  }
}

/** Marks of processes by their numbers; those that may not be read are not among them. */
export type Marks = ReadonlyMap<number, string>;

/** Reads the marks of processes, each once: an environment is what a process was created with. */
function createMarks(system: WindowsSystem) {
  const read = new Map<number, { created: bigint; mark: string }>();
  return {
    /** Those of a table, and of what seems older than its shim, too: the clock may have been set back. */
    of(table: readonly WindowsProcess[]): Marks {
      const marks = new Map<number, string>();
      for (const { pid, created } of table) {
        if (created === null || pid === Deno.pid) continue;
        const before = read.get(pid);
        const mark = before?.created === created ? before.mark : system.marker(pid);
        if (mark === null) continue;
        read.set(pid, { created, mark });
        marks.set(pid, mark);
      }
      return marks;
    },
  };
}

/** A process with its creation time. */
export interface Proven extends WindowsProcess {
  created: bigint;
}

function lives(created: bigint | null | undefined, shim: Shim): boolean {
  return typeof created === "bigint" && formatStart(created) === shim.start;
}

/**
 * The processes of one task: the shim where its creation time proves it, what carries the task's mark, and
 * what descends from those. A child without a mark is younger than its parent: an older one has the number of
 * a parent that is long gone. What carries another task's mark is that task's, with all that descends from it.
 *
 * @param table all processes
 * @param shim root of the tree, where known
 * @param self our own pid, never part of it
 * @param known creation times by pid of what was proven before: it may have ended since, and its
 *   children still have its number
 * @param mark of the task
 * @param marks of the processes
 */
export function pickWindowsTree(
  table: readonly WindowsProcess[],
  shim: Shim | null,
  self: number,
  known: ReadonlyMap<number, bigint> = new Map(),
  mark = "",
  marks: Marks = new Map(),
): Proven[] {
  const living = new Map<number, Proven>();
  const children = new Map<number, Proven[]>();
  for (const process of table) {
    if (process.created === null) continue;
    const proven: Proven = { ...process, created: process.created };
    living.set(process.pid, proven);
    const list = children.get(process.ppid);
    if (list === undefined) children.set(process.ppid, [proven]);
    else list.push(proven);
  }
  const queue: { pid: number; created: bigint }[] = [];
  for (const [pid, created] of known) queue.push({ pid, created });
  const root = shim === null ? undefined : living.get(shim.pid);
  // A pid file may be forged: what can be read and has no mark is not a task's.
  const isOurs = ({ pid }: Proven) => (marks.get(pid) ?? mark) === mark;
  if (root !== undefined && lives(root.created, shim!) && isOurs(root)) queue.push(root);
  for (const process of living.values()) {
    if (mark !== "" && marks.get(process.pid) === mark) queue.push(process);
  }
  const found = new Map<number, Proven>();
  const visited = new Set<number>();
  for (let parent = queue.pop(); parent !== undefined; parent = queue.pop()) {
    if (visited.has(parent.pid) || parent.pid === self) continue;
    visited.add(parent.pid);
    const now = living.get(parent.pid);
    if (now?.created === parent.created) {
      // No mark at all may be the doing of who cleared an environment.
      if ((marks.get(now.pid) || mark) !== mark) continue;
      found.set(now.pid, now);
    }
    for (const child of children.get(parent.pid) ?? []) {
      const younger = child.created >= parent.created;
      // Another process has the number now: what is younger than that one is its child.
      const others = now !== undefined && now.created !== parent.created &&
        child.created >= now.created;
      if (younger && !others) queue.push(child);
    }
  }
  return [...found.values()];
}
