// What the evidence says of a task, over every pair of state and evidence, where that takes its time.

import { decide, nextDue } from "../../lib/decide/reconcile.ts";
import { formatTime, isTerminal, STATUSES } from "../../lib/task/fields.ts";
import { eachCase, fail, GRACE } from "../support/evidence.ts";
import { NOW } from "../support/queues.ts";

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
