// Reads the settings of a workspace, `.orchestra/config.json`, over the user's own. Both files are
// optional; their schema is loaded only for a text that has not passed it before, for it costs start-up
// time. What is wrong with the user's file is a warning, and never costs a workspace its own settings; but
// limits that cannot be told from it hold everything up, unless they were told to this process before.

import { OrchestraError } from "../task/error.ts";
import { lstat } from "../store/files.ts";
import { userSettingsPath } from "../store/owner.ts";
import type { Store } from "../store/tasks.ts";
import type { EventKind } from "../task/event.ts";
import { FAILURE_CLASSES } from "../task/fields.ts";
import type { Origin, SettingsWarning } from "../task/settings.ts";
import { isOverlapRule } from "../decide/overlap.ts";
import { firstUnread, type MachineLimits } from "../decide/room.ts";
import { type Config, DEFAULT_CONFIG, USER_ABOUT } from "./config_fields.ts";
import {
  areHooks,
  areWebhooks,
  ENDS,
  isDesktop,
  isEndpoint,
  isObject,
  mayWant,
  USUAL,
} from "./subscriber_shape.ts";
import { parseObject, readUserSettingsText, userPaths, type UserText } from "./user.ts";
import { readVerdict } from "./verdict.ts";
import { isAuthor, isBranchPattern, isDirty, isFolderPath, isSetup } from "./worktree_shape.ts";

/** Path of the settings file. */
export function configPath(store: Store): string {
  return `${store.dir}/config.json`;
}

/** The settings of a workspace as they hold, and what in the files is of no use. */
export interface Settings {
  readonly config: Config;
  /** Where what is set stands, by name; what is not among them is a default. */
  readonly origins: Readonly<Record<string, Origin>>;
  /** Limits across workspaces, which the user's own settings alone may set; null for none. */
  readonly limits: MachineLimits | null;
  readonly warnings: readonly SettingsWarning[];
  /** Why what the user's file said before holds in place of what it says now; null where it does not. */
  readonly stale: string | null;
}

const DEFAULTS: Settings = {
  config: DEFAULT_CONFIG,
  origins: {},
  limits: null,
  warnings: [],
  stale: null,
};

/** What the user's file set when its limits could last be told, for who reads it again and again. */
const lastSound = new WeakMap<Store, Read>();

/** What the texts said when they were last read through a store: most often they still say so. */
const last = new WeakMap<
  Store,
  { readonly text: string | undefined; readonly user: string; readonly settings: Settings }
>();

/**
 * The settings of a workspace over those of the user, defaults filled in. The files are read anew each
 * time.
 *
 * @throws OrchestraError `config` where the workspace's file is malformed or a setting has a wrong value
 */
export async function loadConfig(store: Store): Promise<Settings> {
  const text = store.readFile(configPath(store));
  const users = readUserSettingsText();
  if (text === undefined && users === undefined) {
    lastSound.delete(store);
    return DEFAULTS;
  }
  const user = JSON.stringify(users);
  const before = last.get(store);
  if (before !== undefined && before.text === text && before.user === user) return before.settings;
  const own = text === undefined ? NOTHING : await readOwn(store, text);
  const { below, stale } = await readBelow(store, users);
  const settings: Settings = {
    config: overlay(overlay(DEFAULT_CONFIG, below.known), own.known),
    origins: {
      ...originsOf(below.known, "user"),
      ...originsOf(own.known, "workspace"),
    },
    limits: below.limits,
    warnings: [...own.warnings, ...below.warnings],
    stale,
  };
  last.set(store, { text, user, settings });
  return settings;
}

/** What the user's own settings set; what they set before, where their limits cannot be told now. */
async function readBelow(
  store: Store,
  users: UserText | undefined,
): Promise<{ below: Read; stale: string | null }> {
  if (users === undefined) {
    lastSound.delete(store);
    return { below: NOTHING, stale: null };
  }
  const now = await readUsers(store, users);
  const unread = firstUnread(now.limits);
  if (unread === undefined) lastSound.set(store, now);
  const sound = unread === undefined ? undefined : lastSound.get(store);
  if (unread === undefined || sound === undefined) return { below: now, stale: null };
  const stale = `The limits in ${unread.path} cannot be read, the last good settings hold: ` +
    unread.problem;
  return { below: { ...sound, warnings: now.warnings }, stale };
}

/** The limits of the user's own settings, for who goes on while those of the workspace are broken. */
export async function loadUserLimits(store: Store): Promise<MachineLimits | null> {
  return (await readBelow(store, readUserSettingsText())).below.limits;
}

/** Why the settings of a workspace cannot be read, a sentence; null where they can. */
export async function configProblem(store: Store): Promise<string | null> {
  try {
    await loadConfig(store);
    return null;
  } catch (error) {
    return error instanceof OrchestraError ? error.message : null;
  }
}

/** Where what is set stood when settings were last read through a store. */
export function originsIn(store: Store): Settings["origins"] {
  return last.get(store)?.settings.origins ?? {};
}

/** What one file sets. */
interface Read extends Pick<Settings, "limits" | "warnings"> {
  readonly known: Readonly<Record<string, unknown>>;
}

const NOTHING: Read = { known: {}, limits: null, warnings: [] };

async function readOwn(store: Store, text: string): Promise<Read> {
  const { known, warnings } = pickKnown(parseJsonFile(text, ".orchestra/config.json"));
  const config = fillIn(known, DEFAULT_CONFIG);
  const verdict = readVerdict(store, "config", text);
  if (!verdict.passed || config === undefined) {
    const { parseConfig } = await import("./schemas.ts");
    parseConfig(known);
    verdict.keep();
  }
  return { known: config === undefined ? {} : known as Read["known"], limits: null, warnings };
}

/** What the user's settings set, setting by setting: one that is wrong costs none of the others. */
async function readUsers(store: Store, read: UserText): Promise<Read> {
  const { readLimits, unreadLimits } = await import("./limits.ts");
  const path = userPaths()?.settings ?? "settings.json";
  const value = "problem" in read ? read : parseObject(read.text);
  if ("problem" in value && typeof value.problem === "string") {
    const problem = `it ${value.problem}; nothing in it counts`;
    return {
      known: {},
      limits: unreadLimits(path, `it ${value.problem}`),
      warnings: [{ kind: "user-problem", problem }],
    };
  }
  const settings = value as Record<string, unknown>;
  const own = Object.entries(settings).filter(([name]) => !Object.hasOwn(USER_ABOUT, name));
  const picked = pickKnown(Object.fromEntries(own), "user");
  const warnings = [...picked.warnings];
  const { limits, problems } = readLimits(settings, path);
  for (const problem of problems) {
    warnings.push({
      kind: "user-problem",
      problem: `${problem}; until it is mended, no agent that it may be for is launched`,
    });
  }
  const verdict = readVerdict(store, "user-config", (read as { text: string }).text);
  const known: Record<string, unknown> = {};
  for (const [name, given] of Object.entries(picked.known as Record<string, unknown>)) {
    // lib/settings/subscribers.ts reads, checks and adds them: it must know whose each is.
    if (SUBSCRIBERS.includes(name)) continue;
    const isShaped = fillIn({ [name]: given }, DEFAULT_CONFIG) !== undefined;
    const problem = verdict.passed && isShaped ? undefined : await settingProblem(name, given);
    if (isShaped && problem === undefined) known[name] = given;
    else {
      warnings.push({ kind: "user-problem", problem: `${problem ?? name}: it does not count` });
    }
  }
  if (warnings.length === 0) verdict.keep();
  return { known, limits, warnings };
}

/** Settings of which the user's are not below a workspace's but beside them. */
const SUBSCRIBERS: readonly string[] = ["hooks", "webhooks", "notify", "otlp"];

async function settingProblem(name: string, value: unknown): Promise<string | undefined> {
  const { configIssue, describeIssue } = await import("./schemas.ts");
  const issue = configIssue({ [name]: value });
  return issue === undefined ? undefined : describeIssue(issue).text;
}

/** Settings with others over them, name by name, groups of settings too. */
function overlay<T extends object>(below: T, above: Readonly<Record<string, unknown>>): T {
  const merged = { ...below } as Record<string, unknown>;
  for (const [name, value] of Object.entries(above)) {
    const usual: unknown = below[name as keyof T];
    merged[name] = isObject(usual) && isObject(value) ? overlay(usual, value) : value;
  }
  return merged as T;
}

/** The names of what is set. */
function originsOf(known: Read["known"], origin: Origin, prefix = ""): Record<string, Origin> {
  const origins: Record<string, Origin> = {};
  for (const [name, value] of Object.entries(known)) {
    if (isObject(value)) Object.assign(origins, originsOf(value, origin, `${prefix}${name}.`));
    else origins[prefix + name] = origin;
  }
  return origins;
}

/**
 * Whether anybody may want to be told of what happens here. It costs a look at two files: who they are is
 * asked only where this is so.
 *
 * @param config the settings; as they were last read where absent
 * @param kinds of what has happened; anything where absent
 */
export function mayTell(
  store: Store,
  config = last.get(store)?.settings.config,
  kinds?: ReadonlySet<EventKind>,
): boolean {
  const isOf = (on: readonly string[] = USUAL) => kinds === undefined || mayWant(on, kinds);
  const { hooks, webhooks, notify, otlp } = config ?? DEFAULT_CONFIG;
  if (hooks.some(({ on }) => isOf(on)) || webhooks.some(({ on }) => isOf(on))) return true;
  const { desktop } = notify;
  if (desktop !== false && isOf(desktop === true ? USUAL : desktop)) return true;
  if (otlp.endpoint !== null && isOf(ENDS)) return true;
  if (config === undefined && lstat(configPath(store)) !== undefined) return true;
  if (lstat(`${store.root}/.orchestra-cli/config.json`) !== undefined) return true;
  try {
    const path = userSettingsPath();
    if (path !== undefined && lstat(path) !== undefined) return true;
    return Boolean(Deno.env.get("OTEL_EXPORTER_OTLP_ENDPOINT")) && isOf(ENDS);
  } catch {
    // Not for us to look at: as if there were none.
    return false;
  }
}

/** The part of a settings file that has an effect, and what was left out. */
export function pickKnown(
  file: unknown,
  origin?: "user",
): { known: unknown; warnings: SettingsWarning[] } {
  const warnings: SettingsWarning[] = [];
  const pick = (value: unknown, defaults: object, prefix: string): unknown => {
    if (!isObject(value)) return value;
    const known: Record<string, unknown> = {};
    for (const [name, item] of Object.entries(value)) {
      const key = prefix + name;
      if (!Object.hasOwn(defaults, name)) {
        warnings.push(
          Object.hasOwn(USER_ABOUT, key)
            ? { kind: "users-only", key }
            : origin === undefined
            ? { kind: "unknown-key", key }
            : { kind: "unknown-key", key, origin },
        );
      } else if (key === "archive.archive_dir") {
        if (!isOwnArchive(item)) warnings.push({ kind: "archive-dir", value: item });
      } else {
        const inner: unknown = defaults[name as keyof typeof defaults];
        known[name] = isObject(inner) ? pick(item, inner, `${key}.`) : item;
      }
    }
    return known;
  };
  return { known: pick(file, DEFAULT_CONFIG, ""), warnings };
}

/** However it is spelled. */
function isOwnArchive(value: unknown): boolean {
  return typeof value === "string" &&
    value.replace(/^\.\//, "").replace(/\/+$/, "") === DEFAULT_CONFIG.archive.archive_dir;
}

/** Settings whose default does not tell of which kind they are. */
const FORMS: Readonly<Record<string, (value: unknown) => boolean>> = {
  hooks: areHooks,
  webhooks: areWebhooks,
  "notify.desktop": isDesktop,
  "otlp.endpoint": isEndpoint,
  overlap: isOverlapRule,
  "worktrees.branch": isBranchPattern,
  "worktrees.folder": (value) => value === null || isFolderPath(value),
  "worktrees.author": (value) => value === null || isAuthor(value),
  "worktrees.dirty": isDirty,
  "worktrees.setup": (value) => value === null || isSetup(value),
};

/**
 * Settings over their defaults. Only what has the kind of its default is taken; undefined where
 * something has not, and the schema will say what.
 */
function fillIn<T extends object>(known: unknown, defaults: T, prefix = ""): T | undefined {
  if (!isObject(known)) return undefined;
  const filled = { ...defaults } as Record<string, unknown>;
  for (const [name, value] of Object.entries(known)) {
    const usual: unknown = defaults[name as keyof T];
    const isOf = FORMS[prefix + name] ?? ((given: unknown) => isLike(given, usual));
    const taken = isObject(usual)
      ? fillIn(value, usual, `${prefix}${name}.`)
      : isOf(value)
      ? value
      : undefined;
    if (taken === undefined) return undefined;
    filled[name] = taken;
  }
  return filled as T;
}

/** Whether a value is of the kind of a default; null is the default of what may be a number. */
function isLike(value: unknown, usual: unknown): boolean {
  if (Array.isArray(usual)) {
    return Array.isArray(value) && value.every((item) => FAILURE_CLASSES.includes(item));
  }
  return usual === null
    ? value === null || isLike(value, 0)
    : typeof value === typeof usual && (typeof value !== "number" || (value >= 0 && value < 1e12));
}

/** A JSON file's value, or an error that names the file. */
export function parseJsonFile(text: string, name: string): unknown {
  try {
    return JSON.parse(text.replace(/^\uFEFF/, ""));
  } catch (error) {
    throw new OrchestraError("config", `Reading ${name}: it is not valid JSON`, {
      hint: error instanceof Error ? `${error.message}.` : undefined,
    });
  }
}
