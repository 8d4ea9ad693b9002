// An older workspace's archive brought into this one's: the ancestor let it lie anywhere, a folder with
// `<id>.json` and beside it the task's other files. The originals stay, links are not followed, and a
// task's own file comes last: killed in the middle, the next import begins where this one ended.

import {
  lstat,
  messageOf,
  openRegular,
  readBounded,
  removeFile,
  renameFile,
  syncAll,
  syncFolder,
} from "./files.ts";
import { pastEvents } from "../decide/history.ts";
import { isTaskId, isTerminal, parseTask, type Task } from "../task/fields.ts";
import { PLANS } from "./places.ts";
import type { Store } from "./tasks.ts";

/** What an import came to. */
export interface ImportReport {
  imported: Task[];
  /** Ids that are here already, archived or not: theirs is what stays. */
  skipped: string[];
  /** What was left where it is, by the name of the file, and why. */
  problems: { file: string; problem: string }[];
}

/** A task of the folder, with its files copied beside where they belong. */
interface Staged {
  task: Task;
  /** Temporary names by final ones. */
  files: Map<string, string>;
}

/** What follows the id in the names of a task's files, its own first. */
const ENDINGS: readonly string[] = [
  ".json",
  ...PLANS,
  ".log",
  ".setup.log",
  ".done",
  ".error",
  ".cancelled",
  ".timeout",
];

/** Tasks that are made durable together. */
const AT_ONCE = 100;
const BLOCK = 256 * 1024;

/** A file that is not what it should be; told to who imports, and the others go on. */
class Unusable extends Error {
  constructor(readonly file: string, readonly problem: string) {
    super(`${file} ${problem}`);
  }
}

/**
 * Copies the finished tasks of a folder into the archive.
 *
 * @param folder absolute path of a folder, no link
 */
export function importArchive(store: Store, folder: string): ImportReport {
  store.make();
  const report: ImportReport = { imported: [], skipped: [], problems: [] };
  const names = new Set([...Deno.readDirSync(folder)].map(({ name }) => name));
  const tasks = [...names].filter((name) => /^task_.*\.json$/.test(name)).sort();
  for (let from = 0; from < tasks.length; from += AT_ONCE) {
    const staged: Staged[] = [];
    try {
      for (const name of tasks.slice(from, from + AT_ONCE)) {
        try {
          const id = name.slice(0, -".json".length);
          if (!isTaskId(id)) throw new Unusable(name, "is not named after a task id");
          if (store.has(id)) report.skipped.push(id);
          else staged.push(stage(store, folder, id, names));
        } catch (error) {
          if (!(error instanceof Unusable)) throw error;
          report.problems.push({ file: error.file, problem: error.problem });
        }
      }
      adopt(store, staged, report);
    } finally {
      for (const { files } of staged) for (const temporary of files.values()) removeFile(temporary);
    }
  }
  return report;
}

/** Copies a task's files and checks it; nothing is left of one that cannot be taken. */
function stage(store: Store, folder: string, id: string, names: ReadonlySet<string>): Staged {
  const files = new Map<string, string>();
  try {
    let task: Task | undefined;
    for (const ending of ENDINGS) {
      const name = id + ending;
      if (!names.has(name)) continue;
      const final = `${store.dir}/archive/${name}`;
      const temporary = `${final}.${Deno.pid}.tmp`;
      files.set(final, temporary);
      copy(folder, name, temporary);
      // What is checked is what is taken: the original may change at any time.
      task ??= readTask(temporary, name, id);
    }
    return { task: task!, files };
  } catch (error) {
    for (const temporary of files.values()) removeFile(temporary);
    throw error;
  }
}

function readTask(path: string, name: string, id: string): Task {
  const text = readBounded(path);
  const parsed = text === undefined ? { problem: "is too large" } : parseTask(text, id);
  if ("problem" in parsed) throw new Unusable(name, parsed.problem);
  const { status } = parsed.task;
  if (!isTerminal(status)) {
    throw new Unusable(name, `is ${status}, and only finished tasks go there`);
  }
  return parsed.task;
}

function openNoLink(folder: string, name: string): Deno.FsFile {
  let opened: Deno.FsFile | undefined;
  try {
    opened = openRegular(`${folder}/${name}`);
  } catch (error) {
    throw new Unusable(name, `cannot be read: ${messageOf(error)}`);
  }
  if (opened !== undefined) return opened;
  const isLink = lstat(`${folder}/${name}`)?.isSymlink;
  throw new Unusable(name, isLink ? "is a symbolic link, which is not followed" : "is not a file");
}

function* blocksOf(file: Deno.FsFile): Generator<Uint8Array> {
  const block = new Uint8Array(BLOCK);
  for (;;) {
    const count = file.readSync(block);
    if (count === null) return;
    yield block.subarray(0, count);
  }
}

function copy(folder: string, name: string, to: string): void {
  using source = openNoLink(folder, name);
  // Left by a process that had our number and was killed.
  removeFile(to);
  using target = Deno.openSync(to, { write: true, createNew: true, mode: 0o600 });
  for (const block of blocksOf(source)) {
    for (let at = 0; at < block.length;) at += target.writeSync(block.subarray(at));
  }
}

/** Gives the copies their names: the tasks' own files when all the others are there for good. */
function adopt(store: Store, staged: readonly Staged[], report: ImportReport): void {
  if (staged.length === 0) return;
  const archive = `${store.dir}/archive`;
  syncAll(staged.flatMap(({ files }) => [...files.values()]), archive);
  store.locked(() => {
    // Looked at again: somebody else may import the same.
    const fresh = staged.filter(({ task }) => !store.has(task.taskId));
    for (const { task } of staged) {
      if (store.has(task.taskId)) report.skipped.push(task.taskId);
    }
    const isOwn = (path: string) => path.endsWith(".json");
    const name = (chosen: (path: string) => boolean) => {
      for (const { files } of fresh) {
        for (const [final, temporary] of files) {
          if (chosen(final)) renameFile(temporary, final);
        }
      }
      syncFolder(archive);
    };
    name((path) => !isOwn(path));
    name(isOwn);
    const imported = fresh.map(({ task }) => task);
    store.tell(pastEvents(imported, Date.now()));
    report.imported.push(...imported);
  });
}
