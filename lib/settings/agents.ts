// The agents of a workspace, `.orchestra-cli/agent-config.json`. A definition that is malformed
// makes that one agent unusable and leaves the others alone.

import { shapeAgent } from "./agent_shape.ts";
import { parseJsonFile } from "./config.ts";
import { readVerdict } from "./verdict.ts";
import { OrchestraError } from "../task/error.ts";
import type { Store } from "../store/tasks.ts";
import { type AgentDefinition, type Agents, AGENTS_FILE } from "../task/agent.ts";

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
  const raw = parseText(text);
  const verdict = readVerdict(store, "agents", text);
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
