// What limits across workspaces leave, and what is launched within it.

import { createModel } from "../../lib/decide/model.ts";
import {
  type MachineLimits,
  opensAt,
  recentLaunches,
  roomIn,
  type Shared,
  type Taken,
  withPauses,
} from "../../lib/decide/room.ts";
import { type Orders, turn } from "../../lib/decide/turn.ts";
import { viewTask } from "../../lib/decide/view.ts";
import { indexTasks } from "../../lib/decide/dependencies.ts";
import { formatHeld, formatReason } from "../../lib/format/reason.ts";
import { DEFAULT_CONFIG } from "../../lib/settings/config_fields.ts";
import { parseRate, readLimits } from "../../lib/settings/limits.ts";
import type { Agents } from "../../lib/task/agent.ts";
import { newTask, type Task } from "../../lib/task/fields.ts";
import { assert, assertEquals } from "../support/assert.ts";

const NOW = Date.parse("2026-03-04T12:00:00Z");
const AGENTS: Agents = new Map([
  ["claude", { command: "claude", args: [], provider: "anthropic" }],
  ["opus", { command: "claude", args: [], provider: "anthropic" }],
  ["codex", { command: "codex", args: [], provider: "openai" }],
  ["shell", { command: "sh", args: [] }],
  ["broken", { problem: "it is malformed" }],
]);

function limitsOf(settings: Record<string, unknown>): MachineLimits {
  const { limits, problems } = readLimits(settings);
  assertEquals(problems, []);
  assert(limits !== null);
  return limits;
}

function taken(slots: Taken["slots"] = [], launches: Record<string, number[]> = {}): Taken {
  return { slots, launches: new Map(Object.entries(launches)), problem: null };
}

function task(number: number, agent: string): Task {
  return newTask(`task_${NOW + number}`, { agent, prompt: "p" }, NOW + number);
}

function turnOf(tasks: readonly Task[], shared: Shared, parallel = 10) {
  const orders: Orders = { launch: "all", parallel, retry: true, limits: true, shared };
  return turn(createModel(tasks), orders, { agents: AGENTS, config: DEFAULT_CONFIG }, NOW);
}

const shared = (limits: MachineLimits, what: Taken): Shared => ({
  limits,
  taken: what,
  pauses: new Map(),
});

Deno.test("a rate is a number of launches and a duration", () => {
  assertEquals(parseRate("20/1h"), { most: 20, within: 3_600_000, text: "20/1h" });
  assertEquals(parseRate("1/90"), { most: 1, within: 90_000, text: "1/90" });
  for (
    const wrong of ["0/1h", "20", "20/", "/1h", "20/1y", "20/60d", "-1/1h", 20, null, ["20/1h"]]
  ) {
    assertEquals(parseRate(wrong), undefined, JSON.stringify(wrong));
  }
});

Deno.test("limits that are malformed are named, hold up whom they may be for, and the others count", () => {
  const { limits, problems } = readLimits({
    limits: { anthropic: { concurrent: 3 }, openai: { concurrent: 0 }, Big: {}, x: 5 },
    machine: { concurrent: 6, launches: "1/1h" },
  });
  assertEquals(problems.length, 4);
  // Nobody can tell what the machine's limit is, and so nothing is launched.
  const machine = roomIn(limits!, taken(), AGENTS, NOW).held({ agent: "shell" });
  assertEquals(machine, {
    kind: "unread",
    path: "settings.json",
    problem: '"machine" must be like {"concurrent": 6}',
  });
  const slip = { limits: { anthropic: { concurent: 1 }, openai: { concurrent: 1 } } };
  const room = roomIn(readLimits(slip, "/settings.json").limits!, taken(), AGENTS, NOW);
  const held = room.held({ agent: "claude" });
  assertEquals(
    held?.kind === "unread" && formatHeld(held, String),
    'the limits in /settings.json cannot be read: "limits.anthropic" may have only "concurrent" ' +
      'and "launches" in it, and no "concurent"',
  );
  assertEquals([room.held({ agent: "codex" }), room.held({ agent: "shell" })], [null, null]);
  // The name alone is wrong: who was meant waits.
  const named = readLimits({ limits: { Anthropic: { concurrent: 1 } } }).limits!;
  assertEquals(roomIn(named, taken(), AGENTS, NOW).held({ agent: "opus" })?.kind, "unread");
  assertEquals(readLimits({ limits: {} }), { limits: null, problems: [] });
  assertEquals(readLimits({}), { limits: null, problems: [] });
});

Deno.test("a provider's limit counts all its agents, and no others", () => {
  const limits = limitsOf({ limits: { anthropic: { concurrent: 2 } } });
  const room = roomIn(limits, taken(["anthropic", "openai", null]), AGENTS, NOW);
  assertEquals(room.held({ agent: "claude" }), null);
  room.take({ agent: "claude" });
  assertEquals(room.held({ agent: "opus" }), { kind: "provider", provider: "anthropic", most: 2 });
  for (const name of ["codex", "shell", "broken", "unknown"]) {
    assertEquals(room.held({ agent: name }), null);
  }
});

Deno.test("the machine's limit counts every agent", () => {
  const limits = limitsOf({ machine: { concurrent: 3 } });
  const room = roomIn(limits, taken(["anthropic", null]), AGENTS, NOW);
  assertEquals(room.held({ agent: "shell" }), null);
  room.take({ agent: "shell" });
  assertEquals(room.held({ agent: "codex" }), { kind: "machine", most: 3 });
});

Deno.test("a rate opens when its oldest launch leaves the stretch, and counts what is about to be launched", () => {
  const rate = parseRate("2/10s")!;
  assertEquals(opensAt(rate, [], undefined, NOW), null);
  assertEquals(opensAt(rate, [NOW - 9000], undefined, NOW), null);
  assertEquals(opensAt(rate, [NOW - 10_000, NOW - 9000], undefined, NOW), null);
  assertEquals(opensAt(rate, [NOW - 9000, NOW - 4000], undefined, NOW), NOW + 1000);
  assertEquals(opensAt(rate, [NOW - 9000], 1, NOW), NOW + 1000);
  assertEquals(opensAt(rate, [], 2, NOW), NOW + 10_000);
  // The limit was lowered: as many must leave as are too many.
  assertEquals(opensAt(rate, [NOW - 9000, NOW - 8000, NOW - 7000], undefined, NOW), NOW + 2000);
});

Deno.test("a launch in the future counts as long as a clock may be set, and no longer", () => {
  assertEquals(recentLaunches([NOW + 5000], 10_000, NOW), [NOW + 5000]);
  assertEquals(recentLaunches([NOW + 50_000], 10_000, NOW), []);
});

Deno.test("a turn launches within the room, others' agents beside it, and says why the rest waits", () => {
  const limits = limitsOf({ limits: { anthropic: { concurrent: 2 } } });
  const tasks = ["claude", "opus", "claude", "codex"].map((agent, at) => task(at, agent));
  const next = turnOf(tasks, shared(limits, taken(["anthropic"])));
  assertEquals(next.launch, [tasks[0]!.taskId, tasks[3]!.taskId]);
  assertEquals(next.held, { kind: "provider", provider: "anthropic", most: 2 });
  assertEquals(next.left, "ready");
  assertEquals(next.at, null);
});

Deno.test("a turn looks again when a rate opens", () => {
  const limits = limitsOf({ limits: { anthropic: { launches: "1/10s" } } });
  const next = turnOf(
    [task(0, "claude")],
    shared(limits, taken([], { anthropic: [NOW - 4000] })),
  );
  assertEquals([next.launch, next.at, next.left], [[], NOW + 6000, "ready"]);
  const open = turnOf([task(0, "claude"), task(1, "claude")], shared(limits, taken()));
  assertEquals([open.launch.length, open.at], [1, NOW + 10_000]);
});

Deno.test("where slots cannot be kept nothing is launched that is subject to a limit, and all else is", () => {
  const limits = limitsOf({ limits: { anthropic: { concurrent: 2 } } });
  const tasks = [task(0, "claude"), task(1, "codex")];
  const closed: Taken = { ...taken(), problem: "/state cannot be written" };
  const next = turnOf(tasks, shared(limits, closed));
  assertEquals(next.launch, [tasks[1]!.taskId]);
  assertEquals(next.held, { kind: "no-slots", problem: "/state cannot be written" });
});

Deno.test("without limits a turn is what it was", () => {
  const tasks = [task(0, "claude"), task(1, "codex")];
  const nothing: Shared = { limits: null, taken: null, pauses: new Map() };
  const next = turnOf(tasks, nothing);
  assertEquals([next.launch.length, next.held, next.left], [2, null, "ready"]);
});

Deno.test("a pause from another workspace holds an agent here, until the later of both", () => {
  const pauses = new Map([["claude", { agent: "claude", until: NOW + 5000 }]]);
  const next = turnOf([task(0, "claude"), task(1, "opus")], { limits: null, taken: null, pauses });
  assertEquals([next.launch, next.at], [[task(1, "opus").taskId], NOW + 5000]);
  const own = new Map([["claude", { agent: "claude", until: NOW + 9000 }]]);
  assertEquals(withPauses(own, { pauses }, NOW).get("claude")?.until, NOW + 9000);
  assertEquals(withPauses(new Map(), { pauses }, NOW + 6000).size, 0);
});

Deno.test("what a limit holds is shown as waiting, with the limit", () => {
  const texts: [Record<string, unknown>, Taken, string][] = [
    [
      { limits: { anthropic: { concurrent: 3 } } },
      taken(["anthropic", "anthropic", "anthropic"]),
      "the limit of anthropic, 3 at once, holds",
    ],
    [{ machine: { concurrent: 1 } }, taken([null]), "the limit of the machine, 1 at once, holds"],
    [
      { limits: { anthropic: { launches: "1/1h" } } },
      taken([], { anthropic: [NOW] }),
      "the limit of anthropic, 1/1h launches, holds until 2026-03-04T13:00:00.000Z",
    ],
  ];
  for (const [settings, what, text] of texts) {
    const item = task(0, "claude");
    const room = roomIn(limitsOf(settings), what, AGENTS, NOW);
    const view = viewTask(item, indexTasks([item]), NOW, new Map(), new Map(), room);
    assertEquals([view.phase.kind, formatReason(view)], ["waiting", text]);
  }
});
