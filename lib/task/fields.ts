// The vocabulary: a task, its states and the one function that accepts a task file. FIELDS below
// is the single description of its form: the parser, the JSON Schema and the docs come from it.
// Nothing here reads or writes anything.

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
  "budget",
  "verify",
  "lost",
  "dependency",
] as const;
/** Why a task failed; see the guide for what each means. */
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
export interface Task {
  /** `task_` and the creation time in milliseconds, made unique. */
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
  /** When it was settled. */
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
  /** Most retries. */
  maxRetries: number;
  /** Retried without being asked. */
  autoRetry: boolean;
  /** The earlier attempts. */
  retryHistory: RetryEntry[];
  /** First attempt of the chain. */
  parentTaskId: string | null;
  /** Its successor. */
  retriedBy: string | null;
  /** 1 to 10, higher first. */
  priority: number;
  /** Seconds it may run. */
  timeout: number | null;
  /** Seconds before the end to warn at. */
  timeoutWarning: number | null;
  /** Tasks that must be complete first. */
  dependsOn: string[];
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
  /** Names and values of the user's own. */
  labels: Record<string, string>;
  /** Number of the current or last claim; 0 before the first. */
  claim: number;
  /** When a failed task is due to be retried; null when it is not. */
  retryAt: string | null;
  /** The task is settled, but its processes may live: they are ended from this time on. */
  reapAt: string | null;
  /** Its agent launches nothing before this time: the quota that this task found used up. */
  laneUntil: string | null;
  /** When a pending task may be launched at the earliest. */
  notBefore: string | null;
  /** Seconds without output after which the task is ended. */
  idleTimeout: number | null;
  /** Most that the run may cost, US dollars. */
  budget: number | null;
  /** Command that must exit 0 before a success counts, overriding the agent's. */
  verify: string[] | null;
  /** What the agent said of its work. */
  result: TaskResult | null;
  /** What the agent says it consumed. */
  usage: Usage | null;
  /** Version of this file's form. */
  schemaVersion: number;
}

/** Milliseconds since the epoch, or null for an absent or unreadable time. */
export type Millis = number | null;

type Kind =
  | "string"
  | "string?"
  | "time"
  | "time?"
  | "number"
  | "number?"
  | "boolean"
  | "id?"
  | "ids"
  | "strings?"
  | "labels"
  | "history"
  | "object?";

interface Field {
  kind: Kind;
  /** Taken when the file lacks the field; `undefined` means that it must be there. */
  fallback?: unknown;
}

/**
 * Every field of a task file: its kind, and what an older file without it means. What it is for is
 * said in docs/about.ts, for those words are of no use to the program.
 */
export const FIELDS: { readonly [K in keyof Task]: Field } = {
  taskId: { kind: "string" },
  status: { kind: "string" },
  agent: { kind: "string" },
  prompt: { kind: "string" },
  planFile: { kind: "string", fallback: "" },
  logFile: { kind: "string", fallback: "" },
  createdAt: { kind: "time" },
  startedAt: { kind: "time?", fallback: null },
  completedAt: { kind: "time?", fallback: null },
  timedOutAt: { kind: "time?", fallback: null },
  retriedAt: { kind: "time?", fallback: null },
  pid: { kind: "number?", fallback: null },
  errorMessage: { kind: "string?", fallback: null },
  retryCount: { kind: "number", fallback: 0 },
  maxRetries: { kind: "number", fallback: 3 },
  autoRetry: { kind: "boolean", fallback: false },
  retryHistory: { kind: "history", fallback: [] },
  parentTaskId: { kind: "id?", fallback: null },
  retriedBy: { kind: "id?", fallback: null },
  priority: { kind: "number", fallback: 5 },
  timeout: { kind: "number?", fallback: null },
  timeoutWarning: { kind: "number?", fallback: null },
  dependsOn: { kind: "ids", fallback: [] },
  blockedBy: { kind: "string?", fallback: null },
  blockedReason: { kind: "string?", fallback: null },
  exitCode: { kind: "number?", fallback: null },
  failureClass: { kind: "string?", fallback: null },
  errorDetails: { kind: "string?", fallback: null },
  labels: { kind: "labels", fallback: {} },
  claim: { kind: "number", fallback: 0 },
  retryAt: { kind: "time?", fallback: null },
  reapAt: { kind: "time?", fallback: null },
  laneUntil: { kind: "time?", fallback: null },
  notBefore: { kind: "time?", fallback: null },
  idleTimeout: { kind: "number?", fallback: null },
  budget: { kind: "number?", fallback: null },
  verify: { kind: "strings?", fallback: null },
  result: { kind: "object?", fallback: null },
  usage: { kind: "object?", fallback: null },
  schemaVersion: { kind: "number", fallback: 2 },
};

const FIELD_ENTRIES = Object.entries(FIELDS) as [keyof Task, Field][];
const ID = /^task_[0-9]{10,20}$/;

/** Whether a text is a task id: `task_` and 10 to 20 digits, nothing else. */
export function isTaskId(text: string): boolean {
  return ID.test(text);
}

/** The id for a creation time, in milliseconds since the epoch. */
export function formatTaskId(millis: number): string {
  return `task_${String(Math.max(0, Math.trunc(millis))).padStart(10, "0")}`;
}

/** Whether a status is final. */
export function isTerminal(status: Status): boolean {
  return status !== "pending" && status !== "running";
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

function problemOf(kind: Kind, value: unknown): string | undefined {
  switch (kind) {
    case "string":
      return typeof value === "string" ? undefined : "must be a text";
    case "string?":
      return value === null || typeof value === "string" ? undefined : "must be a text or null";
    case "time":
      return typeof value === "string" && parseTime(value) !== null
        ? undefined
        : "must be an ISO 8601 time";
    case "time?":
      return value === null || (typeof value === "string" && parseTime(value) !== null)
        ? undefined
        : "must be an ISO 8601 time or null";
    case "number":
      return typeof value === "number" && Number.isFinite(value) ? undefined : "must be a number";
    case "number?":
      return value === null || (typeof value === "number" && Number.isFinite(value))
        ? undefined
        : "must be a number or null";
    case "id?":
      return value === null || (typeof value === "string" && ID.test(value))
        ? undefined
        : "must be a task id or null";
    case "boolean":
      return typeof value === "boolean" ? undefined : "must be true or false";
    case "ids":
      return Array.isArray(value) && value.every((id) => typeof id === "string" && ID.test(id))
        ? undefined
        : "must be a list of task ids";
    case "strings?":
      return value === null ||
          (Array.isArray(value) && value.every((item) => typeof item === "string"))
        ? undefined
        : "must be a list of texts or null";
    case "labels":
      return isObject(value) && Object.values(value).every((item) => typeof item === "string")
        ? undefined
        : "must be an object of texts";
    case "history":
      return Array.isArray(value) && value.every(isRetryEntry)
        ? undefined
        : "must be a list of objects, one for each earlier attempt";
    case "object?":
      return value === null || isObject(value) ? undefined : "must be an object or null";
  }
}

function isRetryEntry(value: unknown): value is RetryEntry {
  if (!isObject(value)) return false;
  const { attempt, timestamp, error = null, retriedFrom = null } = value;
  return typeof attempt === "number" && typeof timestamp === "string" &&
    (error === null || typeof error === "string") &&
    (retriedFrom === null || (typeof retriedFrom === "string" && ID.test(retriedFrom)));
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/**
 * Whether an object has every field of a task in its right kind, by direct looks at each: ten
 * thousand files are checked in the time that start-up leaves. It accepts a part of what the table
 * accepts, never more; whatever it does not accept goes through the table.
 */
function isWhole(t: Record<string, unknown>): boolean {
  // Most are null, and a look costs less than a call: with a hundred tasks nothing gets hot enough
  // for V8 to compile it anew beside the command.
  return STATUS_SET.has(t.status) && typeof t.agent === "string" && typeof t.prompt === "string" &&
    typeof t.planFile === "string" && typeof t.logFile === "string" &&
    isOurTime(t.createdAt) &&
    (t.startedAt === null || isOurTime(t.startedAt)) &&
    (t.completedAt === null || isOurTime(t.completedAt)) &&
    (t.timedOutAt === null || isOurTime(t.timedOutAt)) &&
    (t.retriedAt === null || isOurTime(t.retriedAt)) &&
    (t.retryAt === null || isOurTime(t.retryAt)) &&
    (t.reapAt === null || isOurTime(t.reapAt)) &&
    (t.laneUntil === null || isOurTime(t.laneUntil)) &&
    (t.notBefore === null || isOurTime(t.notBefore)) &&
    (t.errorMessage === null || typeof t.errorMessage === "string") &&
    (t.blockedBy === null || typeof t.blockedBy === "string") &&
    (t.blockedReason === null || typeof t.blockedReason === "string") &&
    (t.errorDetails === null || typeof t.errorDetails === "string") &&
    t.parentTaskId === null && t.retriedBy === null &&
    // JSON has no NaN, but 1e999 is Infinity.
    (t.pid === null || Number.isFinite(t.pid)) &&
    (t.timeout === null || Number.isFinite(t.timeout)) &&
    (t.timeoutWarning === null || Number.isFinite(t.timeoutWarning)) &&
    (t.exitCode === null || Number.isFinite(t.exitCode)) &&
    (t.idleTimeout === null || Number.isFinite(t.idleTimeout)) &&
    (t.budget === null || Number.isFinite(t.budget)) &&
    Number.isFinite(t.retryCount) && Number.isFinite(t.maxRetries) &&
    Number.isFinite(t.priority) && Number.isFinite(t.claim) && Number.isFinite(t.schemaVersion) &&
    typeof t.autoRetry === "boolean" &&
    Array.isArray(t.retryHistory) && t.retryHistory.length === 0 &&
    Array.isArray(t.dependsOn) && t.dependsOn.length === 0 && t.verify === null &&
    (t.result === null || isObject(t.result)) && (t.usage === null || isObject(t.usage)) &&
    (t.failureClass === null || CLASS_SET.has(t.failureClass)) && isObject(t.labels) &&
    Object.keys(t.labels).length === 0;
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
  const task = value;
  if (task.taskId === id && isWhole(task)) return { task: task as unknown as Task };
  for (const [name, field] of FIELD_ENTRIES) {
    const found = task[name];
    // Most fields of most tasks: this loop runs over ten thousand files.
    if (found === null && field.fallback === null) continue;
    // The ancestor wrote null for lists and numbers that were never set.
    if (found === undefined || (found === null && field.fallback !== undefined)) {
      if (field.fallback === undefined) return { problem: `lacks the field "${name}"` };
      task[name] = typeof field.fallback === "object" && field.fallback !== null
        ? shallowCopy(field.fallback)
        : field.fallback;
      continue;
    }
    const problem = problemOf(field.kind, found);
    if (problem !== undefined) return { problem: `has a bad "${name}": it ${problem}` };
  }
  if (task.taskId !== id) return { problem: `says "taskId" ${JSON.stringify(task.taskId)}` };
  if (!STATUS_SET.has(task.status)) {
    return { problem: `has a bad "status": ${JSON.stringify(task.status)}` };
  }
  if (task.failureClass !== null && !CLASS_SET.has(task.failureClass)) task.failureClass = null;
  return { task: task as unknown as Task };
}

function shallowCopy(value: object): object {
  return Array.isArray(value) ? [...value] : { ...value };
}

/** The file's text: two spaces, and a newline at the end. */
export function formatTask(task: Task): string {
  return JSON.stringify(task, null, 2) + "\n";
}

/** What a new task needs; everything else has a default. */
export interface NewTask {
  /** Name of an agent in `agent-config.json`. */
  agent: string;
  /** What it is asked to do. */
  prompt: string;
  /** 1 to 10, higher first; 5 where absent. */
  priority?: number;
  /** Most retries; 3 where absent. */
  maxRetries?: number;
  /** Retried without being asked; not where absent. */
  autoRetry?: boolean;
  /** Seconds it may run. */
  timeout?: number | null;
  /** Seconds before the end to warn at. */
  timeoutWarning?: number | null;
  /** Seconds without output that end it. */
  idleTimeout?: number | null;
  /** Most it may cost, US dollars. */
  budget?: number | null;
  /** Command that must exit 0 for a success. */
  verify?: string[] | null;
  /** Ids of the tasks that must be complete first. */
  dependsOn?: readonly string[];
  /** Names and values of the user's own. */
  labels?: Readonly<Record<string, string>>;
}

/**
 * A pending task with all its fields.
 *
 * @param id its id
 * @param wanted what the user asked for
 * @param now creation time, milliseconds since the epoch
 */
export function newTask(id: string, wanted: NewTask, now: number): Task {
  return {
    taskId: id,
    status: "pending",
    agent: wanted.agent,
    prompt: wanted.prompt,
    planFile: `.orchestra/plans/${id}_plan.md`,
    logFile: `.orchestra/logs/${id}.log`,
    createdAt: formatTime(now),
    startedAt: null,
    completedAt: null,
    timedOutAt: null,
    retriedAt: null,
    pid: null,
    errorMessage: null,
    retryCount: 0,
    maxRetries: wanted.maxRetries ?? 3,
    autoRetry: wanted.autoRetry ?? false,
    retryHistory: [],
    parentTaskId: null,
    retriedBy: null,
    priority: wanted.priority ?? 5,
    timeout: wanted.timeout ?? null,
    timeoutWarning: wanted.timeoutWarning ?? null,
    dependsOn: [...wanted.dependsOn ?? []],
    blockedBy: null,
    blockedReason: null,
    exitCode: null,
    failureClass: null,
    errorDetails: null,
    labels: { ...wanted.labels },
    claim: 0,
    retryAt: null,
    reapAt: null,
    laneUntil: null,
    notBefore: null,
    idleTimeout: wanted.idleTimeout ?? null,
    budget: wanted.budget ?? null,
    verify: wanted.verify ?? null,
    result: null,
    usage: null,
    schemaVersion: SCHEMA_VERSION,
  };
}
