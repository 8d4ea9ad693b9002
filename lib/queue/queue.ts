// The queue of a workspace, for the verbs that change it: one file each in this folder. Every change of
// a task's state is made by one of them, inside the workspace lock, in an order that makes a kill at
// any point harmless: what must be true first is written first. The whole protocol, step by step:
//
//  1. add      A new task's file appears whole, durably, under an id that nobody had (add.ts).
//  2. make     A task that wants a worktree gets one before it is claimed, beside the loop of who watches:
//              the branch and the folder bear its id, so that who comes after a kill finds them, and only
//              what is whole is written into the task (worktree.ts).
//  3. claim    Where a limit across workspaces asks for it, a slot is taken first, and given back with
//              what ends the claim (workspaces/slots.ts). The task becomes `running` with the next claim number, and that is on disk before its
//              shim is started (claim.ts).
//              Where a fresh worktree is to be set up, that command is ordered first, as in step 8, and the
//              agent is launched under the same claim once it has ended well (setup.ts).
//  4. shim     The shim creates `<id>.<claim>.pid` exclusively, makes room for the exit code, then runs
//              the agent: a claim is launched at most once, whoever is killed (launch/).
//  5. fence    A claim whose shim has not come in time is fenced off: we create its pid file ourselves.
//              Whoever was first wins. A fenced claim goes back to pending (step.ts).
//  6. signs    The agent writes `.done` or `.error`; the shim writes `.exitcode` when it has ended.
//  7. commit   What a success left in its worktree is committed on its branch, once its processes are ended,
//              outside the lock; the branch moves last, and then the task tells where it is (end.ts).
//  8. verify   Where a command must confirm a success, that it was ordered is on disk before its shim is
//              started, so that nobody orders it twice for one claim (verify.ts).
//  9. settle   The evidence is read and decided upon (decide/reconcile.ts); the task gets its final
//              status. Only after that is anything of the launch removed (settle.ts).
// 10. end      What still lives of a settled task is ended after a grace period, by whoever watches,
//              outside the lock, and its worktree is put away: committed where it is not, removed where
//              nothing else is left of a success; `reapAt` says that this is owed (end.ts).
// 11. retry    The successor of a failed task is created before the failed one names it. A look that
//              finds a successor without a name gives it one (retry.ts).
//
// A cancellation or a timeout is a mark beside the task first, so that a kill between it and the
// task's own file loses neither (cancel.ts, step.ts).

import type { MachineLimits } from "../decide/room.ts";
import { LAUNCH_GRACE, type TurnRules } from "../decide/turn.ts";
import { type Launchers, openLaunchers } from "../launch/mod.ts";

import { loadAgents } from "../settings/agents.ts";
import { loadConfig, loadUserLimits } from "../settings/config.ts";
import { type Config, DEFAULT_CONFIG } from "../settings/config_fields.ts";
import { loadSetup } from "../settings/setup.ts";
import { openStore, type Store } from "../store/tasks.ts";
import { type AgentDefinition, type Agents, pickAgent } from "../task/agent.ts";
import { OrchestraError } from "../task/error.ts";
import type { Task } from "../task/fields.ts";
import type { Trace } from "../task/trace.ts";

/** A workspace's queue: what every verb works with. */
export interface Queue {
  readonly store: Store;
  /** The places where agents run. */
  readonly launchers: Launchers;
  /** Milliseconds since the epoch. */
  now(): number;
  /** From 0 to 1, for the jitter. */
  random(): number;
}

/** What a queue is opened with; all have defaults. */
export interface QueueOptions {
  /** Milliseconds since the epoch. */
  now?: () => number;
  /** From 0 to 1, for the jitter. */
  random?: () => number;
  launchers?: Launchers;
  /** Told of what is looked at, decided and done. */
  trace?: Trace;
  /** How long the workspace's lock is waited for, milliseconds; for ever where absent. */
  patience?: number;
}

/**
 * On Windows the shim is a Deno, which starts at once, and in several seconds where the machine is busy or a
 * virus scanner reads it first. What comes too late has been fenced off, and is launched again in vain.
 */
const SHIM_GRACE = Deno.build.os === "windows" ? 10 * LAUNCH_GRACE : LAUNCH_GRACE;

/** Settings and agents, loaded. */
export interface Rules extends TurnRules {
  readonly config: Config;
  readonly agents: Agents;
  /** Limits across workspaces; null for none. */
  readonly limits: MachineLimits | null;
  /** The command that makes a fresh worktree ready; none where absent. */
  readonly setup?: string | readonly string[] | null;
  /** Why earlier settings of the user hold in place of what their file says now; null where none do. */
  readonly stale?: string | null;
}

/**
 * Opens the queue of a workspace.
 *
 * @param root the folder that has `.orchestra/`
 */
export function openQueue(root: string, options: QueueOptions = {}): Queue {
  const { trace, now = Date.now, launchers = openLaunchers({ trace }) } = options;
  return {
    store: openStore(root, { trace, now, patience: options.patience }),
    launchers,
    now,
    random: options.random ?? Math.random,
  };
}

/**
 * Settings and agents, read anew.
 *
 * @param onBroken told of settings that are wrong, for who goes on with the defaults: to end something
 * must not wait until they are mended
 * @throws OrchestraError `config` where either is wrong
 */
export async function loadRules(
  { store }: Pick<Queue, "store">,
  onBroken?: (problem: OrchestraError) => void,
): Promise<Rules> {
  const settings = loadConfig(store).catch(async (error) => {
    if (onBroken === undefined || !(error instanceof OrchestraError)) throw error;
    onBroken(error);
    return { config: DEFAULT_CONFIG, limits: await loadUserLimits(store), stale: null };
  });
  const [{ config, limits, stale }, agents] = await Promise.all([settings, loadAgents(store)]);
  const setup = await loadSetup(store, config);
  return { config, agents, limits, stale, setup, launchGrace: SHIM_GRACE };
}

/** The definition of a task's agent; null where it has none, or a broken one. */
export function definitionOf(rules: Rules, name: string): AgentDefinition | null {
  const found = pickAgent(rules.agents, name);
  return "problem" in found ? null : found;
}

/** A task as it is on disk; undefined too where it is damaged: every command that looks names it. */
export function readSound({ store }: Pick<Queue, "store">, id: string): Task | undefined {
  try {
    return store.read(id);
  } catch {
    return undefined;
  }
}

/** Whether a task has a successor; one that was removed counts for nothing. */
export function isRetried(store: Store, { retriedBy }: Task): boolean {
  return retriedBy !== null && store.has(retriedBy);
}

/** The error for a task that would have to come back first. */
export function archivedError(id: string): OrchestraError {
  return new OrchestraError("state", `${id} is archived`, {
    hint: `Bring it back with: orchestra archive restore ${id}`,
  });
}

/** The error for a task that is not in the archive. */
export function activeError(id: string): OrchestraError {
  return new OrchestraError("state", `${id} is not archived`, {
    hint: `See it with: orchestra show ${id}`,
  });
}

/** The error for an id that no task has, or an archived one alone. */
export function noTask(store: Store, id: string): OrchestraError {
  if (store.has(id)) return archivedError(id);
  return new OrchestraError("no-task", `No task ${id} in this workspace`, {
    hint: "See what there is with: orchestra status --all   and: orchestra archive list",
  });
}
