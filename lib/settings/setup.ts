// The command that makes a fresh worktree ready: from the workspace's settings or the user's, else from
// the committed `.orchestra-cli/config.json`, where it counts only once the user has approved that text.

import { lstat } from "../store/files.ts";
import type { Store } from "../store/tasks.ts";
import type { Config } from "./config_fields.ts";

/** A command, as a line for the shell or as a list with the program first. */
export type Setup = string | readonly string[];

/** Why the set-up command that came with the repository does not count, a sentence; null where it does, or there is none. */
export async function unapprovedSetup({ root }: Pick<Store, "root">): Promise<string | null> {
  if (lstat(`${root}/.orchestra-cli/config.json`) === undefined) return null;
  const { committedSetup } = await import("./subscribers.ts");
  const found = await committedSetup(root);
  return found === undefined || found.approved
    ? null
    : "The set-up command for worktrees in .orchestra-cli/config.json is not approved, " +
      "and does not count";
}

/**
 * The command that counts.
 *
 * @returns null where there is none, or it is not approved
 */
export async function loadSetup(
  store: Pick<Store, "root">,
  config: Pick<Config, "worktrees">,
): Promise<Setup | null> {
  if (config.worktrees.setup !== null) return config.worktrees.setup;
  // Most have no such file, and need no more of the program.
  if (lstat(`${store.root}/.orchestra-cli/config.json`) === undefined) return null;
  const { committedSetup } = await import("./subscribers.ts");
  const found = await committedSetup(store.root);
  return found?.approved ? found.setup : null;
}
