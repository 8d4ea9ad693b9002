// Taking over the watch of a workspace, for a daemon: a supervisor is asked to go, for a daemon does all
// that it does; another daemon and a `run --wait` are not. Killed in between, nobody watches, and whoever
// looks next leaves a supervisor.

import { pause } from "../launch/pause.ts";
import type { Store } from "../store/tasks.ts";
import { OrchestraError, quote } from "../task/error.ts";
import { listWorkspaces } from "../workspaces/registry.ts";
import {
  type DaemonInfo,
  holdsLock,
  isRecorded,
  isWatched,
  orderOf,
  readDaemonInfo,
  type StandingOrder,
  tryDaemonLock,
  type WatchLock,
} from "./watcher.ts";

/** The watch, and what whoever had it before was told to launch. */
export interface Taken {
  readonly lock: WatchLock;
  readonly ordered: StandingOrder | undefined;
}

/** Turns of {@linkcode takeWatch}, 10 ms each. */
const TURNS = 200;

/**
 * Takes over the watch: a supervisor that `run` left is asked to go.
 *
 * @throws OrchestraError `state` where a daemon or a `run --wait` has it
 */
export async function takeWatch(store: Store): Promise<Taken> {
  let ordered: StandingOrder | undefined;
  for (let turn = 0; turn < TURNS; turn++) {
    const lock = tryDaemonLock(store);
    if (lock !== undefined) return { lock, ordered };
    const info = readDaemonInfo(store);
    // A record that a killed one left behind says nothing: somebody only asked, just now.
    const isTheirs = info !== undefined && isSame(store, info);
    if (isTheirs && info.kind !== "supervisor") throw watchedBy(store, info);
    if (isTheirs) ordered = orderOf(info);
    if (isTheirs && turn === 0) askToStop(info.pid);
    await pause(10);
  }
  throw new OrchestraError(
    "state",
    "Somebody else holds .orchestra/daemon.lock and does not let go",
    { hint: "See who with: orchestra daemon status" },
  );
}

/** Whether the process that the record names is still the one that wrote it, and watches. */
export function isSame(store: Store, info: DaemonInfo): boolean {
  return isRecorded(info) && holdsLock(store, info.pid);
}

/** Asks a watcher to stop; one that has ended in the meantime needs no asking. */
export function askToStop(pid: number): void {
  try {
    Deno.kill(pid, "SIGTERM");
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
}

/** Asks a daemon to stop. On Windows one that does not listen, for it has only begun, is ended. */
export async function askDaemonToStop(pid: number): Promise<void> {
  if (Deno.build.os === "windows") {
    const { askProcess } = await import("../launch/windows/stopping.ts");
    if (askProcess(pid)) return;
  }
  askToStop(pid);
}

/** The error for a daemon where somebody watches who does not give way. */
export function watchedBy(
  { root }: Pick<Store, "root">,
  { kind, pid, everywhere }: DaemonInfo,
): OrchestraError {
  if (everywhere) {
    const known = listWorkspaces().find((one) => one.root === root);
    return new OrchestraError(
      "state",
      `The daemon for all workspaces watches over this one (pid ${pid})`,
      {
        hint: "Stop it everywhere with: orchestra daemon stop --everywhere   " +
          `or let this one go: orchestra workspaces remove ${known?.name ?? quote([root])}`,
      },
    );
  }
  return kind === "daemon"
    ? new OrchestraError("state", `A daemon runs for this workspace already (pid ${pid})`, {
      hint: "Stop it with: orchestra daemon stop",
    })
    : new OrchestraError("state", `A run --wait watches over this workspace (pid ${pid})`, {
      hint: "Wait until it is done, or interrupt it.",
    });
}

/** Who has the watch is looked for so often, milliseconds. */
const LOOK = 500;

/**
 * Takes over the watch as soon as who has it and does not give way has left.
 *
 * @param onWait told why it waits, each time that somebody else has it
 * @returns undefined where the signal was aborted before
 */
export async function waitForWatch(
  store: Store,
  signal: AbortSignal,
  onWait: (reason: string) => void,
): Promise<Taken | undefined> {
  while (!signal.aborted) {
    try {
      return await takeWatch(store);
    } catch (error) {
      if (!(error instanceof OrchestraError) || error.code !== "state") throw error;
      onWait(error.message);
    }
    const pid = readDaemonInfo(store)?.pid;
    do await pause(LOOK, signal); while (
      !signal.aborted && store.isHere() && isWatched(store) && readDaemonInfo(store)?.pid === pid
    );
  }
  return undefined;
}
