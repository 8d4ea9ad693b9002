// Every running task with every evidence: the table that decisions about one task are tested with.

import type { Completion } from "../../lib/task/agent.ts";
import {
  type Decision,
  type EndRules,
  type Evidence,
  NO_EVIDENCE,
  type ShimState,
} from "../../lib/decide/reconcile.ts";
import { formatTime, type Status, type Task } from "../../lib/task/fields.ts";
import { NOW, task } from "./queues.ts";

export const LAUNCH_GRACE = 2000;
export const GRACE = 5000;

/** One cell of the table. */
export interface Case {
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
export const SHIMS: ShimState[] = ["none", "fenced", "alive", "dead", "unknown"];
const COMPLETIONS: Completion[] = ["sentinel", "exit", "auto"];
const VERIFY: { wanted: boolean; verify: Evidence["verify"] }[] = [
  { wanted: false, verify: "none" },
  { wanted: true, verify: "none" },
  { wanted: true, verify: "running" },
  { wanted: true, verify: "lost" },
  { wanted: true, verify: 0 },
  { wanted: true, verify: 1 },
];
const REFUSALS: Evidence["refusal"][] = [
  null,
  { until: NOW + 90_000, line: "429" },
  { until: null, line: "no credit" },
];
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
export function eachCase(status: Status, call: (cell: Case) => void): number {
  let count = 0;
  for (const limits of LIMITS) {
    const subject = task(0, { status, claim: 1, startedAt: formatTime(NOW), ...limits });
    if (status === "pending") subject.startedAt = null;
    for (const completion of COMPLETIONS) {
      for (const { wanted, verify } of VERIFY) {
        const rules = {
          completion,
          verify: wanted,
          grace: GRACE,
          answerGrace: GRACE,
          launchGrace: LAUNCH_GRACE,
          limits: true,
        };
        for (const cancelled of CANCELLED) {
          for (const timeout of TIMEOUT) {
            for (const error of ERROR) {
              for (const done of DONE) {
                for (const exit of EXIT) {
                  for (const refusal of REFUSALS) {
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
                        refusal,
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
export function wordOf(decision: Decision): string {
  if (decision.kind === "settle") {
    const { status, failure } = decision.outcome;
    return status === "failed" ? `failed:${failure?.kind}` : status;
  }
  return decision.kind === "time-out" && decision.idle ? "time-out:idle" : decision.kind;
}

export function fail(cell: Case, decision: Decision | string, why: string): never {
  throw new Error(
    `${why}: ${typeof decision === "string" ? decision : JSON.stringify(decision)}\n` +
      JSON.stringify({ ...cell, task: cell.task.status, clock: cell.now - NOW }),
  );
}
