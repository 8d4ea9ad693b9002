// Queues what follows failed tasks. The successor is created first, then the failed task names it: killed
// in between, whoever looks next finds a successor that nobody names, and names it.

import { compareIds } from "../decide/schedule.ts";
import { retryOf, type TaskIndex } from "../decide/dependencies.ts";
import { isFollowed, type RetryOptions, successorOf } from "../decide/retry.ts";
import { resumeProblemOf } from "../decide/session.ts";
import { openFallback } from "../decide/turn.ts";
import type { PausedLane } from "../decide/view.ts";
import { type Agents, AGENTS_FILE } from "../task/agent.ts";
import { OrchestraError } from "../task/error.ts";
import { formatTime, parseTime, type Task } from "../task/fields.ts";
import { taskNumber } from "../task/id.ts";
import { orderCancel } from "./cancel.ts";
import { activeIds } from "./names.ts";
import { writePlan } from "./plan.ts";
import { isRetried, type Queue, type Rules } from "./queue.ts";

/** What is to follow a task. */
export interface Wanted {
  readonly id: string;
  readonly options?: RetryOptions;
  /** Only if it is still followed by itself: somebody may have ordered otherwise since it was read. */
  readonly byItself?: boolean;
}

/** What came of it: the task that names its successor, and the successor where we made it. */
export interface Retried {
  readonly task: Task;
  readonly successor?: Task;
}

/**
 * Queues the retries of failed or cancelled tasks. Those that have one, or are neither, are passed over.
 *
 * @param known all tasks as far as they were read: what has come since is looked for
 * @param onRetried told of each at once
 * @param onProblem told where the system refuses one; the others go on
 */
export function retry(
  queue: Queue,
  wanted: readonly Wanted[],
  known: TaskIndex,
  onRetried: (retried: Retried) => void,
  onProblem: (id: string, error: unknown) => void = (_id, error) => {
    throw error;
  },
): void {
  let successors: (id: string) => readonly string[];
  queue.store.lockedEach(wanted, (one) => {
    const { id } = one;
    try {
      const retried = retryOne(queue, one, successors);
      if (retried !== undefined) onRetried(retried);
    } catch (error) {
      onProblem(id, error);
    }
  }, () => successors = findSuccessors(queue, known));
}

function retryOne(
  queue: Queue,
  { id, options = {}, byItself = false }: Wanted,
  successors: (id: string) => readonly string[],
): Retried | undefined {
  const { store } = queue;
  const task = store.read(id);
  if (task === undefined || isRetried(store, task)) return undefined;
  if (task.status !== "failed" && task.status !== "cancelled") return undefined;
  const now = queue.now();
  const name = (successor: string): Task => {
    const named = { ...task, retriedBy: successor, retriedAt: formatTime(now), retryAt: null };
    store.write(named);
    return named;
  };
  // Whoever queued it died before it could be named here.
  const [earlier, ...others] = successors(id);
  if (earlier !== undefined) {
    for (const other of others) withdraw(queue, other, earlier);
    return { task: name(earlier) };
  }
  if (byItself && !isFollowed(task)) return undefined;
  const successor = store.create(
    (fresh) => successorOf(task, fresh, options, now),
    taskNumber(now, queue.random()),
  );
  writePlan(queue, successor);
  return { task: name(successor.taskId), successor };
}

/** One retry is enough: another that has not begun is cancelled. */
function withdraw(queue: Queue, id: string, other: string): void {
  if (queue.store.read(id)?.status === "pending") orderCancel(queue, id, `${other} is the retry`);
}

/**
 * Why a task cannot be retried by hand; undefined where it can.
 *
 * @param most retries that are allowed, where they are not the task's own
 */
export function retryProblem(
  { store }: Queue,
  task: Task,
  most: number = task.maxRetries,
): OrchestraError | undefined {
  const { taskId: id, status, retriedBy, retryCount } = task;
  if (isRetried(store, task)) {
    return new OrchestraError("state", `${id} was retried already, by ${retriedBy}`, {
      hint: `Retry that one instead: orchestra retry ${retriedBy}`,
    });
  }
  if (status !== "failed" && status !== "cancelled") {
    return new OrchestraError("state", `${id} is ${status}: only failed tasks are retried`, {
      hint: status === "complete"
        ? "To do the work once more, queue it again with: orchestra start"
        : `End it first with: orchestra cancel ${id}`,
    });
  }
  if (retryCount + 1 > most) {
    return new OrchestraError("state", `${id} has used up its retries (${retryCount} of ${most})`, {
      hint: `Allow more: orchestra retry ${id} --max-retries ${retryCount + 1}`,
    });
  }
  return undefined;
}

/** Why no retry can go on in the session of a task that can be retried; undefined where one can. */
export function resumeProblem(task: Task, agents: Agents): OrchestraError | undefined {
  const { taskId: id, agent } = task;
  const found = resumeProblemOf(task, agents);
  const fresh = `To begin anew: orchestra retry ${id}`;
  const refused = (what: string, hint: string) =>
    new OrchestraError("state", `${id} cannot be resumed: ${what}`, { hint });
  switch (found?.kind) {
    case undefined:
      return undefined;
    case "lives":
      return refused("its processes still run", "Have them ended with: orchestra run");
    case "no-session":
      return refused("no session of its agent is known", fresh);
    case "no-resume":
      return refused(
        `the agent ${agent} does not say how it goes on in a session`,
        `Add "resume" to its definition in ${AGENTS_FILE}. ${fresh}`,
      );
    case "no-agent":
      return refused(found.problem, "See them with: orchestra agents");
  }
}

/** The error for who came too late. */
export function retriedMeanwhile(id: string): OrchestraError {
  return new OrchestraError("state", `${id} was retried by somebody else just now`, {
    hint: "See it with: orchestra status",
  });
}

/** Finds the successors of a task, youngest first, also among what has come since the tasks were read. */
function findSuccessors(
  { store }: Queue,
  { byId, successors }: TaskIndex,
): (id: string) => readonly string[] {
  const fresh = new Map<string, string[]>();
  for (const id of activeIds(store)) {
    if (byId.has(id)) continue;
    try {
      const task = store.read(id);
      const earlier = task === undefined ? null : retryOf(task);
      if (earlier !== null) fresh.set(earlier, [...fresh.get(earlier) ?? [], id]);
    } catch {
      // A damaged file is nobody's successor.
    }
  }
  return (id) => {
    const known = (successors.get(id) ?? []).map(({ taskId }) => taskId)
      .filter((successor) => store.has(successor));
    return [...known, ...fresh.get(id) ?? []].sort(compareIds).reverse();
  };
}

/**
 * What follows a failed task by itself: its retry, or where its agent has used up its quota one that
 * uses up no retry and waits for the lane, or goes to the first fallback whose own lane is open.
 *
 * @param lanes those that are paused
 */
export function followUp(
  task: Task,
  rules: Rules,
  lanes: ReadonlyMap<string, PausedLane>,
  now: number,
): Wanted {
  const id = task.taskId;
  const byItself = true;
  if (task.failureClass !== "rate-limit") return { id, byItself, options: { autoRetry: true } };
  const fallback = openFallback(task, lanes, rules.agents);
  return {
    id,
    byItself,
    options: {
      free: true,
      autoRetry: task.autoRetry,
      ...(fallback === undefined
        ? { notBefore: parseTime(task.laneUntil) ?? now }
        : { agent: fallback }),
    },
  };
}
