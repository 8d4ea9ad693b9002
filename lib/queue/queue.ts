// What may be done to the queue: every change of a task's state happens here, inside the workspace
// lock, in the order that makes a kill at any point harmless. What must be true first is written
// first: the claim before the launch, the successor before the pointer to it, the task before the
// removal of its sentinels.

import { lstat } from "../store/files.ts";
import { type AgentDefinition, type Agents, pickAgent } from "../task/agent.ts";
import { isOwnMark } from "../task/marks.ts";
import { loadAgents } from "../settings/agents.ts";
import { archivedDependencies } from "../store/archive.ts";
import { type Config, loadConfig } from "../settings/config.ts";
import {
  hasDependencies,
  indexTasks,
  NO_INDEX,
  retryOf,
  type TaskIndex,
} from "../decide/dependencies.ts";
import { OrchestraError, toOrchestraError } from "../task/error.ts";
import {
  type EndOptions,
  FENCE,
  type Identity,
  type Launched,
  type Launcher,
  type Life,
} from "../launch/launcher.ts";
import { type Launchers, openLaunchers } from "../launch/mod.ts";
import {
  type Aliveness,
  ancestral,
  isUnnamed,
  type Observation,
  observe,
  readUsage,
  unnamed,
} from "./observe.ts";
import { firstPlan, type Places, type Prepared, prepareLaunch } from "../decide/launch_plan.ts";
import { decide, type Decision, type EndRules, type Outcome } from "../decide/reconcile.ts";
import { mayRetry, retryDelay, retryDue, type RetryOptions, successorOf } from "../decide/retry.ts";
import { compareIds, type Limits, pickNext } from "../decide/schedule.ts";
import { type Damage, openStore, type Scan, type Store } from "../store/tasks.ts";
import {
  formatTaskId,
  formatTime,
  isTaskId,
  isTerminal,
  newTask,
  parseTime,
  type Task,
} from "../task/fields.ts";
import type { Wish } from "../task/options.ts";
import type { Trace } from "../task/trace.ts";
import type { PausedLane } from "../decide/view.ts";
import { DEFAULT_PROMPT, RETRY_NOTE } from "../../templates/prompts.ts";

/** Milliseconds after which a claim without a shim is taken back. */
const LAUNCH_GRACE = 2000;

/** What happened to a task. */
export type ChangeKind =
  | "queued"
  | "launched"
  | "complete"
  | "failed"
  | "cancelled"
  | "released"
  | "retried"
  | "verifying"
  | "warning"
  | "reaped";

/** One change of one task. */
export interface Change {
  /** What happened. */
  kind: ChangeKind;
  /** The task as it is now. */
  task: Task;
}

/** Everything in a workspace at one moment. */
export interface Snapshot {
  tasks: Task[];
  damaged: Damage[];
  marks: Map<string, string[]>;
  /** What this look itself brought up to date. */
  changes: Change[];
  /** The tasks by id, with the archived ones that pending tasks depend on. */
  readonly index: TaskIndex;
  /** Something runs or must be ended: somebody should be watching. */
  unsettled: boolean;
  /** What this look launched. */
  launched: LaunchedTask[];
}

/** How much {@linkcode Queue.look} may do. */
export interface LookOptions {
  /** Queue due retries; unless told not to. */
  retry?: boolean;
  /** Also launch what is ready, in the same locked section. */
  launch?: LaunchLimit;
}

/** What may be launched. */
export interface LaunchLimit {
  /** Most at once; or how many more than run already. */
  parallel: number | { more: number };
  /** Only these. */
  only?: (task: Task) => boolean;
}

/** Whether something follows a failed task by itself. */
export function isFollowed(task: Task): boolean {
  return task.status === "failed" && task.retriedBy === null &&
    (task.autoRetry || (task.failureClass === "rate-limit" && task.retryAt !== null));
}

/** What a queue is opened with; all have defaults. */
export interface QueueOptions {
  /** Milliseconds since the epoch. */
  now?: () => number;
  /** From 0 to 1, for the jitter. */
  random?: () => number;
  launchers?: Launchers;
  /** Told of what is looked at, decided and done. */
  trace?: Trace;
}

/** What a launch by this process leaves to watch. */
export interface LaunchedTask extends Launched {
  task: Task;
}

/** Settings and agents, loaded. */
export interface Rules {
  config: Config;
  agents: Agents;
}

/** The operations on one workspace. */
export interface Queue {
  readonly store: Store;
  readonly launcher: Launcher;
  now(): number;
  /** Settings and agents, read anew. */
  rules(): Promise<Rules>;
  /** Reads everything and brings it up to date; queues due retries unless told not to. */
  look(options?: LookOptions): Promise<Snapshot>;
  /** Queues new tasks; with dependencies checked already. */
  add(wanted: readonly Wish[]): Task[];
  /**
   * Queues tasks that name each other: a dependency that is one of the keys stands for the task at
   * that place of the list. There must be no cycle. All become visible in one locked section.
   */
  addGraph(wanted: readonly Wish[], keys: ReadonlyMap<string, number>): Task[];
  /** Looks at one task again and does what the evidence asks for; inside or outside the lock. */
  step(id: string, rules: Rules, aliveness: Aliveness): StepResult;
  /** Queues what follows a failed task by itself: its retry, or the one that waits for a quota. */
  follow(task: Task, rules: Rules): Task | undefined;
  /** Queues the retry of a failed task. Undefined where somebody else did, or it is not failed. */
  queueRetry(id: string, options?: RetryOptions): Task | undefined;
  /** Claims the given pending tasks, in that order, and launches them. */
  launch(ids: readonly string[], rules: Rules): { launched: LaunchedTask[]; changes: Change[] };
  /** Cancels pending and running tasks at once; their processes are ended by {@linkcode endTask}. */
  cancel(ids: readonly string[], reason: string | null, rules: Rules): Change[];
  /** Ends a running task as timed out, at once. */
  timeOut(id: string, rules: Rules): Change | undefined;
  /** Changes fields that the user may change on a task that is not settled. */
  update(id: string, change: (task: Task) => Task): Task;
  /** Ends what still lives of a settled task, then records that nothing does. */
  endTask(id: string, rules: Rules, options?: Omit<EndOptions, "grace">): Promise<void>;
  /** Why a task could not be launched; undefined where it could. */
  launchProblem(task: Task, rules: Rules): string | undefined;
  /** Identity of the process of a task's current claim, where it is known. */
  shimOf(task: Task): Identity | null;
  /** Which of the tasks' processes live, asked of the system once. */
  probe(tasks: readonly Task[]): Promise<Aliveness>;
  /** Absolute places of a task's files. */
  places(task: Task): Places;
  /**
   * Removes a task and everything that belongs to it.
   *
   * @param marks what {@linkcode Store.scan} found of it, inside the lock
   */
  removeTask(task: Task, marks: readonly string[]): void;
}

/** What a step did. */
export interface StepResult {
  task: Task | undefined;
  changes: Change[];
  /** Evidence of the last look, for what falls due next. */
  observation: Observation | undefined;
  /** What still lives of it should be ended now, outside the lock. */
  end: boolean;
}

/** Agents that are paused because a quota is used up, by name. */
export function pausedLanes(tasks: Iterable<Task>, now: number): Map<string, PausedLane> {
  const lanes = new Map<string, PausedLane>();
  for (const task of tasks) {
    if (task.laneUntil === null) continue;
    const until = parseTime(task.laneUntil) ?? 0;
    if (until > now && until > (lanes.get(task.agent)?.until ?? 0)) {
      lanes.set(task.agent, { agent: task.agent, until });
    }
  }
  return lanes;
}

/** Limits of a launch, from the settings and what is known of the agents. */
export function limitsOf(
  rules: Rules,
  parallel: number,
  tasks: Iterable<Task>,
  now: number,
): Limits {
  const perAgent = new Map<string, number>();
  for (const [name, agent] of rules.agents) {
    if (!("problem" in agent) && agent.maxConcurrent !== undefined) {
      perAgent.set(name, agent.maxConcurrent);
    }
  }
  return { parallel, perAgent, lanes: pausedLanes(tasks, now) };
}

/** How the end of a task is known. */
export function rulesOf(task: Task, agent: AgentDefinition | null, config: Config): EndRules {
  return {
    completion: agent?.completion ?? "sentinel",
    verify: task.verify !== null || agent?.verify !== undefined,
    grace: config.grace_period * 1000,
    launchGrace: LAUNCH_GRACE,
  };
}

/**
 * Opens the queue of a workspace.
 *
 * @param root the folder that has `.orchestra/`
 */
export function openQueue(root: string, options: QueueOptions = {}): Queue {
  const store = openStore(root, { trace: options.trace });
  const now = options.now ?? Date.now;
  const random = options.random ?? Math.random;
  const launcher = (options.launchers ?? openLaunchers({ trace: options.trace })).of(null);
  const definition = (rules: Rules, name: string) => {
    const found = pickAgent(rules.agents, name);
    return "problem" in found ? null : found;
  };

  function places(task: Task): Places {
    const plan = task.planFile || `.orchestra/plans/${task.taskId}_plan.md`;
    const log = task.logFile || `.orchestra/logs/${task.taskId}.log`;
    return {
      root: store.root,
      planFile: store.resolve(plan, `The plan of ${task.taskId}`, "plans"),
      logFile: store.resolve(log, `The log of ${task.taskId}`, "logs"),
      promptFile: `${store.dir}/plans/${task.taskId}_prompt.md`,
      doneFile: store.markPath(task.taskId, "done"),
      errorFile: store.markPath(task.taskId, "error"),
      workspace: `${store.dir}/workspace`,
    };
  }

  function add(wanted: readonly Wish[]): Task[] {
    return addGraph(wanted, new Map());
  }

  function addGraph(wanted: readonly Wish[], keys: ReadonlyMap<string, number>): Task[] {
    const at = now();
    if (wanted.length === 1) {
      const task = store.locked(() => store.create((id) => newTask(id, wanted[0]!, at), at));
      writePlan(task);
      return [task];
    }
    return store.locked(() => {
      const ids = new Map<number, string>();
      let next = at;
      // What a task depends on gets its id before it, so that ids rise along the dependencies.
      for (const place of dependencyOrder(wanted, keys)) {
        const id = store.freeId(next);
        next = Number(id.slice(5)) + 1;
        ids.set(place, id);
      }
      const tasks = wanted.map((item, place) => {
        const dependsOn = item.dependsOn?.map((name) => {
          const other = keys.get(name);
          return other === undefined ? name : ids.get(other)!;
        });
        return newTask(ids.get(place)!, { ...item, dependsOn }, at);
      });
      store.createAll(tasks);
      for (const task of tasks) writePlan(task);
      return tasks;
    });
  }

  /**
   * The plan helps the agent; losing it in a power cut costs nothing, so it is not synced, and where
   * the system refuses it the task is queued all the same: the launch tries again.
   */
  function writePlan(task: Task): void {
    const path = places(task).planFile;
    try {
      Deno.writeTextFileSync(path, firstPlan(task), { createNew: true, mode: 0o600 });
    } catch (error) {
      if (error instanceof Deno.errors.AlreadyExists) return;
      try {
        store.remove(path);
      } catch {
        // Nothing was written either.
      }
    }
  }

  function shimOf(task: Task): Identity | null {
    const mark = task.claim === 0 ? undefined : store.readMark(task.taskId, `${task.claim}.pid`);
    return mark === undefined ? null : launcher.parsePidFile(mark.text) ?? null;
  }

  function observeTask(task: Task, rules: Rules, aliveness: Aliveness): Observation {
    return observe(store, task, launcher, definition(rules, task.agent), aliveness, now());
  }

  function step(id: string, rules: Rules, aliveness: Aliveness): StepResult {
    return store.locked(() => {
      const result: StepResult = {
        task: undefined,
        changes: [],
        observation: undefined,
        end: false,
      };
      // Each turn either changes the task or ends; a task has only so many changes in it.
      for (let turn = 0; turn < 6; turn++) {
        const task = store.read(id);
        result.task = task;
        if (task === undefined) return result;
        const observation = observeTask(task, rules, aliveness);
        result.observation = observation;
        const end = rulesOf(task, definition(rules, task.agent), rules.config);
        // One moment for the decision and what is written of it.
        const at = now();
        const decision = decide(task, observation.evidence, end, at);
        if (decision.kind === "keep") {
          if (task.status === "running" && task.pid === null && observation.shim !== null) {
            result.task = save({ ...task, pid: observation.shim.pid });
          }
          return result;
        }
        if (decision.kind === "end") {
          result.end = true;
          return result;
        }
        const change = apply(task, decision, observation, rules, at);
        if (change === undefined) continue;
        result.task = change.task;
        result.changes.push(change);
        if (change.kind === "failed" && change.task.failureClass === "rate-limit") {
          const successor = handOver(change.task, rules);
          if (successor !== undefined) {
            result.changes.push({ kind: "retried", task: successor });
            result.task = store.read(id);
          }
        }
        if (change.kind === "verifying" || change.kind === "reaped") return result;
        if (change.kind === "cancelled") {
          // Another look would find nothing else.
          result.end = change.task.reapAt !== null;
          return result;
        }
      }
      return result;
    });
  }

  /** Does what was decided. Undefined: nothing changed, or only a mark did: look again. */
  function apply(
    task: Task,
    decision: Exclude<Decision, { kind: "keep" | "end" }>,
    observation: Observation,
    rules: Rules,
    at: number,
  ): Change | undefined {
    const id = task.taskId;
    switch (decision.kind) {
      case "fence":
        // Whoever creates the file first wins: the shim, and the task runs, or we, and it never will.
        store.createMark(id, `${task.claim}.pid`, FENCE);
        return undefined;
      case "release": {
        const released = save({ ...task, status: "pending", startedAt: null, pid: null });
        return { kind: "released", task: released };
      }
      case "time-out":
        store.writeHint(
          id,
          "timeout",
          JSON.stringify({
            timeout: decision.idle ? task.idleTimeout : task.timeout,
            timestamp: formatTime(at),
            ...(decision.idle ? { idle: true } : {}),
          }) + "\n",
        );
        return undefined;
      case "rebase":
        save({ ...task, startedAt: formatTime(at) });
        return undefined;
      case "verify":
        return startVerify(task, rules) ? { kind: "verifying", task } : undefined;
      case "reaped":
        return { kind: "reaped", task: markReaped(task, observation, rules) };
      case "settle": {
        // A claim whose shim has not come yet must never come after the task is settled.
        if (
          task.status === "running" && observation.evidence.shim === "none" &&
          !store.createMark(id, `${task.claim}.pid`, FENCE)
        ) {
          return undefined;
        }
        return settle(task, decision.outcome, observation, rules, at);
      }
    }
  }

  function save(task: Task): Task {
    store.write(task);
    return task;
  }

  function settle(
    task: Task,
    outcome: Outcome,
    { shim }: Observation,
    rules: Rules,
    at: number,
  ): Change {
    let settled: Task = {
      ...task,
      status: outcome.status,
      completedAt: formatTime(at),
      timedOutAt: outcome.timedOutAt === null ? null : formatTime(outcome.timedOutAt),
      pid: shim?.pid ?? task.pid,
      exitCode: outcome.exitCode,
      failureClass: outcome.failureClass,
      errorMessage: outcome.errorMessage,
      errorDetails: outcome.errorDetails,
      result: outcome.result !== null && Object.keys(outcome.result).length > 0
        ? outcome.result
        : null,
      reapAt: outcome.reapAt === null ? null : formatTime(outcome.reapAt),
      laneUntil: outcome.laneUntil === null ? null : formatTime(outcome.laneUntil),
    };
    const agent = definition(rules, task.agent);
    if (agent?.usage !== undefined && task.claim > 0) {
      settled.usage = readUsage(store, task, agent.usage) ?? settled.usage;
    }
    if (outcome.failureClass !== null) {
      const policy = { ...rules.config.retry, on: agent?.retryOn ?? rules.config.retry.on };
      if (outcome.failureClass === "rate-limit") {
        // Due at once: should we die before the successor is queued, the next look does it.
        settled.retryAt = formatTime(at);
      } else if (mayRetry(task, outcome.failureClass, policy)) {
        settled.retryAt = formatTime(at + retryDelay(task.retryCount, policy, random()) * 1000);
      }
    }
    settled = save(settled);
    if (settled.reapAt === null) removeLaunchMarks(settled);
    return { kind: outcome.status, task: settled };
  }

  /**
   * The marks of a launch that has ended are of no more use: the task tells what they told. A fence
   * stays, for its shim may still be on its way.
   */
  function removeLaunchMarks(task: Task): void {
    try {
      dropLaunchMarks(task);
    } catch {
      // What cannot be removed (a folder, planted) decides nothing: the task is settled.
    }
  }

  function dropLaunchMarks(task: Task): void {
    store.removeMark(task.taskId, "exitcode");
    store.removeMark(task.taskId, "verifycode");
    for (const mark of [`${task.claim}.pid`, `verify.${task.claim}.pid`]) {
      const content = store.readMark(task.taskId, mark);
      if (content !== undefined && content.text !== FENCE) store.removeMark(task.taskId, mark);
    }
  }

  function markReaped(task: Task, { evidence }: Observation, rules: Rules): Task {
    const agent = definition(rules, task.agent);
    const reaped = save({
      ...task,
      reapAt: null,
      exitCode: task.exitCode ?? evidence.exit?.code ?? null,
      usage: agent?.usage === undefined
        ? task.usage
        : readUsage(store, task, agent.usage) ?? task.usage,
      // The sentinel was empty when it was first seen, and filled just after.
      result: task.status === "complete" && task.result === null && evidence.done !== null &&
          Object.keys(evidence.done).length > 0
        ? evidence.done
        : task.result,
    });
    removeLaunchMarks(reaped);
    return reaped;
  }

  function startVerify(task: Task, rules: Rules): boolean {
    const agent = definition(rules, task.agent);
    const command = task.verify ?? agent?.verify;
    if (command === undefined || command.length === 0) return false;
    const prepared = prepare(task, {
      command: command[0]!,
      args: command.slice(1),
      env: agent?.env,
      passEnv: agent?.passEnv,
      cwd: agent?.cwd,
      completion: "exit",
    });
    if ("problem" in prepared) {
      store.writeHint(task.taskId, "verifycode", "127 spawn\n");
      return true;
    }
    launchPrepared(task, prepared, `verify.${task.claim}.pid`, "verifycode");
    return true;
  }

  /** Reads what the launch needs from disk, then decides it. */
  function prepare(task: Task, agent: AgentDefinition): Prepared | { problem: string } {
    let template: string | null = null;
    if (agent.promptTemplateFile !== undefined) {
      const path = `${store.root}/${agent.promptTemplateFile}`;
      const text = /(?:^|[\\/])\.\.(?:[\\/]|$)|\0/.test(agent.promptTemplateFile)
        ? undefined
        : store.readFile(path);
      if (text === undefined) {
        return {
          problem: `its prompt template ${JSON.stringify(agent.promptTemplateFile)} is not there`,
        };
      }
      template = text;
    } else if (agent.promptTemplate !== undefined) {
      template = agent.promptTemplate;
    } else if (agent.completion !== "exit") {
      const prompts = `${store.root}/.orchestra-cli/prompts`;
      template = store.readFile(`${prompts}/default.md`) ??
        store.readFile(`${prompts}/default.txt`) ?? DEFAULT_PROMPT;
    }
    const decided = prepareLaunch(task, agent, template, RETRY_NOTE, places(task));
    if ("problem" in decided) return decided;
    if (agent.cwd !== undefined) {
      const inside = insideRoot(store.root, decided.cwd);
      if (inside === undefined) {
        return { problem: `its folder ${JSON.stringify(decided.cwd)} is not inside the workspace` };
      }
      decided.cwd = inside;
    }
    return decided;
  }

  function launchPrepared(
    task: Task,
    prepared: Prepared,
    pidMark: string,
    exitMark: string,
  ): Launched {
    const { logFile, promptFile } = places(task);
    const info = lstat(logFile);
    if (info === undefined) {
      Deno.openSync(logFile, { write: true, createNew: true, mode: 0o600 }).close();
    } else if (!info.isFile) {
      throw new OrchestraError(
        "damaged",
        `Launching ${task.taskId}: its log is not a regular file`,
        {
          hint: `Remove ${task.logFile}.`,
        },
      );
    }
    // A verify command gets no prompt: the file keeps what the agent was given.
    if (exitMark === "exitcode") writePrivate(promptFile, prepared.prompt);
    let stdinFile: string | null = null;
    if (prepared.stdin !== null) {
      stdinFile = promptFile;
      if (prepared.stdin !== prepared.prompt) {
        stdinFile = `${store.dir}/plans/${task.taskId}_stdin`;
        writePrivate(stdinFile, prepared.stdin);
      }
    }
    return launcher.launch({
      pidFile: store.markPath(task.taskId, pidMark),
      exitFile: store.markPath(task.taskId, exitMark),
      logFile,
      stdinFile,
      cwd: prepared.cwd,
      command: prepared.command,
      args: prepared.args,
      env: prepared.env,
      inherit: prepared.inherit,
    });
  }

  function launchProblem(task: Task, rules: Rules): string | undefined {
    const found = pickAgent(rules.agents, task.agent);
    const prepared = "problem" in found ? found : prepare(task, found);
    return "problem" in prepared ? prepared.problem : undefined;
  }

  function launch(
    ids: readonly string[],
    rules: Rules,
  ): { launched: LaunchedTask[]; changes: Change[] } {
    const launched: LaunchedTask[] = [];
    const changes: Change[] = [];
    store.locked(() => {
      for (const id of ids) {
        let task: Task | undefined;
        try {
          task = store.read(id);
        } catch {
          // Damaged: every command that looks names it, and the others go on.
        }
        if (task === undefined || task.status !== "pending") continue;
        const outcome = tryClaim(task, rules);
        changes.push(outcome.change);
        if (outcome.launched !== undefined) launched.push(outcome.launched);
      }
    });
    return { launched, changes };
  }

  /** The same as {@linkcode claim}; what one task's own files make impossible fails that task. */
  function tryClaim(task: Task, rules: Rules): { change: Change; launched?: LaunchedTask } {
    try {
      return claim(task, rules);
    } catch (error) {
      const problem = toOrchestraError(error, "its files cannot be written").message;
      try {
        return { change: failSpawn(store.read(task.taskId) ?? task, problem, rules) };
      } catch {
        // Not this task alone: the system refuses (disk full, no permission).
        throw error;
      }
    }
  }

  /** Claims one pending task and launches it; inside the lock. */
  function claim(task: Task, rules: Rules): { change: Change; launched?: LaunchedTask } {
    const found = pickAgent(rules.agents, task.agent);
    const prepared = "problem" in found ? found : prepare(task, found);
    const agent = "problem" in found ? null : found;
    const claimed: Task = {
      ...task,
      status: "running",
      startedAt: formatTime(now()),
      completedAt: null,
      claim: task.claim + 1,
      pid: null,
      timeout: task.timeout ?? agent?.timeout ?? null,
      idleTimeout: task.idleTimeout ?? agent?.idleTimeout ?? null,
      budget: task.budget ?? agent?.budget ?? null,
      notBefore: null,
      blockedBy: null,
      blockedReason: null,
      schemaVersion: Math.max(task.schemaVersion, 3),
    };
    if ("problem" in prepared) {
      return { change: failSpawn(claimed, prepared.problem, rules) };
    }
    // What an earlier claim or a stray program left must not decide this one.
    for (const mark of ["done", "error", "exitcode", "verifycode", "timeout"]) {
      store.removeMark(task.taskId, mark);
    }
    writePlan(claimed);
    save(claimed);
    try {
      const started = launchPrepared(claimed, prepared, `${claimed.claim}.pid`, "exitcode");
      const running = { ...claimed, pid: started.pid };
      return {
        change: { kind: "launched", task: running },
        launched: { ...started, task: running },
      };
    } catch (error) {
      // Fenced first: should the system have started the shim all the same, it must not go on.
      store.createMark(task.taskId, `${claimed.claim}.pid`, FENCE);
      return {
        change: failSpawn(claimed, toOrchestraError(error, "the launch failed").message, rules),
      };
    }
  }

  function failSpawn(task: Task, problem: string, rules: Rules): Change {
    const outcome: Outcome = {
      status: "failed",
      failureClass: "spawn",
      errorMessage: `Agent "${task.agent}" could not be launched: ${problem}`,
      errorDetails: null,
      exitCode: null,
      result: null,
      timedOutAt: null,
      laneUntil: null,
      reapAt: null,
    };
    return settle(task, outcome, observeTask(task, rules, () => "unknown"), rules, now());
  }

  /** Picks what is ready among the tasks, as they are inside the lock, and launches it. */
  function launchFrom(
    tasks: readonly Task[],
    { parallel, only }: LaunchLimit,
    rules: Rules,
  ): { launched: LaunchedTask[]; changes: Change[] } {
    const running = tasks.filter((task) => task.status === "running");
    const pending = tasks.filter((task) =>
      task.status === "pending" && (only === undefined || only(task))
    );
    const index = pending.some(hasDependencies)
      ? indexTasks(tasks, archivedDependencies(store, tasks))
      : NO_INDEX;
    const most = typeof parallel === "number" ? parallel : running.length + parallel.more;
    const picked = pickNext(pending, running, index, limitsOf(rules, most, tasks, now()), now());
    return launch(picked.map((task) => task.taskId), rules);
  }

  function queueRetry(id: string, options: RetryOptions = {}): Task | undefined {
    return store.locked(() => {
      const task = store.read(id);
      if (task === undefined || isRetried(store, task)) return undefined;
      if (task.status !== "failed" && task.status !== "cancelled") return undefined;
      const earlier = findSuccessor(task);
      if (earlier !== undefined) {
        // Whoever queued it died before it could be named here.
        save({ ...task, retriedBy: earlier, retriedAt: formatTime(now()), retryAt: null });
        return undefined;
      }
      const at = now();
      const successor = store.create((fresh) => successorOf(task, fresh, options, at), at);
      writePlan(successor);
      save({ ...task, retriedBy: successor.taskId, retriedAt: formatTime(at), retryAt: null });
      return successor;
    });
  }

  /** Id of a task that was queued as the retry of another; only younger ones are read. */
  function findSuccessor(task: Task): string | undefined {
    const since = formatTaskId((parseTime(task.completedAt) ?? 0) - 3_600_000);
    for (const { name } of Deno.readDirSync(store.tasksDir)) {
      const id = name.endsWith(".json") ? name.slice(0, -5) : "";
      if (!isTaskId(id) || compareIds(id, since) < 0 || id === task.taskId) continue;
      try {
        const other = store.read(id);
        if (other !== undefined && retryOf(other) === task.taskId) return id;
      } catch {
        // A damaged file is nobody's successor.
      }
    }
    return undefined;
  }

  /** Queues what follows a failed task: its retry, or the one that waits for a quota. */
  function follow(task: Task, rules: Rules): Task | undefined {
    return task.failureClass === "rate-limit"
      ? handOver(task, rules)
      : queueRetry(task.taskId, { autoRetry: true });
  }

  /**
   * The successor of a task whose agent has used up its quota: it uses up no retry, and waits for
   * the lane, or goes to the first fallback whose own lane is open.
   */
  function handOver(task: Task, rules: Rules): Task | undefined {
    const others = definition(rules, task.agent)?.fallback ?? [];
    // Only who has somewhere to go needs to know which lanes are open: that takes a look at all tasks.
    const lanes = others.length === 0 ? undefined : pausedLanes(store.scan().tasks, now());
    const fallback = others.find((name) => definition(rules, name) !== null && !lanes?.has(name));
    return queueRetry(task.taskId, {
      free: true,
      autoRetry: task.autoRetry,
      ...(fallback === undefined
        ? { notBefore: parseTime(task.laneUntil) ?? now() }
        : { agent: fallback }),
    });
  }

  function cancel(ids: readonly string[], reason: string | null, rules: Rules): Change[] {
    return store.locked(() => {
      const changes: Change[] = [];
      for (const id of ids) {
        const task = store.read(id);
        if (task === undefined || isTerminal(task.status)) continue;
        // Not synced: the task, written next, tells the same; without it nothing was promised yet.
        store.writeHint(
          id,
          "cancelled",
          JSON.stringify({ timestamp: formatTime(now()), ...(reason === null ? {} : { reason }) }) +
            "\n",
        );
        changes.push(...step(id, rules, () => "unknown").changes);
      }
      return changes;
    });
  }

  function timeOut(id: string, rules: Rules): Change | undefined {
    return store.locked(() => {
      const task = store.read(id);
      if (task === undefined || task.status !== "running") return undefined;
      store.writeHint(
        id,
        "timeout",
        JSON.stringify({ timeout: null, timestamp: formatTime(now()), manual: true }) + "\n",
      );
      return step(id, rules, () => "unknown").changes.find((change) => change.kind === "failed");
    });
  }

  function update(id: string, change: (task: Task) => Task): Task {
    return store.locked(() => {
      const task = store.read(id);
      if (task === undefined) throw noTask(id);
      return save(change(task));
    });
  }

  async function endTask(
    id: string,
    rules: Rules,
    options: Omit<EndOptions, "grace"> = {},
  ): Promise<void> {
    const task = store.read(id);
    if (task === undefined || task.reapAt === null) return;
    const found = task.claim === 0 ? await launcher.legacy(task, store.root) : shimOf(task);
    const shim = found === "unknown" ? null : found;
    const grace = rules.config.grace_period * 1000;
    const report = await launcher.endTree(id, shim, { ...options, grace });
    // Whoever can see it ends it.
    if (report.unknown || options.signal?.aborted) return;
    store.locked(() => {
      const current = store.read(id);
      if (current === undefined || current.reapAt === null) return;
      markReaped(current, observeTask(current, rules, () => "dead"), rules);
    });
  }

  async function rules(): Promise<Rules> {
    const [{ config }, agents] = await Promise.all([loadConfig(store), loadAgents(store)]);
    return { config, agents };
  }

  async function look(options: LookOptions = {}): Promise<Snapshot> {
    const { launch: wanted } = options;
    if (wanted === undefined) return lookAt(store.scan(), options, undefined);
    // Settings and processes come first, for nothing may wait inside the lock.
    const loaded = await rules();
    const aliveness = await probe(suspectsOf(store.scan()));
    return store.locked(() => lookAt(store.scan(), options, loaded, aliveness));
  }

  function suspectsOf(scan: Scan): Task[] {
    return scan.tasks.filter((task) =>
      task.status === "running" || task.reapAt !== null ||
      (task.status === "pending" && scan.marks.get(task.taskId)?.includes("cancelled"))
    );
  }

  function lookAt(
    scan: Scan,
    options: LookOptions,
    loaded: Rules,
    aliveness: Aliveness,
  ): Snapshot;
  function lookAt(
    scan: Scan,
    options: LookOptions,
    loaded: Rules | undefined,
    aliveness?: Aliveness,
  ): Promise<Snapshot> | Snapshot;
  function lookAt(
    scan: Scan,
    { retry = true, launch: wanted }: LookOptions,
    loaded: Rules | undefined,
    aliveness: Aliveness = () => "unknown",
  ): Promise<Snapshot> | Snapshot {
    const suspects = suspectsOf(scan);
    const failed = retry && scan.tasks.some(isFollowed);
    if (loaded === undefined && (suspects.length > 0 || failed)) {
      return Promise.all([rules(), probe(suspects)])
        .then(([fresh, found]) => lookAt(scan, { retry }, fresh, found));
    }
    const retried = scan.tasks.some((task) => task.retryHistory.length > 0);
    if (suspects.length === 0 && !failed && !retried && wanted === undefined) {
      return snapshotOf(scan, scan.tasks, [], []);
    }
    const changes: Change[] = [];
    const byId = new Map(scan.tasks.map((task) => [task.taskId, task]));
    const replace = (task: Task | undefined, id: string) => {
      if (task === undefined) byId.delete(id);
      else byId.set(id, task);
    };
    if (loaded !== undefined && suspects.length > 0) {
      store.locked(() => {
        for (const { taskId } of suspects) {
          try {
            const result = step(taskId, loaded, aliveness);
            changes.push(...result.changes);
            replace(result.task, taskId);
            for (const { task } of result.changes) replace(task, task.taskId);
          } catch (error) {
            reportDamage(scan.damaged, taskId, error);
          }
        }
      });
    }
    // A successor that its maker did not live to name.
    const nameless = !retried ? [] : scan.tasks.flatMap((task) => {
      const earlier = byId.get(task.retryHistory.at(-1)?.retriedFrom ?? "");
      return earlier?.retriedBy === null && isTerminal(earlier.status) ? [earlier.taskId] : [];
    });
    for (const id of nameless) {
      queueRetry(id);
      replace(store.read(id), id);
    }
    const followed = retry && loaded !== undefined ? [...byId.values()].filter(isFollowed) : [];
    if (loaded !== undefined && followed.length > 0) {
      const index = indexTasks(byId.values());
      for (const task of followed) {
        const due = retryDue(task, index, loaded.config.retry);
        // A successor that nobody points to: its maker died in between.
        if (!index.successors.has(task.taskId) && (due === null || due > now())) continue;
        const successor = follow(task, loaded);
        if (successor !== undefined) {
          changes.push({ kind: "retried", task: successor });
          byId.set(successor.taskId, successor);
        }
        replace(store.read(task.taskId), task.taskId);
      }
    }
    let launched: LaunchedTask[] = [];
    if (wanted !== undefined && loaded !== undefined) {
      const result = launchFrom([...byId.values()], wanted, loaded);
      launched = result.launched;
      changes.push(...result.changes);
      for (const { task } of result.changes) byId.set(task.taskId, task);
    }
    const tasks = changes.length + nameless.length === 0 ? scan.tasks : [...byId.values()];
    return snapshotOf(scan, tasks, changes, launched);
  }

  function snapshotOf(
    scan: Scan,
    tasks: Task[],
    changes: Change[],
    launched: LaunchedTask[],
  ): Snapshot {
    let index: TaskIndex | undefined;
    return {
      tasks,
      damaged: scan.damaged,
      marks: scan.marks,
      changes,
      launched,
      unsettled: tasks.some((task) => task.status === "running" || task.reapAt !== null),
      // Made when it is asked for: over ten thousand tasks it takes as long as start-up.
      get index() {
        return index ??= indexTasks(tasks, archivedDependencies(store, tasks));
      },
    };
  }

  /** Asks once which of the tasks' processes live. */
  async function probe(tasks: readonly Task[]): Promise<Aliveness> {
    const shims: Identity[] = [];
    const found = new Map<string, Life>();
    for (const task of tasks) {
      if (task.claim === 0) {
        if (task.pid === null) continue;
        const life = await launcher.legacy(task, store.root);
        found.set(
          ancestral(task).token,
          life === null ? "dead" : life === "unknown" ? life : "alive",
        );
        continue;
      }
      for (const name of [`${task.claim}.pid`, `verify.${task.claim}.pid`]) {
        const mark = store.readMark(task.taskId, name);
        if (mark === undefined) continue;
        const shim = launcher.parsePidFile(mark.text);
        if (shim) shims.push(shim);
        else if (isUnnamed(mark, launcher, now())) {
          found.set(unnamed(task).token, await launcher.marked(task.taskId));
        }
      }
    }
    return alivenessOf(await launcher.probe(shims), found);
  }

  function removeTask(task: Task, marks: readonly string[]): void {
    store.locked(() => {
      const { planFile, logFile, promptFile } = places(task);
      // The task's own file goes after all but the fences: a late shim finds its fence, or no task.
      const fences: string[] = [];
      for (const mark of marks.filter(isOwnMark)) {
        if (mark.endsWith(".pid")) fences.push(mark);
        else store.removeMark(task.taskId, mark);
      }
      for (
        const path of [planFile, logFile, promptFile, `${store.dir}/plans/${task.taskId}_stdin`]
      ) {
        store.remove(path);
      }
      store.remove(`${store.tasksDir}/${task.taskId}.json`);
      for (const mark of fences) store.removeMark(task.taskId, mark);
    });
  }

  return {
    store,
    launcher,
    now,
    rules,
    look,
    add,
    addGraph,
    step,
    queueRetry,
    follow,
    launch,
    cancel,
    timeOut,
    update,
    endTask,
    launchProblem,
    shimOf,
    probe,
    places,
    removeTask,
  };
}

/** Places of a list of tasks, what is depended on first; there must be no cycle. */
function dependencyOrder(wanted: readonly Wish[], keys: ReadonlyMap<string, number>): number[] {
  const order: number[] = [];
  const done = new Set<number>();
  for (let place = 0; place < wanted.length; place++) {
    // The stack is our own, so that a chain of a hundred thousand does not exhaust the real one.
    const stack = [place];
    while (stack.length > 0) {
      const top = stack.at(-1)!;
      const missing = wanted[top]!.dependsOn?.map((name) => keys.get(name))
        .find((other) => other !== undefined && !done.has(other));
      if (missing !== undefined) {
        stack.push(missing);
        continue;
      }
      stack.pop();
      if (done.has(top)) continue;
      done.add(top);
      order.push(top);
    }
  }
  return order;
}

/** What some looks found, by tokens. */
export function alivenessOf(...found: readonly ReadonlyMap<string, Life>[]): Aliveness {
  return ({ token }) => found.find((lives) => lives.has(token))?.get(token) ?? "unknown";
}

function reportDamage(damaged: Damage[], id: string, error: unknown): void {
  const file = `.orchestra/tasks/${id}.json`;
  if (damaged.some((item) => item.file === file)) return;
  damaged.push({ file, problem: toOrchestraError(error, "cannot be brought up to date").message });
}

/** Whether a task has a successor; one that was removed counts for nothing. */
export function isRetried(store: Store, { retriedBy }: Task): boolean {
  return retriedBy !== null && store.has(retriedBy);
}

/** The error for an id that no task has. */
export function noTask(id: string): OrchestraError {
  return new OrchestraError("no-task", `No task ${id} in this workspace`, {
    hint: "See what there is with: orchestra status --all   and: orchestra archive list",
  });
}

/** Writes a file that only its owner may read, replacing what is there; a link is not followed. */
function writePrivate(path: string, text: string): void {
  if (lstat(path) !== undefined) Deno.removeSync(path);
  Deno.writeTextFileSync(path, text, { createNew: true, mode: 0o600 });
}

/** The real path of a folder that must lie inside the root; undefined where it does not. */
function insideRoot(root: string, folder: string): string | undefined {
  try {
    const real = Deno.realPathSync(folder.startsWith("/") ? folder : `${root}/${folder}`);
    const top = Deno.realPathSync(root);
    return real === top || real.startsWith(`${top}/`) ? real : undefined;
  } catch {
    return undefined;
  }
}
