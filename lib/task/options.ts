// What a user may ask of a task, told once. From this table follow the flags of `start`, the keys of
// a task list, the library's type, the checks, the defaults, the help, the JSON Schema and what a
// retry inherits. To add an option is to add its type and its entry here. Nothing is read or written.

import { parseDuration } from "./duration.ts";
import { isKey, KEY_PATTERN } from "./id.ts";

/** What a user may ask of a task beside its agent and prompt, as the task has it. */
export interface TaskOptions {
  /** A name of the user's own, unique among what is not archived; null for none. */
  key: string | null;
  /** 1 to 10, higher first. */
  priority: number;
  /** Most retries. */
  maxRetries: number;
  /** Retried without being asked. */
  autoRetry: boolean;
  /** Seconds it may run; null for no limit of its own. */
  timeout: number | null;
  /** Seconds before the end to warn at. */
  timeoutWarning: number | null;
  /** Seconds without output after which the task is ended; null for no limit of its own. */
  idleTimeout: number | null;
  /** Most that the run may cost, US dollars. */
  budget: number | null;
  /** Command that must exit 0 before a success counts, overriding the agent's. */
  verify: string[] | null;
  /** Whether it works in a git worktree of its own; null for what its agent or the settings say. */
  worktree: boolean | null;
  /** Commit that its worktree begins from; null for what its dependencies made, or the current one. */
  base: string | null;
  /** What becomes of uncommitted changes in the user's own working copy; null for what the settings say. */
  dirty: Dirty | null;
  /** Tasks that must be complete first. */
  dependsOn: string[];
  /** Names and values of the user's own. */
  labels: Record<string, string>;
  /** Globs of the files that it will change, as far as is known. */
  touches: string[];
}

/** What may become of the user's uncommitted changes when a worktree is made. */
export const DIRTY: readonly Dirty[] = ["ignore", "carry", "refuse"];
/** They stay where they are, come along as well, or keep the task from being launched. */
export type Dirty = "ignore" | "carry" | "refuse";

/** Name of an option, as task files and task lists spell it. */
export type OptionName = keyof TaskOptions;

/**
 * The options as a program or a task list gives them; what is absent has its default. Some may also be
 * a text, as on the command line: `"5m"`, `"make test"`.
 */
export type GivenOptions = {
  readonly [K in keyof TaskOptions]?:
    | Readonly<TaskOptions[K]>
    | (K extends "timeout" | "timeoutWarning" | "idleTimeout" | "verify" | "dependsOn" | "touches"
      ? string
      : never);
};

/** What a new task needs; everything else has a default. */
export interface NewTask extends GivenOptions {
  /** Name of an agent in `agent-config.json`. */
  readonly agent: string;
  /** What it is asked to do. */
  readonly prompt: string;
}

/** A new task whose options are checked; what is absent has its default. */
export type Wish =
  & { readonly agent: string; readonly prompt: string }
  & {
    readonly [K in OptionName]?: Readonly<TaskOptions[K]>;
  };

/** What an option's value may be. */
export interface OptionKind<T> {
  /** How the task file holds it. */
  readonly field:
    | "string?"
    | "number"
    | "number?"
    | "seconds?"
    | "boolean"
    | "boolean?"
    | "command?"
    | "ids"
    | "labels"
    | "texts";
  /** What a value must be, to be read after "must be" and "is not". */
  readonly must: string;
  /** How to write one on the command line. */
  readonly hint: string;
  /** The same in a line of help, where the name of the value does not say it. */
  readonly forms?: string;
  /** The value of a text on the command line; undefined where it is none. */
  parse(text: string): T | undefined;
  /** The value of what a task list or a program gives; undefined where it is none. */
  check(value: unknown): T | undefined;
  /** The same as JSON Schema. */
  readonly schema: Readonly<Record<string, unknown>>;
  /** It may stand on the command line several times, or once with several values between separators. */
  readonly several?: {
    /** What one of them is. */
    readonly one: string;
    readonly separator?: ",";
    join(values: readonly T[]): T;
  };
}

/** Names of the settings that give an option's default. */
export type OptionSetting =
  | "priority"
  | "max_retries"
  | "auto_retry"
  | "timeout"
  | "timeout_warning"
  | "idle_timeout";

/** One thing that a user may ask of a task. */
export interface Option<T> {
  readonly kind: OptionKind<T>;
  /** What it is for: in the help, the tables and the JSON Schemas. */
  readonly about: string;
  /** What the help calls its value. */
  readonly placeholder: string;
  /** One letter for the command line. */
  readonly letter?: string;
  /** Its name on the command line, where that is another. */
  readonly flag?: string;
  /** What a task has for which nothing was asked, and what an older file without the field means. */
  readonly fallback: T;
  /** The setting that gives the default, before `fallback`. */
  readonly setting?: OptionSetting;
  /**
   * The agent's definition may give it to tasks that have none: written into the task when it is
   * claimed, or looked up when it is needed.
   */
  readonly agent?: "at claim" | "at need";
  /** Whether the retry of a task has it too. */
  readonly inherited: boolean;
}

// ---------------------------------------------------------------------------------------------
// The kinds

/** Ten years: beyond it a timer or a date would overflow before the task does. */
const LONGEST = 315_360_000;

/** A whole number within bounds. */
function integer(minimum: number, maximum = Number.MAX_SAFE_INTEGER): OptionKind<number> {
  const check = (value: unknown) =>
    Number.isInteger(value) && value as number >= minimum && value as number <= maximum
      ? value as number
      : undefined;
  const bounds = maximum === Number.MAX_SAFE_INTEGER ? "" : ` to ${maximum}`;
  return {
    field: "number",
    must: `a whole number from ${minimum}${bounds}`,
    hint: `Give one, ${minimum} for example.`,
    parse: (text) => /^[+-]?\d+$/.test(text) ? check(Number(text)) : undefined,
    check,
    schema: { type: "integer", minimum, maximum },
  };
}

const SWITCH: OptionKind<boolean> = {
  field: "boolean",
  must: "true or false",
  hint: "Give true or false.",
  parse: (text) => text === "true" ? true : text === "false" ? false : undefined,
  check: (value) => typeof value === "boolean" ? value : undefined,
  schema: { type: "boolean" },
};

/** The same, or null for what others say. */
const CHOICE: OptionKind<boolean | null> = {
  field: "boolean?",
  must: "true or false",
  hint: "Give true or false.",
  parse: SWITCH.parse,
  check: (value) => value === null ? null : SWITCH.check(value),
  schema: { anyOf: [{ type: "boolean" }, { type: "null" }] },
};

/** A commit by any of its names, which git resolves when the worktree is made. */
const REF_PATTERN = "^[^-\\x00-\\x20\\x7f][^\\x00-\\x20\\x7f]*$";

const REF: OptionKind<string | null> = {
  field: "string?",
  must: "a commit, a branch or a tag: no spaces, and no - in front",
  hint: "For example: main",
  parse: (text) => text.length <= 500 && new RegExp(REF_PATTERN).test(text) ? text : undefined,
  check: (value) =>
    value === null ? null : typeof value === "string" ? REF.parse(value) : undefined,
  schema: { anyOf: [{ type: "string", maxLength: 500, pattern: REF_PATTERN }, { type: "null" }] },
};

const CHANGES: OptionKind<Dirty | null> = {
  field: "string?",
  must: `one of ${DIRTY.join(", ")}`,
  hint: "Give ignore, carry or refuse.",
  parse: (text) => DIRTY.find((one) => one === text),
  check: (value) =>
    value === null ? null : typeof value === "string" ? CHANGES.parse(value) : undefined,
  schema: { anyOf: [{ enum: [...DIRTY] }, { type: "null" }] },
};

/** Seconds, or null for none. */
const DURATION: OptionKind<number | null> = {
  field: "seconds?",
  must: "a duration above zero",
  hint: "Write it as 90, 90s, 5m or 1h30m, or none.",
  forms: "90, 5m, 1h30m",
  parse: (text) => text === "none" ? null : parseDuration(text),
  check(value) {
    if (value === null) return null;
    if (typeof value === "string") return parseDuration(value);
    return typeof value === "number" && value > 0 && value <= LONGEST ? value : undefined;
  },
  schema: {
    anyOf: [
      { type: "number", exclusiveMinimum: 0, maximum: LONGEST },
      {
        type: "string",
        pattern:
          "^\\s*(\\d+(\\.\\d+)?|(\\d+[dD])?(\\d+[hH])?(\\d+[mM])?(\\d+(\\.\\d+)?[sS])?)\\s*$",
        // Nothing, and no time at all.
        not: { pattern: "^[^1-9]*$" },
      },
      { type: "null" },
    ],
  },
};

/** US dollars, or null for none. */
const DOLLARS: OptionKind<number | null> = {
  field: "number?",
  must: "an amount of dollars",
  hint: "Give one, 0.50 for example.",
  parse: (text) => text.trim() === "" ? undefined : DOLLARS.check(Number(text)),
  check(value) {
    if (value === null) return null;
    return typeof value === "number" && value > 0 && value < Infinity ? value : undefined;
  },
  schema: { anyOf: [{ type: "number", exclusiveMinimum: 0 }, { type: "null" }] },
};

/** Neither empty nor blank, and no NUL, which no program can be given. */
const SAID = "^[^\\0]*[^\\s\\0][^\\0]*$";

function isSaid(value: unknown): value is string {
  return typeof value === "string" && value.trim() !== "" && !value.includes("\0");
}

/** The line of a command that is one for the shell, `sh -c LINE`; undefined for any other. */
export function shellLineOf(command: readonly string[]): string | undefined {
  const [program, flag, line, ...rest] = command;
  return program === "sh" && flag === "-c" && rest.length === 0 ? line : undefined;
}

/** A command as its program and arguments, or a line for the shell; null for none. */
const COMMAND: OptionKind<string[] | null> = {
  field: "command?",
  must: "a command",
  hint: "For example: 'make test'",
  parse: (text) => isSaid(text) ? ["sh", "-c", text] : undefined,
  check(value) {
    if (value === null) return null;
    if (typeof value === "string") return COMMAND.parse(value);
    return Array.isArray(value) && value.length > 0 &&
        value.every((item) => typeof item === "string" && !item.includes("\0"))
      ? [...value]
      : undefined;
  },
  schema: {
    anyOf: [
      { type: "string", pattern: SAID },
      {
        type: "array",
        minItems: 1,
        items: { type: "string", pattern: "^[^\\0]*$" },
      },
      { type: "null" },
    ],
  },
};

/** Names of tasks: ids, their ends, keys. What they name is found out when the task is queued. */
const TASKS: OptionKind<string[]> = {
  field: "ids",
  must: "the id or the key of a task, or a list of them",
  hint: "See the ids with: orchestra status",
  parse: (text) => text === "" ? undefined : [text],
  check(value) {
    if (typeof value === "string") return TASKS.parse(value);
    return Array.isArray(value) && value.every((item) => typeof item === "string" && item !== "")
      ? [...value]
      : undefined;
  },
  schema: {
    anyOf: [
      { type: "string", minLength: 1 },
      { type: "array", items: { type: "string", minLength: 1 } },
    ],
  },
  several: { one: "the id or the key of a task", separator: ",", join: (values) => values.flat() },
};

const LABELS: OptionKind<Record<string, string>> = {
  field: "labels",
  must: "an object of texts",
  hint: "Write it as name=value.",
  parse(text) {
    const at = text.indexOf("=");
    return at > 0 ? Object.fromEntries([[text.slice(0, at), text.slice(at + 1)]]) : undefined;
  },
  check(value) {
    if (typeof value !== "object" || value === null || Array.isArray(value)) return undefined;
    const entries = Object.entries(value);
    return entries.every(([name, text]) => name !== "" && typeof text === "string")
      ? Object.fromEntries(entries)
      : undefined;
  },
  schema: {
    type: "object",
    propertyNames: { type: "string", minLength: 1 },
    additionalProperties: { type: "string" },
  },
  several: { one: "a label", join: (values) => Object.fromEntries(values.flatMap(Object.entries)) },
};

/** Relative, with "/" between names, and nothing that leads out. */
const GLOB =
  "^(?!/|[A-Za-z]:)(?!(?:.*/)?\\.\\.(?:/|$))[^\\0\\\\\\r\\n]*[^\\s\\0\\\\][^\\0\\\\\\r\\n]*$";
const GLOB_FORM = new RegExp(GLOB);
const isGlob = (value: unknown): value is string =>
  typeof value === "string" && value.length <= 1000 && GLOB_FORM.test(value);

/** Files by globs; what they mean is told in lib/decide/overlap.ts. */
const GLOBS: OptionKind<string[]> = {
  field: "texts",
  must: 'a glob of files below the workspace, with "/" between names, or a list of them',
  hint: "For example: 'src/**/*.ts'",
  parse: (text) => isGlob(text) ? [text] : undefined,
  check(value) {
    if (typeof value === "string") return GLOBS.parse(value);
    return Array.isArray(value) && value.length <= 1000 && value.every(isGlob)
      ? [...value]
      : undefined;
  },
  schema: {
    anyOf: [
      { type: "string", pattern: GLOB, maxLength: 1000 },
      { type: "array", maxItems: 1000, items: { type: "string", pattern: GLOB, maxLength: 1000 } },
    ],
  },
  several: {
    one: 'a glob of files below the workspace, with "/" between names',
    join: (values) => values.flat(),
  },
};

const KEY: OptionKind<string | null> = {
  field: "string?",
  must: "a key: letters, digits and ._:/+#=@()- after a letter or digit, not a number of an id",
  hint: "For example: build",
  parse: (text) => isKey(text) ? text : undefined,
  check: (value) =>
    value === null ? null : typeof value === "string" ? KEY.parse(value) : undefined,
  schema: { anyOf: [{ type: "string", pattern: KEY_PATTERN }, { type: "null" }] },
};

// ---------------------------------------------------------------------------------------------
// The table

/** Every option, in the order in which help and tables show them. */
export const OPTIONS: { readonly [K in OptionName]: Option<TaskOptions[K]> } = {
  key: {
    kind: KEY,
    about: "a name of your own, taken wherever an id is",
    placeholder: "name",
    letter: "k",
    fallback: null,
    inherited: true,
  },
  priority: {
    kind: integer(1, 10),
    about: "1 to 10, higher first",
    placeholder: "1..10",
    letter: "p",
    fallback: 5,
    setting: "priority",
    inherited: true,
  },
  maxRetries: {
    kind: integer(0),
    about: "most retries",
    placeholder: "n",
    fallback: 3,
    setting: "max_retries",
    inherited: true,
  },
  autoRetry: {
    kind: SWITCH,
    about: "retry by itself when it fails",
    placeholder: "",
    fallback: false,
    setting: "auto_retry",
    inherited: true,
  },
  timeout: {
    kind: DURATION,
    about: "end it after this time",
    placeholder: "time",
    fallback: null,
    setting: "timeout",
    agent: "at claim",
    inherited: true,
  },
  timeoutWarning: {
    kind: DURATION,
    about: "warn this long before its timeout",
    placeholder: "time",
    fallback: null,
    setting: "timeout_warning",
    inherited: true,
  },
  idleTimeout: {
    kind: DURATION,
    about: "end it when it printed nothing for so long",
    placeholder: "time",
    fallback: null,
    setting: "idle_timeout",
    agent: "at claim",
    inherited: true,
  },
  budget: {
    kind: DOLLARS,
    about: "end it when it has cost more than this, US dollars",
    placeholder: "usd",
    fallback: null,
    agent: "at claim",
    inherited: true,
  },
  verify: {
    kind: COMMAND,
    about: "command that must exit 0 before a success counts, instead of the agent's",
    placeholder: "command",
    fallback: null,
    agent: "at need",
    inherited: true,
  },
  worktree: {
    kind: CHOICE,
    about: "work in a git worktree of its own, on a branch of its own",
    placeholder: "",
    fallback: null,
    agent: "at need",
    inherited: true,
  },
  base: {
    kind: REF,
    about: "commit that its worktree begins from, instead of what its dependencies made, or HEAD",
    placeholder: "ref",
    fallback: null,
    inherited: true,
  },
  dirty: {
    kind: CHANGES,
    about: "your uncommitted changes, for its worktree: ignore, carry or refuse",
    placeholder: "what",
    fallback: null,
    inherited: true,
  },
  dependsOn: {
    kind: TASKS,
    about: "start only when these tasks are complete",
    placeholder: "id",
    fallback: [],
    inherited: true,
  },
  labels: {
    kind: LABELS,
    about: "a name and value of your own",
    placeholder: "k=v",
    letter: "l",
    flag: "label",
    fallback: {},
    inherited: true,
  },
  touches: {
    kind: GLOBS,
    about: "files that it changes, as a glob: tasks that change the same are marked, or kept apart",
    placeholder: "glob",
    fallback: [],
    inherited: true,
  },
};

/** The table as a list. */
export const OPTION_LIST = Object.entries(OPTIONS) as readonly [OptionName, Option<unknown>][];

// ---------------------------------------------------------------------------------------------
// What follows from the table

/** Agent and prompt: the two that every task needs, and that have no default. */
export const NEEDED: Readonly<
  Record<
    "agent" | "prompt",
    Pick<OptionKind<string>, "must" | "schema"> & { about: string; is(value: unknown): boolean }
  >
> = {
  agent: {
    about: "name of the agent",
    must: "the name of an agent",
    is: (value) => typeof value === "string" && value !== "",
    schema: { type: "string", minLength: 1 },
  },
  prompt: {
    about: "what it is asked to do",
    must: "a text that is not empty, without NUL",
    is: isSaid,
    schema: { type: "string", pattern: SAID },
  },
};

/** Why something is not a new task. */
export type WishProblem =
  | { readonly kind: "no-object" }
  | { readonly kind: "unknown"; readonly name: string }
  | { readonly kind: "missing"; readonly name: string }
  | {
    readonly kind: "wrong";
    readonly name: string;
    readonly value: unknown;
    readonly must: string;
  };

/** What a program or a line of a task list asks for, checked; or the first thing that is wrong. */
export function readWish(value: unknown): { wish: Wish } | { problem: WishProblem } {
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    return { problem: { kind: "no-object" } };
  }
  const given = value as Readonly<Record<string, unknown>>;
  const wish: Record<string, unknown> = {};
  for (const [name, { must, is }] of Object.entries(NEEDED)) {
    const found = given[name];
    if (found === undefined) return { problem: { kind: "missing", name } };
    if (!is(found)) return { problem: { kind: "wrong", name, value: found, must } };
    wish[name] = found;
  }
  for (const name of Object.keys(given)) {
    if (Object.hasOwn(NEEDED, name)) continue;
    if (!Object.hasOwn(OPTIONS, name)) return { problem: { kind: "unknown", name } };
    const found = given[name];
    if (found === undefined) continue;
    const { kind } = OPTIONS[name as OptionName];
    const checked = kind.check(found);
    if (checked === undefined) {
      return { problem: { kind: "wrong", name, value: found, must: kind.must } };
    }
    wish[name] = checked;
  }
  return { wish: wish as Wish };
}

/** The options that a retry inherits of a task. */
export function inheritedOptions(task: Readonly<TaskOptions>): Partial<TaskOptions> {
  return Object.fromEntries(
    OPTION_LIST.filter(([, { inherited }]) => inherited).map(([name]) => [name, task[name]]),
  );
}

/** What an agent's definition gives to a task that has none of its own, when it is claimed. */
export function agentOptions(
  task: Readonly<TaskOptions>,
  agent: { readonly [K in OptionName]?: unknown } | null,
): Partial<TaskOptions> {
  return Object.fromEntries(
    OPTION_LIST.filter(([, option]) => option.agent === "at claim")
      .map(([name]) => [name, task[name] ?? agent?.[name] ?? null]),
  );
}
