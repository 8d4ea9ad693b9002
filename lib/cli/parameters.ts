// Options and arguments that several commands take, and the pieces that others are made of. What is
// proposed for completion is looked up only then.

import type { Context } from "./context.ts";
import { label, phase, PHASES, taskName } from "./flags.ts";

/** An option without a value. */
export function optional(brief: string) {
  return { kind: "boolean", optional: true, withNegated: false, brief } as const;
}

/** An option with a value. */
export function parsed<T>(parse: (text: string) => T, brief: string, placeholder: string) {
  return { kind: "parsed", optional: true, parse, brief, placeholder } as const;
}

/** All known workspaces instead of one. */
export const everywhere = optional("in all known workspaces");

/** The parser of what is taken as it is. */
export const text = (value: string) => value;

/** Ids and keys of tasks, for completion; nothing where there is no workspace. */
export async function proposeTasks(this: Context, partial: string): Promise<string[]> {
  try {
    const { store } = await this.openQueue();
    const { namesOf } = await import("../queue/names.ts");
    return namesOf(store, partial);
  } catch {
    return [];
  }
}

async function proposeAgents(this: Context, partial: string): Promise<string[]> {
  try {
    const { readAgentNames } = await import("../settings/agents.ts");
    const { store } = await this.openQueue();
    return readAgentNames(store).filter((name) => name.startsWith(partial));
  } catch {
    return [];
  }
}

/** For completion: those of some words that begin with what is there. */
export function startingWith(words: () => readonly string[] | Promise<readonly string[]>) {
  return async (partial: string) => (await words()).filter((word) => word.startsWith(partial));
}

/** A task that is not archived. */
export const idArgument = {
  brief: "the task: its id, the end of that, its key, or @last",
  placeholder: "id",
  parse: taskName("active"),
  proposeCompletions: proposeTasks,
} as const;

/** The same where archived tasks are shown too. */
export const anyIdArgument = { ...idArgument, parse: taskName("anywhere") } as const;

/** The name of an agent. */
export const agentArgument = {
  brief: "name of the agent",
  placeholder: "agent",
  parse: text,
  proposeCompletions: proposeAgents,
} as const;

/** Which tasks: the same words for every command that takes several. */
export const filterFlags = {
  status: {
    kind: "parsed",
    optional: true,
    variadic: ",",
    parse: phase,
    proposeCompletions: startingWith(() => PHASES),
    brief: "only these: pending, running, complete, failed, cancelled, ready, blocked, …",
    placeholder: "status",
  },
  agent: {
    kind: "parsed",
    optional: true,
    variadic: ",",
    parse: text,
    brief: "only tasks of this agent",
    placeholder: "agent",
    proposeCompletions: proposeAgents,
  },
  label: {
    kind: "parsed",
    optional: true,
    variadic: true,
    parse: label,
    brief: "only tasks with this label",
    placeholder: "k=v",
  },
} as const;

/** The letters of those. */
export const filterAliases = { s: "status", l: "label" } as const;
