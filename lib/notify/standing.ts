// How it stands with a subscriber: what is owed, what came of the last attempts, and what keeps it from being
// told. Only reads.

import { findOnPath } from "../launch/find.ts";
import type { Subscriber } from "../settings/subscribers.ts";
import { lstat } from "../store/files.ts";
import { isAbsolute } from "../store/paths.ts";
import type { Store } from "../store/tasks.ts";
import { quote } from "../task/error.ts";
import type { Standing, StandingState } from "../task/standing.ts";
import { desktopCommand } from "./desktop.ts";
import { noProgram } from "./hook.ts";
import { maskUrl } from "./mask.ts";
import {
  isToResume,
  lanePath,
  type LaneState,
  listFiles,
  readDelivery,
  readDisabled,
  readState,
} from "./outbox.ts";

const iso = (millis: number | null): string | null =>
  millis === null || millis === 0 ? null : new Date(millis).toISOString();

/** How it stands with one subscriber. */
export function standingOf(
  { dir, root }: Pick<Store, "dir" | "root">,
  subscriber: Subscriber,
  approved: boolean,
  now: number,
): Standing {
  const folder = lanePath(dir, subscriber.name);
  const { name, kind, source, on } = subscriber;
  const lane = readState(folder, 0);
  const { lastSuccess, failingSince, pausedUntil, lastError } = lane;
  const [state, problem] = stateOf(subscriber, approved, folder, root, lane);
  const files = listFiles(folder);
  const waits = state === "not-approved" || state === "disabled";
  return {
    name,
    kind,
    source,
    to: addressOf(subscriber),
    format: kind === "webhook" ? subscriber.format : null,
    events: on,
    owed: files.length,
    givenUp: listFiles(`${folder}/dead`).length,
    lastSuccess: iso(lastSuccess),
    failingSince: iso(failingSince),
    pausedUntil: pausedUntil > now ? iso(pausedUntil) : null,
    next: waits ? null : iso(nextOf(folder, files, pausedUntil, now)),
    lastError,
    state,
    problem,
  };
}

/** When one of what is owed is tried, milliseconds since the epoch; null where nothing is owed. */
function nextOf(
  folder: string,
  files: readonly string[],
  pausedUntil: number,
  now: number,
): number | null {
  if (files.length === 0) return null;
  if (isToResume(folder)) return now;
  let first = Infinity;
  for (const file of files) {
    first = Math.min(first, readDelivery(folder, file)?.next ?? Infinity);
    if (first <= now) break;
  }
  return first === Infinity ? null : Math.max(first, pausedUntil, now);
}

/** Where a subscriber is told, as it may be shown. */
export function addressOf(subscriber: Subscriber): string {
  switch (subscriber.kind) {
    case "hook":
      return quote(subscriber.run);
    case "desktop":
      return "the desktop";
    case "webhook":
      return maskUrl(subscriber.url);
  }
}

function stateOf(
  subscriber: Subscriber,
  approved: boolean,
  folder: string,
  root: string,
  lane: LaneState,
): [StandingState, string | null] {
  if (!approved) {
    return ["not-approved", "it stands in .orchestra-cli/config.json, which you have not approved"];
  }
  const disabled = readDisabled(folder);
  if (disabled !== undefined) return ["disabled", `it wants nothing any more: ${disabled.why}`];
  const secret = missingSecret(subscriber, root, lane);
  if (secret !== undefined) return ["secret-missing", secret];
  const program = missingProgram(subscriber, root);
  if (program !== undefined) return ["program-missing", program];
  return lane.failingSince === null
    ? ["ok", null]
    : ["failing", lane.lastError ?? "it cannot be told"];
}

/** The secret that is missing, as far as it can be seen from here. */
function missingSecret(
  subscriber: Subscriber,
  root: string,
  { lastSuccess, lastError, failingSince }: LaneState,
): string | undefined {
  if (subscriber.kind !== "webhook") return undefined;
  // Who watches may have another environment than this shell: what came of its attempts tells.
  const wasMissing = /^the secret is missing: (\w+) is not set$/.exec(lastError ?? "")?.[1];
  const isUntried = lastSuccess === null && failingSince === null;
  for (const name of subscriber.secretEnv) {
    if (name !== wasMissing && !isUntried) continue;
    try {
      if (!Deno.env.get(name)) return `${name} is not set in this shell; whoever watches needs it`;
    } catch {
      // Not for us to see; who sends may.
    }
    if (name === wasMissing) return `${name} is not set for whoever watches, though it is here`;
  }
  for (const path of subscriber.secretFile) {
    const whole = isAbsolute(path) ? path : `${root}/${path}`;
    if (Deno.permissions.querySync({ name: "read", path: whole }).state !== "granted") continue;
    if (lstat(whole) === undefined) return `the file of its secret is not there: ${path}`;
  }
  return undefined;
}

function missingProgram(subscriber: Subscriber, root: string): string | undefined {
  const program = subscriber.kind === "hook"
    ? subscriber.run[0]!
    : subscriber.kind === "desktop"
    ? desktopCommand({ title: "", text: "", urgent: false }, Deno.build.os).run[0]!
    : undefined;
  return program === undefined || findOnPath(program, root) !== null
    ? undefined
    : noProgram(program, root);
}
