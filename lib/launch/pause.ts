// Waiting: until a time, a signal or an event, and without a turn of the event loop.

/** Nobody ever changes it: waiting for that is a sleep. */
const NEVER = new Int32Array(new SharedArrayBuffer(4));

/** Waits for some milliseconds without a turn of the event loop, for who has nothing else to do. */
export function block(millis: number): void {
  Atomics.wait(NEVER, 0, 0, millis);
}

/**
 * Waits for some milliseconds, or until the signal is aborted.
 *
 * @param sooner promises of which the first to be fulfilled ends it too
 */
export function pause(
  millis: number,
  signal?: AbortSignal,
  sooner: readonly Promise<void>[] = [],
): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(done, millis);
    function done() {
      clearTimeout(timer);
      signal?.removeEventListener("abort", done);
      resolve();
    }
    signal?.addEventListener("abort", done);
    if (signal?.aborted) done();
    for (const promise of sooner) promise.then(done);
  });
}
