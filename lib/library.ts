// The library's view of a workspace: the operations of the queue with the checks that the commands
// make, and supervision inside the caller's own process.

import type { Change } from "./decide/changes.ts";
import {
  indexTasks,
  latestAttempt,
  type Readiness,
  type TaskIndex,
} from "./decide/dependencies.ts";
import { hasEnded } from "./decide/ended.ts";
import type { RetryOptions } from "./decide/retry.ts";
import { LONGEST_WAIT } from "./decide/waits.ts";
import { add } from "./queue/add.ts";
import { archive, restore } from "./queue/archive.ts";
import { cancel, timeOut } from "./queue/cancel.ts";
import { endTask } from "./queue/end.ts";
import { extendTimeout } from "./queue/limits.ts";
import { resolveEach, resolveNames, resolveTask } from "./queue/names.ts";
import { loadRules, noTask, openQueue, type Queue } from "./queue/queue.ts";
import { refresh } from "./queue/refresh.ts";
import { type Outcome, remove } from "./queue/remove.ts";
import { resumeProblem, retriedMeanwhile, retry, retryProblem } from "./queue/retry.ts";
import { readAgent, readAgentNames } from "./settings/agents.ts";
import { findRoot, realFolder } from "./store/paths.ts";
import { endOfHistory, followEvents, readEvents } from "./store/events.ts";
import { parseCursor } from "./store/history_files.ts";
import type { ReadOptions } from "./store/history_read.ts";
import type { Store } from "./store/tasks.ts";
import { type WatchOptions, watchOver } from "./supervise/loop.ts";
import { isWatched } from "./supervise/watcher.ts";
import { OrchestraError, toOrchestraError } from "./task/error.ts";
import { parseDuration } from "./task/duration.ts";
import type { StoredEvent } from "./task/event.ts";
import { isTerminal, type NewTask, parseTime, type Task } from "./task/fields.ts";
import { OPTIONS } from "./task/options.ts";

/** How {@linkcode Workspace.run} launches. */
export interface RunOptions {
  /** Most tasks at once; `max_concurrent` of the settings where absent. */
  parallel?: number;
  /** Ends the watching; agents go on. */
  signal?: AbortSignal;
  /** Called with each change, in order. */
  onChange?: (change: Change) => void;
}

/** Which events {@linkcode Workspace.events} tells. */
export interface EventsOptions {
  /**
   * From where on: the `cursor` of an event, which is left out; how long ago (`"2h"`); a time, as text,
   * `Date` or milliseconds since the epoch. From this call on where absent.
   */
  since?: string | number | Date;
  /** Only those of this task and its retries. */
  task?: string;
  /** Go on with what comes, until the signal is aborted; unless told not to. */
  follow?: boolean;
  /** Ends it. */
  signal?: AbortSignal;
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
  /** All tasks, brought up to date and with due retries queued, oldest first. */
  tasks(): Promise<Task[]>;
  /**
   * One task as it is stored; undefined where no task has this id. Here and below, wherever an id is
   * taken, so are a unique end of it, the key of a task, and `@last`.
   *
   * @throws OrchestraError `no-task`, or `usage` for what names none or several
   */
  task(id: string): Task | undefined;
  /**
   * Launches everything that is ready and watches over it until nothing runs and nothing is left to
   * launch. This process is the one that watches: where it is stopped before, agents go on unwatched
   * until a command looks.
   *
   * @returns all tasks, as last seen
   */
  run(options?: RunOptions): Promise<Task[]>;
  /**
   * Waits until the given tasks are settled, retries included, or can go on only if somebody acts
   * (blocked by one that failed). It launches nothing: something must {@linkcode Workspace.run} them,
   * here or elsewhere. Where nobody watches it settles what ends, enforces limits and queues retries.
   *
   * @param ids which; all that are not settled where absent
   * @returns the latest attempt of each
   */
  wait(ids?: readonly string[], options?: { signal?: AbortSignal }): Promise<Task[]>;
  /**
   * Cancels tasks and ends their processes; returns those that were cancelled. What has ended already
   * is passed over.
   *
   * @throws OrchestraError `no-task`, before anything is cancelled
   */
  cancel(ids: readonly string[], reason?: string): Promise<Task[]>;
  /**
   * Queues a failed or cancelled task again; returns the successor.
   *
   * @throws OrchestraError `no-task`, or `state` where it has not failed, has a successor, or has used
   * up its retries: allow more by `maxRetries`; with `resume`, also where its session is not known, or
   * its agent does not say how it goes on in one
   */
  retry(id: string, options?: RetryOptions): Task;
  /**
   * Gives a task more time, running or not; one without a timeout gets one, counted from now where it
   * runs. Returns the task with its new timeout.
   *
   * @param by how much: seconds, or a text such as `"5m"`
   * @throws OrchestraError `no-task`, `state` where it has ended, `usage` for what is no time
   */
  extend(id: string, by: number | string): Task;
  /**
   * Ends a running task as timed out, with its processes.
   *
   * @throws OrchestraError `no-task`, `state` where it does not run
   */
  timeOut(id: string): Promise<Task>;
  /**
   * Moves tasks that have come to their end into the archive, each with all attempts of its chain.
   * Returns the ids of what was moved.
   *
   * @throws OrchestraError `no-task`, `state` for the first that has not come to its end; the others
   * are moved all the same
   */
  archive(ids: readonly string[]): string[];
  /**
   * Brings an archived task back.
   *
   * @throws OrchestraError `no-task`, `state` where it is not archived, or its key is another's by now
   */
  restore(id: string): Task;
  /**
   * Removes finished tasks with their logs and plans. Returns the ids of what was removed.
   *
   * @throws OrchestraError `no-task`, `state` for the first that has not ended or that others wait
   * for; the others are removed all the same
   */
  remove(ids: readonly string[]): string[];
  /**
   * What happened and what happens, whichever process did it, from any point on. While it is followed
   * and nobody watches, reading it does what {@linkcode Workspace.wait} does then.
   *
   * @throws OrchestraError `usage` for a `since` that is neither a time nor a cursor, `no-task`
   */
  events(options?: EventsOptions): AsyncIterable<StoredEvent>;
}

/**
 * Opens the workspace of a folder, or of the nearest one above it that has one.
 *
 * @param folder where to look
 * @throws OrchestraError `no-workspace`
 */
export function openWorkspace(folder: string): Workspace {
  let start: string;
  try {
    start = realFolder(folder);
  } catch (error) {
    throw new OrchestraError("no-workspace", `No workspace in ${folder}: it cannot be opened`, {
      hint: error instanceof Error ? error.message : undefined,
      cause: error,
    });
  }
  const root = findRoot(start);
  if (root === undefined) {
    throw new OrchestraError("no-workspace", `No workspace in ${start} or above it`, {
      hint: "Make one with: orchestra init",
    });
  }
  const queue = openQueue(root);
  const { store } = queue;
  /** What is to be done is done by whoever watches; where nobody does, by whoever looks on. */
  const lookOn = (signal: AbortSignal | undefined) => ({
    wanted: () => ({ launch: "nothing" as const }),
    signal: signal ?? NEVER,
    leaveToOthers: () => isWatched(store),
  });

  return {
    root: store.root,
    start: async (task) => (await add(queue, [task]))[0]!,
    tasks: async () => (await refresh(queue)).tasks,
    task: (name) => store.read(resolveTask(store, name)),
    async run(options = {}) {
      checkRunOptions(options);
      const { onChange } = options;
      const { index } = await watchOver(queue, {
        wanted: () => ({ launch: "all", parallel: options.parallel }),
        until: "finished",
        signal: options.signal ?? NEVER,
        onChange,
        onTurn() {},
      });
      return [...index.byId.values()];
    },
    async wait(names, options = {}) {
      let wanted = names === undefined ? undefined : resolveNames(store, names, "anywhere");
      const latest = (index: TaskIndex) =>
        wanted!.map((id) => {
          const task = index.byId.get(id) ?? store.readArchived(id);
          if (task === undefined) throw noTask(store, id);
          return latestAttempt(task, index);
        });
      const { index } = await watchOver(queue, {
        ...lookOn(options.signal),
        until({ index }) {
          wanted ??= openIds(index);
          const memo = new Map<string, Readiness>();
          return latest(index).every(({ taskId }) => hasEnded(taskId, index, memo));
        },
      });
      wanted ??= openIds(index);
      return latest(index);
    },
    async cancel(names, reason) {
      const ids = resolveNames(store, names);
      const missing = ids.find((id) => !store.has(id));
      if (missing !== undefined) throw noTask(store, missing);
      const rules = await loadRules(queue, () => {});
      const tasks: Task[] = [];
      for (const outcome of cancel(queue, ids, reason ?? null, rules)) {
        if ("error" in outcome) throw toOrchestraError(outcome.error, `Cancelling ${outcome.id}`);
        if (outcome.cancelled) tasks.push(outcome.task!);
      }
      await Promise.all(
        tasks.filter(({ reapAt }) => reapAt !== null)
          .map(({ taskId }) => endTask(queue, taskId, rules)),
      );
      return tasks;
    },
    retry(name, options) {
      checkRetryOptions(store, options);
      const id = resolveTask(store, name);
      const task = store.read(id);
      if (task === undefined) throw noTask(store, id);
      const problem = retryProblem(queue, task, options?.maxRetries) ??
        (options?.resume ? resumeProblem(task, readAgent(store, task.agent)) : undefined);
      if (problem !== undefined) throw problem;
      let made: Task | undefined;
      retry(queue, [{ id, options }], indexTasks(store.scan().tasks), ({ successor }) => {
        made = successor;
      });
      if (made === undefined) throw retriedMeanwhile(id);
      return made;
    },
    extend(name, by) {
      const seconds = typeof by === "string" ? parseDuration(by) : by;
      if (typeof seconds !== "number" || !(seconds > 0 && seconds < Infinity)) {
        throw new OrchestraError("usage", `extend: ${JSON.stringify(by)} is no time`, {
          hint: "Give seconds, or a text such as 5m or 1h30m.",
        });
      }
      return extendTimeout(queue, resolveTask(store, name), seconds).after;
    },
    async timeOut(name) {
      const id = resolveTask(store, name);
      const rules = await loadRules(queue, () => {});
      if (timeOut(queue, id, rules) === undefined) {
        const task = store.read(id);
        if (task === undefined) throw noTask(store, id);
        throw new OrchestraError(
          "state",
          `${id} is ${task.status}: only running tasks can time out`,
        );
      }
      await endTask(queue, id, rules);
      return store.read(id)!;
    },
    archive: (names) => eachNamed(store, names, (ids) => archive(queue, ids), "Archiving"),
    restore: (name) => restore(queue, resolveTask(store, name, "archived")),
    remove: (names) => eachNamed(store, names, (ids) => remove(queue, ids), "Removing"),
    events(options = {}) {
      checkNames("events", options, ["since", "task", "follow", "signal"]);
      const task = options.task === undefined
        ? undefined
        : resolveTask(store, options.task, "anywhere");
      return eventsFrom(queue, startOf(store, options.since), task, {
        ...lookOn(options.signal),
        follow: options.follow ?? true,
      });
    },
  };
}

/** Does what can be done; the ids of it. Throws for the first name that means no task, or task that was refused. */
function eachNamed(
  store: Store,
  names: readonly string[],
  act: (ids: readonly string[]) => readonly Outcome[],
  attempted: string,
): string[] {
  const { ids, refused: unknown } = resolveEach(store, names);
  const outcomes = act(ids);
  if (unknown.length > 0) throw unknown[0]!.error;
  const refused = outcomes.find(({ error }) => error !== undefined);
  if (refused !== undefined) throw toOrchestraError(refused.error, `${attempted} ${refused.id}`);
  return outcomes.map(({ id }) => id);
}

/** Nobody ever aborts it. */
const NEVER = new AbortController().signal;

function openIds({ byId }: TaskIndex): string[] {
  return [...byId.values()].filter(({ status }) => !isTerminal(status)).map(({ taskId }) => taskId);
}

/** Where reading begins: fixed by the call, not by the first event that is asked for. */
function startOf(store: Store, since: EventsOptions["since"]): ReadOptions {
  if (since === undefined) return { from: endOfHistory(store) };
  const cursor = typeof since === "string" ? parseCursor(since) : undefined;
  if (cursor !== undefined) return { from: cursor };
  const ago = typeof since === "string" ? parseDuration(since) : undefined;
  const time = ago !== undefined
    ? Date.now() - ago * 1000
    : typeof since === "string"
    ? parseTime(since)
    : new Date(since).getTime();
  if (time !== null && !Number.isNaN(time)) return { since: time };
  throw new OrchestraError("usage", `events: "since" is neither a time nor a cursor: ${since}`, {
    hint:
      "Give the cursor of an event, 2h, an ISO 8601 time, a Date, or milliseconds since the epoch.",
  });
}

/** Events while a loop looks on, or those up to now. */
async function* eventsFrom(
  queue: Queue,
  start: ReadOptions,
  task: string | undefined,
  options: Pick<WatchOptions, "wanted" | "leaveToOthers" | "signal"> & { follow: boolean },
): AsyncGenerator<StoredEvent> {
  const isWanted = (event: StoredEvent) =>
    task === undefined || event.task === task || event.chain === task;
  if (!options.follow) {
    await refresh(queue);
    for await (const event of readEvents(queue.store, start)) if (isWanted(event)) yield event;
    return;
  }
  const stop = new AbortController();
  const signal = AbortSignal.any([options.signal, stop.signal]);
  const looking = watchOver(queue, { ...options, signal, until: "forever", onTurn() {} });
  // What went wrong is thrown when all that was told before is read.
  looking.catch(() => stop.abort());
  try {
    for await (const event of followEvents(queue.store, start, signal)) {
      if (isWanted(event)) yield event;
    }
    await looking;
  } finally {
    stop.abort();
  }
}

/** A program that is not checked by the compiler gets an error, not a damaged file. */
function checkRetryOptions(store: Store, options: RetryOptions = {}): void {
  checkNames("retry", options, ["maxRetries", "autoRetry", "agent", "free", "notBefore", "resume"]);
  const { agent, notBefore } = options;
  const known = agent === undefined ? [] : readAgentNames(store);
  if (agent !== undefined && !known.includes(agent)) {
    throw new OrchestraError("no-agent", `retry: there is no agent ${JSON.stringify(agent)}`, {
      hint: `There are: ${known.join(", ")}`,
    });
  }
  if (notBefore !== undefined && !(notBefore - Date.now() <= LONGEST_WAIT)) {
    throw new OrchestraError("usage", `retry: "notBefore" must be a time, and is ${notBefore}`, {
      hint: "Milliseconds since the epoch, at most 31 days ahead.",
    });
  }
  for (const name of ["free", "resume"] as const) {
    const value: unknown = options[name];
    if (value === undefined || typeof value === "boolean") continue;
    throw new OrchestraError("usage", `retry: "${name}" must be true or false, and is ${value}`);
  }
  if (options.resume && agent !== undefined) {
    throw new OrchestraError("usage", "retry: another agent cannot resume a session", {
      hint: 'Leave "agent" or "resume" away.',
    });
  }
  for (const name of ["maxRetries", "autoRetry"] as const) {
    const value = options[name];
    const { kind } = OPTIONS[name];
    if (value !== undefined && kind.check(value) === undefined) {
      throw new OrchestraError("usage", `retry: "${name}" must be ${kind.must}, and is ${value}`);
    }
  }
}

/** An option that is misspelt is refused, not passed over. */
function checkNames(method: string, options: object, known: readonly string[]): void {
  const unknown = Object.keys(options).find((name) => !known.includes(name));
  if (unknown === undefined) return;
  throw new OrchestraError("usage", `${method} has no option ${JSON.stringify(unknown)}`, {
    hint: `There are: ${known.join(", ")}`,
  });
}

function checkRunOptions(options: RunOptions): void {
  checkNames("run", options, ["parallel", "signal", "onChange"]);
  const { parallel } = options;
  if (parallel === undefined || (Number.isInteger(parallel) && parallel >= 1)) return;
  throw new OrchestraError(
    "usage",
    `run: "parallel" must be a whole number from 1, and is ${parallel}`,
  );
}
