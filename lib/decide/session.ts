// Sessions of agents that a retry goes on in. Anybody may have written a task file, and a session's id
// becomes an argument of a program: only what looks like one is taken. Pure.

import { type AgentDefinition, type Agents, pickAgent } from "../task/agent.ts";
import type { Task } from "../task/fields.ts";
import { branchOf } from "./branch.ts";

/** Letters and digits first: no option. */
const SESSION = /^[A-Za-z\d][\w.:-]{0,199}$/;

/** The session of a task's agent, as it said itself, or was told; null where none is known. */
export function sessionOf({ usage, resumes }: Pick<Task, "usage" | "resumes">): string | null {
  const known: unknown = usage?.sessionId ?? resumes;
  return typeof known === "string" && SESSION.test(known) ? known : null;
}

/** The session that a task is to go on in; null where it begins its own. */
export function resumedSession({ resumes }: Pick<Task, "resumes">): string | null {
  return resumes === null ? null : sessionOf({ usage: null, resumes });
}

/** Whether a task worked in a worktree, or was to go on in one. */
export function hadWorktree(task: Task): boolean {
  return branchOf(task) !== null || (task.resumes !== null && task.worktree === true);
}

/** Why no other can go on in the session of a task. */
export type ResumeProblem =
  /** What it started may live. */
  | { readonly kind: "lives" }
  /** Its agent was never launched, or did not tell. */
  | { readonly kind: "no-session" }
  /** Its agent's definition does not say how; or there is none, in words. */
  | { readonly kind: "no-resume" }
  | { readonly kind: "no-agent"; readonly problem: string };

/** Why no retry can go on in the session of a failed or cancelled task; undefined where one can. */
export function resumeProblemOf(task: Task, agents: Agents): ResumeProblem | undefined {
  const agent = pickAgent(agents, task.agent);
  if ("problem" in agent) return { kind: "no-agent", problem: agent.problem };
  if (agent.resume === undefined) return { kind: "no-resume" };
  // One that we named ourselves began only with the agent.
  const isBegun = task.claim > 0 && task.failureClass !== "spawn";
  if (sessionOf(task) === null || (!isBegun && task.resumes === null)) {
    return { kind: "no-session" };
  }
  return task.reapAt === null ? undefined : { kind: "lives" };
}

/** An agent as a task launches it: one that goes on in a session has other arguments. */
export function definitionFor(
  task: Pick<Task, "resumes">,
  agent: AgentDefinition,
): AgentDefinition | null {
  if (task.resumes === null) return agent;
  if (agent.resume === undefined || resumedSession(task) === null) return null;
  return { ...agent, args: agent.resume };
}
