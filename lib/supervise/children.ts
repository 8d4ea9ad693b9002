// What is known of the processes of running tasks: of those that we launched ourselves the system tells
// us when they end; for all others it is asked.

import type { Task } from "../task/fields.ts";
import type { LaunchedTask } from "../queue/claim.ts";
import type { Aliveness } from "../queue/observe.ts";
import { probe } from "../queue/probe.ts";
import type { Queue } from "../queue/queue.ts";

/** The processes of running tasks. */
export interface Children {
  /** A process of ours, which we are told the end of. */
  adopt(launched: LaunchedTask): void;
  /** Whether a task's process is ours, and has not ended. */
  has(id: string): boolean;
  /** Asks the system for the processes of some tasks; what it says holds until the next turn. */
  ask(tasks: readonly Task[]): Promise<void>;
  /** Tasks of which nothing can be said from here, when they were last asked about. */
  readonly unseen: ReadonlySet<string>;
  /** What is known of a task's processes now. */
  aliveness(id: string): Aliveness;
  /** What was asked is too old to be believed. */
  forget(): void;
}

/**
 * No processes yet.
 *
 * @param onEnd told when one of ours has ended
 */
export function createChildren(queue: Queue, onEnd: (id: string) => void): Children {
  const living = new Map<string, number>();
  const ended = new Map<string, number>();
  const unseen = new Set<string>();
  let asked: Aliveness | undefined;
  return {
    adopt({ task: { taskId: id }, pid, ended: end }) {
      living.set(id, pid);
      ended.delete(id);
      end.then(() => {
        living.delete(id);
        ended.set(id, pid);
        onEnd(id);
      });
    },
    has: (id) => living.has(id),
    unseen,
    async ask(tasks) {
      const probed = await probe(queue, tasks);
      asked = probed.aliveness;
      for (const { taskId } of tasks) unseen.delete(taskId);
      for (const id of probed.unseen) unseen.add(id);
    },
    aliveness: (id) => (shim) => {
      if (shim.pid !== null && ended.get(id) === shim.pid) return "dead";
      if (shim.pid !== null && living.get(id) === shim.pid) return "alive";
      return asked?.(shim) ?? "unknown";
    },
    forget() {
      asked = undefined;
    },
  };
}
