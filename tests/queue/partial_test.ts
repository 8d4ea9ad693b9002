// A sentinel that is only half there: it is waited for, but not for ever.

import type { Launcher } from "../../lib/launch/launcher.ts";
import { parsePidFile } from "../../lib/launch/posix/launcher.ts";
import { joinLaunchers } from "../../lib/launch/mod.ts";
import { openQueue } from "../../lib/queue/queue.ts";
import { refresh } from "../../lib/queue/refresh.ts";
import type { Task } from "../../lib/task/fields.ts";
import { assertEquals } from "../support/assert.ts";
import { Folder, ID, make, NOW } from "../support/store.ts";

/** Starts nothing, and takes everything for alive. */
const LIVING: Launcher = {
  launch: () => ({ pid: 1, ended: Promise.resolve() }),
  parsePidFile,
  probe: (asked) => Promise.resolve(new Map(asked.map(({ token }) => [token, "alive"]))),
  marked: () => Promise.resolve("alive"),
  survey: () => Promise.resolve({ pids: new Set(), marked: new Map() }),
  legacy: () => Promise.resolve(null),
  endTree: () => Promise.resolve({ signalled: 0, left: 0, unknown: false }),
};

/** What a look finds of a running task, whose sentinels were written so many milliseconds ago. */
async function seen(sentinels: Record<string, string>, age: number): Promise<Partial<Task>> {
  using folder = new Folder();
  const store = folder.store();
  Deno.mkdirSync(`${folder.path}/.orchestra-cli`);
  Deno.writeTextFileSync(
    `${folder.path}/.orchestra-cli/agent-config.json`,
    JSON.stringify({ agents: { a: { command: "true" } } }),
  );
  store.create(make, NOW);
  store.write({ ...make(ID), status: "running", claim: 1, startedAt: new Date(NOW).toISOString() });
  store.createMark(ID, "1.pid", "1 boot 1\n");
  for (const [name, text] of Object.entries(sentinels)) {
    const path = store.markPath(ID, name);
    Deno.writeTextFileSync(path, text);
    Deno.utimeSync(path, new Date(NOW - age), new Date(NOW - age));
  }
  const queue = openQueue(folder.path, { launchers: joinLaunchers(LIVING), now: () => NOW });
  await refresh(queue);
  return store.read(ID)!;
}

Deno.test("nobody believes half a sentinel of an agent that may be writing it", async () => {
  for (const text of ["", '{"error": "wh']) {
    assertEquals((await seen({ error: text }, 0)).status, "running", text);
  }
  assertEquals((await seen({ done: '{"summary": "ma' }, 0)).status, "running");
  const whole = await seen({ error: '{"error": "whole"}' }, 0);
  assertEquals([whole.failureClass, whole.errorMessage], ["agent-error", "whole"]);
  const { status, result } = await seen({ done: '{"summary": "made it"}' }, 0);
  assertEquals([status, result], ["complete", { summary: "made it" }]);
});

Deno.test("a sentinel that nobody has gone on with for a while is all there is", async () => {
  const torn = await seen({ error: '{"error": "torn' }, 60_000);
  assertEquals([torn.failureClass, torn.errorMessage], ["agent-error", '{"error": "torn']);
  assertEquals((await seen({ error: "" }, 60_000)).failureClass, "agent-error");
  assertEquals((await seen({ done: '{"summary": "ma' }, 60_000)).status, "complete");
});
