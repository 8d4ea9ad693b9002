// `orchestra retry <id>`: queues a failed or cancelled task again, as a new task.

import { OrchestraError } from "../../task/error.ts";
import { isRetried, noTask } from "../../queue/queue.ts";
import type { Context } from "../context.ts";

/** Options of `retry`. */
export interface RetryFlags {
  maxRetries?: number;
  auto?: boolean;
}

/** Runs `orchestra retry`. */
export async function retry(this: Context, flags: RetryFlags, id: string): Promise<void> {
  const queue = this.openQueue();
  await queue.look({ retry: false });
  const task = queue.store.read(id);
  if (task === undefined) throw noTask(id);
  if (isRetried(queue.store, task)) {
    throw new OrchestraError("state", `${id} was retried already, by ${task.retriedBy}`, {
      hint: `Retry that one instead: orchestra retry ${task.retriedBy}`,
    });
  }
  if (task.status !== "failed" && task.status !== "cancelled") {
    throw new OrchestraError("state", `${id} is ${task.status}: only failed tasks are retried`, {
      hint: task.status === "complete"
        ? "To do the work once more, queue it again with: orchestra start"
        : `End it first with: orchestra cancel ${id}`,
    });
  }
  const most = flags.maxRetries ?? task.maxRetries;
  if (task.retryCount + 1 > most) {
    throw new OrchestraError(
      "state",
      `${id} has used up its retries (${task.retryCount} of ${most})`,
      { hint: `Allow more: orchestra retry ${id} --max-retries ${task.retryCount + 1}` },
    );
  }
  const successor = queue.queueRetry(id, {
    maxRetries: most,
    autoRetry: flags.auto ?? false,
  });
  if (successor === undefined) {
    throw new OrchestraError("state", `${id} was retried by somebody else just now`, {
      hint: "See it with: orchestra status",
    });
  }
  if (this.globals.json) return this.printJson(successor);
  this.print(
    `Queued ${successor.taskId} as retry ${successor.retryCount}/${successor.maxRetries} of ${id}`,
  );
  this.note("Run it with: orchestra run");
}
