// The words of failures that task files keep. Scripts may look for them: they are the same ones as
// in every earlier version.

import type { Failure, Outcome } from "../../lib/decide/reconcile.ts";
import { failureFields, formatFailure, formatLaunchProblem } from "../../lib/text/failure.ts";
import { assertEquals } from "../support/assert.ts";

Deno.test("a task file says why it failed in the words of every earlier version", () => {
  const failures: [Failure, string][] = [
    [{ kind: "agent-error", message: "boom", details: null }, "boom"],
    [{ kind: "rate-limit", message: "429", details: null }, "429"],
    [{ kind: "exit", code: 7 }, "Process exited with code 7"],
    [
      { kind: "spawn", agent: "x", problem: null },
      'The command of agent "x" could not be started: there is no such program, or it is not executable',
    ],
    [
      { kind: "spawn", agent: "x", problem: { kind: "outside", folder: "../y" } },
      'Agent "x" could not be launched: its folder "../y" is no folder inside the workspace',
    ],
    [
      { kind: "no-signal" },
      "The agent ended with exit code 0 but wrote neither .done nor .error " +
      '(set "completion": "exit" for a program that cannot write them)',
    ],
    [{ kind: "timeout", limit: 90 }, "Task timed out after 1m30s"],
    [{ kind: "timeout", limit: null }, "Task was ended by hand as timed out"],
    [{ kind: "idle", limit: 30 }, "No output for 30s"],
    [
      { kind: "budget", cost: 1.5, budget: 0.015 },
      "Cost 1.50 USD, over its budget of 0.015 USD",
    ],
    [{ kind: "verify", code: 2 }, "The verify command exited with code 2"],
    [{ kind: "verify", code: null }, "The verify command ended without leaving an exit code"],
    [
      { kind: "lost" },
      "The agent's process ended without leaving an exit code (killed, or the machine went down)",
    ],
  ];
  for (const [failure, words] of failures) assertEquals(formatFailure(failure), words);
});

Deno.test("a launch that cannot be is told in the words of every earlier version", () => {
  assertEquals(
    formatLaunchProblem({ kind: "too-long", agent: "x", argument: 2, bytes: 200_000, most: 9 }),
    "its argument 2 would have 200000 bytes, and the system takes at most 9: let agent " +
      '"x" read the prompt from a file ("{promptFile}" in "args") or from its standard input ' +
      '("stdin": "{prompt}")',
  );
  const variable = {
    kind: "too-long-variable",
    agent: "x",
    name: "V",
    characters: 9,
    most: 8,
  } as const;
  assertEquals(
    formatLaunchProblem(variable).split(": let agent")[0],
    "its variable V would have 9 characters, and Windows takes at most 8",
  );
  assertEquals(
    formatLaunchProblem({ kind: "no-template", file: "a.md" }),
    'its prompt template "a.md" is not there',
  );
  for (
    const problem of [
      { kind: "no-agent", problem: "there is none" },
      { kind: "refused", message: "there is none" },
    ] as const
  ) assertEquals(formatLaunchProblem(problem), "there is none");
});

Deno.test("what is cancelled keeps the reason that was given, and what is complete nothing", () => {
  const outcome: Outcome = {
    ...{ status: "cancelled", failure: null, reason: "enough", exitCode: null },
    ...{ result: null, timedOutAt: null, laneUntil: null, reapAt: null, endedAt: null },
  };
  const none = { failureClass: null, errorDetails: null };
  assertEquals(failureFields(outcome), { ...none, errorMessage: "enough" });
  assertEquals(failureFields({ ...outcome, reason: null }), { ...none, errorMessage: null });
  const failure = { kind: "agent-error", message: "boom", details: "stack" } as const;
  assertEquals(failureFields({ ...outcome, status: "failed", failure }), {
    failureClass: "agent-error",
    errorMessage: "boom",
    errorDetails: "stack",
  });
});
