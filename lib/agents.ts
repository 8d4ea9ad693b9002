// The agents of a workspace, `.orchestra-cli/agent-config.json`. A definition that is malformed
// makes that one agent unusable and leaves the others alone.

import { parseCached } from "./cache.ts";
import { parseJsonFile } from "./config.ts";
import { OrchestraError } from "./error.ts";
import type { Completion } from "./reconcile.ts";
import type { Store } from "./store.ts";
import type { FailureClass } from "./task.ts";

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
  /** Seconds. */
  timeout?: number;
  /** Seconds without output. */
  idleTimeout?: number;
  maxConcurrent?: number;
  retryOn?: readonly FailureClass[];
  rateLimit?: RateLimit;
  /** Agents that take the work over while this one's quota is used up. */
  fallback?: readonly string[];
  /** Most that one task may cost, US dollars. */
  budget?: number;
  /** Whose result events tell tokens and cost. */
  usage?: "claude" | "codex" | "gemini" | "opencode";
  /** Arguments that resume a session, with `{sessionId}`. */
  resume?: readonly string[];
  /** Arguments that print its version. */
  versionArgs?: readonly string[];
}

/** The agents by name; a malformed one has its problem instead of a definition. */
export type Agents = ReadonlyMap<string, AgentDefinition | { problem: string }>;

const FILE = ".orchestra-cli/agent-config.json";

function readText(store: Store): string | undefined {
  return store.readFile(`${store.root}/${FILE}`);
}

function parseText(text: string): Record<string, unknown> {
  const value = parseJsonFile(text, FILE);
  const agents = (value as { agents?: unknown } | null)?.agents;
  if (typeof agents !== "object" || agents === null || Array.isArray(agents)) {
    throw new OrchestraError("config", `Reading ${FILE}: it has no object "agents"`, {
      hint:
        'It should look like {"agents": {"shell": {"command": "sh", "args": ["-c", "{prompt}"]}}}',
    });
  }
  return agents as Record<string, unknown>;
}

/** Names of the agents, without a look at their definitions: cheap, for `start`. */
export function readAgentNames(store: Store): string[] {
  const text = readText(store);
  return text === undefined ? [] : Object.keys(parseText(text));
}

/**
 * All agents of a workspace.
 *
 * @throws OrchestraError `config` where the file as a whole is malformed
 */
export async function loadAgents(store: Store): Promise<Agents> {
  const text = readText(store);
  if (text === undefined) return new Map();
  const agents = await parseCached(store, "agents", text, async () => {
    const raw = parseText(text);
    const { parseAgent } = await import("./schemas.ts");
    return Object.entries(raw).map(([name, value]) => [name, parseAgent(value)] as const);
  });
  return new Map(agents);
}

/** The error for an agent that is not there, with the name that was probably meant. */
export async function unknownAgent(
  name: string,
  known: readonly string[],
): Promise<OrchestraError> {
  const { closest } = await import("./suggest.ts");
  const near = closest(name, known);
  return new OrchestraError("no-agent", `No agent named ${JSON.stringify(name)} in ${FILE}`, {
    hint: near !== undefined
      ? `Did you mean "${near}"?`
      : known.length === 0
      ? "Make the file with: orchestra init"
      : `There are: ${known.join(", ")}`,
  });
}

/** The definition of an agent, or why it has none. */
export function pickAgent(agents: Agents, name: string): AgentDefinition | { problem: string } {
  return agents.get(name) ?? { problem: `there is no agent "${name}" in ${FILE}` };
}
