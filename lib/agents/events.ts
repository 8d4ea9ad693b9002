// Events in the lines of a log, whichever vendor printed them. A log is JSON lines among other lines; it
// may begin and end in the middle of a line. The forms are told in tests/fixtures/README.md. Pure.

import type { UsageFormat } from "../task/agent.ts";
import { auggie } from "./auggie.ts";
import { claude } from "./claude.ts";
import { cline } from "./cline.ts";
import { codex } from "./codex.ts";
import { copilot } from "./copilot.ts";
import { gemini } from "./gemini.ts";
import { opencode } from "./opencode.ts";
import type { Event, Said, Vendor } from "./vendor.ts";

/** The vendors by the names that a definition gives them. */
export const VENDORS: Readonly<Record<UsageFormat, Vendor>> = {
  auggie,
  claude,
  cline,
  codex,
  copilot,
  gemini,
  opencode,
};

/** The event in a line; undefined where there is none. */
export function parseEvent(line: string): Event | undefined {
  if (!line.startsWith("{")) return undefined;
  try {
    return JSON.parse(line);
  } catch {
    return undefined;
  }
}

/**
 * What an event says. One that nobody would print (nested so deep that writing it again exhausts the
 * stack) says nothing: what an agent prints must never keep its task from ending.
 */
export function saysOf(format: UsageFormat, event: Event): readonly Said[] {
  try {
    return VENDORS[format].says(event);
  } catch {
    return [];
  }
}

/** What a line says; undefined where it is no event, but words of the program itself. */
export function readLine(format: UsageFormat, line: string): readonly Said[] | undefined {
  const event = parseEvent(line);
  return event === undefined ? undefined : saysOf(format, event);
}

/**
 * The last error that an agent's own events tell, one line of it.
 *
 * @param output the end of its log
 */
export function lastError(format: UsageFormat, output: string): string | undefined {
  let last: string | undefined;
  for (const line of output.split("\n")) {
    for (const said of readLine(format, line) ?? []) {
      if (said.kind === "error") last = said.message;
    }
  }
  return last?.trim().split("\n", 1)[0]?.slice(0, LONGEST_ERROR);
}

/** Of an error no more is told, characters. */
const LONGEST_ERROR = 500;

/** A line in which a provider's refusal may stand. */
export interface ErrorLine {
  readonly text: string;
  /** What an event says in it, to be shown in its place; undefined where it is none. */
  readonly message?: string;
}

/**
 * The lines in which a provider's refusal may stand: those of events that tell an error, and the words of
 * the program itself. What the model, a tool or the prompt says is none.
 */
export function errorLines(format: UsageFormat, output: string): ErrorLine[] {
  return output.split("\n").flatMap((text): ErrorLine[] => {
    if (!text.startsWith("{")) return [{ text }];
    // An event that was cut off may be anybody's words.
    const said = readLine(format, text)?.find(({ kind }) => kind === "error");
    return said?.kind === "error" ? [{ text, message: said.message }] : [];
  });
}
