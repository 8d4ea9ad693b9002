// Which of some tasks' processes live, asked of the places where they run, outside the lock. Reads only.

import type { Identity, Life } from "../launch/launcher.ts";
import type { Task } from "../task/fields.ts";
import { processMark } from "../task/marks.ts";
import { type Aliveness, ancestral, isUnnamed, unnamed } from "./observe.ts";
import type { Queue } from "./queue.ts";

/** Identity of the process of a task's current claim, where it is known. */
export function shimOf({ store, launchers }: Queue, task: Task): Identity | null {
  const mark = task.claim === 0 ? undefined : store.readMark(task.taskId, `${task.claim}.pid`);
  return mark === undefined ? null : launchers.parsePidFile(mark.text) ?? null;
}

/** Identity of the process that sets up a task's worktree, where it is known. */
export function setupShimOf({ store, launchers }: Queue, task: Task): Identity | null {
  const mark = task.setupAt === null
    ? undefined
    : store.readMark(task.taskId, `setup.${task.setupClaim}.pid`);
  return mark === undefined ? null : launchers.parsePidFile(mark.text) ?? null;
}

/** What a look at processes told. */
export interface Probed {
  readonly aliveness: Aliveness;
  /** Tasks of which nothing can be said from here: another container or machine runs them. */
  readonly unseen: ReadonlySet<string>;
}

/** Asks once which of the tasks' processes live. */
export async function probe(queue: Queue, tasks: readonly Task[]): Promise<Probed> {
  const { store, launchers } = queue;
  const shims: Identity[] = [];
  const claims = new Map<string, Identity>();
  const found = new Map<string, Life>();
  for (const task of tasks) {
    if (task.claim === 0) {
      if (task.pid === null) continue;
      const life = await launchers.legacy(task, store.root);
      claims.set(task.taskId, ancestral(task));
      found.set(
        ancestral(task).token,
        life === null ? "dead" : life === "unknown" ? life : "alive",
      );
      continue;
    }
    const names = [`${task.claim}.pid`];
    if (task.verifyAt !== null) names.push(`verify.${task.verifyClaim}.pid`);
    if (task.setupAt !== null) names.push(`setup.${task.setupClaim}.pid`);
    for (const name of names) {
      const mark = store.readMark(task.taskId, name);
      if (mark === undefined) continue;
      const shim = launchers.parsePidFile(mark.text);
      if (shim) {
        shims.push(shim);
        if (!claims.has(task.taskId)) claims.set(task.taskId, shim);
      } else if (isUnnamed(mark, launchers, queue.now())) {
        found.set(
          unnamed(task).token,
          await launchers.marked(processMark(store.identity, task.taskId)),
        );
      }
    }
  }
  const aliveness = alivenessOf(await launchers.probe(shims), found);
  const unseen = [...claims].filter(([, shim]) => aliveness(shim) === "unknown").map(([id]) => id);
  return { aliveness, unseen: new Set(unseen) };
}

/** What some looks found, by tokens. */
export function alivenessOf(...found: readonly ReadonlyMap<string, Life>[]): Aliveness {
  return ({ token }) => found.find((lives) => lives.has(token))?.get(token) ?? "unknown";
}
