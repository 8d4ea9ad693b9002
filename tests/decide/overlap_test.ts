// Tasks that change the same files, kept apart by a turn of the queue.

import { createModel } from "../../lib/decide/model.ts";
import { apartFrom } from "../../lib/decide/overlap.ts";
import { indexTasks } from "../../lib/decide/dependencies.ts";
import { turn } from "../../lib/decide/turn.ts";
import { viewTask } from "../../lib/decide/view.ts";
import { explain, formatReason } from "../../lib/format/reason.ts";
import { DEFAULT_CONFIG } from "../../lib/settings/config_fields.ts";
import type { Task } from "../../lib/task/fields.ts";
import { assertEquals } from "../support/assert.ts";
import { idOf, NOW, task } from "../support/queues.ts";

const touching = (number: number, touches: string[], rest: Partial<Task> = {}) =>
  task(number, { touches, ...rest });
const RUNNING: Partial<Task> = { status: "running", claim: 1 };

function launched(tasks: readonly Task[], overlap: "allow" | "serialize" = "serialize") {
  const rules = { agents: new Map(), config: { ...DEFAULT_CONFIG, overlap } };
  const orders = { launch: "all", parallel: 10, retry: true, limits: true } as const;
  return turn(createModel(tasks), orders, rules, NOW);
}

Deno.test("a ready task waits for one at work that touches the same files, and others do not", () => {
  const tasks = [
    touching(1, ["src/**"], RUNNING),
    touching(2, ["docs/**", "src/a.ts"]),
    touching(3, ["docs/**"]),
    touching(4, []),
    task(5),
  ];
  const next = launched(tasks);
  assertEquals(next.launch, [idOf(3), idOf(4), idOf(5)]);
  assertEquals(next.held, { kind: "overlap", id: idOf(1) });
  assertEquals(next.left, "running");
  assertEquals(launched(tasks, "allow").launch, [2, 3, 4, 5].map(idOf));
});

Deno.test("of those that are ready at once, the first goes, and what touches the same waits", () => {
  const tasks = [
    touching(1, ["a"], { priority: 1 }),
    touching(2, ["a/b"], { priority: 9 }),
    touching(3, ["c"]),
  ];
  const next = launched(tasks);
  assertEquals(next.launch, [idOf(2), idOf(3)]);
  assertEquals(next.held, { kind: "overlap", id: idOf(2) });
});

Deno.test("what has ended counts until nothing of it lives", () => {
  const ended: Partial<Task> = { status: "failed", completedAt: new Date(NOW).toISOString() };
  const dying = touching(1, ["a"], { ...ended, reapAt: new Date(NOW + 5000).toISOString() });
  assertEquals(launched([dying, touching(2, ["a"])]).launch, []);
  const dead = touching(1, ["a"], { ...ended, reapAt: null });
  assertEquals(launched([dead, touching(2, ["a"])]).launch, [idOf(2)]);
});

Deno.test("a task is not kept apart from itself", () => {
  const own = touching(1, ["a"]);
  assertEquals(apartFrom([own], "serialize")?.held(own), null);
  assertEquals(apartFrom([own], "allow"), undefined);
});

Deno.test("what waits for another says so, in words for people and for scripts", () => {
  const tasks = [touching(1, ["a"], RUNNING), touching(2, ["a"])];
  const room = apartFrom([tasks[0]!], "serialize");
  const view = viewTask(tasks[1]!, indexTasks(tasks), NOW, new Map(), new Map(), room);
  assertEquals(view.phase.kind, "waiting");
  const reason = `waits for ${idOf(1)}, which touches the same files`;
  assertEquals(formatReason(view), reason);
  assertEquals(explain(view, NOW), reason);
});
