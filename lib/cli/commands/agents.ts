// `orchestra agents`: who can be given work, and whether they are installed.

import { buildCommand, buildRouteMap } from "@stricli/core";
import { loadAllAgents } from "../../settings/agents.ts";
import { formatTime } from "../../task/fields.ts";
import { viewShared } from "../../queue/shared.ts";
import { formatMoment } from "../../text/time.ts";
import { formatTable } from "../../text/table.ts";
import { sanitize } from "../../text/width.ts";
import { askVersion, PATIENCE } from "../../launch/ask_version.ts";
import { findProgram, isOnServer } from "../../launch/find.ts";
import type { Context } from "../context.ts";
import { agentArgument, optional } from "../parameters.ts";
import { allLanes } from "../status_input.ts";

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
  const queue = await this.openQueue();
  const { store } = queue;
  const { agents, origins, problem } = await loadAllAgents(store);
  if (problem !== null) this.note(problem);
  const now = queue.now();
  const { tasks } = store.scan();
  const lanes = allLanes({ tasks, shared: await viewShared(queue, tasks) }, now);
  const rows = [...agents].map(([name, agent]) => {
    const origin = origins.get(name)!;
    if ("problem" in agent) {
      const unknown = { command: null, installed: null, onServer: false, description: null };
      return { name, origin, ...unknown, problem: agent.problem };
    }
    const onServer = isOnServer(name, agent, store.root);
    return {
      name,
      origin,
      command: agent.command,
      installed: onServer ? null : findProgram(name, agent, store.root)?.path ?? null,
      onServer,
      description: agent.description ?? null,
      completion: agent.completion ?? "sentinel",
      provider: agent.provider ?? null,
      pausedUntil: lanes.has(name) ? formatTime(lanes.get(name)!.until) : null,
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
  // Where all are the workspace's own, it need not be said of each.
  const isMixed = rows.some(({ origin }) => origin === "user");
  this.print(
    formatTable(
      [
        { header: "AGENT" },
        { header: "" },
        { header: "COMMAND" },
        ...(isMixed ? [{ header: "FROM" }] : []),
        { header: "DESCRIPTION", flex: 1 },
      ],
      rows.map((row) => [
        row.name,
        row.problem !== null
          ? "broken"
          : row.onServer
          ? "on a server; not looked at"
          : row.installed === null
          ? `${no} missing`
          : `${yes} installed`,
        row.command ?? "",
        ...(isMixed ? [row.origin] : []),
        row.problem ?? row.description ?? "",
      ]),
      style,
    ).join("\n"),
  );
  for (const { agent, until } of lanes.values()) {
    this.print(sanitize(`${agent} is paused until ${formatMoment(until, now)}`));
  }
}

async function checkAgent(this: Context, flags: CheckFlags, name: string): Promise<void> {
  const queue = await this.openQueue();
  const { store } = queue;
  // A process that it leaves behind may keep its output open.
  this.endsByExit = true;
  const { agent, ...about } = await askVersion(store, name);
  const { path, args, exitCode: code, version } = about;
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
