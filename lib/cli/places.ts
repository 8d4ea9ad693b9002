// Where a command works: in one workspace, or in several at once. Words only; one is opened by select.ts,
// all that are known by everywhere.ts.

import type { Queue } from "../queue/queue.ts";
import type { Where } from "../queue/names.ts";
import type { Context } from "./context.ts";

/** A workspace that a command works on. */
export interface Place {
  /** What it is called among several; undefined where it is the only one. */
  readonly name: string | undefined;
  /** What is noted through it says which workspace it is about, where there are several. */
  readonly context: Context;
  readonly queue: Queue;
}

/** One of several, which has a name. */
export interface NamedPlace extends Place {
  readonly name: string;
}

/** All that a command works on. */
export interface Places<P extends Place = Place> {
  readonly list: readonly P[];
  /** Whether nothing went wrong so far in any of them, to open them included. */
  readonly isWhole: boolean;
  /**
   * Does something in each, in all at once. What goes wrong in one of several is told; where there is only
   * one it is thrown.
   *
   * @param some those of the list, or what was made of them
   * @returns what came of it where it went well, in order
   */
  each<Q extends Place, T>(some: readonly Q[], act: (one: Q) => T | Promise<T>): Promise<T[]>;
  /**
   * The tasks that names mean.
   *
   * @returns ids by workspace, each once
   * @throws OrchestraError `no-task` for a name that is nobody's, `usage` for one that several tasks have
   */
  find(names: readonly string[], where: Where): ReadonlyMap<Place, readonly string[]>;
}
