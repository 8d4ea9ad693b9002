// What commands, agents, clocks and crashes do, as commands of fast-check.

import fc from "fast-check";
import { indexTasks } from "../../../lib/decide/dependencies.ts";
import { createOne } from "../../../lib/queue/add.ts";
import { cancel as cancelTasks, timeOut as timeOutTask } from "../../../lib/queue/cancel.ts";
import { endTask } from "../../../lib/queue/end.ts";
import { extendTimeout } from "../../../lib/queue/limits.ts";
import { refresh } from "../../../lib/queue/refresh.ts";
import { retry as queueRetry } from "../../../lib/queue/retry.ts";
import { EVERYTHING } from "../../../lib/queue/step.ts";
import { isTerminal } from "../../../lib/task/fields.ts";
import { assertEquals } from "../../support/assert.ts";
import { AGENTS, type World } from "./world.ts";
import { LAUNCH_GRACE, type Model, taskAt } from "./model.ts";
import { type Act, act, checkInvariants, type Operation, run, runShim } from "./step.ts";

/** An operation as a command of fast-check. */
function command(operation: Operation): fc.AsyncCommand<Model, World> {
  return {
    check: () => true,
    run: (model, world) => run(operation, model, world),
    toString: () =>
      operation.name +
      (operation.crashAfter == null ? "" : `, killed after ${operation.crashAfter} writes`),
  };
}

/** What happens outside the queue: no prediction, the model is told directly. */
function outside(
  name: string,
  happen: (world: World, model: Model) => void,
): fc.AsyncCommand<Model, World> {
  return {
    check: () => true,
    run(model, world) {
      happen(world, model);
      checkInvariants(world);
      return Promise.resolve();
    },
    toString: () => name,
  };
}

export const number = fc.nat({ max: 1000 });
const crashAfter = fc.option(fc.nat({ max: 18 }), { freq: 2, nil: null });

export const start = fc.record({
  completion: fc.constantFrom(...AGENTS),
  on: fc.array(number, { maxLength: 2 }),
  autoRetry: fc.boolean(),
  maxRetries: fc.nat({ max: 2 }),
  priority: fc.integer({ min: 1, max: 10 }),
  timeout: fc.option(fc.integer({ min: 1, max: 600 })),
  crashAfter,
}).map(({ on, crashAfter, ...fields }) => {
  const wanted = (model: Model) => ({
    ...fields,
    prompt: `task ${model.started}`,
    dependsOn: [...new Set(on.flatMap((place) => taskAt(model, place)?.id ?? []))],
  });
  return command({
    name: `start ${JSON.stringify({ ...fields, on })}`,
    crashAfter,
    predict(model, now) {
      model.add(wanted(model), now);
      model.started++;
    },
    perform(world, model) {
      const { completion, ...rest } = wanted(model);
      createOne(world.queue, { agent: completion, ...rest });
    },
  });
});

export const look = crashAfter.map((crashAfter) =>
  command({
    name: "look",
    crashAfter,
    predict: (model, now) => model.look(now),
    perform: async (world) => void await refresh(world.queue, { may: () => EVERYTHING }),
  })
);

export const launch = fc.record({ parallel: fc.integer({ min: 1, max: 4 }), crashAfter })
  .map(({ parallel, crashAfter }) =>
    command({
      name: `launch, ${parallel} at once`,
      crashAfter,
      predict(model, now) {
        model.look(now);
        model.launch(parallel, now);
      },
      perform: async (world) =>
        void await refresh(world.queue, { launch: parallel, may: () => EVERYTHING }),
    })
  );

export const cancel = fc.record({
  places: fc.array(number, { minLength: 1, maxLength: 3 }),
  crashAfter,
})
  .map(({ places, crashAfter }) => {
    const chosen = (model: Model) => [...new Set(places.flatMap((at) => taskAt(model, at) ?? []))];
    return command({
      name: `cancel ${places}`,
      crashAfter,
      predict(model, now) {
        for (const task of chosen(model)) model.cancel(task, now);
      },
      perform(world, model) {
        const ids = chosen(model).map(({ id }) => id);
        for (const outcome of cancelTasks(world.queue, ids, null, world.rules)) {
          if ("error" in outcome) throw outcome.error;
        }
      },
    });
  });

export const retry = fc.record({ place: number, crashAfter }).map(({ place, crashAfter }) =>
  command({
    name: `retry ${place}`,
    crashAfter,
    predict(model, now) {
      const task = taskAt(model, place);
      if (task?.retriedBy !== null) return;
      if (task.status === "failed" || task.status === "cancelled") model.retry(task, now);
    },
    perform(world, model) {
      const task = taskAt(model, place);
      if (task === undefined) return;
      const index = indexTasks(world.queue.store.scan().tasks);
      queueRetry(world.queue, [{ id: task.id }], index, () => {});
    },
  })
);

export const timeOut = fc.record({ place: number, crashAfter }).map(({ place, crashAfter }) =>
  command({
    name: `timeout ${place}`,
    crashAfter,
    predict(model, now) {
      const task = taskAt(model, place);
      if (task?.status !== "running") return;
      model.judge(task, now, false);
      if (task.status === "running") model.settle(task, "failed", "timeout", now);
    },
    perform(world, model) {
      const task = taskAt(model, place);
      if (task !== undefined) timeOutTask(world.queue, task.id, world.rules);
    },
  })
);

export const extend = fc.record({
  place: number,
  seconds: fc.integer({ min: 1, max: 60 }),
  crashAfter,
})
  .map(({ place, seconds, crashAfter }) =>
    command({
      name: `extend ${place} by ${seconds} s`,
      crashAfter,
      predict(model, now) {
        const task = taskAt(model, place);
        if (task !== undefined && !isTerminal(task.status)) {
          const ran = task.startedAt === null ? 0 : Math.max(0, (now - task.startedAt) / 1000);
          task.timeout = (task.timeout ?? ran) + seconds;
        }
      },
      perform(world, model) {
        const task = taskAt(model, place);
        if (task === undefined || isTerminal(task.status)) return;
        extendTimeout(world.queue, task.id, seconds);
      },
    })
  );

export const reap = crashAfter.map((crashAfter) =>
  command({
    name: "end what is left",
    crashAfter,
    predict() {},
    async perform({ queue, rules }) {
      for (const { taskId, reapAt } of queue.store.scan().tasks) {
        if (reapAt !== null) await endTask(queue, taskId, rules);
      }
    },
  })
);

export const shimRuns = number.map((place) =>
  outside(`shim ${place} runs`, (world, model) => {
    const late = world.launcher.shims.filter(({ state }) => state === "late");
    const shim = late[place % Math.max(1, late.length)];
    if (shim === undefined) return;
    const task = model.find(shim.id);
    const runs = runShim(world, shim);
    const expected = task.status === "running" && task.claim === shim.claim && task.shim === "none";
    assertEquals(runs, expected, `whether the shim of ${shim.id} runs its agent`);
    if (runs) task.shim = "alive";
  })
);

export const shimDies = number.map((place) =>
  outside(`shim ${place} dies before it runs`, (world) => {
    const late = world.launcher.shims.filter(({ state }) => state === "late");
    late[place % Math.max(1, late.length)]?.end();
  })
);

export const agentActs = fc.record({
  place: number,
  how: fc.constantFrom<Act>("done", "error", "done and error", "exit 0", "exit 7", "killed"),
}).map(({ place, how }) =>
  outside(`agent ${place}: ${how}`, (world, model) => {
    const running = world.launcher.shims.filter(({ state }) => state === "running");
    const shim = running[place % Math.max(1, running.length)];
    if (shim !== undefined) act(world, shim, how, model);
  })
);

export const clockMoves = fc.oneof(
  { weight: 4, arbitrary: fc.integer({ min: 1, max: 2.5 * LAUNCH_GRACE }) },
  { weight: 1, arbitrary: fc.constantFrom(600_000, -3_600_000, -1, -900) },
).map((millis) =>
  outside(`the clock moves by ${millis} ms`, (world) => {
    world.clock.now += millis;
  })
);
