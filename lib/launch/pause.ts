// Waiting: until a time, a signal or an event.

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
