// What the evidence says of a task: pure, over every pair of state and evidence. Precedence when
// several signs are seen at once: cancelled, timeout, error, done, exit code. A terminal status is
// final: evidence that comes later changes nothing but when the processes are gone.

import type { Completion } from "../task/agent.ts";
import { isTerminal, parseTime, type Task, type TaskResult } from "../task/fields.ts";
import { branchOf } from "./branch.ts";
import type { LaunchProblem } from "./launch_plan.ts";
import { handovers } from "./retry.ts";
import { awaitsCommit } from "./worktree.ts";

/** What is known of the process that a claim launched. */
export type ShimState =
  /** The claim's pid file does not exist: the shim has not run yet, or never will. */
  | "none"
  /** The claim was fenced off: no shim will run for it. */
  | "fenced"
  | "alive"
  | "dead"
  /** Nobody has looked. */
  | "unknown";

/** What is known of a command that was ordered beside the agent's own. */
export type OrderState = "none" | "ordered" | "fenced" | "running" | "lost" | number;

/** What was found on disk and in the process table. */
export interface Evidence {
  cancelled: { reason: string | null } | null;
  timeout: { timeout: number | null; at: number | null; cause: "limit" | "idle" | "hand" } | null;
  error: { message: string; details: string | null } | null;
  done: TaskResult | null;
  /** The code, whether the command could not be started, and why not where the shim says it. */
  exit: { code: number; spawn: boolean; why?: string } | null;
  shim: ShimState;
  /**
   * The `verify` command: not begun; ordered, and its shim has not come yet; fenced off, so that it
   * never will; running; its exit code; or gone without one.
   */
  verify: OrderState;
  /** The same for what sets up its worktree. */
  setup: OrderState;
  /** When the agent last printed something, milliseconds since the epoch; null where unknown. */
  outputAt: number | null;
  /**
   * The agent's output shows that its provider refuses: a quota is used up until then, or there is no
   * money left (null).
   */
  refusal: { until: number | null; line: string } | null;
  /** The last error that the agent's own output tells, one line. */
  said: string | null;
  /** US dollars that the agent reports to have cost, where it does. */
  cost: number | null;
  /** When each sign of an end was made, milliseconds since the epoch, where its file tells. */
  at: { readonly [K in "cancelled" | "error" | "done" | "exit" | "verify" | "setup"]?: number };
}

/** Nothing known at all: a start for building evidence. */
export const NO_EVIDENCE: Evidence = {
  cancelled: null,
  timeout: null,
  error: null,
  done: null,
  exit: null,
  shim: "unknown",
  verify: "none",
  setup: "none",
  outputAt: null,
  refusal: null,
  said: null,
  cost: null,
  at: {},
};

/** What the agent's definition and the settings say about ends. */
export interface EndRules {
  completion: Completion;
  /** Whether a `verify` command must pass before a success counts. */
  verify: boolean;
  /** Milliseconds that an agent gets to end by itself once it has signalled. */
  grace: number;
  /**
   * The same for one that has succeeded: programs tell what they have consumed with their last answer,
   * which comes after the sentinel.
   */
  answerGrace: number;
  /** Milliseconds after which a claim without a shim is taken back. */
  launchGrace: number;
  /** Milliseconds that the set-up command of a worktree may take; for ever where absent. */
  setupTimeout?: number;
  /** Whether who decides may end a task whose time or budget is used up. */
  limits: boolean;
}

/** Why a task failed: the class, and what is known of it. */
export type Failure =
  /** Null: the shim does not say why; mostly there is no such program. */
  | { readonly kind: "spawn"; readonly agent: string; readonly problem: LaunchProblem | null }
  /** What its output tells of why, where it does. */
  | { readonly kind: "exit"; readonly code: number; readonly said?: string | null }
  /** In the agent's own words. */
  | {
    readonly kind: "agent-error" | "rate-limit" | "billing";
    readonly message: string;
    readonly details: string | null;
  }
  | { readonly kind: "no-signal"; readonly said?: string | null }
  /** After so many seconds; null: somebody ended it by hand. */
  | { readonly kind: "timeout"; readonly limit: number | null }
  /** After so many seconds without output. */
  | { readonly kind: "idle"; readonly limit: number }
  /** US dollars. */
  | { readonly kind: "budget"; readonly cost: number; readonly budget: number }
  /** Null: it left no exit code. */
  | { readonly kind: "verify"; readonly code: number | null }
  /** What its dependencies made on these branches cannot be merged, for these files. */
  | {
    readonly kind: "conflict";
    readonly files: readonly string[];
    readonly branches: readonly string[];
  }
  | { readonly kind: "lost" };

/** How a task ended. */
export interface Outcome {
  status: "complete" | "failed" | "cancelled";
  failure: Failure | null;
  /** Why it was cancelled, where that was said. */
  reason: string | null;
  exitCode: number | null;
  result: TaskResult | null;
  /** Milliseconds since the epoch. */
  timedOutAt: number | null;
  /** When the lane may go on, for `rate-limit`. */
  laneUntil: number | null;
  /** When what still lives of it is to be ended; null when nothing lives. */
  reapAt: number | null;
  /** When it ended, as the sign of its end tells; null where none does. */
  endedAt: number | null;
}

/** What to do about a task. */
export type Decision =
  | { kind: "keep" }
  | { kind: "settle"; outcome: Outcome }
  /** Take the claim back: create its pid file first, and if that succeeds, back to pending. */
  | { kind: "fence" }
  /** The same for a `verify` command that was ordered. */
  | { kind: "fence-verify" }
  /** The same for a set-up command that was ordered. */
  | { kind: "fence-setup" }
  /** Order the set-up command anew. */
  | { kind: "setup" }
  /** The worktree is set up: launch the agent under the same claim. */
  | { kind: "launch" }
  /** The fence stands already: back to pending. */
  | { kind: "release" }
  /** Its time is up: write the sentinel, then settle. */
  | { kind: "time-out"; idle: boolean }
  /** The clock was set back below its start: count from now on. */
  | { kind: "rebase" }
  /** It has succeeded: end what lives of it, and commit what it left in its worktree. */
  | { kind: "commit" }
  | { kind: "verify" }
  /** Settled, and what still lives is to be ended now. */
  | { kind: "end" }
  /** Settled, and nothing lives any more. */
  | { kind: "reaped" };

/** Milliseconds that a task has had: those in which the machine slept do not count. */
export function ranFor(task: Pick<Task, "startedAt" | "asleep">, now: number): number | null {
  const started = parseTime(task.startedAt);
  return started === null ? null : now - started - task.asleep * 1000;
}

/** Clocks of one machine may differ by so much, milliseconds, without having been set back. */
const CLOCK_SLACK = 1000;

const KEEP: Decision = { kind: "keep" };

/**
 * What to do about one task.
 *
 * @param task the task as stored
 * @param evidence what was found
 * @param rules how its end is known
 * @param now milliseconds since the epoch
 */
export function decide(task: Task, evidence: Evidence, rules: EndRules, now: number): Decision {
  const decision = decideTask(task, evidence, rules, now);
  if (decision.kind !== "settle" || decision.outcome.reapAt !== null) return decision;
  // Whoever ends what lives of a task puts its worktree away: that is owed, though nothing lives.
  return branchOf(task) === null
    ? decision
    : { kind: "settle", outcome: { ...decision.outcome, reapAt: now } };
}

function decideTask(task: Task, evidence: Evidence, rules: EndRules, now: number): Decision {
  if (task.status === "pending") {
    return evidence.cancelled === null ? KEEP : cancelled(evidence, null);
  }
  if (isTerminal(task.status)) return decideReap(task, evidence, rules, now);
  return decideRunning(task, evidence, rules, now);
}

function decideReap(task: Task, evidence: Evidence, rules: EndRules, now: number): Decision {
  const at = parseTime(task.reapAt);
  if (at === null) return KEEP;
  // A fulfilled task whose agent ended by itself needs nothing more. Any other may have left tools
  // behind in sessions of their own, which must not work beside its retry: those are looked for.
  // Only an exit code tells that the agent has ended: a shim that was killed leaves it behind.
  const ended = evidence.exit !== null || evidence.shim === "none" || evidence.shim === "fenced";
  const untidy = branchOf(task) !== null;
  if (ended && task.status === "complete" && !untidy) return { kind: "reaped" };
  if (ended && (task.status === "failed" || untidy)) return { kind: "end" };
  // No reap is ever set further ahead than the longer grace, unless the clock was set back since.
  const longest = Math.max(rules.grace, rules.answerGrace);
  return now >= at || at > now + longest + CLOCK_SLACK ? { kind: "end" } : KEEP;
}

function decideRunning(task: Task, evidence: Evidence, rules: EndRules, now: number): Decision {
  if (evidence.cancelled !== null) return cancelled(evidence, now);
  if (evidence.timeout !== null) return timedOut(task, evidence, now);
  if (awaitsSetup(task)) return decideSetup(task, evidence, rules, now);
  const signals = rules.completion !== "exit";
  if (signals && evidence.error !== null) {
    return fail(evidence, { kind: refusalOf(evidence) ?? "agent-error", ...evidence.error }, {
      laneUntil: laneUntil(task, evidence, now),
      reapAt: reapTime(evidence, evidence.at.error, rules.grace, now) ?? atOnce(evidence, now),
      endedAt: evidence.at.error ?? null,
    });
  }
  if (signals && evidence.done !== null) {
    const reapAt = reapTime(evidence, evidence.at.done, rules.answerGrace, now);
    return succeed(task, evidence, rules, now, { reapAt, endedAt: evidence.at.done ?? null });
  }
  if (evidence.exit !== null) return decideExit(task, evidence, rules, now);
  switch (evidence.shim) {
    case "fenced":
      return { kind: "release" };
    case "none": {
      const claimed = parseTime(task.startedAt);
      const age = claimed === null ? Infinity : now - claimed;
      // A clock that was set back makes the age negative: then it tells nothing, and a fence that
      // comes too early costs one idle process.
      return age >= rules.launchGrace || age < -CLOCK_SLACK ? { kind: "fence" } : KEEP;
    }
    case "dead":
      // Whatever it started may go on without it.
      return fail(evidence, { kind: "lost" }, { reapAt: now });
    case "unknown":
    case "alive":
      return decideLimits(task, evidence, rules, now);
  }
}

/** Whether the agent of a task that runs is launched only once its worktree is set up. */
export function awaitsSetup({ status, setupAt }: Pick<Task, "status" | "setupAt">): boolean {
  return status === "running" && setupAt !== null;
}

function decideSetup(task: Task, evidence: Evidence, rules: EndRules, now: number): Decision {
  const log = `.orchestra/logs/${task.taskId}.setup.log`;
  // The mark is there from the beginning: only where it has a code, its time is that of the end.
  const endedAt = typeof evidence.setup === "number" ? evidence.at.setup ?? null : null;
  const failed = (problem: LaunchProblem) =>
    fail(evidence, { kind: "spawn", agent: task.agent, problem }, { endedAt });
  switch (evidence.setup) {
    case "none":
    case "fenced":
      return { kind: "setup" };
    case "ordered": {
      const age = now - (parseTime(task.setupAt) ?? 0);
      return age >= rules.launchGrace || age < -CLOCK_SLACK ? { kind: "fence-setup" } : KEEP;
    }
    case "running":
      return rules.limits && now >= setupDue(task, rules)
        ? failed({ kind: "setup-timeout", limit: rules.setupTimeout! / 1000, log })
        : KEEP;
    case "lost":
      return failed({ kind: "setup", code: null, log });
    case 0:
      return { kind: "launch" };
    default:
      return failed({ kind: "setup", code: evidence.setup, log });
  }
}

/** When the set-up command has had its time; the machine's sleep does not count. */
function setupDue(task: Task, { setupTimeout = Infinity }: EndRules): number {
  return (parseTime(task.setupAt) ?? 0) + task.asleep * 1000 + setupTimeout;
}

function decideLimits(task: Task, evidence: Evidence, rules: EndRules, now: number): Decision {
  const ran = ranFor(task, now);
  if (ran === null || !rules.limits) return KEEP;
  if (ran < -CLOCK_SLACK) return { kind: "rebase" };
  if (task.timeout !== null && ran >= task.timeout * 1000) {
    return { kind: "time-out", idle: false };
  }
  if (task.idleTimeout !== null && now >= idleDue(task, evidence, parseTime(task.startedAt)!)) {
    return { kind: "time-out", idle: true };
  }
  const { budget } = task;
  const { cost } = evidence;
  if (budget !== null && cost !== null && cost > budget) {
    return fail(evidence, { kind: "budget", cost, budget }, { reapAt: now });
  }
  return KEEP;
}

/** When a silent task has been so for too long; milliseconds since the epoch. */
function idleDue(task: Task, evidence: Evidence, started: number): number {
  const last = Math.max(started, evidence.outputAt ?? started);
  // How much of its sleep came after the last output nobody knows: in doubt, all of it.
  const asleep = last < (parseTime(task.wokeAt) ?? 0) ? task.asleep * 1000 : 0;
  return last + asleep + task.idleTimeout! * 1000;
}

function decideExit(task: Task, evidence: Evidence, rules: EndRules, now: number): Decision {
  const { code, spawn, why } = evidence.exit!;
  const endedAt = evidence.at.exit ?? null;
  if (spawn) {
    const problem = why === undefined ? null : { kind: "refused", message: why } as const;
    return fail(evidence, { kind: "spawn", agent: task.agent, problem }, { endedAt });
  }
  const end = { endedAt, reapAt: atOnce(evidence, now) };
  // An agent that succeeded may well have printed what it read about quotas.
  const kind = refusalOf(evidence);
  if (kind !== undefined && (code !== 0 || rules.completion === "sentinel")) {
    const failure = { kind, message: evidence.refusal!.line, details: null };
    return fail(evidence, failure, { ...end, laneUntil: laneUntil(task, evidence, now) });
  }
  const { said } = evidence;
  if (code !== 0) return fail(evidence, { kind: "exit", code, said }, end);
  if (rules.completion === "sentinel") return fail(evidence, { kind: "no-signal", said }, end);
  return succeed(task, evidence, rules, now, { reapAt: null, endedAt });
}

/** The class of a failure in which the agent's provider has refused; undefined where it has not. */
function refusalOf({ refusal }: Evidence): "rate-limit" | "billing" | undefined {
  if (refusal === null) return undefined;
  return refusal.until === null ? "billing" : "rate-limit";
}

/** The first pause of a task that was handed on already, and the longest that grows of it, milliseconds. */
const PAUSE = 60_000;
const LONGEST_PAUSE = 3_600_000;

/**
 * Until when an agent launches nothing: as its provider says, but each time that a task is handed on its
 * pause is at least twice as long, so that nobody asks for ever what is refused for ever.
 */
function laneUntil(task: Task, { refusal }: Evidence, now: number): number | null {
  if (refusal === null || refusal.until === null) return null;
  const before = handovers(task);
  const least = before === 0 ? 0 : Math.min(PAUSE * 2 ** (before - 1), LONGEST_PAUSE);
  return Math.max(refusal.until, now + least);
}

function succeed(
  task: Task,
  evidence: Evidence,
  rules: EndRules,
  now: number,
  end: Pick<Outcome, "reapAt" | "endedAt">,
): Decision {
  if (awaitsCommit(task)) {
    const due = commitDue(evidence, rules);
    return now < due && due <= now + rules.answerGrace + CLOCK_SLACK ? KEEP : { kind: "commit" };
  }
  if (!rules.verify) return settle("complete", evidence, { result: evidence.done, ...end });
  switch (evidence.verify) {
    case "none":
    case "fenced":
      return { kind: "verify" };
    case "ordered": {
      const ordered = parseTime(task.verifyAt) ?? 0;
      const age = now - ordered;
      return age >= rules.launchGrace || age < -CLOCK_SLACK ? { kind: "fence-verify" } : KEEP;
    }
    case "running":
      return decideLimits(task, evidence, rules, now);
  }
  const endedAt = evidence.at.verify ?? end.endedAt;
  if (evidence.verify === 0) {
    return settle("complete", evidence, { result: evidence.done, ...end, endedAt });
  }
  const code = evidence.verify === "lost" ? null : evidence.verify;
  const reapAt = end.reapAt ?? atOnce(evidence, now);
  return fail(evidence, { kind: "verify", code }, { reapAt, endedAt });
}

/**
 * When what an agent left is committed: once it has ended, and it has the time for that which it would have
 * without. A time that a clock tells which was set back since is not waited for.
 */
function commitDue(evidence: Evidence, { answerGrace }: EndRules): number {
  return lives(evidence) ? (evidence.at.done ?? -Infinity) + answerGrace : -Infinity;
}

function fail(evidence: Evidence, failure: Failure, rest: Partial<Outcome>): Decision {
  return settle("failed", evidence, { failure, ...rest });
}

function settle(
  status: Outcome["status"],
  evidence: Evidence,
  rest: Partial<Outcome>,
): Decision {
  return {
    kind: "settle",
    outcome: {
      status,
      failure: null,
      reason: null,
      exitCode: evidence.exit?.code ?? null,
      result: null,
      timedOutAt: null,
      laneUntil: null,
      reapAt: null,
      endedAt: null,
      ...rest,
    },
  };
}

/** Whether something of the task may still run, as far as the evidence goes. */
function lives(evidence: Evidence): boolean {
  return evidence.exit === null && wasLaunched(evidence);
}

/** Whether a shim ran for the claim, or may have: what it launched may live. */
function wasLaunched({ shim }: Evidence): boolean {
  return shim !== "none" && shim !== "fenced";
}

/** What a failed agent has left behind is ended at once; null where it never began. */
function atOnce(evidence: Evidence, now: number): number | null {
  return wasLaunched(evidence) ? now : null;
}

/** When an agent that has signalled is ended, where it does not end by itself; null where it has. */
function reapTime(
  evidence: Evidence,
  signalledAt: number | undefined,
  grace: number,
  now: number,
): number | null {
  return lives(evidence) ? Math.min(now, signalledAt ?? now) + grace : null;
}

function cancelled(evidence: Evidence, reapAt: number | null): Decision {
  return settle("cancelled", evidence, {
    reason: evidence.cancelled?.reason ?? null,
    reapAt: wasLaunched(evidence) ? reapAt : null,
    endedAt: evidence.at.cancelled ?? null,
  });
}

function timedOut(task: Task, evidence: Evidence, now: number): Decision {
  const { timeout, at, cause } = evidence.timeout!;
  const failure: Failure = cause === "idle"
    ? { kind: "idle", limit: task.idleTimeout ?? 0 }
    : { kind: "timeout", limit: cause === "hand" ? null : timeout ?? task.timeout };
  return fail(evidence, failure, {
    timedOutAt: at ?? now,
    reapAt: wasLaunched(evidence) ? now : null,
    endedAt: at,
  });
}

/**
 * When something about a task falls due by the clock alone: its timeout, its idle limit, its reap,
 * the taking back of a claim. Null when only an event can change it.
 *
 * @returns milliseconds since the epoch
 */
export function nextDue(task: Task, evidence: Evidence, rules: EndRules): number | null {
  const reap = parseTime(task.reapAt);
  if (isTerminal(task.status)) return reap;
  if (task.status !== "running") return null;
  const started = parseTime(task.startedAt);
  if (started === null) return null;
  if (awaitsSetup(task)) {
    if (evidence.setup === "ordered") return parseTime(task.setupAt)! + rules.launchGrace;
    const due = setupDue(task, rules);
    return evidence.setup === "running" && rules.limits && due < Infinity ? due : null;
  }
  const signalled = rules.completion !== "exit" &&
    (evidence.done !== null || evidence.error !== null);
  // A claim whose launch has not come yet falls under no limit but its own.
  if (evidence.shim === "none" && evidence.exit === null && !signalled) {
    return started + rules.launchGrace;
  }
  if (evidence.done !== null && signalled && awaitsCommit(task)) {
    return evidence.error === null && lives(evidence) ? commitDue(evidence, rules) : null;
  }
  if (rules.verify && evidence.verify === "ordered") {
    return (parseTime(task.verifyAt) ?? 0) + rules.launchGrace;
  }
  if (!rules.limits) return null;
  const times: number[] = [];
  if (task.timeout !== null) times.push(started + (task.asleep + task.timeout) * 1000);
  if (task.idleTimeout !== null) times.push(idleDue(task, evidence, started));
  return times.length === 0 ? null : Math.min(...times);
}
