// The agents that a workspace has: its own, `.orchestra-cli/agent-config.json`, and below them the user's,
// `agents.json` in the user's own folder of settings. A definition that is malformed makes that one agent
// unusable and leaves the others alone; what is wrong with the user's file costs no workspace its own.

import { shapeAgent } from "./agent_shape.ts";
import { parseJsonFile } from "./config.ts";
import { parseObject, readUserAgentsText, USER_AGENTS } from "./user.ts";
import { readVerdict } from "./verdict.ts";
import { OrchestraError } from "../task/error.ts";
import type { Store } from "../store/tasks.ts";
import { type AgentDefinition, type Agents, AGENTS_FILE } from "../task/agent.ts";
import type { Origin } from "../task/settings.ts";

/** The agents with where each stands. */
export interface LoadedAgents {
  readonly agents: Agents;
  readonly origins: ReadonlyMap<string, Origin>;
  /** What is wrong with the user's file as a whole, a sentence; null for nothing. */
  readonly problem: string | null;
}

function readText(store: Store): string | undefined {
  return store.readFile(`${store.root}/${AGENTS_FILE}`);
}

function parseText(text: string): Record<string, unknown> {
  const value = parseJsonFile(text, AGENTS_FILE);
  const agents = (value as { agents?: unknown } | null)?.agents;
  if (typeof agents !== "object" || agents === null || Array.isArray(agents)) {
    throw new OrchestraError("config", `Reading ${AGENTS_FILE}: it has no object "agents"`, {
      hint:
        'It should look like {"agents": {"shell": {"command": "sh", "args": ["-c", "{prompt}"]}}}',
    });
  }
  return agents as Record<string, unknown>;
}

/** The entries of the user's file, with its text; or why it has none. */
function readUsers(): { entries: Record<string, unknown>; text: string; problem: string | null } {
  const none = (problem: string | null) => ({ entries: {}, text: "", problem });
  const read = readUserAgentsText();
  if (read === undefined) return none(null);
  const refuse = (problem: string) => none(`${USER_AGENTS} ${problem}: its agents do not count`);
  if ("problem" in read) return refuse(read.problem);
  const value = parseObject(read.text);
  if (typeof value.problem === "string") return refuse(value.problem);
  const { agents } = value as { agents?: unknown };
  if (typeof agents !== "object" || agents === null || Array.isArray(agents)) {
    return refuse('has no object "agents"');
  }
  return { entries: agents as Record<string, unknown>, text: read.text, problem: null };
}

/** Names of the workspace's own agents, without a look at their definitions. */
export function readOwnAgentNames(store: Store): string[] {
  const text = readText(store);
  return text === undefined ? [] : Object.keys(parseText(text));
}

/** Names of all agents, the workspace's own first: cheap, for `start`. */
export function readAgentNames(store: Store): string[] {
  const own = readOwnAgentNames(store);
  return [...new Set([...own, ...Object.keys(readUsers().entries)])];
}

/** One agent of a workspace, without waiting: of one that is malformed it is not told how. */
export function readAgent(store: Store, name: string): Agents {
  const text = readText(store);
  const raw = { ...readUsers().entries, ...text === undefined ? {} : parseText(text) };
  if (!Object.hasOwn(raw, name)) return new Map();
  return new Map([[name, shapeAgent(raw[name]) ?? { problem: "it is malformed" }]]);
}

/**
 * All agents that a workspace has.
 *
 * @throws OrchestraError `config` where the workspace's file as a whole is malformed
 */
export async function loadAgents(store: Store): Promise<Agents> {
  return (await loadAllAgents(store)).agents;
}

/** The same, with where each stands. */
export async function loadAllAgents(store: Store): Promise<LoadedAgents> {
  const text = readText(store);
  const users = readUsers();
  const own = text === undefined
    ? new Map()
    : await checkAgents(store, "agents", text, parseText(text));
  const below = users.text === ""
    ? new Map()
    : await checkAgents(store, "user-agents", users.text, users.entries);
  const origins = new Map<string, Origin>();
  for (const name of below.keys()) origins.set(name, "user");
  for (const name of own.keys()) origins.set(name, "workspace");
  // The workspace's own come first, in their order.
  const others = [...below].filter(([name]) => !own.has(name));
  return { agents: new Map([...own, ...others]), origins, problem: users.problem };
}

/** The definitions of one file. */
async function checkAgents(
  store: Store,
  name: string,
  text: string,
  raw: Record<string, unknown>,
): Promise<Agents> {
  const verdict = readVerdict(store, name, text);
  const agents = new Map(Object.entries(raw).map(([name, value]) => [name, shapeAgent(value)]));
  if (verdict.passed && ![...agents.values()].includes(undefined)) return agents as Agents;
  const { parseAgent } = await import("./schemas.ts");
  const checked = new Map<string, AgentDefinition | { problem: string }>();
  for (const [name, agent] of agents) {
    const outcome = parseAgent(raw[name]);
    checked.set(name, "problem" in outcome ? outcome : agent ?? { problem: "it is malformed" });
  }
  if (![...checked.values()].some((agent) => "problem" in agent)) verdict.keep();
  return checked;
}

/** The error for an agent that is not there, with the name that was probably meant. */
export async function unknownAgent(
  name: string,
  known: readonly string[],
): Promise<OrchestraError> {
  const { closest } = await import("../text/suggest.ts");
  const near = closest(name, known);
  return new OrchestraError(
    "no-agent",
    `No agent named ${JSON.stringify(name)} in ${AGENTS_FILE}`,
    {
      hint: near !== undefined
        ? `Did you mean "${near}"?`
        : known.length === 0
        ? "Make the file with: orchestra init"
        : `There are: ${known.join(", ")}`,
    },
  );
}
