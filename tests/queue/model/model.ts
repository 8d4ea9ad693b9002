// The model: the queue as the rules want it, without files and processes.

import { isTerminal, parseTime, type Status, type Task } from "../../../lib/task/fields.ts";
import type { Completion } from "./world.ts";

/** Milliseconds after which a claim without a shim is taken back: on Windows it is a Deno that has to start. */
export const LAUNCH_GRACE = Deno.build.os === "windows" ? 20_000 : 2000;

/** One task, as the rules want it. */
interface ModelTask {
  id: string;
  prompt: string;
  status: Status;
  completion: Completion;
  dependsOn: string[];
  priority: number;
  autoRetry: boolean;
  maxRetries: number;
  retryCount: number;
  timeout: number | null;
  createdAt: number;
  startedAt: number | null;
  claim: number;
  failureClass: string | null;
  retryAt: number | null;
  retryOf: string | null;
  retriedBy: string | null;
  /** The pid file of the claim, and what became of the process in it. */
  shim: "none" | "fenced" | "alive" | "dead";
  done: boolean;
  error: boolean;
  exit: number | null;
}

export class Model {
  tasks: ModelTask[] = [];
  started = 0;
  /** Settled tasks of which something may live: they are not followed yet. */
  owed: ReadonlySet<string> = new Set();

  clone(): Model {
    const copy = new Model();
    copy.tasks = structuredClone(this.tasks);
    copy.started = this.started;
    return copy;
  }

  find(id: string): ModelTask {
    return this.tasks.find((task) => task.id === id)!;
  }

  add(task: Partial<ModelTask> & Pick<ModelTask, "prompt" | "completion">, now: number): ModelTask {
    const added: ModelTask = {
      // The real id is filled in once it is known.
      id: "",
      status: "pending",
      dependsOn: [],
      priority: 5,
      autoRetry: false,
      maxRetries: 3,
      retryCount: 0,
      timeout: null,
      createdAt: now,
      startedAt: null,
      claim: 0,
      failureClass: null,
      retryAt: null,
      retryOf: null,
      retriedBy: null,
      shim: "none",
      done: false,
      error: false,
      exit: null,
      ...task,
    };
    this.tasks.push(added);
    return added;
  }

  settle(task: ModelTask, status: Status, failureClass: string | null, now: number): void {
    task.status = status;
    task.failureClass = failureClass;
    if (task.shim === "none" && task.claim > 0) task.shim = "fenced";
    if (failureClass !== null && task.autoRetry && task.retryCount < task.maxRetries) {
      task.retryAt = now + 0.5 * 1000 * 2 ** task.retryCount;
    }
  }

  /** What a look at everything brings about. */
  look(now: number): void {
    for (const task of this.tasks) {
      if (task.status === "running") this.judge(task, now);
    }
    for (const task of [...this.tasks]) {
      const followed = task.status === "failed" && task.retriedBy === null &&
        !this.owed.has(task.id);
      if (followed && task.retryAt !== null && task.retryAt <= now) this.retry(task, now);
    }
  }

  /** Without a look at processes and clocks only what is on disk counts. Precedence: timeout, error, done, exit code; a cancelled task is not running any more. */
  judge(task: ModelTask, now: number, looked = true): void {
    const signals = task.completion !== "exit";
    if (signals && task.error) return this.settle(task, "failed", "agent-error", now);
    if (signals && task.done) return this.settle(task, "complete", null, now);
    if (task.exit !== null) {
      if (task.exit !== 0) return this.settle(task, "failed", "exit", now);
      if (task.completion === "sentinel") return this.settle(task, "failed", "no-signal", now);
      return this.settle(task, "complete", null, now);
    }
    const age = now - task.startedAt!;
    if (task.shim === "none") {
      if (age < LAUNCH_GRACE && age >= -1000) return;
      task.status = "pending";
      task.startedAt = null;
      task.shim = "fenced";
    } else if (!looked) return;
    else if (task.shim === "dead") this.settle(task, "failed", "lost", now);
    else if (age < -1000) task.startedAt = now;
    else if (task.timeout !== null && age >= task.timeout * 1000) {
      this.settle(task, "failed", "timeout", now);
    }
  }

  retry(task: ModelTask, now: number): void {
    const next = this.add({
      prompt: task.prompt,
      completion: task.completion,
      dependsOn: [...task.dependsOn],
      priority: task.priority,
      autoRetry: task.autoRetry,
      maxRetries: task.maxRetries,
      timeout: task.timeout,
      retryCount: task.retryCount + 1,
      retryOf: task.id,
    }, now);
    task.retryAt = null;
    // Known once the real id is: see adoptIds.
    task.retriedBy = "";
    next.retryOf = task.id;
  }

  isReady(task: ModelTask): boolean {
    return task.status === "pending" && task.dependsOn.every((id) => {
      let latest = this.find(id);
      while (latest.status !== "complete" && latest.retriedBy) latest = this.find(latest.retriedBy);
      return latest.status === "complete";
    });
  }

  launch(parallel: number, now: number): void {
    const running = this.tasks.filter(({ status }) => status === "running").length;
    const ready = this.tasks.filter((task) => task.id !== "" && this.isReady(task));
    // Those queued in this very look have no id yet; they are the youngest of their priority.
    const fresh = this.tasks.filter((task) => task.id === "" && this.isReady(task));
    const order = [...ready.sort((a, b) => compareIds(a.id, b.id)), ...fresh]
      .map((task, place) => ({ task, place }))
      .sort((a, b) =>
        b.task.priority - a.task.priority || a.task.createdAt - b.task.createdAt ||
        a.place - b.place
      );
    for (const { task } of order.slice(0, Math.max(0, parallel - running))) {
      task.status = "running";
      task.startedAt = now;
      task.claim++;
      task.shim = "none";
      task.done = task.error = false;
      task.exit = null;
    }
  }

  /** What it has ended with before counts. */
  cancel(task: ModelTask, now: number): void {
    if (task.status === "running") this.judge(task, now, false);
    if (!isTerminal(task.status)) this.settle(task, "cancelled", null, now);
  }
}

export function compareIds(a: string, b: string): number {
  return a.length - b.length || (a < b ? -1 : a > b ? 1 : 0);
}

/** What model and disk must agree in. */
export function factsOf(task: ModelTask): Record<string, unknown> {
  const { id, prompt, status, claim, failureClass, retryCount, retryAt, retryOf, retriedBy } = task;
  const { startedAt, timeout } = task;
  return {
    id,
    prompt,
    status,
    claim,
    failureClass,
    retryCount,
    retryAt,
    retryOf,
    retriedBy,
    startedAt,
    timeout,
  };
}

export function factsOnDisk(task: Task): Record<string, unknown> {
  return {
    id: task.taskId,
    prompt: task.prompt,
    status: task.status,
    claim: task.claim,
    failureClass: task.failureClass,
    retryCount: task.retryCount,
    retryAt: parseTime(task.retryAt),
    retryOf: task.retryHistory.at(-1)?.retriedFrom ?? null,
    retriedBy: task.retriedBy,
    startedAt: parseTime(task.startedAt),
    timeout: task.timeout,
  };
}

/** Gives the model's new tasks the ids that the real ones got; those that are not there go. */
export function adoptIds(model: Model, disk: readonly Task[]): void {
  const known = new Set(model.tasks.map(({ id }) => id));
  const fresh = disk.filter(({ taskId }) => !known.has(taskId));
  for (const task of [...model.tasks]) {
    if (task.id !== "") continue;
    const real = fresh.find((item) =>
      item.prompt === task.prompt &&
      (item.retryHistory.at(-1)?.retriedFrom ?? null) === task.retryOf
    );
    const earlier = task.retryOf === null ? undefined : model.find(task.retryOf);
    if (real === undefined) model.tasks.splice(model.tasks.indexOf(task), 1);
    else {
      fresh.splice(fresh.indexOf(real), 1);
      task.id = real.taskId;
    }
    if (earlier !== undefined) earlier.retriedBy = real?.taskId ?? null;
  }
}

/** The task that a number stands for; undefined where there is none at all. */
export function taskAt(model: Model, number: number): ModelTask | undefined {
  return model.tasks[number % Math.max(1, model.tasks.length)];
}
