// Locked sections: what one process does while no other is inside one. What it tells becomes history when
// it ends; killed inside, whoever takes the lock next goes on from what the lock file tells.

import { type EventKind, formatEvent, type HistoryEvent } from "../task/event.ts";
import type { Task } from "../task/fields.ts";
import type { Trace } from "../task/trace.ts";
import { block } from "./files.ts";
import { beginSection, type Section, type Witness } from "./history.ts";
import { takeLock } from "./lock.ts";

/** So long others are kept out while something is done for each of many, milliseconds. */
const SECTION = 200;
/** And so long they have for getting in, milliseconds: who gives a lock up would win it again. */
const BETWEEN = 1;

/** The locked sections of a workspace; see the store for what each does. */
export interface Sections {
  locked<T>(critical: () => T): T;
  lockedEach<T>(items: readonly T[], each: (item: T) => void, begin?: () => void): void;
  /**
   * Does what is told in the history, in a locked section.
   *
   * @param isDone whether it was done: where not, nothing is told, nor where it throws
   */
  told<T>(events: readonly HistoryEvent[], action: () => T, isDone?: (result: T) => boolean): T;
  /** Kinds of what was told so far. */
  readonly kinds: ReadonlySet<EventKind>;
  /** A task as it was last read or written in this section: nobody else changes it meanwhile. */
  seen(id: string): Task | undefined;
  /** It was read or written. */
  saw(task: Task): void;
  /** It is not there any more. */
  forget(id: string): void;
}

/** What sections need. */
interface SectionOptions {
  /** Makes the folders of the workspace. */
  readonly make: () => void;
  readonly trace: Trace;
  readonly witness: Witness;
  /** How long the lock is waited for, milliseconds; for ever where absent. */
  readonly patience?: number;
}

/**
 * The sections of one workspace.
 *
 * @param dir `.orchestra/`
 */
export function createSections(
  dir: string,
  { make, trace, witness, patience }: SectionOptions,
): Sections {
  let section: Section | undefined;
  const tasks = new Map<string, Task>();
  const kinds = new Set<EventKind>();
  const path = `${dir}/lock`;
  /** Whether the lock was given up: until it is free again it is not waited for. */
  let isStuck = false;

  function take(): ReturnType<typeof takeLock> {
    const stuck = isStuck;
    isStuck = patience !== undefined;
    const lock = takeLock(path, stuck ? 0 : patience);
    isStuck = false;
    return lock;
  }

  function locked<T>(critical: () => T): T {
    // A second lock of ours on the same file would wait for the first one for ever.
    if (section !== undefined) return critical();
    make();
    const lock = take();
    try {
      section = beginSection(dir, lock.file, lock.size, witness);
      try {
        trace("lock taken", { file: path });
        return critical();
      } finally {
        section.end();
        section = undefined;
        tasks.clear();
        trace("lock released");
      }
    } finally {
      lock.file.close();
    }
  }

  return {
    locked,
    lockedEach(items, each, begin = () => {}) {
      for (let at = 0; at < items.length;) {
        if (at > 0) block(BETWEEN);
        const isInside = section !== undefined;
        locked(() => {
          begin();
          const until = performance.now() + SECTION;
          do each(items[at++]!); while (
            at < items.length && (isInside || performance.now() < until)
          );
        });
      }
    },
    told: (events, action, isDone = () => true) =>
      locked(() => {
        const undo = section!.intend(events.map(formatEvent));
        try {
          const result = action();
          if (isDone(result)) { for (const { event } of events) kinds.add(event); }
          else undo();
          return result;
        } catch (error) {
          undo();
          throw error;
        }
      }),
    kinds,
    seen: (id) => tasks.get(id),
    saw(task) {
      if (section !== undefined) tasks.set(task.taskId, task);
    },
    forget: (id) => void tasks.delete(id),
  };
}
