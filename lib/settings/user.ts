// The user's own settings and agents, `settings.json` and `agents.json` in `$XDG_CONFIG_HOME/orchestra/`:
// they hold below each workspace's own. Only read. What is wrong with them is told and never costs a
// workspace its own; where this program may not look at them, it is as if there were none.

import { readUserFile, type Unread, type UserFile, userSettingsPath } from "../store/owner.ts";

/** What messages call the two files. */
export const USER_SETTINGS = "Your settings file";
export const USER_AGENTS = "Your agents file";

/** The text of one of the user's files, or why it does not count. */
export type UserText = UserFile | Unread;

/** Paths of the user's settings and agents; undefined where there is no place for them, or none to be seen. */
export function userPaths(): { settings: string; agents: string } | undefined {
  try {
    const settings = userSettingsPath();
    return settings === undefined
      ? undefined
      : { settings, agents: settings.replace(/settings\.json$/, "agents.json") };
  } catch {
    return undefined;
  }
}

/** The user's settings; undefined for none. It costs one look where there are none. */
export function readUserSettingsText(): UserText | undefined {
  return readText(userPaths()?.settings);
}

/** The user's agents, in the same way. */
export function readUserAgentsText(): UserText | undefined {
  return readText(userPaths()?.agents);
}

function readText(path: string | undefined): UserText | undefined {
  return path === undefined ? undefined : readUserFile(path);
}

/** The value of one of the files, which must be a JSON object; or why it is of no use. */
export function parseObject(text: string): Record<string, unknown> | { readonly problem: string } {
  try {
    const value: unknown = JSON.parse(text.replace(/^\uFEFF/, ""));
    return typeof value === "object" && value !== null && !Array.isArray(value)
      ? value as Record<string, unknown>
      : { problem: "is no JSON object" };
  } catch {
    return { problem: "is not valid JSON" };
  }
}
