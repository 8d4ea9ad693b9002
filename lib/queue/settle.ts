// A task gets its final status, and later, when nothing of it lives any more, the last that its agent
// said. What belongs to the launch is removed only after the task's own file tells what it told. Killed
// in between, it stays and decides nothing: it goes with the task, to the archive or for good.

import type { Outcome } from "../decide/reconcile.ts";
import { handovers, mayRetry, retryDelay } from "../decide/retry.ts";
import { FENCE } from "../launch/launcher.ts";
import type { Store } from "../store/tasks.ts";
import type { UsageFormat } from "../task/agent.ts";
import { formatTime, parseTime, type Task, type Usage } from "../task/fields.ts";
import { keepPause, releaseSlot } from "../workspaces/slots.ts";
import { failureFields } from "../text/failure.ts";
import { type Observation, readUsage } from "./observe.ts";
import { definitionOf, type Queue, type Rules } from "./queue.ts";

/**
 * Writes how a task ended; inside the lock.
 *
 * @param now milliseconds since the epoch, those of the decision
 */
export function settle(
  queue: Queue,
  task: Task,
  outcome: Outcome,
  { shim }: Pick<Observation, "shim">,
  rules: Rules,
  now: number,
): Task {
  const { store } = queue;
  const settled: Task = {
    ...task,
    status: outcome.status,
    completedAt: formatTime(endOf(task, outcome, now)),
    timedOutAt: outcome.timedOutAt === null ? null : formatTime(outcome.timedOutAt),
    pid: shim?.pid ?? task.pid,
    exitCode: outcome.exitCode,
    ...failureFields(outcome),
    result: outcome.result !== null && Object.keys(outcome.result).length > 0
      ? outcome.result
      : null,
    reapAt: outcome.reapAt === null ? null : formatTime(outcome.reapAt),
    laneUntil: outcome.laneUntil === null ? null : formatTime(outcome.laneUntil),
    retryAt: retryTime(queue, task, outcome, rules, now),
  };
  const agent = definitionOf(rules, task.agent);
  if (agent?.usage !== undefined && task.claim > 0) {
    settled.usage = usageOf(store, task, agent.usage);
  }
  // Before it is settled: killed in between, it is settled again, and the pause is the same.
  if (outcome.laneUntil !== null && agent?.provider !== undefined) {
    const { provider } = agent;
    keepPause({ provider, agent: task.agent, until: outcome.laneUntil }, now);
  }
  store.write(settled);
  if (settled.reapAt === null) {
    removeLaunchMarks(queue, settled);
    giveSlotBack(queue, settled, rules);
  }
  return settled;
}

/** Nothing of a claim lives, or it was never made: others may launch. */
export function giveSlotBack({ store }: Queue, task: Task, { limits }: Rules): void {
  if (limits === null || task.claim === 0) return;
  releaseSlot({ root: store.root, task: task.taskId, claim: task.claim });
}

/** What its log says, and what was known without it. */
function usageOf(store: Store, task: Task, format: UsageFormat): Usage | null {
  const read = readUsage(store, task, format);
  return read === null ? task.usage : { ...task.usage, ...read };
}

/** When it ended: as the sign of its end tells, within what the clock and its start allow. */
function endOf(task: Task, { endedAt }: Outcome, now: number): number {
  if (endedAt === null) return now;
  const first = parseTime(task.startedAt) ?? parseTime(task.createdAt) ?? now;
  return Math.min(now, Math.max(first, endedAt));
}

/** When a failed task is due to be tried again; null where it is not. */
function retryTime(
  queue: Queue,
  task: Task,
  { failure }: Outcome,
  rules: Rules,
  now: number,
): string | null {
  if (failure === null) return null;
  const { retry } = rules.config;
  // What waits for a quota uses up no retry, and its successor waits for the lane.
  if (failure.kind === "rate-limit") {
    return handovers(task) < retry.handovers ? formatTime(now) : null;
  }
  const policy = { ...retry, on: definitionOf(rules, task.agent)?.retryOn ?? retry.on };
  if (!mayRetry(task, failure.kind, policy)) return null;
  return formatTime(now + retryDelay(task.retryCount, policy, queue.random()) * 1000);
}

/** Nothing of a settled task lives any more; inside the lock. */
export function markReaped(
  queue: Queue,
  task: Task,
  { evidence }: Pick<Observation, "evidence">,
  rules: Rules,
): Task {
  const { store } = queue;
  const agent = definitionOf(rules, task.agent);
  const reaped: Task = {
    ...task,
    reapAt: null,
    exitCode: task.exitCode ?? evidence.exit?.code ?? null,
    usage: agent?.usage === undefined ? task.usage : usageOf(store, task, agent.usage),
    // The sentinel was empty when it was first seen, and filled just after.
    result: task.status === "complete" && task.result === null && evidence.done !== null &&
        Object.keys(evidence.done).length > 0
      ? evidence.done
      : task.result,
  };
  store.write(reaped);
  removeLaunchMarks(queue, reaped);
  giveSlotBack(queue, reaped, rules);
  return reaped;
}

/**
 * The marks of a launch that has ended are of no more use: the task tells what they told. A fence
 * stays, for its shim may still be on its way.
 */
function removeLaunchMarks({ store }: Queue, task: Task): void {
  const { taskId: id } = task;
  try {
    store.removeMark(id, "exitcode");
    const pids = [`${task.claim}.pid`];
    if (task.verifyAt !== null) {
      store.removeMark(id, "verifycode");
      pids.push(`verify.${task.verifyClaim}.pid`);
    }
    if (task.setupClaim > 0 || task.resumes !== null) store.removeMark(id, "setupcode");
    if (task.setupClaim > 0) pids.push(`setup.${task.setupClaim}.pid`);
    for (const mark of pids) {
      const content = store.readMark(id, mark);
      if (content !== undefined && content.text !== FENCE) store.removeMark(id, mark);
    }
    // It holds the prompt, and a shim that was killed has not removed it.
    if (Deno.build.os === "windows") {
      for (const mark of pids) store.removeMark(id, `${mark}.cmd`);
    }
  } catch {
    // What cannot be removed (a folder, planted) decides nothing: the task is settled.
  }
}
