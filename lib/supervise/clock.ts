// Two clocks beside each other: the one that people set, and the one that stands while the machine sleeps.
// Where they part, the machine slept or somebody set the clock.

/** Milliseconds by which the clocks may part without meaning anything. */
const SLACK = 2000;

/** Tells when the machine slept, or its clock was set. */
export interface SleepClock {
  /** Milliseconds by which the wall clock ran ahead since the last call; 0 where it did not. */
  jumped(): number;
}

/**
 * Starts both clocks.
 *
 * @param wall milliseconds since the epoch
 * @param awake milliseconds that go on only while the machine is awake
 */
export function createSleepClock(
  wall: () => number,
  awake: () => number = () => performance.now(),
): SleepClock {
  let lastWall = wall();
  let lastAwake = awake();
  return {
    jumped() {
      const [nowWall, nowAwake] = [wall(), awake()];
      const jump = (nowWall - lastWall) - (nowAwake - lastAwake);
      // A small difference is kept: many of them may come to a large one.
      if (Math.abs(jump) < SLACK) return 0;
      [lastWall, lastAwake] = [nowWall, nowAwake];
      return jump;
    },
  };
}
