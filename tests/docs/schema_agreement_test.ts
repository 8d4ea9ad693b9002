// The JSON Schemas and the program agree on generated documents.

import fc from "fast-check";
import type { JsonSchema } from "../../docs/json_schemas.ts";
import { newTask } from "../../lib/task/fields.ts";
import { assert, assertEquals } from "../support/assert.ts";
import { SOME_ID } from "../support/pages.ts";
import { GATES, schemaProblem, SCHEMAS } from "../support/json_schemas.ts";

/** Values among which each field finds some that it takes and many that it does not. */
const SOME_VALUES: readonly unknown[] = [
  ...[null, true, false, 0, 1, 0.5, 5, 10, 11, -1, 3600, 3601, 2 ** 53, 315_360_001, {}, []],
  ...["", "x", "a\0b", "(", "\\d+", "5m", "0s", "1h30m", " 2D ", "m", "90", "exit", "auto"],
  ...["claude", ".orchestra/archive", SOME_ID, "task_1", "pending", "failed", "2026-01-31"],
  ...["2026-01-31T12:00:00.000Z", "2026-01-31T12:00:00.123456", "2026-01-31 12:00+01:00"],
  ...[["x"], [""], ["exit", "idle"], ["("], [1], [SOME_ID], { A: "b" }, { "A=": "b" }, { A: 1 }],
  ...[{ attempt: 1, timestamp: "x" }, [{ attempt: 1, timestamp: "x", retriedFrom: SOME_ID }]],
];

/** Objects with some of a schema's properties, right or wrong, and now and then one of no schema. */
function generateDocument(schema: JsonSchema, start: object): fc.Arbitrary<unknown> {
  const entries = Object.entries(schema.properties!).map(([name, part]) =>
    fc.tuple(
      fc.constant(name),
      fc.oneof(
        { weight: 9, arbitrary: fc.constantFrom(...SOME_VALUES) },
        { weight: 1, arbitrary: fc.jsonValue() },
        ...(part.properties === undefined
          ? []
          : [{ weight: 20, arbitrary: generateDocument(part, {}) }]),
      ),
    )
  );
  const unknown = fc.tuple(fc.string({ minLength: 1 }), fc.jsonValue());
  return fc.array(fc.oneof({ weight: 30, arbitrary: fc.oneof(...entries) }, unknown), {
    maxLength: 3,
  }).map((parts) => ({ ...start, ...Object.fromEntries(parts) }));
}

const GENERATED: Readonly<Record<string, fc.Arbitrary<unknown>>> = {
  "config": generateDocument(SCHEMAS.config!, {}),
  "agent-config": generateDocument(SCHEMAS["agent-config"]!.$defs!.agent!, { command: "x" })
    .map((agent) => ({ agents: { x: agent } })),
  "tasks": generateDocument(SCHEMAS.tasks!, { agent: "x", prompt: "y" }),
  "task": generateDocument(SCHEMAS.task!, newTask(SOME_ID, { agent: "x", prompt: "y" }, 0)),
};

for (const [name, documents] of Object.entries(GENERATED)) {
  Deno.test(`${name}.schema.json and the program agree on generated documents`, () => {
    let taken = 0;
    let refused = 0;
    fc.assert(
      fc.property(documents, (value) => {
        const text = JSON.stringify(value);
        // A key that JavaScript gives a meaning of its own; no file has a use for it.
        fc.pre(!text.includes("__proto__"));
        const program = GATES[name]!(JSON.parse(text));
        const schema = schemaProblem(name, JSON.parse(text));
        assertEquals(
          schema === null,
          program === null,
          `${text}: the program says ${program}, the schema ${schema}`,
        );
        if (program === null) taken++;
        else refused++;
      }),
      { numRuns: 1000 },
    );
    assert(taken > 100 && refused > 100, `${taken} were taken and ${refused} refused`);
  });
}
