// An agent's definition from its text without the schemas: only what has the form that the launch
// relies on. It refuses nothing that the schemas accept; why something is refused, they say.

import { type AgentDefinition, PROVIDER, type RateLimit, USAGE_FORMATS } from "../task/agent.ts";
import { FAILURE_CLASSES } from "../task/fields.ts";
import { isSetup } from "./worktree_shape.ts";

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value);
const isText = (value: unknown): value is string => typeof value === "string";
const isArgument = (value: unknown): value is string => isText(value) && !value.includes("\0");
const isAmount = (value: unknown): value is number =>
  typeof value === "number" && value > 0 && value < Infinity;
const areTexts = (value: unknown): value is string[] => Array.isArray(value) && value.every(isText);
const isOneOf = (...names: unknown[]) => (value: unknown) => names.includes(value);

function isCommand(value: unknown): boolean {
  return Array.isArray(value) && value.length > 0 && value.every(isText);
}

function areVariables(value: unknown): boolean {
  return isObject(value) &&
    Object.entries(value).every(([name, text]) => /^[^=\0]+$/.test(name) && isArgument(text));
}

/** Whether a text is a regular expression. */
export function isRegExp(text: unknown): boolean {
  try {
    new RegExp(text as string);
    return isText(text);
  } catch {
    return false;
  }
}

function isRateLimit(value: unknown): boolean {
  return isObject(value) && areTexts(value.patterns) && value.patterns.every(isRegExp) &&
    (value.resetPattern === undefined || isRegExp(value.resetPattern)) &&
    (value.cooldown === undefined || isAmount(value.cooldown));
}

/** What each field must be. */
const FORMS: Readonly<Record<keyof AgentDefinition, (value: unknown) => boolean>> = {
  command: (value) => isArgument(value) && value !== "",
  args: (value) => Array.isArray(value) && value.every(isArgument),
  description: isText,
  promptTemplate: isText,
  promptTemplateFile: isText,
  stdin: isText,
  env: areVariables,
  passEnv: areTexts,
  cwd: isText,
  completion: isOneOf("sentinel", "exit", "auto"),
  verify: isCommand,
  worktree: isOneOf(true, false),
  setup: isSetup,
  timeout: isAmount,
  idleTimeout: isAmount,
  maxConcurrent: isAmount,
  provider: (value) => isText(value) && PROVIDER.test(value),
  retryOn: (value) => areTexts(value) && value.every(isOneOf(...FAILURE_CLASSES)),
  rateLimit: isRateLimit,
  fallback: areTexts,
  budget: isAmount,
  usage: isOneOf(...USAGE_FORMATS),
  resume: areTexts,
  versionArgs: areTexts,
};

/** Seconds that an agent pauses where its output tells no time. */
export const COOLDOWN = 300;

/** The definition in a value, defaults filled in; undefined where it has not the form of one. */
export function shapeAgent(value: unknown): AgentDefinition | undefined {
  if (!isObject(value)) return undefined;
  const agent: Record<string, unknown> = { args: [] };
  for (const [name, field] of Object.entries(value)) {
    if (!Object.hasOwn(FORMS, name) || !FORMS[name as keyof AgentDefinition](field)) {
      return undefined;
    }
    agent[name] = field;
  }
  if (agent.command === undefined) return undefined;
  if (agent.rateLimit !== undefined) {
    const { patterns, resetPattern, cooldown = COOLDOWN } = agent.rateLimit as RateLimit;
    agent.rateLimit = {
      patterns,
      ...(resetPattern === undefined ? {} : { resetPattern }),
      cooldown,
    };
  }
  return agent as unknown as AgentDefinition;
}
