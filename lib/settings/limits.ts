// Limits of the user's settings that hold across workspaces: `limits` of providers and `machine`. One that is
// malformed is told, and nothing that it may be for is launched: a slip must not lift a limit.

import type { LaunchRate, MachineLimits, ProviderLimit, Unread } from "../decide/room.ts";
import { PROVIDER } from "../task/agent.ts";
import { parseDuration } from "../task/duration.ts";
import { isObject } from "./subscriber_shape.ts";

/** The limits in the user's settings; null where there are none. */
export interface ReadLimits {
  readonly limits: MachineLimits | null;
  /** What is wrong with them, to be read behind the file's name. */
  readonly problems: readonly string[];
}

/** Longest stretch of time that launches are counted in, seconds. */
const LONGEST_RATE = 31 * 86_400;

/** How many launches in which time, as `20/1h` says it; undefined where the text says none. */
export function parseRate(value: unknown): LaunchRate | undefined {
  const [, most, within] = typeof value === "string" ? /^(\d{1,6})\/(.+)$/.exec(value) ?? [] : [];
  const seconds = parseDuration(within ?? "");
  return most === undefined || Number(most) === 0 || seconds === undefined || seconds > LONGEST_RATE
    ? undefined
    : { most: Number(most), within: seconds * 1000, text: value as string };
}

/**
 * Reads the limits of the user's settings.
 *
 * @param path where these stand
 */
export function readLimits(
  settings: Readonly<Record<string, unknown>>,
  path = "settings.json",
): ReadLimits {
  const problems: string[] = [];
  const providers = new Map<string, ProviderLimit>();
  const unreadable = (problem: string): Unread => {
    problems.push(problem);
    return { path, problem };
  };
  const { limits, machine } = settings;
  let unread: Unread | undefined;
  if (limits !== undefined && !isObject(limits)) unread = unreadable('"limits" must be an object');
  for (const [name, value] of Object.entries(isObject(limits) ? limits : {})) {
    const limit = PROVIDER.test(name)
      ? providerLimit(value)
      : "must be named by a word in small letters";
    // The one that was meant, where its name alone is wrong.
    const meant = name.trim().toLowerCase();
    if (typeof limit !== "string") {
      if (!providers.has(name)) providers.set(name, limit);
    } else {
      const wrong = unreadable(`"limits.${name}" ${limit}`);
      providers.set(meant, { concurrent: null, launches: null, unread: wrong });
    }
  }
  const concurrent = machineLimit(machine);
  if (typeof concurrent === "string") unread = unreadable(concurrent);
  const most = typeof concurrent === "string" ? null : concurrent;
  if (unread !== undefined) return { limits: { concurrent: most, providers, unread }, problems };
  const isNone = most === null && providers.size === 0;
  return { limits: isNone ? null : { concurrent: most, providers }, problems };
}

/** Limits of which nothing can be told. */
export function unreadLimits(path: string, problem: string): MachineLimits {
  return { concurrent: null, providers: new Map(), unread: { path, problem } };
}

function providerLimit(value: unknown): ProviderLimit | string {
  if (!isObject(value)) return 'must be an object, like {"concurrent": 3, "launches": "20/1h"}';
  const unknown = Object.keys(value).find((key) => key !== "concurrent" && key !== "launches");
  if (unknown !== undefined) {
    return `may have only "concurrent" and "launches" in it, and no ${JSON.stringify(unknown)}`;
  }
  const { concurrent = null, launches } = value;
  if (concurrent !== null && !isCount(concurrent)) {
    return 'must have a whole number as its "concurrent"';
  }
  const rate = launches === undefined ? null : parseRate(launches);
  if (rate === undefined) return 'must have "launches" like "20/1h"';
  return { concurrent, launches: rate };
}

function machineLimit(value: unknown): number | null | string {
  if (value === undefined) return null;
  const { concurrent, ...others } = isObject(value) ? value : {};
  return isCount(concurrent) && Object.keys(others).length === 0
    ? concurrent
    : '"machine" must be like {"concurrent": 6}';
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) > 0;
}
