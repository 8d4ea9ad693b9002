// Many changes, few redraws: what comes in is kept until the next frame and then taken at once.

/** Takes items one by one. */
export interface Batch<T> {
  add(item: T): void;
}

/**
 * A batch that is empty.
 *
 * @param schedule calls what it is given once, soon: at the next frame
 * @param take takes all that has come since it was called last, in order; never none
 */
export function createBatch<T>(
  schedule: (run: () => void) => void,
  take: (items: T[]) => void,
): Batch<T> {
  let items: T[] = [];
  return {
    add(item) {
      items.push(item);
      if (items.length > 1) return;
      schedule(() => {
        const taken = items;
        items = [];
        take(taken);
      });
    },
  };
}
