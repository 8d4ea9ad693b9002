// The schemas of settings and agents: defaults, refusals by name, and suggestions.

import fc from "fast-check";
import type { AgentDefinition } from "../../lib/task/agent.ts";
import {
  assert,
  assertEquals,
  assertGreater,
  assertStringIncludes,
  assertThrows,
} from "../support/assert.ts";
import { CONFIG_ABOUT, DEFAULT_CONFIG } from "../../lib/settings/config_fields.ts";
import { OrchestraError } from "../../lib/task/error.ts";
import { parseAgent, parseConfig } from "../../lib/settings/schemas.ts";

function configProblem(value: unknown): OrchestraError {
  return assertThrows(() => parseConfig(value), OrchestraError);
}

Deno.test("an empty settings file means the defaults, and a part of it only that part", () => {
  assertEquals(parseConfig({}), DEFAULT_CONFIG);
  assertEquals(parseConfig({ retry: { cap: 60 } }), {
    ...DEFAULT_CONFIG,
    retry: { ...DEFAULT_CONFIG.retry, cap: 60 },
  });
  assertEquals(parseConfig(structuredClone(DEFAULT_CONFIG)), DEFAULT_CONFIG);
});

Deno.test("every setting is described, and nothing else is", () => {
  const keys = Object.entries(DEFAULT_CONFIG).flatMap(([key, value]) =>
    typeof value === "object" && value !== null && !Array.isArray(value)
      ? Object.keys(value).map((inner) => `${key}.${inner}`)
      : [key]
  );
  assertEquals(Object.keys(CONFIG_ABOUT).sort(), keys.sort());
});

Deno.test("an unknown setting is refused with the one that was meant", () => {
  const error = configProblem({ max_concurent: 3 });
  assertEquals(error.code, "config");
  assertEquals(error.exitCode, 5);
  assertStringIncludes(error.message, '"max_concurent"');
  assertEquals(error.hint, 'Did you mean "max_concurrent"?');
  const nested = configProblem({ retry: { fator: 3 } });
  assertStringIncludes(nested.message, '"retry.fator"');
  assertEquals(nested.hint, 'Did you mean "factor"?');
  assertStringIncludes(configProblem({ zzzzzzzzzz: 1 }).hint ?? "", "Known keys");
});

Deno.test("a suggestion within a group is a key of that group", () => {
  // "interval" is a setting, but "retry.interval" is not.
  const { hint = "" } = configProblem({ retry: { interval: 3 } });
  assert(!hint.includes("max_concurrent") && !hint.includes('"interval"'), hint);
  const limits = parseAgent({
    command: "x",
    rateLimit: { patterns: ["x"], pattern: "y" },
  }) as { problem: string };
  assert(!limits.problem.includes("passEnv"), limits.problem);
});

Deno.test("a setting of the wrong kind or out of range is refused by name", () => {
  for (
    const [value, name] of [
      [{ max_concurrent: 0 }, "max_concurrent"],
      [{ max_concurrent: 1.5 }, "max_concurrent"],
      [{ interval: -1 }, "interval"],
      [{ interval: 1e12 }, "interval"],
      [{ priority: 11 }, "priority"],
      [{ timeout: "5m" }, "timeout"],
      [{ auto_retry: "yes" }, "auto_retry"],
      [{ retry: { on: ["boredom"] } }, "retry.on"],
      [{ retry: { factor: 0.5 } }, "retry.factor"],
      [{ retry: [] }, "retry"],
      [{ grace_period: -1 }, "grace_period"],
    ] as const
  ) assertStringIncludes(configProblem(value).message, `"${name}`);
  for (const value of [null, [], 1, "x"]) assertEquals(configProblem(value).code, "config");
});

Deno.test("the archive stays in .orchestra", () => {
  for (
    const dir of [
      "/tmp/x",
      "../x",
      ".orchestra/../x",
      ".orchestra/a/b",
      ".orchestra/",
      "x\0",
      ".orchestra/..",
    ]
  ) {
    assertStringIncludes(
      configProblem({ archive: { archive_dir: dir } }).message,
      "archive.archive_dir",
      JSON.stringify(dir),
    );
  }
});

Deno.test("an agent needs a command, and every key is one that is known", () => {
  assertEquals(parseAgent({ command: "sh" }) as AgentDefinition, { command: "sh", args: [] });
  for (
    const [value, says] of [
      [{}, '"command"'],
      [{ command: "" }, '"command"'],
      [{ command: "a\0b" }, '"command"'],
      [{ command: "sh", args: "x" }, '"args"'],
      [{ command: "sh", args: ["a\0b"] }, "args.0"],
      [{ command: "sh", arg: [] }, 'Did you mean "args"'],
      [{ command: "sh", complition: "exit" }, 'Did you mean "completion"'],
      [{ command: "sh", completion: "maybe" }, '"completion"'],
      [{ command: "sh", verify: [] }, '"verify"'],
      [{ command: "sh", env: { "A=B": "x" } }, "env"],
      [{ command: "sh", env: { A: 1 } }, "env.A"],
      [{ command: "sh", timeout: 0 }, '"timeout"'],
      [{ command: "sh", maxConcurrent: 0 }, '"maxConcurrent"'],
      [{ command: "sh", retryOn: ["x"] }, "retryOn"],
      [{ command: "sh", rateLimit: { patterns: ["("] } }, "rateLimit.patterns"],
      [null, "it"],
      ["sh", "it"],
    ] as const
  ) {
    const parsed = parseAgent(value);
    assert("problem" in parsed, JSON.stringify(value));
    assertStringIncludes(parsed.problem, says);
  }
});

Deno.test("no JSON makes a schema throw anything but an error of ours", () => {
  fc.assert(fc.property(fc.jsonValue(), (value) => {
    try {
      parseConfig(value);
    } catch (error) {
      assert(error instanceof OrchestraError);
      assertEquals(error.code, "config");
    }
    const agent = parseAgent(value);
    if ("problem" in agent) assertGreater(agent.problem.length, 0);
  }));
});
