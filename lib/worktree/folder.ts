// Where worktrees are made: outside of the repository, in the user's own folder for what programs keep,
// where no search of the user's and no build of theirs finds them.

import { userStateFolder } from "../store/owner.ts";
import { isAbsolute, parentOf, realFolder } from "../store/paths.ts";
import { OrchestraError } from "../task/error.ts";
import { hash } from "../task/hash.ts";
import { isTaskId } from "../task/id.ts";
import type { Repository } from "./repository.ts";

/**
 * The folder of a repository's worktrees.
 *
 * @param setting `worktrees.folder`: absolute, or relative to the top of the repository; null where it is
 * not set
 * @returns absolute path
 * @throws OrchestraError `environment` where the environment names no place for it
 */
export function worktreeFolder(repo: Repository, setting: string | null): string {
  if (setting !== null) {
    const path = setting.replace(/(?<=.)[/\\]+$/, "");
    return real(isAbsolute(path) ? path : `${repo.top}/${path}`);
  }
  const state = stateFolder();
  if (state === undefined) {
    throw new OrchestraError("environment", "There is no place for worktrees", {
      hint: "Set HOME or XDG_STATE_HOME, or say where: orchestra config set worktrees.folder PATH",
    });
  }
  return real(`${state}/worktrees/${nameOf(repo.gitDir)}-${hash(repo.gitDir).slice(0, 8)}`);
}

/** A path as git will tell it: of what is there already, links are followed. */
function real(path: string): string {
  for (let folder = path;;) {
    const found = tryReal(folder);
    if (found !== null) return `${found === "/" ? "" : found}${path.slice(folder.length)}` || "/";
    const parent = parentOf(folder);
    if (parent === folder || parent === "") return path;
    folder = parent;
  }
}

function tryReal(folder: string): string | null {
  try {
    return realFolder(folder);
  } catch (error) {
    if (!(error instanceof Deno.errors.NotCapable)) return null;
  }
  const args = ["-c", 'cd -P -- "$1" && pwd -P', "sh", folder];
  const { success, stdout } = new Deno.Command("sh", { args, stdin: "null", stderr: "null" })
    .outputSync();
  return success ? new TextDecoder().decode(stdout).replace(/\n$/, "") : null;
}

/** The user's folder; where Deno's permissions hide the variables that name it, a shell is asked. */
function stateFolder(): string | undefined {
  try {
    return userStateFolder();
  } catch (error) {
    if (!(error instanceof Deno.errors.NotCapable)) throw error;
  }
  const script =
    'base=${XDG_STATE_HOME:-${HOME:+$HOME/.local/state}}; printf %s "${base:+$base/orchestra}"';
  const { stdout } = new Deno.Command("sh", { args: ["-c", script], stdin: "null" }).outputSync();
  return new TextDecoder().decode(stdout) || undefined;
}

/** How people call a repository: its folder's name, of what every system takes in a name. */
function nameOf(gitDir: string): string {
  const parts = gitDir.split(/[/\\]/).filter((part) => part !== "");
  const own = parts.at(-1) === ".git" ? parts.at(-2) : parts.at(-1)?.replace(/\.git$/, "");
  return (own ?? "").replace(/[^\w.-]+/g, "-").replace(/^[.-]+/, "").slice(0, 40) || "repository";
}

/** Where a task's worktree is made. */
export function worktreePath(folder: string, taskId: string): string {
  if (!isTaskId(taskId)) throw new TypeError(`${taskId} is no task`);
  return `${folder}/${taskId}`;
}
