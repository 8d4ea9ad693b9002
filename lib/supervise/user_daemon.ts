// The daemon for all workspaces of a user: at most one, by a lock in the user's state folder. The record
// beside it says who it is and what it watches; it is advice, the lock is the truth. Killed, the lock is
// free, and the record names somebody who is gone.

import { lstat, removeFile, replaceFile, tryReadRegular } from "../store/files.ts";
import { isObeyed, userStateFolder } from "../store/owner.ts";
import { OrchestraError, UNPERMITTED } from "../task/error.ts";
import { pause } from "../launch/pause.ts";
import { isAlive } from "../launch/life.ts";
import { hasOpen, isLockHeld, tryWatchLock, type WatchLock } from "./watcher.ts";

/** A workspace as the daemon for all has it. */
export interface KeptWorkspace {
  readonly name: string;
  readonly root: string;
  /** `waiting`: somebody else watches; `failed`: it cannot be watched, and is tried again. */
  readonly state: "watched" | "waiting" | "failed" | "opening";
  /** Why it is not watched, or not as its settings say now; null where all is well. */
  readonly reason: string | null;
}

/** What the daemon for all says of itself. */
export interface UserDaemon {
  readonly pid: number;
  /** Its start time as the system tells it: proof that the pid is still its own. */
  readonly start: string;
  readonly startedAt: string;
  readonly workspaces: readonly KeptWorkspace[];
}

/** Where its lock, record and log are. */
export interface UserPlaces {
  readonly folder: string;
  readonly lock: string;
  readonly record: string;
  readonly log: string;
}

/** Largest record that is read, bytes. */
const LARGEST = 4 * 1024 * 1024;

/**
 * Where the daemon for all has its files.
 *
 * @throws OrchestraError `environment` where there is no place for them, or Deno forbids it
 */
export function userPlaces(): UserPlaces {
  const may = (name: "read" | "write") => Deno.permissions.querySync({ name }).state === "granted";
  if (!may("read") || !may("write")) {
    throw new OrchestraError(
      "environment",
      "A daemon for all workspaces reads and writes in each of them, and Deno lets this program " +
        "use only those of the folder it is started in",
      { hint: UNPERMITTED },
    );
  }
  const folder = userStateFolder();
  if (folder === undefined) {
    throw new OrchestraError(
      "environment",
      "There is no place for what the daemon for all workspaces keeps",
      { hint: "Set HOME or XDG_STATE_HOME." },
    );
  }
  const path = (name: string) => `${folder}/daemon.${name}`;
  return { folder, lock: path("lock"), record: path("json"), log: path("log") };
}

/** Takes the lock; undefined where another one has it. Who only asks has it for a moment. */
export async function takeUserLock({ folder, lock }: UserPlaces): Promise<WatchLock | undefined> {
  Deno.mkdirSync(folder, { recursive: true, mode: 0o700 });
  for (let turn = 0;; turn++) {
    const taken = tryWatchLock(lock);
    if (taken !== undefined || turn === 20) return taken;
    await pause(10);
  }
}

/** The daemon for all that runs now; undefined for none, and for one that has not said who it is. */
export function findUserDaemon(places: UserPlaces): UserDaemon | undefined {
  if (lstat(places.lock) === undefined || !isLockHeld(places.lock)) return undefined;
  const daemon = readRecord(places);
  return daemon !== undefined && isAlive(daemon) &&
      hasOpen(places.lock, daemon.pid)
    ? daemon
    : undefined;
}

function readRecord({ record }: UserPlaces): UserDaemon | undefined {
  try {
    const read = tryReadRegular(record, LARGEST, isObeyed);
    if (read === undefined || "problem" in read) return undefined;
    const value = JSON.parse(read.text) as Partial<UserDaemon> | null;
    return Number.isInteger(value?.pid) && typeof value!.start === "string" &&
        typeof value!.startedAt === "string" && Array.isArray(value!.workspaces) &&
        value!.workspaces.every(isKept)
      ? value as UserDaemon
      : undefined;
  } catch {
    return undefined;
  }
}

function isKept(value: unknown): value is KeptWorkspace {
  const { name, root, state, reason } = (value ?? {}) as Partial<KeptWorkspace>;
  return [name, root, state].every((text) => typeof text === "string") &&
    (reason === null || typeof reason === "string");
}

/** Says who we are and what we watch; not said where the disk refuses it. */
export function writeUserDaemon({ record }: UserPlaces, daemon: UserDaemon): void {
  try {
    replaceFile(record, `${record}.${daemon.pid}.tmp`, `${JSON.stringify(daemon)}\n`, "nothing");
  } catch {
    // Advice only.
  }
}

/** Takes the record along, for who has the lock. */
export function removeUserDaemon({ record }: UserPlaces): void {
  removeFile(record);
}
