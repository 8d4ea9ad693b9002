// The vocabulary of agents: what a definition in `agent-config.json` says. Nothing here reads or
// writes anything; lib/settings/ reads the file and checks it.

import type { FailureClass } from "./fields.ts";

/** Path of the agents file, relative to the workspace root. */
export const AGENTS_FILE = ".orchestra-cli/agent-config.json";

/** What a provider may be called. */
export const PROVIDER = /^[a-z0-9][a-z0-9._-]{0,40}$/;

/** How the end of an agent is known. */
export type Completion = "sentinel" | "exit" | "auto";

/** Whose events a log may have: what is known of a vendor's output is in lib/agents/. */
export const USAGE_FORMATS = [
  "auggie",
  "claude",
  "cline",
  "codex",
  "copilot",
  "gemini",
  "opencode",
] as const;
/** Whose events a log has. */
export type UsageFormat = typeof USAGE_FORMATS[number];

/** The forms of events that tell what a run cost: without one of them a budget cannot act. */
export const COST_FORMATS: readonly (UsageFormat | undefined)[] = ["claude", "cline", "opencode"];

/** How a quota that is used up shows in an agent's output. */
export interface RateLimit {
  /** Regular expressions; one match suffices. */
  patterns: readonly string[];
  /** Regular expression whose first group is a time, or a number of seconds to wait. */
  resetPattern?: string;
  /** Seconds to pause where the output tells no time. */
  cooldown: number;
}

/** An agent, as `agent-config.json` defines it. */
export interface AgentDefinition {
  /** Program to run, found on PATH. */
  command: string;
  /** Its arguments, with placeholders. */
  args: readonly string[];
  description?: string;
  /** Template of the prompt, with placeholders. */
  promptTemplate?: string;
  /** File of the template, relative to the workspace root. */
  promptTemplateFile?: string;
  /** Text for the agent's standard input, with placeholders; /dev/null where absent. */
  stdin?: string;
  /** Environment variables, with placeholders. */
  env?: Readonly<Record<string, string>>;
  /** Names of the variables that the agent inherits; all where absent. */
  passEnv?: readonly string[];
  /** Folder it runs in, inside the root, with placeholders. */
  cwd?: string;
  completion?: Completion;
  /** Command that must exit 0 before a success counts. */
  verify?: readonly string[];
  /** Whether its tasks work in a git worktree each, where they do not say. */
  worktree?: boolean;
  /** Command that makes a fresh worktree ready, a line or a list; that of the settings where absent. */
  setup?: string | readonly string[];
  /** Seconds. */
  timeout?: number;
  /** Seconds without output. */
  idleTimeout?: number;
  maxConcurrent?: number;
  /** Who counts what it uses: agents of one provider share the limits and pauses that hold everywhere. */
  provider?: string;
  retryOn?: readonly FailureClass[];
  rateLimit?: RateLimit;
  /** Agents that take the work over while this one's quota is used up. */
  fallback?: readonly string[];
  /** Most that one task may cost, US dollars. */
  budget?: number;
  /** Whose result events tell tokens and cost. */
  usage?: UsageFormat;
  /** Arguments that take the place of `args` where a session is gone on in, with `{sessionId}`. */
  resume?: readonly string[];
  /** Arguments that print its version. */
  versionArgs?: readonly string[];
}

/** The agents by name; a malformed one has its problem instead of a definition. */
export type Agents = ReadonlyMap<string, AgentDefinition | { problem: string }>;

/** The definition of an agent, or why it has none. */
export function pickAgent(agents: Agents, name: string): AgentDefinition | { problem: string } {
  return agents.get(name) ?? { problem: `there is no agent "${name}" in ${AGENTS_FILE}` };
}
