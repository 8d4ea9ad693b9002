// Ids of traces and spans. They follow from the workspace, the task and its claim, so that what is told
// twice is the same span, and an agent that is being launched knows its own before anything is sent.
// A launch does not wait for WebCrypto, and has no millisecond for more of a hash than they need.

import type { Task } from "../task/fields.ts";

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

/**
 * 128 bits of a text, in hex: four times 32 that are mixed with each other, as FNV-1a and MurmurHash3 do.
 * Ids must differ, and need not be secret.
 */
function hash(text: string): string {
  let [a, b, c, d] = [0x811c9dc5, 0x9e3779b9, 0x85ebca6b, 0xc2b2ae35];
  for (let at = 0; at < text.length; at++) {
    const unit = text.charCodeAt(at);
    a = Math.imul(a ^ unit, 0x01000193) ^ d >>> 15;
    b = Math.imul(b ^ unit, 0x5bd1e995) + a | 0;
    c = Math.imul(c ^ unit, 0xcc9e2d51) ^ b >>> 13;
    d = Math.imul(d ^ unit, 0x1b873593) + c | 0;
  }
  const mix = (half: number) => {
    half = Math.imul(half ^ half >>> 16, 0x85ebca6b);
    half = Math.imul(half ^ half >>> 13, 0xc2b2ae35);
    return half ^ half >>> 16;
  };
  const sum = a + b + c + d;
  return [a, b, c, d].map((part) => (mix(part + sum | 0) >>> 0).toString(16).padStart(8, "0"))
    .join("");
}
