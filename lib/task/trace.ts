// What a program tells while it works, for whoever asked to be told: `--debug`. It is passed to what
// does something, never found in a global place, and without it nothing is told.

/**
 * Takes note of one thing that was looked at, decided, locked, launched, signalled or written.
 *
 * @param what a few words, always the same for the same thing
 * @param facts what it was about
 */
export type Trace = (what: string, facts?: Readonly<Record<string, unknown>>) => void;

/** Where nobody asked. */
export const NO_TRACE: Trace = () => {};
