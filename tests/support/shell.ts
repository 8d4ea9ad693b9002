// Agents that are scripts for sh: the gate that they wait at, and what they write down.

import type { Box } from "./program.ts";

/** Shell that waits at the gate, and prints what is in it. */
export const AT_GATE = 'until cat "$ORCHESTRA_ROOT/gate" 2>/dev/null; do sleep 0.02; done';

export function openGate(box: Box, text: string): void {
  Deno.writeTextFileSync(`${box.root}/gate.new`, text);
  Deno.renameSync(`${box.root}/gate.new`, `${box.root}/gate`);
}

/** The number a file begins with, once its line is whole. */
export function readNumber(path: string): number | undefined {
  try {
    const match = /^(\d+)[ \n]/.exec(Deno.readTextFileSync(path));
    return match === null ? undefined : Number(match[1]);
  } catch {
    return undefined;
  }
}
