// What is in `tasks/`: task files and the marks beside them, and the files that others keep below
// `.orchestra/`. Every write goes to a file beside its target and is renamed, so that readers never see
// half a file and a kill at any point leaves either the old or the new content; it is synced where more
// depends on it than advice. Nothing here follows a symbolic link below the workspace root.

import {
  createExclusive,
  ForeignFile,
  linkOrMove,
  lstat,
  MAX_TASK,
  messageOf,
  readBounded,
  readHead,
  readRegular,
  removeFile,
  replaceFile,
  syncAll,
  syncFolder,
  tryReadRegular,
  writeTemporary,
} from "./files.ts";
import { foreignError, isClosedToOthers, isObeyed, isSafe } from "./owner.ts";
import {
  createFolders,
  FOLDERS,
  isRefusedByWindows,
  isWorkspace,
  refuseLink,
  trimSlash,
  untrimmed,
} from "./paths.ts";
import { createSections } from "./sections.ts";
import { OrchestraError } from "../task/error.ts";
import {
  formatTask,
  formatTaskId,
  formatTime,
  isClosed,
  isTaskId,
  type ParsedTask,
  parseTask,
  type Task,
} from "../task/fields.ts";
import { type EventKind, formatEvent, type HistoryEvent, parseEvent } from "../task/event.ts";
import { NO_TRACE, type Trace } from "../task/trace.ts";
import { eventsBetween, hasHappened, pastEvents, taskEvent } from "../decide/history.ts";
import { compareIds } from "../decide/schedule.ts";
import type { Witness } from "./history.ts";

/** A file that is not what it should be: reported by name, kept as it is. */
export interface Damage {
  /** Path relative to the workspace root. */
  file: string;
  /** What is wrong with it, to be read after the file's name. */
  problem: string;
}

/** What one pass over `tasks/` found. */
export interface Scan {
  /** By id, oldest first. */
  tasks: Task[];
  damaged: Damage[];
  /** For each id, what follows it in the names of the other files: `done`, `1.pid`, … */
  marks: Map<string, string[]>;
}

/** The tasks that a later {@linkcode Store.scan} need not read again: nothing becomes of them any more. */
export function closedOf(tasks: readonly Task[]): Map<string, Task> {
  return new Map(tasks.filter(isClosed).map((task) => [task.taskId, task]));
}

/** A small file beside a task: a sentinel, an exit code, a pid file. */
export interface Mark {
  text: string;
  /** Milliseconds since the epoch. */
  modifiedAt: number;
}

/** Of a sentinel no more than this is read, bytes. */
const MAX_MARK = 64 * 1024;
/** Marks that agents write, and whose content counts only if it is theirs alone. */
const AGENTS_MARKS: ReadonlySet<string> = new Set(["done", "error"]);

/** A workspace on disk. All methods are synchronous and short. */
export interface Store {
  /** Told of what is locked, looked at and written. */
  readonly trace: Trace;
  /** Workspace root, absolute, without a slash at the end. */
  readonly root: string;
  /** `<root>/.orchestra` */
  readonly dir: string;
  /**
   * Which workspace it is, wherever it lies: a copy is another one, and so is one that was made anew in
   * its place. Empty before its folders are made.
   */
  readonly identity: string;
  /** `<root>/.orchestra/tasks` */
  readonly tasksDir: string;
  /** A path below the workspace root as it is called there. */
  relative(path: string): string;
  /** Makes the folders of a workspace that has none yet, as everything does that writes. */
  make(): void;
  /** Whether they are there; where they are not, there are no tasks. */
  isMade(): boolean;
  /** Whether `.orchestra/` and `tasks/` are the folders that they were: not moved, removed or exchanged. */
  isHere(): boolean;
  /** Kinds of what this process has told in the history. */
  readonly told: ReadonlySet<EventKind>;
  /** Runs `critical` while no other process is inside a locked section of this workspace. */
  locked<T>(critical: () => T): T;
  /**
   * Does something for each of many while no other process is inside a locked section; every now and
   * then others have their turn, unless all of it is inside a locked section itself.
   *
   * @param begin called first in each of the locked sections: others may have changed what is there
   */
  lockedEach<T>(items: readonly T[], each: (item: T) => void, begin?: () => void): void;
  /**
   * Reads all task files.
   *
   * @param known tasks as they were read before, by id, that need not be read again where they are there
   */
  scan(known?: ReadonlyMap<string, Task>): Scan;
  /** One task; undefined where there is no such file. Throws `damaged` where it is malformed. */
  read(id: string): Task | undefined;
  /** The same, or what is wrong with its text. */
  tryRead(id: string): ParsedTask | undefined;
  /** The same for an archived task. */
  readArchived(id: string): Task | undefined;
  /** Whether a task with this id is archived; its file is not looked into. */
  isArchived(id: string): boolean;
  /** Whether a task has this id, archived ones included; its file is not looked into. */
  has(id: string): boolean;
  /**
   * Replaces a task's file. Its content is synced, the folder is not: after a power cut the file has
   * its old or its new content, and from the old one the same evidence leads to the new one again.
   */
  write(task: Task): void;
  /** Does what takes a task's file to where it goes, or brings it back. */
  leave(task: Task, event: "archived" | "restored" | "removed", action: () => void): void;
  /** Tells what happened to the queue as a whole. */
  tell(events: readonly HistoryEvent[]): void;
  /**
   * Creates the file of a new task, durably, under the first free id from the wanted one up.
   *
   * @param make the task for an id
   * @param millis the wanted id's time, milliseconds since the epoch
   */
  create(make: (id: string) => Task, millis: number): Task;
  /**
   * Creates the files of many new tasks, durably. They are written first, for that takes its time; then
   * all appear in one locked section, or (where the system refuses) none that the caller was told of.
   *
   * @param check asked first in that section; nothing is created where it says no
   * @returns whether they were created: not where one of the ids was taken meanwhile
   */
  createAll(tasks: readonly Task[], check?: () => boolean): boolean;
  /** The first id from the wanted one up that no task has; for {@linkcode createAll}. */
  freeId(millis: number): string;
  /** Path of a file beside a task: `tasks/<id>.<mark>`, absolute. */
  markPath(id: string, mark: string): string;
  /** Content of such a file; undefined where it does not exist or is no regular file. */
  readMark(id: string, mark: string): Mark | undefined;
  /** Replaces such a file, whole but not synced: for what a synced write right after it confirms. */
  writeHint(id: string, mark: string, text: string): void;
  /** Creates such a file; false where it exists already. */
  createMark(id: string, mark: string, text: string): boolean;
  /** Removes such a file; nothing happens where it does not exist. */
  removeMark(id: string, mark: string): void;
  /** Whether a folder stands where a file is expected. */
  isFolder(id: string, mark: string): boolean;
  /** Everything in `tasks/` that belongs to one task, as marks; `json` is not among them. */
  listMarks(id: string): string[];
  /** Replaces a file below `.orchestra/`, durably. */
  writeFile(path: string, text: string): void;
  /** The same for what may be lost in a power cut. */
  writeAdvice(path: string, text: string): void;
  /** Content of a file below the workspace root; undefined where it does not exist. */
  readFile(path: string): string | undefined;
  /**
   * Absolute path of a path in a task, which must lead to a place below `.orchestra/`.
   *
   * @param purpose what the path is for, to begin an error with
   * @param folder the one folder of `.orchestra/` that it may lead into; any where absent
   */
  resolve(path: string, purpose: string, folder?: string): string;
  /** Removes a file below `.orchestra/`; nothing happens where it does not exist. */
  remove(path: string): void;
}

/** What a store is opened with. */
export interface StoreOptions {
  trace?: Trace;
  /** Milliseconds since the epoch. */
  now?: () => number;
  /** How long the lock is waited for, milliseconds; for ever where absent. */
  patience?: number;
}

/**
 * A folder by what no other has at the same time, and by when it was made: numbers are given out again. On
 * Windows a number says itself how often it was, and Wine takes each change for a making.
 */
function identityOf({ dev, ino, birthtime }: Deno.FileInfo): string {
  const made = Deno.build.os === "windows" ? 0 : birthtime?.getTime() ?? 0;
  return [dev, ino ?? 0, made].map((part) => part.toString(36)).join(".");
}

/**
 * Opens the workspace whose root is given. Folders that an older workspace lacks are made.
 *
 * @throws OrchestraError `no-workspace`, or `damaged` where a folder is a link
 */
export function openStore(
  root: string,
  { trace = NO_TRACE, now = Date.now, patience }: StoreOptions = {},
): Store {
  const base = trimSlash(root);
  const dir = `${base}/.orchestra`;
  if (!isWorkspace(base)) {
    throw new OrchestraError("no-workspace", `No workspace in ${root}: .orchestra is not there`, {
      hint: "Make one with: orchestra init",
    });
  }
  // A clone has only `.orchestra-cli/`: whoever first writes makes the rest.
  let opened = lstat(dir);
  let made = opened !== undefined;
  const folders = [opened];
  if (made) {
    refuseLink(dir, ".orchestra");
    for (const name of FOLDERS) {
      const info = lstat(`${dir}/${name}`);
      folders.push(info);
      if (info === undefined || !info.isDirectory || info.isSymlink) {
        createFolders(root);
        break;
      }
    }
  }
  const folder = untrimmed(base);
  const foreign = [...folders, lstat(`${base}/.orchestra-cli`)]
    .find((info) => info !== undefined && !isObeyed(info));
  const trusted = foreign !== undefined && isSafe(folder);
  if (foreign !== undefined && !trusted) throw foreignError(folder, foreign);
  /** Others may have put files in: each is looked at. In a folder that is closed all are ours. */
  const isShared = !trusted &&
    folders.some((info) => info !== undefined && !isClosedToOthers(info));
  function make(): void {
    if (made) return;
    createFolders(root);
    made = true;
    opened = lstat(dir);
  }
  const tasksDir = `${dir}/tasks`;
  const relative = (path: string) =>
    path.startsWith(`${base}/`) ? path.slice(base.length + 1) : path;

  /**
   * Where a file is on its way to its name: in a folder that nobody watches, for each step of its making
   * would wake whoever watches `tasks/`, and cost Deno ten times what it costs us.
   */
  const temporaryOf = (path: string) =>
    `${dir}/${path.slice(path.lastIndexOf("/") + 1)}.${Deno.pid}.tmp`;
  const replace = (path: string, text: string, sync?: "content" | "nothing") =>
    replaceFile(path, temporaryOf(path), text, sync);

  /** The folder of tasks as it was when it was first looked for. */
  let inner: number | null | undefined;
  const obeyed = trusted ? undefined : isObeyed;

  const sections = createSections(dir, { make, trace, witness: witness(), patience });
  const { locked, lockedEach, told } = sections;

  /** What the files tell of what was to be written when somebody was killed. */
  function witness(): Witness {
    return {
      hasHappened(line) {
        const event = parseEvent(line);
        if (event === undefined) return false;
        const { task: id } = event;
        if (id === undefined || !isTaskId(id)) return id === undefined;
        const task = soundTask(taskPath("tasks", id, "json"), id);
        return hasHappened(event, { task, isArchived: isArchived(id) });
      },
      past: () => pastEvents([...scan().tasks, ...archivedTasks()], now()).map(formatEvent),
      problem: (error) => trace("history not written", { problem: messageOf(error) }),
    };
  }

  function archivedTasks(): Task[] {
    const tasks: Task[] = [];
    for (const { name } of Deno.readDirSync(`${dir}/archive`)) {
      const id = name.endsWith(".json") ? name.slice(0, -5) : "";
      const task = isTaskId(id) ? soundTask(taskPath("archive", id, "json"), id) : undefined;
      if (task !== undefined) tasks.push(task);
    }
    return tasks;
  }

  function scan(known?: ReadonlyMap<string, Task>): Scan {
    const tasks: Task[] = [];
    const damaged: Damage[] = [];
    const marks = new Map<string, string[]>();
    // Somebody else may have made it since.
    if (!made && lstat(tasksDir) === undefined) return { tasks, damaged, marks };
    // By name before any is read: most ids have one length, and so are in order.
    const names: string[] = [];
    const strange = new Map<string, Deno.DirEntry>();
    for (const entry of Deno.readDirSync(tasksDir)) {
      names.push(entry.name);
      if (!entry.isFile) strange.set(entry.name, entry);
    }
    for (const name of names.sort()) {
      const dot = name.indexOf(".");
      const id = dot < 0 ? name : name.slice(0, dot);
      const mark = dot < 0 ? "" : name.slice(dot + 1);
      if (!isTaskId(id)) {
        // The ancestor's index: derived from the tasks, of no use to us, and no task.
        if (mark === "json" && id !== "index") {
          damaged.push({
            file: `.orchestra/tasks/${name}`,
            problem: "is not named after a task id",
          });
        }
        continue;
      }
      if (mark !== "json") {
        const list = marks.get(id);
        if (list === undefined) marks.set(id, [mark]);
        else list.push(mark);
        continue;
      }
      const before = known?.get(id);
      if (before !== undefined) {
        tasks.push(before);
        continue;
      }
      const file = `.orchestra/tasks/${name}`;
      const entry = strange.get(name);
      if (entry !== undefined) {
        damaged.push({
          file,
          problem: entry.isSymlink
            ? "is a symbolic link, which is not followed"
            : `is not a file, but a ${entry.isDirectory ? "folder" : "pipe or a device"}`,
        });
        continue;
      }
      let text: string | undefined;
      try {
        text = readBounded(`${tasksDir}/${name}`, isShared ? isObeyed : undefined);
      } catch (error) {
        // Archived or cleaned between the listing and the reading.
        if (error instanceof Deno.errors.NotFound) continue;
        if (error instanceof ForeignFile) {
          damaged.push({ file, problem: error.message });
          continue;
        }
        damaged.push({ file, problem: `cannot be read: ${messageOf(error)}` });
        continue;
      }
      const parsed = text === undefined ? { problem: "is too large" } : parseTask(text, id);
      if ("problem" in parsed) damaged.push({ file, problem: parsed.problem });
      else tasks.push(parsed.task);
    }
    trace("tasks looked at", { tasks: tasks.length, damaged: damaged.length });
    return { tasks: isInOrder(tasks) ? tasks : tasks.sort(byId), damaged, marks };
  }

  /** Path of a task's file; what is no id never becomes one. */
  function taskPath(folder: string, id: string, ending: string): string {
    if (!isTaskId(id)) {
      throw new OrchestraError("damaged", `${JSON.stringify(id)} is not a task id`);
    }
    return `${dir}/${folder}/${id}.${ending}`;
  }

  function read(id: string): Task | undefined {
    const task = readTask(taskPath("tasks", id, "json"), id);
    if (task !== undefined) sections.saw(task);
    return task;
  }

  function write(task: Task): void {
    const { taskId: id, status, claim } = task;
    const path = taskPath("tasks", id, "json");
    locked(() => {
      const before = sections.seen(id) ?? soundTask(path, id);
      told(eventsBetween(before, task, now()), () => {
        trace("task written", { id, status, claim });
        replace(path, formatTask(task), "content");
      });
      sections.saw(task);
    });
  }

  function soundTask(path: string, id: string): Task | undefined {
    const parsed = parseFile(path, id);
    return parsed !== undefined && "task" in parsed ? parsed.task : undefined;
  }

  function parseFile(path: string, id: string): ParsedTask | undefined {
    const read = tryReadRegular(path, MAX_TASK, isShared ? isObeyed : undefined);
    if (read === undefined) return undefined;
    const parsed = "text" in read ? parseTask(read.text, id) : read;
    trace("task read", { file: relative(path), ok: "task" in parsed });
    return parsed;
  }

  function readTask(path: string, id: string): Task | undefined {
    const parsed = parseFile(path, id);
    if (parsed === undefined) return undefined;
    if ("problem" in parsed) {
      throw new OrchestraError(
        "damaged",
        `Reading ${relative(path)}: it ${parsed.problem}`,
        {
          hint: "Mend the file by hand, or move it out of the folder.",
        },
      );
    }
    return parsed.task;
  }

  /** An archived task keeps its id. */
  function isArchived(id: string): boolean {
    return lstat(`${dir}/archive/${id}.json`) !== undefined;
  }

  function has(id: string): boolean {
    return lstat(`${tasksDir}/${id}.json`) !== undefined || isArchived(id);
  }

  function freeId(millis: number): string {
    for (let number = Math.max(0, Math.trunc(millis));; number++) {
      const id = formatTaskId(number);
      if (!has(id)) return id;
    }
  }

  function createAll(tasks: readonly Task[], check: () => boolean = () => true): boolean {
    make();
    const files = tasks.map((task) => taskPath("tasks", task.taskId, "json"));
    const written: string[] = [];
    try {
      for (const [at, task] of tasks.entries()) {
        const temporary = temporaryOf(files[at]!);
        writeTemporary(temporary, formatTask(task), false);
        written.push(temporary);
      }
      syncAll(written, tasksDir);
      const events = tasks.flatMap((task) => eventsBetween(undefined, task, now()));
      const isCreated = locked(() =>
        check() && told(events, () => giveNames(written, files), (done) => done)
      );
      if (!isCreated) return false;
    } finally {
      for (const path of written) removeFile(path);
    }
    syncFolder(tasksDir);
    trace("tasks created", { ids: tasks.map(({ taskId }) => taskId) });
    return true;
  }

  /** Gives files their names, all or none: false where one is taken. */
  function giveNames(written: readonly string[], files: readonly string[]): boolean {
    const named: string[] = [];
    try {
      for (const [at, path] of files.entries()) {
        linkOrMove(written[at]!, path);
        named.push(path);
      }
      return true;
    } catch (error) {
      for (const path of named) removeFile(path);
      if (error instanceof Deno.errors.AlreadyExists) return false;
      throw error;
    }
  }

  function create(makeTask: (id: string) => Task, millis: number): Task {
    make();
    for (let number = Math.max(0, Math.trunc(millis));; number++) {
      const id = formatTaskId(number);
      if (isArchived(id)) continue;
      const task = makeTask(id);
      const path = taskPath("tasks", task.taskId, "json");
      const create = () => createExclusive(path, temporaryOf(path), formatTask(task));
      if (told(eventsBetween(undefined, task, now()), create, (done) => done)) {
        syncFolder(tasksDir);
        trace("task created", { id: task.taskId, agent: task.agent });
        return task;
      }
    }
  }

  function markPath(id: string, mark: string): string {
    return taskPath("tasks", id, mark);
  }

  function readMark(id: string, mark: string): Mark | undefined {
    const path = markPath(id, mark);
    // A sentinel that is a link or a folder still says what its name says; its content is not read. Nor is
    // that of one which is another file as well: what an agent says is not what stands elsewhere.
    const isAgents = AGENTS_MARKS.has(mark);
    // Pid files are read with every look; the others may be exchanged for a pipe without holding us up.
    const head = readHead(path, MAX_MARK, !mark.endsWith(".pid"));
    if (head === undefined) return undefined;
    return { text: isAgents && head.links > 1 ? "" : head.text, modifiedAt: head.modifiedAt };
  }

  function createMark(id: string, mark: string, text: string): boolean {
    const path = markPath(id, mark);
    const created = createExclusive(path, temporaryOf(path), text);
    trace(created ? "mark created" : "mark was there", { file: `${id}.${mark}` });
    if (created) syncFolder(tasksDir);
    return created;
  }

  function listMarks(id: string): string[] {
    const marks: string[] = [];
    for (const { name } of Deno.readDirSync(tasksDir)) {
      if (name.startsWith(`${id}.`) && name !== `${id}.json`) marks.push(name.slice(id.length + 1));
    }
    return marks.sort();
  }

  function resolve(path: string, purpose: string, only?: string): string {
    const parts = path.replaceAll("\\", "/").split("/");
    if (
      parts[0] !== ".orchestra" || parts.length < 3 || (only !== undefined && parts[1] !== only) ||
      path.includes("\0") ||
      // Windows overlooks dots and blanks at the end of a name, and takes a colon for its own purposes.
      parts.some((part) => /^$|[. ]$|:/.test(part)) ||
      (Deno.build.os === "windows" && parts.some(isRefusedByWindows))
    ) {
      throw new OrchestraError(
        "damaged",
        `${purpose}: ${JSON.stringify(path)} is not a path below .orchestra/${only ?? ""}`,
        { hint: "Mend the task file by hand." },
      );
    }
    for (let length = 2; length < parts.length; length++) {
      const folder = `${base}/${parts.slice(0, length).join("/")}`;
      const info = lstat(folder);
      if (info?.isSymlink) {
        throw new OrchestraError("damaged", `${purpose}: ${relative(folder)} is a symbolic link`, {
          hint: "Orchestra follows no links there: replace it with the folder itself.",
        });
      }
    }
    return `${base}/${parts.join("/")}`;
  }

  trace("workspace opened", { root: base });
  return {
    trace,
    root: folder,
    dir,
    tasksDir,
    relative,
    get identity() {
      return opened === undefined ? "" : identityOf(opened);
    },
    told: sections.kinds,
    locked,
    lockedEach,
    scan,
    read,
    tryRead: (id) => parseFile(taskPath("tasks", id, "json"), id),
    isArchived,
    has,
    readArchived: (id) => readTask(taskPath("archive", id, "json"), id),
    write,
    leave(task, event, action) {
      told([taskEvent(task, event, formatTime(now()))], action);
      sections.forget(task.taskId);
    },
    tell: (events) => told(events, () => {}),
    create,
    createAll,
    freeId,
    markPath,
    readMark,
    writeHint(id, mark, text) {
      trace("mark written", { file: `${id}.${mark}` });
      replace(markPath(id, mark), text, "nothing");
    },
    createMark,
    removeMark(id, mark) {
      trace("mark removed", { file: `${id}.${mark}` });
      removeFile(markPath(id, mark));
    },
    isFolder: (id, mark) => lstat(markPath(id, mark))?.isDirectory === true,
    listMarks,
    make,
    isMade: () => made || lstat(tasksDir) !== undefined,
    isHere() {
      if (!made) return true;
      const [info, tasks] = [lstat(dir), lstat(tasksDir)];
      inner ??= tasks?.ino;
      return info?.isDirectory === true && info.ino === opened?.ino &&
        tasks?.isDirectory === true && tasks.ino === inner;
    },
    writeFile(path, text) {
      make();
      trace("file written", { file: relative(path), bytes: text.length });
      replace(path, text);
    },
    writeAdvice(path, text) {
      make();
      trace("file written", { file: relative(path), bytes: text.length });
      replace(path, text, "nothing");
    },
    readFile(path) {
      const text = readRegular(path, MAX_TASK, relative(path), obeyed);
      trace("file read", { file: relative(path), bytes: text?.length ?? "none" });
      return text;
    },
    resolve,
    remove(path) {
      trace("file removed", { file: relative(path) });
      removeFile(path);
    },
  };
}

function byId(a: Task, b: Task): number {
  return compareIds(a.taskId, b.taskId);
}

/** Whether tasks in the order of their names are so in that of their numbers. */
function isInOrder(tasks: readonly Task[]): boolean {
  return tasks.every(({ taskId }) => taskId.length === tasks[0]!.taskId.length);
}
