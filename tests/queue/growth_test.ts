// What many tasks cost grows with their number and not faster, and others are not kept out meanwhile.

import { tryAdd } from "../../lib/queue/add.ts";
import { cancel } from "../../lib/queue/cancel.ts";
import { loadRules, openQueue, type Queue } from "../../lib/queue/queue.ts";
import { refresh } from "../../lib/queue/refresh.ts";
import { retry } from "../../lib/queue/retry.ts";
import { DEFAULT_CONFIG } from "../../lib/settings/config_fields.ts";
import { indexTasks } from "../../lib/decide/dependencies.ts";
import { archiveFinished } from "../../lib/store/archive.ts";
import type { Task } from "../../lib/task/fields.ts";
import { assert, assertEquals } from "../support/assert.ts";
import { Folder, idOf, make, NOW } from "../support/store.ts";

/** How many task files a look reads that queues so many due retries. */
async function readsOf(due: number): Promise<number> {
  using folder = new Folder();
  const store = folder.store();
  const failed = {
    status: "failed",
    failureClass: "exit",
    autoRetry: true,
    claim: 1,
    startedAt: new Date(NOW).toISOString(),
    completedAt: new Date(NOW).toISOString(),
    retryAt: new Date(NOW).toISOString(),
  } as const;
  for (let number = 0; number < due; number++) {
    store.create((id) => ({ ...make(id), ...failed }), NOW + number);
  }
  let reads = 0;
  const queue = openQueue(folder.path, {
    now: () => NOW + 1000 * due,
    trace(what, facts) {
      if (what === "tasks looked at") reads += Number(facts?.tasks);
      else if (what === "task read") reads++;
    },
  });
  const { changes } = await refresh(queue);
  assertEquals(changes.filter(({ kind }) => kind === "retried").length, due);
  assertEquals(store.read(idOf(due - 1))?.retriedBy !== null, true);
  return reads;
}

Deno.test("what due retries cost grows with their number", async () => {
  const few = await readsOf(20);
  const many = await readsOf(100);
  assert(many <= 6 * few, `${few} reads for 20, ${many} for 100`);
});

/** A queue of so many tasks, and how often its lock is taken while something is done, however fast. */
async function sections(
  fields: Partial<Task>,
  action: (queue: Queue, ids: readonly string[]) => unknown,
): Promise<number> {
  using folder = new Folder();
  const store = folder.store();
  const ids = [0, 1, 2, 3].map((number) =>
    store.create((id) => ({ ...make(id), ...fields }), NOW + number).taskId
  );
  let taken = 0;
  const queue = openQueue(folder.path, {
    now: () => NOW + 86_400_000 * 10,
    trace: (what) => what === "lock taken" && taken++,
  });
  const own = performance.now;
  let clock = 0;
  // Each look at the clock finds that a second has passed.
  performance.now = () => clock += 1000;
  try {
    await action(queue, ids);
  } finally {
    performance.now = own;
  }
  return taken;
}

Deno.test("who does something for each of many tasks gives the lock up in between", async () => {
  const ended = { completedAt: new Date(NOW).toISOString(), claim: 1 };
  const failed = { status: "failed", failureClass: "exit", ...ended } as const;
  const cancelled = await sections({}, async (queue, ids) => {
    const outcomes = cancel(queue, ids, null, await loadRules(queue));
    assertEquals(outcomes.map(({ id }) => id), ids);
    assert(outcomes.every((outcome) => "task" in outcome && outcome.cancelled));
  });
  assertEquals(cancelled, 4);
  const retried = await sections(failed, (queue, ids) => {
    const made: string[] = [];
    const index = indexTasks(queue.store.scan().tasks);
    retry(queue, ids.map((id) => ({ id })), index, ({ task }) => made.push(task.taskId));
    assertEquals(made, ids);
  });
  assertEquals(retried, 4);
  const archived = await sections({ status: "complete", ...ended }, ({ store, now }, ids) => {
    const policy = { ...DEFAULT_CONFIG.archive, max_completed_age_days: 1 };
    const moved = archiveFinished(store, policy, now(), (problem) => assert(false, problem));
    assertEquals(moved.map(({ taskId }) => taskId), ids);
  });
  assertEquals(archived, 4);
});

Deno.test("a list of tasks is written before others are kept out, and made anew where they were faster", async () => {
  using folder = new Folder();
  folder.store();
  Deno.mkdirSync(`${folder.path}/.orchestra-cli`);
  Deno.writeTextFileSync(
    `${folder.path}/.orchestra-cli/agent-config.json`,
    JSON.stringify({ agents: { a: { command: "true" } } }),
  );
  let sections = 0;
  const queue = openQueue(folder.path, {
    trace(what) {
      if (what !== "lock taken" || sections++ > 0) return;
      const staged = [...Deno.readDirSync(queue.store.dir)].filter(({ name }) =>
        name.endsWith(".tmp")
      );
      assertEquals(staged.length, 2);
      // Somebody takes a key that the list wants.
      queue.store.create((id) => ({ ...make(id), key: "taken" }), NOW);
    },
  });
  const wish = { agent: "a", prompt: "p" };
  const refused = await tryAdd(queue, [wish, { ...wish, key: "taken" }]);
  assert("refusal" in refused && refused.refusal.reason.kind === "key-taken", "it was queued");
  assertEquals(queue.store.scan().tasks.length, 1);
  const queued = await tryAdd(queue, [wish, { ...wish, dependsOn: "taken" }]);
  assert("tasks" in queued);
  assertEquals(queued.tasks[1]!.dependsOn, [queue.store.scan().tasks[0]!.taskId]);
});
