// Times that something waits for, and which of them are believed. Pure.

/**
 * No wait is longer, milliseconds: a time further away was written by a clock that was wrong, or by
 * hand, and nobody is held up by it.
 */
export const LONGEST_WAIT = 31 * 86_400_000;

/** A time that is waited for; 0 where it is not believed. */
export function believedTime(until: number | null, now: number): number {
  return until === null || until - now > LONGEST_WAIT ? 0 : until;
}

/** A lane that launches nothing for now. */
export interface PausedLane {
  /** Name of the agent. */
  agent: string;
  /** Milliseconds since the epoch. */
  until: number;
}
