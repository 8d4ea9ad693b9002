// Orders the `verify` command of a task's current claim. That it was ordered, and under which number, is
// on disk before its shim is started, so that two who look at once start it once; killed in between, the
// order is fenced off later and given again, under the next number.

import { shellLine } from "../launch/find.ts";
import { FENCE } from "../launch/launcher.ts";
import { formatTime, type Task } from "../task/fields.ts";
import { launchPrepared, prepare } from "./prepare.ts";
import { definitionOf, type Queue, type Rules } from "./queue.ts";

/** Starts it; inside the lock. Undefined where there is none. */
export function orderVerify(
  queue: Queue,
  task: Task,
  rules: Rules,
  now: number,
): Task | undefined {
  const agent = definitionOf(rules, task.agent);
  const [command, ...args] = shellLine(task.verify ?? agent?.verify ?? [], queue.store.root);
  if (command === undefined) return undefined;
  const verifier = {
    command,
    args,
    env: agent?.env,
    passEnv: agent?.passEnv,
    cwd: agent?.cwd,
    completion: "exit",
    // It is no agent: there is no session that it goes on in.
    resume: args,
  } as const;
  const ordered: Task = {
    ...task,
    verifyClaim: task.verifyClaim + 1,
    verifyAt: formatTime(now),
  };
  const prepared = prepare(queue, task, verifier);
  // What an order left that was fenced off must not decide this one.
  queue.store.removeMark(task.taskId, "verifycode");
  queue.store.write(ordered);
  const pid = `verify.${ordered.verifyClaim}.pid`;
  try {
    if (!("problem" in prepared)) {
      launchPrepared(queue, ordered, agent ?? verifier, prepared, { pid, exit: "verifycode" });
      return ordered;
    }
  } catch {
    // Fenced first: should the system have started the shim all the same, it must not go on.
    queue.store.createMark(task.taskId, pid, FENCE);
  }
  queue.store.writeHint(task.taskId, "verifycode", "127 spawn\n");
  return ordered;
}
