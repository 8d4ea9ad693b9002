// What `--debug` tells, a line for each thing that was done.

import { printable } from "../task/error.ts";

/** What was done, and what it was about, as one line. */
export function formatTrace(what: string, facts: Readonly<Record<string, unknown>> = {}): string {
  const said = Object.entries(facts).map(([name, value]) => ` ${name}=${formatFact(value)}`);
  return what + said.join("");
}

/** A plain word as it is, everything else as JSON; nothing in it that a terminal obeys. */
function formatFact(value: unknown): string {
  if (typeof value === "string" && /^[\w./:@%+,-]+$/.test(value)) return value;
  const text = JSON.stringify(value instanceof Error ? value.message : value) ?? "none";
  return printable(text).replaceAll("\n", "\\n");
}
