// Settings of a workspace, `.orchestra/config.json`: their names, defaults and meaning. The file
// is optional; its schema is loaded only for a text that has not passed it before, for it costs
// start-up time.

import { OrchestraError } from "../task/error.ts";
import type { Store } from "../store/tasks.ts";
import { FAILURE_CLASSES, type FailureClass } from "../task/fields.ts";
import type { SettingsWarning } from "../task/settings.ts";
import { readVerdict } from "./verdict.ts";

/** All settings. Names are spelled as the ancestor spelled them, with underscores. */
export interface Config {
  max_concurrent: number;
  interval: number;
  max_retries: number;
  auto_retry: boolean;
  priority: number;
  timeout: number | null;
  timeout_warning: number | null;
  idle_timeout: number | null;
  grace_period: number;
  supervise: boolean;
  debug_log: boolean;
  retry: {
    base: number;
    factor: number;
    cap: number;
    jitter: boolean;
    on: FailureClass[];
  };
  archive: {
    enabled: boolean;
    max_completed_age_days: number;
    max_failed_age_days: number;
    max_queue_size: number;
    archive_dir: string;
  };
}

/** What holds where the file says nothing. */
export const DEFAULT_CONFIG: Config = {
  max_concurrent: 3,
  interval: 5,
  max_retries: 3,
  auto_retry: false,
  priority: 5,
  timeout: null,
  timeout_warning: null,
  idle_timeout: null,
  grace_period: 5,
  supervise: true,
  debug_log: false,
  retry: {
    base: 1,
    factor: 2,
    cap: 3600,
    jitter: true,
    on: ["exit", "agent-error", "no-signal", "timeout", "idle", "verify", "lost"],
  },
  archive: {
    enabled: true,
    max_completed_age_days: 7,
    max_failed_age_days: 14,
    max_queue_size: 1000,
    archive_dir: ".orchestra/archive",
  },
};

/** What each setting means, in the order in which they are shown. */
export const CONFIG_ABOUT: Readonly<Record<string, string>> = {
  max_concurrent: "how many tasks run at once: by the daemon, run --all and the library",
  interval: "seconds between the daemon's safety rescans",
  max_retries: "most retries of a new task, unless --max-retries says otherwise",
  auto_retry: "whether new tasks are retried by themselves",
  priority: "priority of a new task, 1 to 10",
  timeout: "seconds a new task may run, or null for no limit",
  timeout_warning: "seconds before its timeout at which a task is shown with a warning",
  idle_timeout: "seconds without output after which a task is ended, or null",
  grace_period: "seconds between asking an agent to end (SIGTERM) and ending it (SIGKILL)",
  supervise: "whether run and status leave a supervisor in the background",
  debug_log: "whether supervisors and daemons tell .orchestra/debug.log what they do",
  "retry.base": "seconds before the first retry, at most",
  "retry.factor": "by what each further wait grows",
  "retry.cap": "longest wait before a retry, seconds",
  "retry.jitter": "draw each wait evenly between zero and its full length",
  "retry.on": "failure classes that are retried",
  "archive.enabled": "whether the daemon archives by itself",
  "archive.max_completed_age_days": "complete tasks older than this are archived",
  "archive.max_failed_age_days": "failed and cancelled tasks older than this are archived",
  "archive.max_queue_size": "beyond this many finished tasks, the oldest are archived",
  "archive.archive_dir": "where archived tasks go; always .orchestra/archive",
};

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
  const verdict = await readVerdict(store, "config", text);
  if (!verdict.passed || config === undefined) {
    const { parseConfig } = await import("./schemas.ts");
    parseConfig(known);
    verdict.keep();
  }
  const settings = { config: config ?? DEFAULT_CONFIG, warnings };
  last.set(store, { text, settings });
  return settings;
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

/**
 * Settings over their defaults. Only what has the kind of its default is taken; undefined where
 * something has not, and the schema will say what.
 */
function fillIn<T extends object>(known: unknown, defaults: T): T | undefined {
  if (!isObject(known)) return undefined;
  const filled = { ...defaults } as Record<string, unknown>;
  for (const [name, value] of Object.entries(known)) {
    const usual: unknown = defaults[name as keyof T];
    const taken = isObject(usual) ? fillIn(value, usual) : isLike(value, usual) ? value : undefined;
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
