// One task, looked at closely: its evidence is read, what it asks for is decided and done, again and
// again until it asks for nothing more. Inside the lock, so that nobody else does it at the same time;
// killed between two writes, the next look finds what is left to do.

import { decide, type Decision } from "../decide/reconcile.ts";
import { endRulesOf } from "../decide/turn.ts";
import { type Claimed, type LaunchedTask, launchSetUp } from "./claim.ts";
import { FENCE } from "../launch/launcher.ts";
import { formatTime, isAtRest, type Task } from "../task/fields.ts";
import { type Aliveness, type Observation, observe } from "./observe.ts";
import { definitionOf, type Queue, type Rules } from "./queue.ts";
import { giveSlotBack, markReaped, settle } from "./settle.ts";
import { orderSetup, setupOf } from "./setup.ts";
import { orderVerify } from "./verify.ts";

/** What a step found and did. */
export interface Stepped {
  /** The task as it is now; undefined where it is gone. */
  task: Task | undefined;
  /** What was last seen of it, for what falls due next. */
  observation: Observation | undefined;
  /** What still lives of it should be ended now, outside the lock. */
  end: boolean;
  /** What it left in its worktree should be committed now, outside the lock. */
  commit: boolean;
  /** What was launched: the agent, or what sets up its worktree. */
  launched?: LaunchedTask;
  /** That, or its `verify` command, is due, and was left to whoever watches. */
  due: boolean;
}

/** What a step may do beside settling what has ended. */
export interface May {
  /** End what has used up its time or its budget. */
  readonly limits: boolean;
  /** Commit what has been done, and start `verify` commands. */
  readonly verify: boolean;
}

/** What whoever watches may do. */
export const EVERYTHING: May = { limits: true, verify: true };
/** What a command may do that only shows: the rest is left to whoever watches. */
export const NOTHING_MORE: May = { limits: false, verify: false };

/** Most changes that one task can go through in a step. */
const MOST_TURNS = 6;

/**
 * Looks at a task and does what the evidence asks for.
 *
 * @param aliveness what is known of processes, asked before
 */
export function step(
  queue: Queue,
  id: string,
  rules: Rules,
  aliveness: Aliveness,
  may: May,
): Stepped {
  const { store } = queue;
  const { trace } = store;
  return store.locked(() => {
    const result: Stepped = {
      task: undefined,
      observation: undefined,
      end: false,
      commit: false,
      due: false,
    };
    for (let round = 0; round < MOST_TURNS; round++) {
      const task = store.read(id);
      result.task = task;
      if (task === undefined) return result;
      // One moment for the decision and what is written of it.
      const now = queue.now();
      const agent = definitionOf(rules, task.agent);
      const observation = observe(store, task, queue.launchers, agent, aliveness, now);
      result.observation = observation;
      const end = endRulesOf(task, rules, may.limits);
      const decision = decide(task, observation.evidence, end, now);
      trace("decided", { id, what: decision.kind, shim: observation.evidence.shim });
      if (decision.kind === "keep") {
        result.task = withPid(queue, task, observation);
        return result;
      }
      if (decision.kind === "end") {
        result.end = true;
        return result;
      }
      if (decision.kind === "launch" || decision.kind === "setup") {
        if (!may.verify) {
          result.due = true;
          return result;
        }
        const claimed = goOn(queue, task, decision.kind, rules);
        result.task = claimed.task;
        result.launched = claimed.launched;
        if (claimed.task.status === "running" || isAtRest(claimed.task)) return result;
        continue;
      }
      if (decision.kind === "commit" || (decision.kind === "verify" && !may.verify)) {
        result.due = !may.verify;
        result.commit = may.verify;
        return result;
      }
      const after = apply(queue, task, decision, observation, rules, now);
      // Another look finds what it led to.
      if (after === undefined) continue;
      result.task = after;
      // Nothing more can come of it.
      if (after.status === "running" || isAtRest(after)) {
        return result;
      }
      if (after.status === "cancelled") {
        // Another look would find nothing else.
        result.end = after.reapAt !== null;
        return result;
      }
    }
    return result;
  });
}

/** The worktree is set up, or is to be: the agent is launched, or what sets it up once more. */
function goOn(queue: Queue, task: Task, kind: "launch" | "setup", rules: Rules): Claimed {
  const setup = kind === "setup" ? setupOf(queue, task, rules) : null;
  return setup === null ? launchSetUp(queue, task, rules) : orderSetup(queue, task, setup, rules);
}

/** Whoever launched it died before the number of its process was known. */
function withPid({ store }: Queue, task: Task, { shim }: Observation): Task {
  if (task.status !== "running" || task.pid !== null || shim?.pid == null) return task;
  const known = { ...task, pid: shim.pid };
  store.write(known);
  return known;
}

/** Does what was decided. Undefined: look again, for a mark changed, or when the task began. */
function apply(
  queue: Queue,
  task: Task,
  decision: Exclude<Decision, { kind: "keep" | "end" | "commit" | "launch" | "setup" }>,
  observation: Observation,
  rules: Rules,
  now: number,
): Task | undefined {
  const { store } = queue;
  const id = task.taskId;
  switch (decision.kind) {
    case "fence":
      // Whoever creates the file first wins: the shim, and the task runs, or we, and it never will.
      store.createMark(id, `${task.claim}.pid`, FENCE);
      return undefined;
    case "fence-verify":
      store.createMark(id, `verify.${task.verifyClaim}.pid`, FENCE);
      return undefined;
    case "fence-setup":
      store.createMark(id, `setup.${task.setupClaim}.pid`, FENCE);
      return undefined;
    case "release": {
      const released = save(queue, { ...task, status: "pending", startedAt: null, pid: null });
      giveSlotBack(queue, released, rules);
      return released;
    }
    case "time-out":
      store.writeHint(
        id,
        "timeout",
        JSON.stringify({
          timeout: decision.idle ? task.idleTimeout : task.timeout,
          timestamp: formatTime(now),
          ...(decision.idle ? { idle: true } : {}),
        }) + "\n",
      );
      return undefined;
    case "rebase":
      save(queue, { ...task, startedAt: formatTime(now), asleep: 0, wokeAt: null });
      return undefined;
    case "verify":
      return orderVerify(queue, task, rules, now);
    case "reaped":
      return markReaped(queue, task, observation, rules);
    case "settle": {
      // A claim whose shim has not come yet must never come after the task is settled.
      if (
        task.status === "running" && observation.evidence.shim === "none" &&
        !store.createMark(id, `${task.claim}.pid`, FENCE)
      ) {
        return undefined;
      }
      // The same for what was to set up its worktree.
      if (
        observation.evidence.setup === "ordered" &&
        !store.createMark(id, `setup.${task.setupClaim}.pid`, FENCE)
      ) {
        return undefined;
      }
      return settle(queue, task, decision.outcome, observation, rules, now);
    }
  }
}

function save({ store }: Queue, task: Task): Task {
  store.write(task);
  return task;
}
