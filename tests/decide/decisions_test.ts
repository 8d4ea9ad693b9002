// The pure decisions: what the evidence says of a task, over every pair of state and evidence; when
// a failure is tried again; who waits for whom; what is launched next; what is shown.

import fc from "fast-check";
import type { Completion } from "../../lib/task/agent.ts";
import {
  assert,
  assertEquals,
  assertGreater,
  assertLess,
  assertNotEquals,
  assertStringIncludes,
} from "../support/assert.ts";
import { LEGACY, LEGACY_TASKS } from "../support/legacy.ts";
import { DEFAULT_CONFIG } from "../../lib/settings/config.ts";
import {
  dependencyState,
  dependentsOf,
  findCycle,
  indexTasks,
  latestAttempt,
  type Readiness,
  readiness,
  readinessOf,
  retryChain,
  retryOf,
  type TaskIndex,
} from "../../lib/decide/dependencies.ts";
import {
  decide,
  type Decision,
  type EndRules,
  type Evidence,
  nextDue,
  NO_EVIDENCE,
  type Outcome,
  type ShimState,
} from "../../lib/decide/reconcile.ts";
import {
  mayRetry,
  NEVER_RETRIED,
  retryDelay,
  retryDue,
  successorOf,
} from "../../lib/decide/retry.ts";
import { compareIds, compareTasks, type Limits, pickNext } from "../../lib/decide/schedule.ts";
import {
  FAILURE_CLASSES,
  formatTime,
  isTerminal,
  newTask,
  parseTask,
  type Status,
  STATUSES,
  type Task,
} from "../../lib/task/fields.ts";
import { countPhases, type PausedLane, viewTask } from "../../lib/decide/view.ts";

const NOW = Date.parse("2026-03-04T12:00:00Z");
const LAUNCH_GRACE = 2000;
const GRACE = 5000;

function idOf(number: number): string {
  return `task_${String(1_000_000_000_000 + number)}`;
}

function task(number: number, rest: Partial<Task> = {}): Task {
  return { ...newTask(idOf(number), { agent: "a", prompt: "p" }, NOW + number), ...rest };
}

// --- reconcile: every state with every evidence ---

/** One cell of the table. */
interface Case {
  task: Task;
  evidence: Evidence;
  rules: EndRules;
  now: number;
}

const CANCELLED: Evidence["cancelled"][] = [null, { reason: "enough" }];
const TIMEOUT: Evidence["timeout"][] = [
  null,
  { timeout: 60, at: NOW + 500, cause: "limit" },
  { timeout: null, at: null, cause: "idle" },
  { timeout: null, at: null, cause: "hand" },
];
const ERROR: Evidence["error"][] = [null, { message: "boom", details: "stack" }];
const DONE: Evidence["done"][] = [null, { summary: "made it" }];
const EXIT: Evidence["exit"][] = [
  null,
  { code: 0, spawn: false },
  { code: 7, spawn: false },
  { code: 127, spawn: true },
];
const SHIMS: ShimState[] = ["none", "fenced", "alive", "dead", "unknown"];
const COMPLETIONS: Completion[] = ["sentinel", "exit", "auto"];
const VERIFY: { wanted: boolean; verify: Evidence["verify"] }[] = [
  { wanted: false, verify: "none" },
  { wanted: true, verify: "none" },
  { wanted: true, verify: "running" },
  { wanted: true, verify: "lost" },
  { wanted: true, verify: 0 },
  { wanted: true, verify: 1 },
];
const RATE_LIMIT: Evidence["rateLimit"][] = [null, { until: NOW + 90_000, line: "429" }];
const LIMITS: Partial<Task>[] = [
  {},
  { timeout: 60 },
  { timeout: 1 },
  { idleTimeout: 30 },
  { timeout: 60, idleTimeout: 30 },
];
/** Milliseconds since the claim: a clock set back, then before and after each limit. */
const CLOCKS = [-5000, 0, LAUNCH_GRACE - 1, LAUNCH_GRACE, 29_999, 30_000, 60_000];

/** Calls back for every cell of the table with a task of the given state. */
function eachCase(status: Status, call: (cell: Case) => void): number {
  let count = 0;
  for (const limits of LIMITS) {
    const subject = task(0, { status, claim: 1, startedAt: formatTime(NOW), ...limits });
    if (status === "pending") subject.startedAt = null;
    for (const completion of COMPLETIONS) {
      for (const { wanted, verify } of VERIFY) {
        const rules = { completion, verify: wanted, grace: GRACE, launchGrace: LAUNCH_GRACE };
        for (const cancelled of CANCELLED) {
          for (const timeout of TIMEOUT) {
            for (const error of ERROR) {
              for (const done of DONE) {
                for (const exit of EXIT) {
                  for (const rateLimit of RATE_LIMIT) {
                    for (const shim of SHIMS) {
                      const evidence: Evidence = {
                        ...NO_EVIDENCE,
                        cancelled,
                        timeout,
                        error,
                        done,
                        exit,
                        shim,
                        verify,
                        rateLimit,
                      };
                      for (const clock of CLOCKS) {
                        count++;
                        call({ task: subject, evidence, rules, now: NOW + clock });
                      }
                    }
                  }
                }
              }
            }
          }
        }
      }
    }
  }
  return count;
}

/** `settle` with its outcome, anything else with its kind, in one word. */
function wordOf(decision: Decision): string {
  if (decision.kind === "settle") {
    const { status, failureClass } = decision.outcome;
    return status === "failed" ? `failed:${failureClass}` : status;
  }
  return decision.kind === "time-out" && decision.idle ? "time-out:idle" : decision.kind;
}

function fail(cell: Case, decision: Decision | string, why: string): never {
  throw new Error(
    `${why}: ${typeof decision === "string" ? decision : JSON.stringify(decision)}\n` +
      JSON.stringify({ ...cell, task: cell.task.status, clock: cell.now - NOW }),
  );
}

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
  if (evidence.cancelled !== null) return "cancelled";
  if (evidence.timeout !== null) {
    return evidence.timeout.cause === "idle" ? "failed:idle" : "failed:timeout";
  }
  if (rules.completion !== "exit" && evidence.error !== null) {
    return evidence.rateLimit === null ? "failed:agent-error" : "failed:rate-limit";
  }
  if (rules.completion !== "exit" && evidence.done !== null) return success();
  if (evidence.exit !== null) {
    const failed = evidence.exit.code !== 0 || rules.completion === "sentinel";
    if (evidence.exit.spawn) return "failed:spawn";
    if (failed && evidence.rateLimit !== null) return "failed:rate-limit";
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
  // The table must reach everything there is to decide but a budget, which has its own test.
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
      ...FAILURE_CLASSES.filter((name) => name !== "dependency" && name !== "budget")
        .map((name) => `failed:${name}`),
    ].sort(),
  );
});

Deno.test("a verify command that hangs is ended by the task's timeout, and nextDue says when", () => {
  const subject = task(0, { status: "running", claim: 1, startedAt: formatTime(NOW), timeout: 60 });
  const rules: EndRules = {
    completion: "auto",
    verify: true,
    grace: GRACE,
    launchGrace: LAUNCH_GRACE,
  };
  for (const signs of [{ done: {} }, { exit: { code: 0, spawn: false } }]) {
    const evidence: Evidence = { ...NO_EVIDENCE, ...signs, shim: "dead", verify: "running" };
    assertEquals(decide(subject, evidence, rules, NOW + 59_999).kind, "keep");
    assertEquals(nextDue(subject, evidence, rules), NOW + 60_000);
    assertEquals(decide(subject, evidence, rules, NOW + 60_000), { kind: "time-out", idle: false });
  }
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

Deno.test("a final status is final, whatever the evidence", () => {
  for (const status of STATUSES.filter(isTerminal)) {
    for (const reapAt of [null, NOW + 1000]) {
      eachCase(status, (cell) => {
        const subject = reapAt === null
          ? cell.task
          : { ...cell.task, reapAt: formatTime(reapAt), failureClass: null };
        const decision = decide(subject, cell.evidence, cell.rules, cell.now);
        if (reapAt === null && decision.kind !== "keep") fail(cell, decision, "nothing is left");
        if (!["keep", "end", "reaped"].includes(decision.kind)) fail(cell, decision, "is final");
      });
    }
  }
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
    const { status, failureClass, errorMessage, exitCode, timedOutAt, laneUntil, result } =
      decision.outcome;
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
    const { reapAt, status, failureClass } = decision.outcome;
    // What was ended from outside may have left something that nobody else would end.
    const forced = status === "cancelled" ||
      ["timeout", "idle", "lost"].includes(failureClass ?? "");
    // Once there is an exit code the agent has ended, and the shim is about to.
    const lives = evidence.shim === "alive" || evidence.shim === "unknown";
    if (lives && (evidence.exit === null || forced) && reapAt === null) {
      fail(cell, decision, "nobody would end it");
    }
    if ((evidence.shim === "none" || evidence.shim === "fenced") && reapAt !== null) {
      fail(cell, decision, "nothing was ever launched");
    }
    if (reapAt === null) return;
    // One that signalled by itself gets its grace period, one that was ended does not.
    const wanted = forced ? now : now + GRACE;
    if (reapAt !== wanted) fail(cell, decision, `should be at ${wanted - now} ms from now`);
  });
});

Deno.test("a claim without a shim is taken back only after the grace, or when the clock went back", () => {
  const rules: EndRules = {
    completion: "sentinel",
    verify: false,
    grace: GRACE,
    launchGrace: LAUNCH_GRACE,
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

Deno.test("nextDue is the first moment at which the clock alone changes the decision", () => {
  const later = [1, 999, GRACE, 100_000, 1e10];
  for (const status of STATUSES) {
    for (const reapAt of isTerminal(status) ? [null, NOW + 3000] : [null]) {
      for (
        const failureClass of status === "failed" ? ["agent-error", "timeout"] as const : [null]
      ) {
        const own = { reapAt: reapAt === null ? null : formatTime(reapAt), failureClass };
        eachCase(status, (cell) => {
          const subject = status === "running" ? cell.task : { ...cell.task, ...own };
          const at = (now: number) => decide(subject, cell.evidence, cell.rules, now).kind;
          if (at(cell.now) !== "keep") return;
          const due = nextDue(subject, cell.evidence, cell.rules);
          if (due === null) {
            for (const wait of later) {
              if (at(cell.now + wait) !== "keep") {
                fail(cell, at(cell.now + wait), `after ${wait} ms`);
              }
            }
            return;
          }
          if (due <= cell.now) {
            fail(cell, "keep", `was due ${cell.now - due} ms ago: a busy loop`);
          }
          if (at(due) === "keep") fail(cell, "keep", `is due in ${due - cell.now} ms`);
          // A negative age means that the clock went back: then what it says comes earlier.
          if (at(due - 1) !== "keep") fail(cell, at(due - 1), "is due earlier");
        });
      }
    }
  }
});

Deno.test("output counts as life until the idle limit after it", () => {
  const subject = task(0, {
    status: "running",
    claim: 1,
    startedAt: formatTime(NOW),
    idleTimeout: 30,
  });
  const rules: EndRules = { completion: "sentinel", verify: false, grace: GRACE, launchGrace: 1 };
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
  const rules: EndRules = { completion: "sentinel", verify: false, grace: GRACE, launchGrace: 1 };
  for (const [cost, word] of [[null, "keep"], [2, "keep"], [2.01, "failed:budget"]] as const) {
    const decision = decide(subject, { ...NO_EVIDENCE, shim: "alive", cost }, rules, NOW);
    assertEquals(wordOf(decision), word);
    if (decision.kind === "settle") assertEquals(decision.outcome.reapAt, NOW);
  }
  assert(NEVER_RETRIED.includes("budget"));
});

Deno.test("what is left of a settled task is ended when its time has come, or found to be gone", () => {
  const rules: EndRules = { completion: "sentinel", verify: false, grace: GRACE, launchGrace: 1 };
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
    // It signalled and ended by itself: there is nothing to look for.
    const own = gone ? ["reaped", "reaped"] : ["keep", "end"];
    assertEquals(kinds({ status: "complete" }), own as Decision["kind"][]);
    for (const failureClass of ["agent-error", "verify", "rate-limit"] as const) {
      assertEquals(kinds({ status: "failed", failureClass }), own as Decision["kind"][]);
    }
    // It was ended: its tools may live on in sessions of their own.
    assertEquals(kinds({ status: "cancelled" }), ["keep", "end"]);
    for (const failureClass of ["timeout", "idle", "lost", "budget"] as const) {
      assertEquals(kinds({ status: "failed", failureClass }), ["keep", "end"]);
    }
    // Further ahead than it was ever set: the clock was set back.
    const far = { status: "cancelled", reapAt: formatTime(NOW + 3_600_000) } as const;
    assertEquals(kinds(far), ["end", "end"]);
  }
});

Deno.test("a timeout by hand, by the limit and by idleness each say so", () => {
  const rules: EndRules = { completion: "sentinel", verify: false, grace: GRACE, launchGrace: 1 };
  const message = (timeout: NonNullable<Evidence["timeout"]>, rest: Partial<Task>) => {
    const subject = task(0, { status: "running", claim: 1, startedAt: formatTime(NOW), ...rest });
    const decision = decide(subject, { ...NO_EVIDENCE, timeout, shim: "alive" }, rules, NOW + 9);
    assert(decision.kind === "settle");
    assertEquals(decision.outcome.timedOutAt, timeout.at ?? NOW + 9);
    return decision.outcome.errorMessage ?? "";
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
  const rules: EndRules = { completion: "sentinel", verify: false, grace: GRACE, launchGrace: 1 };
  const decision = decide(subject, evidence, rules, NOW);
  assert(decision.kind === "settle");
  assertStringIncludes(decision.outcome.errorMessage ?? "", '"completion": "exit"');
});

// --- schedule ---

const OPEN: Limits = { parallel: Infinity, perAgent: new Map(), lanes: new Map() };

function picked(
  tasks: readonly Task[],
  limits: Partial<Limits> = {},
  now = NOW,
): string[] {
  const running = tasks.filter(({ status }) => status === "running");
  return pickNext(tasks, running, indexTasks(tasks), { ...OPEN, ...limits }, now)
    .map(({ taskId }) => taskId);
}

Deno.test("pickNext takes higher priority first, then older, then the smaller id", () => {
  const old = formatTime(NOW - 1000);
  const tasks = [
    task(1, { priority: 5 }),
    task(2, { priority: 9 }),
    task(3, { priority: 5, createdAt: old }),
    task(5, { priority: 1 }),
    task(4, { priority: 5, createdAt: old }),
  ];
  const wanted = [2, 3, 4, 1, 5].map(idOf);
  assertEquals(picked(tasks), wanted);
  for (let parallel = 0; parallel <= 6; parallel++) {
    assertEquals(picked(tasks, { parallel }), wanted.slice(0, parallel), `${parallel}`);
  }
});

Deno.test("pickNext compares times as times, in whatever form they were written", () => {
  const tasks = [
    task(1, { createdAt: "2026-03-04T12:00:01.000Z" }),
    task(2, { createdAt: "2026-03-04T13:00:00+02:00" }),
    task(3, { createdAt: "2026-03-04T12:00:00.500Z" }),
  ];
  assertEquals(picked(tasks), [2, 3, 1].map(idOf));
});

Deno.test("ids are compared by the number in them, a shorter one is older", () => {
  const ids = ["task_99999999999", "task_100000000000", "task_100000000001", "task_1000000000000"];
  assertEquals([...ids].reverse().sort(compareIds), ids);
  assertEquals(compareIds(ids[0]!, ids[0]!), 0);
});

Deno.test("pickNext passes over what is not pending, not ready, not due or paused", () => {
  const tasks = [
    task(1, { status: "running" }),
    task(2, { status: "failed" }),
    task(3, { dependsOn: [idOf(1)] }),
    task(4, { dependsOn: [idOf(2)] }),
    task(5, { dependsOn: [idOf(99)] }),
    task(6, { notBefore: formatTime(NOW + 1) }),
    task(7, { notBefore: formatTime(NOW) }),
    task(8, { agent: "paused" }),
    task(9, { agent: "rested" }),
  ];
  const lanes = new Map<string, PausedLane>([
    ["paused", { agent: "paused", until: NOW + 1 }],
    ["rested", { agent: "rested", until: NOW }],
  ]);
  assertEquals(picked(tasks, { lanes }), [7, 9].map(idOf));
});

Deno.test("pickNext counts what runs against both limits, and a full agent blocks no other", () => {
  const tasks = [
    task(1, { status: "running", agent: "x" }),
    task(2, { agent: "x", priority: 10 }),
    task(3, { agent: "x", priority: 9 }),
    task(4, { agent: "y" }),
    task(5, { agent: "y" }),
  ];
  assertEquals(picked(tasks, { perAgent: new Map([["x", 1]]) }), [4, 5].map(idOf));
  assertEquals(picked(tasks, { perAgent: new Map([["x", 2]]) }), [2, 4, 5].map(idOf));
  assertEquals(picked(tasks, { perAgent: new Map([["x", 1]]), parallel: 2 }), [4].map(idOf));
  assertEquals(picked(tasks, { perAgent: new Map([["x", 0], ["y", 0]]) }), []);
  assertEquals(picked(tasks, { parallel: 1 }), []);
});

/** Random tasks whose dependencies and retries point anywhere among them, forwards and in circles. */
const queues = fc.integer({ min: 1, max: 8 }).chain((size) =>
  fc.array(
    fc.record({
      status: fc.constantFrom<Status>("pending", "pending", "pending", ...STATUSES),
      agent: fc.constantFrom("x", "y", "z"),
      priority: fc.integer({ min: 1, max: 3 }),
      age: fc.integer({ min: 0, max: 2 }),
      dependsOn: fc.uniqueArray(fc.integer({ min: 0, max: size }), { maxLength: 3 }),
      retries: fc.option(fc.integer({ min: 0, max: size - 1 }), { freq: 3 }),
      retryDue: fc.boolean(),
      notBefore: fc.option(fc.integer({ min: -1, max: 1 }), { freq: 5 }),
    }),
    { minLength: size, maxLength: size },
  ).map((items) =>
    items.map((item, number) =>
      task(number, {
        status: item.status,
        agent: item.agent,
        priority: item.priority,
        createdAt: formatTime(NOW - item.age),
        dependsOn: item.dependsOn.map(idOf),
        // Only an earlier task can be retried: a successor is always younger.
        parentTaskId: item.retries === null || item.retries >= number ? null : idOf(item.retries),
        retryAt: item.status === "failed" && item.retryDue ? formatTime(NOW) : null,
        notBefore: item.notBefore === null ? null : formatTime(NOW + item.notBefore),
      })
    )
  )
);

/** Readiness as a fixed point over all tasks: slow, and plainly what the contract says. */
function naiveReadiness(tasks: readonly Task[]): Map<string, Readiness["kind"]> {
  const byId = new Map(tasks.map((item) => [item.taskId, item]));
  const latest = (item: Task): Task => {
    const next = tasks.filter(({ parentTaskId }) => parentTaskId === item.taskId).at(-1);
    return next === undefined ? item : latest(next);
  };
  const pending = tasks.filter(({ status }) => status === "pending");
  // Least fixed point of "can still be met": what is never reached is blocked, circles among it.
  const hopeful = new Set<string>();
  const met = (id: string) => {
    const item = byId.get(id);
    return item !== undefined && (item.status === "complete" || latest(item).status === "complete");
  };
  const canBeMet = (id: string) => {
    const item = byId.get(id);
    if (item === undefined) return false;
    if (met(id)) return true;
    const last = latest(item);
    if (last.status === "running") return true;
    if (last.status === "failed") return last.retryAt !== null;
    return last.status === "pending" && hopeful.has(last.taskId);
  };
  for (let changed = true; changed;) {
    changed = false;
    for (const item of pending) {
      if (!hopeful.has(item.taskId) && item.dependsOn.every(canBeMet)) {
        hopeful.add(item.taskId);
        changed = true;
      }
    }
  }
  return new Map(pending.map((item) => [
    item.taskId,
    item.dependsOn.every(met) ? "ready" : hopeful.has(item.taskId) ? "waiting" : "blocked",
  ]));
}

Deno.test("readiness of any queue is what the contract says, with a memo and without", () => {
  const seen = new Set<string>();
  fc.assert(
    fc.property(queues, (tasks) => {
      const index = indexTasks(tasks);
      const memo = new Map<string, Readiness>();
      for (const [id, kind] of naiveReadiness(tasks)) {
        const item = index.byId.get(id)!;
        assertEquals(readiness(item, index).kind, kind, id);
        assertEquals(readinessOf(item, index, memo).kind, kind, id);
        seen.add(kind);
      }
    }),
    { numRuns: 3000 },
  );
  assertEquals(seen.size, 3);
});

Deno.test("pickNext picks from any queue what repeated choosing of the best picks", () => {
  const limits = fc.record({
    parallel: fc.integer({ min: 0, max: 5 }),
    x: fc.integer({ min: 0, max: 3 }),
    paused: fc.boolean(),
  });
  let most = 0;
  fc.assert(
    fc.property(queues, limits, (tasks, { parallel, x, paused }) => {
      const ready = naiveReadiness(tasks);
      const used = new Map<string, number>();
      let free = parallel;
      for (const { status, agent } of tasks) {
        if (status !== "running") continue;
        free--;
        used.set(agent, (used.get(agent) ?? 0) + 1);
      }
      const wanted: string[] = [];
      const left = new Set(tasks);
      while (wanted.length < free) {
        let best: Task | undefined;
        for (const item of left) {
          if (ready.get(item.taskId) !== "ready") continue;
          if (item.notBefore !== null && Date.parse(item.notBefore) > NOW) continue;
          if (item.agent === "y" && paused) continue;
          if (item.agent === "x" && (used.get("x") ?? 0) >= x) continue;
          if (best === undefined || compareTasks(item, best) < 0) best = item;
        }
        if (best === undefined) break;
        left.delete(best);
        used.set(best.agent, (used.get(best.agent) ?? 0) + 1);
        wanted.push(best.taskId);
      }
      most = Math.max(most, wanted.length);
      assertEquals(
        picked(tasks, {
          parallel,
          perAgent: new Map([["x", x]]),
          lanes: new Map(paused ? [["y", { agent: "y", until: NOW + 1 }]] : []),
        }),
        wanted,
      );
    }),
    { numRuns: 3000 },
  );
  assertGreater(most, 2);
});

Deno.test("compareTasks is an order: total, and the same both ways", () => {
  fc.assert(fc.property(queues, (tasks) => {
    for (const a of tasks) {
      for (const b of tasks) {
        assertEquals(Math.sign(compareTasks(a, b)) + Math.sign(compareTasks(b, a)), 0);
        assertEquals(compareTasks(a, b) === 0, a === b);
      }
    }
  }));
});

// --- dependencies ---

Deno.test("a dependency is met by the task itself or by the latest retry in its chain", () => {
  const first = task(1, { status: "failed", retriedBy: idOf(2) });
  const second = task(2, { status: "failed", parentTaskId: idOf(1), retriedBy: idOf(3) });
  const chain = (rest: Partial<Task>) =>
    indexTasks([
      first,
      second,
      task(3, {
        parentTaskId: idOf(1),
        retryHistory: [{ attempt: 2, timestamp: "", error: null, retriedFrom: idOf(2) }],
        ...rest,
      }),
    ]);
  const state = (rest: Partial<Task>) => dependencyState(idOf(1), chain(rest));
  assertEquals(state({ status: "complete" }), { kind: "met" });
  assertEquals(state({ status: "pending" }).kind, "waiting");
  assertEquals(state({ status: "running" }).kind, "waiting");
  assertEquals(state({ status: "failed", retryAt: formatTime(NOW) }).kind, "waiting");
  assertEquals(state({ status: "failed" }), {
    kind: "blocked",
    id: idOf(3),
    reason: `Dependency ${idOf(3)} failed`,
  });
  assertEquals(state({ status: "cancelled" }), {
    kind: "blocked",
    id: idOf(3),
    reason: `Dependency ${idOf(3)} was cancelled`,
  });
  const index = chain({});
  assertEquals(retryChain(second, index).map(({ taskId }) => taskId), [1, 2, 3].map(idOf));
  for (const item of index.byId.values()) {
    assertEquals(latestAttempt(item, index).taskId, idOf(3));
    assertEquals(retryChain(item, index).length, 3);
  }
  // It was complete all along; somebody retried it for another reason.
  const again = indexTasks([task(1, { status: "complete" }), task(2, { parentTaskId: idOf(1) })]);
  assertEquals(dependencyState(idOf(1), again), { kind: "met" });
});

Deno.test("of two retries of one task the one that it names goes on, be it the older", () => {
  const tasks = [
    task(1, { status: "failed", retriedBy: idOf(2) }),
    task(2, { status: "complete", parentTaskId: idOf(1) }),
    task(3, { status: "failed", parentTaskId: idOf(1) }),
  ];
  const named = indexTasks(tasks);
  assertEquals(latestAttempt(tasks[0]!, named).taskId, idOf(2));
  assertEquals(dependencyState(idOf(1), named), { kind: "met" });
  // A name that leads nowhere counts as none.
  const lost = indexTasks([{ ...tasks[0]!, retriedBy: idOf(9) }, ...tasks.slice(1)]);
  assertEquals(latestAttempt(lost.byId.get(idOf(1))!, lost).taskId, idOf(3));
});

Deno.test("a dependency that does not exist, or no longer, blocks; one in the archive counts", () => {
  const waiting = task(2, { dependsOn: [idOf(1)] });
  const gone = readiness(waiting, indexTasks([waiting]));
  assert(gone.kind === "blocked");
  assertStringIncludes(gone.reason, idOf(1));
  const kind = (archived: Task) =>
    readiness(waiting, indexTasks([waiting], new Map([[archived.taskId, archived]]))).kind;
  assertEquals(kind(task(1, { status: "complete" })), "ready");
  assertEquals(kind(task(1, { status: "failed" })), "blocked");
});

Deno.test("what waits behind a blocked task is blocked, with the first cause as the reason", () => {
  const tasks = [task(0, { status: "cancelled" })];
  for (let number = 1; number < 6; number++) {
    tasks.push(task(number, { dependsOn: [idOf(number - 1)] }));
  }
  const index = indexTasks(tasks);
  for (const item of tasks.slice(1)) {
    const ready = readiness(item, index);
    assert(ready.kind === "blocked");
    assertEquals(ready.by, item.dependsOn[0]);
    assertStringIncludes(ready.reason, `${idOf(0)} was cancelled`);
    assertLess(ready.reason.length, 120);
  }
  const retried = [...tasks, task(6, { status: "complete", parentTaskId: idOf(0) })];
  assertEquals(readiness(retried[1]!, indexTasks(retried)), { kind: "ready" });
  assertEquals(readiness(retried[2]!, indexTasks(retried)), { kind: "waiting", on: [idOf(1)] });
});

Deno.test("tasks that wait for each other are blocked and say so", () => {
  const circle = [
    task(1, { dependsOn: [idOf(3)] }),
    task(2, { dependsOn: [idOf(1)] }),
    task(3, { dependsOn: [idOf(2)] }),
    task(4, { dependsOn: [idOf(1)] }),
    task(5, { dependsOn: [idOf(5)] }),
  ];
  const index = indexTasks(circle);
  for (const item of circle) {
    const ready = readiness(item, index);
    assert(ready.kind === "blocked", item.taskId);
    assertStringIncludes(ready.reason, "in turn");
  }
  assertEquals(picked(circle), []);
});

Deno.test("retry pointers in a circle, to nowhere or to itself end", () => {
  for (
    const tasks of [
      [task(1, { status: "failed", retriedBy: idOf(1) })],
      [task(1, { status: "failed", parentTaskId: idOf(1) })],
      [
        task(1, { status: "failed", retriedBy: idOf(2), parentTaskId: idOf(2) }),
        task(2, { status: "failed", retriedBy: idOf(1), parentTaskId: idOf(1) }),
      ],
      [task(1, { status: "failed", retriedBy: idOf(9), parentTaskId: idOf(8) })],
    ]
  ) {
    const index = indexTasks(tasks);
    for (const item of tasks) {
      assertLess(retryChain(item, index).length, 3);
      assertEquals(latestAttempt(item, index).status, "failed");
      assertEquals(dependencyState(item.taskId, index).kind, "blocked");
    }
  }
});

Deno.test("chains of 100,000 tasks neither exhaust the stack nor take quadratic time", () => {
  const LENGTH = 100_000;
  const pending: Task[] = [task(0, { status: "cancelled" })];
  const retries: Task[] = [];
  for (let number = 1; number < LENGTH; number++) {
    pending.push(task(number, { dependsOn: [idOf(number - 1)] }));
    retries.push(
      task(number, { status: "failed", parentTaskId: number === 1 ? null : idOf(number - 1) }),
    );
  }
  const index = indexTasks(pending);
  const memo = new Map<string, Readiness>();
  // The last one first: everything before it is looked at on its behalf.
  for (const item of [...pending].reverse()) {
    if (item.status === "pending") assertEquals(readinessOf(item, index, memo).kind, "blocked");
  }
  assertEquals(pickNext(pending, [], index, OPEN, NOW), []);
  assertEquals(pickNext(pending, [], index, { ...OPEN, parallel: 1 }, NOW), []);
  assertEquals(dependentsOf([idOf(0)], index).length, LENGTH - 1);
  const edges = new Map(pending.map((item) => [item.taskId, item.dependsOn]));
  assertEquals(findCycle(edges), undefined);
  edges.set(idOf(0), [idOf(LENGTH - 1)]);
  assertEquals(findCycle(edges)?.length, LENGTH + 1);
  const attempts = indexTasks(retries);
  assertEquals(retryChain(retries[500]!, attempts).length, LENGTH - 1);
  assertEquals(latestAttempt(retries[0]!, attempts).taskId, idOf(LENGTH - 1));
});

Deno.test("findCycle finds one where there is one, and it is one", () => {
  const graphs = fc.integer({ min: 1, max: 7 }).chain((size) =>
    fc.array(fc.uniqueArray(fc.integer({ min: 0, max: size })), {
      minLength: size,
      maxLength: size,
    })
  );
  let cyclic = 0;
  fc.assert(
    fc.property(graphs, (graph) => {
      const edges = new Map(graph.map((targets, from) => [`${from}`, targets.map(String)]));
      // Naive: a node that reaches itself.
      const reach = graph.map((targets) => new Set(targets));
      for (let turn = 0; turn < graph.length; turn++) {
        for (const from of reach) {
          for (const to of [...from]) reach[to]?.forEach((further) => from.add(further));
        }
      }
      const has = reach.some((from, node) => from.has(node));
      const cycle = findCycle(edges);
      assertEquals(cycle !== undefined, has);
      if (cycle === undefined) return;
      cyclic++;
      assertEquals(cycle[0], cycle.at(-1));
      assertGreater(cycle.length, 1);
      assertEquals(new Set(cycle).size, cycle.length - 1);
      for (let at = 1; at < cycle.length; at++) {
        assert(edges.get(cycle[at - 1]!)!.includes(cycle[at]!));
      }
    }),
    { numRuns: 1000 },
  );
  assertGreater(cyclic, 50);
});

Deno.test("dependentsOf finds everything behind some tasks, once, circles or not", () => {
  fc.assert(fc.property(queues, fc.array(fc.nat({ max: 7 })), (tasks, numbers) => {
    const ids = numbers.map(idOf);
    const wanted = new Set<string>();
    for (let before = -1; before !== wanted.size;) {
      before = wanted.size;
      for (const item of tasks) {
        if (item.dependsOn.some((id) => ids.includes(id) || wanted.has(id))) {
          wanted.add(item.taskId);
        }
      }
    }
    const found = dependentsOf(ids, indexTasks(tasks)).map(({ taskId }) => taskId);
    assertEquals(found, [...wanted].sort());
  }));
});

// --- retry ---

const POLICY = DEFAULT_CONFIG.retry;

Deno.test("without jitter the waits double up to the cap, as the ancestor's did", () => {
  const plain = { ...POLICY, jitter: false };
  assertEquals([0, 1, 2, 3, 10].map((count) => retryDelay(count, plain, 0.3)), [1, 2, 4, 8, 1024]);
  assertEquals(retryDelay(12, plain, 0.3), 3600);
  assertEquals(retryDelay(1_000_000, plain, 0.3), 3600);
});

Deno.test("with jitter a wait is drawn evenly between nothing and its full length", () => {
  for (const count of [0, 1, 5, 20]) {
    const full = retryDelay(count, { ...POLICY, jitter: false }, 1);
    assertEquals(retryDelay(count, POLICY, 0), 0);
    assertEquals(retryDelay(count, POLICY, 0.5), full / 2);
    assertEquals(retryDelay(count, POLICY, 1), full);
  }
});

Deno.test("a wait is between zero and the cap and grows, whatever the settings and the task say", () => {
  const policies = fc.record({
    base: fc.double({ min: 0, max: 1e9, noNaN: true }),
    factor: fc.double({ min: 1, max: 1e9, noNaN: true }),
    cap: fc.double({ min: 0.001, max: 315_360_000, noNaN: true }),
    jitter: fc.boolean(),
    on: fc.constant(POLICY.on),
  });
  const counts = fc.oneof(fc.nat({ max: 50 }), fc.integer(), fc.constant(1e300));
  fc.assert(
    fc.property(
      policies,
      counts,
      fc.double({ min: 0, max: 1, noNaN: true }),
      (policy, count, random) => {
        const delay = retryDelay(count, policy, random);
        assert(delay >= 0 && delay <= policy.cap, `${delay}`);
        const more = retryDelay(count + 1, policy, random);
        assert(more >= delay, `${more} after ${delay}`);
        formatTime(NOW + delay * 1000);
      },
    ),
    {
      numRuns: 2000,
      examples: [[{ base: 0, factor: 10, cap: 60, jitter: true, on: [] }, 400, 0.5]],
    },
  );
});

Deno.test("a failure is retried by itself when the task, the count and the settings all agree", () => {
  const willing = { autoRetry: true, retryCount: 0, maxRetries: 1 };
  for (const name of FAILURE_CLASSES) {
    assertEquals(mayRetry(willing, name, POLICY), POLICY.on.includes(name), name);
    assert(!mayRetry({ ...willing, autoRetry: false }, name, POLICY));
    assert(!mayRetry({ ...willing, retryCount: 1 }, name, POLICY));
    assert(!mayRetry(willing, name, { on: [] }));
    const everything = { on: FAILURE_CLASSES };
    assertEquals(mayRetry(willing, name, everything), !NEVER_RETRIED.includes(name), name);
  }
  assertEquals([...NEVER_RETRIED].sort(), ["budget", "dependency", "spawn"]);
});

function legacyIndex(): TaskIndex {
  return indexTasks(
    Object.entries(LEGACY_TASKS).map(([id, text]) => {
      const parsed = parseTask(text, id);
      assert("task" in parsed);
      return parsed.task;
    }),
  );
}

Deno.test("nothing in the ancestor's workspace is retried twice: the forgotten retry rests", () => {
  const index = legacyIndex();
  for (const item of index.byId.values()) {
    assertEquals(retryDue(item, index, POLICY), null, item.taskId);
  }
  const forgotten = index.byId.get(LEGACY.forgottenRetry)!;
  assert(forgotten.autoRetry && forgotten.retryCount < forgotten.maxRetries);
  assertEquals(
    latestAttempt(index.byId.get(LEGACY.failedAndRetried)!, index).taskId,
    LEGACY.pendingRetry,
  );
  // Were the other retry not there, this one would be the last attempt, but still nobody's.
  const alone = indexTasks(
    [...index.byId.values()].filter((item) => item.taskId !== LEGACY.pendingRetry),
  );
  assertEquals(
    latestAttempt(alone.byId.get(LEGACY.failedAndRetried)!, alone).taskId,
    LEGACY.forgottenRetry,
  );
});

Deno.test("what the ancestor showed as blocked by a failed task waits for its pending retry", () => {
  const index = legacyIndex();
  const blocked = index.byId.get(LEGACY.blocked)!;
  assertEquals(readiness(blocked, index), { kind: "waiting", on: [LEGACY.pendingRetry] });
  assertEquals(readiness(index.byId.get(LEGACY.pending)!, index), { kind: "ready" });
  const done = new Map(index.byId);
  done.set(LEGACY.pendingRetry, { ...index.byId.get(LEGACY.pendingRetry)!, status: "complete" });
  assertEquals(readiness(blocked, indexTasks(done.values())), { kind: "ready" });
});

Deno.test("a task that the ancestor failed is due 2^n seconds after its end, without jitter", () => {
  const old: Partial<Task> = {
    schemaVersion: 2,
    status: "failed",
    autoRetry: true,
    completedAt: formatTime(NOW),
  };
  const due = (rest: Partial<Task>) => {
    const item = task(1, { ...old, ...rest });
    return retryDue(item, indexTasks([item]), POLICY);
  };
  assertEquals(due({}), NOW + 1000);
  assertEquals(due({ retryCount: 2 }), NOW + 4000);
  assertEquals(due({ completedAt: null, createdAt: formatTime(NOW + 5) }), NOW + 1005);
  for (
    const rest of [
      { status: "pending" },
      { status: "complete" },
      { status: "cancelled" },
      { autoRetry: false },
      { retryCount: 3 },
      { retriedBy: idOf(2) },
    ] as Partial<Task>[]
  ) assertEquals(due(rest), null, JSON.stringify(rest));
});

Deno.test("a failed task of ours is due at its retryAt, and not when a successor is there", () => {
  const failed = task(1, { status: "failed", autoRetry: true, retryAt: formatTime(NOW + 7) });
  assertEquals(retryDue(failed, indexTasks([failed]), POLICY), NOW + 7);
  assertEquals(retryDue({ ...failed, retryAt: null }, indexTasks([failed]), POLICY), null);
  // Killed after the successor was created and before the pointer to it was written.
  const successor = task(2, { parentTaskId: idOf(1) });
  assertEquals(retryDue(failed, indexTasks([failed, successor]), POLICY), null);
});

Deno.test("a successor does the same work with one retry more and knows what went before", () => {
  const first = task(1, {
    status: "failed",
    agent: "x",
    prompt: "do it",
    priority: 8,
    maxRetries: 4,
    autoRetry: true,
    timeout: 60,
    timeoutWarning: 5,
    idleTimeout: 30,
    budget: 2,
    verify: ["make", "test"],
    dependsOn: [idOf(0)],
    labels: { team: "a" },
    errorMessage: "boom",
    failureClass: "exit",
    exitCode: 1,
    claim: 2,
    pid: 42,
    startedAt: formatTime(NOW),
    completedAt: formatTime(NOW),
    retryAt: formatTime(NOW),
    reapAt: formatTime(NOW),
    laneUntil: formatTime(NOW),
    result: { summary: "no" },
    usage: { costUsd: 1 },
  });
  const second = successorOf(first, idOf(2), {}, NOW + 9);
  const kept = [
    "agent",
    "prompt",
    "priority",
    "maxRetries",
    "autoRetry",
    "timeout",
    "timeoutWarning",
    "idleTimeout",
    "budget",
    "verify",
    "dependsOn",
    "labels",
  ] as const;
  const fresh = newTask(idOf(2), { agent: "x", prompt: "do it" }, NOW + 9);
  const wanted = { ...fresh } as Record<string, unknown>;
  for (const name of kept) wanted[name] = first[name];
  assertEquals(second as unknown, {
    ...wanted,
    retryCount: 1,
    parentTaskId: idOf(1),
    retryHistory: [
      { attempt: 1, timestamp: formatTime(NOW + 9), error: "boom", retriedFrom: idOf(1) },
    ],
  });
  const third = successorOf({ ...second, errorMessage: "bang" }, idOf(3), {}, NOW + 10);
  assertEquals(third.parentTaskId, idOf(1));
  assertEquals(third.retryCount, 2);
  assertEquals(
    third.retryHistory.map(({ attempt, error, retriedFrom }) => [attempt, error, retriedFrom]),
    [
      [1, "boom", idOf(1)],
      [2, "bang", idOf(2)],
    ],
  );
  assertEquals(retryOf(third), idOf(2));
  assertEquals(retryChain(first, indexTasks([first, second, third])).length, 3);
});

Deno.test("a successor shares no list with the task that it retries", () => {
  const first = task(1, { status: "failed", dependsOn: [idOf(0)], labels: { a: "b" } });
  const before = JSON.stringify(first);
  const second = successorOf(first, idOf(2), {}, NOW);
  second.dependsOn.push(idOf(9));
  second.labels.c = "d";
  second.retryHistory.length = 0;
  assertEquals(JSON.stringify(first), before);
});

Deno.test("a retry may change the agent, the count and the time; a pause uses up no retry", () => {
  const first = task(1, { status: "failed", retryCount: 1, autoRetry: true });
  const moved = successorOf(
    first,
    idOf(2),
    { agent: "y", maxRetries: 9, autoRetry: false, free: true, notBefore: NOW + 60_000 },
    NOW,
  );
  assertEquals(moved.agent, "y");
  assertEquals(moved.maxRetries, 9);
  assertEquals(moved.autoRetry, false);
  assertEquals(moved.retryCount, 1);
  assertEquals(moved.notBefore, formatTime(NOW + 60_000));
  assertEquals(moved.retryHistory.length, 1);
});

// --- view ---

function viewed(
  item: Task,
  others: readonly Task[] = [],
  now = NOW,
  lanes?: Map<string, PausedLane>,
) {
  return viewTask(item, indexTasks([item, ...others]), now, new Map(), lanes);
}

Deno.test("viewTask refines pending into ready, waiting and blocked, with the reason", () => {
  assertEquals(viewed(task(1)).phase, "ready");
  const running = task(0, { status: "running" });
  const waiting = viewed(task(1, { dependsOn: [idOf(0)] }), [running]);
  assertEquals([waiting.phase, waiting.reason], ["waiting", `waits for ${idOf(0)}`]);
  const cancelled = task(0, { status: "cancelled" });
  const blocked = viewed(task(1, { dependsOn: [idOf(0)] }), [cancelled]);
  assertEquals([blocked.phase, blocked.blockedBy], ["blocked", idOf(0)]);
  assertStringIncludes(blocked.reason ?? "", "was cancelled");
  const later = task(1, { notBefore: formatTime(NOW + 1) });
  assertEquals(viewed(later).phase, "waiting");
  assertEquals(viewed(later, [], NOW + 1).phase, "ready");
  const lanes = new Map([["a", { agent: "a", until: NOW + 1 }]]);
  assertEquals(viewed(task(1), [], NOW, lanes).phase, "waiting");
  assertStringIncludes(viewed(task(1), [], NOW, lanes).reason ?? "", "a is paused");
  assertEquals(viewed(task(1), [], NOW + 1, lanes).phase, "ready");
});

Deno.test("viewTask shows a task as ready exactly when pickNext would launch it", () => {
  fc.assert(fc.property(queues, fc.boolean(), (tasks, paused) => {
    const index = indexTasks(tasks);
    const lanes = new Map(paused ? [["y", { agent: "y", until: NOW + 1 }]] : []);
    const memo = new Map<string, Readiness>();
    const ready = tasks
      .filter((item) => viewTask(item, index, NOW, memo, lanes).phase === "ready")
      .map(({ taskId }) => taskId);
    const launched = pickNext(tasks, [], index, { ...OPEN, lanes }, NOW).map(({ taskId }) =>
      taskId
    );
    assertEquals(ready.sort(), launched.sort());
  }));
});

Deno.test("viewTask says when a failed task is about to be retried, and only then", () => {
  const failed: Partial<Task> = { status: "failed", retryAt: formatTime(NOW) };
  assertEquals(viewed(task(1, failed)).phase, "retrying");
  assertEquals(viewed(task(1, { ...failed, retriedBy: idOf(2) })).phase, "failed");
  assertEquals(viewed(task(1, { status: "failed" })).phase, "failed");
  assertEquals(viewed(task(1, { status: "complete" })).phase, "complete");
});

Deno.test("viewTask counts the time from the launch to the end or to now, never below zero", () => {
  const started: Partial<Task> = { startedAt: formatTime(NOW) };
  const times = (rest: Partial<Task>, now: number) => {
    const { elapsed, remaining, warning } = viewed(task(1, { ...started, ...rest }), [], now);
    return [elapsed, remaining, warning];
  };
  const running: Partial<Task> = { status: "running", timeout: 60, timeoutWarning: 10 };
  assertEquals(times(running, NOW + 5000), [5, 55, false]);
  assertEquals(times(running, NOW + 50_000), [50, 10, true]);
  assertEquals(times(running, NOW + 70_000), [70, -10, true]);
  assertEquals(times(running, NOW - 5000), [0, 60, false]);
  assertEquals(times({ status: "running" }, NOW + 5000), [5, null, false]);
  const ended: Partial<Task> = { timeout: 60, completedAt: formatTime(NOW + 3000) };
  assertEquals(times({ status: "complete", ...ended }, NOW + 99_000), [3, null, false]);
  assertEquals(times({ status: "pending" }, NOW + 99_000), [null, null, false]);
  assertEquals(times({ status: "cancelled", startedAt: null }, NOW), [null, null, false]);
});

Deno.test("countPhases counts every task once", () => {
  fc.assert(fc.property(queues, (tasks) => {
    const index = indexTasks(tasks);
    const memo = new Map<string, Readiness>();
    const views = tasks.map((item) => viewTask(item, index, NOW, memo));
    const { total, byPhase } = countPhases(views);
    assertEquals(total, tasks.length);
    assertEquals(Object.values(byPhase).reduce((sum, count) => sum + count, 0), total);
    for (const { phase } of views) assertNotEquals(byPhase[phase], 0);
  }));
});
