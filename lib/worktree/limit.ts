// How long a git may take. It may start programs of the user's (filters, what brings large files) and wait
// for other machines, and either may never end: then it is ended, with all that it has started.

import { pause } from "../launch/pause.ts";
import type { Process } from "../launch/posix/processes.ts";

/** So long any git may take, milliseconds. */
export const LONGEST = 10 * 60_000;
/** So long one that is to end may take to tidy up after itself. */
const GRACE = 1000;
/** So long the end of what was killed is waited for. */
const AFTERWARDS = 2000;

/** Working folders whose gits end sooner. */
const limited = new Map<string, Set<AbortSignal>>();

/**
 * Has every git that works in a folder end with a signal, until this is disposed of. The signal's reason is
 * an error whose message says why.
 *
 * @param folder as git is started in it
 */
export function limitGit(folder: string, signal: AbortSignal): Disposable {
  const signals = limited.get(folder) ?? new Set();
  limited.set(folder, signals.add(signal));
  return {
    [Symbol.dispose]() {
      signals.delete(signal);
      if (signals.size === 0) limited.delete(folder);
    },
  };
}

/**
 * Why no git is to begin in a folder any more.
 *
 * @returns undefined where one may
 */
export function over(folder: string, signal?: AbortSignal): string | undefined {
  const found = [...limited.get(folder) ?? [], ...signal === undefined ? [] : [signal]]
    .find(({ aborted }) => aborted);
  return found === undefined ? undefined : messageOf(found.reason);
}

/** What is to be told of a child that was ended. */
export interface Guard extends Disposable {
  /** Why it was ended; undefined where it was not. */
  readonly why: string | undefined;
  /** Fulfilled once it was ended, whoever has its output still. */
  readonly gone: Promise<void>;
}

/** Sees to it that a child, whose folder may be limited, comes to its end. */
export function guard(child: Deno.ChildProcess, folder: string, signal?: AbortSignal): Guard {
  const signals = [...limited.get(folder) ?? [], ...signal === undefined ? [] : [signal]];
  const { promise: gone, resolve } = Promise.withResolvers<void>();
  let why: string | undefined;
  const stop = (reason: string) => {
    if (why !== undefined) return;
    why = reason;
    end(child).catch(() => {}).then(resolve);
  };
  const listeners = signals.map((one) => {
    const listener = () => stop(messageOf(one.reason));
    one.addEventListener("abort", listener);
    return () => one.removeEventListener("abort", listener);
  });
  const timer = setTimeout(() => stop(tooLong(LONGEST)), LONGEST);
  return {
    get why() {
      return why;
    },
    gone,
    [Symbol.dispose]() {
      clearTimeout(timer);
      for (const remove of listeners) remove();
    },
  };
}

/** Why a git was ended whose time was over. */
export function tooLong(limit: number): string {
  const seconds = Math.round(limit / 1000);
  const told = seconds % 60 === 0 ? `${seconds / 60} min` : `${seconds} s`;
  return `it had not come to its end after ${told} (does a filter or a server hang?)`;
}

function messageOf(reason: unknown): string {
  return reason instanceof Error ? reason.message : "it is not wanted any more";
}

/** Asks git to end, which takes its locks away then; what it has started, and git itself, is killed. */
async function end(child: Deno.ChildProcess): Promise<void> {
  if (Deno.build.os === "windows") {
    const { endFamily } = await import("../launch/windows/launcher.ts");
    return endFamily(child.pid);
  }
  const { isAlive, readProcesses } = await import("../launch/posix/processes.ts");
  const known = new Map<number, Process>();
  /** What of it lives, by one more look. */
  const look = () => {
    const table = readProcesses();
    for (const one of descendants(table, [child.pid, ...known.keys()])) known.set(one.pid, one);
    return [...known.values()].filter((one) => isAlive(one, table));
  };
  // Stopped, none starts another one that would be nobody's child when its parent is gone.
  for (let count = -1; count !== known.size;) {
    count = known.size;
    for (const { pid, stopped } of look()) if (!stopped) kill(pid, "SIGSTOP");
  }
  kill(child.pid, "SIGTERM");
  for (const pid of known.keys()) if (pid !== child.pid) kill(pid, "SIGKILL");
  kill(child.pid, "SIGCONT");
  await Promise.race([child.status, pause(GRACE)]);
  for (let alive = look(), turn = 0; alive.length > 0 && turn < 20; alive = look(), turn++) {
    for (const { pid } of alive) kill(pid, "SIGKILL");
    await pause(10);
  }
  await Promise.race([child.status, pause(AFTERWARDS)]);
}

/** A process and all that descends from it. */
function descendants(table: ReadonlyMap<number, Process>, roots: readonly number[]): Process[] {
  const found = new Set<number>(roots);
  for (let before = -1; before !== found.size;) {
    before = found.size;
    for (const { pid, ppid } of table.values()) if (found.has(ppid)) found.add(pid);
  }
  return [...found].flatMap((pid) => table.get(pid) ?? []);
}

function kill(pid: number, signal: Deno.Signal): void {
  try {
    Deno.kill(pid, signal);
  } catch {
    // It has ended.
  }
}
