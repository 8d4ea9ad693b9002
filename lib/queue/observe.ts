// What is on disk about one task, as evidence for the decision. Reads only.

import type { AgentDefinition, UsageFormat } from "../task/agent.ts";
import type { Identity, Life } from "../launch/launcher.ts";
import type { Launchers } from "../launch/mod.ts";
import { lastError, VENDORS } from "../agents/events.ts";
import { findRefusal } from "../agents/rate_limit.ts";
import {
  type Evidence,
  NO_EVIDENCE,
  type OrderState,
  type ShimState,
} from "../decide/reconcile.ts";
import { openRegular, tryReadRegular } from "../store/files.ts";
import { placesOf } from "../store/places.ts";
import type { Mark, Store } from "../store/tasks.ts";
import { parseTime, type Task, type TaskResult, type Usage } from "../task/fields.ts";
import { createUsageReader } from "../agents/usage.ts";

/** What is known of processes; unknown too where nobody has looked. */
export type Aliveness = (identity: Identity) => Life;

/** Under what a look remembers the process of a task that the ancestor launched. */
export function ancestral({ taskId, pid }: Task): Identity {
  return { pid, token: `${taskId} ancestral` };
}

/** Under what a look remembers who created a pid file and has not filled it. */
export function unnamed({ taskId }: Task): Identity {
  return { pid: null, token: `${taskId} unnamed` };
}

/** Whether a pid file without content is old enough to be asked about. */
export function isUnnamed(
  mark: Mark,
  launchers: Pick<Launchers, "parsePidFile">,
  now: number,
): boolean {
  return launchers.parsePidFile(mark.text) === undefined && Math.abs(now - mark.modifiedAt) > 2000;
}

/** Evidence, and what else was read on the way. */
export interface Observation {
  evidence: Evidence;
  /** Identity of the shim, where its pid file tells it. */
  shim: Identity | null;
  /** A sentinel is there, but only half written so far: look again soon. */
  partial: boolean;
}

/** A sentinel that is only half there is waited for this long, milliseconds. */
const PARTIAL_GRACE = 200;

/**
 * Gathers the evidence about one task.
 *
 * @param store where
 * @param task the task as stored
 * @param launchers read pid files
 * @param agent its definition, for what its output says of quotas; null where it has none
 * @param aliveness what is known of processes. It must be older than this call: a process that was
 *   dead before the sentinels are read can write no more of them
 * @param now milliseconds since the epoch
 */
export function observe(
  store: Store,
  task: Task,
  launchers: Launchers,
  agent: AgentDefinition | null,
  aliveness: Aliveness,
  now: number,
): Observation {
  const id = task.taskId;
  let shim: Identity | null = null;
  let shimState: ShimState = "none";
  if (task.claim === 0 && task.status !== "pending" && task.pid !== null) {
    // Launched by the ancestor, which recorded a bare pid.
    shimState = aliveness(ancestral(task));
  } else if (task.claim > 0) {
    const mark = store.readMark(id, `${task.claim}.pid`);
    if (mark !== undefined) {
      const parsed = launchers.parsePidFile(mark.text);
      if (parsed === null) shimState = "fenced";
      else if (parsed !== undefined) {
        shim = parsed;
        shimState = aliveness(parsed);
      } else {
        shimState = diedUnnamed(task, mark, launchers, aliveness, now) ? "dead" : "unknown";
      }
    }
  }
  const at: { -readonly [K in keyof Evidence["at"]]: Evidence["at"][K] } = {};
  const evidence: Evidence = { ...NO_EVIDENCE, shim: shimState, at };
  let partial = false;
  const cancelled = store.readMark(id, "cancelled");
  if (cancelled !== undefined) {
    const object = parseObject(cancelled.text);
    evidence.cancelled = { reason: textField(object, "reason") };
    at.cancelled = parseTime(textField(object, "timestamp")) ?? cancelled.modifiedAt;
  }
  if (task.status === "pending") return { evidence, shim, partial };
  const timeout = store.readMark(id, "timeout");
  if (timeout !== undefined) {
    const object = parseObject(timeout.text);
    const seconds = object?.timeout;
    evidence.timeout = {
      timeout: typeof seconds === "number" ? seconds : null,
      at: parseTime(textField(object, "timestamp")),
      cause: object?.idle === true ? "idle" : object?.manual === true ? "hand" : "limit",
    };
  }
  const exit = store.readMark(id, "exitcode");
  if (exit !== undefined) {
    evidence.exit = parseExitFile(exit.text);
    at.exit = exit.modifiedAt;
  }
  // Who has ended writes no further: what is half there stays so.
  const fresh = (mark: Mark) =>
    evidence.exit === null && shimState !== "dead" &&
    Math.abs(now - mark.modifiedAt) < PARTIAL_GRACE;
  const error = store.readMark(id, "error");
  if (error !== undefined) {
    // A shell creates the file first and fills it then: an empty one is waited for as well.
    const begun = error.text === "" || isPartial(error.text);
    if (begun && fresh(error)) partial = true;
    else evidence.error = parseErrorSentinel(error.text);
    at.error = error.modifiedAt;
  }
  const done = store.readMark(id, "done");
  if (done !== undefined) {
    if (isPartial(done.text) && fresh(done)) partial = true;
    else evidence.done = parseDoneSentinel(done.text);
    at.done = done.modifiedAt;
  }
  const failed = evidence.exit !== null || evidence.error !== null;
  if (failed && evidence.done === null && task.status === "running") {
    Object.assign(evidence, explain(store, task, agent, now));
  }
  if (task.budget !== null && agent?.usage !== undefined && task.status === "running") {
    evidence.cost = readUsage(store, task, agent.usage)?.costUsd ?? null;
  }
  if (task.verify !== null || agent?.verify !== undefined) {
    const order = { name: "verify", claim: task.verifyClaim, at: task.verifyAt } as const;
    evidence.verify = observeOrder(store, task, order, launchers, aliveness, now);
    at.verify = store.readMark(id, "verifycode")?.modifiedAt;
  }
  if (task.setupAt !== null && task.status === "running") {
    const order = { name: "setup", claim: task.setupClaim, at: task.setupAt } as const;
    evidence.setup = observeOrder(store, task, order, launchers, aliveness, now);
    at.setup = store.readMark(id, "setupcode")?.modifiedAt;
  }
  if (task.idleTimeout !== null && task.status === "running") {
    evidence.outputAt = logTime(store, task);
  }
  return { evidence, shim, partial };
}

/** A command that was ordered beside the agent's: which, how often, and when. */
interface Order {
  readonly name: "verify" | "setup";
  readonly claim: number;
  readonly at: string | null;
}

function observeOrder(
  store: Store,
  task: Task,
  { name, claim, at }: Order,
  launchers: Launchers,
  aliveness: Aliveness,
  now: number,
): OrderState {
  // Where an agent has made a folder no code can be told: the check cannot pass.
  if (store.isFolder(task.taskId, `${name}code`)) return 127;
  if (at === null) return "none";
  const code = store.readMark(task.taskId, `${name}code`);
  // While the file is empty it is not written yet.
  const exit = code === undefined ? null : parseExitFile(code.text);
  if (exit !== null) return exit.code;
  const mark = store.readMark(task.taskId, `${name}.${claim}.pid`);
  if (mark === undefined) return "ordered";
  const shim = launchers.parsePidFile(mark.text);
  if (shim === null) return "fenced";
  const dead = shim === undefined
    ? diedUnnamed(task, mark, launchers, aliveness, now)
    : aliveness(shim) === "dead";
  return dead ? "lost" : "running";
}

/**
 * Whether a shim died between creating its pid file and filling it. The clock alone cannot tell: a
 * machine may have slept right then, and the shim goes on when it wakes.
 */
function diedUnnamed(
  task: Task,
  mark: Mark,
  launchers: Launchers,
  aliveness: Aliveness,
  now: number,
): boolean {
  return isUnnamed(mark, launchers, now) && aliveness(unnamed(task)) === "dead";
}

/** Of a log no more than this is searched for what a run consumed, from its end, bytes. */
const USAGE_END = 8 * 1024 * 1024;

/** What a task's log says that it consumed; null where it says nothing. */
export function readUsage(store: Store, task: Task, format: UsageFormat): Usage | null {
  const reader = createUsageReader(format);
  const decoder = new TextDecoder();
  readEnd(store, task, USAGE_END, (bytes) => reader.add(decoder.decode(bytes, { stream: true })));
  reader.add("\n");
  if (VENDORS[format].usageFile !== undefined) reader.addFile(readUsageFile(store, task));
  return reader.usage();
}

/** Nobody writes more than this of what was consumed, bytes. */
const LARGEST_USAGE_FILE = 256 * 1024;

/** What a program wrote of its usage into the file for it; nothing where that cannot be read. */
function readUsageFile(store: Store, task: Task): string {
  try {
    const read = tryReadRegular(placesOf(store, task).usageFile, LARGEST_USAGE_FILE);
    return read !== undefined && "text" in read ? read.text : "";
  } catch {
    return "";
  }
}

/** Of a log no more than this is searched, from its end, bytes. */
const LOG_END = 64 * 1024;

/** What the end of the log says of why the agent has failed. */
function explain(
  store: Store,
  task: Task,
  agent: AgentDefinition | null,
  now: number,
): Pick<Evidence, "refusal" | "said"> {
  const { rateLimit, usage } = agent ?? {};
  if (rateLimit === undefined && usage === undefined) return { refusal: null, said: null };
  const output = readLogEnd(store, task);
  return {
    refusal: rateLimit === undefined ? null : findRefusal(output, rateLimit, now, usage),
    said: usage === undefined ? null : lastError(usage, output) ?? null,
  };
}

/** The last whole lines of a task's log; nothing where there is none. */
export function readLogEnd(store: Store, task: Task): string {
  const decoder = new TextDecoder();
  let text = "";
  let length = 0;
  readEnd(store, task, LOG_END, (bytes) => {
    length += bytes.length;
    text += decoder.decode(bytes, { stream: true });
  });
  // The line in whose middle it begins may be anybody's words.
  return length < LOG_END ? text : text.slice(text.indexOf("\n") + 1);
}

/** Hands on the last bytes of a task's log, block by block; nothing where there is none. */
function readEnd(store: Store, task: Task, most: number, take: (bytes: Uint8Array) => void): void {
  try {
    const path = placesOf(store, task).logFile;
    using file = openRegular(path);
    if (file === undefined) return;
    const { size } = file.statSync();
    file.seekSync(Math.max(0, size - most), Deno.SeekMode.Start);
    const buffer = new Uint8Array(64 * 1024);
    for (let left = Math.min(size, most); left > 0;) {
      const count = file.readSync(buffer.subarray(0, Math.min(left, buffer.length)));
      if (count === null) break;
      left -= count;
      take(buffer.subarray(0, count));
    }
  } catch {
    // What cannot be read says nothing.
  }
}

function logTime(store: Store, task: Task): number | null {
  try {
    return Deno.lstatSync(placesOf(store, task).logFile).mtime?.getTime() ?? null;
  } catch {
    return null;
  }
}

/**
 * The code in an exit file: `0`, or `127 spawn` where the command could not be started, which `: why` may
 * follow in a line that is whole.
 */
export function parseExitFile(text: string): NonNullable<Evidence["exit"]> | null {
  const match = /^(-?\d+)(?:( spawn)(?:: (.+)\n)?)?\s*$/.exec(text);
  if (match === null) return null;
  const [, code, spawn, why] = match;
  return { code: Number(code), spawn: spawn !== undefined, ...why === undefined ? {} : { why } };
}

/** What an `.error` file says: JSON `{error, details?}`, or plain text. */
export function parseErrorSentinel(text: string): { message: string; details: string | null } {
  const object = parseObject(text);
  if (object !== undefined) {
    const details = object.details;
    return {
      message: textField(object, "error") ?? textField(object, "message") ??
        "The agent reported an error without saying which",
      details: details === undefined || details === null
        ? null
        : typeof details === "string"
        ? details
        : textOf(details),
    };
  }
  const trimmed = text.trim();
  if (trimmed === "") {
    return { message: "The agent reported an error without saying which", details: null };
  }
  const [first = "", ...rest] = trimmed.split("\n");
  return { message: first.trim(), details: rest.length === 0 ? null : rest.join("\n").trim() };
}

/** A value as JSON; nothing where it is nested so deep that this exhausts the stack. */
function textOf(value: unknown): string | null {
  try {
    return JSON.stringify(value);
  } catch {
    return null;
  }
}

/** What a `.done` file says: JSON `{summary?, files?}`, plain text, or nothing. */
export function parseDoneSentinel(text: string): TaskResult {
  const object = parseObject(text);
  if (object === undefined) {
    const trimmed = text.trim();
    return trimmed === "" ? {} : { summary: trimmed };
  }
  const result: TaskResult = {};
  const summary = textField(object, "summary");
  if (summary !== null) result.summary = summary;
  if (Array.isArray(object.files)) {
    result.files = object.files.filter((file) => typeof file === "string");
  }
  return result;
}

function isPartial(text: string): boolean {
  const trimmed = text.trim();
  return trimmed.startsWith("{") && parseObject(trimmed) === undefined;
}

function parseObject(text: string): Record<string, unknown> | undefined {
  const trimmed = text.trim();
  if (!trimmed.startsWith("{")) return undefined;
  try {
    return JSON.parse(trimmed);
  } catch {
    return undefined;
  }
}

function textField(object: Record<string, unknown> | undefined, name: string): string | null {
  const value = object?.[name];
  return typeof value === "string" && value !== "" ? value : null;
}
