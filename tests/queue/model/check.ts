// Random sequences of what commands, agents, clocks and crashes do, against a small model of the queue.

import fc from "fast-check";
import { crash, installCrashPoints } from "./crash.ts";
import { makeWorld } from "./world.ts";
import { Model } from "./model.ts";
import { drain } from "./step.ts";
import {
  agentActs,
  cancel,
  clockMoves,
  extend,
  launch,
  look,
  reap,
  retry,
  shimDies,
  shimRuns,
  start,
  timeOut,
} from "./operations.ts";

/** A folder in memory, where the system has a place for such. */
async function makePlace(): Promise<string> {
  const prefix = "orchestra-model-";
  try {
    return await Deno.makeTempDir({ prefix, dir: "/dev/shm" });
  } catch {
    return await Deno.makeTempDir({ prefix });
  }
}

/** Checks that the queue does what its model does, whatever the order and wherever it is killed. */
export async function checkQueue(sequences: number): Promise<void> {
  const folder = await makePlace();
  using _points = installCrashPoints();
  let runs = 0;
  try {
    await fc.assert(
      fc.asyncProperty(
        fc.commands(
          [
            ...[start, start, launch, launch, launch, shimRuns, shimRuns, shimRuns, shimRuns],
            ...[agentActs, agentActs, agentActs, look, look, look, clockMoves],
            ...[cancel, retry, timeOut, extend, reap, shimDies],
          ],
          { maxCommands: 100, size: "max" },
        ),
        async (commands) => {
          crash.reset();
          const root = `${folder}/${runs++}`;
          Deno.mkdirSync(root);
          const world = await makeWorld(root);
          const model = new Model();
          await fc.asyncModelRun(() => ({ model, real: world }), commands);
          await drain(model, world);
          crash.reset();
          Deno.removeSync(root, { recursive: true });
        },
      ),
      { numRuns: sequences, endOnFailure: false },
    );
  } finally {
    crash.reset();
    await Deno.remove(folder, { recursive: true });
  }
}
