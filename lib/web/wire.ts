// What goes between the server and whoever asks it: the one vocabulary of API and page. From API_VERSION's
// paths and these types follows the OpenAPI document. Nothing here does anything.

import type { PhaseName } from "../decide/view.ts";
import type { HistoryEvent } from "../task/event.ts";
import type { Task } from "../task/fields.ts";

/** Below it stand all paths of the API. */
export const API = "/api/v1";

/** A task as `status --json` prints it: the fields of its file, and what is derived. */
export interface WireTask extends Task {
  phase: PhaseName;
  /** Why it cannot start; null where it can. */
  blockedReason: string | null;
  /** What it waits for, in words; null where it does not. */
  waitsFor: string | null;
  /** Seconds it has run or ran. */
  elapsedSeconds: number | null;
  /** Seconds until its timeout. */
  remainingSeconds: number | null;
}

/** A task in a list: the prompt is cut to its first 200 characters, and `git` has no `paths`. */
export interface WireRow extends WireTask {
  /** Shortest unique end of its id. */
  name: string;
  /** Characters that the whole prompt has. */
  promptLength: number;
  refuses: WireRefusals;
}

/** Actions that are offered for the phase that a task is in and yet would be refused: by their names. */
export type WireRefusals = Partial<Record<string, WireRefusal>>;

/** Why an action would be refused. */
export interface WireRefusal {
  /** To be read behind the task's name. */
  why: string;
  /** Option of the action with which it may be done all the same. */
  unless?: string;
}

/** How many tasks are in which phase. */
export interface WireCounts extends Partial<Record<PhaseName, number>> {
  total: number;
  /** Of these, those that only a person brings on, as `needsPerson` of filter.ts decides. */
  needed?: number;
}

/** An agent that launches nothing for now. */
export interface WireLane {
  agent: string;
  /** ISO 8601. */
  until: string;
}

/** A workspace at a glance. */
export interface WireWorkspace {
  name: string;
  root: string;
  counts: WireCounts;
  lanes: WireLane[];
  /** Who watches, in words; null for nobody. */
  supervisor: string | null;
  /** Task files that cannot be read, and why. */
  damaged: { name: string; reason: string }[];
  /** What is wrong with the workspace as a whole: gone, another user's, settings that cannot be read. */
  problem: string | null;
}

/** `GET /api/v1`: about the server. */
export interface WireServer {
  version: string;
  /** Whether it refuses every change. */
  readOnly: boolean;
  /** Whether it serves all known workspaces. */
  everywhere: boolean;
  workspaces: string[];
}

/** What `POST /session` answers. */
export interface WirePlace {
  /** Goes before the path of each request with the cookie: `/s/…`, which nobody guesses. */
  base: string;
}

/** `GET …/tasks`. */
export interface WireTasks {
  /** Running ones first, then pending ones, then those that have ended, the last first. */
  tasks: WireRow[];
  /** How many more pass the filters. */
  more: number;
  /** Of all tasks that pass the filters but that of the phase. */
  counts: WireCounts;
  /** How many tasks of each agent pass the filters but that of the agent. */
  agents?: Record<string, number>;
  /** How many tasks with each label, `name:value`, pass the filters but that of the label; the 50 most frequent. */
  labels?: Record<string, number>;
  lanes: WireLane[];
  supervisor: string | null;
  /** Where the history was when this was read: live changes go on from here. */
  cursor: string;
}

/** One of several attempts, or a task that another waits for. */
export type WireLink =
  & Pick<WireRow, "taskId" | "name" | "key" | "status" | "phase" | "agent" | "prompt">
  & Pick<WireTask, "failureClass" | "createdAt" | "startedAt" | "completedAt">;

/** `GET …/tasks/{id}`. */
export interface WireDetail {
  /** With its whole prompt. */
  task: WireTask & Pick<WireRow, "name" | "refuses">;
  /** All attempts, oldest first, itself among them; one where it was never retried. */
  chain: WireLink[];
  needs: WireLink[];
  neededBy: WireLink[];
  /** Those that `blockedReason` or `waitsFor` speaks of: the latest attempt of what it needs, and what blocks that. */
  mentions: WireLink[];
  /** What its plan says; null where it has none. */
  plan: string | null;
  /** Bytes of its log; null where it has none. */
  logSize: number | null;
  /** Whose events its log is, as lib/agents/render.ts reads them; null for text. */
  logFormat: string | null;
  archived: boolean;
}

/** `GET …/tasks/{id}/diff`: what it changed on its branch. */
export interface WireDiff {
  branch: string;
  /** Commit from which on. */
  base: string;
  /** Commit up to which; null for the files as they stand in its worktree. */
  tip: string | null;
  /** Lines of all files together. */
  insertions: number;
  deletions: number;
  /** The first thousand, in git's order. */
  files: WireChange[];
  /** How many more there are. */
  more: number;
}

/** A file that changed. */
export interface WireChange {
  /** Relative to the top of the repository. */
  path: string;
  /** What it was called before; null where that has not changed. */
  from: string | null;
  /** `retyped`: a file became a link or a submodule, or the other way round. */
  change: "added" | "deleted" | "modified" | "renamed" | "copied" | "retyped";
  /** Null for what has no lines. */
  insertions: number | null;
  deletions: number | null;
  /** Modes before and after, where they differ. */
  modes: [before: string, after: string] | null;
  /** Hunks as `git diff` prints them, from the first `@@` on; null where they are left out. */
  patch: string | null;
  /** Why they are left out, or only their beginning is there; `?path=` asks for those that are too many or too large. */
  left: "binary" | "large" | "many" | "size" | "name" | "moving" | null;
}

/** `GET …/graph`: tasks that depend on others or are depended on, without what has been archived. */
export interface WireGraph {
  nodes: WireLink[];
  /** From what is needed to what needs it. */
  edges: [from: string, to: string][];
}

/** `GET …/timeline`: who ran when. */
export interface WireTimeline {
  /** Milliseconds since the epoch. */
  from: number;
  to: number;
  runs: {
    taskId: string;
    name: string;
    /** Null also where the task is not there any more. */
    key: string | null;
    agent: string;
    title: string;
    status: Task["status"];
    /** When it was queued, milliseconds since the epoch. */
    queued: number;
    started: number;
    /** Null while it runs. */
    ended: number | null;
    /** Row, from 0: no two of one row overlap. */
    slot: number;
  }[];
  /** When agents were paused, milliseconds since the epoch. */
  lanes: { agent: string; from: number; to: number }[];
}

/** `GET …/agents`. */
export interface WireAgent {
  name: string;
  /** What is wrong with its definition; null for nothing. */
  problem: string | null;
  /** The definition; values of `env` are left out. */
  definition: Record<string, unknown>;
  running: number;
  maxConcurrent: number | null;
  /** ISO 8601; null where it launches. */
  pausedUntil: string | null;
  /** Where the definition stands. */
  source: "workspace" | "user";
}

/** `GET …/options`: what `start` takes beside agent and prompt. */
export interface WireOption {
  name: string;
  about: string;
  /** JSON Schema of its value. */
  schema: Readonly<Record<string, unknown>>;
  placeholder: string;
}

/** `GET …/actions`: what can be done to tasks. */
export interface WireAction {
  name: string;
  /** What it does, to be read behind its name. */
  about: string;
  /** Whether it destroys something: to be confirmed. */
  destroys: boolean;
  /** What can be said with it. */
  options: { name: string; about: string; schema: Readonly<Record<string, unknown>> }[];
  /** Phases of tasks that it can be done to. */
  phases: PhaseName[];
}

/** Body of `POST …/actions/{name}`: these tasks, or all that pass the filters. */
export interface WireOrder {
  tasks?: string[];
  filter?: WireFilter;
  options?: Record<string, unknown>;
}

/** Filters as in an address: `?status=failed&agent=codex&label=area:docs&q=parser`. */
export interface WireFilter {
  /** Phases, `pending` for `ready`, `waiting` and `blocked`, `needed` for those that only a person brings on. */
  status?: string[];
  agent?: string[];
  /** `name:value`. */
  label?: string[];
  /** Text in prompt, id, key or labels, whatever its case. */
  q?: string;
}

/** What came of an action, task by task. */
export interface WireOutcome {
  /** How many were done, and how many refused. */
  done: number;
  refused: number;
  results: {
    taskId: string;
    /** What happened, in words. */
    said: string;
    ok: boolean;
    /** The task after it; a new one for a retry. */
    task: WireRow | null;
  }[];
}

/** An error's body; the status is 400, 401, 403, 404, 409, 413 or 500. */
export interface WireError {
  error: { code: string; message: string; hint?: string };
}

/**
 * `GET /api/v1/events`, a stream of server-sent events, for all workspaces that are served. `?log=WS/TASK`
 * also tells how that log grows; where there is no such task, the answer is 404. Each `tasks` has an `id:`, a cursor in each workspace, as `WS=cursor&…`:
 * who comes back with it as `Last-Event-ID`, or gives it as `?since=`, misses nothing. A `cursor` of
 * `GET …/tasks` serves as well: `?since=` + encodeURIComponent(new URLSearchParams({[workspace]: cursor})).
 */
export type WireEvent =
  /** Tasks have changed, or are gone; and what happened, as the history tells it. */
  | {
    event: "tasks";
    data: {
      workspace: string;
      changed: WireRow[];
      removed: string[];
      counts: WireCounts;
      lanes: WireLane[];
      supervisor: string | null;
      happened: HistoryEvent[];
    };
  }
  /** A log is so long now, bytes. */
  | { event: "log"; data: { workspace: string; taskId: string; size: number } }
  /** So much was missed that all is to be read anew. */
  | { event: "reset"; data: { workspace: string } }
  /** Which workspaces there are has changed. */
  | { event: "workspaces"; data: WireWorkspace[] };
