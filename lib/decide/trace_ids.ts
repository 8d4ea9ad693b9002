// Ids of traces and spans. They follow from the workspace, the task and its claim, so that what is told
// twice is the same span, and an agent that is being launched knows its own before anything is sent.
// A launch does not wait for WebCrypto, and has no millisecond for more of a hash than they need.

import type { Task } from "../task/fields.ts";
import { hash } from "../task/hash.ts";

/** The chain as a trace: 16 bytes in hex. Every attempt of it is a span in this trace. */
export function traceId(identity: string, chain: string): string {
  return idOf(32, "trace", identity, chain);
}

/** The span that stands for the chain, and is the parent of its attempts: 8 bytes in hex. */
export function chainSpanId(identity: string, chain: string): string {
  return idOf(16, "chain", identity, chain);
}

/** The span of one attempt: 8 bytes in hex. */
export function attemptSpanId(identity: string, task: string, claim: number): string {
  return idOf(16, "attempt", identity, task, String(claim));
}

/** Id of the first attempt of a task's chain. */
function chainOf({ taskId, parentTaskId }: Pick<Task, "taskId" | "parentTaskId">): string {
  return parentTaskId ?? taskId;
}

/**
 * The variables by which an agent's own spans become children of its attempt's (W3C Trace Context). A
 * `TRACESTATE` belongs to one `TRACEPARENT`: what the caller's environment has of another is emptied.
 *
 * @param identity which workspace
 * @param task as it is claimed
 */
export function traceVariables(
  identity: string,
  task: Pick<Task, "taskId" | "parentTaskId" | "claim">,
): { TRACEPARENT: string; TRACESTATE: string } {
  const trace = traceId(identity, chainOf(task));
  const span = attemptSpanId(identity, task.taskId, task.claim);
  return { TRACEPARENT: `00-${trace}-${span}-01`, TRACESTATE: "" };
}

/** An id of so many hex digits, never all zeros: that would be none. */
function idOf(digits: number, ...parts: readonly string[]): string {
  const id = hash(parts.join("\0")).slice(0, digits);
  return /^0+$/.test(id) ? `${id.slice(1)}1` : id;
}
