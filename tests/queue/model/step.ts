// One step of both sides, and what must be so after it: what is on disk is what the operation found or
// what it was to leave, task by task.

import { endTask } from "../../../lib/queue/end.ts";
import { refresh } from "../../../lib/queue/refresh.ts";
import { EVERYTHING } from "../../../lib/queue/step.ts";
import { isTerminal, type Task } from "../../../lib/task/fields.ts";
import { assert, assertEquals } from "../../support/assert.ts";
import { Crash, crash } from "./crash.ts";
import type { FakeShim, World } from "./world.ts";
import { adoptIds, compareIds, factsOf, factsOnDisk, type Model } from "./model.ts";

/** Something that happens, to the model and to the real queue. */
export interface Operation {
  name: string;
  /** Writes after which the process is killed; null where it lives. */
  crashAfter?: number | null;
  predict(model: Model, now: number): void;
  perform(world: World, model: Model): void | Promise<void>;
}

export async function run(operation: Operation, model: Model, world: World): Promise<void> {
  const { now } = world.clock;
  const before = model.clone();
  const after = model.clone();
  crash.reset();
  crash.left = operation.crashAfter ?? Infinity;
  try {
    await operation.perform(world, before);
  } catch (error) {
    if (!(error instanceof Crash) && !crash.happened) throw error;
  }
  const crashed = crash.happened;
  crash.reset();
  if (crashed) {
    // A new process looks, and finds the one or the other.
    world.reopen();
    await refresh(world.queue, { may: () => EVERYTHING });
    const disk = world.queue.store.scan().tasks;
    before.owed = after.owed = owedOf(disk);
    operation.predict(after, now);
    before.look(now);
    after.look(now);
    adoptIds(before, disk);
    adoptIds(after, disk);
    model.tasks = disk.map((real) => {
      const found = factsOnDisk(real);
      const candidates = [after, before].flatMap(({ tasks }) =>
        tasks.filter(({ id }) => id === real.taskId)
      );
      const match = candidates.find((task) => same(factsOf(task), found));
      if (match === undefined) {
        assertEquals(found, candidates.map(factsOf) as never, `after a crash in ${operation.name}`);
      }
      return match!;
    });
    model.started = after.started;
    for (const { id, retryOf } of model.tasks) {
      if (retryOf !== null) {
        assertEquals(model.find(retryOf).retriedBy, id, `after ${operation.name}`);
      }
    }
    for (const { id } of before.tasks) {
      assert(model.tasks.some((task) => task.id === id), `${id} is lost: ${operation.name}`);
    }
  } else {
    const disk = world.queue.store.scan().tasks;
    after.owed = owedOf(disk);
    operation.predict(after, now);
    adoptIds(after, disk);
    const sorted = [...after.tasks].sort((a, b) => compareIds(a.id, b.id));
    assertEquals(disk.map(factsOnDisk), sorted.map(factsOf), `after ${operation.name}`);
    model.tasks = after.tasks;
    model.started = after.started;
  }
  checkInvariants(world);
}

/** What lives of a task is not the model's business, but that its retry waits for the end of it is. */
function owedOf(tasks: readonly Task[]): Set<string> {
  return new Set(tasks.filter(({ reapAt }) => reapAt !== null).map(({ taskId }) => taskId));
}

function same(a: unknown, b: unknown): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}

/** What holds at every moment, whatever happened. */
export function checkInvariants(world: World): void {
  const scan = world.queue.store.scan();
  assertEquals(scan.damaged, []);
  for (const { taskId, status } of scan.tasks) {
    const final = world.finals.get(taskId);
    if (final !== undefined) assertEquals(status, final, `${taskId} was ${final}, which is final`);
    if (isTerminal(status)) world.finals.set(taskId, status);
  }
  for (const [id, times] of world.launches) {
    assert(times <= 1, `${id} was launched ${times} times`);
  }
  const retried = scan.tasks.flatMap((task) => task.retryHistory.at(-1)?.retriedFrom ?? []);
  assertEquals(new Set(retried).size, retried.length, `retried twice: ${retried}`);
}

/** A late shim comes: it runs the agent only if its pid file is not there yet. */
export function runShim(world: World, shim: FakeShim): boolean {
  try {
    Deno.writeTextFileSync(shim.spec.pidFile, `${shim.pid} boot start\n`, { createNew: true });
  } catch (error) {
    if (!(error instanceof Deno.errors.AlreadyExists)) throw error;
    shim.end();
    return false;
  }
  shim.state = "running";
  world.launches.set(shim.id, (world.launches.get(shim.id) ?? 0) + 1);
  const task = world.queue.store.read(shim.id)!;
  assertEquals(task.status, "running", `${shim.id} is ${task.status}, and its agent runs now`);
  assertEquals(task.claim, shim.claim, `an old claim of ${shim.id} runs`);
  return true;
}

export type Act = "done" | "error" | "done and error" | "exit 0" | "exit 7" | "killed";

export function act(world: World, shim: FakeShim, how: Act, model: Model): void {
  const task = model.find(shim.id);
  const mine = task.claim === shim.claim;
  const mark = (name: string, text: string) =>
    Deno.writeTextFileSync(world.queue.store.markPath(shim.id, name), text);
  if (how.includes("done")) mark("done", "");
  if (how.includes("error")) mark("error", "it went wrong");
  if (how.startsWith("exit")) mark("exitcode", `${how.slice(5)}\n`);
  if (how.startsWith("exit") || how === "killed") shim.end();
  if (!mine || task.status !== "running") return;
  task.done ||= how.includes("done");
  task.error ||= how.includes("error");
  if (how.startsWith("exit")) task.exit = Number(how.slice(5));
  if (shim.state === "ended") task.shim = "dead";
}

/** In the end everything is let run; then all must have ended that can. */
export async function drain(model: Model, world: World): Promise<void> {
  world.clock.now += 86_400_000;
  for (let turn = 0; turn < 200; turn++) {
    await run(
      {
        name: "launch in the end",
        predict(model, now) {
          model.look(now);
          model.launch(3, now);
        },
        perform: async (world) =>
          void await refresh(world.queue, { launch: 3, may: () => EVERYTHING }),
      },
      model,
      world,
    );
    let busy = false;
    for (const shim of world.launcher.shims) {
      if (shim.state === "late" && runShim(world, shim)) {
        model.find(shim.id).shim = "alive";
        busy = true;
      }
      if (shim.state !== "running") continue;
      const { completion, status } = model.find(shim.id);
      // What was settled already is ended below.
      if (status !== "running") continue;
      act(world, shim, "done", model);
      act(world, shim, completion === "exit" ? "exit 0" : "killed", model);
      busy = true;
    }
    // What follows a task comes when nothing lives of it.
    for (const id of owedOf(world.queue.store.scan().tasks)) {
      await endTask(world.queue, id, world.rules);
      busy = true;
    }
    if (!busy && !model.tasks.some((task) => task.status === "running" || model.isReady(task))) {
      break;
    }
    world.clock.now += 3_600_000;
  }
  await refresh(world.queue, { may: () => EVERYTHING });
  for (const { taskId, reapAt } of world.queue.store.scan().tasks) {
    if (reapAt !== null) await endTask(world.queue, taskId, world.rules);
  }
  for (const task of world.queue.store.scan().tasks) {
    const stuck = task.status === "running" || model.isReady(model.find(task.taskId));
    assert(!stuck, `${task.taskId} is ${task.status} in the end`);
    assertEquals(task.reapAt, null, `${task.taskId} still has a reapAt`);
  }
  for (const shim of world.launcher.shims) {
    assert(shim.state !== "running", `an agent of ${shim.id} is left over`);
  }
}
