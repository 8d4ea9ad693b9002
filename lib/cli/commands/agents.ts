// `orchestra agents`: who can be given work, and whether they are installed.

import { buildCommand, buildRouteMap } from "@stricli/core";
import { pickAgent } from "../../task/agent.ts";
import { loadAgents, loadAllAgents, unknownAgent } from "../../settings/agents.ts";
import { OrchestraError } from "../../task/error.ts";
import { formatTable } from "../../text/table.ts";
import { sanitize } from "../../text/width.ts";
import { findFolder, findProgram } from "../../launch/find.ts";
import type { Context } from "../context.ts";
import { agentArgument, optional } from "../parameters.ts";

interface CheckFlags {
  run?: boolean;
}

export const command = buildRouteMap({
  routes: {
    list: buildCommand({
      func: listAgents,
      parameters: {},
      docs: { brief: "List the agents, and which are installed" },
    }),
    check: buildCommand({
      func: checkAgent,
      parameters: {
        flags: { run: optional("also send it a real prompt, and say what comes back") },
        positional: { kind: "tuple", parameters: [agentArgument] },
      },
      docs: {
        brief: "Launch an agent's --version",
        fullDescription:
          "Launches the agent with the arguments that print its version. With --run it is also sent " +
          "one prompt that asks it to finish at once, as a task like any other, so that login, " +
          "options and sentinel are seen to work. Exit code 1 where they do not.",
      },
    }),
  },
  defaultCommand: "list",
  docs: { brief: "See the agents" },
});

async function listAgents(this: Context): Promise<void> {
  const { store } = await this.openQueue();
  const { agents, origins, problem } = await loadAllAgents(store);
  if (problem !== null) this.note(problem);
  const rows = [...agents].map(([name, agent]) => {
    const origin = origins.get(name)!;
    return "problem" in agent
      ? { name, origin, command: null, installed: null, description: null, problem: agent.problem }
      : {
        name,
        origin,
        command: agent.command,
        installed: findProgram(name, agent, store.root)?.path ?? null,
        description: agent.description ?? null,
        completion: agent.completion ?? "sentinel",
        provider: agent.provider ?? null,
        problem: null,
      };
  });
  if (this.globals.json) return this.printJson(rows);
  if (rows.length === 0) {
    const hint = this.spell("make .orchestra-cli/agent-config.json with: orchestra init");
    return this.print(`No agents: ${hint}`);
  }
  const style = this.style();
  const [yes, no] = style.unicode ? ["✓", "✗"] : ["yes", "no"];
  this.print(
    formatTable(
      [
        { header: "AGENT" },
        { header: "" },
        { header: "COMMAND" },
        { header: "FROM" },
        { header: "DESCRIPTION", flex: 1 },
      ],
      rows.map((row) => [
        row.name,
        row.problem !== null
          ? "broken"
          : row.installed === null
          ? `${no} missing`
          : `${yes} installed`,
        row.command ?? "",
        row.origin,
        row.problem ?? row.description ?? "",
      ]),
      style,
    ).join("\n"),
  );
}

async function checkAgent(this: Context, flags: CheckFlags, name: string): Promise<void> {
  const queue = await this.openQueue();
  const { store } = queue;
  const agents = await loadAgents(store);
  if (!agents.has(name)) throw await unknownAgent(name, [...agents.keys()]);
  const agent = pickAgent(agents, name);
  if ("problem" in agent) {
    throw new OrchestraError("config", `Agent "${name}": ${agent.problem}`, {
      hint: "Mend its entry in .orchestra-cli/agent-config.json.",
    });
  }
  const found = findProgram(name, agent, store.root);
  if (found === null && findFolder(name, agent, store.root) === undefined) {
    throw new OrchestraError(
      "environment",
      `Agent "${name}": its folder ${JSON.stringify(agent.cwd)} is no folder inside the workspace`,
      { hint: 'Make it, or mend "cwd" in .orchestra-cli/agent-config.json.' },
    );
  }
  if (found === null) {
    const where = agent.command.includes("/") ? `in ${agent.cwd ?? store.root}` : "on PATH";
    throw new OrchestraError("environment", `Agent "${name}": no ${agent.command} ${where}`, {
      hint: 'Install it, or give its full path as "command".',
    });
  }
  const { path, cwd } = found;
  if (cwd === undefined && path === agent.command) {
    throw new OrchestraError(
      "state",
      `Agent "${name}": where ${path} is depends on the task, by its "cwd" ${agent.cwd}`,
      { hint: "Queue a task for it, and see what comes of it." },
    );
  }
  const args = [...agent.versionArgs ?? ["--version"]];
  // A process that it leaves behind may keep its output open.
  this.endsByExit = true;
  const { code, text } = await askVersion(path, args, cwd);
  const version = sanitize(text.split("\n")[0] ?? "");
  const about = { name, path, args, exitCode: code, version };
  if (!this.globals.json) {
    this.print(sanitize(`${name}: ${path}`));
    this.print(
      sanitize(
        `${agent.command} ${args.join(" ")} -> ` +
          (code === null
            ? `no end within ${PATIENCE / 1000} s: it was ended`
            : `exit code ${code}: ${version || "(no output)"}`),
      ),
    );
  }
  if (!flags.run) {
    if (code !== 0) this.fail(1);
    if (this.globals.json) this.printJson(about);
    return;
  }
  const [{ tryAgent }, { printTask }] = await Promise.all([
    import("../try_agent.ts"),
    import("../task_page.ts"),
  ]);
  const task = await tryAgent(this, queue, name, agent);
  if (this.globals.json) this.printJson({ ...about, task: task ?? null });
  else if (task !== undefined) await printTask(this, queue, task.taskId);
}

/** Milliseconds that a program gets to tell its version, and those that its output then gets to come. */
const PATIENCE = 30_000;
const AFTERWARDS = 500;
/** Of what it prints no more is kept, characters. */
const LONGEST_VERSION = 4096;

/** Launches a program that is to say something and end; its exit code is null where it does not. */
async function askVersion(
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
