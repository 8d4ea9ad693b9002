// What the agents of the torture wrote, and where a task's file tells another story.

import { isTerminal, type Task } from "../../lib/task/fields.ts";

/** What the agents wrote. */
export interface Ledger {
  /** Pids of the shims by task. */
  starts: Map<string, string[]>;
  good: Set<string>;
  bad: Set<string>;
  verified: Map<string, number>;
}

/**
 * Reads what the agents wrote.
 *
 * @param folder with a file of each of their processes
 */
export function readLedger(folder: string, violated: (text: string) => void): Ledger {
  const ledger: Ledger = {
    starts: new Map(),
    good: new Set(),
    bad: new Set(),
    verified: new Map(),
  };
  const lines = [...Deno.readDirSync(folder)].flatMap(({ name }) =>
    Deno.readTextFileSync(`${folder}/${name}`).split("\n")
  );
  for (const line of lines) {
    if (line === "") continue;
    const [verb = "", id = "", shim = ""] = line.split(" ");
    if (!/^task_\d+$/.test(id)) violated(`the ledger has ${JSON.stringify(line)}`);
    if (verb === "start") ledger.starts.set(id, [...ledger.starts.get(id) ?? [], shim]);
    else if (verb === "good") ledger.good.add(id);
    else if (verb === "bad") ledger.bad.add(id);
    else if (verb === "verify") ledger.verified.set(id, (ledger.verified.get(id) ?? 0) + 1);
    else violated(`the ledger has ${JSON.stringify(line)}`);
  }
  return ledger;
}

/** Where a task's file and the ledger tell different stories. */
export function disagreements(task: Task, ledger: Ledger, hurt: ReadonlySet<string>): string[] {
  const { taskId: id, status, failureClass } = task;
  const [kind] = task.prompt.split(" ");
  const found: string[] = [];
  const started = ledger.starts.has(id);
  const good = ledger.good.has(id);
  if (status === "complete") {
    if (!started) found.push("is complete, and its agent never ran");
    if (!good) found.push("is complete, and its agent did not succeed");
    if (kind === "verified" && !ledger.verified.has(id)) found.push("is complete and unverified");
  }
  if (status === "pending" && started) found.push("is pending, and its agent ran");
  const stopped = status === "cancelled" || failureClass === "timeout" || hurt.has(id);
  if (good && !stopped && status !== "complete") {
    found.push(`is ${status} (${failureClass}: ${task.errorMessage}), and its agent succeeded`);
  }
  if (status === "failed" && !stopped) {
    const expected = { error: "agent-error", seven: "exit", quota: "rate-limit" }[kind!];
    if (failureClass !== expected) {
      found.push(`failed with ${failureClass} (${task.errorMessage}), its agent does ${kind}`);
    }
  }
  if (status === "failed" && failureClass === "lost" && !hurt.has(id)) {
    found.push("counts as lost, and nobody killed its agent");
  }
  if (failureClass === "timeout" && task.timeout !== null && task.startedAt && task.timedOutAt) {
    const ran = Date.parse(task.timedOutAt) - Date.parse(task.startedAt);
    const byHand = task.errorMessage?.includes("by hand");
    if (!byHand && task.timeout === 1 && ran < 1000) found.push(`timed out after ${ran} ms of 1 s`);
  }
  // Due by the rules, and yet nobody queued it.
  const retriable = task.autoRetry && task.retryCount < task.maxRetries;
  const due = failureClass === "rate-limit" ||
    (retriable && failureClass !== null && failureClass !== "spawn");
  if (status === "failed" && due && task.retriedBy === null) {
    found.push(`failed (${failureClass}) and was never retried, though it should be`);
  }
  if (isTerminal(status)) {
    if (task.reapAt !== null) found.push("still has a reapAt");
    if (task.completedAt === null) found.push("has no completedAt");
  }
  return found;
}
