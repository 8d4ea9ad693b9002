// What the evidence says of a task, by example: limits, graces, what is left over, and the words.

import { assert, assertEquals, assertStringIncludes } from "../support/assert.ts";
import {
  decide,
  type Decision,
  type EndRules,
  type Evidence,
  nextDue,
  NO_EVIDENCE,
} from "../../lib/decide/reconcile.ts";
import { failureFields } from "../../lib/text/failure.ts";
import { NEVER_RETRIED } from "../../lib/decide/retry.ts";
import { FAILURE_CLASSES, formatTime, type Task } from "../../lib/task/fields.ts";
import { NOW, task } from "../support/queues.ts";
import { eachCase, fail, GRACE, LAUNCH_GRACE, SHIMS, wordOf } from "../support/evidence.ts";

Deno.test("a verify command that hangs is ended by the task's timeout, and nextDue says when", () => {
  const subject = task(0, { status: "running", claim: 1, startedAt: formatTime(NOW), timeout: 60 });
  const rules: EndRules = {
    completion: "auto",
    verify: true,
    grace: GRACE,
    answerGrace: GRACE,
    launchGrace: LAUNCH_GRACE,
    limits: true,
  };
  for (const signs of [{ done: {} }, { exit: { code: 0, spawn: false } }]) {
    const evidence: Evidence = { ...NO_EVIDENCE, ...signs, shim: "dead", verify: "running" };
    assertEquals(decide(subject, evidence, rules, NOW + 59_999).kind, "keep");
    assertEquals(nextDue(subject, evidence, rules), NOW + 60_000);
    assertEquals(decide(subject, evidence, rules, NOW + 60_000), { kind: "time-out", idle: false });
  }
});

Deno.test("a claim without a shim is taken back only after the grace, or when the clock went back", () => {
  const rules: EndRules = {
    completion: "sentinel",
    verify: false,
    grace: GRACE,
    answerGrace: GRACE,
    launchGrace: LAUNCH_GRACE,
    limits: true,
  };
  const subject = task(0, { status: "running", claim: 1, startedAt: formatTime(NOW) });
  const evidence: Evidence = { ...NO_EVIDENCE, shim: "none" };
  for (
    const [age, kind] of [
      [-1001, "fence"],
      [-1000, "keep"],
      [0, "keep"],
      [LAUNCH_GRACE - 1, "keep"],
      [LAUNCH_GRACE, "fence"],
      [1e9, "fence"],
    ] as const
  ) assertEquals(decide(subject, evidence, rules, NOW + age).kind, kind, `${age}`);
  assertEquals(decide({ ...subject, startedAt: null }, evidence, rules, NOW).kind, "fence");
  eachCase("running", (cell) => {
    const decision = decide(cell.task, cell.evidence, cell.rules, cell.now);
    if (decision.kind === "fence" && cell.evidence.shim !== "none") {
      fail(cell, decision, "a shim ran");
    }
    if (decision.kind === "release" && cell.evidence.shim !== "fenced") {
      fail(cell, decision, "a shim may still come");
    }
  });
});

Deno.test("output counts as life until the idle limit after it", () => {
  const subject = task(0, {
    status: "running",
    claim: 1,
    startedAt: formatTime(NOW),
    idleTimeout: 30,
  });
  const rules: EndRules = {
    completion: "sentinel",
    verify: false,
    grace: GRACE,
    answerGrace: GRACE,
    launchGrace: 1,
    limits: true,
  };
  for (const outputAt of [null, NOW - 50_000, NOW, NOW + 20_000]) {
    const evidence: Evidence = { ...NO_EVIDENCE, shim: "alive", outputAt };
    const due = Math.max(NOW, outputAt ?? NOW) + 30_000;
    assertEquals(nextDue(subject, evidence, rules), due);
    assertEquals(decide(subject, evidence, rules, due - 1).kind, "keep");
    assertEquals(decide(subject, evidence, rules, due), { kind: "time-out", idle: true });
  }
});

Deno.test("a task over its budget is ended at once, and never retried by itself", () => {
  const subject = task(0, { status: "running", claim: 1, startedAt: formatTime(NOW), budget: 2 });
  const rules: EndRules = {
    completion: "sentinel",
    verify: false,
    grace: GRACE,
    answerGrace: GRACE,
    launchGrace: 1,
    limits: true,
  };
  for (const [cost, word] of [[null, "keep"], [2, "keep"], [2.01, "failed:budget"]] as const) {
    const decision = decide(subject, { ...NO_EVIDENCE, shim: "alive", cost }, rules, NOW);
    assertEquals(wordOf(decision), word);
    if (decision.kind === "settle") assertEquals(decision.outcome.reapAt, NOW);
  }
  assert(NEVER_RETRIED.includes("budget"));
});

Deno.test("what is left of a settled task is ended when its time has come, or found to be gone", () => {
  const rules: EndRules = {
    completion: "sentinel",
    verify: false,
    grace: GRACE,
    answerGrace: GRACE,
    launchGrace: 1,
    limits: true,
  };
  const reapAt = formatTime(NOW);
  const exits: Evidence["exit"][] = [null, { code: 0, spawn: false }];
  for (const [shim, exit] of SHIMS.flatMap((shim) => exits.map((exit) => [shim, exit] as const))) {
    const evidence: Evidence = { ...NO_EVIDENCE, shim, exit };
    const kinds = (rest: Partial<Task>) => {
      const subject = task(0, { reapAt, ...rest });
      return [NOW - 1, NOW].map((now) => decide(subject, evidence, rules, now).kind);
    };
    // A shim that died without an exit code was killed: its agent may live on without it.
    const gone = exit !== null || shim === "none" || shim === "fenced";
    // It did what it was to do and ended by itself: what it left behind may stay.
    const own: Decision["kind"][] = gone ? ["reaped", "reaped"] : ["keep", "end"];
    assertEquals(kinds({ status: "complete" }), own);
    // Its tools may live on in sessions of their own, and must not work beside its retry.
    assertEquals(kinds({ status: "cancelled" }), ["keep", "end"]);
    for (const failureClass of FAILURE_CLASSES) {
      const left: Decision["kind"][] = gone ? ["end", "end"] : ["keep", "end"];
      assertEquals(kinds({ status: "failed", failureClass }), left);
    }
    // Further ahead than it was ever set: the clock was set back.
    const far = { status: "cancelled", reapAt: formatTime(NOW + 3_600_000) } as const;
    assertEquals(kinds(far), ["end", "end"]);
  }
});

Deno.test("a timeout by hand, by the limit and by idleness each say so", () => {
  const rules: EndRules = {
    completion: "sentinel",
    verify: false,
    grace: GRACE,
    answerGrace: GRACE,
    launchGrace: 1,
    limits: true,
  };
  const message = (timeout: NonNullable<Evidence["timeout"]>, rest: Partial<Task>) => {
    const subject = task(0, { status: "running", claim: 1, startedAt: formatTime(NOW), ...rest });
    const decision = decide(subject, { ...NO_EVIDENCE, timeout, shim: "alive" }, rules, NOW + 9);
    assert(decision.kind === "settle");
    assertEquals(decision.outcome.timedOutAt, timeout.at ?? NOW + 9);
    return failureFields(decision.outcome).errorMessage ?? "";
  };
  assertStringIncludes(message({ timeout: 90, at: NOW, cause: "limit" }, {}), "1m30s");
  assertStringIncludes(
    message({ timeout: null, at: null, cause: "limit" }, { timeout: 60 }),
    "1m00s",
  );
  assertStringIncludes(message({ timeout: null, at: null, cause: "limit" }, {}), "by hand");
  assertStringIncludes(
    message({ timeout: null, at: null, cause: "hand" }, { timeout: 60 }),
    "by hand",
  );
  assertStringIncludes(
    message({ timeout: 30, at: null, cause: "idle" }, { idleTimeout: 30 }),
    "30s",
  );
});

Deno.test("the message of a missing sentinel names the setting that would accept it", () => {
  const subject = task(0, { status: "running", claim: 1, startedAt: formatTime(NOW) });
  const evidence: Evidence = { ...NO_EVIDENCE, shim: "dead", exit: { code: 0, spawn: false } };
  const rules: EndRules = {
    completion: "sentinel",
    verify: false,
    grace: GRACE,
    answerGrace: GRACE,
    launchGrace: 1,
    limits: true,
  };
  const decision = decide(subject, evidence, rules, NOW);
  assert(decision.kind === "settle");
  const { errorMessage } = failureFields(decision.outcome);
  assertStringIncludes(errorMessage ?? "", '"completion": "exit"');
});
