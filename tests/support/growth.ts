// What something costs, by the clock of this thread alone: how many others want the processor at the
// same time does not matter.

/** Milliseconds that this thread has had a processor; those that have passed where nobody tells. */
function spent(): number {
  try {
    return Number(Deno.readTextFileSync("/proc/thread-self/schedstat").split(" ")[0]) / 1e6;
  } catch {
    return performance.now();
  }
}

/** What a turn costs, milliseconds: over so many turns that the clock's own steps do not matter. */
function turn(action: () => unknown): number {
  const before = spent();
  let total = 0;
  let turns = 0;
  for (; total < 15; turns++) {
    action();
    total = spent() - before;
  }
  return total / turns;
}

/** What something costs: the least of several times, for a disturbance only ever adds. */
function cost(action: () => unknown): number {
  action();
  return Math.min(...Array.from({ length: 3 }, () => turn(action)));
}

/** How many times as much the second costs as the first. */
export function growth(first: () => unknown, second: () => unknown): number {
  return cost(second) / cost(first);
}
