// What holds across workspaces, read for who decides about launches or shows tasks: the room that limits
// leave, and the pauses of providers. Where the user has set no limits and nothing is paused, it costs one
// look.

import { apartFrom, isAtWork } from "../decide/overlap.ts";
import {
  NOTHING_SHARED,
  type Room,
  type Shared,
  sharedRoom,
  type SharedView,
} from "../decide/room.ts";
import { loadAgents } from "../settings/agents.ts";
import { loadConfig, type Settings } from "../settings/config.ts";
import type { Agents } from "../task/agent.ts";
import { isTaskAlive } from "../launch/life.ts";
import type { Task } from "../task/fields.ts";
import { pausesOf, readPauses, readTaken } from "../workspaces/slots.ts";
import type { Queue, Rules } from "./queue.ts";

/** Whether any agent has a provider: only its pauses can be shared. */
function hasProvider(agents: Agents): boolean {
  for (const agent of agents.values()) {
    if (!("problem" in agent) && agent.provider !== undefined) return true;
  }
  return false;
}

/**
 * What holds across workspaces now.
 *
 * @param isReady whether anything may be launched: otherwise nobody looks what is taken
 * @param inside root of the workspace whose lock we have
 */
export function readShared(
  { agents, limits }: Pick<Rules, "agents" | "limits">,
  now: number,
  isReady: boolean,
  inside?: string,
): Shared {
  const pauses = hasProvider(agents) ? pausesOf(agents, readPauses(now)) : NOTHING_SHARED.pauses;
  return {
    limits,
    taken: limits === null || !isReady ? null : readTaken(inside, undefined, isTaskAlive),
    pauses,
  };
}

/** The same for who watches and shows tasks; with the tasks that are at work. */
export function sharedView(
  rules: Pick<Rules, "agents" | "limits" | "config">,
  now: number,
  isReady: boolean,
  atWork: readonly Task[],
): SharedView {
  const shared = readShared(rules, now, isReady);
  const room = sharedRoom(shared, rules.agents, now);
  return { pauses: shared.pauses, room: apartFrom(atWork, rules.config.overlap, room) };
}

/** The same for who only shows tasks. Settings that are broken are told by others. */
export async function viewShared(
  { store, now }: Pick<Queue, "store" | "now">,
  tasks: readonly Task[],
): Promise<SharedView> {
  const time = now();
  try {
    const waits = tasks.some(({ status }) => status === "pending");
    const { limits = null, config } = waits ? await loadConfig(store) : NO_SETTINGS;
    const pauses = readPauses(time);
    const apart = (room?: Room) => apartFrom(tasks.filter(isAtWork), config?.overlap, room);
    if (limits === null && pauses.length === 0) return { ...NOTHING, room: apart() };
    const agents = await loadAgents(store);
    const taken = limits === null ? null : readTaken(undefined, undefined, isTaskAlive);
    return {
      pauses: pausesOf(agents, pauses),
      room: apart(sharedRoom({ ...NOTHING_SHARED, limits, taken }, agents, time)),
    };
  } catch {
    return NOTHING;
  }
}

const NO_SETTINGS: Partial<Pick<Settings, "limits" | "config">> = {};
const NOTHING: SharedView = { pauses: NOTHING_SHARED.pauses, room: undefined };
