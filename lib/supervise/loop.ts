// The one loop that watches over a workspace: observe, decide, apply. `run`'s supervisor, `run
// --wait` and the daemon are this loop with different ends. It keeps the tasks in memory and is
// told what changed by the folder watch, by the ends of its own children and by timers; a slow
// rescan of names is the safety net. Killed at any point it loses nothing: all it knows is on disk.

import { lstat } from "../store/files.ts";
import { pickAgent } from "../task/agent.ts";
import { pause } from "../launch/pause.ts";
import { indexTasks, type TaskIndex } from "../decide/dependencies.ts";
import type { Aliveness, Observation } from "../queue/observe.ts";
import {
  type Change,
  isFollowed,
  limitsOf,
  pausedLanes,
  type Queue,
  type Rules,
  rulesOf,
  type StepResult,
} from "../queue/queue.ts";
import { toOrchestraError } from "../task/error.ts";
import { nextDue } from "../decide/reconcile.ts";
import { retryDue } from "../decide/retry.ts";
import { pickNext } from "../decide/schedule.ts";
import { findArchived } from "../store/archive.ts";
import { isTaskId, isTerminal, parseTime, type Task } from "../task/fields.ts";
import { watchFolder } from "../store/watch.ts";

/** What the loop launches. */
export type LaunchMode =
  /** Only successors that were queued by themselves. */
  | "retries"
  /** Everything that is ready. */
  | "all";

/** How the loop goes about it. */
export interface SuperviseOptions {
  launch: LaunchMode;
  /** Most tasks at once. */
  parallel: number;
  /** `idle`: until nothing runs and nothing is due; `drained`: until nothing can be launched. */
  until: "idle" | "drained" | "forever";
  /** Stops the loop; agents go on. */
  signal: AbortSignal;
  /** Seconds between safety rescans, at least. */
  interval: number;
  /** Called with each change, in order. */
  onChange?: (change: Change) => void;
  /** Called after each turn in which something changed. */
  onTurn?: (tasks: ReadonlyMap<string, Task>) => void;
  /** Called once where the folder cannot be watched. */
  onProblem?: (reason: string) => void;
  /** Asked before each turn: launches wanted by others since. */
  orders?: () => { launch: LaunchMode; parallel: number } | undefined;
  /** Called inside the workspace lock when the loop finds nothing left to do, before it returns. */
  onIdle?: () => void;
}

/** A rescan may take at most this share of the time. */
const RESCAN_SHARE = 1 / 500;
/** Every so many rescans everything is looked at closely. */
const THOROUGH = 12;

/**
 * Watches over a workspace until there is nothing left to do or the signal is aborted.
 *
 * @param queue the workspace
 * @param options how
 * @returns the tasks as last seen
 */
export async function supervise(
  queue: Queue,
  options: SuperviseOptions,
): Promise<ReadonlyMap<string, Task>> {
  const { store, launcher } = queue;
  const { signal } = options;
  const tasks = new Map<string, Task>();
  const successors = new Map<string, Task[]>();
  const archived = new Map<string, Task>();
  const index: TaskIndex = { byId: tasks, successors, archived };
  /** Tasks that can change by themselves: all but those settled for good. */
  const pending = new Map<string, Task>();
  const running = new Map<string, Task>();
  const reaping = new Map<string, Task>();
  const retrying = new Map<string, Task>();
  const observations = new Map<string, Observation>();
  /** Shims whose end we will be told of, for they are our children. */
  const children = new Map<string, number>();
  /** Children that have ended, by task: their pid, while the task is not settled. */
  const dead = new Map<string, number>();
  const ending = new Map<string, Promise<void>>();
  const dirty = new Set<string>();
  const warned = new Set<string>();
  let wakeChild: (() => void) | undefined;
  let { launch, parallel } = options;
  let rules: Rules = await queue.rules();
  let rulesStamp = "";

  using watch = watchFolder(store.tasksDir, options.onProblem);

  function keep(task: Task | undefined, id: string): void {
    for (const group of [pending, running, reaping, retrying]) group.delete(id);
    if (task === undefined) {
      tasks.delete(id);
      observations.delete(id);
      return;
    }
    const known = tasks.has(id);
    // Ten thousand settled tasks must not fill the memory of one that nobody looks at.
    if (options.onTurn === undefined && isTerminal(task.status) && task.reapAt === null) {
      task = slim(task);
    }
    tasks.set(id, task);
    if (!known) {
      const earlier = task.retryHistory.at(-1)?.retriedFrom;
      if (earlier) successors.set(earlier, [...successors.get(earlier) ?? [], task]);
    } else if (task.retryHistory.length > 0) {
      const earlier = task.retryHistory.at(-1)!.retriedFrom;
      const list = earlier ? successors.get(earlier) : undefined;
      if (list !== undefined) list[list.findIndex((item) => item.taskId === id)] = task;
    }
    if (task.status === "pending") {
      pending.set(id, task);
      for (const other of findArchived(store, task.dependsOn, tasks, archived)) {
        archived.set(other.taskId, other);
      }
    } else if (task.status === "running") running.set(id, task);
    else {
      if (task.reapAt !== null) reaping.set(id, task);
      if (isFollowed(task)) retrying.set(id, task);
      if (task.reapAt === null) observations.delete(id);
    }
  }

  function load(): void {
    const scan = store.scan();
    const { byId, successors: found } = indexTasks(scan.tasks);
    for (const id of tasks.keys()) {
      if (!byId.has(id)) keep(undefined, id);
    }
    // All first, so that only what is really not there is looked for in the archive.
    for (const [id, task] of byId) tasks.set(id, task);
    successors.clear();
    for (const [id, list] of found) successors.set(id, [...list]);
    for (const [id, task] of byId) {
      keep(task, id);
      if (task.status === "running" || task.reapAt !== null) dirty.add(id);
      if (task.status === "pending" && scan.marks.get(id)?.includes("cancelled")) dirty.add(id);
    }
  }

  function note(change: Change): void {
    keep(change.task, change.task.taskId);
    options.onChange?.(change);
  }

  /** Reads a task's file again; one that is gone or damaged is not ours to decide about. */
  function reload(id: string): void {
    try {
      keep(store.read(id), id);
    } catch {
      // Reported by every command that looks; the rest of the queue goes on.
      keep(undefined, id);
    }
  }

  function stepTask(id: string): void {
    const task = tasks.get(id);
    if (task === undefined) return;
    let result: StepResult | undefined;
    attempt(id, () => {
      result = queue.step(id, rules, (shim): ReturnType<Aliveness> => {
        if (dead.get(id) === shim.pid) return "dead";
        if (children.get(id) === shim.pid) return "alive";
        return probed?.(shim) ?? "unknown";
      });
    });
    if (result === undefined) return;
    keep(result.task, id);
    for (const change of result.changes) options.onChange?.(change);
    if (result.changes.length > 0) changed = true;
    if (result.observation !== undefined && result.task !== undefined) {
      observations.set(id, result.observation);
      if (result.observation.partial) dirtyLater.add(id);
    }
    if (result.end && !ending.has(id)) {
      const end = queue.endTask(id, rules, { signal }).catch(() => {}).then(() => {
        ending.delete(id);
        dirty.add(id);
        wakeChild?.();
      });
      ending.set(id, end);
    }
  }

  let probed: Aliveness | undefined;
  /** Tasks with which the system refused to go on; tried again by the rescan. */
  const failures = new Set<string>();
  const dirtyLater = new Set<string>();
  let changed = true;

  /** Asks the system for those whose end nobody will tell us of. */
  async function probeStrangers(): Promise<void> {
    const strangers = [...running.values(), ...reaping.values()]
      .filter((task) =>
        !children.has(task.taskId) || observations.get(task.taskId)?.evidence.verify === "running"
      );
    for (const task of strangers) dirty.add(task.taskId);
    probed = await queue.probe(strangers);
  }

  function adopt(items: ReturnType<Queue["launch"]>): void {
    for (const change of items.changes) note(change);
    if (items.changes.length > 0) changed = true;
    for (const { task, pid, ended } of items.launched) {
      children.set(task.taskId, pid);
      dead.delete(task.taskId);
      ended.then(() => {
        children.delete(task.taskId);
        dead.set(task.taskId, pid);
        dirty.add(task.taskId);
        wakeChild?.();
      });
    }
  }

  function wanted(task: Task): boolean {
    return launch === "all" || isAutomatic(task);
  }

  function launchNow(now: number): void {
    if (pending.size === 0 || failures.has("launch")) return;
    const candidates = launch === "all" ? pending.values() : [...pending.values()].filter(wanted);
    const limits = limitsOf(rules, parallel, laneTasks(), now);
    const picked = pickNext(candidates, running.values(), index, limits, now);
    if (picked.length === 0) return;
    attempt("launch", () => adopt(queue.launch(picked.map((task) => task.taskId), rules)));
    for (const { taskId } of picked) {
      // Somebody else was faster, or it is gone.
      if (tasks.get(taskId)?.status === "pending") reload(taskId);
    }
  }

  function* laneTasks(): Iterable<Task> {
    for (const task of tasks.values()) {
      if (task.laneUntil !== null) yield task;
    }
  }

  function retryNow(now: number): void {
    for (const task of [...retrying.values()]) {
      const id = task.taskId;
      const orphaned = successors.has(id);
      const due = orphaned ? now : retryDue(task, index, rules.config.retry);
      if (due === null) retrying.delete(id);
      if (due === null || due > now || failures.has(id)) continue;
      attempt(id, () => {
        const successor = queue.follow(task, rules);
        reload(id);
        if (successor === undefined) return;
        note({ kind: "retried", task: successor });
        changed = true;
      });
    }
  }

  /**
   * Does something that the system may refuse (disk full, no permission): told once, and tried again
   * with the next rescan.
   */
  function attempt(id: string, action: () => void): void {
    try {
      action();
      failures.delete(id);
    } catch (error) {
      if (!failures.has(id)) {
        options.onProblem?.(toOrchestraError(error, `Going on with ${id}`).message);
      }
      failures.add(id);
    }
  }

  function warnNow(now: number): number | null {
    let next: number | null = null;
    for (const task of running.values()) {
      if (task.timeout === null || task.timeoutWarning === null || warned.has(task.taskId)) {
        continue;
      }
      const at = (parseTime(task.startedAt) ?? now) + (task.timeout - task.timeoutWarning) * 1000;
      if (at <= now) {
        warned.add(task.taskId);
        options.onChange?.({ kind: "warning", task });
        changed = true;
      } else next = next === null ? at : Math.min(next, at);
    }
    return next;
  }

  /** When the clock alone changes something about a task that runs or must be ended. */
  function dueTime(id: string, task: Task): number | null {
    if (ending.has(id) || failures.has(id)) return null;
    if (task.reapAt !== null) return parseTime(task.reapAt);
    const observation = observations.get(id);
    if (observation === undefined) return null;
    const agent = pickAgent(rules.agents, task.agent);
    const end = rulesOf(task, "problem" in agent ? null : agent, rules.config);
    return nextDue(task, observation.evidence, end);
  }

  /** When the clock alone brings something about next, milliseconds since the epoch. */
  function nextTime(): number | null {
    const times: number[] = [];
    const consider = (time: number | null) => {
      if (time !== null) times.push(time);
    };
    for (const group of [running, reaping]) {
      for (const [id, task] of group) consider(dueTime(id, task));
    }
    for (const task of retrying.values()) consider(retryDue(task, index, rules.config.retry));
    for (const task of pending.values()) {
      if (task.notBefore !== null && wanted(task)) consider(parseTime(task.notBefore));
    }
    return times.length === 0 ? null : Math.min(...times);
  }

  function finished(now: number): boolean {
    if (options.until === "forever") return false;
    if (running.size > 0 || reaping.size > 0 || ending.size > 0) return false;
    for (const task of retrying.values()) {
      if (successors.has(task.taskId) || retryDue(task, index, rules.config.retry) !== null) {
        return false;
      }
    }
    const lanes = pausedLanes(laneTasks(), now);
    for (const task of pending.values()) {
      if (!wanted(task)) continue;
      const limits = { parallel: 1, perAgent: new Map(), lanes: new Map() };
      const later = { ...task, notBefore: null };
      // What a pause or a time holds back will run by itself; what is blocked will not.
      if (lanes.has(task.agent) || task.notBefore !== null) {
        if (pickNext([later], [], index, limits, now).length > 0) return false;
      } else if (pickNext([task], [], index, limits, now).length > 0) return false;
    }
    return true;
  }

  load();
  let nextRescan = performance.now() + options.interval * 1000;
  let rescanBegan: number | undefined;
  let rescans = 0;
  let wall = queue.now();
  let steady = performance.now();
  await probeStrangers();
  while (!signal.aborted) {
    const orders = options.orders?.();
    if (orders !== undefined) ({ launch, parallel } = orders);
    for (const name of watch.take()) {
      const dot = name.indexOf(".");
      const id = name.slice(0, dot);
      if (!isTaskId(id)) continue;
      const mark = name.slice(dot + 1);
      if (mark === "json") {
        const before = tasks.get(id);
        reload(id);
        if (tasks.get(id) !== before) changed = true;
        if (tasks.get(id)?.status === "running" && before?.status !== "running") dirty.add(id);
      } else if (mark !== "pid") dirty.add(id);
    }
    const turn = [...dirty];
    dirty.clear();
    const now = queue.now();
    for (const id of dueNow(now)) turn.push(id);
    const known = new Set(
      turn.filter((id) => running.has(id) || reaping.has(id) || pending.has(id)),
    );
    if (known.size > 0) {
      attempt("lock", () =>
        store.locked(() => {
          for (const id of known) if (!ending.has(id)) stepTask(id);
        }));
    }
    probed = undefined;
    retryNow(queue.now());
    // Launched as the settings say now, not as they were when we fell asleep.
    if (pending.size > 0) await refreshRules();
    launchNow(queue.now());
    const warnAt = warnNow(queue.now());
    if (changed) {
      changed = false;
      options.onTurn?.(tasks);
    }
    if (dirty.size > 0) continue;
    if (finished(queue.now())) {
      // Whoever launches does so inside the lock and looks for us after it: looking once more
      // inside the lock makes sure that nobody counts on us while we leave.
      const leave = store.locked(() => {
        load();
        dirty.clear();
        if (!finished(queue.now())) return false;
        options.onIdle?.();
        return true;
      });
      if (leave) break;
      // Somebody queued a task just now. Should it not be launched either, others have their turn.
      await pause(100, signal, [watch.changed()]);
      continue;
    }
    if (rescanBegan !== undefined) {
      // What a rescan costs, with all that it led to, stays a small share of the time.
      const least = options.interval * 1000;
      const fair = Math.min((performance.now() - rescanBegan) / RESCAN_SHARE, 12 * least);
      // Where nothing is watched, or something is to be tried again, the interval is all there is.
      const urgent = !watch.active || failures.size > 0;
      nextRescan = performance.now() + (urgent ? least : Math.max(least, fair));
      rescanBegan = undefined;
    }
    const times = [nextTime(), warnAt].filter((time) => time !== null);
    // What is due and yet did not change a moment ago is not asked again at once.
    const least = turn.length > 0 ? 0 : 100;
    const untilDue = times.length === 0
      ? Infinity
      : Math.max(least, Math.min(...times) - queue.now());
    const untilRescan = Math.max(0, nextRescan - performance.now());
    const soon = dirtyLater.size > 0 ? 10 : Infinity;
    await sleep(Math.min(untilDue, untilRescan, soon));
    for (const id of dirtyLater) dirty.add(id);
    dirtyLater.clear();
    const drift = Math.abs((queue.now() - wall) - (performance.now() - steady));
    wall = queue.now();
    steady = performance.now();
    // The clock was set, or the machine slept: whatever was missed is caught by a look at all.
    if (performance.now() >= nextRescan || drift > 5000) {
      rescanBegan = performance.now();
      await rescan();
    }
  }
  return tasks;

  function* dueNow(now: number): Iterable<string> {
    for (const group of [running, reaping]) {
      for (const [id, task] of group) {
        const due = dueTime(id, task);
        if (due !== null && due <= now) yield id;
      }
    }
  }

  /**
   * The safety net, for events that were lost: looks at names, and asks whether processes are there,
   * which is cheap; reads files and compares start times only now and then.
   */
  async function rescan(): Promise<void> {
    rescans++;
    const thorough = rescans % THOROUGH === 0;
    failures.clear();
    try {
      const names = new Set<string>();
      for (const { name } of Deno.readDirSync(store.tasksDir)) names.add(name);
      for (const id of [...tasks.keys()]) {
        if (!names.has(`${id}.json`)) keep(undefined, id);
      }
      for (const name of names) {
        const dot = name.indexOf(".");
        const id = name.slice(0, dot);
        if (!isTaskId(id)) continue;
        const mark = name.slice(dot + 1);
        if (mark === "json") {
          if (!tasks.has(id)) reload(id);
        } else if (
          running.has(id) ? !mark.endsWith("pid") : pending.has(id) && mark === "cancelled"
        ) {
          dirty.add(id);
        }
      }
      const seen = await launcher.probe(
        [...observations.values()].flatMap(({ shim }) => shim ?? []),
      );
      for (const [id, task] of [...running, ...reaping]) {
        const shim = observations.get(id)?.shim;
        const limited = task.budget !== null || task.idleTimeout !== null;
        if (thorough) reload(id);
        if (shim?.pid != null && seen.get(shim.token) === "alive" && !limited && !thorough) {
          continue;
        }
        dirty.add(id);
      }
      if (thorough) await probeStrangers();
      else {probed = await queue.probe([...dirty].flatMap((id) =>
          running.get(id) ?? reaping.get(id) ?? []
        ));}
    } catch (error) {
      // The folder cannot be read right now: the next rescan tries again.
      options.onProblem?.(toOrchestraError(error, "Rescanning").message);
    }
    changed = true;
  }

  async function sleep(millis: number): Promise<void> {
    await refreshRules();
    if (dirty.size > 0 || signal.aborted) return;
    const woken = new Promise<void>((resolve) => wakeChild = resolve);
    // Timers take at most 2^31 - 1 ms.
    await pause(Math.min(millis, 2_000_000_000), signal, [watch.changed(), woken]);
    wakeChild = undefined;
  }

  /** Settings and agents may be edited while we run; a broken edit leaves the last good ones. */
  async function refreshRules(): Promise<void> {
    try {
      if (filesChanged()) rules = await queue.rules();
    } catch {
      // Every command that looks reports it.
    }
  }

  function filesChanged(): boolean {
    const stamp = [`${store.dir}/config.json`, `${store.root}/.orchestra-cli/agent-config.json`]
      .map((path) => lstat(path)?.mtime?.getTime() ?? 0).join();
    const different = stamp !== rulesStamp;
    rulesStamp = stamp;
    return different;
  }
}

/** A settled task without the texts that no decision needs. */
function slim(task: Task): Task {
  return {
    ...task,
    prompt: "",
    errorDetails: null,
    retryHistory: task.retryHistory.slice(-1).map((entry) => ({ ...entry, error: null })),
    result: null,
    usage: null,
    labels: NO_LABELS,
  };
}

const NO_LABELS: Record<string, string> = {};

/** Whether a task was queued by the queue itself, as a retry or because of a pause. */
export function isAutomatic(task: Task): boolean {
  const { length } = task.retryHistory;
  // A successor that used up no retry follows a pause, whether retries are wanted or not.
  return length > 0 && (task.autoRetry || task.retryCount < length);
}
