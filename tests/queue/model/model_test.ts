// A hundred sequences of what commands, agents, clocks and crashes do; model_slow.ts has many more.

import { checkQueue } from "./check.ts";

Deno.test(
  "the queue does what its model does, whatever order and wherever it is killed",
  () => checkQueue(100),
);
