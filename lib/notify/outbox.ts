// What is owed to one subscriber: a folder `outbox/<name>/` with one file a delivery, named after the key
// of its event, and `state.json` with the place in the history up to which that was done. A delivery's
// file is there before the place is written, and goes when it was made: killed in between, the same files
// are made again. `disabled.json` and `resume` are written by others than whoever delivers, and are files
// of their own for that reason.

import { type HistoryEvent, parseEvent } from "../task/event.ts";
import { formatTime, parseTime } from "../task/fields.ts";
import type { Attempt } from "../task/standing.ts";
import {
  lstat,
  openNamed,
  readHead,
  removeFile,
  renameFile,
  setAside,
  tryReadRegular,
  writeTemporary,
} from "../store/files.ts";
import { type Cursor, parseCursor } from "../store/history_files.ts";
import { isRefusedByWindows } from "../store/paths.ts";

/** One delivery that is owed. */
export interface Delivery {
  /** Name of its file. */
  readonly file: string;
  readonly event: HistoryEvent;
  /** The place in the history after its event: deliveries are made in this order. */
  readonly cursor: string;
  /** How often it has failed. */
  readonly attempts: number;
  /** Not before, milliseconds since the epoch. */
  readonly next: number;
  /** Since when it is owed, milliseconds since the epoch. */
  readonly owedSince: number;
  readonly lastError?: string;
}

/** How it stands with a subscriber. */
export interface LaneState {
  /** Up to where the history was looked through; null before anything was. */
  readonly cursor: string | null;
  /** Where nothing was: events before this time are not told, milliseconds since the epoch. */
  readonly since: number;
  /** How often in a row the receiver as a whole has failed. */
  readonly failures: number;
  /** Nothing is sent before, milliseconds since the epoch. */
  readonly pausedUntil: number;
  /** Since when every attempt has failed, milliseconds since the epoch; null where the last did not. */
  readonly failingSince: number | null;
  /** Milliseconds since the epoch; null for never. */
  readonly lastSuccess: number | null;
  readonly lastError: string | null;
}

/** Largest file of an outbox that is read, bytes. */
const LARGEST = 8 * 1024 * 1024;
/** An attempts' log is begun anew beyond this size, bytes. */
const MAX_LOG = 256 * 1024;
/** So many deliveries that were given up are kept. */
const MOST_DEAD = 1000;
/** Longest name of a file that is a key as it stands. */
const LONGEST_NAME = 150;
/** Names that are no deliveries. */
const RESERVED: readonly string[] = ["state", "disabled"];

/** Where the subscribers' folders are. */
export function outboxPath(dir: string): string {
  return `${dir}/outbox`;
}

/** A subscriber's folder; `%` around the names that Windows refuses there, for no name has one. */
export function lanePath(
  dir: string,
  name: string,
  windows: boolean = Deno.build.os === "windows",
): string {
  const lower = name.toLowerCase();
  return `${outboxPath(dir)}/${windows && isRefusedByWindows(lower) ? `%${lower}%` : lower}`;
}

/** The name of the file for an event's key, whatever that holds. */
export function fileFor(key: string): string {
  const name = [...new TextEncoder().encode(key)].map((byte) => {
    const character = String.fromCharCode(byte);
    return /[a-z0-9_.-]/.test(character) ? character : `%${byte.toString(16).padStart(2, "0")}`;
  }).join("").replace(/^\./, "%2e");
  if (RESERVED.includes(name)) return `%${name}.json`;
  return name.length <= LONGEST_NAME
    ? `${name}.json`
    : `${name.slice(0, LONGEST_NAME)}%${hash(name)}.json`;
}

/** FNV-1a, twice: only to tell long names apart. */
function hash(text: string): string {
  let [first, second] = [0x811c9dc5, 0x01000193];
  for (let at = 0; at < text.length; at++) {
    first = Math.imul(first ^ text.charCodeAt(at), 0x01000193);
    second = Math.imul(second ^ text.charCodeAt(at), 0x85ebca6b);
  }
  return (first >>> 0).toString(16) + (second >>> 0).toString(16);
}

function isDeliveryFile(name: string): boolean {
  return name.endsWith(".json") && !RESERVED.includes(name.slice(0, -".json".length));
}

/** Makes a folder; what else has its name, a link among them, is set aside. */
export function makeFolder(path: string): void {
  const info = lstat(path);
  if (info?.isDirectory && !info.isSymlink) return;
  if (info !== undefined) setAside(path);
  Deno.mkdirSync(path, { recursive: true, mode: 0o700 });
}

function isFolder(path: string): boolean {
  const info = lstat(path);
  return info?.isDirectory === true && !info.isSymlink;
}

/** Names of the subscribers that have a folder. */
export function listLanes(dir: string): string[] {
  const path = outboxPath(dir);
  if (!isFolder(path)) return [];
  return [...Deno.readDirSync(path)]
    .flatMap(({ name, isDirectory }) => isDirectory ? [name.replace(/^%(.+)%$/, "$1")] : []);
}

/** What is owed to one that nobody names any more is kept so long, milliseconds. */
const KEPT = 7 * 86_400_000;

/**
 * Removes the folder of a subscriber that is none any more, and was none for a week: settings that are
 * not there for a moment, or another user's who looks, must not cost what is owed.
 *
 * @param now milliseconds since the epoch
 */
export function removeLane(dir: string, name: string, now: number): void {
  const folder = lanePath(dir, name);
  if (!isFolder(outboxPath(dir)) || !isFolder(folder)) return;
  const times = [folder, `${folder}/state.json`].map((path) => lstat(path)?.mtime?.getTime() ?? 0);
  if (now - Math.max(...times) > KEPT) Deno.removeSync(folder, { recursive: true });
}

/** Who writes a file has written it within this, milliseconds. */
const STILL_WRITING = 60_000;

/** Removes what was left behind by processes that were killed while they wrote. */
export function removeStrays(folder: string, now: number): void {
  for (const { name, isFile } of Deno.readDirSync(folder)) {
    if (!isFile || !/\.\d+\.tmp$/.test(name)) continue;
    const written = lstat(`${folder}/${name}`)?.mtime?.getTime() ?? now;
    if (now - written > STILL_WRITING) removeFile(`${folder}/${name}`);
  }
}

// ---------------------------------------------------------------------------------------------
// The state

function readJson(path: string): Record<string, unknown> | undefined {
  try {
    const read = tryReadRegular(path, LARGEST);
    if (read === undefined || "problem" in read) return undefined;
    const value: unknown = JSON.parse(read.text);
    return typeof value === "object" && value !== null
      ? value as Record<string, unknown>
      : undefined;
  } catch {
    return undefined;
  }
}

const timeIn = (value: unknown): number | null =>
  typeof value === "string" ? parseTime(value) : null;
const textIn = (value: unknown): string | undefined =>
  typeof value === "string" ? value : undefined;
const countIn = (value: unknown): number =>
  typeof value === "number" && Number.isInteger(value) && value >= 0 ? value : 0;

/**
 * How it stands with a subscriber.
 *
 * @param since what holds where it has not been seen before, milliseconds since the epoch
 */
export function readState(folder: string, since: number): LaneState {
  const value = readJson(`${folder}/state.json`) ?? {};
  const cursor = textIn(value.cursor);
  return {
    cursor: cursor !== undefined && parseCursor(cursor) !== undefined ? cursor : null,
    since: timeIn(value.since) ?? since,
    failures: countIn(value.failures),
    pausedUntil: timeIn(value.pausedUntil) ?? 0,
    failingSince: timeIn(value.failingSince),
    lastSuccess: timeIn(value.lastSuccess),
    lastError: textIn(value.lastError) ?? null,
  };
}

/** No pause and no wait is longer than this, milliseconds: a day, and what chance adds to it. */
const LONGEST_WAIT = 1.1 * 86_400_000;

/** A time to wait for; one that is further away was written under another clock. */
export function believed(time: number, now: number): number {
  return time > now + LONGEST_WAIT ? now : time;
}

/** Whether anything was written of a subscriber yet. */
export function isKnown(folder: string): boolean {
  return lstat(`${folder}/state.json`)?.isFile === true;
}

/** Writes it; durably before it is fulfilled. */
export async function writeState(folder: string, state: LaneState): Promise<void> {
  const time = (millis: number | null) =>
    millis === null || millis === 0 ? undefined : formatTime(millis);
  const text = JSON.stringify({
    cursor: state.cursor ?? undefined,
    since: formatTime(state.since),
    failures: state.failures,
    pausedUntil: time(state.pausedUntil),
    failingSince: time(state.failingSince),
    lastSuccess: time(state.lastSuccess),
    lastError: state.lastError ?? undefined,
  });
  await writeDurably([[`${folder}/state.json`, `${text}\n`]]);
}

/**
 * Makes the folder of a subscriber that has none, so that it is on disk since when it is to be told,
 * whoever touches its settings later. A file that says it was written later than now tells nothing.
 *
 * @param since when what names it was written, milliseconds since the epoch
 * @param now likewise
 */
export async function makeLane(
  dir: string,
  name: string,
  since: number,
  now: number,
): Promise<void> {
  const folder = lanePath(dir, name);
  if (isKnown(folder)) return;
  makeFolder(outboxPath(dir));
  makeFolder(folder);
  await writeState(folder, readState(folder, Math.min(since, now)));
}

/** Why nothing is sent to a subscriber any more; undefined where something is. */
export function readDisabled(folder: string): { at: number; why: string } | undefined {
  const path = `${folder}/disabled.json`;
  if (lstat(path) === undefined) return undefined;
  const value = readJson(path) ?? {};
  return { at: timeIn(value.at) ?? 0, why: textIn(value.why) ?? "" };
}

/** Nothing is sent from now on. */
export async function disable(folder: string, why: string, now: number): Promise<void> {
  await writeDurably([[
    `${folder}/disabled.json`,
    JSON.stringify({ at: formatTime(now), why }) + "\n",
  ]]);
}

/** Asks whoever delivers to send again, and not to wait any more; from any process. */
export function askToResume(folder: string): void {
  removeFile(`${folder}/disabled.json`);
  const temporary = `${folder}/resume.${Deno.pid}.tmp`;
  writeTemporary(temporary, "", false);
  renameFile(temporary, `${folder}/resume`);
}

/** Whether somebody has asked for it. */
export function isToResume(folder: string): boolean {
  return lstat(`${folder}/resume`) !== undefined;
}

/** The same; once. */
export function takeResume(folder: string): boolean {
  if (!isToResume(folder)) return false;
  removeFile(`${folder}/resume`);
  return true;
}

// ---------------------------------------------------------------------------------------------
// Deliveries

function parseDelivery(file: string, value: Record<string, unknown>): Delivery | undefined {
  const event = parseEvent(JSON.stringify(value.event ?? null));
  if (event === undefined || fileFor(event.key) !== file) return undefined;
  const cursor = textIn(value.cursor) ?? "0.0";
  return {
    file,
    event,
    cursor: parseCursor(cursor) === undefined ? "0.0" : cursor,
    attempts: countIn(value.attempts),
    next: timeIn(value.next) ?? 0,
    owedSince: timeIn(value.owedSince) ?? 0,
    lastError: textIn(value.lastError),
  };
}

function formatDelivery({ event, cursor, attempts, next, owedSince, lastError }: Delivery): string {
  return JSON.stringify({
    event,
    cursor,
    attempts,
    next: formatTime(next),
    owedSince: formatTime(owedSince),
    lastError,
  }) + "\n";
}

/** In the order in which the events happened, as the history tells. */
export function compareDeliveries(a: Delivery, b: Delivery): number {
  const [one, other] = [placeOf(a), placeOf(b)];
  return one.part - other.part || one.offset - other.offset || (a.file < b.file ? -1 : 1);
}

function placeOf({ cursor }: Delivery): Cursor {
  return parseCursor(cursor) ?? { part: 0, offset: 0 };
}

/** Names of the files of what is owed. */
export function listFiles(folder: string): string[] {
  if (!isFolder(folder)) return [];
  return [...Deno.readDirSync(folder)]
    .flatMap(({ name, isFile }) => isFile && isDeliveryFile(name) ? [name] : []);
}

/** One delivery; undefined where it is gone, or none. */
export function readDelivery(folder: string, file: string): Delivery | undefined {
  const value = readJson(`${folder}/${file}`);
  return value === undefined ? undefined : parseDelivery(file, value);
}

/** Writes what is owed; what is there already stays as it is. Durable when fulfilled. */
export async function addDeliveries(
  folder: string,
  deliveries: readonly Delivery[],
): Promise<void> {
  const fresh = deliveries.filter(({ file }) => lstat(`${folder}/${file}`) === undefined);
  await writeDurably(
    fresh.map((delivery) => [`${folder}/${delivery.file}`, formatDelivery(delivery)] as const),
  );
}

/** Replaces the file of a delivery. What it says is of no use after a power cut: it is not synced. */
export function updateDelivery(folder: string, delivery: Delivery): void {
  const path = `${folder}/${delivery.file}`;
  const temporary = `${path}.${Deno.pid}.tmp`;
  writeTemporary(temporary, formatDelivery(delivery), false);
  renameFile(temporary, path);
}

/** It was made. */
export function removeDelivery(folder: string, file: string): void {
  removeFile(`${folder}/${file}`);
}

/** It is given up; the newest of those are kept. */
export function bury(folder: string, file: string): void {
  const dead = `${folder}/dead`;
  if (lstat(`${folder}/${file}`) === undefined) return;
  makeFolder(dead);
  renameFile(`${folder}/${file}`, `${dead}/${file}`);
  const names = listFiles(dead);
  if (names.length <= MOST_DEAD) return;
  const aged = names.map((name) => ({ name, at: lstat(`${dead}/${name}`)?.mtime?.getTime() ?? 0 }))
    .sort((a, b) => a.at - b.at);
  for (const { name } of aged.slice(0, names.length - MOST_DEAD)) removeFile(`${dead}/${name}`);
}

/** Deliveries that were given up. */
export function listDead(folder: string): Delivery[] {
  return listFiles(`${folder}/dead`).flatMap((file) => {
    const value = readJson(`${folder}/dead/${file}`);
    return value === undefined ? [] : parseDelivery(file, value) ?? [];
  });
}

/** It is not given up any more. */
export function removeDead(folder: string, file: string): void {
  removeFile(`${folder}/dead/${file}`);
}

/** Writes files beside their names, makes them durable without holding anybody up, and names them. */
async function writeDurably(
  files: readonly (readonly [path: string, text: string])[],
): Promise<void> {
  const written: [string, string][] = [];
  try {
    for (const [path, text] of files) {
      const temporary = `${path}.${Deno.pid}.tmp`;
      writeTemporary(temporary, text, false);
      written.push([temporary, path]);
    }
    for (const [temporary] of written) {
      using file = await Deno.open(temporary, { read: true, write: true });
      await file.sync();
    }
    for (const [temporary, path] of written.splice(0)) renameFile(temporary, path);
  } finally {
    for (const [temporary] of written) removeFile(temporary);
  }
}

// ---------------------------------------------------------------------------------------------
// The log of attempts

/** Adds a line to the log of attempts; it is advice, and goes on without one. */
export function logAttempt(folder: string, attempt: Attempt): void {
  try {
    const path = `${folder}/log.jsonl`;
    if ((lstat(path)?.size ?? 0) > MAX_LOG) renameFile(path, `${path}.1`);
    using file = openNamed(path, { append: true });
    file?.writeSync(new TextEncoder().encode(JSON.stringify(attempt) + "\n"));
  } catch {
    // A full disk: it was attempted all the same.
  }
}

/** Attempts, oldest first. */
export function readLog(folder: string): Attempt[] {
  const attempts: Attempt[] = [];
  for (const name of ["log.jsonl.1", "log.jsonl"]) {
    const text = readHead(`${folder}/${name}`, 2 * MAX_LOG)?.text ?? "";
    for (const line of text.split("\n")) {
      const attempt = parseAttempt(line);
      if (attempt !== undefined) attempts.push(attempt);
    }
  }
  return attempts;
}

function parseAttempt(line: string): Attempt | undefined {
  try {
    const { time, id, event, attempt, outcome, ok } = JSON.parse(line);
    const isSound = [time, id, event, outcome].every((text) => typeof text === "string") &&
      typeof attempt === "number" && typeof ok === "boolean";
    return isSound ? { time, id, event, attempt, outcome, ok } : undefined;
  } catch {
    return undefined;
  }
}
