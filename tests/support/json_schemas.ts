// The JSON Schemas and the program, asked about the same documents.

import { Ajv2020, type ValidateFunction } from "ajv/dist/2020.js";
import { makeSchemas } from "../../docs/json_schemas.ts";
import { isRegExp } from "../../lib/settings/agent_shape.ts";
import { parseAgent, parseConfig } from "../../lib/settings/schemas.ts";
import { readWish } from "../../lib/task/options.ts";
import { isTaskId, parseTask, type Task } from "../../lib/task/fields.ts";
import { assert, assertEquals } from "./assert.ts";
import { SOME_ID } from "./pages.ts";

export const SCHEMAS = makeSchemas();

/** The schemas as a validator reads them; in its strict mode, which refuses what means nothing. */
const VALIDATORS: ReadonlyMap<string, ValidateFunction> = new Map(
  Object.entries(SCHEMAS).map(([name, schema]) => [
    name,
    new Ajv2020({ strict: true, allowUnionTypes: true, formats: { regex: isRegExp } })
      .compile(schema),
  ]),
);

/** What is wrong with a value by a schema; null where nothing is. */
export function schemaProblem(name: string, value: unknown): string | null {
  const validate = VALIDATORS.get(name);
  assert(validate !== undefined, `there is no schema ${name}`);
  if (validate(value)) return null;
  return validate.errors!.map(({ instancePath, message }) => `${instancePath} ${message}`)
    .join("; ");
}

export function assertValid(name: string, value: unknown, what: string): void {
  assertEquals(schemaProblem(name, value), null, `${what}, by ${name}.schema.json`);
}

/** What the program says to a value, for each schema that has a gate of its own. */
export const GATES: Readonly<Record<string, (value: unknown) => string | null>> = {
  "config": (value) => {
    try {
      parseConfig(value);
      return null;
    } catch (error) {
      return String(error);
    }
  },
  "agent-config": (value) => {
    // The file as a whole is judged where it is loaded; see the test with a workspace.
    for (const agent of Object.values((value as { agents: object }).agents)) {
      const parsed = parseAgent(agent);
      if ("problem" in parsed) return parsed.problem;
    }
    return null;
  },
  "tasks": (value) => {
    const parsed = readWish(value);
    return "problem" in parsed ? JSON.stringify(parsed.problem) : null;
  },
  "task": (value) => {
    const id = (value as Partial<Task>).taskId;
    // The name of a file is a task id, whatever its content says.
    const promised = typeof id === "string" && isTaskId(id) ? id : SOME_ID;
    const parsed = parseTask(JSON.stringify(value), promised);
    return "problem" in parsed ? parsed.problem : null;
  },
};
