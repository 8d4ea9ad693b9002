// `orchestra archive`: finished tasks out of the way, and back.

import { buildCommand, buildRouteMap } from "@stricli/core";
import { pickArchivable } from "../../decide/archiving.ts";
import { archivedIds, archiveFinished, archiveStats, restoreTask } from "../../store/archive.ts";
import { OrchestraError } from "../../task/error.ts";
import { formatBytes } from "../../format/show.ts";
import { formatTable } from "../../text/table.ts";
import { formatPast } from "../../text/time.ts";
import { parseTime } from "../../task/fields.ts";
import type { Context } from "../context.ts";
import { taskName } from "../flags.ts";
import { idArgument, optional } from "../parameters.ts";
import { look } from "../supervision.ts";

interface ArchiveFlags {
  dryRun?: boolean;
  force?: boolean;
}

export const command = buildRouteMap({
  routes: {
    now: buildCommand({
      func: archiveNow,
      parameters: {
        flags: {
          dryRun: optional("only say what would be archived"),
          force: optional("even if archiving is turned off"),
        },
        aliases: { f: "force" },
      },
      docs: { brief: "Archive what the settings say is old" },
    }),
    list: buildCommand({
      func: listArchived,
      parameters: {},
      docs: { brief: "List the archived tasks" },
    }),
    restore: buildCommand({
      func: restore,
      parameters: {
        positional: {
          kind: "tuple",
          parameters: [{ ...idArgument, parse: taskName("archived") }],
        },
      },
      docs: { brief: "Bring an archived task back" },
    }),
    stats: buildCommand({
      func: showStats,
      parameters: {},
      docs: { brief: "Say how much is archived" },
    }),
  },
  defaultCommand: "now",
  docs: { brief: "Move old finished tasks out of the way" },
});

async function archiveNow(this: Context, flags: ArchiveFlags): Promise<void> {
  const queue = await this.openQueue();
  const config = await this.config(queue.store);
  if (!config.archive.enabled && !flags.force) {
    throw new OrchestraError("state", "Archiving is turned off in .orchestra/config.json", {
      hint:
        "Do it all the same with --force, or turn it on: orchestra config set archive.enabled true",
    });
  }
  const snapshot = await look(queue);
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

async function listArchived(this: Context): Promise<void> {
  const { store, now } = await this.openQueue();
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

async function restore(
  this: Context,
  _flags: Record<never, never>,
  id: string,
): Promise<void> {
  const { store } = await this.openQueue();
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

async function showStats(this: Context): Promise<void> {
  const stats = archiveStats((await this.openQueue()).store);
  if (this.globals.json) return this.printJson(stats);
  this.print(`${stats.tasks} ${stats.tasks === 1 ? "task" : "tasks"}, ${formatBytes(stats.bytes)}`);
}
