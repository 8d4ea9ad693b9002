// Where worktrees are made: outside of the repository, in the user's own folder for what programs keep,
// where no search of the user's and no build of theirs finds them.

import { userStateFolder } from "../store/owner.ts";
import { isAbsolute, parentOf, realFolder } from "../store/paths.ts";
import { OrchestraError } from "../task/error.ts";
import { hash } from "../task/hash.ts";
import { isTaskId } from "../task/id.ts";
import { makeFolder, namesIn, permitted, readText, run } from "./disk.ts";
import { git, GitError } from "./git.ts";
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

/**
 * Keeps the folder of worktrees out of what git tells of the user's working copy, where it lies in that: one
 * that has nothing else in it ignores itself.
 *
 * @param folder absolute
 * @throws OrchestraError `state` where that cannot be; GitError where git does not tell
 */
export async function hideFolder(repo: Repository, folder: string): Promise<void> {
  const [top, at] = [repo.top, folder].map((path) => path.replaceAll("\\", "/"));
  const refusal = (what: string, hint: string) =>
    new OrchestraError("state", `worktrees.folder is ${folder}, ${what}`, { hint });
  if (at === top) {
    throw refusal(
      "the working copy itself",
      "Name a folder for worktrees alone: orchestra config set worktrees.folder PATH",
    );
  }
  if (!at!.startsWith(`${top}/`)) return;
  const args = ["check-ignore", "--quiet", "--no-index", "--", `${folder}/task`];
  const output = await git(repo.top, args);
  if (output.code === 0) return;
  // 1: it is not ignored.
  if (output.code !== 1) throw new GitError(args, output);
  const names = await namesIn(folder, 10_000) ?? [];
  const own = `${folder}/.gitignore`;
  // Somebody else may be writing it just now.
  const isOurs = /^(?:\*\n?)?$/.test(await readText(own) ?? "");
  const isOwn = (name: string) =>
    isTaskId(name) || name.startsWith("merge-") || (name === ".gitignore" && isOurs);
  if (!names.every(isOwn)) {
    throw refusal(
      "in the repository, where git does not ignore it, and has other files in it",
      `Have git ignore it: add /${
        at!.slice(top!.length + 1)
      }/ to .gitignore. Or choose another folder`,
    );
  }
  await makeFolder(folder);
  await permitted(
    () => Deno.writeTextFileSync(own, "*\n"),
    async () => void await run("sh", ["-c", 'echo "*" >"$1"', "sh", own]),
  );
}

/** Where a task's worktree is made. */
export function worktreePath(folder: string, taskId: string): string {
  if (!isTaskId(taskId)) throw new TypeError(`${taskId} is no task`);
  return `${folder}/${taskId}`;
}
