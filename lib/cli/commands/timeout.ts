// `orchestra timeout`: limits of tasks: see them, extend one, or end a task by hand.

import { buildCommand, buildRouteMap } from "@stricli/core";
import { formatDuration } from "../../task/duration.ts";
import { OrchestraError } from "../../task/error.ts";
import { nameTasks } from "../../decide/names.ts";
import { formatTimeouts } from "../../format/lists.ts";
import { indexTasks, type Readiness } from "../../decide/dependencies.ts";
import { timeOut } from "../../queue/cancel.ts";
import { endTask } from "../../queue/end.ts";
import { extendTimeout } from "../../queue/limits.ts";
import { loadRules, noTask } from "../../queue/queue.ts";
import { viewTask } from "../../decide/view.ts";
import type { Context } from "../context.ts";
import { duration } from "../flags.ts";
import { idArgument } from "../parameters.ts";
import { look } from "../supervision.ts";

type NoFlags = Record<never, never>;

export const command = buildRouteMap({
  routes: {
    now: buildCommand({
      func: timeOutNow,
      parameters: { positional: { kind: "tuple", parameters: [idArgument] } },
      docs: { brief: "End a running task as timed out: timeout <id>" },
    }),
    list: buildCommand({
      func: listTimeouts,
      parameters: {},
      docs: { brief: "List the tasks that have a timeout" },
    }),
    extend: buildCommand({
      func: extend,
      parameters: {
        positional: {
          kind: "tuple",
          parameters: [
            idArgument,
            { brief: "how much longer: 90, 5m, 1h30m", placeholder: "time", parse: duration },
          ],
        },
      },
      docs: { brief: "Give a task more time, running or not" },
    }),
  },
  defaultCommand: "now",
  docs: { brief: "See, extend or enforce timeouts" },
});

async function timeOutNow(this: Context, _flags: NoFlags, id: string): Promise<void> {
  const queue = await this.openQueue();
  const rules = await loadRules(queue, ({ message }) => this.note(`Defaults hold: ${message}`));
  const timedOut = timeOut(queue, id, rules);
  if (timedOut === undefined) {
    const task = queue.store.read(id);
    if (task === undefined) throw noTask(queue.store, id);
    throw new OrchestraError("state", `${id} is ${task.status}: only running tasks can time out`, {
      hint: task.status === "pending" ? `Cancel it with: orchestra cancel ${id}` : undefined,
    });
  }
  await endTask(queue, id, rules, { tell: (problem) => this.note(problem) });
  if (this.globals.json) this.printJson(queue.store.read(id) ?? null);
  else this.print(`Ended ${id} as timed out`);
}

async function listTimeouts(this: Context): Promise<void> {
  const queue = await this.openQueue();
  const { tasks } = await look(queue);
  const index = indexTasks(tasks);
  const memo = new Map<string, Readiness>();
  const views = tasks.filter((task) => task.timeout !== null)
    .map((task) => viewTask(task, index, queue.now(), memo));
  if (this.globals.json) {
    this.printJson(views.map(({ task, elapsed, remaining, warning }) => ({
      taskId: task.taskId,
      status: task.status,
      failureClass: task.failureClass,
      timeout: task.timeout,
      elapsedSeconds: elapsed,
      remainingSeconds: remaining,
      warning,
    })));
    return;
  }
  if (views.length === 0) return this.print("No task has a timeout");
  this.print(formatTimeouts(views, nameTasks(tasks), this.style()));
}

async function extend(
  this: Context,
  _flags: NoFlags,
  id: string,
  seconds: number,
): Promise<void> {
  const queue = await this.openQueue();
  await look(queue);
  const { before, after } = extendTimeout(queue, id, seconds);
  if (this.globals.json) return this.printJson(after);
  const had = before.timeout === null ? "none" : formatDuration(before.timeout);
  this.print(`Timeout of ${id}: ${had} -> ${formatDuration(after.timeout!)}`);
}
