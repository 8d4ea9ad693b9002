// `orchestra archive`: finished tasks out of the way, and back.

import { pickArchivable } from "../../decide/archiving.ts";
import { archivedIds, archiveFinished, archiveStats, restoreTask } from "../../store/archive.ts";
import { OrchestraError } from "../../task/error.ts";
import { formatBytes } from "../../format/show.ts";
import { formatTable } from "../../text/table.ts";
import { formatPast } from "../../text/time.ts";
import { parseTime } from "../../task/fields.ts";
import type { Context } from "../context.ts";

/** Options of `archive`. */
export interface ArchiveFlags {
  dryRun?: boolean;
  force?: boolean;
}

/** Runs `orchestra archive`. */
export async function archive(this: Context, flags: ArchiveFlags): Promise<void> {
  const queue = this.openQueue();
  const config = await this.config(queue.store);
  if (!config.archive.enabled && !flags.force) {
    throw new OrchestraError("state", "Archiving is turned off in .orchestra/config.json", {
      hint:
        "Do it all the same with --force, or turn it on: orchestra config set archive.enabled true",
    });
  }
  const snapshot = await queue.look({ retry: false });
  const chosen = flags.dryRun
    ? pickArchivable(snapshot.index, config.archive, queue.now())
    : archiveFinished(queue.store, config.archive, queue.now(), (problem) => {
      this.note(`It stays: ${problem}`);
      this.fail(5);
    });
  if (this.globals.json) {
    this.printJson({ archived: chosen.map((task) => task.taskId), dryRun: flags.dryRun ?? false });
    return;
  }
  for (const task of chosen) this.print(`${task.taskId} ${task.status}`);
  const verb = flags.dryRun ? "Would archive" : "Archived";
  this.print(`${verb} ${chosen.length} ${chosen.length === 1 ? "task" : "tasks"}`);
}

/** Runs `orchestra archive list`. */
export function archiveList(this: Context): void {
  const { store, now } = this.openQueue();
  const tasks = archivedIds(store).flatMap((id) => {
    try {
      const task = store.readArchived(id);
      return task === undefined ? [] : [task];
    } catch (error) {
      this.note(error instanceof Error ? error.message : String(error));
      return [];
    }
  });
  if (this.globals.json) return this.printJson(tasks);
  if (tasks.length === 0) return this.print("The archive is empty");
  this.print(
    formatTable(
      [{ header: "ID" }, { header: "STATUS" }, { header: "AGENT" }, { header: "ENDED" }, {
        header: "PROMPT",
        flex: 1,
      }],
      tasks.map((task) => [
        task.taskId,
        task.status,
        task.agent,
        formatPast(parseTime(task.completedAt), now()),
        task.prompt.slice(0, 500),
      ]),
      this.style(),
    ).join("\n"),
  );
}

/** Runs `orchestra archive restore`. */
export function archiveRestore(this: Context, _flags: Record<never, never>, id: string): void {
  const { store } = this.openQueue();
  store.locked(() => {
    if (store.read(id) !== undefined) {
      throw new OrchestraError("state", `${id} is not archived`, {
        hint: `See it with: orchestra show ${id}`,
      });
    }
    const task = store.readArchived(id);
    if (task === undefined) {
      throw new OrchestraError("no-task", `No task ${id} in the archive`, {
        hint: "See what there is with: orchestra archive list",
      });
    }
    restoreTask(store, task);
  });
  if (this.globals.json) this.printJson({ restored: id });
  else this.print(`Restored ${id}`);
}

/** Runs `orchestra archive stats`. */
export function archiveStatistics(this: Context): void {
  const stats = archiveStats(this.openQueue().store);
  if (this.globals.json) return this.printJson(stats);
  this.print(`${stats.tasks} ${stats.tasks === 1 ? "task" : "tasks"}, ${formatBytes(stats.bytes)}`);
}
