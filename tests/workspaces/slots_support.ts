// Limits, agents and tasks for the tests of slots, which their program uses as well.

import type { MachineLimits } from "../../lib/decide/room.ts";
import { readLimits } from "../../lib/settings/limits.ts";
import type { Agents } from "../../lib/task/agent.ts";

/** One at once, and a rate that no test reaches. */
export const LIMITS: MachineLimits = readLimits({
  limits: { anthropic: { concurrent: 1, launches: "1000/1h" } },
}).limits!;

export const AGENTS: Agents = new Map([
  ["claude", { command: "claude", args: [], provider: "anthropic" }],
  ["shell", { command: "sh", args: [] }],
]);
