// The agents of a workspace, `.orchestra-cli/agent-config.json`. A definition that is malformed
// makes that one agent unusable and leaves the others alone.

import { parseJsonFile } from "./config.ts";
import { OrchestraError } from "./error.ts";
import type { Completion } from "./reconcile.ts";
import type { Store } from "./store.ts";
import type { FailureClass } from "./task.ts";
import { VERSION } from "./version.ts";

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
 * All agents of a workspace. Checking the definitions takes longer than launching one, so what was
 * found is kept in `.orchestra/agents.cache.json` until the file or the program changes.
 *
 * @throws OrchestraError `config` where the file as a whole is malformed
 */
export async function loadAgents(store: Store): Promise<Agents> {
  const text = readText(store);
  if (text === undefined) return new Map();
  const key = `${VERSION} ${text.length} ${hash(text)}`;
  const path = `${store.dir}/agents.cache.json`;
  const cached = readCache(store, path, key);
  if (cached !== undefined) return cached;
  const raw = parseText(text);
  const { parseAgent } = await import("./schemas.ts");
  const agents = Object.entries(raw).map(([name, value]) => [name, parseAgent(value)] as const);
  try {
    store.writeFile(path, JSON.stringify({ key, agents }) + "\n");
  } catch {
    // A workspace that cannot be written to works without.
  }
  return new Map(agents);
}

function readCache(store: Store, path: string, key: string): Agents | undefined {
  try {
    const cache = JSON.parse(store.readFile(path) ?? "null");
    return cache?.key === key ? new Map(cache.agents) : undefined;
  } catch {
    return undefined;
  }
}

/** 53 bits that differ where texts do; against mistakes, not against malice (FNV-1a, twice). */
function hash(text: string): string {
  let a = 0x811c9dc5;
  let b = 0x9e3779b9;
  for (let at = 0; at < text.length; at++) {
    const unit = text.charCodeAt(at);
    a = Math.imul(a ^ unit, 0x01000193);
    b = Math.imul(b ^ unit, 0x85ebca6b) ^ (b >>> 13);
  }
  return ((a >>> 0) * 0x200000 + (b >>> 11)).toString(36);
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
