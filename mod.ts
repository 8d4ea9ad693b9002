/**
 * The library of Orchestra: what the command line is made of.
 *
 * ```ts
 * import { openWorkspace } from "@orchestra/cli/mod";
 *
 * const workspace = openWorkspace(".");
 * const task = await workspace.start({ agent: "shell", prompt: "echo hello" });
 * await workspace.run({ parallel: 2 });
 * console.log((await workspace.wait([task.taskId]))[0]?.status);
 * ```
 *
 * @module
 */

export {
  type EventsOptions,
  openWorkspace,
  type RunOptions,
  type Workspace,
} from "./lib/library.ts";
export { EXIT_CODES, OrchestraError } from "./lib/task/error.ts";
export type { ErrorCode } from "./lib/task/error.ts";
export { FAILURE_CLASSES, STATUSES } from "./lib/task/fields.ts";
export type { Dirty, GivenOptions, NewTask, TaskOptions } from "./lib/task/options.ts";
export type {
  FailureClass,
  RetryEntry,
  Status,
  Task,
  TaskBranch,
  TaskResult,
  Usage,
} from "./lib/task/fields.ts";
export {
  type Ended,
  type EventKind,
  EVENTS,
  type HistoryEvent,
  type StoredEvent,
} from "./lib/task/event.ts";
export type { Blocked, Cause } from "./lib/decide/dependencies.ts";
export type {
  PausedLane,
  Phase,
  PhasedTask,
  PhaseName,
  TaskView,
  Wait,
} from "./lib/decide/view.ts";
export type { Held, Unread } from "./lib/decide/room.ts";
export type { Change, ChangeKind } from "./lib/decide/changes.ts";
export type { Damage } from "./lib/store/tasks.ts";
export type { RetryOptions } from "./lib/decide/retry.ts";
export { parseDuration } from "./lib/task/duration.ts";
export { VERSION } from "./lib/task/version.ts";
