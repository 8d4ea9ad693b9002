// Remembers something of the tasks that were spoken of last, for whoever goes through a long history: a
// table of a fixed size, whose entries are used again: making and dropping those of a Map took a third of
// the whole time.

/** So many tasks are remembered at least, and twice as many at most. */
const REMEMBERED = 8192;
/** Places of a table, of which no more than a half are taken: a power of two. */
const PLACES = 2 * REMEMBERED;

/** What is remembered, by task. */
export interface Memory<Entry> {
  /** What is remembered of a task, by its name as a number above zero; undefined for nothing. */
  find(task: number): Entry | undefined;
  /** The same, with a blank entry where there was none. Valid until the call after the next one. */
  open(task: number): Entry;
}

interface Table<Entry> {
  keys: Float64Array;
  entries: (Entry | undefined)[];
  taken: number;
}

/**
 * A memory.
 *
 * @param make a blank entry
 * @param clear makes one that was used blank again
 * @param copy what one entry says to another
 */
export function createMemory<Entry>(
  make: () => Entry,
  clear: (entry: Entry) => void,
  copy: (from: Entry, to: Entry) => void,
): Memory<Entry> {
  const newTable = (): Table<Entry> => ({
    keys: new Float64Array(PLACES),
    entries: new Array(PLACES),
    taken: 0,
  });
  // Two generations: when the younger is full, the older is forgotten.
  let young = newTable();
  let old = newTable();

  function open(key: number): Entry {
    let place = placeOf(young, key);
    if (young.keys[place] === key) return young.entries[place]!;
    const before = placeOf(old, key);
    const known = old.keys[before] === key ? old.entries[before] : undefined;
    if (young.taken >= REMEMBERED) {
      [young, old] = [old, young];
      young.keys.fill(0);
      young.taken = 0;
      place = placeOf(young, key);
    }
    young.keys[place] = key;
    young.taken++;
    const entry = young.entries[place] ??= make();
    if (known === undefined) clear(entry);
    else copy(known, entry);
    return entry;
  }

  return {
    open,
    find(key) {
      const isKnown = young.keys[placeOf(young, key)] === key ||
        old.keys[placeOf(old, key)] === key;
      return isKnown ? open(key) : undefined;
    },
  };
}

/** Where a key is, or would be. */
function placeOf({ keys }: Table<unknown>, key: number): number {
  // The low bits; a remainder of doubles takes ten times as long.
  let place = (key | 0) & (PLACES - 1);
  while (keys[place] !== 0 && keys[place] !== key) place = (place + 1) & (PLACES - 1);
  return place;
}
