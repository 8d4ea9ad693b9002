// Whose a workspace is. What stands in one is run as whoever uses it: agents, checks, retries that are
// due. So one that belongs to somebody else is not obeyed, unless it is named as safe in the user's
// settings: `safe` in `$XDG_CONFIG_HOME/orchestra/settings.json`.

import { OrchestraError, quote, UNPERMITTED } from "../task/error.ts";
import { lstat } from "./files.ts";

let known: { readonly uid: number | null } | undefined;

/** Our own number; null where the system has none, or does not tell us. */
function ownUid(): number | null {
  if (known === undefined) {
    try {
      known = { uid: Deno.uid() };
    } catch {
      known = { uid: null };
    }
  }
  return known.uid;
}

/** Whether what stands in a file or folder may be obeyed: it is ours, or the administrator's. */
export function isObeyed({ uid }: Pick<Deno.FileInfo, "uid">): boolean {
  const own = ownUid();
  return own === null || uid === null || uid === own || uid === 0;
}

/** Whether nobody but the owner can put anything into a folder. */
export function isClosedToOthers({ mode }: Pick<Deno.FileInfo, "mode">): boolean {
  return ((mode ?? 0) & 0o022) === 0;
}

/** The user's own settings; undefined where the environment names no place for them. */
export function userSettingsPath(): string | undefined {
  const env = (name: string) => Deno.env.get(name) || undefined;
  const base = env("XDG_CONFIG_HOME") ?? (env("HOME") && `${env("HOME")}/.config`) ??
    env("APPDATA");
  return base === undefined ? undefined : `${base}/orchestra/settings.json`;
}

/** The user's own folder for what programs keep; undefined where the environment names no place for it. */
export function userStateFolder(): string | undefined {
  const env = (name: string) => Deno.env.get(name) || undefined;
  const base = env("XDG_STATE_HOME") ?? (env("HOME") && `${env("HOME")}/.local/state`) ??
    env("LOCALAPPDATA");
  return base === undefined ? undefined : `${base}/orchestra`;
}

/** Whether the user has said that a workspace is to be obeyed, whoever owns it. */
export function isSafe(root: string): boolean {
  try {
    const path = userSettingsPath();
    const text = path === undefined ? undefined : readUserSettings(path);
    return text !== undefined && safeIn(path!, JSON.parse(text)).includes(root);
  } catch {
    // Not for us to read, or damaged: nothing is said.
    return false;
  }
}

/** The text of the user's own settings; undefined where there are none. */
export function readUserSettings(path: string): string | undefined {
  return lstat(path) === undefined ? undefined : Deno.readTextFileSync(path);
}

/** The workspaces that settings name as safe, by their roots; none where they are somebody else's. */
export function safeIn(path: string, settings: unknown): string[] {
  const info = lstat(path);
  if (info === undefined || !isObeyed(info)) return [];
  const safe = (settings as { safe?: unknown } | null)?.safe;
  return Array.isArray(safe) ? safe.filter((root) => typeof root === "string") : [];
}

/** The error for a workspace of somebody else's. */
export function foreignError(root: string, { uid }: Pick<Deno.FileInfo, "uid">): OrchestraError {
  return new OrchestraError(
    "environment",
    `The workspace in ${root} belongs to somebody else (user ${uid}): ` +
      "what stands in it would be run as you",
    {
      hint: mayReadSettings()
        ? `To trust it all the same: orchestra trust ${quote([root])}`
        : UNPERMITTED,
    },
  );
}

function mayReadSettings(): boolean {
  try {
    userSettingsPath();
    return true;
  } catch {
    return false;
  }
}
