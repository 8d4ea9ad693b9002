// What agents say in their events, in words that all vendors share: each vendor's file reads its own
// events into these. What an agent says is only what it says of itself: a value that cannot be
// (negative, no number, beyond all bounds) counts as not said. Pure.

import type { Usage } from "../task/fields.ts";

/** One thing that an event says. */
export type Said =
  /** Words of the model; a piece of them, where the next one goes on with the same sentence. */
  | { readonly kind: "text"; readonly text: string; readonly piece?: boolean }
  /** The model has a tool run: its name, and what of its input a person wants to see. */
  | { readonly kind: "call"; readonly tool: string; readonly input: string }
  /** What the tool gave back. */
  | { readonly kind: "output"; readonly text: string; readonly failed: boolean }
  /** What kept the agent from going on: of the program or its provider, never of a tool. */
  | { readonly kind: "error"; readonly message: string }
  /**
   * What was consumed: by the whole run so far, or by one answer of the model, to be added up. Answers
   * that are told several times have an id, and count once.
   */
  | {
    readonly kind: "usage";
    readonly of: "run" | "answer";
    readonly usage: Usage;
    readonly id?: unknown;
    /** More is to come, and will be told. */
    readonly interim?: boolean;
  }
  | { readonly kind: "session"; readonly id: string }
  | { readonly kind: "model"; readonly name: string };

/** An event, as JSON. */
export type Event = Readonly<Record<string, unknown>>;

/** What is known of the events that a vendor's program prints, a JSON object a line. */
export interface Vendor {
  /** Lines that may tell of usage, session or model: whole logs are read for it. */
  readonly counts: RegExp;
  /** What an event says, in order; nothing where it is of no interest. */
  says(event: Event): readonly Said[];
  /** What the file says that the program was told to write its usage to, where it can. */
  usageFile?(content: Event): readonly Said[];
}

const MOST_TOKENS = 1e12;
const MOST_DOLLARS = 1e6;
const MOST_TURNS = 1e6;
/** A session id goes into a command line: it must not look like an option there. */
const SESSION = /^[A-Za-z0-9_][\w.:-]{0,199}$/;
/** Names of models as providers write them; `<synthetic>` is claude's own, for its errors. */
const MODEL = /^[\w@][\w@.:/+() [\]-]{0,199}$/;

/** A value as an object; an empty one where it is none. */
export function object(value: unknown): Event {
  return typeof value === "object" && value !== null ? value as Event : {};
}

/** A value as a list; an empty one where it is none. */
export function list(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}

/** A text that says something. */
export function words(value: unknown): string | undefined {
  return typeof value === "string" && value.trim() !== "" ? value : undefined;
}

function whole(value: unknown, most: number): number | undefined {
  return Number.isInteger(value) && value as number >= 0 && value as number <= most
    ? value as number
    : undefined;
}

export function tokens(value: unknown): number | undefined {
  return whole(value, MOST_TOKENS);
}

export function turns(value: unknown): number | undefined {
  return whole(value, MOST_TURNS);
}

/** US dollars. */
export function dollars(value: unknown): number | undefined {
  return typeof value === "number" && value >= 0 && value <= MOST_DOLLARS ? value : undefined;
}

/** The sum of what is said; undefined where nothing is. */
export function total(...numbers: (number | undefined)[]): number | undefined {
  const said = numbers.filter((value) => value !== undefined);
  if (said.length === 0) return undefined;
  return Math.min(Number.MAX_SAFE_INTEGER, said.reduce((sum, value) => sum + value, 0));
}

export function text(value: unknown): Said[] {
  const said = words(value);
  return said === undefined ? [] : [{ kind: "text", text: said }];
}

export function error(value: unknown): Said[] {
  return [{ kind: "error", message: words(value) ?? "an error that it does not tell" }];
}

export function session(value: unknown): Said[] {
  return typeof value === "string" && SESSION.test(value) ? [{ kind: "session", id: value }] : [];
}

export function model(value: unknown): Said[] {
  return typeof value === "string" && MODEL.test(value) ? [{ kind: "model", name: value }] : [];
}

/** The name of the first of some models, by which a summary is sorted. */
export function firstModel(value: unknown): Said[] {
  return model(Object.keys(object(value))[0]);
}

/** What of a tool's input a person wants to see: the command or the file, else all of it. */
export function inputOf(value: unknown): string {
  const input = object(value);
  for (const name of ["command", "file_path", "filePath", "path", "pattern", "query", "url"]) {
    const said = words(input[name]);
    if (said !== undefined) return said;
  }
  const commands = list(input.commands).filter((one) => typeof one === "string");
  if (commands.length > 0) return commands.join("; ");
  return typeof value === "string" ? value : value === undefined ? "" : JSON.stringify(value);
}

/** A tool's output as one text: it is a text, a list of parts, or an object. */
export function outputOf(value: unknown): string {
  if (typeof value === "string") return value;
  if (Array.isArray(value)) {
    return value.map(object).map(({ text, result }) => words(text) ?? words(result) ?? "").join(
      "\n",
    );
  }
  return value === undefined || value === null ? "" : JSON.stringify(value);
}
