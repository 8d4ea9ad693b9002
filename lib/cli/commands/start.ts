// `orchestra start`: queues one task, or many from a file.

import { buildCommand } from "@stricli/core";
import { add } from "../../queue/add.ts";
import { lstat } from "../../store/files.ts";
import type { Store } from "../../store/tasks.ts";
import { OrchestraError } from "../../task/error.ts";
import { encodingOf } from "../../text/encoding.ts";
import type { Context } from "../context.ts";
import { askedFor, optionFlags, type OptionValues } from "../option_flags.ts";
import { agentArgument, optional, parsed, proposeTasks, text } from "../parameters.ts";

/** Options beside those of a task, which lib/task/options.ts tells. */
interface StartFlags {
  from?: string;
  quiet?: boolean;
}

const options = optionFlags(proposeTasks);

export const command = buildCommand({
  func: start,
  parameters: {
    flags: {
      // The framework knows the flags of the options by their parsers alone.
      ...options.flags as Record<never, never>,
      from: parsed(
        text,
        "queue the tasks of a file, one JSON object a line, which the other options are defaults of; " +
          "- reads stdin",
        "file",
      ),
      quiet: optional("print the id alone"),
    },
    positional: {
      kind: "tuple",
      parameters: [
        { ...agentArgument, optional: true },
        {
          brief: "what to do; - reads it from stdin",
          placeholder: "prompt",
          parse: text,
          optional: true,
        },
      ],
    },
    aliases: { q: "quiet", ...options.aliases },
  },
  docs: {
    brief: "Queue a task",
    fullDescription: "Queues a task and prints its id; once printed, it survives a power cut.",
  },
});

async function start(
  this: Context,
  flags: StartFlags,
  agent?: string,
  prompt?: string,
): Promise<void> {
  const queue = await this.openQueue();
  if (flags.from !== undefined) {
    if (agent !== undefined) {
      throw new OrchestraError("usage", "start --from takes neither an agent nor a prompt", {
        hint: "Both stand in the file, one JSON object a line.",
      });
    }
    const { worktree } = await this.config(queue.store);
    const { startFrom } = await import("../import.ts");
    const asked = askedFor(flags as OptionValues);
    return await startFrom.call(this, queue, flags.from, flags.quiet ?? false, asked, worktree);
  }
  if (agent === undefined || prompt === undefined) {
    throw new OrchestraError(
      "usage",
      `start needs ${agent === undefined ? "an agent and " : ""}a prompt`,
      {
        hint: `For example: orchestra start ${agent ?? "shell"} "echo hello"   (or - to read it)`,
      },
    );
  }
  const whole = prompt === "-" ? await readStdin() : prompt;
  const { worktree } = await this.config(queue.store);
  const task =
    (await add(queue, [{ agent, prompt: whole, ...askedFor(flags as OptionValues) }]))[0]!;
  if (this.globals.json) this.printJson(task);
  else if (flags.quiet) this.print(task.taskId);
  else {
    this.print(`Queued ${task.taskId} for ${agent}`);
    if (task.touches.length > 0 || task.dependsOn.length > 1) {
      const { overlapNotes } = await import("../overlap_notes.ts");
      for (const line of overlapNotes(queue, task.taskId)) this.note(line);
    }
    if (task.worktree ?? worktree) {
      const { worktreeNotes } = await import("../worktree_notes.ts");
      for (const line of await worktreeNotes(queue, [task])) this.note(line);
    }
    this.note(await isLaunched(queue.store) ? LAUNCHED : "Run it with: orchestra run");
  }
}

const LAUNCHED = "Whoever watches over the queue launches it in its turn";

/** Whether somebody watches who launches everything that comes. */
async function isLaunched(store: Store): Promise<boolean> {
  if (lstat(`${store.dir}/daemon.json`) === undefined) return false;
  const { watcherOf } = await import("../../supervise/watcher.ts");
  try {
    return watcherOf(store)?.launch === "all";
  } catch {
    // Something stands where its lock belongs: the task is queued all the same, and doctor names it.
    return false;
  }
}

async function readStdin(): Promise<string> {
  if (Deno.stdin.isTerminal()) {
    throw new OrchestraError("usage", "start - reads the prompt from standard input, a terminal", {
      hint: "Pipe it in: orchestra start codex - < prompt.md",
    });
  }
  const bytes = await new Response(Deno.stdin.readable).bytes();
  return new TextDecoder(encodingOf(bytes)).decode(bytes);
}
