// `orchestra archive`: finished tasks out of the way, and back.

import { buildCommand, buildRouteMap } from "@stricli/core";
import { pickArchivable } from "../../decide/archiving.ts";
import { archivedIds, archiveFinished, archiveStats } from "../../store/archive.ts";
import { importArchive } from "../../store/archive_import.ts";
import { OrchestraError, toOrchestraError } from "../../task/error.ts";
import { sanitize } from "../../text/width.ts";
import { nameTasks } from "../../decide/names.ts";
import { formatArchive } from "../../format/lists.ts";
import { formatBytes } from "../../text/bytes.ts";
import { restore as restoreArchived } from "../../queue/archive.ts";
import { activeIds } from "../../queue/names.ts";
import type { Context } from "../context.ts";
import { taskName } from "../flags.ts";
import { idArgument, optional, text } from "../parameters.ts";
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
    import: buildCommand({
      func: importFolder,
      parameters: {
        positional: {
          kind: "tuple",
          parameters: [{
            brief: "where it lies: a folder with task_….json",
            placeholder: "folder",
            parse: text,
          }],
        },
      },
      docs: { brief: "Bring in an older workspace's archive; the originals stay" },
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
  const names = nameTasks(tasks, undefined, activeIds(store).map((taskId) => ({ taskId })));
  this.print(formatArchive(tasks, names, this.style(), now()));
}

async function restore(
  this: Context,
  _flags: Record<never, never>,
  id: string,
): Promise<void> {
  restoreArchived(await this.openQueue(), id);
  if (this.globals.json) this.printJson({ restored: id });
  else this.print(`Restored ${id}`);
}

/** So many of the skipped tasks are named; an import may be repeated with thousands. */
const NAMED = 5;

async function importFolder(
  this: Context,
  _flags: Record<never, never>,
  given: string,
): Promise<void> {
  const { store } = await this.openQueue();
  store.make();
  const folder = findFolder(given, store.root);
  if (folder === Deno.realPathSync(`${store.dir}/archive`)) {
    throw new OrchestraError(
      "usage",
      `archive import ${given}: it is this workspace's own archive`,
      {
        hint: "See what is in it with: orchestra archive list",
      },
    );
  }
  const { imported, skipped, problems } = importArchive(store, folder);
  if (problems.length > 0) this.fail(5);
  if (this.globals.json) {
    const ids = imported.map(({ taskId }) => taskId);
    return this.printJson({ folder, imported: ids, skipped, problems });
  }
  if (skipped.length > 0) {
    const more = skipped.length > NAMED ? ", …" : "";
    this.note(
      `Skipped ${skipped.length} here already: ${skipped.slice(0, NAMED).join(", ")}${more}`,
    );
  }
  for (const { file, problem } of problems) this.note(`It stays: ${file} ${problem}`);
  const count = `${imported.length} ${imported.length === 1 ? "task" : "tasks"}`;
  this.print(`Imported ${count} from ${sanitize(folder)}`);
}

/**
 * The absolute path of a folder as it was typed, or as the settings of the ancestor have it, whose
 * paths begin at the workspace's root.
 */
function findFolder(given: string, root: string): string {
  // With a slash at its end a link would be followed.
  const name = given.replace(/(?<=.)[/\\]+$/, "");
  for (const start of [Deno.cwd(), root]) {
    const path = /^(?:[/\\]|[A-Za-z]:)/.test(name) ? name : `${start}/${name}`;
    const info = lookAt(path, given);
    if (info === undefined) continue;
    if (info.isDirectory) return Deno.realPathSync(path);
    throw new OrchestraError(
      "usage",
      `archive import ${given}: it is ${info.isSymlink ? "a symbolic link" : "no folder"}`,
      { hint: "Give the folder itself, the one that has the task_….json." },
    );
  }
  throw new OrchestraError("usage", `archive import ${given}: there is no such folder`, {
    hint: "Give the folder that has the task_….json; archive_dir in the old settings names it.",
  });
}

/** What a path is, a link not followed; that it may not be looked at is told. */
function lookAt(path: string, given: string): Deno.FileInfo | undefined {
  try {
    return Deno.lstatSync(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound || error instanceof Deno.errors.NotADirectory) {
      return undefined;
    }
    throw toOrchestraError(error, `archive import ${given}`);
  }
}

async function showStats(this: Context): Promise<void> {
  const stats = archiveStats((await this.openQueue()).store);
  if (this.globals.json) return this.printJson(stats);
  this.print(`${stats.tasks} ${stats.tasks === 1 ? "task" : "tasks"}, ${formatBytes(stats.bytes)}`);
}
