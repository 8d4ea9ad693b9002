// One bad task among good ones.

import { assertEquals, assertThrows } from "../support/assert.ts";
import { OrchestraError } from "../../lib/task/error.ts";
import type { Launcher } from "../../lib/launch/launcher.ts";
import { joinLaunchers } from "../../lib/launch/mod.ts";
import { claim } from "../../lib/queue/claim.ts";
import { loadRules, openQueue } from "../../lib/queue/queue.ts";
import { refresh } from "../../lib/queue/refresh.ts";
import { placesOf } from "../../lib/store/places.ts";
import type { Store } from "../../lib/store/tasks.ts";
import { Folder, ID, idOf, make, NOW } from "../support/store.ts";

Deno.test("a log or a plan that names another task's file is not taken for one", () => {
  using folder = new Folder();
  const store = folder.store();
  for (const path of [`.orchestra/tasks/${idOf(1)}.json`, `.orchestra/archive/${idOf(1)}.json`]) {
    const queue = openQueue(folder.path);
    const task = make(ID);
    for (const hostile of [{ ...task, logFile: path }, { ...task, planFile: path }]) {
      const error = assertThrows(() => placesOf(queue.store, hostile), OrchestraError);
      assertEquals(error.code, "damaged");
    }
  }
  assertEquals(store.scan().damaged, []);
});

/** Starts nothing, and remembers what it should have started. */
function fakeLauncher(launched: string[]): Launcher {
  return {
    launch: ({ env }) => {
      launched.push(env.ORCHESTRA_TASK_ID!);
      return { pid: 1, ended: Promise.resolve() };
    },
    parsePidFile: () => undefined,
    probe: () => Promise.resolve(new Map()),
    marked: () => Promise.resolve("dead"),
    survey: () => Promise.resolve({ pids: new Set(), marked: new Map() }),
    legacy: () => Promise.resolve(null),
    endTree: () => Promise.resolve({ signalled: 0, left: 0, unknown: false }),
  };
}

const HOSTILE: Record<string, (store: Store, id: string) => void> = {
  "a plan outside": (store, id) => store.write({ ...make(id), planFile: "../../etc/passwd" }),
  "a log outside": (store, id) => store.write({ ...make(id), logFile: "/etc/passwd" }),
  "a log that is a link": (store, id) =>
    Deno.symlinkSync("/etc/passwd", `${store.dir}/logs/${id}.log`),
  "a log that is a folder": (store, id) => Deno.mkdirSync(`${store.dir}/logs/${id}.log`),
  "a retry history of objects without a text": (store, id) =>
    Deno.writeTextFileSync(
      `${store.tasksDir}/${id}.json`,
      JSON.stringify({ ...make(id), retryHistory: [{ error: { toString: 1 } }] }),
    ),
  "a sentinel that is a folder with something in it": (store, id) =>
    Deno.mkdirSync(`${store.markPath(id, "done")}/x`, { recursive: true }),
  "a plan that is a folder": (store, id) => Deno.mkdirSync(`${store.dir}/plans/${id}_plan.md`),
  "a prompt file that is a folder with something in it": (store, id) =>
    Deno.mkdirSync(`${store.dir}/plans/${id}_prompt.md/x`, { recursive: true }),
  "a prompt with NUL": (store, id) => store.write({ ...make(id), prompt: "a\0b" }),
};

for (const [what, plant] of Object.entries(HOSTILE)) {
  Deno.test(`a task with ${what} keeps no other task from being launched`, async () => {
    using folder = new Folder();
    const store = folder.store();
    Deno.mkdirSync(`${folder.path}/.orchestra-cli`);
    Deno.writeTextFileSync(
      `${folder.path}/.orchestra-cli/agent-config.json`,
      JSON.stringify({ agents: { a: { command: "true", args: ["{prompt}"] } } }),
    );
    for (let number = 0; number < 3; number++) store.create(make, NOW);
    plant(store, idOf(1));
    const launched: string[] = [];
    const launcher = fakeLauncher(launched);
    const queue = openQueue(folder.path, {
      launchers: joinLaunchers(launcher),
      now: () => NOW,
    });
    const rules = await loadRules(queue);
    claim(queue, [idOf(0), idOf(1), idOf(2)], rules, () => {});
    assertEquals(launched.filter((id) => id !== idOf(1)), [idOf(0), idOf(2)]);
    const { tasks } = await refresh(queue);
    for (const number of [0, 2]) {
      assertEquals(tasks.find(({ taskId }) => taskId === idOf(number))?.status, "running");
    }
  });
}
