// What the evidence says of a task, over every pair of state and evidence.

import { assertEquals, assertGreater } from "../support/assert.ts";
import { failureFields } from "../../lib/text/failure.ts";
import { decide, type Evidence, nextDue, type Outcome } from "../../lib/decide/reconcile.ts";
import { FAILURE_CLASSES } from "../../lib/task/fields.ts";
import { NOW } from "../support/queues.ts";
import { type Case, eachCase, fail, GRACE, LAUNCH_GRACE, wordOf } from "../support/evidence.ts";

/** What a person would say who reads the contract aloud, strongest sign first. */
function said({ task, evidence, rules, now }: Case): string {
  const age = now - NOW;
  const success = () => {
    if (!rules.verify || evidence.verify === 0) return "complete";
    if (evidence.verify === "none") return "verify";
    if (evidence.verify === "running") return limits();
    return "failed:verify";
  };
  const limits = () => {
    if (age < -1000) return "rebase";
    if (task.timeout !== null && age >= task.timeout * 1000) return "time-out";
    if (task.idleTimeout !== null && age >= task.idleTimeout * 1000) return "time-out:idle";
    return "keep";
  };
  const refused = evidence.refusal && (evidence.refusal.until === null ? "billing" : "rate-limit");
  if (evidence.cancelled !== null) return "cancelled";
  if (evidence.timeout !== null) {
    return evidence.timeout.cause === "idle" ? "failed:idle" : "failed:timeout";
  }
  if (rules.completion !== "exit" && evidence.error !== null) {
    return `failed:${refused ?? "agent-error"}`;
  }
  if (rules.completion !== "exit" && evidence.done !== null) return success();
  if (evidence.exit !== null) {
    const failed = evidence.exit.code !== 0 || rules.completion === "sentinel";
    if (evidence.exit.spawn) return "failed:spawn";
    if (failed && refused !== null) return `failed:${refused}`;
    if (evidence.exit.code !== 0) return "failed:exit";
    if (rules.completion === "sentinel") return "failed:no-signal";
    return success();
  }
  if (evidence.shim === "fenced") return "release";
  if (evidence.shim === "none") return age >= LAUNCH_GRACE || age < -1000 ? "fence" : "keep";
  if (evidence.shim === "dead") return "failed:lost";
  return limits();
}

Deno.test("every running task is decided as the contract says, whatever the evidence", () => {
  const seen = new Set<string>();
  const count = eachCase("running", (cell) => {
    const word = wordOf(decide(cell.task, cell.evidence, cell.rules, cell.now));
    const wanted = said(cell);
    if (word !== wanted) fail(cell, word, `should be ${wanted}`);
    seen.add(word);
  });
  assertGreater(count, 500_000);
  // The table must reach everything there is to decide but a budget and a conflict, which have their own tests.
  assertEquals(
    [...seen].sort(),
    [
      "cancelled",
      "complete",
      "fence",
      "keep",
      "rebase",
      "release",
      "time-out",
      "time-out:idle",
      "verify",
      ...FAILURE_CLASSES.filter((name) => !["dependency", "budget", "conflict"].includes(name))
        .map((name) => `failed:${name}`),
    ].sort(),
  );
});

Deno.test("a stronger sign makes every weaker one meaningless", () => {
  const order = ["cancelled", "timeout", "error", "done", "exit"] as const;
  eachCase("running", (cell) => {
    const { evidence, rules } = cell;
    const counts = (sign: typeof order[number]) =>
      evidence[sign] !== null &&
      (rules.completion !== "exit" || (sign !== "error" && sign !== "done"));
    const strongest = order.findIndex(counts);
    if (strongest < 0) return;
    const alone: Evidence = { ...evidence };
    for (const sign of order.slice(strongest + 1)) alone[sign] = null;
    const word = wordOf(decide(cell.task, evidence, rules, cell.now));
    const lonely = wordOf(decide(cell.task, alone, rules, cell.now));
    if (word !== lonely) fail(cell, word, `${order[strongest]} alone gives ${lonely}`);
  });
});

Deno.test("a pending task is changed by a cancel and by nothing else", () => {
  eachCase("pending", (cell) => {
    const decision = decide(cell.task, cell.evidence, cell.rules, cell.now);
    if (cell.evidence.cancelled === null) {
      if (decision.kind !== "keep") fail(cell, decision, "only a cancel may");
    } else if (wordOf(decision) !== "cancelled") fail(cell, decision, "was cancelled");
    else if ((decision as { outcome: Outcome }).outcome.reapAt !== null) {
      fail(cell, decision, "nothing runs");
    }
    if (nextDue(cell.task, cell.evidence, cell.rules) !== null) fail(cell, decision, "nothing due");
  });
});

Deno.test("an agent with completion by exit code is never settled by a sentinel of its own", () => {
  eachCase("running", (cell) => {
    if (cell.rules.completion !== "exit") return;
    const without = { ...cell.evidence, error: null, done: null };
    const word = wordOf(decide(cell.task, cell.evidence, cell.rules, cell.now));
    const wanted = wordOf(decide(cell.task, without, cell.rules, cell.now));
    if (word !== wanted) fail(cell, word, `without sentinels it is ${wanted}`);
  });
});

Deno.test("every failure has a class and a message, and nothing else has a class", () => {
  eachCase("running", (cell) => {
    const decision = decide(cell.task, cell.evidence, cell.rules, cell.now);
    if (decision.kind !== "settle") return;
    const { status, exitCode, timedOutAt, laneUntil, result } = decision.outcome;
    const { failureClass, errorMessage } = failureFields(decision.outcome);
    if ((failureClass !== null) !== (status === "failed")) fail(cell, decision, "class");
    if (status === "failed" && !errorMessage) fail(cell, decision, "message");
    if (status === "complete" && errorMessage !== null) fail(cell, decision, "message");
    if (exitCode !== (cell.evidence.exit?.code ?? null)) fail(cell, decision, "exit code");
    const late = failureClass === "timeout" || failureClass === "idle";
    if ((timedOutAt !== null) !== late) fail(cell, decision, "timedOutAt");
    if ((laneUntil !== null) !== (failureClass === "rate-limit")) fail(cell, decision, "laneUntil");
    if (result !== null && status !== "complete") fail(cell, decision, "result");
  });
});

Deno.test("a settled task whose agent lives always gets a time to be ended at", () => {
  eachCase("running", (cell) => {
    const { evidence, now } = cell;
    const decision = decide(cell.task, evidence, cell.rules, now);
    if (decision.kind !== "settle") return;
    const { reapAt, status, failure } = decision.outcome;
    // What was ended from outside may have left something that nobody else would end.
    const forced = status === "cancelled" ||
      ["timeout", "idle", "lost"].includes(failure?.kind ?? "");
    // Once there is an exit code the agent has ended, and the shim is about to.
    const lives = evidence.shim === "alive" || evidence.shim === "unknown";
    const began = failure?.kind !== "spawn";
    if (lives && began && (evidence.exit === null || status !== "complete") && reapAt === null) {
      fail(cell, decision, "nobody would end it");
    }
    if ((evidence.shim === "none" || evidence.shim === "fenced") && reapAt !== null) {
      fail(cell, decision, "nothing was ever launched");
    }
    if (reapAt === null) return;
    // One that signalled by itself gets its grace period, one that was ended or has ended does not.
    const ended = evidence.exit !== null;
    const wanted = forced || ended ? now : now + GRACE;
    if (reapAt !== wanted) fail(cell, decision, `should be at ${wanted - now} ms from now`);
  });
});
