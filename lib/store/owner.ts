// Whose a workspace is, and the user's own files. What stands in a workspace is run as whoever uses it:
// agents, checks, retries that are due. So one that belongs to somebody else is not obeyed, unless it is
// named as safe in the user's settings: `safe` in `$XDG_CONFIG_HOME/orchestra/settings.json`. Of the
// user's own files none counts that somebody else could have put there. Only read.

import { OrchestraError, quote, UNPERMITTED } from "../task/error.ts";
import { FOREIGN, lstat, tryReadRegular } from "./files.ts";
import { isAbsolute } from "./paths.ts";

/** One of the user's own files. */
export interface UserFile {
  readonly text: string;
  /** Where it is, when links have been followed: what is written there leaves them as they are. */
  readonly path: string;
  /** When it was last written, or a link to it was made if that is later; milliseconds. */
  readonly since: number;
}

/** Why such a file does not count, as the end of a sentence. */
export type Unread = { readonly problem: string };

/** Largest file of the user's that is read, bytes. */
const LARGEST = 1024 * 1024;
/** So many links in a row are followed, as the system does: path_resolution(7). */
const MAX_LINKS = 40;
const NOWHERE: Unread = { problem: "is a link that leads nowhere" };

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

/** Whether nobody but the owner can put anything into a folder, as far as its mode tells. */
export function isClosedToOthers({ mode }: Pick<Deno.FileInfo, "mode">): boolean {
  // Windows has no modes, and Deno makes them up.
  return Deno.build.os === "windows" || ((mode ?? 0) & 0o022) === 0;
}

/** Windows' own place, before `HOME`: that only some of its shells set, and all must find the same files. */
function ofSystem(name: string): string | undefined {
  return Deno.build.os === "windows" ? Deno.env.get(name) || undefined : undefined;
}

/** The user's own settings; undefined where the environment names no place for them. */
export function userSettingsPath(): string | undefined {
  const env = (name: string) => Deno.env.get(name) || undefined;
  const base = env("XDG_CONFIG_HOME") ?? ofSystem("APPDATA") ??
    (env("HOME") && `${env("HOME")}/.config`);
  return base === undefined ? undefined : `${base}/orchestra/settings.json`;
}

/** The user's own folder for what programs keep; undefined where the environment names no place for it. */
export function userStateFolder(): string | undefined {
  const env = (name: string) => Deno.env.get(name) || undefined;
  const base = env("XDG_STATE_HOME") ?? ofSystem("LOCALAPPDATA") ??
    (env("HOME") && `${env("HOME")}/.local/state`);
  return base === undefined ? undefined : `${base}/orchestra`;
}

/** Whether the user has said that a workspace is to be obeyed, whoever owns it. */
export function isSafe(root: string): boolean {
  try {
    const path = userSettingsPath();
    const read = path === undefined ? undefined : readUserFile(path);
    return read !== undefined && "text" in read && safeIn(JSON.parse(read.text)).includes(root);
  } catch {
    // Not for us to read, or damaged: nothing is said.
    return false;
  }
}

/**
 * One of the user's own files, which many keep elsewhere, with a link here: whose it is counts, of each
 * link and of the file. Undefined where there is none, and where this program may not look at it. It
 * costs one look where there is none.
 */
export function readUserFile(path: string): UserFile | Unread | undefined {
  try {
    const place = follow(path);
    if (place === undefined || "problem" in place) return place;
    const read = tryReadRegular(place.path, LARGEST, isObeyed);
    return read === undefined || "problem" in read ? read : { ...place, text: read.text };
  } catch (error) {
    if (error instanceof Deno.errors.NotCapable) return undefined;
    return error instanceof Deno.errors.NotFound ? NOWHERE : { problem: "cannot be read" };
  }
}

/** Where links lead to that may be obeyed, one by one: somebody else's could lead elsewhere tomorrow. */
function follow(path: string): Pick<UserFile, "path" | "since"> | Unread | undefined {
  let since = 0;
  for (let links = 0; links <= MAX_LINKS; links++) {
    // What a link leads to is missed, and what may not be looked at is told apart.
    const info = links === 0 ? lstat(path) : Deno.lstatSync(path);
    if (info === undefined) return undefined;
    since = Math.max(since, info.mtime?.getTime() ?? 0);
    if (!info.isSymlink) return { path, since };
    if (!isObeyed(info)) return { problem: FOREIGN };
    const target = Deno.readLinkSync(path);
    path = isAbsolute(target) ? target : `${path.slice(0, path.lastIndexOf("/"))}/${target}`;
  }
  return NOWHERE;
}

/** The workspaces that the user's settings name as safe, by their roots. */
export function safeIn(settings: unknown): string[] {
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
