// The schemas of the files that people write: settings and agents. Loaded only when
// such a file is read, for zod costs start-up time.

import * as z from "zod/mini";
import { type AgentDefinition, PROVIDER, USAGE_FORMATS } from "../task/agent.ts";
import { type Config, CONFIG_ABOUT, DEFAULT_CONFIG } from "./config_fields.ts";
import { COOLDOWN, isRegExp } from "./agent_shape.ts";
import {
  areNamesUnique,
  isAddress,
  isSubscribable,
  LONGEST_HOOK,
  NAME,
  SECRET_FILE,
  VARIABLE,
  WEBHOOK_FORMATS,
} from "./subscriber_shape.ts";
import { OrchestraError } from "../task/error.ts";
import { OVERLAP_RULES } from "../decide/overlap.ts";
import { closest } from "../text/suggest.ts";
import { EVENTS } from "../task/event.ts";
import { FAILURE_CLASSES } from "../task/fields.ts";
import { DIRTY } from "../task/options.ts";
import { isAuthor, isBranchPattern, isFolderPath, isSetup } from "./worktree_shape.ts";

const seconds = z.number().check(z.positive(), z.maximum(315_360_000));
const count = z.int().check(z.positive());
const days = z.number().check(z.nonnegative());
const failureClass = z.enum(FAILURE_CLASSES);
const D = DEFAULT_CONFIG;
const oneOrSome = (text: z.ZodMiniString, what: string) =>
  z.union([text, z.array(text).check(z.minLength(1))], `must be ${what}, or a list of such`);
/** What stands where an event should, and what may; nothing where no value is looked at. */
function insteadOf(input: unknown): string {
  if (input === undefined) return "";
  return `, and is ${JSON.stringify(input)}; events: ${Object.keys(EVENTS).join(", ")}; ` +
    `classes: ${FAILURE_CLASSES.join(", ")}`;
}
const events = z.array(
  z.string().check(
    z.refine(isSubscribable, {
      error: ({ input }) => "must be an event, or failed:CLASS" + insteadOf(input),
    }),
  ),
).check(z.minLength(1));
const address = z.string().check(z.refine(isAddress, "must be an http or https address"));
const subscriberName = z.string().check(
  z.regex(NAME, "must be a name: letters, digits, and . _ - behind the first"),
);
const distinct = z.refine(areNamesUnique, "must have names that differ");
const noNul = z.string().check(z.regex(/^[^\0]*$/, "must not contain NUL"));

const COMMAND = "must be a command: a line, or a list with the program first";
const setup = z.union([z.string(), z.array(z.string())], COMMAND).check(
  z.refine(isSetup, COMMAND),
);

/** A hook of a settings file. */
export const HookSchema = z.strictObject({
  on: events,
  run: z.array(noNul).check(
    z.minLength(1),
    z.refine((words) => words[0] !== "", "must begin with a program"),
  ),
  timeout: z.optional(z.number().check(z.positive(), z.maximum(LONGEST_HOOK))),
  name: z.optional(subscriberName),
});

/** A webhook of a settings file. */
export const WebhookSchema = z.strictObject({
  url: address,
  on: z.optional(events),
  format: z.optional(z.enum(WEBHOOK_FORMATS)),
  secretEnv: z.optional(oneOrSome(z.string().check(z.regex(VARIABLE)), "the name of a variable")),
  secretFile: z.optional(
    oneOrSome(z.string().check(z.regex(SECRET_FILE)), "the path of a file, without commas"),
  ),
  name: z.optional(subscriberName),
});

/** `.orchestra/config.json` */
export const ConfigSchema = z.strictObject({
  max_concurrent: z._default(count, D.max_concurrent),
  interval: z._default(seconds, D.interval),
  max_retries: z._default(z.int().check(z.nonnegative()), D.max_retries),
  auto_retry: z._default(z.boolean(), D.auto_retry),
  priority: z._default(z.int().check(z.minimum(1), z.maximum(10)), D.priority),
  timeout: z._default(z.nullable(seconds), D.timeout),
  timeout_warning: z._default(z.nullable(seconds), D.timeout_warning),
  idle_timeout: z._default(z.nullable(seconds), D.idle_timeout),
  grace_period: z._default(z.number().check(z.nonnegative(), z.maximum(3600)), D.grace_period),
  answer_grace: z._default(z.number().check(z.nonnegative(), z.maximum(3600)), D.answer_grace),
  supervise: z._default(z.boolean(), D.supervise),
  debug_log: z._default(z.boolean(), D.debug_log),
  overlap: z._default(z.enum(OVERLAP_RULES), D.overlap),
  worktree: z._default(z.boolean(), D.worktree),
  worktrees: z.prefault(
    z.strictObject({
      branch: z._default(
        z.string().check(
          z.refine(isBranchPattern, "must be the name of a branch with {taskId} in it"),
        ),
        D.worktrees.branch,
      ),
      folder: z._default(
        z.nullable(
          z.string().check(z.refine(isFolderPath, "must be the path of a folder")),
        ),
        D.worktrees.folder,
      ),
      author: z._default(
        z.nullable(z.string().check(z.refine(isAuthor, 'must be "Name <mail>"'))),
        D.worktrees.author,
      ),
      dirty: z._default(z.enum(DIRTY), D.worktrees.dirty),
      setup: z._default(z.nullable(setup), D.worktrees.setup),
      setup_timeout: z._default(seconds, D.worktrees.setup_timeout),
    }),
    {},
  ),
  retry: z.prefault(
    z.strictObject({
      base: z._default(z.number().check(z.nonnegative()), D.retry.base),
      factor: z._default(z.number().check(z.minimum(1)), D.retry.factor),
      cap: z._default(seconds, D.retry.cap),
      jitter: z._default(z.boolean(), D.retry.jitter),
      on: z._default(z.array(failureClass), D.retry.on),
      handovers: z._default(z.int().check(z.nonnegative()), D.retry.handovers),
    }),
    {},
  ),
  archive: z.prefault(
    z.strictObject({
      enabled: z._default(z.boolean(), D.archive.enabled),
      max_completed_age_days: z._default(days, D.archive.max_completed_age_days),
      max_failed_age_days: z._default(days, D.archive.max_failed_age_days),
      max_queue_size: z._default(z.int().check(z.nonnegative()), D.archive.max_queue_size),
      archive_dir: z._default(
        z.literal(".orchestra/archive", "is always .orchestra/archive"),
        ".orchestra/archive",
      ),
    }),
    {},
  ),
  history: z.prefault(
    z.strictObject({
      max_age_days: z._default(days, D.history.max_age_days),
      max_size_mb: z._default(z.number().check(z.nonnegative()), D.history.max_size_mb),
    }),
    {},
  ),
  hooks: z._default(z.array(HookSchema).check(distinct), D.hooks),
  webhooks: z._default(z.array(WebhookSchema).check(distinct), D.webhooks),
  notify: z.prefault(
    z.strictObject({
      desktop: z._default(
        z.union([z.boolean(), events], "must be true, false, or a list of events"),
        D.notify.desktop,
      ),
      terminal: z._default(z.boolean(), D.notify.terminal),
    }),
    {},
  ),
  otlp: z.prefault(
    z.strictObject({ endpoint: z._default(z.nullable(address), D.otlp.endpoint) }),
    {},
  ),
});

const nonEmpty = z.string().check(z.minLength(1));
const command = z.array(z.string()).check(z.minLength(1));

/** One agent of `.orchestra-cli/agent-config.json` */
export const AgentSchema = z.strictObject({
  command: nonEmpty.check(z.regex(/^[^\0]*$/, "must not contain NUL")),
  args: z._default(z.array(noNul), []),
  description: z.optional(z.string()),
  promptTemplate: z.optional(z.string()),
  promptTemplateFile: z.optional(nonEmpty),
  stdin: z.optional(z.string()),
  env: z.optional(z.record(nonEmpty.check(z.regex(/^[^=\0]+$/)), noNul)),
  passEnv: z.optional(z.array(nonEmpty)),
  cwd: z.optional(nonEmpty),
  completion: z.optional(z.enum(["sentinel", "exit", "auto"])),
  verify: z.optional(command),
  worktree: z.optional(z.boolean()),
  setup: z.optional(setup),
  timeout: z.optional(seconds),
  idleTimeout: z.optional(seconds),
  maxConcurrent: z.optional(count),
  provider: z.optional(
    z.string().check(
      z.regex(PROVIDER, "must be a word: small letters, digits, and . _ - behind the first"),
    ),
  ),
  retryOn: z.optional(z.array(failureClass)),
  rateLimit: z.optional(z.strictObject({
    patterns: z.array(nonEmpty.check(z.refine(isRegExp, "is not a regular expression"))),
    resetPattern: z.optional(nonEmpty.check(z.refine(isRegExp, "is not a regular expression"))),
    cooldown: z._default(seconds, COOLDOWN),
  })),
  fallback: z.optional(z.array(nonEmpty)),
  budget: z.optional(z.number().check(z.positive())),
  usage: z.optional(z.enum(USAGE_FORMATS)),
  resume: z.optional(z.array(z.string())),
  versionArgs: z.optional(z.array(z.string())),
});

const RATE_LIMIT_KEYS = ["patterns", "resetPattern", "cooldown"];

interface Issue {
  readonly path: readonly PropertyKey[];
  readonly code?: string;
  readonly message: string;
  readonly keys?: readonly string[];
  readonly expected?: string;
  readonly origin?: string;
  readonly minimum?: number | bigint;
  readonly maximum?: number | bigint;
  readonly inclusive?: boolean;
  readonly values?: readonly unknown[];
}

/** What a value must be, in words: the small zod brings none. */
function requirement(issue: Issue): string {
  switch (issue.code) {
    case "invalid_type":
      return `must be ${/^[aeio]/.test(issue.expected ?? "") ? "an" : "a"} ${issue.expected}`;
    case "too_small":
      if (issue.origin === "array") return `must hold at least ${issue.minimum}`;
      return `must be ${issue.inclusive ? "at least" : "more than"} ${issue.minimum}`;
    case "too_big":
      return `must be ${issue.inclusive ? "at most" : "less than"} ${issue.maximum}`;
    case "invalid_value":
      return `must be one of ${issue.values?.map((value) => JSON.stringify(value)).join(", ")}`;
    default:
      return issue.message;
  }
}

/** The first thing that is wrong with a value. */
export interface SchemaIssue {
  /** Names that lead to it, joined with dots; empty for the value as a whole. */
  readonly path: string;
  /** What it must be, to be read after its name; null where no such key is known. */
  readonly requirement: string | null;
  /** Keys that may stand where an unknown one does. */
  readonly known: readonly string[];
}

/**
 * What is wrong, as data.
 *
 * @param keysAt the keys that are known below a path
 */
function toIssue(issue: Issue, keysAt: (path: string) => readonly string[]): SchemaIssue {
  const path = issue.path.map(String).join(".");
  const key = issue.code === "unrecognized_keys" ? issue.keys?.[0] : undefined;
  return key === undefined
    ? { path, requirement: requirement(issue), known: [] }
    : { path: path === "" ? key : `${path}.${key}`, requirement: null, known: keysAt(path) };
}

/** As one sentence, with what was probably meant. */
export function describeIssue(issue: SchemaIssue): { text: string; hint?: string } {
  if (issue.requirement !== null) {
    return { text: `${issue.path === "" ? "it" : `"${issue.path}"`}: ${issue.requirement}` };
  }
  const near = closest(issue.path.slice(issue.path.lastIndexOf(".") + 1), issue.known);
  return {
    text: `unknown key ${JSON.stringify(issue.path)}`,
    hint: near === undefined ? `Known keys: ${issue.known.join(", ")}` : `Did you mean "${near}"?`,
  };
}

/** The settings that stand directly in a group, or on the uppermost level; the keys of an entry of a list. */
export function settingsIn(path: string): string[] {
  const list = /^(hooks|webhooks)\.\d+$/.exec(path)?.[1];
  if (list !== undefined) {
    return Object.keys((list === "hooks" ? HookSchema : WebhookSchema)._zod.def.shape);
  }
  const prefix = path === "" ? "" : `${path}.`;
  const keys = Object.keys(CONFIG_ABOUT).filter((key) => key.startsWith(prefix));
  return [...new Set(keys.map((key) => key.slice(prefix.length).split(".")[0]!))];
}

/** What is wrong with the value of a settings file; undefined where nothing is. */
export function configIssue(value: unknown): SchemaIssue | undefined {
  const parsed = ConfigSchema.safeParse(value);
  return parsed.success ? undefined : toIssue(parsed.error.issues[0] as Issue, settingsIn);
}

/**
 * Settings from the value of a settings file, defaults filled in.
 *
 * @throws OrchestraError `config`
 */
export function parseConfig(value: unknown, source = ".orchestra/config.json"): Config {
  const issue = configIssue(value);
  if (issue === undefined) return ConfigSchema.parse(value);
  const { text, hint } = describeIssue(issue);
  throw new OrchestraError("config", `Reading ${source}: ${text}`, {
    hint: hint ?? "Mend the value in the file; docs/formats.md says what each setting may be.",
  });
}

/** What is wrong with one of the small schemas' values, in words. */
function problemOf(issues: readonly unknown[], keysAt: (path: string) => readonly string[]) {
  return describeIssue(toIssue(issues[0] as Issue, keysAt));
}

/** An agent from its entry in the agents file, or why it is none. */
export function parseAgent(value: unknown): AgentDefinition | { problem: string } {
  const parsed = AgentSchema.safeParse(value);
  if (parsed.success) return parsed.data;
  const { text, hint } = problemOf(
    parsed.error.issues,
    (path) =>
      path.startsWith("rateLimit") ? RATE_LIMIT_KEYS : Object.keys(AgentSchema._zod.def.shape),
  );
  return { problem: hint === undefined ? text : `${text} (${hint})` };
}
