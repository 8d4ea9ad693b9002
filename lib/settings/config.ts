// Settings of a workspace, `.orchestra/config.json`: their names, defaults and meaning. The file
// is optional; its schema is loaded only where there is one, for it costs start-up time.

import { parseCached } from "../store/cache.ts";
import { OrchestraError } from "../task/error.ts";
import type { Store } from "../store/tasks.ts";
import type { FailureClass } from "../task/fields.ts";

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

/**
 * The settings of a workspace, defaults filled in.
 *
 * @throws OrchestraError `config` where the file is malformed or has an unknown key
 */
export async function loadConfig(store: Store): Promise<Config> {
  const text = store.readFile(configPath(store));
  if (text === undefined) return DEFAULT_CONFIG;
  return await parseCached(store, "config", text, async () => {
    const { parseConfig } = await import("./schemas.ts");
    return parseConfig(parseJsonFile(text, ".orchestra/config.json"));
  });
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
