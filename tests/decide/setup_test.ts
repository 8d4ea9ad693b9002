// What follows while a worktree is set up, before its agent is launched.

import {
  decide,
  type EndRules,
  type Evidence,
  nextDue,
  NO_EVIDENCE,
} from "../../lib/decide/reconcile.ts";
import { failureFields } from "../../lib/text/failure.ts";
import { formatTime, type TaskBranch } from "../../lib/task/fields.ts";
import { assert, assertEquals, assertStringIncludes } from "../support/assert.ts";
import { NOW, task } from "../support/queues.ts";

const RULES: EndRules = {
  completion: "auto",
  verify: false,
  grace: 5000,
  answerGrace: 5000,
  launchGrace: 2000,
  setupTimeout: 60_000,
  limits: true,
};
const GIT: TaskBranch = {
  branch: "orchestra/x",
  base: "0".repeat(40),
  path: "/w/x",
  folder: "",
  tip: null,
  files: null,
  insertions: null,
  deletions: null,
  left: null,
};
const SUBJECT = task(0, {
  status: "running",
  claim: 1,
  git: GIT,
  startedAt: formatTime(NOW),
  setupAt: formatTime(NOW),
  setupClaim: 1,
  // They are the agent's, which has not begun.
  timeout: 1,
  idleTimeout: 1,
});
const seen = (setup: Evidence["setup"], more: Partial<Evidence> = {}): Evidence => ({
  ...NO_EVIDENCE,
  shim: "none",
  setup,
  ...more,
});

Deno.test("an order whose shim does not come is fenced off, and given again", () => {
  const ordered = (age: number) => decide(SUBJECT, seen("ordered"), RULES, NOW + age).kind;
  assertEquals([0, 1999, 2000, -1000, -1001].map(ordered), [
    "keep",
    "keep",
    "fence-setup",
    "keep",
    "fence-setup",
  ]);
  assertEquals(nextDue(SUBJECT, seen("ordered"), RULES), NOW + 2000);
  for (const state of ["fenced", "none"] as const) {
    assertEquals(decide(SUBJECT, seen(state), RULES, NOW).kind, "setup");
  }
});

Deno.test("while it runs only its own time counts, and the machine's sleep does not", () => {
  const running = seen("running");
  assertEquals(decide(SUBJECT, running, RULES, NOW + 59_999).kind, "keep");
  assertEquals(nextDue(SUBJECT, running, RULES), NOW + 60_000);
  const decision = decide(SUBJECT, running, RULES, NOW + 60_000);
  assert(decision.kind === "settle");
  assertEquals(decision.outcome.reapAt, NOW + 60_000);
  const { failureClass, errorMessage } = failureFields(decision.outcome);
  assertEquals(failureClass, "spawn");
  assertStringIncludes(errorMessage!, "took longer than 1m");
  const slept = { ...SUBJECT, asleep: 100 };
  assertEquals(decide(slept, running, RULES, NOW + 159_999).kind, "keep");
  // Who may end nothing leaves it to whoever watches.
  const shown = { ...RULES, limits: false };
  assertEquals(decide(SUBJECT, running, shown, NOW + 1e9).kind, "keep");
  assertEquals(nextDue(SUBJECT, running, shown), null);
});

Deno.test("ended well, the agent is launched; ended otherwise, its task fails with the code", () => {
  assertEquals(decide(SUBJECT, seen(0), RULES, NOW).kind, "launch");
  assertEquals(nextDue(SUBJECT, seen(0), RULES), null);
  for (const [state, words] of [[7, "exited with code 7"], ["lost", "without leaving"]] as const) {
    const decision = decide(SUBJECT, seen(state), RULES, NOW);
    assert(decision.kind === "settle");
    assertEquals([decision.outcome.status, decision.outcome.reapAt], ["failed", NOW]);
    const { errorMessage } = failureFields(decision.outcome);
    assertStringIncludes(errorMessage!, words);
    assertStringIncludes(errorMessage!, `.orchestra/logs/${SUBJECT.taskId}.setup.log`);
  }
});

Deno.test("a cancellation counts before it, an agent's signs do not: there is no agent yet", () => {
  for (const state of ["ordered", "running", "fenced", 0, 7, "lost"] as const) {
    const cancelled = decide(SUBJECT, seen(state, { cancelled: { reason: "no" } }), RULES, NOW);
    assert(cancelled.kind === "settle");
    assertEquals([cancelled.outcome.status, cancelled.outcome.reapAt], ["cancelled", NOW]);
    const early = { done: {}, error: { message: "x", details: null } };
    assertEquals(
      decide(SUBJECT, seen(state, early), RULES, NOW).kind,
      decide(SUBJECT, seen(state), RULES, NOW).kind,
    );
  }
});

Deno.test("once the agent is to be launched, the claim is as any other", () => {
  const launching = { ...SUBJECT, setupAt: null };
  assertEquals(decide(launching, seen("none"), RULES, NOW + 2000).kind, "fence");
  assertEquals(
    decide(launching, seen("none", { shim: "fenced" }), RULES, NOW).kind,
    "release",
  );
});
