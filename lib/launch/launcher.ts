// What Orchestra needs of the place where agents run: start one so that it outlives us, tell
// whether it lives, end it with everything it started. One implementation a file beside this one.

import type { Task } from "../task/fields.ts";

/** Identity of a launched process, as its place wrote it; only the place looks into it. */
export interface Identity {
  /** Its number, for people; null where the place has none. */
  readonly pid: number | null;
  /** Two are the same process exactly where these are the same. */
  readonly token: string;
}

/** What is known of a process: to see none is not to know that it is dead. */
export type Life =
  | "alive"
  | "dead"
  /** It is at a place that cannot be looked into from here. */
  | "unknown";

/** Everything that a launch needs; all paths absolute. */
export interface LaunchSpec {
  /**
   * Created exclusively by the shim before it runs the command: at most one launch per claim. Its
   * name is `<task>.<n>.pid`, `<task>.verify.<n>.pid` or `<task>.setup.<n>.pid`; where `<task>.json` is not beside it any
   * more, the shim removes it again and runs nothing.
   */
  pidFile: string;
  /**
   * Created by the shim before it runs the command, with an empty line, so that the code has its room
   * however full the disk is then. Written when the command has ended, so that its time is the end's:
   * the exit code, 128 and the number of the signal that ended it, or `127 spawn` where it could not
   * be started, which `: why` may follow.
   */
  exitFile: string;
  /** Appended to by the command's own process. */
  logFile: string;
  /** What the command reads on its standard input; null for nothing. */
  stdinFile: string | null;
  cwd: string;
  command: string;
  args: readonly string[];
  /** Whether they hold what somebody wrote; not unless it is said. */
  prompted?: boolean;
  /** Variables set for the command, over what it inherits. */
  env: Readonly<Record<string, string>>;
  /** Names of the variables it inherits; null for all. */
  inherit: readonly string[] | null;
  /** Names of variables that it does not inherit, where `inherit` cannot tell all others: on POSIX. */
  unset?: readonly string[];
}

/** A launch that the system accepted. */
export interface Launched {
  pid: number;
  /** Fulfilled when the shim has ended; never rejected. Waiting for it keeps nobody alive. */
  ended: Promise<void>;
}

/** How a process tree is ended. */
export interface EndOptions {
  /** Milliseconds between asking and forcing. */
  grace: number;
  /** Stops the waiting; what was signalled stays signalled. */
  signal?: AbortSignal;
  /** Its root was proven otherwise, and needs no mark: the ancestor knew none. */
  unmarked?: boolean;
}

/** What came of ending a process tree. */
export interface EndReport {
  /** How many processes were signalled. */
  signalled: number;
  /** How many are left all the same: they may not be signalled, or did not end in time. */
  left: number;
  /** It is at a place that cannot be looked into from here: nothing was done. */
  unknown: boolean;
}

/** What a task file of the ancestor's tells of its process. */
export type LegacyTask = Pick<Task, "taskId" | "pid" | "startedAt">;

/** The processes of a place. */
export interface Seen {
  /** The numbers of all that live; a zombie does not. */
  readonly pids: ReadonlySet<number>;
  /** Those that carry the mark of a task, by mark, where the system tells; the caller left out. */
  readonly marked: ReadonlyMap<string, readonly number[]>;
}

/** A place where agents run. What it answers may take its time: it is asked outside the lock. */
export interface Launcher {
  /**
   * Starts a command in a session of its own. Returns at once; throws what the system throws when
   * the shim itself cannot be started.
   */
  launch(spec: LaunchSpec): Launched;
  /** The identity in a pid file: null where the claim was fenced off, undefined where unreadable. */
  parsePidFile(text: string): Identity | null | undefined;
  /** Which of the given processes live, by their tokens. A zombie does not. */
  probe(asked: readonly Identity[]): Promise<ReadonlyMap<string, Life>>;
  /** Whether any living process carries the task's mark; `unknown` where the system cannot tell. */
  marked(mark: string): Promise<Life>;
  /** All processes that can be seen. */
  survey(): Promise<Seen>;
  /**
   * The process of a task that the ancestor launched, of which the task tells a bare number and when
   * it started: null where no process has the number, `unknown` where one has it that is not proven
   * to be the task's.
   *
   * @param root of the workspace
   */
  legacy(task: LegacyTask, root: string): Promise<Identity | null | "unknown">;
  /**
   * Ends the tree of a task: what descends from the shim, what carries the task's mark in its
   * environment, and what descends from that; asks first, forces after the grace period. Never
   * touches a process that is not proven to be the task's, nor the caller.
   */
  endTree(mark: string, identity: Identity | null, options: EndOptions): Promise<EndReport>;
}

/** Content of a pid file that fences a claim off. */
export const FENCE = "fenced\n";
