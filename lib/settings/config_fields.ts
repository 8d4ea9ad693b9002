// The settings of a workspace: their names, defaults and meaning.

import type { OverlapRule } from "../decide/overlap.ts";
import type { FailureClass } from "../task/fields.ts";
import type { Dirty } from "../task/options.ts";
import type { HookEntry, WebhookEntry } from "./subscriber_shape.ts";

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
  answer_grace: number;
  supervise: boolean;
  debug_log: boolean;
  overlap: OverlapRule;
  worktree: boolean;
  worktrees: {
    branch: string;
    folder: string | null;
    author: string | null;
    dirty: Dirty;
    setup: string | string[] | null;
    setup_timeout: number;
  };
  retry: {
    base: number;
    factor: number;
    cap: number;
    jitter: boolean;
    on: FailureClass[];
    handovers: number;
  };
  archive: {
    enabled: boolean;
    max_completed_age_days: number;
    max_failed_age_days: number;
    max_queue_size: number;
    archive_dir: string;
  };
  history: {
    max_age_days: number;
    max_size_mb: number;
  };
  hooks: HookEntry[];
  webhooks: WebhookEntry[];
  notify: {
    desktop: boolean | string[];
    terminal: boolean;
  };
  otlp: {
    endpoint: string | null;
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
  answer_grace: 60,
  supervise: true,
  debug_log: false,
  overlap: "allow",
  worktree: false,
  worktrees: {
    branch: "orchestra/{taskId}",
    folder: null,
    author: null,
    dirty: "ignore",
    setup: null,
    setup_timeout: 600,
  },
  retry: {
    base: 1,
    factor: 2,
    cap: 3600,
    jitter: true,
    on: ["exit", "agent-error", "no-signal", "timeout", "idle", "verify", "lost"],
    handovers: 20,
  },
  archive: {
    enabled: true,
    max_completed_age_days: 7,
    max_failed_age_days: 14,
    max_queue_size: 1000,
    archive_dir: ".orchestra/archive",
  },
  history: {
    max_age_days: 365,
    max_size_mb: 100,
  },
  hooks: [],
  webhooks: [],
  notify: {
    desktop: false,
    terminal: false,
  },
  otlp: {
    endpoint: null,
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
  grace_period: "seconds between asking an agent to end and ending it by force",
  answer_grace:
    "seconds that an agent which tells its usage has for its last answer, once it has succeeded",
  supervise: "whether run and status leave a supervisor in the background",
  debug_log: "whether supervisors and daemons tell .orchestra/debug.log what they do",
  overlap: "whether tasks that declare to touch the same files may run at once: allow or serialize",
  worktree:
    "whether a task works in a git worktree of its own, unless it or its agent says otherwise",
  "worktrees.branch": "name of a task's branch, with {taskId} in it",
  "worktrees.folder":
    "folder for worktrees, relative to the top of the repository, or null for one of the user's own",
  "worktrees.author": 'who commits what an agent left, "Name <mail>", or null for git\'s own user',
  "worktrees.dirty": "what becomes of your uncommitted changes: ignore, carry or refuse",
  "worktrees.setup":
    "command that makes a fresh worktree ready before the agent is launched, a line or a list, or null",
  "worktrees.setup_timeout": "seconds after which that command is ended, and its task fails",
  "retry.base": "seconds before the first retry, at most",
  "retry.factor": "by what each further wait grows",
  "retry.cap": "longest wait before a retry, seconds",
  "retry.jitter": "draw each wait evenly between zero and its full length",
  "retry.on": "failure classes that are retried",
  "retry.handovers": "most times a task is queued anew because a quota is used up",
  "archive.enabled": "whether the daemon archives by itself",
  "archive.max_completed_age_days": "complete tasks older than this are archived",
  "archive.max_failed_age_days": "failed and cancelled tasks older than this are archived",
  "archive.max_queue_size": "beyond this many finished tasks, the oldest are archived",
  "archive.archive_dir": "where archived tasks go; always .orchestra/archive",
  "history.max_age_days": "parts of the history older than this are dropped",
  "history.max_size_mb":
    "its oldest parts are dropped where all of them, compressed, take more, MiB",
  hooks: "programs that are run when something happens: a list of {on, run, timeout?, name?}",
  webhooks: "addresses that are told when something happens: a list of " +
    "{url, on?, format?, secretEnv?, secretFile?, name?}",
  "notify.desktop": "show notifications on the desktop: false, true, or a list of events",
  "notify.terminal": "let status --watch and run --wait notify through the terminal (OSC 9)",
  "otlp.endpoint": "where traces are sent by OTLP/HTTP, or null; also OTEL_EXPORTER_OTLP_ENDPOINT",
};

/** What else the user's own settings say, which a workspace's cannot. */
export const USER_ABOUT: Readonly<Record<string, string>> = {
  limits: "most of each provider's agents in all workspaces: {NAME: {concurrent?, launches?}}",
  machine: "most agents in all workspaces together: {concurrent}",
  serve: "whether the daemon for all workspaces serves the page: true, or the port",
  safe: "workspaces of others that are obeyed; orchestra trust writes it",
  approved: "texts of .orchestra-cli/config.json that count; orchestra trust writes it",
};
