// One turn of the queue: from all tasks and the clock to what is to be done now, and when to look
// again. Everybody who brings a queue forward asks this and does what it says: a command once, whoever
// watches again and again. Pure.

import { type Agents, pickAgent } from "../task/agent.ts";
import { isTerminal, parseTime, type Task } from "../task/fields.ts";
import type { Model } from "./model.ts";
import { apartFrom, type OverlapRule } from "./overlap.ts";
import { type EndRules, nextDue, NO_EVIDENCE } from "./reconcile.ts";
import { followDue, QUEUED_FOR, type RetryPolicy } from "./retry.ts";
import { type Held, NOTHING_SHARED, type Shared, sharedRoom, withPauses } from "./room.ts";
import { heldUntil, pickNext } from "./schedule.ts";
import type { PausedLane } from "./view.ts";
import { lacksWorktree } from "./worktree.ts";
import { believedTime } from "./waits.ts";

/** What whoever asks is to bring about. */
export interface Orders {
  /** What is launched: nothing, only what the queue itself made as retries, or all that is ready. */
  readonly launch: "nothing" | "retries" | "all";
  /** Most tasks at once; or how many more than run already. */
  readonly parallel: number | { readonly more: number };
  /** Whether due retries are queued. */
  readonly retry: boolean;
  /** Whether tasks are ended whose time or budget is used up. */
  readonly limits: boolean;
  /** What holds across workspaces; nothing where absent. */
  readonly shared?: Shared;
}

/** What of the settings and the agents a turn depends on. */
export interface TurnRules {
  readonly agents: Agents;
  readonly config: {
    readonly grace_period: number;
    readonly answer_grace: number;
    readonly retry: RetryPolicy;
    readonly overlap?: OverlapRule;
    readonly worktrees?: { readonly setup_timeout: number };
    readonly worktree?: boolean;
  };
  /** Milliseconds after which a claim without a shim is taken back; {@linkcode LAUNCH_GRACE} where absent. */
  readonly launchGrace?: number;
}

/** What is to be done now. All of it is checked again by whoever does it, inside the lock. */
export interface Turn {
  /** Look closely at these, and do what the evidence asks for. */
  readonly step: readonly string[];
  /** Queue what follows these. */
  readonly retry: readonly string[];
  /** Give these to another agent, for theirs is paused. */
  readonly handOn: readonly HandedOn[];
  /** Make worktrees for these, outside the lock: what they are for is launched after that. */
  readonly make: readonly string[];
  /** Claim and launch these, in this order. */
  readonly launch: readonly string[];
  /** The timeout of these is nearer than they want to be warned of. */
  readonly warn: readonly string[];
  /** When the clock alone brings something about, milliseconds since the epoch; null for never. */
  readonly at: number | null;
  /** Why what is ready is not launched though its time has come; null where nothing is held so. */
  readonly held: Held | null;
  /** What is left, once all of this is done. */
  readonly left: Left;
}

/** A task that another agent takes over. */
export interface HandedOn {
  readonly id: string;
  /** The agent that it waits for. */
  readonly from: string;
  readonly to: string;
  /** Until when that one is paused, milliseconds since the epoch. */
  readonly until: number;
}

/** What is left to do in a queue for who has these orders. */
export type Left =
  /** Something runs, or must be ended. */
  | "running"
  /** Something will be done when its time comes. */
  | "due"
  /** Something may be launched. */
  | "ready"
  | "nothing";

/** What cannot be done for now, or need not be done again. */
export interface Hold {
  /** Tasks whose processes are being ended, or whose work is being committed. */
  readonly ending: ReadonlySet<string>;
  /** Tasks for which a worktree is being made: each has its place among those that run. */
  readonly making: ReadonlySet<string>;
  /** Tasks with which the system refuses to go on. */
  readonly refused: ReadonlySet<string>;
  /** It refuses every launch. */
  readonly launching: boolean;
  /** Tasks of which was warned already. */
  readonly warned: ReadonlySet<string>;
}

/** Nothing is held. */
export const NO_HOLD: Hold = {
  ending: new Set(),
  making: new Set(),
  refused: new Set(),
  launching: false,
  warned: new Set(),
};

/** Milliseconds after which a claim without a shim is taken back, where nothing else is said. */
export const LAUNCH_GRACE = 2000;

/** How the end of a task is known, by its agent and the settings. */
export function endRulesOf(task: Task, rules: TurnRules, limits: boolean): EndRules {
  const found = pickAgent(rules.agents, task.agent);
  const agent = "problem" in found ? null : found;
  const { grace_period, answer_grace, worktrees } = rules.config;
  return {
    completion: agent?.completion ?? "sentinel",
    verify: task.verify !== null || agent?.verify !== undefined,
    grace: grace_period * 1000,
    answerGrace: 1000 *
      (agent?.usage === undefined ? grace_period : Math.max(grace_period, answer_grace)),
    launchGrace: rules.launchGrace ?? LAUNCH_GRACE,
    setupTimeout: worktrees === undefined ? undefined : worktrees.setup_timeout * 1000,
    limits,
  };
}

/** Most that may run at once of each agent that has such a limit. */
function agentLimits(agents: Agents): Map<string, number> {
  const limits = new Map<string, number>();
  for (const [name, agent] of agents) {
    if (!("problem" in agent) && agent.maxConcurrent !== undefined) {
      limits.set(name, agent.maxConcurrent);
    }
  }
  return limits;
}

/** Earliest of some times; null is never. */
function earliest(a: number | null, b: number | null): number | null {
  return a === null ? b : b === null ? a : Math.min(a, b);
}

/**
 * Decides a turn.
 *
 * @param model all tasks
 * @param orders what is to be brought about
 * @param rules settings and agents
 * @param now milliseconds since the epoch
 * @param hold what cannot be done for now
 */
export function turn(
  model: Model,
  orders: Orders,
  rules: TurnRules,
  now: number,
  hold: Hold = NO_HOLD,
): Turn {
  const isHeld = (id: string) => hold.ending.has(id) || hold.refused.has(id);
  const step: string[] = [];
  const retry: string[] = [];
  let at: number | null = null;
  for (const id of model.touched) {
    if (model.index.byId.has(id) && !isHeld(id)) step.push(id);
  }
  for (const group of [model.running, model.reaping]) {
    for (const [id, task] of group) {
      if (isHeld(id) || model.touched.has(id)) continue;
      const due = dueTime(model, task, rules, orders.limits);
      if (due !== null && due <= now) step.push(id);
      else at = earliest(at, due);
    }
  }
  for (const [id, task] of orders.retry ? model.followed : []) {
    const due = followDue(task, model.index, rules.config.retry);
    if (due === null || hold.refused.has(id)) continue;
    // What lives of it would work beside its successor. That it has ended brings the next turn; one that
    // is there already is only given its name.
    if (task.reapAt !== null && !model.index.successors.has(id)) continue;
    if (believedTime(due, now) <= now) retry.push(id);
    else at = earliest(at, due);
  }
  const { warn, next } = warnings(model, hold.warned, now);
  const ready = readiness(model, orders, rules, hold, now);
  return {
    step,
    retry,
    handOn: ready.handOn,
    make: ready.make,
    launch: ready.launch,
    warn,
    at: earliest(earliest(at, next), ready.at),
    held: ready.held,
    left: model.running.size > 0 || model.reaping.size > 0
      ? "running"
      : isDue(model, rules)
      ? "due"
      : ready.left,
  };
}

/** When the clock alone changes something about a task that runs or must be ended. */
function dueTime(model: Model, task: Task, rules: TurnRules, limits: boolean): number | null {
  if (isTerminal(task.status)) return parseTime(task.reapAt);
  const evidence = model.evidence.get(task.taskId);
  const due = nextDue(task, evidence ?? NO_EVIDENCE, endRulesOf(task, rules, limits));
  if (evidence !== undefined) return due;
  // Nobody has looked yet: most have ended before it is worth it.
  return earliest(due, (parseTime(task.startedAt) ?? 0) + (rules.launchGrace ?? LAUNCH_GRACE));
}

/** Whether a retry follows some task by itself, now or later. */
function isDue(model: Model, rules: TurnRules): boolean {
  for (const task of model.followed.values()) {
    if (followDue(task, model.index, rules.config.retry) !== null) return true;
  }
  return false;
}

function warnings(
  model: Model,
  warned: ReadonlySet<string>,
  now: number,
): { warn: string[]; next: number | null } {
  const warn: string[] = [];
  let next: number | null = null;
  for (const [id, task] of model.running) {
    const started = parseTime(task.startedAt);
    if (started === null || task.timeout === null || task.timeoutWarning === null) continue;
    if (warned.has(id)) continue;
    const at = started + (task.asleep + task.timeout - task.timeoutWarning) * 1000;
    if (at <= now) warn.push(id);
    else next = earliest(next, at);
  }
  return { warn, next };
}

/** What of the pending tasks is launched now, and what later. */
function readiness(
  model: Model,
  orders: Orders,
  rules: TurnRules,
  hold: Hold,
  now: number,
): Pick<Turn, "make" | "launch" | "handOn" | "at" | "held" | "left"> {
  if (orders.launch === "nothing") {
    return { make: [], launch: [], handOn: [], at: null, held: null, left: "nothing" };
  }
  const refused = hold.launching;
  const { shared = NOTHING_SHARED } = orders;
  const lanes = withPauses(model.lanes(now), shared, now);
  const atWork = [...model.running.values(), ...model.reaping.values()];
  const room = apartFrom(atWork, rules.config.overlap, sharedRoom(shared, rules.agents, now));
  // Those for which a worktree is being made have their places; where one could not be made, others go on.
  const isHeld = ({ taskId }: Task) => hold.making.has(taskId) || hold.refused.has(taskId);
  const all = model.ready(orders.launch === "retries");
  const ready = hold.making.size + hold.refused.size === 0
    ? all
    : [...all].filter((task) => !isHeld(task));
  const making = [...hold.making].flatMap((id) => model.index.byId.get(id) ?? []);
  for (const task of making) room?.take(task);
  const busy = model.running.size + making.length;
  const parallel = typeof orders.parallel === "number"
    ? orders.parallel
    : busy + orders.parallel.more;
  const limits = { parallel, perAgent: agentLimits(rules.agents), lanes, room };
  const picked = refused
    ? []
    : pickNext(ready, [...model.running.values(), ...making], limits, now);
  const make: string[] = [];
  const launch: string[] = [];
  for (const task of picked) (lacksWorktree(task, rules) ? make : launch).push(task.taskId);
  const handOn = refused ? [] : handedOn(ready, lanes, rules.agents);
  // Where no place is free, an end brings the next turn.
  if (parallel - busy - picked.length <= 0) {
    return { make, launch, handOn, at: null, held: null, left: "ready" };
  }
  const launched = new Set(picked.map(({ taskId }) => taskId));
  let at: number | null = null;
  let first: Held | null = null;
  let left: Left = "nothing";
  for (const task of ready) {
    const until = heldUntil(task, lanes, now);
    const held = until === null && room !== undefined && !launched.has(task.taskId)
      ? room.held(task)
      : null;
    // What holds across workspaces is told first, for whoever watches must wait for it.
    if (first === null || first.kind === "overlap") first = held ?? first;
    // That a slot is free is told by whoever frees it; that the time has come, by nobody.
    at = earliest(at, held?.kind === "launches" ? held.until : until);
    if (until === null) left = "ready";
    else if (left === "nothing") left = "due";
  }
  // A worktree that is being made leads to a launch, and one that could not be is tried again.
  if (left === "nothing" && (making.length > 0 || hold.refused.size > 0 && [...all].some(isHeld))) {
    left = "ready";
  }
  return { make, launch, handOn, at, held: first, left };
}

/** Ready tasks whose agent is paused, and allows others that are not to take its work over. */
function handedOn(
  ready: Iterable<Task>,
  lanes: ReadonlyMap<string, PausedLane>,
  agents: Agents,
): HandedOn[] {
  const found: HandedOn[] = [];
  if (lanes.size === 0) return found;
  for (const task of ready) {
    const lane = lanes.get(task.agent);
    const to = lane === undefined ? undefined : openFallback(task, lanes, agents);
    if (to !== undefined) {
      found.push({ id: task.taskId, from: task.agent, to, until: lane!.until });
    }
  }
  return found;
}

/**
 * The first agent that may take a task over and is not paused itself: of those that stand in for its
 * agent, and where that stands in itself, the one that it was queued for and those that stand in for it.
 */
export function openFallback(
  { agent, labels }: Pick<Task, "agent" | "labels">,
  lanes: ReadonlyMap<string, PausedLane>,
  agents: Agents,
): string | undefined {
  const standIns = (name: string) => {
    const found = pickAgent(agents, name);
    return "problem" in found ? [] : found.fallback ?? [];
  };
  const first = labels[QUEUED_FOR];
  const others = first === undefined ? [] : [first, ...standIns(first)];
  return [...standIns(agent), ...others].find((name) =>
    name !== agent && !lanes.has(name) && !("problem" in pickAgent(agents, name))
  );
}
