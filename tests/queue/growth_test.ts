// What a look costs, counted in the task files that are read, grows with the tasks and not faster.

import { openQueue } from "../../lib/queue/queue.ts";
import { refresh } from "../../lib/queue/refresh.ts";
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
