// What statistics tell, whoever counts and whoever shows them. Durations are seconds. Nothing here reads
// or writes anything.

/** How values spread; percentiles to half a percent, the rest exact. */
export interface Spread {
  count: number;
  mean: number;
  p50: number;
  p95: number;
  max: number;
}

/** What is counted, of the whole or of one group. */
export interface StatsGroup {
  /** Tasks that were queued, retries not among them. */
  queued: number;
  /** Attempts that have settled, those that were cancelled among them. */
  attempts: {
    settled: number;
    complete: number;
    failed: number;
    cancelled: number;
    /** Of those that were not cancelled; null for none. */
    successRate: number | null;
    /** Attempts that came to an end by themselves, for each that succeeded; null for none. */
    perSuccess: number | null;
  };
  /** Tasks with their retries, by how the latest attempt ended. One that was retried has not ended. */
  chains: {
    settled: number;
    complete: number;
    failed: number;
    cancelled: number;
    successRate: number | null;
  };
  /** From queueing to launch, of attempts that have settled; null for none. */
  waiting: Spread | null;
  /** From launch to end; null for none. */
  running: Spread | null;
  /** Failed attempts by their class. */
  failures: Record<string, number>;
  /** Retries by the class of the failure that they follow. */
  retries: Record<string, number>;
  /** In which agents could launch nothing, for their quota was used up; null where that has no meaning. */
  limitedSeconds: number | null;
  usage: {
    inputTokens: number;
    outputTokens: number;
    /** Of the input tokens. */
    cachedTokens: number;
    costUsd: number;
    /** Attempts that ran. */
    runs: number;
    /** Of those, the ones whose agents told no price: the cost leaves them out. */
    unpriced: number;
  };
  /** In which slots were held. */
  busySeconds: number;
}

/** By what statistics are parted. */
export type StatsBy = "agent" | "class" | "day" | "hour" | { readonly label: string };

/** One part of them. */
export interface NamedGroup extends StatsGroup {
  /** Its agent, class, label's value or the time it begins, ISO 8601; null for those without. */
  name: string | null;
}

/** Statistics of a span of time. */
export interface Stats {
  /** ISO 8601. */
  from: string;
  /** ISO 8601. */
  to: string;
  seconds: number;
  total: StatsGroup;
  /** Empty where they are not parted. */
  groups: NamedGroup[];
  /** Seconds in which each agent's quota was used up, for those that had such. */
  limited: Record<string, number>;
  slots: {
    /** At once, by the settings as they are now. */
    there: number;
    /** Of the seconds of all slots, those in which one was held; null for a span of no length. */
    used: number | null;
  };
  throughput: {
    /** Attempts that settled an hour; null for a span of no length. */
    perHour: number | null;
    perDay: number | null;
    /** Length of each step of the series, seconds. */
    step: number;
    complete: number[];
    failed: number[];
  };
  /** Lines of the history that could not be read. */
  unread: number;
}
