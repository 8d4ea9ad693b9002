// Model test: random sequences of what commands, agents, clocks and crashes do, against a small model
// of the queue. The real queue works on real files, with a launcher in memory whose shims come late,
// die or run as the sequence says. A crash stops everything that writes at a random write: what is on
// disk then must be what the operation found or what it was to leave, task by task.

import fc from "fast-check";
import type { Launched, Launcher, LaunchSpec } from "../../lib/launch/launcher.ts";
import { parsePidFile } from "../../lib/launch/posix/launcher.ts";
import { indexTasks } from "../../lib/decide/dependencies.ts";
import { joinLaunchers } from "../../lib/launch/mod.ts";
import { create } from "../../lib/queue/add.ts";
import { cancel as cancelTasks, timeOut as timeOutTask } from "../../lib/queue/cancel.ts";
import { endTask } from "../../lib/queue/end.ts";
import { extendTimeout } from "../../lib/queue/limits.ts";
import { EVERYTHING } from "../../lib/queue/step.ts";
import { loadRules, openQueue, type Queue, type Rules } from "../../lib/queue/queue.ts";
import { refresh } from "../../lib/queue/refresh.ts";
import { retry as queueRetry } from "../../lib/queue/retry.ts";
import { isTerminal, parseTime, type Status, type Task } from "../../lib/task/fields.ts";
import { assert, assertEquals } from "../support/assert.ts";

const RUNS = Number(Deno.env.get("ORCHESTRA_MODEL_RUNS") ?? 100);
/** Milliseconds after which a claim without a shim is taken back. */
const LAUNCH_GRACE = 2000;
const AGENTS = ["sentinel", "exit", "auto"] as const;
type Completion = typeof AGENTS[number];

// --- Crashes -------------------------------------------------------------------------------------

/** Thrown in place of a write, and of every write after it, until the process "starts again". */
class Crash extends Error {}

const crash = {
  /** Writes that still succeed; Infinity where no crash is wanted. */
  left: Infinity,
  happened: false,
  /** Called before each write. */
  step() {
    if (this.left-- > 0) return;
    this.happened = true;
    throw new Crash("killed");
  },
  reset() {
    this.left = Infinity;
    this.happened = false;
  },
};

/** Lets every function that changes a file pass through the crash point first. */
function installCrashPoints(): Disposable {
  const restore: (() => void)[] = [];
  // deno-lint-ignore no-explicit-any
  const wrap = (owner: any, name: string, changes: (args: any[]) => boolean = () => true) => {
    const original = owner[name];
    owner[name] = function (...args: unknown[]) {
      if (changes(args)) crash.step();
      return original.apply(this, args);
    };
    restore.push(() => owner[name] = original);
  };
  const creates = ([path, options]: [string, Deno.OpenOptions?]) =>
    // A lock file is no state, and the lock must be let go of in the end.
    (options?.createNew ?? options?.create ?? false) && !path.endsWith("lock");
  wrap(Deno, "openSync", creates as never);
  for (const name of ["renameSync", "linkSync", "removeSync", "writeTextFileSync", "mkdirSync"]) {
    wrap(Deno, name);
  }
  for (const name of ["writeSync", "syncSync"]) wrap(Deno.FsFile.prototype, name);
  return { [Symbol.dispose]: () => restore.forEach((undo) => undo()) };
}

// --- The system in memory ------------------------------------------------------------------------

/** A shim that was started: late until it looks at its pid file. */
interface FakeShim {
  pid: number;
  id: string;
  claim: number;
  spec: LaunchSpec;
  state: "late" | "running" | "ended";
  end(): void;
}

interface FakeLauncher extends Launcher {
  shims: FakeShim[];
}

function createFakeLauncher(): FakeLauncher {
  const shims: FakeShim[] = [];
  const living = (pid: number) => shims.some((shim) => shim.pid === pid && shim.state !== "ended");
  return {
    shims,
    launch(spec): Launched {
      crash.step();
      const [, id, claim] = /(task_\d+)\.(\d+)\.pid$/.exec(spec.pidFile)!;
      const { promise, resolve } = Promise.withResolvers<void>();
      const shim: FakeShim = {
        pid: 100_000 + shims.length,
        id: id!,
        claim: Number(claim),
        spec,
        state: "late",
        end() {
          shim.state = "ended";
          resolve();
        },
      };
      shims.push(shim);
      return { pid: shim.pid, ended: promise };
    },
    parsePidFile,
    probe: (asked) =>
      Promise.resolve(
        new Map(asked.map(({ pid, token }) => [token, living(pid!) ? "alive" : "dead"] as const)),
      ),
    marked(id) {
      const found = shims.some((shim) => shim.id === id && shim.state !== "ended");
      return Promise.resolve(found ? "alive" : "dead");
    },
    legacy: () => Promise.resolve(null),
    endTree(id) {
      const mine = shims.filter((shim) => shim.id === id && shim.state === "running");
      for (const shim of mine) shim.end();
      return Promise.resolve({ signalled: mine.length, left: 0, unknown: false });
    },
  };
}

/** The real side: a workspace on disk, whose process can be "started again". */
interface World {
  root: string;
  queue: Queue;
  rules: Rules;
  launcher: FakeLauncher;
  clock: { now: number };
  /** How often each task's agent ran. */
  launches: Map<string, number>;
  /** Terminal states seen so far. */
  finals: Map<string, Status>;
  reopen(): void;
}

async function makeWorld(root: string): Promise<World> {
  Deno.mkdirSync(`${root}/.orchestra`);
  Deno.mkdirSync(`${root}/.orchestra-cli`);
  Deno.writeTextFileSync(
    `${root}/.orchestra-cli/agent-config.json`,
    JSON.stringify({
      agents: Object.fromEntries(
        AGENTS.map((completion) => [completion, { command: "true", completion }]),
      ),
    }),
  );
  const launcher = createFakeLauncher();
  const clock = { now: 1_800_000_000_000 };
  const launchers = joinLaunchers(launcher);
  const open = () => openQueue(root, { launchers, now: () => clock.now, random: () => 0.5 });
  const queue = open();
  const world: World = {
    root,
    queue,
    rules: await loadRules(queue),
    launcher,
    clock,
    launches: new Map(),
    finals: new Map(),
    reopen() {
      world.queue = open();
    },
  };
  return world;
}

// --- The model -----------------------------------------------------------------------------------

/** One task, as the rules want it. */
interface ModelTask {
  id: string;
  prompt: string;
  status: Status;
  completion: Completion;
  dependsOn: string[];
  priority: number;
  autoRetry: boolean;
  maxRetries: number;
  retryCount: number;
  timeout: number | null;
  createdAt: number;
  startedAt: number | null;
  claim: number;
  failureClass: string | null;
  retryAt: number | null;
  retryOf: string | null;
  retriedBy: string | null;
  /** The pid file of the claim, and what became of the process in it. */
  shim: "none" | "fenced" | "alive" | "dead";
  done: boolean;
  error: boolean;
  exit: number | null;
}

class Model {
  tasks: ModelTask[] = [];
  started = 0;

  clone(): Model {
    const copy = new Model();
    copy.tasks = structuredClone(this.tasks);
    copy.started = this.started;
    return copy;
  }

  find(id: string): ModelTask {
    return this.tasks.find((task) => task.id === id)!;
  }

  add(task: Partial<ModelTask> & Pick<ModelTask, "prompt" | "completion">, now: number): ModelTask {
    const added: ModelTask = {
      // The real id is filled in once it is known.
      id: "",
      status: "pending",
      dependsOn: [],
      priority: 5,
      autoRetry: false,
      maxRetries: 3,
      retryCount: 0,
      timeout: null,
      createdAt: now,
      startedAt: null,
      claim: 0,
      failureClass: null,
      retryAt: null,
      retryOf: null,
      retriedBy: null,
      shim: "none",
      done: false,
      error: false,
      exit: null,
      ...task,
    };
    this.tasks.push(added);
    return added;
  }

  settle(task: ModelTask, status: Status, failureClass: string | null, now: number): void {
    task.status = status;
    task.failureClass = failureClass;
    if (task.shim === "none" && task.claim > 0) task.shim = "fenced";
    if (failureClass !== null && task.autoRetry && task.retryCount < task.maxRetries) {
      task.retryAt = now + 0.5 * 1000 * 2 ** task.retryCount;
    }
  }

  /** What a look at everything brings about. */
  look(now: number): void {
    for (const task of this.tasks) {
      if (task.status === "running") this.judge(task, now);
    }
    for (const task of [...this.tasks]) {
      const followed = task.status === "failed" && task.retriedBy === null;
      if (followed && task.retryAt !== null && task.retryAt <= now) this.retry(task, now);
    }
  }

  /** Without a look at processes and clocks only what is on disk counts. Precedence: timeout, error, done, exit code; a cancelled task is not running any more. */
  judge(task: ModelTask, now: number, looked = true): void {
    const signals = task.completion !== "exit";
    if (signals && task.error) return this.settle(task, "failed", "agent-error", now);
    if (signals && task.done) return this.settle(task, "complete", null, now);
    if (task.exit !== null) {
      if (task.exit !== 0) return this.settle(task, "failed", "exit", now);
      if (task.completion === "sentinel") return this.settle(task, "failed", "no-signal", now);
      return this.settle(task, "complete", null, now);
    }
    const age = now - task.startedAt!;
    if (task.shim === "none") {
      if (age < LAUNCH_GRACE && age >= -1000) return;
      task.status = "pending";
      task.startedAt = null;
      task.shim = "fenced";
    } else if (!looked) return;
    else if (task.shim === "dead") this.settle(task, "failed", "lost", now);
    else if (age < -1000) task.startedAt = now;
    else if (task.timeout !== null && age >= task.timeout * 1000) {
      this.settle(task, "failed", "timeout", now);
    }
  }

  retry(task: ModelTask, now: number): void {
    const next = this.add({
      prompt: task.prompt,
      completion: task.completion,
      dependsOn: [...task.dependsOn],
      priority: task.priority,
      autoRetry: task.autoRetry,
      maxRetries: task.maxRetries,
      timeout: task.timeout,
      retryCount: task.retryCount + 1,
      retryOf: task.id,
    }, now);
    task.retryAt = null;
    // Known once the real id is: see adoptIds.
    task.retriedBy = "";
    next.retryOf = task.id;
  }

  isReady(task: ModelTask): boolean {
    return task.status === "pending" && task.dependsOn.every((id) => {
      let latest = this.find(id);
      while (latest.status !== "complete" && latest.retriedBy) latest = this.find(latest.retriedBy);
      return latest.status === "complete";
    });
  }

  launch(parallel: number, now: number): void {
    const running = this.tasks.filter(({ status }) => status === "running").length;
    const ready = this.tasks.filter((task) => task.id !== "" && this.isReady(task));
    // Those queued in this very look have no id yet; they are the youngest of their priority.
    const fresh = this.tasks.filter((task) => task.id === "" && this.isReady(task));
    const order = [...ready.sort((a, b) => compareIds(a.id, b.id)), ...fresh]
      .map((task, place) => ({ task, place }))
      .sort((a, b) =>
        b.task.priority - a.task.priority || a.task.createdAt - b.task.createdAt ||
        a.place - b.place
      );
    for (const { task } of order.slice(0, Math.max(0, parallel - running))) {
      task.status = "running";
      task.startedAt = now;
      task.claim++;
      task.shim = "none";
      task.done = task.error = false;
      task.exit = null;
    }
  }

  /** What it has ended with before counts. */
  cancel(task: ModelTask, now: number): void {
    if (task.status === "running") this.judge(task, now, false);
    if (!isTerminal(task.status)) this.settle(task, "cancelled", null, now);
  }
}

function compareIds(a: string, b: string): number {
  return a.length - b.length || (a < b ? -1 : a > b ? 1 : 0);
}

/** What model and disk must agree in. */
function factsOf(task: ModelTask): Record<string, unknown> {
  const { id, prompt, status, claim, failureClass, retryCount, retryAt, retryOf, retriedBy } = task;
  const { startedAt, timeout } = task;
  return {
    id,
    prompt,
    status,
    claim,
    failureClass,
    retryCount,
    retryAt,
    retryOf,
    retriedBy,
    startedAt,
    timeout,
  };
}

function factsOnDisk(task: Task): Record<string, unknown> {
  return {
    id: task.taskId,
    prompt: task.prompt,
    status: task.status,
    claim: task.claim,
    failureClass: task.failureClass,
    retryCount: task.retryCount,
    retryAt: parseTime(task.retryAt),
    retryOf: task.retryHistory.at(-1)?.retriedFrom ?? null,
    retriedBy: task.retriedBy,
    startedAt: parseTime(task.startedAt),
    timeout: task.timeout,
  };
}

/** Gives the model's new tasks the ids that the real ones got; those that are not there go. */
function adoptIds(model: Model, disk: readonly Task[]): void {
  const known = new Set(model.tasks.map(({ id }) => id));
  const fresh = disk.filter(({ taskId }) => !known.has(taskId));
  for (const task of [...model.tasks]) {
    if (task.id !== "") continue;
    const real = fresh.find((item) =>
      item.prompt === task.prompt &&
      (item.retryHistory.at(-1)?.retriedFrom ?? null) === task.retryOf
    );
    const earlier = task.retryOf === null ? undefined : model.find(task.retryOf);
    if (real === undefined) model.tasks.splice(model.tasks.indexOf(task), 1);
    else {
      fresh.splice(fresh.indexOf(real), 1);
      task.id = real.taskId;
    }
    if (earlier !== undefined) earlier.retriedBy = real?.taskId ?? null;
  }
}

// --- Operations ----------------------------------------------------------------------------------

/** Something that happens, to the model and to the real queue. */
interface Operation {
  name: string;
  /** Writes after which the process is killed; null where it lives. */
  crashAfter?: number | null;
  predict(model: Model, now: number): void;
  perform(world: World, model: Model): void | Promise<void>;
}

/** The task that a number stands for; undefined where there is none at all. */
function taskAt(model: Model, number: number): ModelTask | undefined {
  return model.tasks[number % Math.max(1, model.tasks.length)];
}

async function run(operation: Operation, model: Model, world: World): Promise<void> {
  const { now } = world.clock;
  const before = model.clone();
  const after = model.clone();
  operation.predict(after, now);
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
    adoptIds(after, disk);
    const sorted = [...after.tasks].sort((a, b) => compareIds(a.id, b.id));
    assertEquals(disk.map(factsOnDisk), sorted.map(factsOf), `after ${operation.name}`);
    model.tasks = after.tasks;
    model.started = after.started;
  }
  checkInvariants(world);
}

function same(a: unknown, b: unknown): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}

/** What holds at every moment, whatever happened. */
function checkInvariants(world: World): void {
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
function runShim(world: World, shim: FakeShim): boolean {
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

type Act = "done" | "error" | "done and error" | "exit 0" | "exit 7" | "killed";

function act(world: World, shim: FakeShim, how: Act, model: Model): void {
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

const number = fc.nat({ max: 1000 });
const crashAfter = fc.option(fc.nat({ max: 18 }), { freq: 2, nil: null });

const start = fc.record({
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
      create(world.queue, [{ agent: completion, ...rest }], new Map());
    },
  });
});

const look = crashAfter.map((crashAfter) =>
  command({
    name: "look",
    crashAfter,
    predict: (model, now) => model.look(now),
    perform: async (world) => void await refresh(world.queue, { may: () => EVERYTHING }),
  })
);

const launch = fc.record({ parallel: fc.integer({ min: 1, max: 4 }), crashAfter })
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

const cancel = fc.record({ places: fc.array(number, { minLength: 1, maxLength: 3 }), crashAfter })
  .map(({ places, crashAfter }) => {
    const chosen = (model: Model) => [...new Set(places.flatMap((at) => taskAt(model, at) ?? []))];
    return command({
      name: `cancel ${places}`,
      crashAfter,
      predict(model, now) {
        for (const task of chosen(model)) model.cancel(task, now);
      },
      perform(world, model) {
        for (
          const outcome of cancelTasks(
            world.queue,
            chosen(model).map(({ id }) => id),
            null,
            world.rules,
          )
        ) {
          if ("error" in outcome) throw outcome.error;
        }
      },
    });
  });

const retry = fc.record({ place: number, crashAfter }).map(({ place, crashAfter }) =>
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

const timeOut = fc.record({ place: number, crashAfter }).map(({ place, crashAfter }) =>
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

const extend = fc.record({ place: number, seconds: fc.integer({ min: 1, max: 60 }), crashAfter })
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

const reap = crashAfter.map((crashAfter) =>
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

const shimRuns = number.map((place) =>
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

const shimDies = number.map((place) =>
  outside(`shim ${place} dies before it runs`, (world) => {
    const late = world.launcher.shims.filter(({ state }) => state === "late");
    late[place % Math.max(1, late.length)]?.end();
  })
);

const agentActs = fc.record({
  place: number,
  how: fc.constantFrom<Act>("done", "error", "done and error", "exit 0", "exit 7", "killed"),
}).map(({ place, how }) =>
  outside(`agent ${place}: ${how}`, (world, model) => {
    const running = world.launcher.shims.filter(({ state }) => state === "running");
    const shim = running[place % Math.max(1, running.length)];
    if (shim !== undefined) act(world, shim, how, model);
  })
);

const clockMoves = fc.oneof(
  { weight: 4, arbitrary: fc.integer({ min: 1, max: 5000 }) },
  { weight: 1, arbitrary: fc.constantFrom(600_000, -3_600_000, -1, -900) },
).map((millis) =>
  outside(`the clock moves by ${millis} ms`, (world) => {
    world.clock.now += millis;
  })
);

/** In the end everything is let run; then all must have ended that can. */
async function drain(model: Model, world: World): Promise<void> {
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

Deno.test("the queue does what its model does, whatever order and wherever it is killed", async () => {
  const place = Deno.build.os === "linux" ? { dir: "/dev/shm" } : {};
  const folder = await Deno.makeTempDir({ prefix: "orchestra-model-", ...place });
  using _points = installCrashPoints();
  let runs = 0;
  try {
    await fc.assert(
      fc.asyncProperty(
        fc.commands(
          [
            ...[start, start, launch, launch, launch, shimRuns, shimRuns, shimRuns, shimRuns],
            ...[agentActs, agentActs, agentActs, look, look, look, clockMoves],
            ...[cancel, retry, timeOut, extend, reap, shimDies],
          ],
          { maxCommands: 100, size: "max" },
        ),
        async (commands) => {
          crash.reset();
          const root = `${folder}/${runs++}`;
          Deno.mkdirSync(root);
          const world = await makeWorld(root);
          const model = new Model();
          await fc.asyncModelRun(() => ({ model, real: world }), commands);
          await drain(model, world);
          crash.reset();
          Deno.removeSync(root, { recursive: true });
        },
      ),
      { numRuns: RUNS, endOnFailure: false },
    );
  } finally {
    crash.reset();
    await Deno.remove(folder, { recursive: true });
  }
});
