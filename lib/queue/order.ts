// Orders a command beside a task's agent, `verify` or its set-up. That it was ordered, and under which
// number, is on disk before its shim is started, so that two who look at once start it once; killed in
// between, the order is fenced off later and given again, under the next number.

import { shellLine } from "../launch/find.ts";
import { FENCE, type Launched } from "../launch/launcher.ts";
import type { Task } from "../task/fields.ts";
import { type LaunchMarks, launchPrepared, prepare } from "./prepare.ts";
import { definitionOf, type Queue, type Rules } from "./queue.ts";

/** What is ordered. */
export interface Order {
  /** Not empty. */
  readonly command: readonly string[];
  /** The task with the number of the order, and its time. */
  readonly ordered: Task;
  readonly marks: LaunchMarks;
}

/**
 * Writes an order into its task, and starts the command; inside the lock.
 *
 * @param task as it is stored
 * @returns what was started; undefined where it could not be, which its exit file says
 */
export function giveOrder(
  queue: Queue,
  task: Task,
  { command: line, ordered, marks }: Order,
  rules: Rules,
): Launched | undefined {
  const { store } = queue;
  const agent = definitionOf(rules, task.agent);
  const [command = "", ...args] = shellLine(line, store.root);
  const { env, passEnv, cwd } = agent ?? {};
  // It is no agent: there is no session that it goes on in.
  const runner = { command, args, env, passEnv, cwd, completion: "exit", resume: args } as const;
  const prepared = prepare(queue, task, runner);
  // What an order left that was fenced off must not decide this one.
  store.removeMark(task.taskId, marks.exit);
  store.write(ordered);
  try {
    if (!("problem" in prepared)) {
      return launchPrepared(queue, ordered, agent ?? runner, prepared, marks);
    }
  } catch {
    // Fenced first: should the system have started the shim all the same, it must not go on.
    store.createMark(task.taskId, marks.pid, FENCE);
  }
  store.writeHint(task.taskId, marks.exit, "127 spawn\n");
  return undefined;
}
