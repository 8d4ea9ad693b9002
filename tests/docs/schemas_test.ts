// The JSON Schemas: what they say of themselves, and that what the program writes passes them.

import { type JsonSchema, schemaOf } from "../../docs/json_schemas.ts";
import { parseConfig } from "../../lib/settings/schemas.ts";
import { FIELDS, formatTask, newTask, type Task } from "../../lib/task/fields.ts";
import { PRESETS } from "../../lib/agents/presets.ts";
import { assert, assertEquals, assertStringIncludes, assertThrows } from "../support/assert.ts";
import { LEGACY_TASKS, writeLegacyWorkspace } from "../support/legacy.ts";
import * as z from "zod/mini";
import { listBlocks, page, ROOT, SOME_ID } from "../support/pages.ts";
import { assertValid, schemaProblem, SCHEMAS } from "../support/json_schemas.ts";
import { orchestra, withWorkspace } from "../support/workspace.ts";

Deno.test("every JSON Schema says what it is, and what each property means", () => {
  const addresses = new Set<string>();
  for (const [name, schema] of Object.entries(SCHEMAS)) {
    assertEquals(schema.$schema, "https://json-schema.org/draft/2020-12/schema", name);
    assert(schema.$id && schema.title && schema.description, name);
    addresses.add(schema.$id);
    let count = 0;
    const walk = (part: unknown, path: string): void => {
      if (typeof part !== "object" || part === null) return;
      for (const [key, inner] of Object.entries(part)) {
        if (key === "properties") {
          for (const [property, { description }] of Object.entries(inner as JsonSchema[])) {
            count++;
            assert(description, `${path}.${property} is not described`);
          }
        }
        walk(inner, `${path}.${key}`);
      }
    };
    walk(schema, name);
    assert(count > 1, `${name} has only ${count} properties`);
    assertStringIncludes(page("docs/formats.md"), `(schemas/${name}.schema.json)`);
  }
  assertEquals(addresses.size, Object.keys(SCHEMAS).length);
});

Deno.test("the defaults in the JSON Schemas are those of the program", () => {
  const defaults = (schema: JsonSchema): unknown =>
    schema.properties === undefined ? schema.default : Object.fromEntries(
      Object.entries(schema.properties).map(([name, part]) => [name, defaults(part)]),
    );
  assertEquals(defaults(SCHEMAS.config!), parseConfig({}));
  for (const [name, part] of Object.entries(SCHEMAS.task!.properties!)) {
    const { fallback } = FIELDS[name as keyof Task];
    assertEquals(part.default, fallback, name);
    assertEquals(SCHEMAS.task!.required!.includes(name), fallback === undefined, name);
  }
});

Deno.test("what the program writes and brings passes the JSON Schemas", async () => {
  for (const [name, { agent }] of Object.entries(PRESETS)) {
    assertValid("agent-config", { agents: { [name]: agent } }, `the preset ${name}`);
  }
  const wanted = { agent: "shell", prompt: "date", timeout: 9, labels: { a: "b" }, verify: ["x"] };
  assertValid("task", JSON.parse(formatTask(newTask(SOME_ID, wanted, 1e12))), "a new task");
  assertEquals(Object.keys(LEGACY_TASKS).length, 9);
  for (const [id, text] of Object.entries(LEGACY_TASKS)) {
    assertValid("task", JSON.parse(text), `the ancestor's ${id}`);
  }
  await withWorkspace(async (root) => {
    const read = (path: string) => JSON.parse(Deno.readTextFileSync(`${root}/${path}`));
    assertEquals((await orchestra(root, "init", "--agent", "codex,gemini")).code, 0);
    assertEquals((await orchestra(root, "config", "init")).code, 0);
    assertEquals((await orchestra(root, "config", "set", "retry.cap", "10m")).code, 0);
    assertValid("agent-config", read(".orchestra-cli/agent-config.json"), "what init writes");
    assertValid("config", read(".orchestra/config.json"), "what config writes");
    for (const prompt of ["exit 3", 'echo \'{"summary": "all"}\' > $ORCHESTRA_DONE_FILE']) {
      assertEquals((await orchestra(root, "start", "shell", prompt, "--max-retries", "0")).code, 0);
    }
    assertEquals((await orchestra(root, "run", "--all", "--wait")).code, 1);
    const files = [...Deno.readDirSync(`${root}/.orchestra/tasks`)]
      .filter(({ name }) => name.endsWith(".json"));
    assertEquals(files.length, 2);
    for (const { name } of files) assertValid("task", read(`.orchestra/tasks/${name}`), name);

    // A schema may be named in the agents file, and the whole file is what its schema says.
    const path = `${root}/.orchestra-cli/agent-config.json`;
    for (const [text, good] of AGENT_FILES) {
      Deno.writeTextFileSync(path, text);
      const { code, stderr } = await orchestra(root, "agents");
      assertEquals(code === 0, good, `${text}: ${stderr}`);
      assertEquals(schemaProblem("agent-config", JSON.parse(text)) === null, good, text);
    }
  });
  const legacy = Deno.makeTempDirSync({ prefix: "orchestra-docs-" });
  try {
    writeLegacyWorkspace(legacy);
    const agents = Deno.readTextFileSync(`${legacy}/.orchestra-cli/agent-config.json`);
    assertValid("agent-config", JSON.parse(agents), "the ancestor's agents");
  } finally {
    Deno.removeSync(legacy, { recursive: true });
  }
});

/** Agents files, and whether they can be loaded. */
const AGENT_FILES: readonly (readonly [string, boolean])[] = [
  ['{"$schema": "agent-config.schema.json", "agents": {"x": {"command": "true"}}}', true],
  ['{"agents": {}, "of": "the user"}', true],
  ['{"agents": []}', false],
  ['{"agents": null}', false],
  ["{}", false],
  ["[]", false],
  ["null", false],
];

Deno.test("an editor's settings in the documentation name schemas that are there", () => {
  const settings = listBlocks("json").map((block) => JSON.parse(block.text)["json.schemas"])
    .filter((schemas) => schemas !== undefined).flat();
  assertEquals(settings.length, 3);
  for (const { url } of settings) {
    const path = /^\.\.\/orchestra\/(.*)$/.exec(url)?.[1];
    assert(path !== undefined, url);
    Deno.statSync(new URL(path, ROOT));
  }
});

Deno.test("a check that JSON Schema has no word for stops the generator", () => {
  const schema = z.strictObject({ a: z.string().check(z.refine((text) => text > "b", "is late")) });
  assertStringIncludes(assertThrows(() => schemaOf(schema), Error).message, "is late");
});
