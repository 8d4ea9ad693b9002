// How much room there is for launches under the limits that a user has set for the whole machine: of each
// provider and of all together. Pure: slots, times of launches and the clock come in, and nobody is told of
// a limit that is not reached.

import { type Agents, pickAgent } from "../task/agent.ts";
import type { Task } from "../task/fields.ts";
import type { PausedLane } from "./waits.ts";

/** Most launches in any stretch of time. */
export interface LaunchRate {
  readonly most: number;
  /** Length of the stretch, milliseconds. */
  readonly within: number;
  /** As the settings say it. */
  readonly text: string;
}

/** What bounds one provider's agents. */
export interface ProviderLimit {
  /** Most at once; null for any number. */
  readonly concurrent: number | null;
  readonly launches: LaunchRate | null;
  /** Why it cannot be told what it is: none of them is launched; absent where it can. */
  readonly unread?: Unread;
}

/** What is wrong with limits that cannot be told. */
export interface Unread {
  /** The file that they stand in. */
  readonly path: string;
  /** What is wrong with it, to be read behind its name. */
  readonly problem: string;
}

/** The limits that hold across workspaces. */
export interface MachineLimits {
  /** Most agents at once on the whole machine; null for any number. */
  readonly concurrent: number | null;
  readonly providers: ReadonlyMap<string, ProviderLimit>;
  /** Why it cannot be told what they are: nothing is launched; absent where it can. */
  readonly unread?: Unread;
}

/** Why a task may not be launched for a limit. */
export type Held =
  /** So many of the provider run at once. */
  | { readonly kind: "provider"; readonly provider: string; readonly most: number }
  /** So many run at once on the machine. */
  | { readonly kind: "machine"; readonly most: number }
  /** So many were launched lately; when the next may be, milliseconds since the epoch. */
  | {
    readonly kind: "launches";
    readonly provider: string;
    readonly rate: string;
    readonly until: number;
  }
  /** What the limits are cannot be told. */
  | { readonly kind: "unread" } & Unread
  /** Slots cannot be kept, and so no limit can be held. */
  | { readonly kind: "no-slots"; readonly problem: string }
  /** A task is at work that touches the same files: no limit of the machine, but of this workspace. */
  | { readonly kind: "overlap"; readonly id: string };

/** What is known of a task that is to be launched. */
export interface Wanted extends Pick<Task, "agent"> {
  readonly taskId?: string;
  readonly touches?: readonly string[];
}

/** What is taken of the machine at one moment. */
export interface Taken {
  /** Providers of the slots that are held; null for an agent without one. */
  readonly slots: readonly (string | null)[];
  /** When agents of a provider were launched, milliseconds since the epoch, oldest first. */
  readonly launches: ReadonlyMap<string, readonly number[]>;
  /** Why slots cannot be kept; null where they can. */
  readonly problem: string | null;
}

/** What holds across workspaces at one moment. */
export interface Shared {
  readonly limits: MachineLimits | null;
  /** What is taken; null where nobody has looked, for there are no limits or nothing is to be launched. */
  readonly taken: Taken | null;
  /** Agents that are paused because of what happened in any workspace, by name. */
  readonly pauses: ReadonlyMap<string, PausedLane>;
}

/** The same for who only shows it. */
export interface SharedView {
  readonly pauses: Shared["pauses"];
  /** Undefined where nothing bounds it. */
  readonly room: Room | undefined;
}

/** Nothing holds across workspaces. */
export const NOTHING_SHARED: Shared = { limits: null, taken: null, pauses: new Map() };

/** Paused lanes with those that hold everywhere; each until the later of both. */
export function withPauses(
  lanes: ReadonlyMap<string, PausedLane>,
  { pauses }: Pick<Shared, "pauses">,
  now: number,
): ReadonlyMap<string, PausedLane> {
  if (pauses.size === 0) return lanes;
  const all = new Map(lanes);
  for (const [agent, lane] of pauses) {
    if (lane.until > Math.max(now, all.get(agent)?.until ?? 0)) all.set(agent, lane);
  }
  return all;
}

/** The room that is shared; undefined where nothing bounds it. */
export function sharedRoom({ limits, taken }: Shared, agents: Agents, now: number) {
  return limits === null || taken === null ? undefined : roomIn(limits, taken, agents, now);
}

/** The room there is, of which launches take their part. */
export interface Room {
  /** Why a task may not be launched now; null where it may. */
  held(wanted: Wanted): Held | null;
  /** It is about to be launched. */
  take(wanted: Wanted): void;
}

/** Who counts what an agent uses; null where its definition does not say. */
export function providerOf(agents: Agents, name: string): string | null {
  const found = pickAgent(agents, name);
  return "problem" in found ? null : found.provider ?? null;
}

/** Whether launches of a provider's agents are subject to any limit. */
export function isLimited(limits: MachineLimits, provider: string | null): boolean {
  return limits.concurrent !== null || limits.unread !== undefined ||
    (provider !== null && limits.providers.has(provider));
}

/** Why it cannot be told what the limits for a provider's agents are; null where it can. */
export function unreadFor(limits: MachineLimits, provider: string | null): Held | null {
  const unread = limits.unread ??
    (provider === null ? undefined : limits.providers.get(provider)?.unread);
  return unread === undefined ? null : { kind: "unread", ...unread };
}

/** The first thing that is wrong with limits; undefined for nothing. */
export function firstUnread(limits: MachineLimits | null): Unread | undefined {
  if (limits === null) return undefined;
  return limits.unread ??
    [...limits.providers.values()].find(({ unread }) => unread !== undefined)?.unread;
}

/**
 * The room at one moment.
 *
 * @param now milliseconds since the epoch
 */
export function roomIn(limits: MachineLimits, taken: Taken, agents: Agents, now: number): Room {
  const used = new Map<string, number>();
  for (const provider of taken.slots) {
    if (provider !== null) used.set(provider, (used.get(provider) ?? 0) + 1);
  }
  let all = taken.slots.length;
  const begun = new Map<string, number>();
  return {
    held({ agent }) {
      const provider = providerOf(agents, agent);
      if (!isLimited(limits, provider)) return null;
      const unread = unreadFor(limits, provider);
      if (unread !== null) return unread;
      if (taken.problem !== null) return { kind: "no-slots", problem: taken.problem };
      if (limits.concurrent !== null && all >= limits.concurrent) {
        return { kind: "machine", most: limits.concurrent };
      }
      const limit = provider === null ? undefined : limits.providers.get(provider);
      if (provider === null || limit === undefined) return null;
      const { concurrent, launches } = limit;
      if (concurrent !== null && (used.get(provider) ?? 0) >= concurrent) {
        return { kind: "provider", provider, most: concurrent };
      }
      if (launches === null) return null;
      const until = opensAt(launches, taken.launches.get(provider) ?? [], begun.get(provider), now);
      return until === null ? null : { kind: "launches", provider, rate: launches.text, until };
    },
    take({ agent }) {
      all++;
      const provider = providerOf(agents, agent);
      if (provider === null) return;
      used.set(provider, (used.get(provider) ?? 0) + 1);
      begun.set(provider, (begun.get(provider) ?? 0) + 1);
    },
  };
}

/**
 * When the next launch is within a rate, milliseconds since the epoch; null where it is now.
 *
 * @param times of launches, oldest first
 * @param more of launches that are about to be made
 */
export function opensAt(
  { most, within }: LaunchRate,
  times: readonly number[],
  more: number | undefined,
  now: number,
): number | null {
  const recent = recentLaunches(times, within, now);
  const over = recent.length + (more ?? 0) - most;
  if (over < 0) return null;
  // Where those that are about to be made fill it alone, the first of them is the one that leaves it.
  return (recent[over] ?? now) + within;
}

/**
 * Times of launches that still count. One that lies further ahead than the stretch is long was written by
 * a clock that was wrong: it would hold others up for longer than any launch can.
 */
export function recentLaunches(times: readonly number[], within: number, now: number): number[] {
  return times.filter((time) => time > now - within && time <= now + within);
}
