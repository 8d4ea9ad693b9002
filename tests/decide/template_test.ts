// Placeholders: replaced once, with what is in them left alone.

import fc from "fast-check";
import { assert, assertEquals } from "../support/assert.ts";
import { mentions, substitute } from "../../lib/decide/template.ts";
import { ID } from "../support/tasks.ts";

Deno.test("substitute replaces each placeholder once and looks at no value again", () => {
  assertEquals(
    substitute("{taskId}: {prompt}", { taskId: ID, prompt: "do {taskId}" }),
    `${ID}: do {taskId}`,
  );
  assertEquals(
    substitute("{prompt}", { prompt: "{{x}} $& $1 $$ {prompt}" }),
    "{{x}} $& $1 $$ {prompt}",
  );
  assertEquals(substitute("{prompt}{prompt}", { prompt: "a" }), "aa");
});

Deno.test("doubled braces are braces, and names that are none of ours stay", () => {
  assertEquals(substitute('{{"a": {prompt}}}', { prompt: "1" }), '{"a": 1}');
  assertEquals(substitute("{{prompt}}", { prompt: "x" }), "{prompt}");
  assertEquals(substitute("{{{prompt}}}", { prompt: "x" }), "{x}");
  assertEquals(
    substitute("{other} {} { prompt} {prompt", { prompt: "x" }),
    "{other} {} { prompt} {prompt",
  );
  assertEquals(
    substitute("{toString}{constructor}{__proto__}", {}),
    "{toString}{constructor}{__proto__}",
  );
  assertEquals(substitute("{taskId}", { prompt: "x" }), "{taskId}");
});

Deno.test("a value comes through substitute as it is, whatever it contains", () => {
  fc.assert(fc.property(fc.string(), (prompt) => {
    assertEquals(substitute("<{prompt}>", { prompt }), `<${prompt}>`);
  }));
  const braces = fc.string({ unit: fc.constantFrom("{", "}", "prompt", "taskId", "a") });
  fc.assert(fc.property(braces, braces, (template, prompt) => {
    const whole = substitute(template, { prompt, taskId: ID });
    const parts = substitute(template, { prompt: "\0", taskId: ID });
    assertEquals(whole, parts.replaceAll("\0", () => prompt));
  }));
});

Deno.test("mentions sees placeholders and no doubled braces", () => {
  assert(mentions("a {prompt} b", "prompt"));
  assert(mentions("{{{prompt}}}", "prompt"));
  assert(!mentions("{{prompt}}", "prompt"));
  assert(!mentions("prompt {taskId}", "prompt"));
});
