// `orchestra init`: makes a workspace that can be used at once. What is there already is kept.

import { buildCommand } from "@stricli/core";
import { createFolders, ignoreAll } from "../../store/paths.ts";
import { lstat } from "../../store/files.ts";
import type { AgentDefinition } from "../../task/agent.ts";
import { readOwnAgentNames } from "../../settings/agents.ts";
import { OrchestraError } from "../../task/error.ts";
import { sanitize } from "../../text/width.ts";
import { findOnPath } from "../../launch/find.ts";
import { openStore, type Store } from "../../store/tasks.ts";
import { OPENCODE_CODER } from "../../../templates/opencode_coder.ts";
import { onSystem, type Preset, PRESETS as ALL } from "../../agents/presets.ts";
import { PROMPTS } from "../../../templates/prompts.ts";
import { addWorkspace, type KnownWorkspace } from "../../workspaces/registry.ts";
import type { Context } from "../context.ts";
import { startingWith, text } from "../parameters.ts";

interface InitFlags {
  agent?: readonly string[];
}

/** Presets as they are on this system. */
const PRESETS = Object.fromEntries(
  Object.entries(ALL).map(([name, preset]) => [
    name,
    onSystem(preset, Deno.build.os === "windows"),
  ]),
);

export const command = buildCommand({
  func: init,
  parameters: {
    flags: {
      agent: {
        kind: "parsed",
        optional: true,
        variadic: ",",
        parse: text,
        proposeCompletions: startingWith(() => Object.keys(PRESETS)),
        brief: "add this agent though it is not installed",
        placeholder: "name",
      },
    },
  },
  docs: {
    brief: "Make a workspace here",
    fullDescription:
      "Makes .orchestra/ and .orchestra-cli/ in the current folder (or that of -C), " +
      "with an agent named shell and those that are found on PATH. What is there already is kept.",
  },
});

async function init(this: Context, flags: InitFlags): Promise<void> {
  const root = await this.root();
  for (const name of flags.agent ?? []) {
    if (Object.hasOwn(PRESETS, name)) continue;
    const { closest } = await import("../../text/suggest.ts");
    const near = closest(name, Object.keys(PRESETS));
    throw new OrchestraError("no-agent", `There is no preset for an agent named "${name}"`, {
      hint: near === undefined
        ? `There are: ${Object.keys(PRESETS).join(", ")}`
        : `Did you mean "${near}"?`,
    });
  }
  const made: string[] = [];
  const before = lstat(`${root}/.orchestra`);
  if (before === undefined) {
    const { refuseInWorktree } = await import("../in_worktree.ts");
    refuseInWorktree(root);
  }
  createFolders(root);
  const store = openStore(root);
  // Made above where the folder is new.
  if (ignoreAll(root) || before === undefined) made.push(".orchestra/.gitignore");
  const settings = `${store.root}/.orchestra-cli`;
  for (const folder of [settings, `${settings}/prompts`, `${settings}/agent`]) {
    if (lstat(folder)?.isSymlink) {
      throw new OrchestraError("damaged", `Making the workspace: ${folder} is a symbolic link`, {
        hint: "Orchestra follows no links there: replace it with the folder itself.",
      });
    }
    Deno.mkdirSync(folder, { recursive: true });
  }
  const write = (name: string, content: string) => {
    try {
      Deno.writeTextFileSync(`${settings}/${name}`, content, { createNew: true });
      made.push(`.orchestra-cli/${name}`);
    } catch (error) {
      if (!(error instanceof Deno.errors.AlreadyExists)) throw error;
    }
  };
  const chosen = chooseAgents(flags.agent ?? [], store.root);
  const config = {
    agents: Object.fromEntries(chosen.map(([name, preset]) => [name, definitionOf(name, preset)])),
  };
  write("agent-config.json", JSON.stringify(config, null, 2) + "\n");
  if (!made.includes(".orchestra-cli/agent-config.json")) {
    made.push(...addAgents(store, flags.agent ?? []));
  }
  for (const [name, content] of Object.entries(PROMPTS)) {
    // The ancestor's template of that name stays in force.
    if (lstat(`${settings}/prompts/${name}.txt`) === undefined) {
      write(`prompts/${name}.md`, content);
    }
  }
  write("agent/coder.md", OPENCODE_CODER);
  const names = readOwnAgentNames(store);
  const known = remember(store.root);
  if (this.globals.json) {
    this.printJson({ root: store.root, made, agents: names, name: known?.name ?? null });
    return;
  }
  this.print(`Workspace in ${store.root}`);
  for (const file of made) this.print(`  made ${file}`);
  if (made.length === 0) this.print("  everything was there already");
  this.print(`  agents: ${sanitize(names.join(", "))}`);
  if (known?.root === store.root) this.print(`  known as ${known.name}`);
  else if (known !== undefined) {
    this.print(`  known only through ${known.root}, as ${known.name}: it is a worktree of that`);
  }
  const missing = chosen.map(([name]) => name).filter((name) => !names.includes(name));
  if (missing.length > 0) {
    this.note(
      `Installed, but not an agent here: ${missing.join(", ")}. ` +
        `Add with: orchestra init --agent ${missing.join(",")}`,
    );
  }
  this.note('Try it with: orchestra start shell "echo hello" && orchestra run --wait');
}

/** Makes the workspace known by name; undefined where we may not write that down. */
function remember(root: string): KnownWorkspace | undefined {
  try {
    return addWorkspace(root);
  } catch {
    // The list is a cache: the workspace is what it is without it.
    return undefined;
  }
}

/** Adds the presets that are asked for by name and not there yet; the rest of the file stays. */
function addAgents(store: Store, wanted: readonly string[]): string[] {
  const missing = wanted.filter((name) => !readOwnAgentNames(store).includes(name));
  if (missing.length === 0) return [];
  const path = `${store.root}/.orchestra-cli/agent-config.json`;
  const file = JSON.parse(store.readFile(path)!.replace(/^\uFEFF/, ""));
  for (const name of missing) file.agents[name] = definitionOf(name, PRESETS[name]!);
  store.writeFile(path, JSON.stringify(file, null, 2) + "\n");
  return missing.map((name) => `agent "${name}" in .orchestra-cli/agent-config.json`);
}

/** Seconds that an agent gets in a new workspace: one that hangs would hold its place for ever. */
const TIMEOUT = 4 * 3600;

/** What goes into the agents file: the arguments for the version only where they are unusual. */
function definitionOf(name: string, { agent, versionArgs }: Preset): AgentDefinition {
  return {
    ...agent,
    // What a person gives a shell may be meant to go on.
    ...(name === "shell" ? {} : { timeout: TIMEOUT }),
    ...(versionArgs.join(" ") === "--version" ? {} : { versionArgs }),
  };
}

/** `shell`, those asked for, and those whose program is on PATH. */
function chooseAgents(wanted: readonly string[], root: string): [string, Preset][] {
  return Object.entries(PRESETS).filter(([name, preset]) =>
    name === "shell" || wanted.includes(name) ||
    (!preset.asked && findOnPath(preset.agent.command, root) !== null)
  ).sort(([a], [b]) => Number(b === "shell") - Number(a === "shell"));
}
