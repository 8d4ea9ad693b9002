// `orchestra trust`: obey a workspace that belongs to somebody else, or the hooks and webhooks that came
// with a repository. What is approved is a text, by its hash: another text asks again.

import { buildCommand } from "@stricli/core";
import { parseJsonFile } from "../../settings/config.ts";
import { USUAL } from "../../settings/subscriber_shape.ts";
import { committedPath, fingerprint } from "../../settings/subscribers.ts";
import { lstat, readRegular, replaceFile } from "../../store/files.ts";
import { isObeyed, readUserFile, safeIn, userSettingsPath } from "../../store/owner.ts";
import { findRoot, realFolder } from "../../store/paths.ts";
import { maskUrl } from "../../notify/mask.ts";
import { OrchestraError, printable, quote, UNPERMITTED } from "../../task/error.ts";
import { forbiddenFile } from "../calling.ts";
import type { Context } from "../context.ts";
import { optional, text } from "../parameters.ts";

interface TrustFlags {
  list?: boolean;
  remove?: boolean;
  commands?: boolean;
  yes?: boolean;
}

const COMMITTED = ".orchestra-cli/config.json";
/** Largest settings file that is read, bytes. */
const LARGEST = 1024 * 1024;

export const command = buildCommand({
  func: trust,
  parameters: {
    flags: {
      list: optional("say which are trusted"),
      remove: optional("trust it no more"),
      commands: optional(
        "show the hooks and webhooks of .orchestra-cli/config.json, and approve them",
      ),
      yes: optional("do not ask"),
    },
    aliases: { y: "yes" },
    positional: {
      kind: "tuple",
      parameters: [
        { brief: "the workspace (this one)", placeholder: "folder", parse: text, optional: true },
      ],
    },
  },
  docs: {
    brief: "Obey another user's workspace, or committed hooks",
    fullDescription: "What stands in a workspace is run as whoever uses it, so that one which " +
      "belongs to somebody else is refused, until it is named here. Your own need no trust, but for " +
      "the hooks, webhooks and set-up command for worktrees that came with a repository, in " +
      ".orchestra-cli/config.json: they count once you have approved that very text.",
  },
});

async function trust(this: Context, flags: TrustFlags, folder?: string): Promise<void> {
  const { path, settings } = readSettings();
  const safe = safeIn(settings);
  if (flags.list && flags.commands) {
    const approved = Object.keys(approvedOf(settings));
    if (this.globals.json) return this.printJson(approved);
    return this.print(
      approved.length === 0
        ? "The hooks and webhooks of no workspace are approved"
        : approved.map(printable).join("\n"),
    );
  }
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
  if (flags.commands || (!flags.remove && isOwn(root) && hasEntries(root))) {
    return await approve(this, path, settings, root, flags);
  }
  const others = safe.filter((other) => other !== root);
  save(path, { ...settings, safe: flags.remove ? others : [...others, root] });
  if (this.globals.json) this.printJson({ root, trusted: !flags.remove });
  else this.print(flags.remove ? `Trusted no more: ${root}` : `Trusted from now on: ${root}`);
}

/** The user's settings, and where they are to be written. */
function readSettings(): { path: string; settings: object } {
  const path = settingsPath();
  if (path === undefined) {
    throw new OrchestraError("environment", "There is no place for your settings", {
      hint: "Set HOME or XDG_CONFIG_HOME.",
    });
  }
  const read = readUserFile(path);
  if (read === undefined) {
    lookFor(path);
    return { path, settings: {} };
  }
  // To write over what does not count would lose it, or make another user's settings our own.
  const refuse = (problem: string) =>
    new OrchestraError("config", `Reading your settings, ${path}: it ${problem}`, {
      hint: "Mend it, or move it out of the way.",
    });
  if ("problem" in read) throw refuse(read.problem);
  const value = parseJsonFile(read.text, path);
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw refuse("is no JSON object");
  }
  return { path: read.path, settings: value };
}

function save(path: string, settings: object): void {
  Deno.mkdirSync(path.slice(0, path.lastIndexOf("/")), { recursive: true, mode: 0o700 });
  replaceFile(path, `${path}.${Deno.pid}.tmp`, JSON.stringify(settings, null, 2) + "\n");
}

/** What is approved, by roots. */
function approvedOf(settings: object): Record<string, unknown> {
  const { approved } = settings as { approved?: unknown };
  return typeof approved === "object" && approved !== null && !Array.isArray(approved)
    ? approved as Record<string, unknown>
    : {};
}

function isOwn(root: string): boolean {
  return [`${root}/.orchestra`, `${root}/.orchestra-cli`].map(lstat)
    .every((info) => info === undefined || isObeyed(info));
}

/** The committed settings; undefined where there are none. */
function committed(root: string): { text: string; value: Record<string, unknown> } | undefined {
  const text = readRegular(committedPath(root), LARGEST, COMMITTED);
  if (text === undefined) return undefined;
  const value = parseJsonFile(text, COMMITTED);
  const isObject = typeof value === "object" && value !== null && !Array.isArray(value);
  return { text, value: isObject ? value as Record<string, unknown> : {} };
}

function hasEntries(root: string): boolean {
  const value = committed(root)?.value ?? {};
  return value.hooks !== undefined || value.webhooks !== undefined || setupIn(value) !== undefined;
}

/** What the committed settings say of setting up worktrees. */
function setupIn({ worktrees }: Record<string, unknown>): unknown {
  return (worktrees as { setup?: unknown } | null | undefined)?.setup;
}

/** Approves the text of the committed settings, or no text any more. */
async function approve(
  context: Context,
  path: string,
  settings: object,
  root: string,
  flags: TrustFlags,
): Promise<void> {
  const { [root]: before, ...others } = approvedOf(settings);
  const say = (approved: boolean, text: string) =>
    context.globals.json ? context.printJson({ root, approved }) : context.print(text);
  if (flags.remove) {
    save(path, { ...settings, approved: others });
    return say(false, `Hooks and webhooks of ${COMMITTED} count no more`);
  }
  const found = committed(root);
  const { hooks, webhooks } = found?.value ?? {};
  const setup = setupIn(found?.value ?? {});
  if (found === undefined || [hooks, webhooks, setup].every((one) => one === undefined)) {
    throw new OrchestraError("state", `${COMMITTED} has no hooks and no webhooks to approve`, {
      hint: "See who is told of what happens with: orchestra webhooks list",
    });
  }
  // What is wrong with them is said here, and not once they should be told of something.
  const { parseConfig } = await import("../../settings/schemas.ts");
  const sound = parseConfig({ hooks, webhooks, worktrees: { setup } }, COMMITTED);
  const hash = await fingerprint(found.text);
  for (const { run, on } of sound.hooks) {
    context.note(`runs   ${printable(quote(run))}\n       on ${on.join(", ")}`);
  }
  for (const { url, on = USUAL, secretEnv = [], secretFile = [] } of sound.webhooks) {
    const secrets = [secretEnv, secretFile].flat();
    const signed = secrets.length === 0 ? "" : `\n       signed with ${secrets.join(", ")}`;
    context.note(
      `tells  ${printable(maskUrl(url))}${printable(signed)}\n       on ${on.join(", ")}`,
    );
  }
  if (sound.worktrees.setup !== null) {
    const line = [sound.worktrees.setup].flat();
    context.note(
      `runs   ${printable(line.length === 1 ? line[0]! : quote(line))}\n       in fresh worktrees`,
    );
  }
  if (before === hash) return say(true, "That is approved already");
  if (!flags.yes) {
    if (context.globals.json || !Deno.stdin.isTerminal()) {
      throw new OrchestraError("state", `Nobody is here to be asked about ${COMMITTED}`, {
        hint: "Approve it unasked with: orchestra trust --commands --yes",
      });
    }
    if (!confirm("Run and tell these as you, whenever that happens in this workspace?")) {
      return say(false, "Nothing approved");
    }
  }
  // Approved is what was shown, whatever stands there by now.
  save(path, { ...settings, approved: { ...others, [root]: hash } });
  say(true, `Approved: hooks and webhooks of ${COMMITTED} count until that file changes`);
}

/** Makes sure that settings are not there, rather than not for us to see: they would be written over. */
function lookFor(path: string): void {
  try {
    // What a link leads to may be forbidden where the link is not.
    Deno.lstatSync(path);
    throw new Deno.errors.NotCapable();
  } catch (error) {
    const refusal = beyond(error);
    if (refusal !== undefined) throw refusal;
  }
}

function settingsPath(): string | undefined {
  try {
    return userSettingsPath();
  } catch (error) {
    throw beyond(error) ?? error;
  }
}

function beyond(error: unknown): OrchestraError | undefined {
  return forbiddenFile(error, "trust: your settings are beyond the workspace", UNPERMITTED);
}

function realPath(folder: string): string {
  try {
    return realFolder(folder);
  } catch {
    throw new OrchestraError("no-workspace", `There is no folder ${JSON.stringify(folder)}`);
  }
}
