// The vocabulary: a task, its states and the one function that accepts a task file. FIELDS below
// is the single description of its form: the parser, the JSON Schema and the docs come from it.
// Nothing here reads or writes anything.

import { isTaskId } from "./id.ts";
import { OPTION_LIST, type OptionName, type TaskOptions, type Wish } from "./options.ts";

export { formatTaskId, isTaskId } from "./id.ts";
export type { NewTask } from "./options.ts";

/** The stored states of a task. "Blocked" is derived, never stored. */
export const STATUSES = ["pending", "running", "complete", "failed", "cancelled"] as const;
/** The stored state of a task. */
export type Status = typeof STATUSES[number];

/** Why a task failed. */
export const FAILURE_CLASSES = [
  "spawn",
  "exit",
  "agent-error",
  "no-signal",
  "timeout",
  "idle",
  "rate-limit",
  "billing",
  "budget",
  "verify",
  "lost",
  "dependency",
  "conflict",
] as const;
/** Why a task failed; docs/concepts.md says what each means. */
export type FailureClass = typeof FAILURE_CLASSES[number];

/** Version of the task file that this program writes. */
export const SCHEMA_VERSION = 3;

/** One earlier attempt, as the ancestor wrote it. */
export interface RetryEntry {
  /** Number of the retry that followed, from 1. */
  attempt: number;
  /** When the retry was queued, ISO 8601. */
  timestamp: string;
  /** What the earlier attempt ended with. */
  error: string | null;
  /** Id of the earlier attempt. */
  retriedFrom: string | null;
}

/** What a successful agent said of its work in its `.done` file. */
export interface TaskResult {
  /** One or two sentences. */
  summary?: string;
  /** Paths of what was made. */
  files?: string[];
}

/** The branch that a task works on, in a worktree of its own. Read through `branchOf`, lib/decide/branch.ts. */
export interface TaskBranch {
  /** Its name, without `refs/heads/`. */
  branch: string;
  /** Commit that it began from, 40 or 64 hex digits. */
  base: string;
  /** Absolute path of the worktree. */
  path: string;
  /** Folder in it where the agent works, relative to `path`; empty for its top. */
  folder: string;
  /** Commit at its end; null until what the agent left is committed. */
  tip: string | null;
  /** How many files changed between base and tip; null until then. */
  files: number | null;
  /** Lines added. */
  insertions: number | null;
  /** Lines removed. */
  deletions: number | null;
  /** Which files changed, relative to the top, the first thousand in order; absent until then. */
  paths?: string[];
  /** Why the worktree stays when the task is over, in words; null where it does not, or is not over. */
  left: string | null;
}

/** What a run consumed, as the agent itself reported it. */
export interface Usage {
  /** Tokens read, cached ones included. */
  inputTokens?: number;
  /** Tokens written, reasoning included. */
  outputTokens?: number;
  /** Of the input tokens, those served from a cache. */
  cachedTokens?: number;
  /** US dollars. */
  costUsd?: number;
  /** Turns of the conversation. */
  turns?: number;
  /** Model that answered. */
  model?: string;
  /** Session of the agent, for resuming it. */
  sessionId?: string;
}

/** A task, as it stands in `tasks/<id>.json`. Times are ISO 8601, UTC when we write them. */
export interface Task extends TaskOptions {
  /** `task_`, the creation time in milliseconds, three digits by chance. */
  taskId: string;
  /** Pending, running, complete, failed or cancelled. */
  status: Status;
  /** Name of the agent in `agent-config.json`. */
  agent: string;
  /** What the agent is asked to do. */
  prompt: string;
  /** Plan, relative to the workspace root. */
  planFile: string;
  /** Log, relative to the workspace root. */
  logFile: string;
  /** When it was queued. */
  createdAt: string;
  /** When its agent was last claimed for launch. */
  startedAt: string | null;
  /** When it ended, as the sign of its end tells. */
  completedAt: string | null;
  /** When its time ran out. */
  timedOutAt: string | null;
  /** When its successor was queued. */
  retriedAt: string | null;
  /** Process of the launch shim, leader of its session. */
  pid: number | null;
  /** Why it failed, one line. */
  errorMessage: string | null;
  /** How many retries came before it. */
  retryCount: number;
  /** The earlier attempts. */
  retryHistory: RetryEntry[];
  /** First attempt of the chain. */
  parentTaskId: string | null;
  /** Its successor. */
  retriedBy: string | null;
  /** As the ancestor wrote it; derived here. */
  blockedBy: string | null;
  /** As the ancestor wrote it; derived here. */
  blockedReason: string | null;
  /** Exit code of the agent. */
  exitCode: number | null;
  /** What kind of failure. */
  failureClass: FailureClass | null;
  /** What the agent added to its error. */
  errorDetails: string | null;
  /** Number of the current or last claim; 0 before the first. */
  claim: number;
  /** How often a `verify` command was ordered; its pid file has that number. */
  verifyClaim: number;
  /** When that of the current claim was; null before. */
  verifyAt: string | null;
  /** How often the set-up command of its worktree was ordered; its pid file has that number. */
  setupClaim: number;
  /** When that of the current claim was; null where none is under way: the agent is launched after it. */
  setupAt: string | null;
  /** Seconds since its start in which the machine slept: they count against no limit. */
  asleep: number;
  /** When it was last found to have slept. */
  wokeAt: string | null;
  /** When a failed task is due to be retried; null when it is not. */
  retryAt: string | null;
  /** The task is settled, but its processes may live: they are ended from this time on. */
  reapAt: string | null;
  /** Its agent launches nothing before this time: the quota that this task found used up. */
  laneUntil: string | null;
  /** When a pending task may be launched at the earliest. */
  notBefore: string | null;
  /** What the agent said of its work. */
  result: TaskResult | null;
  /** What the agent says it consumed. */
  usage: Usage | null;
  /** The branch that it works on; null where it works in the workspace itself. */
  git: TaskBranch | null;
  /** Session of an earlier attempt's agent that this one goes on in; null where it begins one of its own. */
  resumes: string | null;
  /** Version of this file's form. */
  schemaVersion: number;
}

/** Milliseconds since the epoch, or null for an absent or unreadable time. */
export type Millis = number | null;

interface Field {
  kind: FieldKind;
  /** Taken when the file lacks the field; `undefined` means that it must be there. */
  fallback?: unknown;
}

/** What a user may ask of a task is told in lib/task/options.ts. */
const OPTION_FIELDS = Object.fromEntries(
  OPTION_LIST.map(([name, { kind, fallback }]) => [name, { kind: kind.field, fallback }]),
) as { readonly [K in OptionName]: Field };

/**
 * Every field of a task file: its kind, and what an older file without it means. What it is for is
 * said in docs/about.ts, for those words are of no use to the program.
 */
export const FIELDS: { readonly [K in keyof Task]: Field } = {
  taskId: { kind: "string" },
  status: { kind: "string" },
  agent: { kind: "string" },
  prompt: { kind: "string" },
  ...OPTION_FIELDS,
  planFile: { kind: "string", fallback: "" },
  logFile: { kind: "string", fallback: "" },
  createdAt: { kind: "time" },
  startedAt: { kind: "time?", fallback: null },
  completedAt: { kind: "time?", fallback: null },
  timedOutAt: { kind: "time?", fallback: null },
  retriedAt: { kind: "time?", fallback: null },
  pid: { kind: "pid?", fallback: null },
  errorMessage: { kind: "string?", fallback: null },
  retryCount: { kind: "count", fallback: 0 },
  retryHistory: { kind: "history", fallback: [] },
  parentTaskId: { kind: "id?", fallback: null },
  retriedBy: { kind: "id?", fallback: null },
  blockedBy: { kind: "string?", fallback: null },
  blockedReason: { kind: "string?", fallback: null },
  exitCode: { kind: "number?", fallback: null },
  failureClass: { kind: "string?", fallback: null },
  errorDetails: { kind: "string?", fallback: null },
  claim: { kind: "count", fallback: 0 },
  verifyClaim: { kind: "count", fallback: 0 },
  verifyAt: { kind: "time?", fallback: null },
  setupClaim: { kind: "count", fallback: 0 },
  setupAt: { kind: "time?", fallback: null },
  asleep: { kind: "number", fallback: 0 },
  wokeAt: { kind: "time?", fallback: null },
  retryAt: { kind: "time?", fallback: null },
  reapAt: { kind: "time?", fallback: null },
  laneUntil: { kind: "time?", fallback: null },
  notBefore: { kind: "time?", fallback: null },
  result: { kind: "object?", fallback: null },
  usage: { kind: "object?", fallback: null },
  git: { kind: "object?", fallback: null },
  resumes: { kind: "string?", fallback: null },
  schemaVersion: { kind: "number", fallback: 2 },
};

/** Whether a status is final. */
export function isTerminal(status: Status): boolean {
  return status !== "pending" && status !== "running";
}

/** Whether a task has come to its end, and nothing of it lives any more. */
export function isAtRest(task: Pick<Task, "status" | "reapAt">): boolean {
  return isTerminal(task.status) && task.reapAt === null;
}

/** Whether nothing more happens to a task but that it is moved or removed. */
export function isClosed(task: Task): boolean {
  return task.reapAt === null && (task.status === "complete" || task.retriedBy !== null);
}

const ISO = /^\d{4}-\d\d-\d\d(?:[T ]\d\d:\d\d(?::\d\d(?:\.\d+)?)?)?(?:[zZ]|[+-]\d\d:?\d\d)?$/;

/**
 * Milliseconds since the epoch of an ISO 8601 time; naive ones are local, as the ancestor wrote
 * them. `null` for null or a text that is no time.
 */
export function parseTime(text: string | null): Millis {
  if (text === null) return null;
  // What we write ourselves needs no closer look: 10,000 task files have 40,000 times in them.
  if (text.length !== 24 || text[23] !== "Z") {
    if (!ISO.test(text)) return null;
    // A bare date would be taken as UTC, naive dates with a time as local: read both as local.
    if (!text.includes(":")) text += "T00:00";
    else if (text[10] === " ") text = `${text.slice(0, 10)}T${text.slice(11)}`;
  }
  const millis = Date.parse(text);
  return Number.isNaN(millis) ? null : millis;
}

/**
 * Order of two times, the earlier first. Those that we wrote ourselves are in order as they are
 * spelled: sorting ten thousand tasks must not read each time a dozen times over.
 */
export function compareTimes(a: string | null, b: string | null): number {
  if (a === b) return 0;
  if (
    a !== null && b !== null && a.length === 24 && b.length === 24 && a[23] === "Z" && b[23] === "Z"
  ) {
    return a < b ? -1 : 1;
  }
  return (parseTime(a) ?? 0) - (parseTime(b) ?? 0);
}

/** The UTC form in which times are written: `2026-01-31T12:00:00.000Z`. */
export function formatTime(millis: number): string {
  return new Date(millis).toISOString();
}

/** Outcome of {@linkcode parseTask}. */
export type ParsedTask = { task: Task } | { problem: string };

function isRetryEntry(value: unknown): value is RetryEntry {
  if (!isObject(value)) return false;
  const { attempt, timestamp, error = null, retriedFrom = null } = value;
  return typeof attempt === "number" && typeof timestamp === "string" &&
    (error === null || typeof error === "string") &&
    (retriedFrom === null || (typeof retriedFrom === "string" && isTaskId(retriedFrom)));
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/**
 * Whether an object has every field of a task in its right kind, as we write it ourselves: ten
 * thousand files are checked in the time that start-up leaves. It accepts a part of what the kinds
 * accept, never more; whatever it does not accept goes through them one by one.
 */
function isWhole(task: Record<string, unknown>): boolean {
  let at = 0;
  // In the order in which we write them: a loop over what is there looks no name up.
  for (const name in task) {
    if (name !== NAMES[at]) return false;
    const value = task[name];
    // Most are null, and a look costs less than a call.
    if (value === null ? !NULLABLE[at] : !QUICK[at]!(value)) return false;
    at++;
  }
  return at === NAMES.length && STATUS_SET.has(task.status) &&
    (task.failureClass === null || CLASS_SET.has(task.failureClass));
}

/** 2026-01-31T12:00:00.000Z, as we write it ourselves. */
function isOurTime(value: unknown): boolean {
  return typeof value === "string" && OURS.test(value);
}

const OURS = new RegExp(
  "^2\\d{3}-(?:(?:0[1-9]|1[0-2])-(?:0[1-9]|1\\d|2[0-8])|(?:0[13-9]|1[0-2])-(?:29|30)|" +
    "(?:0[13578]|1[02])-31)T(?:[01]\\d|2[0-3]):[0-5]\\d:[0-5]\\d\\.\\d{3}Z$",
);

const STATUS_SET: ReadonlySet<unknown> = new Set(STATUSES);
const CLASS_SET: ReadonlySet<unknown> = new Set(FAILURE_CLASSES);

/** One kind of field. */
interface KindRule {
  /** What a value must be, in words; null beside it where the kind ends in a question mark. */
  must: string;
  /** Whether a value is one, as it stands. */
  is(value: unknown): boolean;
  /** The same, quickly; may say no where `is` says yes. */
  quick?(value: unknown): boolean;
  /** What another value means that older programs wrote; undefined where it means nothing. */
  read?(value: unknown): unknown;
}

const isText = (value: unknown) => typeof value === "string";
// JSON has no NaN, but 1e999 is Infinity.
const isNumber = (value: unknown) => Number.isFinite(value);
const isTime = (value: unknown) => typeof value === "string" && parseTime(value) !== null;
const isEmptyList = (value: unknown) => Array.isArray(value) && value.length === 0;

/** No task is launched or retried more often. */
export const MOST = 2 ** 31 - 1;

const TEXT: KindRule = { must: "a text", is: isText };
const TIME: KindRule = { must: "an ISO 8601 time", is: isTime, quick: isOurTime };
const NUMBER: KindRule = { must: "a number", is: isNumber };

/** What a field can hold. */
const KINDS = {
  "string": TEXT,
  "string?": TEXT,
  "time": TIME,
  "time?": TIME,
  "number": NUMBER,
  "number?": NUMBER,
  // The ancestor wrote 0 for no limit.
  "seconds?": {
    must: "a number",
    is: (value) => isNumber(value) && value as number > 0,
    read: (value) => isNumber(value) ? null : undefined,
  },
  // Some of its versions wrote a process id as a text.
  "pid?": {
    must: "a number",
    is: isNumber,
    read: (value) =>
      typeof value === "string" && /^[0-9]{1,10}$/.test(value) ? Number(value) : undefined,
  },
  "boolean": { must: "true or false", is: (value) => typeof value === "boolean" },
  "boolean?": { must: "true or false", is: (value) => typeof value === "boolean" },
  "id?": { must: "a task id", is: (value) => typeof value === "string" && isTaskId(value) },
  "ids": {
    must: "a list of task ids",
    is: (value) =>
      Array.isArray(value) && value.every((id) => typeof id === "string" && isTaskId(id)),
    quick: isEmptyList,
  },
  "count": {
    must: "a whole number from 0",
    is: (value) => Number.isInteger(value) && value as number >= 0 && value as number <= MOST,
  },
  "command?": {
    must: "a list of texts, the program first",
    is: (value) => Array.isArray(value) && value.length > 0 && value.every(isText),
  },
  "labels": {
    must: "an object of texts",
    is: (value) => isObject(value) && Object.values(value).every(isText),
  },
  "texts": {
    must: "a list of texts",
    is: (value) => Array.isArray(value) && value.every(isText),
    quick: isEmptyList,
  },
  "history": {
    must: "a list of objects, one for each earlier attempt",
    is: (value) => Array.isArray(value) && value.every(isRetryEntry),
    quick: isEmptyList,
  },
  "object?": { must: "an object", is: isObject },
} as const satisfies Readonly<Record<string, KindRule>>;

/** Name of what a field can hold. */
export type FieldKind = keyof typeof KINDS;

const FIELD_ENTRIES = Object.entries(FIELDS) as [keyof Task, Field][];
const isNullable = (kind: FieldKind) => kind.endsWith("?");
const NAMES: readonly string[] = FIELD_ENTRIES.map(([name]) => name);
const NULLABLE = FIELD_ENTRIES.map(([, { kind }]) => isNullable(kind));
const QUICK = FIELD_ENTRIES.map(([, { kind }]) =>
  (KINDS[kind] as KindRule).quick ?? KINDS[kind].is
);

/** So deep may what stands in a file be: deeper, writing it again would exhaust the stack. */
const DEEPEST = 1000;

/** Whether brackets stand deeper within each other than a file may have them. */
function isTooDeep(text: string): boolean {
  // Most files are too short for that, or have too few.
  if (text.length <= 2 * DEEPEST || countOf("{", text) + countOf("[", text) <= DEEPEST) {
    return false;
  }
  let depth = 0;
  let inText = false;
  for (let at = 0; at < text.length; at++) {
    const character = text[at];
    if (inText) {
      if (character === "\\") at++;
      else if (character === '"') inText = false;
    } else if (character === '"') inText = true;
    else if (character === "{" || character === "[") {
      if (++depth > DEEPEST) return true;
    } else if (character === "}" || character === "]") depth--;
  }
  return false;
}

/** How often a character stands in a text, as far as it matters. */
function countOf(character: string, text: string): number {
  let count = 0;
  for (
    let at = text.indexOf(character);
    at >= 0 && count <= DEEPEST;
    at = text.indexOf(character, at + 1)
  ) count++;
  return count;
}

/**
 * The one gate for task files. Fields that an older file lacks get their fallback; unknown fields
 * are kept on the object and so survive a rewrite.
 *
 * @param text content of the file
 * @param id the id that the file's name promises
 * @returns the task, or in `problem` why the file is not one, in words for a person
 */
export function parseTask(text: string, id: string): ParsedTask {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return { problem: text.trim() === "" ? "is empty" : "is not valid JSON" };
  }
  if (!isObject(value)) return { problem: "must hold a JSON object" };
  if (isTooDeep(text)) return { problem: `is nested deeper than ${DEEPEST} levels` };
  const task = value;
  if (task.taskId === id && isWhole(task) && isLaunched(task)) {
    return { task: task as unknown as Task };
  }
  for (const [name, field] of FIELD_ENTRIES) {
    const found = task[name];
    // Most fields of most tasks: this loop runs over ten thousand files.
    if (found === null && field.fallback === null) continue;
    // The ancestor wrote null for lists and numbers that were never set.
    if (found === undefined || (found === null && field.fallback !== undefined)) {
      if (field.fallback === undefined) return { problem: `lacks the field "${name}"` };
      task[name] = copyOf(field.fallback);
      continue;
    }
    const rule: KindRule = KINDS[field.kind];
    if (rule.is(found)) continue;
    const meant = rule.read?.(found);
    if (meant === undefined) {
      const orNull = isNullable(field.kind) ? " or null" : "";
      return { problem: `has a bad "${name}": it must be ${rule.must}${orNull}` };
    }
    task[name] = meant;
  }
  if (task.taskId !== id) return { problem: `says "taskId" ${JSON.stringify(task.taskId)}` };
  if (!STATUS_SET.has(task.status)) {
    return { problem: `has a bad "status": ${JSON.stringify(task.status)}` };
  }
  if (!isLaunched(task)) {
    return {
      problem: 'says "running", but neither a claim nor a process: nothing tells what runs',
    };
  }
  if (task.failureClass !== null && !CLASS_SET.has(task.failureClass)) task.failureClass = null;
  return { task: task as unknown as Task };
}

/** Whether what is said to run tells by what it is known. */
function isLaunched({ status, claim, pid }: Record<string, unknown>): boolean {
  return status !== "running" || claim !== 0 || pid !== null;
}

/** A value whose lists and objects are nobody else's. */
function copyOf(value: unknown): unknown {
  if (typeof value !== "object" || value === null) return value;
  return Array.isArray(value) ? [...value] : { ...value };
}

/** The file's text: two spaces, and a newline at the end. */
export function formatTask(task: Task): string {
  return JSON.stringify(task, null, 2) + "\n";
}

/**
 * A pending task with all its fields.
 *
 * @param id its id
 * @param wish what was asked for; the rest has the fallback of its field
 * @param now creation time, milliseconds since the epoch
 */
export function newTask(id: string, wish: Wish, now: number): Task {
  const given: Readonly<Record<string, unknown>> = {
    ...wish,
    taskId: id,
    status: "pending",
    planFile: `.orchestra/plans/${id}_plan.md`,
    logFile: `.orchestra/logs/${id}.log`,
    createdAt: formatTime(now),
    schemaVersion: SCHEMA_VERSION,
  };
  const task: Record<string, unknown> = {};
  for (const [name, { fallback }] of FIELD_ENTRIES) task[name] = copyOf(given[name] ?? fallback);
  return task as unknown as Task;
}
