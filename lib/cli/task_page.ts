// Everything about one task on one page, as `show` prints it.

import { lstat } from "../store/files.ts";
import { dependentsOf, latestAttempt, type Readiness, retryChain } from "../decide/dependencies.ts";
import { branchOf } from "../decide/branch.ts";
import { findOverlaps } from "../decide/overlap_marks.ts";
import { readablePlaces, setupLogOf } from "../store/places.ts";
import { nameTasks } from "../decide/names.ts";
import { formatShow } from "../format/show.ts";
import { noTask, type Queue } from "../queue/queue.ts";
import type { Task } from "../task/fields.ts";
import { toOrchestraError } from "../task/error.ts";
import { type TaskView, viewTask } from "../decide/view.ts";
import type { Context } from "./context.ts";
import { allLanes, viewJson } from "./status_input.ts";
import { leaveWatcher, look } from "./supervision.ts";
import { formatOf, readableEnd } from "./log_printer.ts";
import { tailFile } from "./tail.ts";

/** Lines of the log on the page. */
const LOG_LINES = 15;
/** Of the log no more than this is read for them. */
const LOG_BYTES = 256 * 1024;

/** Prints all about one task. */
export async function printTask(context: Context, queue: Queue, id: string): Promise<void> {
  const snapshot = await look(queue);
  await leaveWatcher(context, queue, snapshot);
  const { index } = snapshot;
  const now = queue.now();
  const memo = new Map<string, Readiness>();
  const lanes = allLanes(snapshot, now);
  const room = snapshot.shared?.room;
  const view = (task: TaskView["task"]) => viewTask(task, index, now, memo, lanes, room);
  // Reading it anew says what is wrong with a file that is there but damaged.
  const active = index.byId.get(id) ?? queue.store.read(id);
  const task = active ?? queue.store.readArchived(id);
  if (task === undefined) throw noTask(queue.store, id);
  const { planFile, logFile } = ownPlaces(context, queue, task);
  const { relative } = queue.store;
  const chain = retryChain(task, index).map(view);
  const dependencies = task.dependsOn.map((other) => {
    const found = index.byId.get(other) ?? queue.store.readArchived(other);
    return { id: other, view: found === undefined ? null : view(latestAttempt(found, index)) };
  });
  const dependents = dependentsOf([id], index).map(view);
  const overlaps = task.status === "pending"
    ? findOverlaps(snapshot.tasks, () => index).of(id)
    : [];
  const sentinels = readSentinels(queue, id);
  const plan = planFile === null ? null : readPlan(queue, planFile);
  const branch = task.git === null
    ? undefined
    : await (await import("./branch_state.ts")).branchStateOf(queue.store, task);
  if (context.globals.json) {
    const log = logFile === null ? undefined : tailFile(logFile, LOG_LINES, LOG_BYTES);
    context.printJson({
      task: viewJson(view(task)),
      chain: chain.map((item) => item.task.taskId),
      dependencies: dependencies.map((item) => ({
        taskId: item.id,
        status: item.view?.task.status ?? null,
        latest: item.view?.task.taskId ?? null,
      })),
      dependents: dependents.map((item) => item.task.taskId),
      overlaps,
      changes: changesJson(task),
      branch: branch === undefined
        ? null
        : { isThere: branch.isThere, into: branch.into, integrated: branch.way },
      sentinels: sentinels.map((item) => ({
        name: item.name,
        modifiedAt: item.modifiedAt === null ? null : new Date(item.modifiedAt).toISOString(),
        text: item.text,
      })),
      plan,
      log: log?.lines.join("\n") ?? null,
      logSize: log?.size ?? null,
    });
    return;
  }
  const format = await formatOf(queue, task);
  // One line more than is shown says that there are more.
  const end = logFile === null ? undefined : readableEnd(logFile, format, LOG_LINES + 1);
  // Until its agent is launched, and where it never was, what tells is the log of the set-up.
  const setupLog = setupLogOf(queue.store, id);
  const setup = task.setupAt === null || active === undefined
    ? undefined
    : tailFile(setupLog, LOG_LINES + 1, LOG_BYTES);
  context.print(formatShow(
    {
      branch,
      view: view({
        ...task,
        planFile: planFile === null ? task.planFile : relative(planFile),
        logFile: logFile === null ? task.logFile : relative(logFile),
      }),
      archived: active === undefined,
      names: nameTasks(snapshot.tasks),
      chain,
      dependencies,
      dependents,
      overlaps,
      sentinels,
      plan,
      logTail: end?.text ?? null,
      logSize: end?.size ?? null,
      setupLog: setup === undefined
        ? undefined
        : { name: relative(setupLog), text: setup.lines.join("\n"), size: setup.size },
      usage: task.usage,
    },
    context.style(),
    now,
  ));
}

/** What it changed on its branch, as far as its file tells; null where it has none, or it is not counted yet. */
function changesJson(task: Task) {
  const branch = branchOf(task);
  if (branch === null || branch.files === null) return null;
  const { files, insertions, deletions, paths = [] } = branch;
  return { branch: branch.branch, files, insertions, deletions, paths };
}

/** Where its plan and log are; null where it names what is not its own, which is told and not read. */
function ownPlaces(context: Context, { store }: Queue, task: Task) {
  try {
    return readablePlaces(store, task);
  } catch (error) {
    context.note(toOrchestraError(error, `Showing ${task.taskId}`).message);
    context.fail(5);
    return { planFile: null, logFile: null };
  }
}

function readSentinels(queue: Queue, id: string) {
  return queue.store.listMarks(id).filter((mark) => !mark.endsWith(".tmp")).map((name) => {
    const mark = queue.store.readMark(id, name);
    return { name, modifiedAt: mark?.modifiedAt ?? null, text: mark?.text.slice(0, 4096) ?? "" };
  });
}

function readPlan(queue: Queue, path: string): string | null {
  const info = lstat(path);
  if (info === undefined || !info.isFile || info.size > 1024 * 1024) return null;
  return queue.store.readFile(path) ?? null;
}
