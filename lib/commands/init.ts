// `orchestra init`: makes a workspace that can be used at once. What is there already is kept.

import { OrchestraError } from "../error.ts";
import { findOnPath } from "../launch/find.ts";
import { createFolders, lstat, openStore } from "../store.ts";
import { OPENCODE_CODER } from "../../templates/opencode_coder.ts";
import { type Preset, PRESETS } from "../../templates/presets.ts";
import { PROMPTS } from "../../templates/prompts.ts";
import type { Context } from "./context.ts";

/** Options of `init`. */
export interface InitFlags {
  agent?: readonly string[];
}

/** Runs `orchestra init`. */
export async function init(this: Context, flags: InitFlags): Promise<void> {
  const root = this.root();
  for (const name of flags.agent ?? []) {
    if (Object.hasOwn(PRESETS, name)) continue;
    const { closest } = await import("../suggest.ts");
    const near = closest(name, Object.keys(PRESETS));
    throw new OrchestraError("no-agent", `There is no preset for an agent named "${name}"`, {
      hint: near === undefined
        ? `There are: ${Object.keys(PRESETS).join(", ")}`
        : `Did you mean "${near}"?`,
    });
  }
  createFolders(root);
  const { store } = { store: openStore(root) };
  const settings = `${store.root}/.orchestra-cli`;
  const made: string[] = [];
  for (const folder of [settings, `${settings}/prompts`, `${settings}/agent`]) {
    if (lstat(folder)?.isSymlink) {
      throw new OrchestraError("damaged", `Making the workspace: ${folder} is a symbolic link`, {
        hint: "Orchestra follows no links there: replace it with the folder itself.",
      });
    }
    Deno.mkdirSync(folder, { recursive: true });
  }
  const write = (name: string, text: string) => {
    try {
      Deno.writeTextFileSync(`${settings}/${name}`, text, { createNew: true });
      made.push(`.orchestra-cli/${name}`);
    } catch (error) {
      if (!(error instanceof Deno.errors.AlreadyExists)) throw error;
    }
  };
  const chosen = chooseAgents(flags.agent ?? [], store.root);
  const config = {
    agents: Object.fromEntries(chosen.map(([name, preset]) => [name, preset.agent])),
  };
  write("agent-config.json", JSON.stringify(config, null, 2) + "\n");
  for (const [name, text] of Object.entries(PROMPTS)) write(`prompts/${name}.md`, text);
  write("agent/coder.md", OPENCODE_CODER);
  const names = chosen.map(([name]) => name);
  if (this.globals.json) {
    this.printJson({ root: store.root, made, agents: names });
    return;
  }
  this.print(`Workspace in ${store.root}`);
  for (const file of made) this.print(`  made ${file}`);
  if (made.includes(".orchestra-cli/agent-config.json")) {
    this.print(`  agents: ${names.join(", ")}`);
  }
  this.note("Try it with: orchestra start shell 'echo hello' && orchestra run --wait");
}

/** `shell`, those asked for, and those whose program is on PATH. */
function chooseAgents(wanted: readonly string[], root: string): [string, Preset][] {
  return Object.entries(PRESETS).filter(([name, preset]) =>
    name === "shell" || wanted.includes(name) || findOnPath(preset.agent.command, root) !== null
  ).sort(([a], [b]) => Number(b === "shell") - Number(a === "shell"));
}
