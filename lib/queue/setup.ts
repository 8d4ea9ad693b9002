// Orders the command that makes a task's fresh worktree ready, before its agent is launched under the same
// claim. As with `verify`: that it was ordered, and under which number, is on disk before its shim is
// started; killed in between, the order is fenced off later and given again, under the next number.

import { branchOf } from "../decide/branch.ts";
import { shellLine } from "../launch/find.ts";
import { FENCE, type Launched } from "../launch/launcher.ts";
import { setupLogOf } from "../store/places.ts";
import { formatTime, type Task } from "../task/fields.ts";
import { launchPrepared, prepare } from "./prepare.ts";
import { definitionOf, type Queue, type Rules } from "./queue.ts";

/** What stands in place of its code where an earlier attempt's worktree was made again. */
export const MADE_AGAIN = "again\n";

/**
 * The command that is to set up a task's worktree: its agent's, else that of the settings.
 *
 * @returns null where there is none, it has no worktree of its own, or all is set up already
 */
export function setupOf(
  { store }: Pick<Queue, "store">,
  task: Task,
  rules: Rules,
): readonly string[] | null {
  const branch = branchOf(task);
  if (branch === null) return null;
  const code = store.readMark(task.taskId, "setupcode")?.text ?? "";
  if (/^0(?:\n|$)/.test(code)) return null;
  // One that an earlier attempt worked in was set up for that, unless it had to be made again.
  const isEarlier = !branch.path.endsWith(`/${task.taskId}`);
  if (isEarlier && task.setupClaim === 0 && code !== MADE_AGAIN) return null;
  const command = definitionOf(rules, task.agent)?.setup ?? rules.setup ?? null;
  return typeof command === "string" ? ["sh", "-c", command] : command;
}

/** Starts it; inside the lock. The task is claimed by whoever calls, and written here. */
export function orderSetup(
  queue: Queue,
  task: Task,
  setup: readonly string[],
  rules: Rules,
): { task: Task; launched?: Launched & { task: Task } } {
  const { store } = queue;
  const agent = definitionOf(rules, task.agent);
  const [command = "", ...args] = shellLine(setup, store.root);
  const { env, passEnv, cwd } = agent ?? {};
  const setter = { command, args, env, passEnv, cwd, completion: "exit", resume: args } as const;
  const ordered: Task = {
    ...task,
    setupClaim: task.setupClaim + 1,
    setupAt: formatTime(queue.now()),
  };
  const prepared = prepare(queue, task, setter);
  // What an order left that was fenced off must not decide this one.
  store.removeMark(task.taskId, "setupcode");
  store.write(ordered);
  const pid = `setup.${ordered.setupClaim}.pid`;
  const log = setupLogOf(store, task.taskId);
  try {
    if (!("problem" in prepared)) {
      const marks = { pid, exit: "setupcode", log } as const;
      const started = launchPrepared(queue, ordered, agent ?? setter, prepared, marks);
      const running = { ...ordered, pid: started.pid };
      return { task: running, launched: { ...started, task: running } };
    }
  } catch {
    // Fenced first: should the system have started the shim all the same, it must not go on.
    store.createMark(task.taskId, pid, FENCE);
  }
  store.writeHint(task.taskId, "setupcode", "127 spawn\n");
  return { task: ordered };
}
