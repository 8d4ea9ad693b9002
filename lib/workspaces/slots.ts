// Slots of the limits that hold across workspaces, in the user's own state folder, `slots/`: a file for each
// launch that is subject to one, the times of launches, and the pauses of providers.
//
//  1. A slot is taken, under the lock there, inside the lock of its workspace and before its claim is on
//     disk. Killed in between, the claim was never made, and the slot is free: who looks sees that nobody is
//     inside that workspace's lock any more.
//  2. It is held as long as its task runs under that claim, or something of it may live. The task's own
//     file says so, and nothing else: a slot is given back by whoever settles the task, and where that one
//     was killed by whoever next looks for one.
//     Where its workspace is gone, moved or removed, its processes say so: whoever looks brings along how
//     to ask for them.
//  3. Only under the lock is a file of another's removed, or a new one made: no slot is given twice.
//
// The kernel frees the lock. All of it can be deleted: limits then count from nothing.

import {
  type Held,
  isLimited,
  type MachineLimits,
  providerOf,
  recentLaunches,
  roomIn,
  type Taken,
  unreadFor,
} from "../decide/room.ts";
import type { PausedLane } from "../decide/view.ts";
import { believedTime } from "../decide/waits.ts";
import {
  lstat,
  messageOf,
  openRegular,
  removeFile,
  replaceFile,
  tryReadRegular,
} from "../store/files.ts";
import { takeLock } from "../store/lock.ts";
import { isObeyed, userStateFolder } from "../store/owner.ts";
import { isAbsolute } from "../store/paths.ts";
import { type Agents, PROVIDER } from "../task/agent.ts";
import { formatTime, isTerminal, parseTask, parseTime, type Task } from "../task/fields.ts";
import { hash } from "../task/hash.ts";
import { isTaskId } from "../task/id.ts";

/** What a slot is for. */
export interface Slot {
  /** Root of the workspace, absolute. */
  readonly root: string;
  readonly task: string;
  /** Number of the claim. */
  readonly claim: number;
  readonly agent: string;
  readonly provider: string | null;
}

/** A pause of an agent whose provider's quota is used up. */
export interface Pause {
  readonly provider: string;
  readonly agent: string;
  /** Milliseconds since the epoch. */
  readonly until: number;
}

/** Whether any process of a task lives, by the task's id; asked only where its workspace is gone. */
export type AskAlive = (task: string) => boolean;

/** For who counts nothing: what is gone holds nothing. */
const NOBODY: AskAlive = () => false;

/** Largest of the files that is read, bytes. */
const LARGEST = 1024 * 1024;
/** Of a launch's times no more are kept for each provider. */
const MOST_TIMES = 10_000;

/** The folder; undefined where the environment names no place for it, or may not be read. */
export function slotsFolder(): string | undefined {
  try {
    const state = userStateFolder();
    return state === undefined ? undefined : `${state}/slots`;
  } catch {
    return undefined;
  }
}

const NO_PLACE = "there is no place for slots: set HOME or XDG_STATE_HOME";

/** Makes the folder where it is not there; why it cannot be used, or null. */
function makeFolder(folder: string): string | null {
  try {
    if (lstat(folder) === undefined) Deno.mkdirSync(folder, { recursive: true, mode: 0o700 });
    const info = lstat(folder);
    if (info?.isDirectory !== true || info.isSymlink) return `${folder} is no folder`;
    if (!isObeyed(info)) return `${folder} belongs to another user`;
    Deno.openSync(`${folder}/lock`, { read: true, write: true, create: true, mode: 0o600 }).close();
    return null;
  } catch (error) {
    return `${folder} cannot be used: ${messageOf(error)}`;
  }
}

/**
 * What is taken of the machine now, without the lock: to decide upon, and to be shown. Whoever takes a slot
 * looks again.
 *
 * @param inside root of the workspace whose lock we have
 */
export function readTaken(
  inside?: string,
  folder: string | undefined = slotsFolder(),
  isAlive = NOBODY,
): Taken {
  const problem = folder === undefined ? NO_PLACE : makeFolder(folder);
  if (folder === undefined || problem !== null) {
    return { slots: [], launches: new Map(), problem };
  }
  try {
    const held = listSlots(folder).map(({ slot }) => slot)
      .filter((slot) => isHeld(slot, isAlive, inside));
    return takenIn(folder, held);
  } catch (error) {
    return { slots: [], launches: new Map(), problem: `${folder}: ${messageOf(error)}` };
  }
}

function takenIn(folder: string, slots: readonly Slot[]): Taken {
  return {
    slots: slots.map(({ provider }) => provider),
    launches: readLaunches(folder),
    problem: null,
  };
}

/** The slots that are held now by tasks of workspaces that are there. */
export function heldSlots(folder: string | undefined = slotsFolder()): Slot[] {
  if (folder === undefined || lstat(folder) === undefined) return [];
  return listSlots(folder).map(({ slot }) => slot).filter((slot) => isHeld(slot, NOBODY));
}

/**
 * Takes a slot for a claim that is about to be made, inside the lock of its workspace.
 *
 * @param agents of its workspace
 * @param clock milliseconds since the epoch: others may keep us waiting for the lock
 * @returns why it may not be launched; null where it may
 */
export function takeSlot(
  wanted: Slot,
  limits: MachineLimits,
  agents: Agents,
  clock: () => number,
  folder: string | undefined = slotsFolder(),
  isAlive = NOBODY,
): Held | null {
  if (!isLimited(limits, wanted.provider)) return null;
  const unread = unreadFor(limits, wanted.provider);
  if (unread !== null) return unread;
  const problem = folder === undefined ? NO_PLACE : makeFolder(folder);
  if (folder === undefined || problem !== null) {
    return { kind: "no-slots", problem: problem ?? NO_PLACE };
  }
  try {
    const { file } = takeLock(`${folder}/lock`);
    try {
      const now = clock();
      const held = freeRest(folder, wanted.root, isAlive);
      const taken = takenIn(folder, held);
      const refused = roomIn(limits, taken, agents, now).held({ agent: wanted.agent });
      if (refused !== null) return refused;
      // First the time: killed before the slot is there, a launch is counted that never was.
      noteLaunch(folder, wanted, limits, taken.launches, now);
      const path = `${folder}/${fileOf(wanted)}`;
      const text = JSON.stringify({ ...wanted, takenAt: formatTime(now), pid: Deno.pid });
      replaceFile(path, `${path}.${Deno.pid}.tmp`, `${text}\n`, "nothing");
      return null;
    } finally {
      file.close();
    }
  } catch (error) {
    return { kind: "no-slots", problem: `${folder}: ${messageOf(error)}` };
  }
}

/** Removes the slots that nothing holds any more, under the lock; those that are held. */
function freeRest(folder: string, inside: string, isAlive: AskAlive): Slot[] {
  const held: Slot[] = [];
  for (const { slot, path } of listSlots(folder)) {
    if (isHeld(slot, isAlive, inside)) held.push(slot);
    else removeFile(path);
  }
  // Nobody else writes here now: what is on its way to its name was left by who was killed.
  for (const { name } of Deno.readDirSync(folder)) {
    if (name.endsWith(".tmp")) tryRemove(`${folder}/${name}`);
  }
  return held;
}

/** Removes what is in nobody's way where it cannot be removed: a folder, say, that somebody made there. */
function tryRemove(path: string): void {
  try {
    removeFile(path);
  } catch {
    // Passed over.
  }
}

/** Gives back what a claim holds: nothing of it lives any more, or it was not made after all. */
export function releaseSlot(
  claim: Pick<Slot, "root" | "task" | "claim">,
  folder: string | undefined = slotsFolder(),
): void {
  try {
    if (folder !== undefined) removeFile(`${folder}/${fileOf(claim)}`);
  } catch {
    // Whoever looks next gives it back.
  }
}

const fileOf = ({ root, task, claim }: Pick<Slot, "root" | "task" | "claim">) =>
  `${hash(root)}.${task}.${claim}.json`;

/** All slots that there are files of. What is none is left as it is. */
function listSlots(folder: string): { slot: Slot; path: string }[] {
  const found: { slot: Slot; path: string }[] = [];
  for (const { name } of Deno.readDirSync(folder)) {
    if (!/\.\d+\.json$/.test(name)) continue;
    const path = `${folder}/${name}`;
    const slot = parseSlot(readJson(path));
    if (slot !== undefined && name === fileOf(slot)) found.push({ slot, path });
  }
  return found;
}

function parseSlot(value: unknown): Slot | undefined {
  const { root, task, claim, agent, provider } = (value ?? {}) as Partial<Slot>;
  if (typeof root !== "string" || !isAbsolute(root)) {
    return undefined;
  }
  if (typeof task !== "string" || !isTaskId(task)) return undefined;
  if (!Number.isSafeInteger(claim) || typeof agent !== "string") return undefined;
  if (provider !== null && (typeof provider !== "string" || !PROVIDER.test(provider))) {
    return undefined;
  }
  return { root, task, claim: claim!, agent, provider };
}

function readJson(path: string): unknown {
  const read = tryReadRegular(path, LARGEST, isObeyed);
  if (read === undefined || "problem" in read) return undefined;
  try {
    return JSON.parse(read.text);
  } catch {
    // Damaged: as if it were not there.
    return undefined;
  }
}

/**
 * Whether a slot's task runs under its claim, or may.
 *
 * @param inside root of the workspace whose lock we have: nobody else is about to claim anything in it
 */
function isHeld(slot: Slot, isAlive: AskAlive, inside?: string): boolean {
  try {
    const standing = standingOf(slot, isAlive);
    if (standing !== "claiming") return standing === "held";
    if (slot.root === inside) return false;
    return whileUnlocked(slot.root, () => standingOf(slot, isAlive) === "held") ?? true;
  } catch {
    // Not for us to look at just now: a slot whose task may run is not free.
    return true;
  }
}

/** What a task's own files say of a slot. */
function standingOf(
  { root, task: id, claim }: Slot,
  isAlive: AskAlive,
): "held" | "free" | "claiming" {
  const tasks = `${root}/.orchestra/tasks`;
  const read = tryReadRegular(`${tasks}/${id}.json`, 64 * LARGEST);
  const task = read !== undefined && "text" in read ? soundTask(read.text, id) : undefined;
  if (task === undefined) {
    // Removed, or damaged: the marks of its launch tell as much as there is to know.
    if (isThere(root) && lstat(`${tasks}/${id}.${claim}.pid`) !== undefined) {
      return lstat(`${tasks}/${id}.exitcode`) === undefined ? "held" : "free";
    }
    // Nothing of it is here any more, and yet it may run elsewhere.
    return isAlive(id) ? "held" : "free";
  }
  if (task.status === "pending") return task.claim < claim ? "claiming" : "free";
  if (task.claim !== claim) return "free";
  return isTerminal(task.status) && task.reapAt === null ? "free" : "held";
}

/** Whether a workspace is there; throws where it is not for us to look. */
function isThere(root: string): boolean {
  try {
    return Deno.lstatSync(`${root}/.orchestra`).isDirectory;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound || error instanceof Deno.errors.NotADirectory) {
      return false;
    }
    throw error;
  }
}

function soundTask(text: string, id: string): Task | undefined {
  const parsed = parseTask(text, id);
  return "task" in parsed ? parsed.task : undefined;
}

/** Asks while nobody is inside a workspace's lock; undefined where somebody is. */
function whileUnlocked<T>(root: string, ask: () => T): T | undefined {
  const file = openRegular(`${root}/.orchestra/lock`);
  if (file === undefined) return ask();
  try {
    return file.tryLockSync(false) ? ask() : undefined;
  } finally {
    file.close();
  }
}

function readLaunches(folder: string): Map<string, number[]> {
  const launches = new Map<string, number[]>();
  const value = readJson(`${folder}/launches.json`);
  for (const [provider, times] of Object.entries((value ?? {}) as Record<string, unknown>)) {
    if (!PROVIDER.test(provider) || !Array.isArray(times)) continue;
    const known = times.map((time) => parseTime(typeof time === "string" ? time : null));
    launches.set(provider, known.filter((time) => time !== null).sort((a, b) => a - b));
  }
  return launches;
}

/** Records when an agent is launched, where its provider has such a limit. */
function noteLaunch(
  folder: string,
  { provider }: Slot,
  limits: MachineLimits,
  before: ReadonlyMap<string, readonly number[]>,
  now: number,
): void {
  if (provider === null || (limits.providers.get(provider)?.launches ?? null) === null) return;
  const kept: Record<string, string[]> = {};
  for (const [name, limit] of limits.providers) {
    if (limit.launches === null) continue;
    const times = recentLaunches(before.get(name) ?? [], limit.launches.within, now);
    if (name === provider) times.push(now);
    if (times.length > 0) kept[name] = times.slice(-MOST_TIMES).map(formatTime);
  }
  const path = `${folder}/launches.json`;
  replaceFile(path, `${path}.${Deno.pid}.tmp`, `${JSON.stringify(kept)}\n`, "nothing");
}

/** The pauses of providers; it costs one look where there are none. */
export function readPauses(now: number, folder: string | undefined = slotsFolder()): Pause[] {
  if (folder === undefined) return [];
  try {
    const value = readJson(`${folder}/pauses.json`);
    return (Array.isArray(value) ? value : []).flatMap((item: Record<string, unknown>) => {
      const { provider, agent, until } = item ?? {};
      if (typeof provider !== "string" || typeof agent !== "string") return [];
      const time = believedTime(parseTime(typeof until === "string" ? until : null), now);
      return time > now ? [{ provider, agent, until: time }] : [];
    });
  } catch {
    return [];
  }
}

/** Records a pause for all workspaces, before the task that met it is settled. */
export function keepPause(
  pause: Pause,
  now: number,
  folder: string | undefined = slotsFolder(),
): void {
  if (folder === undefined || makeFolder(folder) !== null) return;
  try {
    const { file } = takeLock(`${folder}/lock`);
    try {
      const isSame = (other: Pause) =>
        other.provider === pause.provider && other.agent === pause.agent;
      const before = readPauses(now, folder);
      if (before.some((other) => isSame(other) && other.until >= pause.until)) return;
      const kept = [...before.filter((other) => !isSame(other)), pause]
        .map(({ until, ...rest }) => ({ ...rest, until: formatTime(until) }));
      const path = `${folder}/pauses.json`;
      replaceFile(path, `${path}.${Deno.pid}.tmp`, `${JSON.stringify(kept)}\n`, "nothing");
    } finally {
      file.close();
    }
  } catch {
    // It holds in its own workspace all the same.
  }
}

/** The pauses that hold for a workspace's agents, by name. */
export function pausesOf(agents: Agents, pauses: readonly Pause[]): Map<string, PausedLane> {
  const lanes = new Map<string, PausedLane>();
  for (const { agent, provider, until } of pauses) {
    if (providerOf(agents, agent) === provider) lanes.set(agent, { agent, until });
  }
  return lanes;
}
