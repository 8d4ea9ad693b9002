// One attempt: what a subscriber gets of an event, and the sending or running of it. Writes nothing of its
// own; killed in the middle, the attempt is made again.

import type { Desktop, Hook, Webhook } from "../settings/subscribers.ts";
import type { HistoryEvent } from "../task/event.ts";
import { VERSION } from "../task/version.ts";
import { type Channel, OTLP_HEADERS, TIMEOUT } from "./channel.ts";
import type { Request } from "./deliver.ts";
import { desktopCommand } from "./desktop.ts";
import { type HookOutcome, runHook } from "./hook.ts";
import { messageId, messageOf } from "./message.ts";
import type { Outcome } from "./plan.ts";
import { wordsOf, workspaceName } from "./words.ts";

/** The workspace of an event. */
export interface Place {
  readonly root: string;
  readonly dir: string;
  readonly identity: string;
}

/** What a receiver gets of an event. */
export async function requestFor(
  { url, format, secretEnv, secretFile }: Webhook,
  event: HistoryEvent,
  { root, identity }: Place,
): Promise<Request> {
  const workspace = workspaceName(root);
  const common = { url, secretEnv, secretFile, timeout: TIMEOUT };
  if (format !== "otlp") {
    return { ...common, ...messageOf(event, format, workspace), standard: format === "standard" };
  }
  const { otlpBody } = await import("../metrics/traces.ts");
  return {
    ...common,
    id: messageId(event.key),
    headers: { "content-type": "application/json" },
    headersEnv: OTLP_HEADERS,
    body: otlpBody([event], identity, { version: VERSION, workspace }),
    standard: false,
  };
}

/** Sends an event to a receiver. */
export async function sendTo(
  webhook: Webhook,
  event: HistoryEvent,
  place: Place,
  channel: Channel,
): Promise<Outcome> {
  return await channel.send(await requestFor(webhook, event, place));
}

/** Runs a hook, or shows a notification. */
export function runFor(
  subscriber: Hook | Desktop,
  event: HistoryEvent,
  place: Place,
  signal?: AbortSignal,
): Promise<HookOutcome> {
  const { name } = subscriber;
  if (subscriber.kind === "hook") {
    const { run, timeout } = subscriber;
    return runHook({ name, run, timeout }, event, place, signal);
  }
  const words = wordsOf(event, workspaceName(place.root));
  const command = desktopCommand(words, Deno.build.os);
  return runHook({ name, ...command, timeout: SHOWN }, event, place, signal);
}

/** Seconds that showing a notification may take. */
const SHOWN = 15;
