// The types of lib/web/wire.ts as JSON Schema, draft 2020-12, as the OpenAPI document has them: the fields
// of a task follow from the table that task files are checked by, its options from theirs. Tests hold real
// answers to them. Pure.

import { EVENT_KINDS } from "../task/event.ts";
import { FAILURE_CLASSES, FIELDS, STATUSES, type Task } from "../task/fields.ts";
import { NEEDED, OPTION_LIST } from "../task/options.ts";
import { PHASES } from "../text/style.ts";
import { FILTER_STATUSES } from "./filter.ts";

/** A JSON Schema. */
export type Schema = Readonly<Record<string, unknown>>;

const TEXT: Schema = { type: "string" };
const NUMBER: Schema = { type: "number" };
const COUNT: Schema = { type: "integer", minimum: 0 };
const YES: Schema = { type: "boolean" };
const ID: Schema = { type: "string", pattern: "^task_[0-9]{10,20}$" };
const TIME: Schema = { type: "string", format: "date-time" };
const MILLIS: Schema = { type: "number", description: "milliseconds since the epoch" };
const STATUS: Schema = { enum: [...STATUSES] };
const PHASE: Schema = { enum: [...PHASES] };
const ANY_OBJECT: Schema = { type: "object", additionalProperties: true };

/** Names the schema of a component. */
export function ref(name: keyof typeof SCHEMAS): Schema {
  return refTo(name);
}

const refTo = (name: string): Schema => ({ $ref: `#/components/schemas/${name}` });
const list = (items: Schema): Schema => ({ type: "array", items });
const orNull = (schema: Schema): Schema => ({ anyOf: [schema, { type: "null" }] });

/** An object that has these properties and no others; those with a `?` behind their names may be absent. */
function object(properties: Readonly<Record<string, Schema>>): Schema {
  const entries = Object.entries(properties);
  return {
    type: "object",
    properties: Object.fromEntries(entries.map(([name, schema]) => [bare(name), schema])),
    required: entries.filter(([name]) => !name.endsWith("?")).map(([name]) => name),
    additionalProperties: false,
  };
}

const bare = (name: string) => name.replace(/\?$/, "");

/** The same, where more may stand beside them: task files keep what other programs wrote into them. */
function open(properties: Readonly<Record<string, Schema>>): Schema {
  return { ...object(properties), additionalProperties: true };
}

const map = (values: Schema): Schema => ({ type: "object", additionalProperties: values });

type Kind = typeof FIELDS[keyof Task]["kind"];

const KINDS: Readonly<Record<Kind, Schema>> = {
  "string": TEXT,
  "string?": orNull(TEXT),
  "time": TEXT,
  "time?": orNull(TEXT),
  "number": NUMBER,
  "number?": orNull(NUMBER),
  "seconds?": orNull(NUMBER),
  "pid?": orNull(NUMBER),
  "boolean": YES,
  "boolean?": orNull(YES),
  "id?": orNull(ID),
  "ids": list(ID),
  "texts": list(TEXT),
  "command?": orNull(list(TEXT)),
  "count": COUNT,
  "labels": map(TEXT),
  "history": list(open({
    attempt: NUMBER,
    timestamp: TEXT,
    "error?": orNull(TEXT),
    "retriedFrom?": orNull(ID),
  })),
  "object?": orNull(ANY_OBJECT),
};

const TASK: Readonly<Record<string, Schema>> = {
  ...Object.fromEntries(Object.entries(FIELDS).map(([name, { kind }]) => [name, KINDS[kind]])),
  taskId: ID,
  status: STATUS,
  failureClass: orNull({ enum: [...FAILURE_CLASSES] }),
  phase: PHASE,
  blockedReason: orNull(TEXT),
  waitsFor: orNull(TEXT),
  elapsedSeconds: orNull(NUMBER),
  remainingSeconds: orNull(NUMBER),
};

const REFUSES: Schema = {
  ...map(object({
    why: { ...TEXT, description: "to be read behind the task's name" },
    "unless?": { ...TEXT, description: "option with which it may be done all the same" },
  })),
  description: "actions that its phase would allow and that would be refused",
};

const FILTER: Readonly<Record<string, Schema>> = {
  "status?": list({ enum: [...FILTER_STATUSES] }),
  "agent?": list(TEXT),
  "label?": list(TEXT),
  "q?": TEXT,
};

const EVENT: Readonly<Record<string, Schema>> = {
  key: TEXT,
  time: TIME,
  event: { enum: [...EVENT_KINDS] },
  "task?": TEXT,
  "claim?": NUMBER,
  "agent?": TEXT,
};

const GLANCE: Readonly<Record<string, Schema>> = {
  counts: refTo("Counts"),
  lanes: list(refTo("Lane")),
  supervisor: { ...orNull(TEXT), description: "who watches, in words" },
};

const OPTION: Readonly<Record<string, Schema>> = {
  name: TEXT,
  about: TEXT,
  schema: { ...ANY_OBJECT, description: "JSON Schema of its value" },
};

/** The schemas of what goes over the wire, by name. */
export const SCHEMAS = {
  Server: object({ version: TEXT, readOnly: YES, everywhere: YES, workspaces: list(TEXT) }),
  Session: object({ token: TEXT }),
  Place: object({
    base: { ...TEXT, description: "goes before the path of each request with the cookie" },
  }),
  Row: open({ ...TASK, name: TEXT, promptLength: COUNT, refuses: REFUSES }),
  Counts: object({
    total: COUNT,
    "needed?": { ...COUNT, description: "what goes on only if a person acts" },
    ...Object.fromEntries(PHASES.map((phase) => [`${phase}?`, COUNT])),
  }),
  Lane: object({ agent: TEXT, until: TIME }),
  Workspace: object({
    name: TEXT,
    root: TEXT,
    ...GLANCE,
    damaged: list(object({ name: TEXT, reason: TEXT })),
    problem: orNull(TEXT),
  }),
  Tasks: object({
    tasks: list(refTo("Row")),
    more: COUNT,
    ...GLANCE,
    agents: map(COUNT),
    labels: map(COUNT),
    cursor: TEXT,
  }),
  Link: object({
    taskId: ID,
    name: TEXT,
    key: orNull(TEXT),
    status: STATUS,
    phase: PHASE,
    agent: TEXT,
    prompt: TEXT,
    failureClass: orNull(TEXT),
    createdAt: TEXT,
    startedAt: orNull(TEXT),
    completedAt: orNull(TEXT),
  }),
  Detail: object({
    task: open({ ...TASK, name: TEXT, refuses: REFUSES }),
    chain: list(refTo("Link")),
    needs: list(refTo("Link")),
    neededBy: list(refTo("Link")),
    mentions: {
      ...list(refTo("Link")),
      description: "what `blockedReason` or `waitsFor` speaks of",
    },
    plan: orNull(TEXT),
    logSize: orNull(COUNT),
    logFormat: orNull(TEXT),
    archived: YES,
  }),
  Diff: object({
    branch: TEXT,
    base: { ...TEXT, description: "commit from which on" },
    tip: {
      ...orNull(TEXT),
      description: "commit up to which; null for the files as they stand in its worktree",
    },
    insertions: COUNT,
    deletions: COUNT,
    files: list(refTo("Change")),
    more: { ...COUNT, description: "files that are not listed" },
  }),
  Change: object({
    path: TEXT,
    from: { ...orNull(TEXT), description: "what it was called before" },
    change: { enum: ["added", "deleted", "modified", "renamed", "copied", "retyped"] },
    insertions: orNull(COUNT),
    deletions: orNull(COUNT),
    modes: orNull({ type: "array", items: TEXT, minItems: 2, maxItems: 2 }),
    patch: { ...orNull(TEXT), description: "hunks, as `git diff` prints them" },
    left: {
      enum: ["binary", "large", "many", "size", "name", "moving", null],
      description: "why the hunks are left out, or cut",
    },
  }),
  Graph: object({
    nodes: list(refTo("Link")),
    edges: list({ type: "array", items: ID, minItems: 2, maxItems: 2 }),
  }),
  Timeline: object({
    from: MILLIS,
    to: MILLIS,
    runs: list(object({
      taskId: ID,
      name: TEXT,
      key: orNull(TEXT),
      agent: TEXT,
      title: TEXT,
      status: STATUS,
      queued: MILLIS,
      started: MILLIS,
      ended: orNull(MILLIS),
      slot: COUNT,
    })),
    lanes: list(object({ agent: TEXT, from: MILLIS, to: MILLIS })),
  }),
  Stats: open({
    from: TIME,
    to: TIME,
    seconds: NUMBER,
    total: ANY_OBJECT,
    groups: list(ANY_OBJECT),
    limited: map(NUMBER),
    slots: object({ there: NUMBER, used: orNull(NUMBER) }),
    throughput: ANY_OBJECT,
    unread: COUNT,
  }),
  Agent: object({
    name: TEXT,
    problem: orNull(TEXT),
    definition: ANY_OBJECT,
    running: COUNT,
    maxConcurrent: orNull(NUMBER),
    pausedUntil: orNull(TIME),
    source: { enum: ["workspace", "user"] },
  }),
  Version: object({
    name: TEXT,
    path: TEXT,
    args: list(TEXT),
    exitCode: orNull(NUMBER),
    version: TEXT,
  }),
  Option: object({ ...OPTION, placeholder: TEXT }),
  Action: object({
    name: TEXT,
    about: TEXT,
    destroys: YES,
    options: list(object(OPTION)),
    phases: list(PHASE),
  }),
  NewTask: object(Object.fromEntries([
    ...Object.entries(NEEDED).map(([name, { about, schema }]) => [
      name,
      { description: about, ...schema },
    ]),
    ...OPTION_LIST.map(([name, { about, kind }]) => [
      `${name}?`,
      { description: about, ...kind.schema },
    ]),
  ])),
  Order: {
    ...object({ "tasks?": list(TEXT), "filter?": object(FILTER), "options?": ANY_OBJECT }),
    oneOf: [{ required: ["tasks"] }, { required: ["filter"] }],
  },
  Outcome: object({
    done: COUNT,
    refused: COUNT,
    results: list(object({ taskId: TEXT, said: TEXT, ok: YES, task: orNull(refTo("Row")) })),
  }),
  RunOrder: object({
    "parallel?": {
      type: "integer",
      minimum: 1,
      maximum: 1000,
      description: "at most so many at once; as the settings say where absent",
    },
  }),
  Run: object({ supervisor: orNull(TEXT) }),
  HistoryEvent: open(EVENT),
  StoredEvent: open({ ...EVENT, cursor: TEXT }),
  TasksEvent: object({
    workspace: TEXT,
    changed: list(refTo("Row")),
    removed: list(ID),
    ...GLANCE,
    happened: list(refTo("HistoryEvent")),
  }),
  LogEvent: object({ workspace: TEXT, taskId: ID, size: COUNT }),
  ResetEvent: object({ workspace: TEXT }),
  Error: object({ error: object({ code: TEXT, message: TEXT, "hint?": TEXT }) }),
} as const satisfies Record<string, Schema>;

/** A list of a component. */
export function listOf(name: keyof typeof SCHEMAS): Schema {
  return list(ref(name));
}
