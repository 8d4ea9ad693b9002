// Who is told of what happens: hooks and webhooks from `.orchestra/config.json`, from the user's own
// settings, and from the committed `.orchestra-cli/config.json`, which a stranger may have written and
// which counts only once the user has approved that very text. What is wrong in one of them is said and
// leaves the others alone. Only read, and nothing is kept.

import type { HistoryEvent } from "../task/event.ts";
import { lstat, tryReadRegular } from "../store/files.ts";
import { isObeyed, type Unread, type UserFile, userSettingsPath } from "../store/owner.ts";
import { trimSlash } from "../store/paths.ts";
import type { Store } from "../store/tasks.ts";
import { configPath, originsIn } from "./config.ts";
import type { Config } from "./config_fields.ts";
import {
  areHooks,
  areWebhooks,
  ENDS,
  type HookEntry,
  isDesktop,
  isEndpoint,
  USUAL,
  type WebhookEntry,
  type WebhookFormat,
} from "./subscriber_shape.ts";
import { readUserSettingsText, USER_SETTINGS } from "./user.ts";
import { isSetup } from "./worktree_shape.ts";

/** Which file names a subscriber. */
export type Source = "workspace" | "user" | "committed";

interface Common {
  /** Unique, and the name of its folder in the outbox. */
  readonly name: string;
  readonly source: Source;
  /** Events, and `failed:CLASS`. */
  readonly on: readonly string[];
  /** When the file that names it was last written: what happened before is not told; milliseconds. */
  readonly since: number;
}

/** A program that is run. */
export interface Hook extends Common {
  readonly kind: "hook";
  readonly run: readonly string[];
  /** Seconds. */
  readonly timeout: number;
}

/** The notifications of the desktop. */
export interface Desktop extends Common {
  readonly kind: "desktop";
}

/** An address that is told. */
export interface Webhook extends Common {
  readonly kind: "webhook";
  readonly url: string;
  readonly format: WebhookFormat | "otlp";
  /** Variables and files that hold the secrets to sign with. */
  readonly secretEnv: readonly string[];
  readonly secretFile: readonly string[];
}

/** Who is told. */
export type Subscriber = Hook | Desktop | Webhook;

/** All of them. */
export interface Subscribers {
  readonly active: readonly Subscriber[];
  /** From the committed file, whose text nobody has approved. */
  readonly unapproved: readonly Subscriber[];
  /** What of the files is of no use, a sentence each. */
  readonly problems: readonly string[];
  /** Whether all files could be read: who is not named then is no subscriber any more. */
  readonly whole: boolean;
  /** Whether live views let the terminal notify. */
  readonly terminal: boolean;
}

/** Seconds that a hook may take which does not say so. */
const TIMEOUT = 30;
/** Largest committed file that is read, bytes. */
const LARGEST = 1024 * 1024;

/** Whether a subscriber wants to be told of an event. */
export function wants({ on }: Pick<Subscriber, "on">, event: HistoryEvent): boolean {
  return on.includes(event.event) ||
    (event.class !== undefined && on.includes(`${event.event}:${event.class}`));
}

/** What messages call the committed file. */
const COMMITTED = ".orchestra-cli/config.json";

/** The committed file. */
export function committedPath(root: string): string {
  return `${trimSlash(root)}/${COMMITTED}`;
}

/** What a text is approved by. */
export async function fingerprint(text: string): Promise<string> {
  const digest = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(text));
  return new Uint8Array(digest).toHex();
}

/** Files that subscribers are read from, besides the workspace's own settings. */
export function foreignPaths(root: string): string[] {
  return [committedPath(root), ...userPath() ?? []];
}

/** Where the user's settings are; null where they may not be looked for. */
function userPath(): string[] | null {
  try {
    const path = userSettingsPath();
    return path === undefined ? [] : [path];
  } catch {
    return null;
  }
}

/** What a settings file says of subscribers. */
interface Entries {
  hooks: HookEntry[];
  webhooks: WebhookEntry[];
  desktop?: boolean | string[];
  terminal?: boolean;
  endpoint?: string | null;
  since: number;
}

/** A file's text, and since when it says so. */
type Dated = Pick<UserFile, "text" | "since">;

/** The committed file, which is no link; undefined where there is none. */
function readCommitted(root: string): Dated | Unread | undefined {
  const path = committedPath(root);
  try {
    const since = lstat(path)?.mtime?.getTime() ?? 0;
    const read = tryReadRegular(path, LARGEST, isObeyed);
    return read === undefined || "problem" in read ? read : { text: read.text, since };
  } catch {
    return { problem: "cannot be read" };
  }
}

/** What was read with its value, an object; undefined where there is none, or it is of no use. */
function withValue(
  read: Dated | Unread | undefined,
  name: string,
  problems: string[],
): Dated & { value: Record<string, unknown> } | undefined {
  if (read === undefined) return undefined;
  const refuse = (problem: string) => {
    problems.push(`${name} ${problem}: its hooks and webhooks do not count`);
    return undefined;
  };
  if ("problem" in read) return refuse(read.problem);
  try {
    const value: unknown = JSON.parse(read.text.replace(/^\uFEFF/, ""));
    if (typeof value !== "object" || value === null || Array.isArray(value)) throw new TypeError();
    return { value: value as Record<string, unknown>, text: read.text, since: read.since };
  } catch {
    return refuse("is no JSON object");
  }
}

/** What is sound of a file that no schema has passed. */
async function soundOf(
  value: Record<string, unknown>,
  name: string,
  since: number,
  problems: string[],
): Promise<Entries> {
  const entries: Entries = { hooks: [], webhooks: [], since };
  const refuse = async (key: string, given: unknown) => {
    const { configIssue } = await import("./schemas.ts");
    const issue = configIssue({ [key]: given });
    problems.push(
      issue === undefined
        ? `${name}: "${key}" does not count`
        : `${name}: "${issue.path}" ${issue.requirement ?? "is unknown"}: "${key}" does not count`,
    );
  };
  const { hooks, webhooks, notify, otlp } = value;
  if (areHooks(hooks)) entries.hooks = hooks;
  else if (hooks !== undefined) await refuse("hooks", hooks);
  if (areWebhooks(webhooks)) entries.webhooks = webhooks;
  else if (webhooks !== undefined) await refuse("webhooks", webhooks);
  const { desktop, terminal } = (notify ?? {}) as { desktop?: unknown; terminal?: unknown };
  if (isDesktop(desktop)) entries.desktop = desktop;
  else if (desktop !== undefined) await refuse("notify", notify);
  entries.terminal = terminal === true;
  const endpoint = (otlp as { endpoint?: unknown } | null | undefined)?.endpoint;
  if (isEndpoint(endpoint)) entries.endpoint = endpoint;
  else if (endpoint !== undefined) await refuse("otlp", otlp);
  return entries;
}

/** Says what the user has approved: the fingerprint for a root. */
export function approvedIn(settings: unknown, root: string): string | undefined {
  const approved = (settings as { approved?: unknown } | null)?.approved;
  const found = typeof approved === "object" && approved !== null && Object.hasOwn(approved, root)
    ? (approved as Record<string, unknown>)[root]
    : undefined;
  return typeof found === "string" ? found : undefined;
}

/** The set-up command of the committed file, and whether that text is approved; undefined for none. */
export async function committedSetup(
  root: string,
): Promise<{ setup: string | readonly string[]; approved: boolean } | undefined> {
  const committed = withValue(readCommitted(root), COMMITTED, []);
  const setup = (committed?.value.worktrees as { setup?: unknown } | null | undefined)?.setup;
  if (committed === undefined || !isSetup(setup)) return undefined;
  const user = withValue(readUserSettingsText(), USER_SETTINGS, []);
  const approved = user !== undefined &&
    approvedIn(user.value, root) === await fingerprint(committed.text);
  return { setup, approved };
}

/**
 * All subscribers of a workspace.
 *
 * @param config its settings as they hold
 */
export async function loadSubscribers(
  store: Store,
  config: Pick<Config, "hooks" | "webhooks" | "notify" | "otlp">,
): Promise<Subscribers> {
  const problems: string[] = [];
  const origins = originsIn(store);
  const since = lstat(configPath(store))?.mtime?.getTime() ?? 0;
  const own: Entries = { hooks: config.hooks, webhooks: config.webhooks, since };
  const user = withValue(readUserSettingsText(), USER_SETTINGS, problems);
  const users = user && await soundOf(user.value, USER_SETTINGS, user.since, problems);
  const committed = withValue(readCommitted(store.root), COMMITTED, problems);
  const others = committed && await soundOf(
    { hooks: committed.value.hooks, webhooks: committed.value.webhooks },
    COMMITTED,
    // What happened before it was approved is not told.
    Math.max(committed.since, user?.since ?? 0),
    problems,
  );
  const whole = problems.length === 0 && userPath() !== null;
  const isApproved = committed !== undefined && user !== undefined &&
    approvedIn(user.value, store.root) === await fingerprint(committed.text);
  const names = createNames();
  const active = [
    ...subscribersOf(own, "workspace", names),
    ...(users === undefined ? [] : subscribersOf(users, "user", names)),
  ];
  const stranger = others === undefined ? [] : subscribersOf(others, "committed", names);
  if (isApproved) active.push(...stranger);
  else if (stranger.length > 0) {
    problems.push(
      userPath() === null
        ? "Whether .orchestra-cli/config.json is approved cannot be told with these permissions: " +
          "its hooks and webhooks do not count"
        : "The hooks and webhooks of .orchestra-cli/config.json are not approved, and do not count",
    );
  }
  const { desktop } = config.notify;
  // What the workspace's own file says holds, a no as well.
  const [told, toldSince] = desktop === false && users?.desktop !== undefined &&
      origins["notify.desktop"] !== "workspace"
    ? [users.desktop, users.since]
    : [desktop, since];
  if (told !== false) {
    active.push({
      kind: "desktop",
      name: names.free("desktop"),
      source: told === desktop ? "workspace" : "user",
      on: told === true ? USUAL : told,
      since: toldSince,
    });
  }
  const below = origins["otlp.endpoint"] === "workspace" ? undefined : users?.endpoint;
  const endpoint = config.otlp.endpoint ?? below ?? environmentEndpoint();
  if (endpoint !== undefined) {
    active.push({
      kind: "webhook",
      name: names.free("otlp"),
      source: config.otlp.endpoint === null ? "user" : "workspace",
      on: ENDS,
      since: config.otlp.endpoint === null ? users?.since ?? since : since,
      url: tracesUrl(endpoint),
      format: "otlp",
      secretEnv: [],
      secretFile: [],
    });
  }
  const terminal = config.notify.terminal ||
    (users?.terminal === true && origins["notify.terminal"] !== "workspace");
  return { active, unapproved: isApproved ? [] : stranger, problems, whole, terminal };
}

function environmentEndpoint(): string | undefined {
  try {
    const endpoint = Deno.env.get("OTEL_EXPORTER_OTLP_ENDPOINT");
    return endpoint !== undefined && isEndpoint(endpoint) ? endpoint : undefined;
  } catch {
    return undefined;
  }
}

/** As OTLP/HTTP says: below the path that an endpoint may have; also where it was given whole. */
function tracesUrl(endpoint: string): string {
  const url = new URL(endpoint);
  url.pathname = `${url.pathname.replace(/\/+$/, "").replace(/\/v1\/traces$/, "")}/v1/traces`;
  return url.href;
}

/** Names that are given out once, however they are spelled. */
function createNames() {
  const taken = new Set<string>();
  return {
    free(wanted: string): string {
      for (let number = 1;; number++) {
        const name = number === 1 ? wanted : `${wanted}-${number}`;
        if (taken.has(name.toLowerCase())) continue;
        taken.add(name.toLowerCase());
        return name;
      }
    },
  };
}

function subscribersOf(
  { hooks, webhooks, since }: Entries,
  source: Source,
  names: ReturnType<typeof createNames>,
): Subscriber[] {
  const made: Subscriber[] = [];
  const all = [
    // Named after what they are, and not after their place: another one gets none of what they are owed.
    ...hooks.map((entry) => ({ entry, usual: `${programOf(entry)}-${shortHash(entry.run)}` })),
    ...webhooks.map((entry) => ({ entry, usual: `${hostOf(entry.url)}-${shortHash(entry.url)}` })),
  ];
  // Names that were chosen are not taken by others that were not.
  const chosen = new Map(
    all.flatMap(({ entry }) => entry.name === undefined ? [] : [[entry, names.free(entry.name)]]),
  );
  for (const { entry, usual } of all) {
    const name = chosen.get(entry) ?? names.free(usual);
    if ("run" in entry) {
      const { run, on, timeout = TIMEOUT } = entry;
      made.push({ kind: "hook", name, source, on, since, run, timeout });
    } else {
      const { url, on = USUAL, format = "standard" } = entry;
      const secretEnv = [entry.secretEnv ?? []].flat();
      const secretFile = [entry.secretFile ?? []].flat();
      made.push({ kind: "webhook", name, source, on, since, url, format, secretEnv, secretFile });
    }
  }
  return made;
}

/** What of a text a name may be made of. */
function nameIn(text: string, otherwise: string): string {
  const name = text.replace(/[^a-zA-Z0-9._-]+/g, "-").replace(/^[^a-zA-Z0-9]+/, "");
  return name.slice(0, 32) || otherwise;
}

const hostOf = (url: string) => nameIn(new URL(url).hostname, "webhook");

const programOf = ({ run: [program = ""] }: HookEntry) =>
  nameIn(program.split(Deno.build.os === "windows" ? /[/\\]/ : "/").at(-1)!, "hook");

/** Four letters and digits that tell one from another: FNV-1a. */
function shortHash(value: unknown): string {
  let hash = 0x811c9dc5;
  for (const character of JSON.stringify(value)) {
    hash = Math.imul(hash ^ character.charCodeAt(0), 0x01000193);
  }
  return (hash >>> 0).toString(36).padStart(4, "0").slice(-4);
}
