// How it stands with whoever is told of what happens, and what came of the attempts: as `webhooks` shows it,
// and as `--json` prints it.

/** What may be said of a subscriber in a word. */
export type StandingState =
  | "ok"
  /** The last attempt failed. */
  | "failing"
  /** Its receiver said that it wants nothing any more. */
  | "disabled"
  /** It comes from the committed file, and nobody has approved that. */
  | "not-approved"
  | "secret-missing"
  | "program-missing";

/** How it stands with a subscriber. */
export interface Standing {
  name: string;
  kind: "hook" | "desktop" | "webhook";
  /** Which file names it. */
  source: "workspace" | "user" | "committed";
  /** The address, masked, or the command. */
  to: string;
  format: string | null;
  events: readonly string[];
  /** Deliveries that are owed. */
  owed: number;
  /** Deliveries that were given up, and can be replayed. */
  givenUp: number;
  /** ISO 8601; null for never. */
  lastSuccess: string | null;
  failingSince: string | null;
  /** Nothing is sent before. */
  pausedUntil: string | null;
  /** When what is owed is tried next; null where nothing is owed, or nothing is told for now. */
  next: string | null;
  lastError: string | null;
  state: StandingState;
  /** What keeps it from being told, in words; null where nothing does. */
  problem: string | null;
}

/** One attempt. */
export interface Attempt {
  time: string;
  /** Key of the event. */
  id: string;
  event: string;
  /** Which attempt it was, from 1. */
  attempt: number;
  /** What came of it, in words. */
  outcome: string;
  ok: boolean;
}
