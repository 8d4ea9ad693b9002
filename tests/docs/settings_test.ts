// The documented settings, agents and tasks are those of the program.

import { CONFIG_ABOUT } from "../../lib/settings/config_fields.ts";
import { parseAgent, parseConfig } from "../../lib/settings/schemas.ts";
import { refusalError } from "../../lib/queue/refusal.ts";
import { readWish } from "../../lib/task/options.ts";
import { parseDoneSentinel, parseErrorSentinel } from "../../lib/queue/observe.ts";
import { FIELDS } from "../../lib/task/fields.ts";
import { assert, assertEquals, assertStringIncludes } from "../support/assert.ts";
import { listBlocks, page, place } from "../support/pages.ts";
import { assertValid } from "../support/json_schemas.ts";

/** First cells of the rows of the table in a generated part. */
function firstCells(name: string, part: string): string[] {
  const region = new RegExp(
    `<!-- generated: ${part} -->([^]*?)<!-- end of generated -->`,
  ).exec(page(name));
  assert(region !== null, `${name} has no part ${part}`);
  return [...region[1]!.matchAll(/^\| `([^`]+)`/gm)].map(([, cell]) => cell!);
}

Deno.test("the documented settings and fields are those of the program", async () => {
  assertEquals(firstCells("docs/formats.md", "config-keys"), Object.keys(CONFIG_ABOUT));
  assertEquals(firstCells("docs/formats.md", "task-fields"), Object.keys(FIELDS));
  const flat = (value: object, prefix = ""): string[] =>
    Object.entries(value).flatMap(([key, inner]) =>
      typeof inner === "object" && inner !== null && !Array.isArray(inner)
        ? flat(inner, `${prefix}${key}.`)
        : [prefix + key]
    );
  assertEquals(flat(parseConfig({})), Object.keys(CONFIG_ABOUT));
  const agents = firstCells("docs/agents.md", "agent-fields");
  const unknown = parseAgent({ command: "x", "no such field": 1 });
  assert("problem" in unknown);
  for (const field of agents) assertStringIncludes(unknown.problem, field);
  const imports = firstCells("docs/formats.md", "import-fields");
  const wrong = readWish({ agent: "x", prompt: "y", "no such field": 1 });
  assert("problem" in wrong);
  const { hint = "" } = await refusalError(wrong.problem);
  for (const field of imports) assertStringIncludes(hint, field);
});

Deno.test("the examples of agents, settings and tasks are valid", () => {
  let seen = 0;
  for (const block of listBlocks("json")) {
    const value = JSON.parse(block.text);
    if (value.agents !== undefined) {
      assertValid("agent-config", value, place(block));
      for (const [name, agent] of Object.entries(value.agents)) {
        const parsed = parseAgent(agent);
        assert(!("problem" in parsed), `${place(block)}: agent ${name}: ${JSON.stringify(parsed)}`);
        seen++;
      }
    } else if (value.summary !== undefined) {
      assertValid("done", value, place(block));
      assertEquals(parseDoneSentinel(block.text), value, place(block));
      seen++;
    } else if (value.details !== undefined) {
      assertValid("error", value, place(block));
      assertEquals(parseErrorSentinel(block.text).message, value.error, place(block));
      seen++;
    } else if (Object.keys(value).some((key) => Object.hasOwn(parseConfig({}), key))) {
      assertValid("config", value, place(block));
      parseConfig(value, place(block));
      seen++;
    }
  }
  for (const block of listBlocks("jsonl")) {
    for (const line of block.text.trim().split("\n")) {
      assertValid("tasks", JSON.parse(line), place(block));
      const parsed = readWish(JSON.parse(line));
      assert(!("problem" in parsed), `${place(block)}: ${JSON.stringify(parsed)}`);
      seen++;
    }
  }
  assert(seen > 10, `only ${seen} examples were found`);
});
