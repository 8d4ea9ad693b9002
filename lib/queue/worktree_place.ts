// The worktree that a task file names, looked at before anything is launched in it: anybody may have
// written that file. It must be a linked worktree of the repository in which the workspace lies, locked for
// this very task. Read from git's own small files, for it is done inside the lock: git is not started.

import { isAbsolute, realFolder } from "../store/paths.ts";

/** Why a task's worktree is locked, as git keeps it. */
export function lockReason(taskId: string): string {
  return `orchestra ${taskId}`;
}

/** What came of looking. */
export type FoundWorktree =
  /** The real path of the folder that all worktrees of the repository share. */
  | { readonly gitFolder: string }
  /** Why there is none, a sentence; and whether there is nothing at all. */
  | { readonly problem: string; readonly gone: boolean };

/**
 * The worktree at a path.
 *
 * @param root of the workspace
 * @param path absolute path of its top
 * @param taskId whose it must be
 * @throws what the system throws where something cannot be read
 */
export function findWorktree(root: string, path: string, taskId: string): FoundWorktree {
  const own = pointedTo(path);
  if (own === undefined) return { problem: `there is no worktree at ${path}`, gone: true };
  const back = readLine(`${own}/gitdir`);
  const top = back === undefined ? undefined : /^(.*)[/\\]\.git$/.exec(resolved(own, back))?.[1];
  if (top === undefined || realOf(top) !== realOf(path)) {
    return { problem: `${path} is no worktree that git knows`, gone: false };
  }
  const gitFolder = commonFolder(own);
  if (gitFolder === undefined || gitFolder !== repositoryOf(root)) {
    return { problem: `${path} is a worktree of another repository`, gone: false };
  }
  // Anybody can lock a worktree; git has named the record of ours after a task, this or an earlier attempt.
  const isATasks = /[/\\]task_\d+$/.test(own);
  if (!isATasks || readLine(`${own}/locked`) !== lockReason(taskId)) {
    return { problem: `${path} is a worktree that was not made for ${taskId}`, gone: false };
  }
  return { gitFolder };
}

/**
 * The task in whose worktree a folder lies, as the worktree's lock tells.
 *
 * @param folder absolute path
 * @returns undefined where it lies in none, or that is not for us to see
 */
export function taskAround(
  folder: string,
): { readonly taskId: string; readonly gitFolder: string } | undefined {
  for (let at = realOf(folder); at !== undefined; at = above(at)) {
    const own = pointedTo(at);
    // What is in a repository of its own belongs to that.
    if (own === undefined && !isFolder(`${at}/.git`)) continue;
    const reason = own === undefined ? undefined : readLine(`${own}/locked`);
    const taskId = /^orchestra (task_\d+)$/.exec(reason ?? "")?.[1];
    const gitFolder = own === undefined ? undefined : commonFolder(own);
    return taskId === undefined || gitFolder === undefined ? undefined : { taskId, gitFolder };
  }
  return undefined;
}

/** The shared folder of the repository in which a folder lies; undefined where it lies in none. */
function repositoryOf(folder: string): string | undefined {
  const top = realOf(folder);
  for (let at = top; at !== undefined; at = above(at)) {
    const git = `${at}/.git`;
    const own = pointedTo(at) ?? (isFolder(git) ? git : undefined);
    if (own !== undefined) return commonFolder(own);
  }
  return undefined;
}

function above(path: string): string | undefined {
  const at = Math.max(path.lastIndexOf("/"), path.lastIndexOf("\\"));
  // The top of a disk ends in its slash.
  const parent = at < 0 ? path : path.slice(0, Math.max(at, path[1] === ":" ? 3 : 1));
  return parent === path ? undefined : parent;
}

/** Where the file `.git` of a linked worktree leads; undefined where there is no such file. */
function pointedTo(folder: string): string | undefined {
  const line = readLine(`${folder}/.git`);
  return line?.startsWith("gitdir: ") ? resolved(folder, line.slice(8)) : undefined;
}

/** The folder that a worktree's own folder in the repository shares with the others. */
function commonFolder(own: string): string | undefined {
  const common = readLine(`${own}/commondir`);
  return realOf(common === undefined ? own : resolved(own, common));
}

function resolved(folder: string, path: string): string {
  return isAbsolute(path) ? path : `${folder}/${path}`;
}

/** The first line of a small file; undefined where there is none. */
function readLine(path: string): string | undefined {
  return looked(
    () => Deno.lstatSync(path).isFile ? Deno.readTextFileSync(path) : undefined,
    '[ -f "$1" ] && [ ! -h "$1" ] && cat -- "$1"',
    path,
  )?.split(/\r?\n/)[0];
}

function isFolder(path: string): boolean {
  return looked(
    () => Deno.statSync(path).isDirectory ? "yes" : "",
    '[ -d "$1" ] && echo yes',
    path,
  ) ===
    "yes";
}

/** Where a folder really is; undefined where there is none. */
function realOf(path: string): string | undefined {
  return looked(() => realFolder(path), 'cd -P -- "$1" && pwd -P', path);
}

/** Looks; where Deno's permissions hide what is outside of the workspace, a shell is asked. */
function looked(
  look: () => string | undefined,
  script: string,
  path: string,
): string | undefined {
  try {
    return look();
  } catch (error) {
    if (error instanceof Deno.errors.NotFound || error instanceof Deno.errors.NotADirectory) {
      return undefined;
    }
    if (!(error instanceof Deno.errors.NotCapable) || Deno.build.os === "windows") throw error;
  }
  const { success, stdout } = new Deno.Command("/bin/sh", {
    args: ["-c", script, "sh", path],
    stdin: "null",
    stderr: "null",
  }).outputSync();
  return success ? new TextDecoder().decode(stdout).replace(/\n$/, "") : undefined;
}
