// Does what a turn says, verb by verb, and keeps the model up with it. What the system refuses of one
// task is told and leaves the others alone.

import type { Change } from "../decide/changes.ts";
import type { LiveModel } from "../decide/model.ts";
import { type Held, withPauses } from "../decide/room.ts";
import type { Turn } from "../decide/turn.ts";
import { claim, type LaunchedTask } from "./claim.ts";
import { handOn } from "./hand_on.ts";
import type { Aliveness } from "./observe.ts";
import { type Queue, readSound, type Rules } from "./queue.ts";
import { followUp, retry } from "./retry.ts";
import { readShared } from "./shared.ts";
import { type May, step, type Stepped } from "./step.ts";
import type { Task } from "../task/fields.ts";

/** Who does it, and is told of it. */
export interface Doer {
  may(id: string): May;
  /** What is known of a task's processes, asked before. */
  aliveness(id: string): Aliveness;
  /** Each change, in order. */
  changed(change: Change): void;
  /** A task was looked at closely. */
  stepped?(id: string, stepped: Stepped): void;
  /** An agent was launched. */
  launched?(launched: LaunchedTask): void;
  /** A limit across workspaces, or a task at work, does not let a task be launched: it waits. */
  held?(held: Held): void;
  /** A task has no worktree any more that had one: the next turn has one made. */
  lacking?(task: Task): void;
  /** The system refuses to go on with a task: disk full, no permission, a damaged file. */
  refused(id: string, error: unknown): void;
}

/** Does what a turn says; inside the lock or outside. */
export function applyTurn(
  queue: Queue,
  model: LiveModel,
  turn: Turn,
  rules: Rules,
  doer: Doer,
): void {
  const keep = (id: string, task: Task | undefined) => {
    for (const change of model.keep(id, task)) doer.changed(change);
  };
  // Somebody else was faster with these, or they are gone.
  const readAgain = (ids: readonly string[]) => {
    queue.store.lockedEach(ids, (id) => keep(id, readSound(queue, id)));
  };
  queue.store.lockedEach(turn.step, (id) => {
    try {
      const stepped = step(queue, id, rules, doer.aliveness(id), doer.may(id));
      model.saw(id, stepped.observation?.evidence);
      keep(id, stepped.task);
      doer.stepped?.(id, stepped);
    } catch (error) {
      model.saw(id, undefined);
      doer.refused(id, error);
    }
  });
  if (turn.retry.length > 0) {
    const now = queue.now();
    const lanes = withPauses(model.lanes(now), readShared(rules, now, false), now);
    const wanted = turn.retry.map((id) =>
      followUp(model.index.byId.get(id)!, rules, lanes, queue.now())
    );
    retry(queue, wanted, model.index, ({ task, successor }) => {
      if (successor !== undefined) keep(successor.taskId, successor);
      keep(task.taskId, task);
    }, doer.refused);
    readAgain(turn.retry.filter((id) => model.followed.has(id)));
  }
  handOn(queue, turn.handOn, (task) => keep(task.taskId, task));
  if (turn.launch.length > 0) {
    claim(queue, turn.launch, rules, ({ task, launched }) => {
      keep(task.taskId, task);
      if (launched !== undefined) doer.launched?.(launched);
    }, (_, held) => {
      doer.held?.(held);
      // It was launched by somebody else, just now.
      if (held.kind === "overlap") readAgain([held.id]);
    }, (task) => doer.lacking?.(task));
    readAgain(turn.launch.filter((id) => model.index.byId.get(id)?.status === "pending"));
  }
}
