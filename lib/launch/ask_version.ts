// Asks the program of an agent for its version: whether it is there, and starts. It is launched in the
// folder and with the arguments of its definition; what it leaves behind is not waited for.

import { loadAgents, unknownAgent } from "../settings/agents.ts";
import type { Store } from "../store/tasks.ts";
import { type AgentDefinition, pickAgent } from "../task/agent.ts";
import { OrchestraError } from "../task/error.ts";
import { sanitize } from "../text/width.ts";
import { findFolder, findProgram, isPath } from "./find.ts";

/** What came of it. */
export interface Version {
  readonly agent: AgentDefinition;
  readonly name: string;
  /** Where its program is. */
  readonly path: string;
  /** With which arguments it was launched. */
  readonly args: readonly string[];
  /** Null where it did not end in time. */
  readonly exitCode: number | null;
  /** The first line that it printed. */
  readonly version: string;
}

/**
 * Launches an agent with the arguments that print its version.
 *
 * @throws OrchestraError `no-agent`, `config` where its definition is malformed, `environment` where its
 * program is not there, `state` where that depends on the task
 */
export async function askVersion(store: Store, name: string): Promise<Version> {
  const agents = await loadAgents(store);
  if (!agents.has(name)) throw await unknownAgent(name, [...agents.keys()]);
  const agent = pickAgent(agents, name);
  if ("problem" in agent) {
    throw new OrchestraError("config", `Agent "${name}": ${agent.problem}`, {
      hint: "Mend its entry in .orchestra-cli/agent-config.json.",
    });
  }
  const { path, cwd } = find(store, name, agent);
  const args = [...agent.versionArgs ?? ["--version"]];
  const { code, text } = await launch(path, args, cwd);
  return { agent, name, path, args, exitCode: code, version: sanitize(text.split("\n")[0] ?? "") };
}

function find(
  store: Store,
  name: string,
  agent: AgentDefinition,
): { path: string; cwd: string | undefined } {
  const found = findProgram(name, agent, store.root);
  if (found === null && findFolder(name, agent, store.root) === undefined) {
    throw new OrchestraError(
      "environment",
      `Agent "${name}": its folder ${JSON.stringify(agent.cwd)} is no folder inside the workspace`,
      { hint: 'Make it, or mend "cwd" in .orchestra-cli/agent-config.json.' },
    );
  }
  if (found === null) {
    const where = isPath(agent.command) ? `in ${agent.cwd ?? store.root}` : "on PATH";
    throw new OrchestraError("environment", `Agent "${name}": no ${agent.command} ${where}`, {
      hint: 'Install it, or give its full path as "command".',
    });
  }
  if (found.cwd === undefined && found.path === agent.command) {
    throw new OrchestraError(
      "state",
      `Agent "${name}": where ${found.path} is depends on the task, by its "cwd" ${agent.cwd}`,
      { hint: "Queue a task for it, and see what comes of it." },
    );
  }
  return found;
}

/** Milliseconds that a program gets to tell its version, and those that its output then gets to come. */
export const PATIENCE = 30_000;
const AFTERWARDS = 500;
/** Of what it prints no more is kept, characters. */
const LONGEST_VERSION = 4096;

/** Launches a program that is to say something and end; its exit code is null where it does not. */
async function launch(
  path: string,
  args: string[],
  cwd: string | undefined,
): Promise<{ code: number | null; text: string }> {
  const child = new Deno.Command(path, {
    args,
    cwd,
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const said = ["", ""];
  const read = [child.stdout, child.stderr].map(async (stream, at) => {
    for await (const text of stream.pipeThrough(new TextDecoderStream())) {
      said[at] = (said[at] + text).slice(0, LONGEST_VERSION);
    }
  });
  const status = await within(child.status, PATIENCE);
  if (status === undefined) child.kill("SIGKILL");
  await within(Promise.all(read), AFTERWARDS);
  return { code: status?.code ?? null, text: said[0]!.trim() || said[1]!.trim() };
}

/** What is promised, unless it takes longer than some milliseconds. */
async function within<T>(promise: Promise<T>, milliseconds: number): Promise<T | undefined> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<undefined>((resolve) => {
    timer = setTimeout(() => resolve(undefined), milliseconds);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}
