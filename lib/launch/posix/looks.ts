// Looks at all processes, one for all who ask before it is taken: ending five hundred trees at once must
// not read the table five hundred times. No look is older than who asked for it.

import { pause } from "../pause.ts";
import type { Lookout, Shim } from "./place.ts";
import { type Process, readMarks, survey } from "./processes.ts";
import { indexTable, pickMarkable, type TableIndex } from "./tree.ts";

/** All processes at one moment. */
export interface Look {
  readonly table: ReadonlyMap<number, Process>;
  /** How many processes had ended between being listed and being read. */
  readonly vanished: number;
  /** Where we are, where it came along. */
  readonly place: Lookout | undefined;
  /** Whether nobody else got the same look. */
  readonly alone: boolean;
  /** The processes by what proves whose they are; of what is older than the shim no mark is read. */
  index(shim: Shim | null): TableIndex;
}

/** Who looks. */
export interface Looks {
  /**
   * Looks at all processes.
   *
   * @param except what need not be looked at by who is alone
   */
  take(except?: ReadonlySet<number>): Promise<Look>;
  /** Somebody begins to look again and again; to be disposed of when that ends. */
  begin(): Disposable;
}

/** Nobody has looked yet. */
export function createLooks(): Looks {
  /** The look that is about to be taken, for all who ask until then. */
  let coming:
    | { look: Promise<Look>; askers: number; except: ReadonlySet<number> | undefined }
    | undefined;
  let lookers = 0;
  /** No look is taken before, where several look again and again: half of the time is theirs. */
  let notBefore = 0;

  async function look(): Promise<Look> {
    await (lookers > 1 ? pause(Math.max(0, notBefore - performance.now())) : undefined);
    const { askers, except } = coming!;
    coming = undefined;
    const at = performance.now();
    const { table, vanished, place } = survey(undefined, askers === 1 ? except : undefined);
    let index: TableIndex | undefined;
    notBefore = 2 * performance.now() - at;
    return {
      table,
      vanished,
      place,
      alone: askers === 1,
      index(shim) {
        if (index === undefined) {
          readMarks(pickMarkable(table, askers === 1 ? shim : null));
          index = indexTable(table);
        }
        return index;
      },
    };
  }

  return {
    take(except) {
      if (coming === undefined) {
        coming = { askers: 1, except, look: Promise.resolve().then(look) };
      } else coming.askers++;
      return coming.look;
    },
    begin() {
      lookers++;
      return { [Symbol.dispose]: () => void lookers-- };
    },
  };
}
