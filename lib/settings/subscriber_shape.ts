// Hooks and webhooks as they stand in settings files, and whether a value has their form: without the
// schemas, for every command reads the settings. Why something is refused, the schemas say. Pure.

import { type EventKind, EVENTS } from "../task/event.ts";
import { FAILURE_CLASSES } from "../task/fields.ts";

/** A program that is run when something has happened. */
export interface HookEntry {
  /** Events, and `failed:CLASS`. */
  on: string[];
  /** The program and its arguments. */
  run: string[];
  /** Seconds that it may take. */
  timeout?: number;
  name?: string;
}

/** How a webhook's message is written. */
export const WEBHOOK_FORMATS = ["standard", "slack", "discord", "ntfy"] as const;

/** How a webhook's message is written. */
export type WebhookFormat = typeof WEBHOOK_FORMATS[number];

/** An address that is told when something has happened. */
export interface WebhookEntry {
  url: string;
  /** Events, and `failed:CLASS`. */
  on?: string[];
  format?: WebhookFormat;
  /** Environment variables that hold secrets to sign with. */
  secretEnv?: string | string[];
  /** Files that hold them, relative to the root. */
  secretFile?: string | string[];
  name?: string;
}

/** What a subscriber is told that does not say of what. */
export const USUAL: readonly string[] = [
  "complete",
  "failed",
  "cancelled",
  "needs-input",
  "drained",
  "lane-paused",
].filter((name) => Object.hasOwn(EVENTS, name));
/** Of what traces tell. */
export const ENDS: readonly string[] = ["complete", "failed", "cancelled"];

/** Whether one of some kinds of events may be among those that a subscriber wants. */
export function mayWant(on: readonly string[], kinds: ReadonlySet<EventKind>): boolean {
  return on.some((name) => kinds.has(name.split(":", 1)[0] as EventKind));
}

/** What a hook or a webhook may be called; a folder has the same name. */
export const NAME = /^[a-zA-Z0-9][a-zA-Z0-9._-]{0,40}$/;
/** Names of environment variables. */
export const VARIABLE = /^[A-Za-z_][A-Za-z0-9_]{0,200}$/;
/** A file that may be named: Deno would take a comma for the end of its name. */
export const SECRET_FILE = /^[^\0,]{1,4096}$/;
/** A hook may not take longer, seconds. */
export const LONGEST_HOOK = 86_400;

/** Whether a text names an event, or the failures of one class. */
export function isSubscribable(text: unknown): text is string {
  if (typeof text !== "string") return false;
  const [event, kind, ...more] = text.split(":");
  return Object.hasOwn(EVENTS, event!) && more.length === 0 &&
    (kind === undefined ||
      (event === "failed" && (FAILURE_CLASSES as readonly string[]).includes(kind)));
}

/** Whether a text is an address that can be told something. */
export function isAddress(text: unknown): text is string {
  if (typeof text !== "string" || text.length > 4096) return false;
  const url = URL.parse(text);
  return url !== null && (url.protocol === "http:" || url.protocol === "https:") &&
    url.hostname !== "";
}

/** Whether a value is a JSON object. */
export const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value);
const isMatch = (pattern: RegExp) => (value: unknown) =>
  typeof value === "string" && pattern.test(value);
const isOneOrSome = (pattern: RegExp) => (value: unknown) =>
  Array.isArray(value)
    ? value.length > 0 && value.every(isMatch(pattern))
    : isMatch(pattern)(value);
const areEvents = (value: unknown): value is string[] =>
  Array.isArray(value) && value.length > 0 && value.every(isSubscribable);

type Forms<T> = Readonly<Record<keyof T, (value: unknown) => boolean>>;

const HOOK: Forms<HookEntry> = {
  on: areEvents,
  run: (value) =>
    Array.isArray(value) && value.length > 0 && value[0] !== "" && value.every(isMatch(/^[^\0]*$/)),
  timeout: (value) => typeof value === "number" && value > 0 && value <= LONGEST_HOOK,
  name: isMatch(NAME),
};

const WEBHOOK: Forms<WebhookEntry> = {
  url: isAddress,
  on: areEvents,
  format: (value) => (WEBHOOK_FORMATS as readonly unknown[]).includes(value),
  secretEnv: isOneOrSome(VARIABLE),
  secretFile: isOneOrSome(SECRET_FILE),
  name: isMatch(NAME),
};

function has<T>(forms: Forms<T>, needed: readonly string[], value: unknown): value is T {
  return isObject(value) && needed.every((name) => Object.hasOwn(value, name)) &&
    Object.entries(value).every(([name, field]) =>
      Object.hasOwn(forms, name) && forms[name as keyof T](field)
    );
}

/** Whether no two of some entries have one name. */
export function areNamesUnique(entries: unknown): boolean {
  const names = (entries as readonly { name?: string }[])
    .flatMap(({ name }) => name?.toLowerCase() ?? []);
  return new Set(names).size === names.length;
}

/** Whether a value is a list of hooks. */
export function areHooks(value: unknown): value is HookEntry[] {
  return Array.isArray(value) && value.every((item) => has(HOOK, ["on", "run"], item)) &&
    areNamesUnique(value);
}

/** Whether a value is a list of webhooks. */
export function areWebhooks(value: unknown): value is WebhookEntry[] {
  return Array.isArray(value) && value.every((item) => has(WEBHOOK, ["url"], item)) &&
    areNamesUnique(value);
}

/** Whether a value says of which events the desktop is told. */
export function isDesktop(value: unknown): value is boolean | string[] {
  return typeof value === "boolean" || areEvents(value);
}

/** Whether a value says where traces go. */
export function isEndpoint(value: unknown): value is string | null {
  return value === null || isAddress(value);
}
