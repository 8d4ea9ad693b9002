// Why a new task was refused, as an error with its stable code. Loaded only where one is.

import type { LaunchProblem } from "../decide/launch_plan.ts";
import type { NameProblem } from "../decide/names.ts";
import { unknownAgent } from "../settings/agents.ts";
import { OrchestraError } from "../task/error.ts";
import type { UsageFormat } from "../task/agent.ts";
import { NEEDED, OPTIONS, type WishProblem } from "../task/options.ts";
import { formatTooLong } from "../text/failure.ts";
import { closest } from "../text/suggest.ts";
import { nameError } from "./names.ts";

/** Why a new task was refused. */
export type Reason =
  | WishProblem
  | { readonly kind: "no-agent"; readonly agent: string; readonly known: readonly string[] }
  /** The agent's command line, or its environment, cannot hold the prompt. */
  | Extract<LaunchProblem, { kind: "too-long" | "too-long-line" | "too-long-variable" }>
  /** No task file can. */
  | { readonly kind: "too-large"; readonly bytes: number; readonly most: number }
  /** Nothing would tell what a run costs. */
  | { readonly kind: "no-cost"; readonly agent: string; readonly usage: UsageFormat | undefined }
  /** The option is for a worktree, and the task has none. */
  | { readonly kind: "no-worktree"; readonly option: "base" | "dirty" }
  | { readonly kind: "dependency"; readonly problem: NameProblem }
  | { readonly kind: "cycle"; readonly path: readonly string[] }
  /** Another task of the same list has the key. */
  | { readonly kind: "key-twice"; readonly key: string }
  /** A task that is not archived has it. */
  | {
    readonly kind: "key-taken";
    readonly key: string;
    readonly id: string;
    readonly ended: boolean;
  };

function usage(message: string, hint?: string): OrchestraError {
  return new OrchestraError("usage", message, { hint });
}

/** A value in a message: whole where it is short. */
function quote(value: unknown): string {
  const text = JSON.stringify(value) ?? String(value);
  return text.length > 60 ? `${text.slice(0, 60)}…` : text;
}

/** The error for a reason. */
export async function refusalError(reason: Reason): Promise<OrchestraError> {
  switch (reason.kind) {
    case "no-object":
      return usage(
        "it must be an object with an agent and a prompt",
        'For example: {"agent": "shell", "prompt": "echo hello"}',
      );
    case "unknown": {
      const names = [...Object.keys(NEEDED), ...Object.keys(OPTIONS)];
      const near = closest(reason.name, names);
      return usage(
        `a task has no option ${quote(reason.name)}`,
        near === undefined ? `There are: ${names.join(", ")}` : `Did you mean "${near}"?`,
      );
    }
    case "missing":
      return usage(
        `a task needs "${reason.name}"`,
        'For example: {"agent": "shell", "prompt": "echo hello"}',
      );
    case "wrong":
      return usage(`"${reason.name}" must be ${reason.must}, and is ${quote(reason.value)}`);
    case "no-agent":
      return await unknownAgent(reason.agent, reason.known);
    case "too-long":
    case "too-long-line":
    case "too-long-variable":
      return usage(
        `The prompt is too long for agent "${reason.agent}": ${formatTooLong(reason)}`,
        'Let the agent read it from a file ("{promptFile}" in "args") or from its standard ' +
          'input ("stdin": "{prompt}") in .orchestra-cli/agent-config.json.',
      );
    case "too-large":
      return usage(
        `The prompt is too large: it has ${reason.bytes} bytes, and a task takes ${reason.most}`,
        "Put it into a file, and say in the prompt where that is.",
      );
    case "no-cost":
      return usage(
        `A budget cannot act: agent "${reason.agent}" tells no cost` +
          (reason.usage === undefined ? "" : ` ("usage": "${reason.usage}")`),
        'Leave the budget out, or set "usage" to "claude" or "opencode" in ' +
          ".orchestra-cli/agent-config.json where it prints their events.",
      );
    case "no-worktree":
      return usage(
        `"${reason.option}" is for a task with a worktree, and this one works in the workspace itself`,
        `Ask for one (--worktree), or leave "${reason.option}" out.`,
      );
    case "dependency": {
      const { problem } = reason;
      const { message, hint } = nameError(problem);
      // What is no name can be no task either: one code for a dependency that is not there.
      return new OrchestraError(
        problem.kind === "ambiguous" ? "usage" : "no-task",
        problem.kind === "ambiguous"
          ? `It depends on ${quote(problem.name)}, and ${message}`
          : `It depends on ${
            quote(problem.name)
          }, which is no task: neither an id nor the key of one that is not archived`,
        { hint },
      );
    }
    case "cycle":
      return usage(
        `tasks wait for each other: ${reason.path.join(" -> ")}`,
        "Take one of these dependencies out.",
      );
    case "key-twice":
      return usage(`the key ${quote(reason.key)} stands twice`, "Each task needs one of its own.");
    case "key-taken":
      return new OrchestraError(
        "state",
        `the key ${quote(reason.key)} is that of ${reason.id}`,
        {
          hint: "Take another key, or take that task away: " +
            (reason.ended ? "" : `orchestra cancel ${reason.id} && `) +
            `orchestra clean ${reason.id}`,
        },
      );
  }
}
