// From a task and its agent's definition to what is launched: prompt, arguments, standard input,
// environment, folder. Pure; the files it asks for are written by the caller.

import type { AgentDefinition } from "../task/agent.ts";
import { isCmd, parseCmd } from "./cmd_line.ts";
import {
  isForWorktree,
  mentions,
  substitute,
  substituteNamed,
  type Variables,
} from "./template.ts";
import type { Task } from "../task/fields.ts";

/** Bytes that one argument may have: Linux's MAX_ARG_STRLEN with its NUL, execve(2). */
export const MAX_ARGUMENT = 128 * 1024 - 1;

/**
 * Characters that a whole command line may have on Windows, CreateProcessW, and where cmd.exe reads it; less
 * what the paths of a program and its interpreter take.
 */
export const MAX_LINE = 32_767 - 1024;
export const MAX_CMD_LINE = 8191 - 1024;

/** Characters that a variable of the environment may have there, name and value; what has more arrives cut. */
export const MAX_VARIABLE = 32_766;

/** Variables that an agent with `passEnv` inherits all the same: it could not work without. */
export const BASIC_ENV: readonly string[] = [
  "PATH",
  "HOME",
  "USER",
  "LOGNAME",
  "SHELL",
  "LANG",
  "LC_ALL",
  "TERM",
  "TMPDIR",
  "TZ",
  "SYSTEMROOT",
  "PATHEXT",
  "USERPROFILE",
  "APPDATA",
  "LOCALAPPDATA",
  "TEMP",
  "TMP",
];

/** Places that a launch refers to; all absolute. */
export interface Places {
  root: string;
  /** What marks its processes. */
  mark: string;
  planFile: string;
  logFile: string;
  promptFile: string;
  /** Where a program may write what it has consumed. */
  usageFile: string;
  doneFile: string;
  errorFile: string;
  workspace: string;
}

/** The worktree of a task that has one; all absolute. */
export interface WorktreePlaces {
  /** Its top. */
  path: string;
  /** Where in it the agent works. */
  folder: string;
  branch: string;
  /** Commit that the branch began from. */
  base: string;
  /** The repository's own folder, which all its worktrees share. */
  gitFolder: string;
}

/** A launch, decided. */
export interface Prepared {
  /** The prompt as the agent gets it, for the prompt file. */
  prompt: string;
  command: string;
  args: string[];
  /** Whether they hold what somebody wrote: cmd.exe must not read them. */
  prompted: boolean;
  /** Text of the standard input; null for none. */
  stdin: string | null;
  env: Record<string, string>;
  inherit: readonly string[] | null;
  /** Of what it inherits, what is taken away by name; nothing where absent. */
  unset?: readonly string[];
  /** Relative to the root, or absolute. */
  cwd: string;
  /** The session that it was told to begin; null where the program chooses one itself. */
  sessionId: string | null;
}

/** Why an agent cannot be launched. */
export type LaunchProblem =
  /** What sets up its worktree failed: its code, or none. */
  | { readonly kind: "setup"; readonly code: number | null; readonly log: string }
  /** It took longer than so many seconds. */
  | { readonly kind: "setup-timeout"; readonly limit: number; readonly log: string }
  /** There is none of that name, or its definition is malformed. */
  | { readonly kind: "no-agent"; readonly problem: string }
  /** The prompt makes one of its arguments longer than the system takes, bytes. */
  | {
    readonly kind: "too-long";
    readonly agent: string;
    /** Which argument, from 1. */
    readonly argument: number;
    readonly bytes: number;
    readonly most: number;
  }
  /** The same of the whole command line, characters: on Windows. */
  | {
    readonly kind: "too-long-line";
    readonly agent: string;
    readonly characters: number;
    readonly most: number;
  }
  /** The same of a variable of its environment, characters: on Windows. */
  | {
    readonly kind: "too-long-variable";
    readonly agent: string;
    readonly name: string;
    readonly characters: number;
    readonly most: number;
  }
  /** It is to go on in a session, and its definition does not say how, or the session's id is none. */
  | { readonly kind: "no-resume"; readonly agent: string }
  | { readonly kind: "no-template"; readonly file: string }
  /** There is no worktree for it, or what should be one is none; a sentence. */
  | { readonly kind: "worktree"; readonly message: string }
  /** It would run outside the workspace, or in a folder that is not there. */
  | { readonly kind: "outside"; readonly folder: string; readonly worktree?: boolean }
  /** The system refused; what it said. */
  | { readonly kind: "refused"; readonly message: string };

/** The places as programs of Windows take them: to `type` and `copy` of cmd.exe what follows `/` is an option. */
function spellForWindows(places: Places): Places {
  const { mark, root, ...files } = places;
  const spelled = Object.entries(files).map(([name, path]) => [name, path.replaceAll("/", "\\")]);
  return { mark, root, ...Object.fromEntries(spelled) as typeof files };
}

/**
 * Decides a launch.
 *
 * @param task the task
 * @param agent its agent
 * @param template text of the prompt template; null for the bare prompt
 * @param retryNote template of the paragraph that tells a retry what went wrong before
 * @param given absolute paths
 * @param sessionId a new UUID, for a program that lets its caller name the session
 * @param windows whether it is launched on Windows
 * @param worktree where it works in one
 * @param worktreeNote template of the paragraph that tells an agent of its worktree
 * @returns the launch, or why there can be none
 */
export function prepareLaunch(
  task: Task,
  agent: AgentDefinition,
  template: string | null,
  retryNote: string,
  given: Places,
  sessionId: string,
  windows = false,
  worktree: WorktreePlaces | null = null,
  worktreeNote = "",
): Prepared | { problem: LaunchProblem } {
  const places = windows ? spellForWindows(given) : given;
  const previous = task.retryHistory.at(-1)?.error ?? "";
  const basic: Omit<Variables, "prompt"> = {
    promptFile: places.promptFile,
    usageFile: places.usageFile,
    taskId: task.taskId,
    agent: task.agent,
    userPrompt: task.prompt,
    planFile: places.planFile,
    logFile: places.logFile,
    workspace: places.workspace,
    doneFile: places.doneFile,
    errorFile: places.errorFile,
    previousError: previous,
    attempt: String(task.retryCount + 1),
    sessionId,
    worktree: worktree?.path ?? "",
    worktreeBranch: worktree?.branch ?? "",
    gitFolder: worktree?.gitFolder ?? "",
  };
  let prompt = task.prompt;
  if (template !== null) {
    prompt = substitute(template, { ...basic, prompt: task.prompt });
    if (previous !== "" && !mentions(template, "previousError")) {
      prompt += substitute(retryNote, basic);
    }
    if (worktree !== null && !isForWorktree(template)) prompt += substitute(worktreeNote, basic);
  }
  const variables: Variables = { ...basic, prompt };
  // What is said of a worktree is left out where there is none.
  const taken = agent.args.filter((arg) => worktree !== null || !isForWorktree(arg));
  const args = taken.map((arg) => substituteNamed(arg, variables));
  const problem = windows
    ? longLine(task.agent, agent.command, args)
    : longArgument(task.agent, args);
  if (problem !== undefined) return { problem };
  const env: Record<string, string> = {
    ORCHESTRA_TASK_ID: task.taskId,
    ORCHESTRA_MARK: places.mark,
    ORCHESTRA_ROOT: places.root,
    ORCHESTRA_PROMPT_FILE: places.promptFile,
    ORCHESTRA_PLAN_FILE: places.planFile,
    ORCHESTRA_LOG_FILE: places.logFile,
    ORCHESTRA_DONE_FILE: places.doneFile,
    ORCHESTRA_ERROR_FILE: places.errorFile,
    ORCHESTRA_WORKSPACE: places.workspace,
    // Whoever has the token of the page may do all that its user may.
    ORCHESTRA_TOKEN: "",
    // Another agent may have queued it, whose worktree is none of its own.
    ORCHESTRA_WORKTREE: worktree?.path ?? "",
    ORCHESTRA_BRANCH: worktree?.branch ?? "",
    ORCHESTRA_BASE: worktree?.base ?? "",
  };
  for (const [name, value] of Object.entries(agent.env ?? {})) {
    if (worktree === null && isForWorktree(value)) continue;
    env[name] = substituteNamed(value, variables);
  }
  const cut = windows ? longVariable(task.agent, env) : undefined;
  if (cut !== undefined) return { problem: cut };
  return {
    prompt,
    command: agent.command,
    args,
    prompted: agent.args.some((arg) => WRITTEN.some((name) => mentions(arg, name))),
    stdin: agent.stdin === undefined ? null : substituteNamed(agent.stdin, variables),
    env,
    inherit: agent.passEnv === undefined ? null : [...BASIC_ENV, ...agent.passEnv],
    cwd: agent.cwd === undefined
      ? worktree?.folder ?? places.root
      : substituteNamed(agent.cwd, variables),
    sessionId: agent.args.some((arg) => mentions(arg, "sessionId")) ? sessionId : null,
  };
}

/** Placeholders for what people and agents wrote. */
const WRITTEN = ["prompt", "userPrompt", "previousError"] as const;

/** The first argument that is longer than the system takes. */
function longArgument(agent: string, args: readonly string[]): LaunchProblem | undefined {
  const at = args.findIndex((arg) => byteLength(arg) > MAX_ARGUMENT);
  if (at < 0) return undefined;
  const [bytes, most] = [byteLength(args[at]!), MAX_ARGUMENT];
  return { kind: "too-long", agent, argument: at + 1, bytes, most };
}

/** Windows hands over one line, in which what is quoted takes more room. */
function longLine(
  agent: string,
  command: string,
  args: readonly string[],
): LaunchProblem | undefined {
  const most = isCmd(command) ? MAX_CMD_LINE : MAX_LINE;
  const line = parseCmd(command, args)?.line.trim();
  // Several lines become a batch file, each of whose lines may be as long.
  const longest = (line ?? "").split(/\r?\n/).reduce((most, one) => Math.max(most, one.length), 0);
  const rest = line === undefined ? args : args.slice(0, -1);
  const quoted = rest.map((arg) => arg.length + 3 + (arg.match(/["\\]/g)?.length ?? 0));
  // cmd.exe takes its line as it was written, between two quotation marks.
  if (line !== undefined) quoted.push(longest + 3);
  const characters = command.length + quoted.reduce((sum, length) => sum + length, 0);
  return characters > most ? { kind: "too-long-line", agent, characters, most } : undefined;
}

/** The first variable that would arrive cut. */
function longVariable(
  agent: string,
  env: Readonly<Record<string, string>>,
): LaunchProblem | undefined {
  for (const [name, value] of Object.entries(env)) {
    const characters = name.length + 1 + value.length;
    if (characters <= MAX_VARIABLE) continue;
    return { kind: "too-long-variable", agent, name, characters, most: MAX_VARIABLE };
  }
  return undefined;
}

function byteLength(text: string): number {
  // The exact count is needed only near the limit: no text has fewer bytes than a third of that.
  return text.length * 3 <= MAX_ARGUMENT ? text.length : new TextEncoder().encode(text).length;
}

/** Where a new plan starts: the prompt, and for a retry what went before. */
export function firstPlan(task: Task): string {
  const last = task.retryHistory.at(-1);
  if (last === undefined) return `# Task: ${task.taskId}\n\n## Prompt\n${task.prompt}\n`;
  return `# Retry attempt ${task.retryCount}/${task.maxRetries}\n\n` +
    `**First attempt:** ${task.parentTaskId}\n` +
    `**Previous attempt:** ${last.retriedFrom}\n` +
    `**Previous error:** ${last.error ?? "unknown"}\n\n` +
    `## Prompt\n${task.prompt}\n`;
}
