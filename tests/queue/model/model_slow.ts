// Two thousand sequences of what commands, agents, clocks and crashes do, or as many as
// ORCHESTRA_MODEL_RUNS says.

import { checkQueue } from "./check.ts";

const RUNS = Number(Deno.env.get("ORCHESTRA_MODEL_RUNS") ?? 2000);

Deno.test(`the queue does what its model does, in ${RUNS} sequences`, () => checkQueue(RUNS));
