// `orchestra trust`: obey a workspace that belongs to somebody else.

import { buildCommand } from "@stricli/core";
import { readSafe, userSettingsPath } from "../../store/owner.ts";
import { findRoot } from "../../store/paths.ts";
import { OrchestraError, UNPERMITTED } from "../../task/error.ts";
import { forbiddenFile } from "../calling.ts";
import type { Context } from "../context.ts";
import { optional, text } from "../parameters.ts";

interface TrustFlags {
  list?: boolean;
  remove?: boolean;
}

export const command = buildCommand({
  func: trust,
  parameters: {
    flags: {
      list: optional("say which are trusted"),
      remove: optional("trust it no more"),
    },
    positional: {
      kind: "tuple",
      parameters: [
        { brief: "the workspace (this one)", placeholder: "folder", parse: text, optional: true },
      ],
    },
  },
  docs: {
    brief: "Obey a workspace of another user",
    fullDescription: "What stands in a workspace is run as whoever uses it, so that one which " +
      "belongs to somebody else is refused, until it is named here. Your own need no trust.",
  },
});

async function trust(this: Context, flags: TrustFlags, folder?: string): Promise<void> {
  const path = settingsPath();
  if (path === undefined) {
    throw new OrchestraError("environment", "There is no place for your settings", {
      hint: "Set HOME or XDG_CONFIG_HOME.",
    });
  }
  if (flags.list) {
    const safe = readSafe();
    if (this.globals.json) return this.printJson(safe);
    return this.print(
      safe.length === 0 ? "No workspace of another user is trusted" : safe.join("\n"),
    );
  }
  const root = findRoot(folder === undefined ? await this.root() : realPath(folder));
  if (root === undefined) {
    throw new OrchestraError(
      "no-workspace",
      `No workspace in ${folder ?? "this folder"} or above it`,
      {
        hint: "Name the folder that has .orchestra/.",
      },
    );
  }
  const others = readSafe().filter((other) => other !== root);
  write(path, flags.remove ? others : [...others, root]);
  if (this.globals.json) this.printJson({ root, trusted: !flags.remove });
  else this.print(flags.remove ? `Trusted no more: ${root}` : `Trusted from now on: ${root}`);
}

function settingsPath(): string | undefined {
  try {
    return userSettingsPath();
  } catch (error) {
    throw forbiddenFile(error, "trust: your settings are beyond the workspace", UNPERMITTED) ??
      error;
  }
}

function realPath(folder: string): string {
  try {
    return Deno.realPathSync(folder);
  } catch {
    throw new OrchestraError("no-workspace", `There is no folder ${JSON.stringify(folder)}`);
  }
}

/** Writes the list, and leaves alone what else the file says. */
function write(path: string, safe: readonly string[]): void {
  let settings: Record<string, unknown> = {};
  try {
    settings = JSON.parse(Deno.readTextFileSync(path));
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) {
      throw new OrchestraError("config", `Reading ${path}: it is not valid JSON`, {
        hint: "Mend the file by hand.",
      });
    }
  }
  Deno.mkdirSync(path.slice(0, path.lastIndexOf("/")), { recursive: true, mode: 0o700 });
  const temporary = `${path}.${Deno.pid}.tmp`;
  Deno.writeTextFileSync(temporary, JSON.stringify({ ...settings, safe }, null, 2) + "\n", {
    mode: 0o600,
  });
  Deno.renameSync(temporary, path);
}
