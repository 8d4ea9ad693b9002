// All tasks of a workspace in memory, kept by what the folder's watch tells and by a slow rescan for what
// it does not. Whatever watches a queue has one; what a change costs does not grow with the number of
// tasks. It reads and never writes: all it knows is on disk.

import type { Change } from "../decide/changes.ts";
import type { SharedView } from "../decide/room.ts";
import { createModel, type LiveModel } from "../decide/model.ts";
import { findArchived } from "../store/archive.ts";
import { stampOf } from "../store/files.ts";
import type { Damage, Store } from "../store/tasks.ts";
import { holdPipes, watchFolder } from "../store/watch.ts";
import { OrchestraError } from "../task/error.ts";
import { isTaskId } from "../task/id.ts";
import { isClosed, isTerminal, type ParsedTask, type Task } from "../task/fields.ts";

/** How a mirror is kept. */
export interface MirrorOptions {
  /** Settled tasks keep all their texts; otherwise only what decisions need. */
  whole: boolean;
  /** Called with each change, in order, whoever made it. */
  onChange(change: Change): void;
  /** Called with each task whose file is another one, or is gone. */
  onKeep?(id: string): void;
  /** Called where the folder cannot be watched. */
  onProblem(reason: string): void;
  /** The tasks as they were last seen: what has changed since is told of. */
  from?: readonly Task[];
  /** What holds across workspaces; nothing where absent. */
  shared?(isReady: boolean, atWork: readonly Task[]): SharedView;
  /** Whether a file beside a task tells nothing that will not be told otherwise. */
  isKnown?(id: string, mark: string): boolean;
}

/** How much of the folder is looked at again: its names; also what is not settled; or each file. */
export type Depth = "names" | "open" | "all";

/** All tasks in memory. */
export interface Mirror extends LiveModel, Disposable {
  /** Task files that cannot be read, by id. */
  readonly damaged: ReadonlyMap<string, Damage>;
  /** What holds across workspaces now. */
  readonly shared: SharedView | undefined;
  /** Whether the system tells of changes; otherwise only a rescan finds them. */
  readonly watched: boolean;
  /** Reads what changed since the last call; says whether that tells anything. */
  catchUp(): boolean;
  /** Reads one task's file, where it is another one, for who knows of a change before the system tells. */
  look(id: string): void;
  /**
   * Fulfilled when something was read that tells anything: of all that the system tells, most is what we
   * did ourselves.
   */
  changed(): Promise<void>;
  /** The safety net, for changes that were not told of. */
  rescan(depth: Depth): void;
}

/** A change that is told of is told of within this, milliseconds. */
const TOLD_WITHIN = 2000;

/** Reads all tasks and keeps them. */
export function openMirror(store: Store, options: MirrorOptions): Mirror {
  const watch = watchFolder(store.tasksDir, options.onProblem);
  const scan = store.scan();
  const damaged = new Map<string, Damage>();
  for (const damage of scan.damaged) damaged.set(idIn(damage.file), damage);
  const model = createModel(
    (options.from ?? scan.tasks).map(fit),
    (ids, known, found) => findArchived(store, ids, known, found),
  );
  /** Changes since `from`: told of with the first look, for nobody has the mirror yet. */
  let early: Change[] | undefined = [];
  /** How often a task was read that is another one. */
  let kept = 0;
  let waiting: Promise<void> | undefined;
  /** What each task's file was when it was last read: another content has another stamp. */
  const stamps = new Map<string, string>();

  if (options.from !== undefined) {
    const there = new Set(scan.tasks.map(({ taskId }) => taskId));
    for (const { taskId } of options.from) if (!there.has(taskId)) keep(taskId, undefined);
    // Any of them may have changed since it was read: no stamp is theirs.
    for (const task of scan.tasks) keep(task.taskId, task, "");
  }
  for (const task of scan.tasks) {
    const { taskId: id, status } = task;
    if (status === "running" || task.reapAt !== null) model.touch(id);
    if (status === "pending" && scan.marks.get(id)?.includes("cancelled")) model.touch(id);
  }

  /** Ten thousand settled tasks must not fill the memory of one that nobody looks at. */
  function fit(task: Task): Task {
    return options.whole || !isTerminal(task.status) || task.reapAt !== null ? task : slim(task);
  }

  function keep(id: string, task: Task | undefined, stamp = stampNow(id)): Change[] {
    if (task === undefined) stamps.delete(id);
    else {
      damaged.delete(id);
      stamps.set(id, stamp);
    }
    kept++;
    options.onKeep?.(id);
    const changes = model.keep(id, task === undefined ? undefined : fit(task));
    for (const change of changes) {
      if (early === undefined) options.onChange(change);
      else early.push(change);
    }
    return changes;
  }

  function stampNow(id: string): string {
    return stampOf(`${store.tasksDir}/${id}.json`);
  }

  /** Reads a task's file again, where it is another one. */
  function reload(id: string): void {
    // Before it is read: what changes while we read has another stamp, and is read again.
    const stamp = stampNow(id);
    if (stamps.get(id) === stamp) return;
    const before = model.index.byId.get(id)?.status;
    const read = tryRead(id);
    if (read === undefined || "task" in read) keep(id, read?.task, stamp);
    else {
      // Reported by every command that looks; the rest of the queue goes on.
      keep(id, undefined);
      damaged.set(id, { file: `.orchestra/tasks/${id}.json`, problem: read.problem });
    }
    if (model.running.has(id) && before !== "running") model.touch(id);
  }

  function tryRead(id: string): ParsedTask | undefined {
    try {
      return store.tryRead(id);
    } catch (error) {
      return { problem: error instanceof OrchestraError ? error.message : String(error) };
    }
  }

  /** What a file beside a task, by its name, tells of it. */
  function note(id: string, mark: string): void {
    if (mark === "json") reload(id);
    // The pid file of a launch says nothing that the launch did not.
    else if (!/^\d+\.pid$/.test(mark) && !options.isKnown?.(id, mark)) model.touch(id);
  }

  function catchUp(): boolean {
    const before = kept;
    const first = early ?? [];
    early = undefined;
    for (const change of first) options.onChange(change);
    for (const name of watch.take()) {
      const dot = name.indexOf(".");
      const id = name.slice(0, dot);
      if (isTaskId(id)) note(id, name.slice(dot + 1));
    }
    return kept !== before || model.touched.size > 0;
  }

  /** It told of nothing when it should have, the last time that this was found out. */
  let silent = false;
  /** How much it had told of before we knocked, and when that was. */
  let knocked: { heard: number; at: number } | undefined;

  /** Finds out whether changes are told of, where there is reason to doubt it. */
  function listen(doubtful: boolean): void {
    if (knocked !== undefined) {
      const heard = watch.heard !== knocked.heard;
      // It takes its time, and a turn of the event loop.
      if (!heard && performance.now() < knocked.at + TOLD_WITHIN) return;
      silent = !heard;
      knocked = undefined;
      if (silent) {
        options.onProblem("the system tells of no changes");
        holdPipes();
      }
    }
    if (!watch.active || !(silent || doubtful)) return;
    const { heard } = watch;
    if (watch.knock()) knocked = { heard, at: performance.now() };
  }

  async function untilChanged(): Promise<void> {
    do await watch.changed(); while (!catchUp());
    waiting = undefined;
  }

  return {
    ...model,
    damaged,
    get shared() {
      const atWork = [...model.running.values(), ...model.reaping.values()];
      return options.shared?.(hasOne(model.ready(false)), atWork);
    },
    get watched() {
      return watch.active && !silent;
    },
    keep,
    catchUp,
    look: reload,
    changed: () => waiting ??= untilChanged(),
    rescan(depth) {
      const names = new Set<string>();
      const before = kept;
      let doubtful = false;
      let hasPipe = false;
      for (const { name, isFile, isDirectory, isSymlink } of Deno.readDirSync(store.tasksDir)) {
        names.add(name);
        if (isFile || isDirectory) continue;
        doubtful = true;
        hasPipe ||= !isSymlink;
      }
      if (hasPipe || silent) holdPipes();
      const { byId } = model.index;
      for (const id of [...byId.keys()]) if (!names.has(`${id}.json`)) keep(id, undefined);
      for (const id of [...damaged.keys()]) if (!names.has(`${id}.json`)) damaged.delete(id);
      for (const name of names) {
        const dot = name.indexOf(".");
        const id = name.slice(0, dot);
        if (!isTaskId(id)) continue;
        const mark = name.slice(dot + 1);
        if (mark === "json") {
          if (depth === "all" || isOpen(byId.get(id), depth)) reload(id);
        } else if (
          model.running.has(id) ? !mark.endsWith("pid") : mark === "cancelled" && isPending(id)
        ) model.touch(id);
      }
      // Most likely it is about to be told of.
      listen(doubtful || kept !== before);
    },
    [Symbol.dispose]: () => watch[Symbol.dispose](),
  };

  function isPending(id: string): boolean {
    return model.index.byId.get(id)?.status === "pending";
  }
}

/** Whether a task is new to us, or may have changed where that is asked for. */
function isOpen(task: Task | undefined, depth: Depth): boolean {
  return task === undefined || (depth === "open" && !isClosed(task));
}

/** Whether there is anything: no more than one is made. */
export function hasOne(items: Iterable<unknown>): boolean {
  for (const _item of items) return true;
  return false;
}

function idIn(file: string): string {
  const name = file.slice(file.lastIndexOf("/") + 1);
  return name.endsWith(".json") ? name.slice(0, -5) : name;
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
