// `orchestra workspaces`: which workspaces there are, and how it stands with each. The list is a cache:
// to remove one from it forgets a name, and no more.

import { buildCommand, buildRouteMap } from "@stricli/core";
import { countPhases, type PhasedTask } from "../../decide/view.ts";
import { formatWorkspaces, type WorkspaceRow } from "../../format/workspaces.ts";
import type { Snapshot } from "../../queue/refresh.ts";
import { findRoot, realFolder, trimSlash } from "../../store/paths.ts";
import { describeWatcher } from "../../supervise/watcher.ts";
import { OrchestraError, toOrchestraError } from "../../task/error.ts";
import { sanitize } from "../../text/width.ts";
import {
  addWorkspace,
  type KnownWorkspace,
  registryFolder,
  removeWorkspace,
} from "../../workspaces/registry.ts";
import { beyondReach, env } from "../calling.ts";
import type { Context } from "../context.ts";
import { openKnown } from "../everywhere.ts";
import { knownWorkspaces } from "../known.ts";
import { parsed, text } from "../parameters.ts";
import type { NamedPlace } from "../places.ts";
import { allLanes, selectTasks } from "../status_input.ts";
import { brokenSettings, leaveWatcher, look } from "../supervision.ts";

interface AddFlags {
  name?: string;
}

type NoFlags = Record<never, never>;

export const command = buildRouteMap({
  routes: {
    list: buildCommand({
      func: list,
      parameters: {},
      docs: { brief: "List the known workspaces, and how it stands with each" },
    }),
    add: buildCommand({
      func: add,
      parameters: {
        flags: { name: parsed(text, "what to call it (its folder's name)", "name") },
        positional: {
          kind: "tuple",
          parameters: [
            { brief: "its folder (this one)", placeholder: "dir", parse: text, optional: true },
          ],
        },
      },
      docs: {
        brief: "Make a workspace known by a name",
        fullDescription: "Makes the workspace in a folder, or the nearest above it, known by a " +
          "name; one that is known already gets another name. A linked worktree of git belongs to " +
          "its main checkout, where that is a workspace.",
      },
    }),
    remove: buildCommand({
      func: remove,
      parameters: {
        positional: {
          kind: "tuple",
          parameters: [{
            brief: "its name, or its folder",
            placeholder: "name",
            parse: text,
            proposeCompletions: proposeKnown,
          }],
        },
      },
      docs: { brief: "Forget a workspace, and leave it as it is" },
    }),
  },
  defaultCommand: "list",
  docs: {
    brief: "List the workspaces that are known by name",
    fullDescription:
      "Workspaces are made known by init and by workspaces add; one whose folder is gone is " +
      "forgotten. -w NAME works in one of them, --everywhere in all.",
  },
});

function proposeKnown(this: Context, partial: string): string[] {
  try {
    return knownWorkspaces("completion").map(({ name }) => name)
      .filter((name) => name.startsWith(partial));
  } catch {
    return [];
  }
}

/** What is said of a workspace, for a table and as JSON. */
interface Entry extends WorkspaceRow {
  lanes: { agent: string; until: string }[];
  damaged: Snapshot["damaged"];
}

async function list(this: Context): Promise<void> {
  const gone: KnownWorkspace[] = [];
  const known = knownWorkspaces("workspaces list", (one) => gone.push(one));
  const entries: Entry[] = [];
  for (const one of known) {
    try {
      entries.push(await entryOf(one, await openKnown(this, one)));
    } catch (error) {
      entries.push(brokenEntry(one, toOrchestraError(error, "Looking at it").message));
    }
  }
  entries.push(...gone.map((one) => brokenEntry(one, "it is gone, and forgotten")));
  if (this.globals.json) {
    return this.printJson(entries.map(({ counts, ...entry }) => ({
      ...entry,
      counts: counts === null ? null : { total: counts.total, ...counts.byPhase },
    })));
  }
  if (entries.length === 0) {
    this.print("No workspace is known by name");
    this.note("Make one known with: orchestra workspaces add DIR");
    return;
  }
  this.print(this.spell(formatWorkspaces(entries, env("HOME"), this.style())));
}

function brokenEntry(known: KnownWorkspace, problem: string): Entry {
  return {
    ...known,
    counts: null,
    attention: 0,
    supervisor: null,
    problem,
    lanes: [],
    damaged: [],
  };
}

async function entryOf(known: KnownWorkspace, { context, queue }: NamedPlace): Promise<Entry> {
  const snapshot = await look(queue);
  await leaveWatcher(context, queue, snapshot);
  const now = queue.now();
  const lanes = allLanes(snapshot, now);
  const phased = selectTasks(snapshot, {}, now, lanes);
  const { damaged } = snapshot;
  const broken = await brokenSettings(queue);
  const supervisor = describeWatcher(queue.store, snapshot.tasks);
  return {
    ...known,
    counts: countPhases(phased),
    attention: phased.filter(needsAttention).length,
    supervisor,
    problem: supervisor?.includes("is stopped")
      ? supervisor
      : damaged.length > 0
      ? `${damaged.length} damaged ${damaged.length === 1 ? "file" : "files"}, see them with: ` +
        `orchestra -w ${known.name} doctor`
      : broken,
    lanes: [...lanes.values()].map(({ agent, until }) => ({
      agent,
      until: new Date(until).toISOString(),
    })),
    damaged: [...damaged],
  };
}

/** Whether somebody must act: it failed and is not tried again, or waits for what will not come. */
function needsAttention({ task, phase }: PhasedTask): boolean {
  return phase.kind === "blocked" || (phase.kind === "failed" && task.retriedBy === null);
}

async function add(this: Context, flags: AddFlags, dir?: string): Promise<void> {
  const beyond = beyondReach(registryFolder(), "workspaces add");
  if (beyond !== undefined) throw beyond;
  const folder = dir === undefined ? await this.root() : folderAt(dir);
  const root = findRoot(folder);
  if (root === undefined) {
    throw new OrchestraError("no-workspace", `No workspace in ${folder} or above it`, {
      hint: "Make one there with: orchestra init",
    });
  }
  const known = addWorkspace(root, flags.name);
  if (this.globals.json) return this.printJson(known);
  this.print(`Known as ${known.name}: ${sanitize(known.root)}`);
  if (known.root !== root) {
    this.note(`${root} is a linked worktree of git, and belongs to its main checkout`);
  }
}

function folderAt(dir: string): string {
  const real = realOf(dir);
  if (real !== undefined) return real;
  throw new OrchestraError("no-workspace", `There is no folder ${JSON.stringify(dir)}`);
}

function realOf(dir: string): string | undefined {
  try {
    return realFolder(dir);
  } catch {
    return undefined;
  }
}

async function remove(this: Context, _flags: NoFlags, given: string): Promise<void> {
  const gone: KnownWorkspace[] = [];
  const known = knownWorkspaces("workspaces remove", (one) => gone.push(one));
  const all = [...known, ...gone];
  const root = realOf(given);
  const found = all.find(({ name }) => name === given) ??
    all.find((one) => one.root === root || trimSlash(one.root) === trimSlash(given));
  if (found === undefined) {
    const { closest } = await import("../../text/suggest.ts");
    const near = closest(given, all.map(({ name }) => name));
    throw new OrchestraError("no-workspace", `No known workspace is ${JSON.stringify(given)}`, {
      hint: near === undefined
        ? "See which there are with: orchestra workspaces list"
        : `Did you mean ${JSON.stringify(near)}?`,
    });
  }
  removeWorkspace(found.root);
  if (this.globals.json) return this.printJson(found);
  this.print(`Forgotten: ${found.name}, ${sanitize(found.root)}, which stays as it is`);
}
