// Agents that are scripts for the shell of the boxes: the gate that they wait at, and what they write down.

import { SHELL } from "./needs.ts";
import { type Box, runLine } from "./program.ts";

/** The same in Deno, which is what there is where there is no `sh`: its own shell has no loops. */
export const GATE_SCRIPT = "for (;;) try { " +
  'Deno.stdout.writeSync(Deno.readFileSync(Deno.env.get("ORCHESTRA_ROOT") + "/gate")); break; ' +
  "} catch { await new Promise((resolve) => setTimeout(resolve, 20)); }";

/** Shell that goes on until it is ended. */
export const IDLING = SHELL === null ? "exec sleep 1000" : "sleep 1000";

/** Shell that waits at the gate, and prints what is in it. */
export const AT_GATE = SHELL === null
  ? 'until cat "$ORCHESTRA_ROOT/gate" 2>/dev/null; do sleep 0.02; done'
  : `deno eval '${GATE_SCRIPT}'`;

/** Shell that waits until there is a file of this name in the folder that it runs in. */
export const waitingFor = (name: string) =>
  SHELL === null
    ? `until [ -e ${name} ]; do sleep 0.05; done`
    : `deno eval 'for (;;) try { Deno.statSync("${name}"); break; } ` +
      "catch { await new Promise((resolve) => setTimeout(resolve, 20)); }'";

/** A line of shell as the command line of a hook. */
export function lineCommand(line: string): string[] {
  const { command, args } = runLine(line);
  return [command, ...args];
}

/** Shell that prints something as it is, with no line break behind it. */
export function printing(what: string | Uint8Array): string {
  const bytes = [...(typeof what === "string" ? new TextEncoder().encode(what) : what)];
  return SHELL === null
    ? `printf %b '${bytes.map((byte) => `\\0${byte.toString(8).padStart(3, "0")}`).join("")}'`
    : `deno eval 'Deno.stdout.writeSync(Uint8Array.of(${bytes}))'`;
}

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
