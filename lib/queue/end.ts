// Ends what still lives of a settled task, outside the lock, then records that nothing does. Killed in
// the middle, `reapAt` is still there, and whoever watches next does it again.

import type { EndOptions } from "../launch/launcher.ts";
import { processMark } from "../task/marks.ts";
import { observe } from "./observe.ts";
import { shimOf } from "./probe.ts";
import { definitionOf, type Queue, type Rules } from "./queue.ts";
import { markReaped } from "./settle.ts";

/**
 * Ends the processes of a settled task that may live.
 *
 * @returns whether nothing of it lives any more, as far as can be seen
 */
export async function endTask(
  queue: Queue,
  id: string,
  rules: Rules,
  options: Omit<EndOptions, "grace"> = {},
): Promise<boolean> {
  const { store, launchers } = queue;
  const task = store.read(id);
  if (task === undefined || task.reapAt === null) return true;
  const found = task.claim === 0 ? await launchers.legacy(task, store.root) : shimOf(queue, task);
  const shim = found === "unknown" ? null : found;
  const grace = rules.config.grace_period * 1000;
  const report = await launchers.endTree(processMark(store.identity, id), shim, {
    ...options,
    grace,
    unmarked: task.claim === 0,
  });
  // Whoever can see it ends it.
  if (report.unknown || options.signal?.aborted) return false;
  return store.locked(() => {
    const current = store.read(id);
    if (current === undefined || current.reapAt === null) return true;
    const agent = definitionOf(rules, current.agent);
    const seen = observe(store, current, launchers, agent, () => "dead", queue.now());
    markReaped(queue, current, seen, rules);
    return true;
  });
}
