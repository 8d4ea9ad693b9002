// How many values spread, in little memory: they are counted in steps of one percent, so that a
// percentile is known to half a percent; count, sum and maximum are exact. Pure.

import type { Spread } from "../task/stats.ts";

/** Each step is so much larger than the one before. */
const STEP = Math.log(1.01);
/** Smaller ones count as zero, seconds: times have no finer grain. */
const LEAST = 0.001;
const ZERO = -1;
/** A longer time was told by a clock that was wrong, seconds: ten years. */
const MOST = 315_360_000;

/** Values to be told of. */
export interface SpreadCounter {
  add(value: number): void;
  /** Null where there is none. */
  result(): Spread | null;
}

/** Counts values in seconds; what is below zero counts as zero. */
export function createSpread(): SpreadCounter {
  const steps = new Map<number, number>();
  let count = 0;
  let sum = 0;
  let max = 0;
  return {
    add(given) {
      const value = boundSeconds(given);
      const step = value < LEAST ? ZERO : Math.floor(Math.log(value / LEAST) / STEP);
      steps.set(step, (steps.get(step) ?? 0) + 1);
      count++;
      sum += value;
      if (value > max) max = value;
    },
    result() {
      if (count === 0) return null;
      const inOrder = [...steps].sort(([a], [b]) => a - b);
      /** The least value that so large a part of all does not exceed, in the middle of its step. */
      const percentile = (part: number) => {
        let seen = 0;
        for (const [step, found] of inOrder) {
          seen += found;
          if (seen >= part * count) {
            return step === ZERO ? 0 : Math.min(max, LEAST * Math.exp((step + 0.5) * STEP));
          }
        }
        return max;
      };
      return { count, mean: sum / count, p50: percentile(0.5), p95: percentile(0.95), max };
    },
  };
}

/** A duration as it is told, within what can be believed, seconds. */
export function boundSeconds(told: number): number {
  return told > 0 ? Math.min(told, MOST) : 0;
}
