// The library's view of a workspace: the operations of the queue with the checks that the commands
// make, and supervision inside the caller's own process.

import { findRoot } from "./store/paths.ts";
import { pause } from "./launch/pause.ts";
import { loadConfig } from "./settings/config.ts";
import { indexTasks, latestAttempt, type Readiness, readinessOf } from "./decide/dependencies.ts";
import { OrchestraError } from "./task/error.ts";
import { add } from "./queue/add.ts";
import { resolveNames, resolveTask } from "./queue/names.ts";
import { type Change, noTask, openQueue } from "./queue/queue.ts";
import type { RetryOptions } from "./decide/retry.ts";
import { supervise } from "./supervise/loop.ts";
import { isTerminal, type NewTask, type Task } from "./task/fields.ts";
import { OPTIONS } from "./task/options.ts";
import { watchFolder } from "./store/watch.ts";

/** How {@linkcode Workspace.run} launches. */
export interface RunOptions {
  /** Most tasks at once; `max_concurrent` of the settings where absent. */
  parallel?: number;
  /** Ends the watching; agents go on. */
  signal?: AbortSignal;
  /** Called with each change, in order. */
  onChange?: (change: Change) => void;
}

/** An open workspace. */
export interface Workspace {
  /** The folder that has `.orchestra/`. */
  readonly root: string;
  /**
   * Queues a task, with the checks and the defaults of the command line.
   *
   * @throws OrchestraError `usage` for an option that is wrong, `no-agent`, `no-task` for an unknown
   * dependency, `state` for a key that is taken, `environment`
   */
  start(task: NewTask): Promise<Task>;
  /** All tasks, brought up to date, oldest first. */
  tasks(): Promise<Task[]>;
  /**
   * One task as it is stored; undefined where no task has this id. Here and below, wherever an id is
   * taken, so are a unique end of it, the key of a task, and `@last`.
   *
   * @throws OrchestraError `no-task`, or `usage` for what names none or several
   */
  task(id: string): Task | undefined;
  /**
   * Launches everything that is ready and watches over it until nothing is left to launch.
   *
   * @returns all tasks, as last seen
   */
  run(options?: RunOptions): Promise<Task[]>;
  /**
   * Waits until the given tasks are settled, retries included, or can go on only if somebody acts
   * (blocked by one that failed). It only watches: something must {@linkcode Workspace.run} them,
   * here or elsewhere.
   *
   * @param ids which; all that are not settled where absent
   * @returns the latest attempt of each
   */
  wait(ids?: readonly string[], options?: { signal?: AbortSignal }): Promise<Task[]>;
  /** Cancels tasks and ends their processes; returns those that were cancelled. */
  cancel(ids: readonly string[], reason?: string): Promise<Task[]>;
  /** Queues a failed task again; returns the successor. */
  retry(id: string, options?: RetryOptions): Task;
  /** Changes of tasks as they happen, by whomever, until the signal is aborted. */
  events(options?: { signal?: AbortSignal }): AsyncIterable<Change>;
}

/**
 * Opens the workspace of a folder, or of the nearest one above it that has one.
 *
 * @param folder where to look
 * @throws OrchestraError `no-workspace`
 */
export function openWorkspace(folder: string): Workspace {
  const start = Deno.realPathSync(folder);
  const root = findRoot(start);
  if (root === undefined) {
    throw new OrchestraError("no-workspace", `No workspace in ${start} or above it`, {
      hint: "Make one with: orchestra init",
    });
  }
  const queue = openQueue(root);

  async function* events(options: { signal?: AbortSignal } = {}): AsyncIterable<Change> {
    const signal = options.signal ?? new AbortController().signal;
    const known = new Map<string, Task>();
    let first = true;
    using watch = watchFolder(queue.store.tasksDir);
    while (!signal.aborted) {
      watch.take();
      const { tasks } = await queue.look();
      for (const task of tasks) {
        const before = known.get(task.taskId);
        known.set(task.taskId, task);
        if (first) continue;
        if (before === undefined) {
          yield { kind: task.retryHistory.length > 0 ? "retried" : "queued", task };
        }
        if (before?.status === task.status) continue;
        if (task.status === "running") yield { kind: "launched", task };
        else if (task.status === "pending" && before !== undefined) {
          yield { kind: "released", task };
        } else if (isTerminal(task.status)) yield { kind: task.status as Change["kind"], task };
      }
      first = false;
      await pause(5000, signal, [watch.changed()]);
    }
  }

  return {
    root: queue.store.root,
    start: async (task) => (await add(queue, [task]))[0]!,
    tasks: async () => (await queue.look()).tasks,
    task: (name) => queue.store.read(resolveTask(queue.store, name)),
    async run(options = {}) {
      checkParallel(options.parallel);
      const { config } = await loadConfig(queue.store);
      const tasks = await supervise(queue, {
        launch: "all",
        parallel: options.parallel ?? config.max_concurrent,
        until: "drained",
        signal: options.signal ?? new AbortController().signal,
        interval: config.interval,
        onChange: options.onChange,
      });
      return [...tasks.values()];
    },
    async wait(ids, options = {}) {
      const signal = options.signal ?? new AbortController().signal;
      using watch = watchFolder(queue.store.tasksDir);
      let wanted = ids === undefined ? undefined : resolveNames(queue.store, ids, "anywhere");
      for (;;) {
        watch.take();
        const { tasks } = await queue.look();
        const index = indexTasks(tasks);
        wanted ??= tasks.filter((task) => !isTerminal(task.status)).map((task) => task.taskId);
        const latest = wanted.map((id) => {
          const task = index.byId.get(id) ?? queue.store.readArchived(id);
          if (task === undefined) throw noTask(id);
          return latestAttempt(task, index);
        });
        const memo = new Map<string, Readiness>();
        // One that is blocked would be waited for until somebody acts.
        const isOver = (task: Task) =>
          isTerminal(task.status)
            ? task.retryAt === null
            : task.status === "pending" && readinessOf(task, index, memo).kind === "blocked";
        if (signal.aborted || latest.every(isOver)) return latest;
        await pause(5000, signal, [watch.changed()]);
      }
    },
    async cancel(names, reason) {
      const ids = resolveNames(queue.store, names);
      const rules = await queue.rules();
      const changes = queue.cancel(ids, reason ?? null, rules);
      await Promise.all(
        changes.filter(({ task }) => task.reapAt !== null)
          .map(({ task }) => queue.endTask(task.taskId, rules)),
      );
      return changes.map(({ task }) => task);
    },
    retry(name, options) {
      checkRetryOptions(options);
      const id = resolveTask(queue.store, name);
      if (queue.store.read(id) === undefined) throw noTask(id);
      const successor = queue.queueRetry(id, options);
      if (successor !== undefined) return successor;
      throw new OrchestraError(
        "state",
        `${id} cannot be retried: it has not failed, or was already`,
      );
    },
    events,
  };
}

/** A program that is not checked by the compiler gets an error, not a damaged file. */
function checkRetryOptions(options: RetryOptions = {}): void {
  for (const name of ["maxRetries", "autoRetry"] as const) {
    const value = options[name];
    const { kind } = OPTIONS[name];
    if (value !== undefined && kind.check(value) === undefined) {
      throw new OrchestraError("usage", `retry: "${name}" must be ${kind.must}, and is ${value}`);
    }
  }
}

function checkParallel(parallel: number | undefined): void {
  if (parallel === undefined || (Number.isInteger(parallel) && parallel >= 1)) return;
  throw new OrchestraError(
    "usage",
    `run: "parallel" must be a whole number from 1, and is ${parallel}`,
  );
}
