// `orchestra start`: queues one task, or many from a file.

import { readAgentNames, unknownAgent } from "../../settings/agents.ts";
import { loadConfig } from "../../settings/config.ts";
import { OrchestraError } from "../../task/error.ts";
import { MAX_ARGUMENT } from "../../decide/launch_plan.ts";
import type { Queue } from "../../queue/queue.ts";
import { isTaskId, type NewTask } from "../../task/fields.ts";
import type { Context } from "../context.ts";

/** Options of `start`. */
export interface StartFlags {
  maxRetries?: number;
  autoRetry?: boolean;
  priority?: number;
  timeout?: number;
  timeoutWarning?: number;
  idleTimeout?: number;
  budget?: number;
  verify?: string;
  dependsOn?: readonly string[];
  label?: readonly [string, string][];
  from?: string;
  quiet?: boolean;
}

/** Runs `orchestra start`. */
export async function start(
  this: Context,
  flags: StartFlags,
  agent?: string,
  prompt?: string,
): Promise<void> {
  const queue = this.openQueue();
  if (flags.from !== undefined) {
    if (agent !== undefined) {
      throw new OrchestraError("usage", "start --from takes neither an agent nor a prompt", {
        hint: "Both stand in the file, one JSON object a line.",
      });
    }
    const { startFrom } = await import("../import.ts");
    return await startFrom.call(this, queue, flags.from, flags.quiet ?? false);
  }
  if (agent === undefined || prompt === undefined) {
    throw new OrchestraError(
      "usage",
      `start needs ${agent === undefined ? "an agent and " : ""}a prompt`,
      {
        hint: `For example: orchestra start ${agent ?? "shell"} 'echo hello'   (or - to read it)`,
      },
    );
  }
  const text = prompt === "-" ? await readStdin() : prompt;
  if (text.trim() === "") {
    throw new OrchestraError("usage", "The prompt is empty", {
      hint: "Say what the agent should do.",
    });
  }
  const config = await loadConfig(queue.store);
  await checkAgent(queue, agent, text);
  const dependsOn = [...new Set(flags.dependsOn ?? [])];
  checkDependencies(queue, dependsOn);
  const wanted: NewTask = {
    agent,
    prompt: text,
    priority: flags.priority ?? config.priority,
    maxRetries: flags.maxRetries ?? config.max_retries,
    autoRetry: flags.autoRetry ?? config.auto_retry,
    timeout: flags.timeout ?? config.timeout,
    timeoutWarning: flags.timeoutWarning ?? config.timeout_warning,
    idleTimeout: flags.idleTimeout ?? config.idle_timeout,
    budget: flags.budget ?? null,
    verify: flags.verify === undefined ? null : ["sh", "-c", flags.verify],
    dependsOn,
    labels: Object.fromEntries(flags.label ?? []),
  };
  const task = queue.add([wanted])[0]!;
  if (this.globals.json) this.printJson(task);
  else if (flags.quiet) this.print(task.taskId);
  else {
    this.print(`Queued ${task.taskId} for ${agent}`);
    this.note("Run it with: orchestra run");
  }
}

/** The agent exists, and the prompt fits into its command line. */
export async function checkAgent(queue: Queue, agent: string, prompt: string): Promise<void> {
  const names = readAgentNames(queue.store);
  if (!names.includes(agent)) throw await unknownAgent(agent, names);
  if (prompt.includes("\0")) {
    throw new OrchestraError("usage", "The prompt contains a NUL character", {
      hint: "No program can be given one; put such data into a file.",
    });
  }
  // Only a long prompt is worth the price of reading the definitions.
  if (prompt.length * 3 <= MAX_ARGUMENT / 2) return;
  const { checkPromptSize } = await import("../prompt_size.ts");
  await checkPromptSize(queue, agent, prompt);
}

/** All dependencies are ids of tasks that are there. */
function checkDependencies(queue: Queue, ids: readonly string[]): void {
  for (const id of ids) {
    if (!isTaskId(id)) {
      throw new OrchestraError("usage", `--depends-on ${JSON.stringify(id)} is not a task id`, {
        hint: "See the ids with: orchestra status",
      });
    }
    if (!queue.store.has(id)) {
      throw new OrchestraError("no-task", `--depends-on ${id}: there is no such task`, {
        hint: "See what there is with: orchestra status --all",
      });
    }
  }
}

async function readStdin(): Promise<string> {
  if (Deno.stdin.isTerminal()) {
    throw new OrchestraError("usage", "start - reads the prompt from standard input, a terminal", {
      hint: "Pipe it in: orchestra start codex - < prompt.md",
    });
  }
  return await new Response(Deno.stdin.readable).text();
}
