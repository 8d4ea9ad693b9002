// The JSON Schemas of the files that people and agents write, docs/schemas/*.json: made from what the
// program itself checks these files with, so that an editor says what the program would say. A check
// that has no counterpart in JSON Schema gets one here by hand, or the generator stops.

import { CONFIG_ABOUT, USER_ABOUT } from "../lib/settings/config_fields.ts";
import { PROVIDER } from "../lib/task/agent.ts";
import { AgentSchema, ConfigSchema } from "../lib/settings/schemas.ts";
import { EVENT_KINDS } from "../lib/task/event.ts";
import { FAILURE_CLASSES, FIELDS, MOST, STATUSES, type Task } from "../lib/task/fields.ts";
import { NEEDED, OPTION_LIST } from "../lib/task/options.ts";
import {
  AGENT_ABOUT,
  ATTEMPT_ABOUT,
  BRANCH_ABOUT,
  CONFIG_GROUP_ABOUT,
  ERROR_ABOUT,
  HOOK_ABOUT,
  IMPORT_ABOUT,
  RATE_LIMIT_ABOUT,
  RESULT_ABOUT,
  TASK_ABOUT,
  USAGE_ABOUT,
  WEBHOOK_ABOUT,
} from "./about.ts";
import * as z from "zod/mini";

/** The part of JSON Schema, draft 2020-12, that is in use. */
export interface JsonSchema {
  $schema?: string;
  $id?: string;
  $ref?: string;
  $defs?: Record<string, JsonSchema>;
  title?: string;
  description?: string;
  type?: string | string[];
  anyOf?: JsonSchema[];
  not?: JsonSchema;
  enum?: unknown[];
  const?: unknown;
  items?: JsonSchema;
  minItems?: number;
  properties?: Record<string, JsonSchema>;
  required?: string[];
  additionalProperties?: boolean | JsonSchema;
  propertyNames?: JsonSchema;
  default?: unknown;
  examples?: unknown[];
  minimum?: number;
  exclusiveMinimum?: number;
  maximum?: number;
  minLength?: number;
  pattern?: string;
  format?: string;
}

/** Kinds of the fields of a task file. */
export type Kind = typeof FIELDS[keyof Task]["kind"];

/** The refinements of lib/settings/schemas.ts, by what they say where they fail. */
const REFINEMENTS: Readonly<Record<string, JsonSchema>> = {
  "is not a regular expression": { format: "regex" },
  "must be an event, or failed:CLASS": {
    enum: [...EVENT_KINDS, ...FAILURE_CLASSES.map((name) => `failed:${name}`)],
  },
  "must be an http or https address": { pattern: "^[hH][tT][tT][pP][sS]?://" },
  'must be "Name <mail>"': {
    pattern: "^[^<>\\0\\n]*[^<>\\0\\n\\s][^<>\\0\\n]* <[^<>\\0\\n\\s]+>$",
  },
  "must be the path of a folder": { pattern: "^[^\\0\\r\\n]*[^\\s\\0][^\\0\\r\\n]*$" },
  // What else git asks of a name, the program tells.
  "must be the name of a branch with {taskId} in it": { pattern: "\\{taskId\\}" },
  // Said by no schema: the program tells.
  "must have names that differ": {},
  "must begin with a program": {},
  "must be a command: a line, or a list with the program first": {
    anyOf: [
      { type: "string", pattern: "^[^\\0]*[^\\s\\0][^\\0]*$" },
      { type: "array", minItems: 1, items: { type: "string", pattern: "^[^\\0]*$" } },
    ],
  },
};

/** A schema of lib/settings/schemas.ts as what may be written in the file, not as what is read from it. */
export function schemaOf(schema: z.core.$ZodType): JsonSchema {
  return z.toJSONSchema(schema, {
    io: "input",
    target: "draft-2020-12",
    override({ zodSchema, jsonSchema }) {
      for (const { _zod: { def } } of zodSchema._zod.def.checks ?? []) {
        if (def.check !== "custom") continue;
        const message = String(def.error?.({} as never));
        const known = REFINEMENTS[message];
        if (known === undefined) {
          throw new Error(`docs/json_schemas.ts does not say what the check "${message}" is there`);
        }
        Object.assign(jsonSchema, known);
      }
    },
  }) as JsonSchema;
}

/**
 * The same schema with what each property means.
 *
 * @param about texts by name; those of an inner object after the object's name and a dot
 */
function describe(
  schema: JsonSchema,
  about: Readonly<Record<string, string>>,
  prefix = "",
): JsonSchema {
  if (schema.items?.properties !== undefined) {
    return { ...schema, items: describe(schema.items, about, prefix) };
  }
  if (schema.properties === undefined) return schema;
  const properties = Object.entries(schema.properties).map(([name, part]) => {
    const description = about[prefix + name];
    if (description === undefined) {
      throw new Error(`docs/about.ts does not say what ${prefix}${name} means`);
    }
    return [name, { description, ...describe(part, about, `${prefix}${name}.`) }];
  });
  return { ...schema, properties: Object.fromEntries(properties) };
}

function prefixed(about: Readonly<Record<string, string>>, prefix: string): Record<string, string> {
  return Object.fromEntries(Object.entries(about).map(([name, text]) => [prefix + name, text]));
}

/** Properties of which the program takes any value, and only those of the right kind to heart. */
function untyped(about: Readonly<Record<string, string>>): Record<string, JsonSchema> {
  return Object.fromEntries(
    Object.entries(about).map(([name, description]) => [name, { description }]),
  );
}

// ---------------------------------------------------------------------------------------------
// Task files

const TASK_ID = "^task_[0-9]{10,20}$";

/** Looser than the program by times that do not exist, such as 25 o'clock or the 32nd. */
const TIME =
  "^\\d{4}-\\d\\d-\\d\\d([T ]\\d\\d:\\d\\d(:\\d\\d(\\.\\d+)?)?)?([zZ]|[+-]\\d\\d:?\\d\\d)?$";

const KIND_SCHEMAS: Readonly<Record<Kind, JsonSchema>> = {
  "string": { type: "string" },
  "string?": { type: "string" },
  "time": { type: "string", pattern: TIME },
  "time?": { type: "string", pattern: TIME },
  "number": { type: "number" },
  "number?": { type: "number" },
  "seconds?": { type: "number" },
  // Some versions of the ancestor wrote it as a text.
  "pid?": { type: ["number", "string"], pattern: "^[0-9]{1,10}$" },
  "boolean": { type: "boolean" },
  "boolean?": { type: "boolean" },
  "id?": { type: "string", pattern: TASK_ID },
  "ids": { type: "array", items: { type: "string", pattern: TASK_ID } },
  "texts": { type: "array", items: { type: "string" } },
  "command?": { type: "array", items: { type: "string" }, minItems: 1 },
  "count": { type: "integer", minimum: 0, maximum: MOST },
  "labels": { type: "object", additionalProperties: { type: "string" } },
  "history": {
    type: "array",
    items: {
      type: "object",
      properties: {
        attempt: { description: ATTEMPT_ABOUT.attempt, type: "number" },
        timestamp: { description: ATTEMPT_ABOUT.timestamp, type: "string" },
        error: { description: ATTEMPT_ABOUT.error, type: ["string", "null"] },
        retriedFrom: {
          description: ATTEMPT_ABOUT.retriedFrom,
          type: ["string", "null"],
          pattern: TASK_ID,
        },
      },
      required: ["attempt", "timestamp"],
    },
  },
  "object?": { type: "object" },
};

/** What is known of single fields beyond their kind. */
const FIELD_SCHEMAS: { readonly [K in keyof Task]?: JsonSchema } = {
  taskId: { pattern: TASK_ID },
  status: { enum: [...STATUSES] },
  // An unknown class, of a later version perhaps, is read as none.
  failureClass: { examples: [...FAILURE_CLASSES] },
  result: { properties: untyped(RESULT_ABOUT) },
  usage: { properties: untyped(USAGE_ABOUT) },
  git: { properties: untyped(BRANCH_ABOUT) },
};

function taskSchema(): JsonSchema {
  const names = Object.keys(FIELDS) as (keyof Task)[];
  const properties = names.map((name) => {
    const { kind, fallback } = FIELDS[name];
    const schema = { ...KIND_SCHEMAS[kind], ...FIELD_SCHEMAS[name] };
    const description = TASK_ABOUT[name];
    // The ancestor wrote null for what was never set: it is taken wherever there is a fallback.
    return [
      name,
      fallback === undefined
        ? { description, ...schema }
        : { description, default: fallback, ...schema, type: [schema.type ?? [], "null"].flat() },
    ];
  });
  return {
    type: "object",
    properties: Object.fromEntries(properties),
    required: names.filter((name) => FIELDS[name].fallback === undefined),
  };
}

// ---------------------------------------------------------------------------------------------
// The other files

function configSchema(): JsonSchema {
  return describe(schemaOf(ConfigSchema), {
    ...CONFIG_ABOUT,
    ...CONFIG_GROUP_ABOUT,
    ...prefixed(HOOK_ABOUT, "hooks."),
    ...prefixed(WEBHOOK_ABOUT, "webhooks."),
  });
}

/** The user's own settings: those of a workspace, and what holds for all of them. */
function userSettingsSchema(): JsonSchema {
  const { $schema: _, ...config } = configSchema();
  const count: JsonSchema = { type: "integer", minimum: 1 };
  const group = (properties: Record<string, JsonSchema>): JsonSchema => ({
    type: "object",
    properties,
    additionalProperties: false,
  });
  const limit = group({
    concurrent: { description: "most of its agents at once", ...count },
    launches: {
      description: "most launches in a time, like 20/1h: a sliding window",
      type: "string",
      pattern: "^[0-9]{1,6}/.+$",
    },
  });
  return {
    ...config,
    properties: {
      ...config.properties,
      limits: {
        description: USER_ABOUT.limits,
        type: "object",
        propertyNames: { type: "string", pattern: PROVIDER.source },
        additionalProperties: limit,
      },
      machine: {
        description: USER_ABOUT.machine,
        ...group({ concurrent: { description: "most agents at once", ...count } }),
        required: ["concurrent"],
      },
      serve: { description: USER_ABOUT.serve, type: ["boolean", "integer"] },
      safe: { description: USER_ABOUT.safe, type: "array", items: { type: "string" } },
      approved: {
        description: USER_ABOUT.approved,
        type: "object",
        additionalProperties: { type: "string" },
      },
    },
  };
}

function agentConfigSchema(): JsonSchema {
  const { $schema: _, ...agent } = describe(schemaOf(AgentSchema), {
    ...AGENT_ABOUT,
    ...prefixed(RATE_LIMIT_ABOUT, "rateLimit."),
  });
  return {
    type: "object",
    properties: {
      $schema: { description: "path of this schema, for editors; not read by Orchestra" },
      agents: {
        description: "the agents by name; one that is malformed leaves the others usable",
        type: "object",
        additionalProperties: { $ref: "#/$defs/agent" },
      },
    },
    required: ["agents"],
    $defs: { agent: { description: "an agent: any program that can be given a prompt", ...agent } },
  };
}

/** One line of `start --from`: the table of options as it is. */
export function taskListSchema(): JsonSchema {
  const parts = [
    ...Object.entries(NEEDED).map(([name, { schema }]) => [name, schema]),
    ...OPTION_LIST.map(([name, { kind }]) => [name, kind.schema]),
  ] as [string, JsonSchema][];
  return describe({
    type: "object",
    properties: Object.fromEntries(parts),
    required: Object.keys(NEEDED),
    additionalProperties: false,
  }, IMPORT_ABOUT);
}

/** What the program takes from a `.done` file; it takes what is of another kind for absent. */
const DONE_SCHEMA: JsonSchema = {
  type: "object",
  properties: {
    summary: { description: RESULT_ABOUT.summary, type: "string" },
    files: { description: RESULT_ABOUT.files, type: "array", items: { type: "string" } },
  },
};

/** What the program takes from an `.error` file; without a text as `error` it makes up a message. */
const ERROR_SCHEMA: JsonSchema = {
  type: "object",
  properties: {
    error: { description: ERROR_ABOUT.error, type: "string", minLength: 1 },
    details: { description: ERROR_ABOUT.details },
    timestamp: { description: ERROR_ABOUT.timestamp, type: "string" },
  },
  required: ["error"],
};

/** All JSON Schemas, by the first part of their files' names. */
export function makeSchemas(): Record<string, JsonSchema> {
  const schema = (name: string, title: string, description: string, body: JsonSchema) => ({
    $schema: "https://json-schema.org/draft/2020-12/schema",
    // A name and not an address: the files are read from a clone.
    $id: `urn:orchestra:schema:${name}`,
    title,
    description,
    ...body,
  });
  return {
    "config": schema(
      "config",
      "Settings of Orchestra",
      ".orchestra/config.json. An unknown key is an error.",
      configSchema(),
    ),
    "user-settings": schema(
      "user-settings",
      "Your own settings of Orchestra",
      "$XDG_CONFIG_HOME/orchestra/settings.json. They hold below those of each workspace.",
      userSettingsSchema(),
    ),
    "agent-config": schema(
      "agent-config",
      "Agents of Orchestra",
      ".orchestra-cli/agent-config.json. An unknown field of an agent is an error.",
      agentConfigSchema(),
    ),
    "tasks": schema(
      "tasks",
      "A task to queue",
      "One line of a file for: orchestra start --from. An unknown field is an error.",
      taskListSchema(),
    ),
    "task": schema(
      "task",
      "A task of Orchestra",
      ".orchestra/tasks/<id>.json. Fields that are not named here survive a rewrite.",
      taskSchema(),
    ),
    "done": schema(
      "done",
      "What an agent says of its success",
      ".orchestra/tasks/<id>.done, where it is JSON. It may also be text, or empty.",
      DONE_SCHEMA,
    ),
    "error": schema(
      "error",
      "What an agent says of its failure",
      ".orchestra/tasks/<id>.error, where it is JSON. It may also be text, or empty.",
      ERROR_SCHEMA,
    ),
  };
}
