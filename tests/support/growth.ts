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

/** What something costs, milliseconds: so many turns of it that the clock's own steps do not matter. */
function cost(action: () => unknown): number {
  action();
  const before = spent();
  let total = 0;
  let turns = 0;
  for (; total < 60; turns++) {
    action();
    total = spent() - before;
  }
  return total / turns;
}

/** How many times as much the second costs as the first. */
export function growth(first: () => unknown, second: () => unknown): number {
  return cost(second) / cost(first);
}
