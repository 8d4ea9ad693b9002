// What Orchestra needs of the place where agents run: start one so that it outlives us, tell
// whether it lives, end it with everything it started. One implementation a file beside this one.

/** Identity of a launched process: a number alone may by now be somebody else's. */
export interface Shim {
  pid: number;
  /** Start time as the system tells it, opaque; two processes with one pid differ in it. */
  start: string;
}

/** Everything that a launch needs; all paths absolute. */
export interface LaunchSpec {
  /**
   * Created exclusively by the shim before it runs the command: at most one launch per claim. Its
   * name is `<task>.<n>.pid` or `<task>.verify.<n>.pid`; where `<task>.json` is not beside it any
   * more, the shim removes it again and runs nothing.
   */
  pidFile: string;
  /**
   * Written atomically by the shim when the command has ended: its exit code, 128 and the number of
   * the signal that ended it, or `127 spawn` where it could not be started.
   */
  exitFile: string;
  /** Appended to by the command's own process. */
  logFile: string;
  /** What the command reads on its standard input; null for nothing. */
  stdinFile: string | null;
  cwd: string;
  command: string;
  args: readonly string[];
  /** Variables set for the command, over what it inherits. */
  env: Readonly<Record<string, string>>;
  /** Names of the variables it inherits; null for all. */
  inherit: readonly string[] | null;
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
  /**
   * Wait for the first moments without the event loop, for a caller that has nothing else to do:
   * the first timer of a process costs Deno 7 ms, and most agents end in fewer.
   */
  blocking?: boolean;
}

/** A place where agents run. */
export interface Launcher {
  /**
   * Starts a command in a session of its own. Returns at once; throws what the system throws when
   * the shim itself cannot be started.
   */
  launch(spec: LaunchSpec): Launched;
  /** The identity in a pid file: null where the claim was fenced off, undefined where unreadable. */
  parsePidFile(text: string): Shim | null | undefined;
  /** Whether any process has this pid: proves nothing but that one with none has ended. */
  exists(pid: number): boolean;
  /** Which of the given processes live. Those of another start time, and zombies, do not. */
  alive(shims: readonly Shim[]): Set<number>;
  /** Whether any living process carries the task's mark; false where the system cannot tell. */
  isMarked(taskId: string): boolean;
  /**
   * Ends the tree of a task: what descends from the shim, what carries the task's mark in its
   * environment, and what descends from that; asks first, forces after the grace period. Never
   * touches a process that is not proven to be the task's, nor the caller.
   *
   * @returns how many processes were signalled
   */
  endTree(taskId: string, shim: Shim | null, options: EndOptions): Promise<number>;
}

/** Content of a pid file that fences a claim off. */
export const FENCE = "fenced\n";
