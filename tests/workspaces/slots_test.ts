// Slots of limits across workspaces: never given twice, and free again whatever was killed.

import type { MachineLimits } from "../../lib/decide/room.ts";
import { readLimits } from "../../lib/settings/limits.ts";
import { createFolders } from "../../lib/store/paths.ts";
import { openStore, type Store } from "../../lib/store/tasks.ts";
import { formatTime, newTask, type Task } from "../../lib/task/fields.ts";
import {
  heldSlots,
  keepPause,
  pausesOf,
  readPauses,
  readTaken,
  releaseSlot,
  type Slot,
  takeSlot,
} from "../../lib/workspaces/slots.ts";
import { assert, assertEquals, assertGreater, assertMatch } from "../support/assert.ts";
import { filePath } from "../support/file_path.ts";
import { NOT_ROOT, test } from "../support/needs.ts";
import { AGENTS, LIMITS } from "./slots_support.ts";

const NOW = Date.now();

/** Some workspaces and a folder of slots, gone afterwards. */
class Place implements Disposable {
  readonly path = Deno.realPathSync(Deno.makeTempDirSync({ prefix: "orchestra_slots_" }));
  readonly folder = `${this.path}/state/slots`;
  [Symbol.dispose](): void {
    Deno.removeSync(this.path, { recursive: true });
  }
  workspace(name: string): Store {
    const root = `${this.path}/${name}`;
    createFolders(root);
    return openStore(root);
  }
  take(store: Store, task: Task, limits = LIMITS, agent = "claude", now = NOW) {
    return takeSlot(slotOf(store, task, agent), limits, AGENTS, () => now, this.folder);
  }
  held(): string[] {
    return heldSlots(this.folder).map(({ task }) => task).sort();
  }
}

function slotOf(store: Store, task: Task, agent = "claude"): Slot {
  const provider = agent === "claude" ? "anthropic" : null;
  return { root: store.root, task: task.taskId, claim: task.claim + 1, agent, provider };
}

function pending(store: Store, number = 0): Task {
  return store.create(
    (id) => newTask(id, { agent: "claude", prompt: "p" }, NOW),
    NOW + number,
  );
}

/** The task under its next claim. */
function claimed(task: Task): Task {
  return { ...task, status: "running", claim: task.claim + 1, startedAt: formatTime(NOW) };
}

function settled(task: Task): Task {
  return { ...task, status: "complete", completedAt: formatTime(NOW) };
}

Deno.test("a slot is held as long as its task runs under its claim, and by nobody else meanwhile", () => {
  using place = new Place();
  const [one, other] = [place.workspace("one"), place.workspace("other")];
  const task = pending(one);
  const next = pending(other, 1);
  one.locked(() => {
    assertEquals(place.take(one, task), null);
    one.write(claimed(task));
  });
  const refused = { kind: "provider", provider: "anthropic", most: 1 } as const;
  assertEquals(place.take(other, next), refused);
  // It was settled, and something of it may live.
  one.write({ ...settled(claimed(task)), reapAt: formatTime(NOW) });
  assertEquals(place.take(other, next), refused);
  one.write(settled(claimed(task)));
  assertEquals(place.take(other, next), null);
  assertEquals(place.held(), []); // Its claim was never made.
});

Deno.test("who settles a task gives its slot back, and that is no other claim's", () => {
  using place = new Place();
  const store = place.workspace("one");
  const task = pending(store);
  store.locked(() => {
    place.take(store, task);
    store.write(claimed(task));
  });
  releaseSlot({ ...slotOf(store, task), claim: 7 }, place.folder);
  assertEquals(place.held(), [task.taskId]);
  releaseSlot(slotOf(store, task), place.folder);
  assertEquals(place.held(), []);
});

Deno.test("a slot whose task is taken back, claimed anew, or gone is free", () => {
  using place = new Place();
  const [one, other] = [place.workspace("one"), place.workspace("other")];
  const next = pending(other, 1);
  const ways: ((task: Task) => void)[] = [
    (task) => one.write({ ...claimed(task), status: "pending", startedAt: null }),
    (task) => one.write({ ...claimed(task), claim: task.claim + 2 }),
    (task) => one.write({ ...task, status: "cancelled", completedAt: formatTime(NOW) }),
    (task) => one.remove(`${one.tasksDir}/${task.taskId}.json`),
    () => Deno.removeSync(`${one.root}/.orchestra`, { recursive: true }),
  ];
  for (const [at, way] of ways.entries()) {
    const task = pending(one, 10 + at);
    one.locked(() => {
      assertEquals(place.take(one, task), null, `${at}`);
      one.write(claimed(task));
    });
    assertEquals(place.held(), [task.taskId]);
    way(task);
    assertEquals(place.held(), [], `${at}`);
    assertEquals(place.take(other, next), null, `${at}`);
    releaseSlot(slotOf(other, next), place.folder);
  }
});

Deno.test("a slot whose task's file is damaged is held until its launch has ended", () => {
  using place = new Place();
  const [one, other] = [place.workspace("one"), place.workspace("other")];
  const task = pending(one);
  one.locked(() => {
    place.take(one, task);
    one.write(claimed(task));
  });
  one.createMark(task.taskId, "1.pid", "1 1\n");
  Deno.writeTextFileSync(`${one.tasksDir}/${task.taskId}.json`, "{");
  assertEquals(place.held(), [task.taskId]);
  one.createMark(task.taskId, "exitcode", "0\n");
  assertEquals(place.take(other, pending(other)), null);
});

Deno.test("a slot is another's as long as somebody is about to claim its task, and free when he is gone", () => {
  using place = new Place();
  const [one, other] = [place.workspace("one"), place.workspace("other")];
  const task = pending(one);
  const next = pending(other, 1);
  one.locked(() => {
    assertEquals(place.take(one, task), null);
    // Inside the lock of its workspace the claim may follow.
    assertEquals(place.take(other, next)?.kind, "provider");
    assertEquals(readTaken(undefined, place.folder).slots, ["anthropic"]);
  });
  assertEquals(readTaken(undefined, place.folder).slots, []);
  // Who has the lock of that workspace knows that nobody else is about to.
  one.locked(() => {
    assertEquals(place.take(one, task), null);
    assertEquals(readTaken(one.root, place.folder).slots, []);
    assertEquals(place.take(one, pending(one, 2)), null);
  });
});

Deno.test("the machine's limit counts agents without a provider, and a provider's does not", () => {
  using place = new Place();
  const store = place.workspace("one");
  const limits: MachineLimits = readLimits({ machine: { concurrent: 1 } }).limits!;
  const task = pending(store);
  assertEquals(place.take(store, task, LIMITS, "shell"), null);
  assertEquals(place.held(), []);
  store.locked(() => {
    assertEquals(place.take(store, task, limits, "shell"), null);
    store.write(claimed(task));
  });
  assertEquals(place.take(store, pending(store, 1), limits)?.kind, "machine");
});

Deno.test("launches are counted in a sliding stretch of time", () => {
  using place = new Place();
  const store = place.workspace("one");
  const limits = readLimits({ limits: { anthropic: { launches: "2/10s" } } }).limits!;
  const launch = (at: number) => {
    const task = pending(store);
    const held = place.take(store, task, limits, "claude", NOW + at);
    releaseSlot(slotOf(store, task), place.folder);
    return held === null ? null : "until" in held ? held.until - NOW : held.kind;
  };
  assertEquals([0, 4000, 5000, 9999].map(launch), [null, null, 10_000, 10_000]);
  assertEquals([10_000, 10_001, 14_000].map(launch), [null, 14_000, null]);
  const kept = JSON.parse(Deno.readTextFileSync(`${place.folder}/launches.json`));
  assertEquals(kept, { anthropic: [formatTime(NOW + 10_000), formatTime(NOW + 14_000)] });
});

Deno.test("files that are none of ours are left alone, and count for nothing", () => {
  using place = new Place();
  const store = place.workspace("one");
  assertEquals(place.take(store, pending(store)), null);
  Deno.mkdirSync(`${place.folder}/x.tmp/full`, { recursive: true });
  const strange = ["note.1.json", "x.json", `${"a".repeat(32)}.task_1234567890.1.json`];
  for (const name of strange) {
    Deno.writeTextFileSync(`${place.folder}/${name}`, JSON.stringify({ root: "/", task: "../x" }));
  }
  for (const name of ["launches.json", "pauses.json"]) {
    for (const text of ["{", "null", "5", '{"anthropic": "x"}', '[null, 5, {"provider": 1}]']) {
      Deno.writeTextFileSync(`${place.folder}/${name}`, text);
      assertEquals(readTaken(undefined, place.folder).slots, [], text);
      assertEquals(readPauses(NOW, place.folder), [], text);
      assertEquals(place.take(store, pending(store, 5)), null, text);
    }
  }
  for (const name of strange) assert(Deno.statSync(`${place.folder}/${name}`).isFile);
});

Deno.test("a pause holds until it ends for the agent of that name and provider alone", () => {
  using place = new Place();
  const pause = { provider: "anthropic", agent: "claude", until: NOW + 5000 };
  keepPause(pause, NOW, place.folder);
  keepPause({ ...pause, until: NOW + 4000 }, NOW, place.folder);
  assertEquals(readPauses(NOW, place.folder), [pause]);
  assertEquals(readPauses(NOW + 5000, place.folder), []);
  assertEquals([...pausesOf(AGENTS, [pause]).keys()], ["claude"]);
  assertEquals(pausesOf(AGENTS, [{ ...pause, provider: "openai" }]).size, 0);
  assertEquals(pausesOf(AGENTS, [{ ...pause, agent: "shell" }]).size, 0);
  // A time that no quota has was written by a clock that was wrong.
  keepPause({ ...pause, agent: "far", until: NOW + 100 * 86_400_000 }, NOW, place.folder);
  assertEquals(readPauses(NOW, place.folder).map(({ agent }) => agent), ["claude"]);
});

Deno.test("where the folder cannot be used no slot is given, and why is said", () => {
  using place = new Place();
  const store = place.workspace("one");
  Deno.writeTextFileSync(`${place.path}/state`, "");
  const held = place.take(store, pending(store));
  assertEquals(held?.kind, "no-slots");
  assertMatch((held as { problem: string }).problem, /state\/slots cannot be used/);
  assertMatch(readTaken(undefined, place.folder).problem!, /cannot be used/);
});

test("where the folder may not be written to no slot is given", NOT_ROOT, () => {
  using place = new Place();
  const store = place.workspace("one");
  Deno.mkdirSync(`${place.path}/state`, { mode: 0o500 });
  assertEquals(place.take(store, pending(store))?.kind, "no-slots");
});

async function program(...args: string[]): Promise<Deno.CommandOutput> {
  const path = filePath(new URL("slots_program.ts", import.meta.url));
  return await new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--no-lock", "--no-check", path, ...args],
    stdin: "null",
  }).output();
}

Deno.test(
  "killed at any change of a file, a slot is held as long as its task runs, and free after that",
  async () => {
    let kills = 0;
    const seen = new Set<string>();
    for (let at = 1;; at++) {
      using place = new Place();
      const [one, other] = [place.workspace("one"), place.workspace("other")];
      const task = pending(one);
      const next = pending(other, 1);
      const { signal, code, stderr } = await program(
        ...[place.folder, one.root, task.taskId, String(at)],
      );
      const now = one.read(task.taskId)!;
      seen.add(now.status);
      if (now.status === "running") {
        assertEquals(place.take(other, next)?.kind, "provider", `killed at ${at}`);
        one.write(settled(now));
      }
      assertEquals(place.take(other, next), null, `killed at ${at}`);
      const left = [...Deno.readDirSync(place.folder)].map(({ name }) => name)
        .filter((name) => name.endsWith(".tmp"));
      assertEquals(left, [], `killed at ${at}`);
      const said = new TextDecoder().decode(stderr);
      // Windows tells nobody that a process was killed.
      const killed = Deno.build.os === "windows" ? code === 1 && said === "" : signal === "SIGKILL";
      if (!killed) {
        assertEquals(code, 0, said);
        break;
      }
      kills++;
    }
    assertEquals([...seen], ["pending", "running", "complete"]);
    assertGreater(kills, 15);
  },
);

Deno.test("of many that want the last slot at once one gets it", async () => {
  using place = new Place();
  const stores = [1, 2, 3, 4, 5].map((number) => place.workspace(`w${number}`));
  // Whoever gets it keeps it: its task is left running.
  const tasks = stores.map((store) => ({ store, task: pending(store) }));
  const go = `${place.path}/go`;
  const begun = tasks.map(({ store, task }) =>
    program(place.folder, store.root, task.taskId, "100000", go)
  );
  const ready = () => [...Deno.readDirSync(place.path)].filter(({ name }) => /^go\./.test(name));
  while (ready().length < tasks.length) await new Promise((resolve) => setTimeout(resolve, 5));
  Deno.writeTextFileSync(go, "");
  const codes = (await Promise.all(begun)).map(({ code }) => code).sort();
  assertEquals(codes, [0, 3, 3, 3, 3]);
  const running = tasks.filter(({ store, task }) => store.read(task.taskId)?.status === "running");
  assertEquals(place.held(), running.map(({ task }) => task.taskId));
});
