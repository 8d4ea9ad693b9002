// Who watches over a workspace: one process at a time, by the lock on `daemon.lock`. `daemon.json`
// says who, and what it was told to launch; it is advice, the lock is the truth.

import { lstat, openRegular, setAside } from "../store/files.ts";
import { isNamed, openLockFile } from "../store/lock.ts";
import { localLocks } from "../store/mounts.ts";
import { OrchestraError, quote } from "../task/error.ts";
import { pause } from "../launch/pause.ts";
import { isAlive, isStopped as isProcessStopped, startOf } from "../launch/life.ts";
import { spawnDetached } from "./spawn.ts";
import type { Store } from "../store/tasks.ts";
import { formatTime, isTerminal, type Task } from "../task/fields.ts";

/** What `daemon.json` says. */
export interface DaemonInfo {
  pid: number;
  /** Its start time as the system tells it: proof that the pid is still its own. */
  start?: string;
  /** It was started just now, and has not said so itself yet. */
  begins?: boolean;
  /** Name of its machine, where the system tells. */
  host?: string;
  startedAt: string;
  /** `supervisor` goes away when nothing is left to do, `daemon` stays, `run` has a terminal. */
  kind: "supervisor" | "daemon" | "run";
  launch: LaunchMode;
  /** Most tasks at once, where all are launched; the settings' `max_concurrent` where absent. */
  parallel?: number;
  /** A daemon that watches over every workspace that is known. */
  everywhere?: boolean;
  /** What a supervisor is to go on with when that daemon leaves: ordered before it came, or since. */
  ordered?: StandingOrder;
}

/** What whoever watches launches by itself. */
export type LaunchMode =
  /** Only successors that were queued by themselves. */
  | "retries"
  /** Everything that is ready. */
  | "all";

function infoPath(store: Store): string {
  return `${store.dir}/daemon.json`;
}

/** What the last one to watch wrote about itself; undefined where nobody did, or unreadable. */
export function readDaemonInfo(store: Store): DaemonInfo | undefined {
  try {
    const text = store.readFile(infoPath(store));
    const value = text === undefined ? undefined : JSON.parse(text);
    return isInfo(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

function isInfo(value: Partial<DaemonInfo> | undefined): value is DaemonInfo {
  return typeof value?.pid === "number" && typeof value.startedAt === "string" &&
    ["supervisor", "daemon", "run"].includes(value.kind!) &&
    ["retries", "all"].includes(value.launch!) &&
    (value.parallel === undefined || Number.isInteger(value.parallel)) &&
    (value.ordered === undefined || isOrder(value.ordered));
}

function isOrder(value: Partial<StandingOrder> | null): value is StandingOrder {
  return ["retries", "all"].includes(value?.launch!) &&
    (value!.parallel === undefined || Number.isInteger(value!.parallel));
}

/** What was ordered of a watcher; of a daemon only what others ordered: its own goes with it. */
export function orderOf(info: DaemonInfo | undefined): StandingOrder | undefined {
  if (info === undefined || info.kind === "daemon") return info?.ordered;
  return { launch: info.launch, parallel: info.parallel };
}

/** Records who watches and what is to be launched; a folder in its place is set aside. */
export function writeDaemonInfo(store: Store, info: DaemonInfo): void {
  const path = infoPath(store);
  try {
    if (lstat(path)?.isDirectory) setAside(path);
    store.writeAdvice(path, JSON.stringify(info, null, 2) + "\n");
  } catch {
    // Advice only: who holds the lock goes on without it (disk full, no permission).
  }
}

/** The record of an order for somebody who watches and whose own record cannot be read. */
const NOBODY = 0;

/**
 * What whoever watches is to launch, and what it says of itself. A record that is not its own was
 * damaged, or is an order for whoever watches: it says again who it is, and takes the order.
 *
 * @param mine as it was last said
 */
export function rereadOrder(store: Store, mine: DaemonInfo): DaemonInfo {
  const info = readDaemonInfo(store);
  if (info?.pid === mine.pid) return info;
  return store.locked(() => {
    const { pid, launch, parallel } = readDaemonInfo(store) ?? mine;
    const next = pid === NOBODY ? { ...mine, launch, parallel } : mine;
    writeDaemonInfo(store, next);
    return next;
  });
}

/** Removes the record; the lock itself goes with the process. */
export function removeDaemonInfo(store: Store): void {
  store.remove(infoPath(store));
}

/** What a watcher is called, for a person. */
export function nameOf({ kind, everywhere }: DaemonInfo): string {
  return everywhere ? "daemon for all workspaces" : kind === "run" ? "run --wait" : kind;
}

/** When the record was last written, milliseconds since the epoch; 0 where there is none. */
export function daemonInfoTime(store: Store): number {
  return lstat(infoPath(store))?.mtime?.getTime() ?? 0;
}

/** The lock of the one who watches, held until it is disposed of. */
export interface WatchLock extends Disposable {
  /**
   * Whether it keeps others out. Where its file was removed it is taken anew, unless somebody else was
   * faster.
   */
  keeps(): boolean;
}

/**
 * Takes the lock of the one who watches.
 *
 * @returns undefined where another process has it
 */
export function tryDaemonLock(store: Store): WatchLock | undefined {
  store.make();
  return tryWatchLock(`${store.dir}/daemon.lock`);
}

/** The same, by the path of the lock. */
export function tryWatchLock(path: string): WatchLock | undefined {
  const take = () => {
    const file = openLockFile(path);
    if (file.tryLockSync(true)) return file;
    file.close();
    return undefined;
  };
  let file = take();
  if (file === undefined) return undefined;
  return {
    keeps() {
      if (isNamed(file!, path)) return true;
      const next = take();
      if (next === undefined) return false;
      file!.close();
      file = next;
      return true;
    },
    [Symbol.dispose]: () => file!.close(),
  };
}

/**
 * The same, tried again for a while: a command that only asks whether somebody watches has the lock for
 * a moment.
 *
 * @param isTaken whether somebody has it for longer
 */
export async function waitForDaemonLock(
  store: Store,
  isTaken: () => boolean = () => false,
): Promise<WatchLock | undefined> {
  for (let turn = 0;; turn++) {
    const lock = tryDaemonLock(store);
    if (lock !== undefined || turn === 20 || isTaken()) return lock;
    await pause(10);
  }
}

/** Whether somebody watches over the workspace right now. Those who only ask do not see each other. */
export function isWatched(store: Store): boolean {
  return isLockHeld(`${store.dir}/daemon.lock`);
}

/** The same, by the path of the lock. */
export function isLockHeld(path: string): boolean {
  let file: Deno.FsFile | undefined;
  try {
    // Only read: asking must work where nothing may be written.
    file = openRegular(path);
  } catch {
    return false;
  }
  if (file === undefined) {
    if (lstat(path) !== undefined) openLockFile(path).close(); // Refuses what is no file.
    return false;
  }
  try {
    return !file.tryLockSync(false);
  } finally {
    file.close();
  }
}

/** What a supervisor is to launch. */
export interface StandingOrder {
  readonly launch: LaunchMode;
  /** Most at once; the settings' `max_concurrent` where absent. */
  readonly parallel?: number;
}

/** Milliseconds that a supervisor which was started gets to take the lock. */
const BEGINS = 5000;

/** Whether a record is of a supervisor that was started just now and has not taken the lock yet. */
function isBeginning(info: DaemonInfo | undefined): boolean {
  if (info?.kind !== "supervisor" || info.begins !== true) return false;
  if (Math.abs(Date.now() - Date.parse(info.startedAt)) >= BEGINS) return false;
  return isRecorded(info);
}

/** Whether the process of a record lives; another container has others under the same numbers. */
export function isRecorded({ pid, start }: DaemonInfo): boolean {
  return start !== undefined && isAlive({ pid, start });
}

/** Who watches, or begins to; undefined for nobody, and for who has not said or is leaving. */
export function watcherOf(store: Store): DaemonInfo | undefined {
  const info = readDaemonInfo(store);
  return info !== undefined && (isWatched(store) || isBeginning(info)) ? info : undefined;
}

/**
 * Whether a process has the lock of a workspace open: the proof that it watches, which no record is, for
 * that may be forged. Told by `sh`, for others' descriptors are not among the files that we may look at.
 */
export function holdsLock(store: Store, pid: number): boolean {
  return hasOpen(`${store.dir}/daemon.lock`, pid);
}

/** The same, by the path of the lock. */
export function hasOpen(path: string, pid: number): boolean {
  // No other system tells.
  if (Deno.build.os !== "linux") return true;
  const script = 'for f in "/proc/$1/fd"/*; do [ "$f" -ef "$2" ] && exit 0; done; exit 1';
  return new Deno.Command("/bin/sh", {
    args: ["-c", script, "sh", String(pid), path],
    stdin: "null",
    stdout: "null",
    stderr: "null",
  }).outputSync().success;
}

/** Whether who watches is stopped (Ctrl+Z, SIGSTOP): it holds the lock, and nothing goes on. */
export function isStopped({ pid, start }: DaemonInfo): boolean {
  return start !== undefined && isProcessStopped({ pid, start });
}

/**
 * Who watches over a workspace, in words; null for nobody.
 *
 * @param tasks all of them: where nothing is to be done, whether it is stopped is not worth a look
 */
export function describeWatcher(store: Store, tasks: Iterable<Task>): string | null {
  const info = watcherOf(store);
  if (info === undefined) return null;
  const who = nameOf(info);
  return isAnyOpen(tasks) && isStopped(info)
    ? `${who} (pid ${info.pid}) is stopped, and nothing goes on: kill -CONT ${info.pid}`
    : `${who} (pid ${info.pid}) watches over it`;
}

function isAnyOpen(tasks: Iterable<Task>): boolean {
  for (const { status } of tasks) if (!isTerminal(status)) return true;
  return false;
}

/**
 * Tells whoever watches, or is about to, to launch everything from now on, so many at once where a
 * number is given; read with its next turn. A daemon does so anyway.
 *
 * @returns whether there is somebody
 */
export function tellWatcher(store: Store, order: StandingOrder): boolean {
  const told = () => {
    const info = readDaemonInfo(store);
    if (!isBeginning(info) && !isWatched(store)) return false;
    // One that watches over many does so anyway, and hands it on when it leaves.
    if (info?.everywhere && order.launch === "all") {
      writeDaemonInfo(store, { ...info, ordered: order });
      return true;
    }
    // What was ordered last counts; a daemon has its number from who started it.
    const isNew = info?.launch !== "all" ||
      (order.parallel !== undefined && order.parallel !== info?.parallel);
    if (info?.kind !== "daemon" && order.launch === "all" && isNew) {
      const startedAt = formatTime(Date.now());
      const unknown = { pid: NOBODY, startedAt, kind: "supervisor" } as const;
      writeDaemonInfo(store, { ...(info ?? unknown), ...order });
    }
    return true;
  };
  return order.launch === "all" ? store.locked(told) : told();
}

function ownHost(): string | undefined {
  try {
    return Deno.hostname();
  } catch {
    // Not for us to ask.
    return undefined;
  }
}

/** Where a lock holds on one machine only, having it does not say that nobody watches on another one. */
function refuseElsewhere(store: Store, other: string | undefined, own: string | undefined): void {
  if (other === undefined || own === undefined || other === own) return;
  const type = localLocks(store.dir);
  if (type === undefined) return;
  throw new OrchestraError(
    "state",
    `${other} watches over this workspace, or did: locks on this file system (${type}) hold on ` +
      "one machine only",
    { hint: `Stop it there. If nobody watches there any more: rm ${quote([infoPath(store)])}` },
  );
}

/**
 * Says who watches from now on; for who has the lock. What it was told meanwhile counts, and so does
 * what whoever had the lock before did not live to do.
 *
 * @param from of a daemon that watches over many: what whoever had the watch before was told
 * @throws OrchestraError `state` where another machine may be watching, and the lock does not tell
 */
export function announce(
  store: Store,
  kind: DaemonInfo["kind"],
  order: StandingOrder,
  from?: { readonly ordered: StandingOrder | undefined },
): DaemonInfo {
  return store.locked(() => {
    const before = readDaemonInfo(store);
    const ordered = orderOf(before);
    const inherits = ordered?.launch === "all" && order.launch !== "all";
    const start = startOf(Deno.pid) ?? "-";
    const host = ownHost();
    refuseElsewhere(store, before?.host, host);
    // Whoever started us may have written what it was told since; a number alone is not us.
    const isOurs = before?.pid === Deno.pid && before.start === start && before.begins === true;
    const { launch, parallel } = isOurs ? before! : inherits ? ordered! : order;
    const info: DaemonInfo = {
      pid: Deno.pid,
      start,
      host,
      startedAt: formatTime(Date.now()),
      kind,
      launch,
      parallel,
      ...(from === undefined
        ? {}
        : { everywhere: true, ordered: ordered ?? from.ordered ?? RETRIES }),
    };
    writeDaemonInfo(store, info);
    return info;
  });
}

/** What goes on without an order: the queue's own retries. */
const RETRIES: StandingOrder = { launch: "retries" };

/** What others had ordered of a daemon that watches over many is done. */
export function forgetOrder(store: Store): void {
  if (readDaemonInfo(store)?.ordered?.launch !== "all") return;
  store.locked(() => {
    const info = readDaemonInfo(store);
    if (info?.pid === Deno.pid) writeDaemonInfo(store, { ...info, ordered: RETRIES });
  });
}

/**
 * Starts a supervisor in the background, unless somebody watches already. It goes on when we end,
 * and goes away by itself when nothing is left to do. What it is to do is on record from now on: should
 * it be killed, even before it has begun, whoever looks next knows.
 *
 * @param store the workspace
 * @param program module of the command line, or the path of the compiled program
 * @returns whether one was started
 */
export function ensureSupervisor(store: Store, program: string, order: StandingOrder): boolean {
  if (tellWatcher(store, order)) return false;
  const { pid } = spawnDetached(
    program,
    store.root,
    ["_supervise", ...argumentsOf(order)],
    { leading: LATER },
  );
  store.locked(() => {
    // It may have begun already, and said more than we know.
    if (readDaemonInfo(store)?.pid === pid) return;
    const start = startOf(pid);
    const startedAt = formatTime(Date.now());
    writeDaemonInfo(store, { pid, start, begins: true, startedAt, kind: "supervisor", ...order });
  });
  return true;
}

/** How the hidden command is told what to do. */
function argumentsOf({ launch, parallel }: StandingOrder): string[] {
  return [`--launch=${launch}`, ...(parallel === undefined ? [] : [`--parallel=${parallel}`])];
}

/** Something that takes over where this process ends, however it does. */
export interface Guardian {
  /** It is of no more use: it ends. */
  dismiss(): void;
}

/** Waits until whoever holds the other end of its input is gone, then becomes a supervisor. */
const GUARD = ["/bin/sh", "-c", 'read -r line; exec "$@"', "orchestra"] as const;

/**
 * Starts a small process that waits for the end of this one, a kill included, and then becomes a
 * supervisor. On Windows there is none: undefined.
 *
 * @param program module of the command line, or the path of the compiled program
 */
export function startGuardian(
  store: Store,
  program: string,
  order: StandingOrder,
): Guardian | undefined {
  if (Deno.build.os === "windows") return undefined;
  const args = ["_supervise", ...argumentsOf(order)];
  const child = spawnDetached(program, store.root, args, { leading: GUARD, stdin: "piped" });
  return {
    dismiss() {
      try {
        child.kill("SIGKILL");
      } catch {
        // It has ended.
      }
    },
  };
}

/**
 * Lets the command that leaves a supervisor behind end first: on two cores its start would cost the
 * command, which somebody waits for, up to 14 ms. The shell becomes the supervisor: one pid.
 */
const LATER: readonly string[] = Deno.build.os === "windows"
  ? []
  : ["/bin/sh", "-c", 'sleep 0.05; exec "$@"', "orchestra"];
