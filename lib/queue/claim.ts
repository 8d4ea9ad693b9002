// Claims pending tasks and launches them. The claim is on disk before its shim is started: killed in
// between, it is fenced off later, and the task goes back to pending. A launch that cannot be fails its
// task alone.

import { agentOptions } from "../task/options.ts";
import { branchOf } from "../decide/branch.ts";
import type { LaunchProblem, Prepared } from "../decide/launch_plan.ts";
import { apartFrom, isAtWork } from "../decide/overlap.ts";
import type { Outcome } from "../decide/reconcile.ts";
import type { Held } from "../decide/room.ts";
import { lacksWorktree } from "../decide/worktree.ts";
import { FENCE, type Launched } from "../launch/launcher.ts";
import { isTaskAlive } from "../launch/life.ts";
import { type AgentDefinition, pickAgent } from "../task/agent.ts";
import { lstat } from "../store/files.ts";
import { createFolders } from "../store/paths.ts";
import { toOrchestraError } from "../task/error.ts";
import { formatTime, type Task } from "../task/fields.ts";
import { writePlan } from "./plan.ts";
import { launchPrepared, prepare } from "./prepare.ts";
import { shimOf } from "./probe.ts";
import { definitionOf, type Queue, readSound, type Rules } from "./queue.ts";
import { giveSlotBack, settle } from "./settle.ts";
import { orderSetup, setupOf } from "./setup.ts";
import { findWorktree } from "./worktree_place.ts";
import { takeSlot } from "../workspaces/slots.ts";

/** What a launch by this process leaves to watch. */
export interface LaunchedTask extends Launched {
  task: Task;
}

/** What came of claiming a task: it runs, or why it could not be launched is written in it. */
export type Claimed = { task: Task; launched?: LaunchedTask };

/**
 * Claims the given tasks, in that order, and launches them. Those that are not pending any more are
 * passed over.
 *
 * @param onClaimed told of each at once: should the next one fail for all, those before it run
 * @param onHeld told of those that a limit across workspaces, or a task at work on the same files, does
 * not let be launched: they wait
 * @param onLacking told of those that have no worktree yet, or none any more: the next turn has one made
 */
export function claim(
  queue: Queue,
  ids: readonly string[],
  rules: Rules,
  onClaimed: (claimed: Claimed) => void,
  onHeld: (task: Task, held: Held) => void = () => {},
  onLacking: (task: Task) => void = () => {},
): void {
  const { store } = queue;
  store.lockedEach(ids, (id) => {
    const task = readSound(queue, id);
    if (task?.status !== "pending") return;
    // Whoever looks next cancels it.
    if (store.readMark(id, "cancelled") !== undefined) return;
    const apart = heldByOther(queue, task, rules);
    if (apart !== null) return onHeld(task, apart);
    const outcome = tryClaim(queue, task, rules);
    if (outcome === undefined) return onLacking(task);
    if ("held" in outcome) onHeld(task, outcome.held);
    else onClaimed(outcome);
  });
}

/** The system has no room for another process just now: no fault of the task that was to be launched. */
class SystemRefusal extends Error {}

/** EAGAIN, ENOMEM, ENFILE and EMFILE: too many processes, too little memory, too many open files. */
function isPassing(error: unknown): boolean {
  return error instanceof Error && /\(os error (?:11|12|23|24)\)/.test(error.message);
}

/**
 * The task at work that touches the same files, where the settings keep such apart. Others may have
 * launched it since: only here, inside the lock, it is sure.
 */
function heldByOther({ store }: Queue, task: Task, { config }: Rules): Held | null {
  if (config.overlap === "allow" || task.touches.length === 0) return null;
  return apartFrom(store.scan().tasks.filter(isAtWork), config.overlap)?.held(task) ?? null;
}

/** What one task's own files make impossible fails that task. */
function tryClaim(queue: Queue, task: Task, rules: Rules): Claimed | { held: Held } | undefined {
  try {
    return claimOne(queue, task, rules);
  } catch (error) {
    if (error instanceof SystemRefusal) throw error.cause;
    // Where the claim is on disk, whoever settles it gives its slot back.
    if (readSound(queue, task.taskId)?.claim === task.claim) {
      giveSlotBack(queue, { ...task, claim: task.claim + 1 }, rules);
    }
    const problem = refused(error, "its files cannot be written");
    try {
      return { task: failSpawn(queue, queue.store.read(task.taskId) ?? task, problem, rules) };
    } catch {
      // Not this task alone: the system refuses (disk full, no permission).
      throw error;
    }
  }
}

function claimOne(queue: Queue, task: Task, rules: Rules): Claimed | { held: Held } | undefined {
  const { store } = queue;
  if (lacksWorktree(task, rules)) return undefined;
  const branch = branchOf(task);
  if (branch !== null) {
    const found = findWorktree(store.root, branch.path, task.taskId);
    if ("problem" in found && found.gone) {
      store.write({ ...task, git: null });
      return undefined;
    }
  }
  const found = pickAgent(rules.agents, task.agent);
  const agent = "problem" in found ? null : found;
  const claimed: Task = {
    ...task,
    ...agentOptions(task, agent),
    status: "running",
    startedAt: formatTime(queue.now()),
    completedAt: null,
    claim: task.claim + 1,
    verifyAt: null,
    setupAt: null,
    asleep: 0,
    wokeAt: null,
    pid: null,
    notBefore: null,
    blockedBy: null,
    blockedReason: null,
    schemaVersion: Math.max(task.schemaVersion, 3),
  };
  if (agent === null) {
    const { problem } = found as { problem: string };
    return { task: failSpawn(queue, claimed, { kind: "no-agent", problem }, rules) };
  }
  remakeFolders(queue);
  const prepared = prepare(queue, task, agent);
  if ("problem" in prepared) {
    return { task: failSpawn(queue, claimed, prepared.problem, rules) };
  }
  const held = takeOwnSlot(queue, claimed, agent, rules);
  if (held !== null) return { held };
  // What an earlier claim or a stray program left must not decide this one.
  for (const mark of ["done", "error", "exitcode", "verifycode", "timeout"]) {
    store.removeMark(task.taskId, mark);
  }
  // Known from here on, whatever becomes of the agent before it tells it.
  claimed.usage = prepared.sessionId === null ? null : { sessionId: prepared.sessionId };
  writePlan(queue, claimed);
  const setup = setupOf(queue, claimed, rules);
  if (setup !== null) return orderSetup(queue, claimed, setup, rules);
  store.write(claimed);
  return launchClaimed(queue, claimed, agent, prepared, rules);
}

/** Launches the agent of a claim whose worktree is set up; inside the lock. */
export function launchSetUp(queue: Queue, task: Task, rules: Rules): Claimed {
  const now = formatTime(queue.now());
  // Its time begins with the agent.
  const begun: Task = { ...task, startedAt: now, setupAt: null, asleep: 0, wokeAt: null };
  const agent = definitionOf(rules, task.agent);
  const found = pickAgent(rules.agents, task.agent);
  if (agent === null) {
    const { problem } = found as { problem: string };
    return { task: failSpawn(queue, begun, { kind: "no-agent", problem }, rules) };
  }
  const prepared = prepare(queue, begun, agent);
  if ("problem" in prepared) return { task: failSpawn(queue, begun, prepared.problem, rules) };
  // Killed here, the claim is fenced off, and the next one finds that all is set up.
  queue.store.write(begun);
  try {
    return launchClaimed(queue, begun, agent, prepared, rules);
  } catch (error) {
    throw error instanceof SystemRefusal ? error.cause : error;
  }
}

/** Takes the slot that a limit across workspaces asks for; why there is none, or null. */
function takeOwnSlot(
  { store, now }: Queue,
  { taskId, claim, agent }: Task,
  definition: AgentDefinition,
  { limits, agents }: Rules,
): Held | null {
  if (limits === null) return null;
  const provider = definition.provider ?? null;
  return takeSlot(
    { root: store.root, task: taskId, claim, agent, provider },
    limits,
    agents,
    now,
    undefined,
    isTaskAlive,
  );
}

/** Somebody may have removed what a launch needs, under whoever watches. */
function remakeFolders({ store }: Queue): void {
  const folders = [`${store.dir}/logs`, `${store.dir}/plans`];
  if (folders.some((folder) => lstat(folder) === undefined)) createFolders(store.root);
}

function launchClaimed(
  queue: Queue,
  claimed: Task,
  agent: AgentDefinition,
  prepared: Prepared,
  rules: Rules,
): Claimed {
  const pid = `${claimed.claim}.pid`;
  try {
    const started = launchPrepared(queue, claimed, agent, prepared, { pid, exit: "exitcode" });
    const task = { ...claimed, pid: started.pid };
    return { task, launched: { ...started, task } };
  } catch (error) {
    // Fenced first: should the system have started the shim all the same, it must not go on.
    queue.store.createMark(claimed.taskId, pid, FENCE);
    if (isPassing(error)) {
      queue.store.write({ ...claimed, status: "pending", startedAt: null, pid: null });
      giveSlotBack(queue, claimed, rules);
      throw new SystemRefusal("", { cause: error });
    }
    const problem = refused(error, "the launch failed");
    return { task: failSpawn(queue, claimed, problem, rules) };
  }
}

/** The system refused it. */
function refused(error: unknown, attempted: string): LaunchProblem {
  return { kind: "refused", message: toOrchestraError(error, attempted).message };
}

function failSpawn(queue: Queue, task: Task, problem: LaunchProblem, rules: Rules): Task {
  const outcome: Outcome = {
    status: "failed",
    failure: { kind: "spawn", agent: task.agent, problem },
    reason: null,
    exitCode: null,
    result: null,
    timedOutAt: null,
    laneUntil: null,
    // Its worktree is put away.
    reapAt: branchOf(task) === null ? null : queue.now(),
    endedAt: null,
  };
  return settle(queue, task, outcome, { shim: shimOf(queue, task) }, rules, queue.now());
}
