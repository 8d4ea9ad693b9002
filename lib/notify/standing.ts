// How it stands with a subscriber: what is owed, what came of the last attempts, and what keeps it from being
// told. Only reads.

import { findOnPath } from "../launch/find.ts";
import type { Subscriber } from "../settings/subscribers.ts";
import { lstat } from "../store/files.ts";
import type { Store } from "../store/tasks.ts";
import { quote } from "../task/error.ts";
import type { Standing, StandingState } from "../task/standing.ts";
import { desktopCommand } from "./desktop.ts";
import { maskUrl } from "./mask.ts";
import { lanePath, listFiles, readDisabled, readState } from "./outbox.ts";

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
  const { lastSuccess, failingSince, pausedUntil, lastError } = readState(folder, 0);
  const [state, problem] = stateOf(subscriber, approved, folder, root, failingSince, lastError);
  return {
    name,
    kind,
    source,
    to: addressOf(subscriber),
    format: kind === "webhook" ? subscriber.format : null,
    events: on,
    owed: listFiles(folder).length,
    givenUp: listFiles(`${folder}/dead`).length,
    lastSuccess: iso(lastSuccess),
    failingSince: iso(failingSince),
    pausedUntil: pausedUntil > now ? iso(pausedUntil) : null,
    lastError,
    state,
    problem,
  };
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
  failingSince: number | null,
  lastError: string | null,
): [StandingState, string | null] {
  if (!approved) {
    return ["not-approved", "it stands in .orchestra-cli/config.json, which you have not approved"];
  }
  const disabled = readDisabled(folder);
  if (disabled !== undefined) return ["disabled", `it wants nothing any more: ${disabled.why}`];
  const secret = missingSecret(subscriber, root);
  if (secret !== undefined) return ["secret-missing", secret];
  const program = missingProgram(subscriber, root);
  if (program !== undefined) return ["program-missing", program];
  return failingSince === null ? ["ok", null] : ["failing", lastError ?? "it cannot be told"];
}

/** The secret that is missing, as far as it can be seen from here. */
function missingSecret(subscriber: Subscriber, root: string): string | undefined {
  if (subscriber.kind !== "webhook") return undefined;
  for (const name of subscriber.secretEnv) {
    try {
      if (!Deno.env.get(name)) return `its secret is missing: ${name} is not set here`;
    } catch {
      // Not for us to see; who sends may.
    }
  }
  for (const path of subscriber.secretFile) {
    const whole = path.startsWith("/") ? path : `${root}/${path}`;
    if (Deno.permissions.querySync({ name: "read", path: whole }).state !== "granted") continue;
    if (lstat(whole) === undefined) return `its secret is missing: ${path} is not there`;
  }
  return undefined;
}

function missingProgram(subscriber: Subscriber, root: string): string | undefined {
  const program = subscriber.kind === "hook"
    ? subscriber.run[0]!
    : subscriber.kind === "desktop"
    ? desktopCommand({ title: "", text: "", urgent: false }, Deno.build.os).run[0]!
    : undefined;
  if (program === undefined || findOnPath(program, root) !== null) return undefined;
  return `there is no program ${JSON.stringify(program)}`;
}
