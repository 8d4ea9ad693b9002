// `orchestra trust`: obey a workspace that belongs to somebody else.

import { buildCommand } from "@stricli/core";
import { parseJsonFile } from "../../settings/config.ts";
import { replaceFile } from "../../store/files.ts";
import { readUserSettings, safeIn, userSettingsPath } from "../../store/owner.ts";
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
  const before = readUserSettings(path);
  const settings = before === undefined ? {} : parseJsonFile(before, path) as object;
  const safe = safeIn(path, settings);
  if (flags.list) {
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
  const others = safe.filter((other) => other !== root);
  const after = { ...settings, safe: flags.remove ? others : [...others, root] };
  Deno.mkdirSync(path.slice(0, path.lastIndexOf("/")), { recursive: true, mode: 0o700 });
  replaceFile(path, `${path}.${Deno.pid}.tmp`, JSON.stringify(after, null, 2) + "\n");
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
