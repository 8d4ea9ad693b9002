// Whether what the server says is what the OpenAPI document says that it says.

import { Ajv2020 } from "ajv/dist/2020.js";
import { SCHEMAS } from "../../lib/web/schemas.ts";
import { assert } from "../support/assert.ts";

const ajv = new Ajv2020({ strict: false, validateFormats: false });
ajv.addSchema({ $id: "urn:orchestra:api", components: { schemas: SCHEMAS } });

/** A check by a schema of the document. */
export function compileSchema(schema: Readonly<Record<string, unknown>>) {
  return ajv.compile(
    JSON.parse(JSON.stringify(schema).replaceAll('"#/', '"urn:orchestra:api#/')),
  );
}

/** Checks that a value fits a schema of the document. */
export function assertFits(
  value: unknown,
  schema: Readonly<Record<string, unknown>>,
  what: string,
): void {
  const check = compileSchema(schema);
  assert(check(value), `${what}: ${ajv.errorsText(check.errors)} in ${JSON.stringify(value)}`);
}
