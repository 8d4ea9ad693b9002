// Reads the settings of a workspace, `.orchestra/config.json`. The file is optional; its schema is
// loaded only for a text that has not passed it before, for it costs start-up time.

import { OrchestraError } from "../task/error.ts";
import { lstat } from "../store/files.ts";
import { userSettingsPath } from "../store/owner.ts";
import type { Store } from "../store/tasks.ts";
import type { EventKind } from "../task/event.ts";
import { FAILURE_CLASSES } from "../task/fields.ts";
import type { SettingsWarning } from "../task/settings.ts";
import { type Config, DEFAULT_CONFIG } from "./config_fields.ts";
import {
  areHooks,
  areWebhooks,
  ENDS,
  isDesktop,
  isEndpoint,
  mayWant,
  USUAL,
} from "./subscriber_shape.ts";
import { readVerdict } from "./verdict.ts";

/** Path of the settings file. */
export function configPath(store: Store): string {
  return `${store.dir}/config.json`;
}

/** The settings of a workspace, and what in its file is of no use. */
export interface Settings {
  readonly config: Config;
  readonly warnings: readonly SettingsWarning[];
}

/** What a text said when it was last read through a store: most often it still says so. */
const last = new WeakMap<Store, { readonly text: string; readonly settings: Settings }>();

/**
 * The settings of a workspace, defaults filled in. The file is read anew each time.
 *
 * @throws OrchestraError `config` where the file is malformed or a setting has a wrong value
 */
export async function loadConfig(store: Store): Promise<Settings> {
  const text = store.readFile(configPath(store));
  if (text === undefined) return { config: DEFAULT_CONFIG, warnings: [] };
  const before = last.get(store);
  if (before?.text === text) return before.settings;
  const { known, warnings } = pickKnown(parseJsonFile(text, ".orchestra/config.json"));
  const config = fillIn(known, DEFAULT_CONFIG);
  const verdict = readVerdict(store, "config", text);
  if (!verdict.passed || config === undefined) {
    const { parseConfig } = await import("./schemas.ts");
    parseConfig(known);
    verdict.keep();
  }
  const settings = { config: config ?? DEFAULT_CONFIG, warnings };
  last.set(store, { text, settings });
  return settings;
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

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** The part of a settings file that has an effect, and what was left out. */
export function pickKnown(file: unknown): { known: unknown; warnings: SettingsWarning[] } {
  const warnings: SettingsWarning[] = [];
  const pick = (value: unknown, defaults: object, prefix: string): unknown => {
    if (!isObject(value)) return value;
    const known: Record<string, unknown> = {};
    for (const [name, item] of Object.entries(value)) {
      const key = prefix + name;
      if (!Object.hasOwn(defaults, name)) warnings.push({ kind: "unknown-key", key });
      else if (key === "archive.archive_dir") {
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
