// Ids of traces and spans. They follow from the workspace, the task and its claim, so that what is told
// twice is the same span, and an agent that is being launched knows its own before anything is sent.
// WebCrypto's hash is asynchronous and a launch is not: SHA-256 is written out here.

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
  const id = sha256(parts.join("\0")).slice(0, digits);
  return /^0+$/.test(id) ? `${id.slice(1)}1` : id;
}

const encoder = new TextEncoder();

/** The first 32 bits of the fractional parts of the roots of the first 64 primes. */
const { roots: START, cubes: ROUNDS } = primeRoots();

function primeRoots(): { roots: number[]; cubes: number[] } {
  const primes: number[] = [];
  for (let number = 2; primes.length < 64; number++) {
    let divisor = 2;
    while (divisor * divisor <= number && number % divisor !== 0) divisor++;
    if (divisor * divisor > number) primes.push(number);
  }
  const bits = (root: number) => (root % 1) * 2 ** 32 >>> 0;
  return {
    roots: primes.slice(0, 8).map((prime) => bits(Math.sqrt(prime))),
    cubes: primes.map((prime) => bits(Math.cbrt(prime))),
  };
}

/** SHA-256 of a text (FIPS 180-4), in hex. */
export function sha256(text: string): string {
  const bytes = encoder.encode(text);
  const blocks = Math.ceil((bytes.length + 9) / 64);
  const padded = new Uint8Array(blocks * 64);
  padded.set(bytes);
  padded[bytes.length] = 0x80;
  const view = new DataView(padded.buffer);
  view.setUint32(padded.length - 4, bytes.length * 8);
  const state = Uint32Array.from(START);
  const words = new Uint32Array(64);
  const turn = (word: number, by: number) => word >>> by | word << (32 - by);
  for (let block = 0; block < padded.length; block += 64) {
    for (let at = 0; at < 16; at++) words[at] = view.getUint32(block + at * 4);
    for (let at = 16; at < 64; at++) {
      const far = words[at - 15]!;
      const near = words[at - 2]!;
      words[at] = words[at - 16]! + words[at - 7]! +
        (turn(far, 7) ^ turn(far, 18) ^ far >>> 3) +
        (turn(near, 17) ^ turn(near, 19) ^ near >>> 10);
    }
    let [a = 0, b = 0, c = 0, d = 0, e = 0, f = 0, g = 0, h = 0] = state;
    for (let at = 0; at < 64; at++) {
      const first = h + (turn(e, 6) ^ turn(e, 11) ^ turn(e, 25)) + (e & f ^ ~e & g) +
        ROUNDS[at]! + words[at]!;
      const second = (turn(a, 2) ^ turn(a, 13) ^ turn(a, 22)) + (a & b ^ a & c ^ b & c);
      h = g;
      g = f;
      f = e;
      e = d + first | 0;
      d = c;
      c = b;
      b = a;
      a = first + second | 0;
    }
    [a, b, c, d, e, f, g, h].forEach((word, at) => state[at] = state[at]! + word);
  }
  return Array.from(state, (word) => word.toString(16).padStart(8, "0")).join("");
}
