// What each field of each file means, in words: for the tables of the documentation and for the JSON
// Schemas. Said here once, and not in the program, which has no use for it; the compiler insists on
// every field.

import type { AgentDefinition, RateLimit } from "../lib/task/agent.ts";
import type { HistoryEvent } from "../lib/task/event.ts";
import type { RetryEntry, Task, TaskBranch, TaskResult, Usage } from "../lib/task/fields.ts";
import type { HookEntry, WebhookEntry } from "../lib/settings/subscriber_shape.ts";
import { NEEDED, OPTION_LIST, type OptionName } from "../lib/task/options.ts";

/** What each field of an agent means. */
export const AGENT_ABOUT: Readonly<Record<keyof AgentDefinition, string>> = {
  command: "program to run: a name on `PATH`, or a path (relative ones from the agent's folder)",
  args: "its arguments, with placeholders",
  description: "one line for `orchestra agents`",
  promptTemplate: "template of the prompt, with placeholders",
  promptTemplateFile: "file of the template, relative to the workspace root; wins over the former",
  stdin: "text for its standard input, with placeholders; nothing (`/dev/null`) where absent",
  env: "environment variables to set, with placeholders",
  passEnv: "names of the variables that it inherits, beside the basic ones; all where absent",
  cwd: "folder it runs in, with placeholders; must lie inside the workspace root, the default",
  completion: "how its end is known: `sentinel` (the default), `exit` or `auto`",
  verify: "command that must exit with 0 before a success counts",
  worktree: "whether its tasks work in a git worktree each, where they do not say",
  setup:
    "command that makes a fresh worktree ready, a line or a list, instead of that of the settings",
  timeout: "seconds a task may run, for tasks that have no limit of their own",
  idleTimeout: "seconds without output after which a task is ended, likewise",
  maxConcurrent: "most of its tasks at once",
  provider: "who counts what it uses, a word: its limits and pauses hold in all workspaces",
  retryOn: "failure classes that are retried, instead of `retry.on` of the settings",
  rateLimit: "how a quota that is used up shows in its output",
  fallback: "agents that may take its work over while its quota is used up",
  budget: "most that one task may cost, US dollars, where `usage` tells the cost",
  usage:
    "whose form of events it prints, for tokens and cost: that of `claude` also for Qwen Code and Amp",
  resume:
    "arguments in place of `args` that go on in a session, with `{sessionId}`: for `retry --resume`",
  versionArgs: "arguments that make it print its version; `--version` where absent",
};

/** What each field of an agent's `rateLimit` means. */
export const RATE_LIMIT_ABOUT: Readonly<Record<keyof RateLimit, string>> = {
  patterns: "regular expressions; one that matches a line of the output suffices",
  resetPattern: "regular expression whose first group is the time of the reset, or a wait",
  cooldown: "seconds to pause where the output tells no time",
};

/** What each option means: that is said in the table that they come from. */
const OPTIONS_ABOUT = Object.fromEntries(
  OPTION_LIST.map(([name, { about, kind }]) => [
    name,
    kind.field === "seconds?" ? `${about}, seconds` : about,
  ]),
) as Readonly<Record<OptionName, string>>;

/** What each field of a line of `start --from` means. */
export const IMPORT_ABOUT: Readonly<Record<string, string>> = {
  ...Object.fromEntries(Object.entries(NEEDED).map(([name, { about }]) => [name, about])),
  ...Object.fromEntries(OPTION_LIST.map(([name, { about }]) => [name, about])),
};

/** What each field of a line of the history means. */
export const EVENT_ABOUT: Readonly<Record<keyof HistoryEvent, string>> = {
  key: "the same for the same event, whatever was killed: what is told twice is known by it",
  time: "when it happened",
  event: "what happened, see below",
  task: "id of the task; absent where it is about the queue",
  claim: "number of the launch; 0 before the first",
  agent: "agent that has the task, or whose lane it is",
  chain: "id of the first attempt, where it is another task",
  attempt: "number of the attempt, from 1",
  follows: "id of the attempt before it, of a retry",
  title:
    "first line of the prompt, at most 200 characters; of `queued`, `retried`, `launched` and ends",
  labels: "labels of the task, where it has any",
  class: "kind of failure, as in the task's `failureClass`",
  error: "why it failed, at most 200 characters",
  exitCode: "exit code of the agent",
  waited: "seconds from its queueing to its launch",
  ran: "seconds from its launch to its end",
  usage: "what its agent says it consumed, as in the task, without the session",
  until: "until when a lane is paused",
  retryAt: "when it is retried by itself; absent where this failure is the last word",
  taskKey: "key that its user gave the task, where it has one",
  ended:
    "of `drained`: how many tasks ended since it was told before: `complete`, `failed`, `cancelled`",
};

/** What each field of a task file means. */
export const TASK_ABOUT: Readonly<Record<keyof Task, string>> = {
  taskId: "`task_`, the creation time in milliseconds, three digits by chance",
  status: "pending, running, complete, failed or cancelled",
  agent: "name of the agent in `agent-config.json`",
  prompt: "what the agent is asked to do",
  ...OPTIONS_ABOUT,
  planFile: "plan, relative to the workspace root",
  logFile: "log, relative to the workspace root",
  createdAt: "when it was queued",
  startedAt: "when its agent was last claimed for launch",
  completedAt: "when it ended, as the sign of its end tells",
  timedOutAt: "when its time ran out",
  retriedAt: "when its successor was queued",
  pid: "process of the launch shim, leader of its session",
  errorMessage: "why it failed, one line",
  retryCount: "how many retries came before it",
  retryHistory: "the earlier attempts",
  parentTaskId: "first attempt of the chain",
  retriedBy: "its successor",
  blockedBy: "as the ancestor wrote it; derived here",
  blockedReason: "as the ancestor wrote it; derived here",
  exitCode: "exit code of the agent",
  failureClass: "what kind of failure",
  errorDetails: "what the agent added to its error",
  claim: "number of the current or last launch",
  verifyClaim: "how often a verify command was ordered; the number in the name of its pid file",
  verifyAt: "when the verify command of the current launch was ordered",
  setupClaim: "how often the set-up command was ordered; the number in the name of its pid file",
  setupAt: "when the set-up command was ordered that the agent is launched after; else null",
  asleep: "seconds since its start in which the machine slept; they count against no limit",
  wokeAt: "when the machine was last found to have slept",
  retryAt: "when it is due to be retried",
  reapAt: "settled, and what still lives is ended from then",
  laneUntil: "its agent is paused until then",
  notBefore: "launched no earlier than this; not believed where it is more than 31 days ahead",
  result: "what the agent said of its work",
  usage: "what the agent says it consumed",
  git: "branch and worktree that it works on",
  resumes: "session of an earlier attempt's agent that it goes on in",
  schemaVersion: "version of this file's form",
};

/** What each field of an entry of `retryHistory` means. */
export const ATTEMPT_ABOUT: Readonly<Record<keyof RetryEntry, string>> = {
  attempt: "number of the retry that followed, from 1",
  timestamp: "when that retry was queued",
  error: "what the attempt ended with",
  retriedFrom: "id of the attempt",
};

/** What each field of `result` means, which is also what a `.done` file may say. */
export const RESULT_ABOUT: Readonly<Record<keyof TaskResult, string>> = {
  summary: "what was done, in one or two sentences",
  files: "paths of what was made",
};

/** What each field of `usage` means. */
export const USAGE_ABOUT: Readonly<Record<keyof Usage, string>> = {
  inputTokens: "tokens read, cached ones included",
  outputTokens: "tokens written, reasoning included",
  cachedTokens: "of the input tokens, those served from a cache",
  costUsd: "US dollars",
  turns: "turns of the conversation",
  model: "model that answered",
  sessionId: "session of the agent, for resuming it",
};

/** What each field of `git` means. */
export const BRANCH_ABOUT: Readonly<Record<keyof TaskBranch, string>> = {
  branch: "name of the branch, without `refs/heads/`",
  base: "commit that it began from",
  path: "absolute path of the worktree; believed only where git has a worktree there for this task",
  folder: "folder in it where the agent works, relative to `path`; empty for its top",
  tip: "commit at its end; null until what the agent left is committed",
  files: "how many files changed between base and tip; null until then",
  insertions: "lines added",
  deletions: "lines removed",
  paths: "which files changed, the first thousand in order; absent until then",
  left: "why the worktree stays when the task is over; null where it does not, or is not over",
};

/** What each field of an `.error` file means. */
export const ERROR_ABOUT = {
  error: "what went wrong, in one line",
  details: "what the next attempt should know: a text, or any other value",
  timestamp: "when it happened; not read by Orchestra",
} as const;

/** What the groups of settings mean; the settings themselves are in lib/settings/config.ts. */
export const CONFIG_GROUP_ABOUT: Readonly<Record<string, string>> = {
  worktrees: "how worktrees of tasks are made",
  retry: "which failures are retried, and after what waits",
  archive: "when the daemon archives what is finished",
  history: "how much of what happened is kept",
  notify: "notifications where the user sits",
  otlp: "traces for OpenTelemetry",
};

/** What each key of a hook means. */
export const HOOK_ABOUT: Readonly<Record<keyof HookEntry, string>> = {
  on: "events it is run for, or `failed:CLASS`",
  run: "program and arguments; no shell reads them",
  timeout: "seconds after which it is ended; 30 where absent",
  name: "what it is called; after its program where absent, as `notify-send-3f2a`",
};

/** What each key of a webhook means. */
export const WEBHOOK_ABOUT: Readonly<Record<keyof WebhookEntry, string>> = {
  url: "address that is told, http or https",
  on: "events it is told of, or `failed:CLASS`; ends, pauses and a queue at rest where absent",
  format: "what the receiver takes: `standard` (where absent), `slack`, `discord` or `ntfy`",
  secretEnv: "variable with the secret that messages are signed with, or a list of such",
  secretFile: "file with the secret, relative to the workspace root, or a list of such",
  name: "what it is called; after its host where absent, as `hooks.slack.com-3f2a`",
};
