// What the evidence says of a task with a worktree, over every pair of state and evidence: all that it says
// of one without, but that a success is committed first, and that its worktree is put away at the end.

import { assertEquals } from "../support/assert.ts";
import { decide, type Evidence, nextDue, type Outcome } from "../../lib/decide/reconcile.ts";
import { formatTime, isTerminal, STATUSES, type TaskBranch } from "../../lib/task/fields.ts";
import { type Case, eachCase, fail, GRACE, wordOf } from "../support/evidence.ts";
import { NOW } from "../support/queues.ts";

const OPEN: TaskBranch = {
  branch: "orchestra/t",
  base: "a".repeat(40),
  path: "/trees/t",
  folder: "",
  tip: null,
  files: null,
  insertions: null,
  deletions: null,
  left: null,
};
const COMMITTED: TaskBranch = { ...OPEN, tip: "b".repeat(40) };
const UNABLE: TaskBranch = { ...OPEN, left: "the disk is full" };

/** The same cell with a worktree. */
function within(cell: Case, git: TaskBranch): Case {
  return { ...cell, task: { ...cell.task, git } };
}

const decided = ({ task, evidence, rules, now }: Case) => decide(task, evidence, rules, now);

/** Whether the signs of a task say that it has succeeded, as far as its agent is asked. */
function succeeded({ task, evidence, rules, now }: Case): boolean {
  const asked = { ...rules, verify: false };
  return wordOf(decide(task, evidence, asked, now)) === "complete";
}

Deno.test("a success is committed before anything else is made of it, whatever the evidence", () => {
  const seen = new Set<string>();
  eachCase("running", (cell) => {
    const plain = wordOf(decided(cell));
    const word = wordOf(decided(within(cell, OPEN)));
    const wanted = succeeded(cell) ? "commit" : plain;
    if (word !== wanted) fail(cell, word, `should be ${wanted}`);
    seen.add(word);
  });
  assertEquals(["complete", "verify", "failed:verify"].filter((word) => seen.has(word)), []);
  assertEquals(seen.has("commit"), true);
});

Deno.test("once it is committed, or cannot be, a task is decided as one without a worktree", () => {
  for (const git of [COMMITTED, UNABLE]) {
    eachCase("running", (cell) => {
      const plain = wordOf(decided(cell));
      const word = wordOf(decided(within(cell, git)));
      if (word !== plain) fail(cell, word, `should be ${plain}`);
    });
  }
});

Deno.test("every settled task with a worktree is owed that somebody puts it away", () => {
  for (const status of ["running", "pending"] as const) {
    for (const git of [OPEN, COMMITTED]) {
      eachCase(status, (cell) => {
        const decision = decided(within(cell, git));
        if (decision.kind !== "settle") return;
        const { reapAt } = decision.outcome;
        const plain = decided(cell);
        const own = plain.kind === "settle" ? plain.outcome.reapAt : null;
        if (reapAt !== (own ?? cell.now)) fail(cell, decision, "is to be put away");
      });
    }
  }
});

Deno.test("a settled task whose worktree is to be put away is ended, and never reaped before", () => {
  for (const status of STATUSES.filter(isTerminal)) {
    eachCase(status, (cell) => {
      const owed = within({ ...cell, task: { ...cell.task, reapAt: formatTime(NOW) } }, COMMITTED);
      const { kind } = decided(owed);
      if (kind === "reaped") fail(cell, kind, "nobody has put it away");
      if (cell.now >= NOW && kind !== "end") fail(cell, kind, "its time has come");
    });
  }
});

Deno.test("an agent that has succeeded and lives has its time before it is ended and committed", () => {
  for (const shim of ["alive", "unknown"] as const) {
    eachCase("running", (cell) => {
      const { cancelled, timeout, error, done, exit } = cell.evidence;
      if (done === null || exit !== null || cell.rules.completion === "exit") return;
      if (cancelled !== null || timeout !== null || error !== null) return;
      const evidence: Evidence = { ...cell.evidence, shim, at: { done: NOW } };
      const live = within({ ...cell, evidence }, OPEN);
      const age = cell.now - NOW;
      // A clock that was set back since is not waited for.
      const wanted = age >= GRACE || age < -1000 ? "commit" : "keep";
      if (decided(live).kind !== wanted) fail(live, decided(live), `should be ${wanted}`);
      if (nextDue(live.task, live.evidence, live.rules) !== NOW + GRACE) {
        fail(live, "nextDue", "is then");
      }
    });
  }
});

Deno.test("a cancel, a timeout and an error settle a task at once, committed or not", () => {
  eachCase("running", (cell) => {
    const { cancelled, timeout, error } = cell.evidence;
    const signalled = error !== null && cell.rules.completion !== "exit";
    if (cancelled === null && timeout === null && !signalled) return;
    const decision = decided(within(cell, OPEN));
    if (decision.kind !== "settle") fail(cell, decision, "is over");
    const { status } = (decision as { outcome: Outcome }).outcome;
    if (status === "complete") fail(cell, decision, "has not succeeded");
  });
});
