// Values on the command line: each parser accepts or says what was wrong and what is right.

import { parseDuration } from "../task/duration.ts";
import { OrchestraError } from "../task/error.ts";
import { parseTime, STATUSES } from "../task/fields.ts";
import { isIdEnd, isKey, isTaskId } from "../task/id.ts";
import type { PhaseName } from "../decide/view.ts";
import type { Where } from "../queue/names.ts";
import type { Context } from "./context.ts";

function usage(message: string, hint: string): OrchestraError {
  return new OrchestraError("usage", message, { hint });
}

/** What of the context is needed to find a task. */
type Finder = Pick<Context, "openQueue"> & {
  readonly globals?: Pick<Context["globals"], "everywhere">;
};

/**
 * What a person types for a task, as its id: a full id, a unique end of one, a key, `@last`. A full
 * id is taken as it is; only for the others anything is loaded and looked up. What is looked up in all
 * workspaces stays as it was typed.
 */
export function taskName(where: Where) {
  return async function (this: Finder, text: string): Promise<string> {
    if (isTaskId(text) || this.globals?.everywhere) return text;
    const { resolveTask } = await import("../queue/names.ts");
    return resolveTask((await this.openQueue()).store, text, where);
  };
}

/** The same, or one of some words; what can be neither, or is nobody's name, is left to the command. */
export function taskNameOr(words: readonly string[], where: Where) {
  const parse = taskName(where);
  return async function (this: Finder, text: string): Promise<string> {
    if (words.includes(text)) return text;
    try {
      return await parse.call(this, text);
    } catch (error) {
      const isNobody = error instanceof OrchestraError &&
        (error.code === "no-task" || !(isKey(text) || isIdEnd(text)));
      if (isNobody) return text;
      throw error;
    }
  };
}

/** A duration, in seconds. */
export function duration(text: string): number {
  const seconds = parseDuration(text);
  if (seconds !== undefined) return seconds;
  throw usage(
    `${JSON.stringify(text)} is not a duration above zero and up to ten years`,
    "Write it as 90, 90s, 5m or 1h30m.",
  );
}

/** A moment in the past, milliseconds since the epoch: how long ago, or an ISO time. */
export function since(text: string): number {
  const ago = parseDuration(text.replace(/ ago$/, ""));
  // A year alone is no number of seconds.
  const time = ago === undefined || /^\d{4}$/.test(text) ? parseTime(text) : null;
  if (time !== null) return time;
  if (ago !== undefined) return Date.now() - ago * 1000;
  throw usage(
    `${JSON.stringify(text)} is neither a duration nor a time`,
    "Write it as 30m, 2h or 7d, or as 2026-01-31T12:00.",
  );
}

/** A whole number within bounds. */
export function integer(minimum: number, maximum = Number.MAX_SAFE_INTEGER) {
  return (text: string): number => {
    const value = Number(text);
    if (/^[+-]?\d+$/.test(text) && value >= minimum && value <= maximum) return value;
    throw usage(
      `${JSON.stringify(text)} is not a whole number ${
        maximum === Number.MAX_SAFE_INTEGER ? `from ${minimum}` : `from ${minimum} to ${maximum}`
      }`,
      `Give one, ${minimum} for example.`,
    );
  };
}

/** `name=value` */
export function label(text: string): [string, string] {
  const at = text.indexOf("=");
  if (at > 0) return [text.slice(0, at), text.slice(at + 1)];
  throw usage(`${JSON.stringify(text)} is not a label`, "Write it as name=value.");
}

/** What `status --status` takes. */
export const PHASES: readonly string[] = [...STATUSES, "ready", "waiting", "blocked", "retrying"];

/** What `status --status` filters by: a stored status or a derived phase. */
export function phase(text: string): PhaseName | "pending" {
  if (PHASES.includes(text)) return text as PhaseName | "pending";
  if (text === "completed") return "complete";
  throw usage(`${JSON.stringify(text)} is no status`, `There are: ${PHASES.join(", ")}.`);
}

/** A report to write: its kind and where to. */
export interface ReportTarget {
  kind: "junit" | "markdown" | "github";
  /** A file, or `-` for standard output; null for annotations, which go to standard error. */
  path: string | null;
}

/** `junit=file`, `markdown=file` or `github` */
export function reportTarget(text: string): ReportTarget {
  const at = text.indexOf("=");
  const kind = at < 0 ? text : text.slice(0, at);
  const path = at < 0 ? "" : text.slice(at + 1);
  if (kind === "github" && path === "") return { kind, path: null };
  if ((kind === "junit" || kind === "markdown") && path !== "") return { kind, path };
  throw usage(
    `${JSON.stringify(text)} is no report`,
    "Write it as junit=report.xml, markdown=report.md or github; several with commas.",
  );
}
