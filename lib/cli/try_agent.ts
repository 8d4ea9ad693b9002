// `orchestra agents check NAME --run`: one real prompt, through the queue as any other, so that login,
// options and sentinel are seen to work, or what keeps them from it.

import { cancel } from "../queue/cancel.ts";
import { claim } from "../queue/claim.ts";
import { add } from "../queue/add.ts";
import { loadRules, type Queue, type Rules } from "../queue/queue.ts";
import type { AgentDefinition } from "../task/agent.ts";
import type { Held } from "../decide/room.ts";
import { OrchestraError } from "../task/error.ts";
import { formatTime, isAtRest, type Task } from "../task/fields.ts";
import type { Context } from "./context.ts";
import { lookOn, stopSignal } from "./look_on.ts";

const PROMPT =
  "This is a check of whether you work here. Change nothing in the project and look at " +
  "nothing: finish at once, as the instructions below say. Your summary is: ready.";
/** For who tells its end by its exit code: a shell does it, and anything else has little to do. */
const SCRIPT = "echo ready";
/** Seconds that it gets. */
const LIMIT = 300;

/**
 * Queues a task, launches it at once, whatever else runs, and waits for its end.
 *
 * @returns the task, settled; undefined where it was removed meanwhile
 */
export async function tryAgent(
  context: Context,
  queue: Queue,
  name: string,
  agent: AgentDefinition,
): Promise<Task | undefined> {
  const prompt = agent.completion === "exit" ? SCRIPT : PROMPT;
  const rules = await loadRules(queue);
  let id = "";
  // Before it is launched: whoever is interrupted just then must not leave it alone.
  let interrupted = false;
  let held = null as Held | null;
  const stop = stopSignal(() => interrupted = true);
  const wish = {
    agent: name,
    prompt,
    maxRetries: 0,
    autoRetry: false,
    timeout: LIMIT,
    worktree: false,
  };
  try {
    // Nobody else sees it before it runs: a daemon would hand it on where its agent is paused.
    await add(queue, [wish], (task) => {
      id = task.taskId;
      claim(queue, [id], rules, () => {}, (_, reason) => held = reason);
    });
  } catch (error) {
    giveUp(queue, id, rules);
    throw error;
  }
  if (held !== null) {
    giveUp(queue, id, rules);
    const { formatHeld } = await import("../format/reason.ts");
    throw new OrchestraError("state", `Asking ${name}: ${formatHeld(held, formatTime)}`, {
      hint: "Try again when it does not: limits across workspaces hold for a check as well.",
    });
  }
  context.note(`${id}: ${name} is asked to finish at once. Ctrl+C ends it`);
  context.endsByExit = true;
  const mirror = await lookOn(context, queue, {
    signal: stop.signal,
    until: ({ index }) => {
      const task = index.byId.get(id);
      // Pending again: the system had no room for its launch.
      return task === undefined || task.status === "pending" || isAtRest(task);
    },
  });
  giveUp(queue, id, rules);
  const task = queue.store.read(id) ?? mirror.index.byId.get(id);
  if (interrupted) context.fail(130);
  else if (task?.status !== "complete") context.fail(1);
  return task;
}

/** Nothing of it is left to do: neither itself nor what waits for a quota in its place. */
function giveUp(queue: Queue, id: string, rules: Rules): void {
  const left = [id, ...notRetried(queue, id)].filter((one) => queue.store.read(one) !== undefined);
  cancel(queue, left, "the check is over", rules);
}

/** What waits for a quota would be queued anew, and nobody asked for that; what is so already. */
function notRetried({ store }: Queue, id: string): string[] {
  return store.locked(() => {
    const task = store.read(id);
    if (task !== undefined && task.retryAt !== null) store.write({ ...task, retryAt: null });
    return typeof task?.retriedBy === "string" ? [task.retriedBy] : [];
  });
}
