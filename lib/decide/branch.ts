// The branch of a task, as its file tells it. Anybody may have written that file: nothing else reads the
// field. Pure.

import type { Task, TaskBranch } from "../task/fields.ts";

/** A commit's name, SHA-1 or SHA-256. */
const COMMIT = /^(?:[0-9a-f]{40}|[0-9a-f]{64})$/;

/** Whether git takes a name for a branch: git-check-ref-format(1), and none that begins with `-`. */
export function isBranchName(name: string): boolean {
  return name.length <= 200 &&
    !/^[-.\/]|[\0-\x20\x7f~^:?*[\\]|\.\.|@\{|\/\/|\/\.|[./]$|\.lock(?:\/|$)|^@$/
      .test(name) &&
    name !== "";
}

const isText = (value: unknown): value is string => typeof value === "string";
const isCount = (value: unknown): value is number =>
  Number.isSafeInteger(value) && (value as number) >= 0;
const isAbsolutePath = (path: string) => /^(?:\/|[A-Za-z]:[\\/]|\\\\)/.test(path);
/** Inside of where it begins, and nothing that leads out. */
const isInside = (path: string) => !/^[\\/]|\0|^[A-Za-z]:|(?:^|[\\/])\.\.(?:[\\/]|$)/.test(path);

/** The branch of a task; null where it has none, or what its file says of it makes no sense. */
export function branchOf({ git }: Pick<Task, "git">): TaskBranch | null {
  if (git === null || typeof git !== "object") return null;
  const { branch, base, path, folder, tip, left } = git;
  if (!isText(branch) || !isBranchName(branch) || !isText(base) || !COMMIT.test(base)) return null;
  if (!isText(path) || !isAbsolutePath(path) || /\0|(?:^|[\\/])\.\.(?:[\\/]|$)/.test(path)) {
    return null;
  }
  const count = (value: unknown) => isCount(value) ? value : null;
  return {
    branch,
    base,
    path,
    folder: isText(folder) && isInside(folder) ? folder : "",
    tip: isText(tip) && COMMIT.test(tip) ? tip : null,
    files: count(git.files),
    insertions: count(git.insertions),
    deletions: count(git.deletions),
    paths: Array.isArray(git.paths) ? git.paths.filter(isText).slice(0, 1000) : undefined,
    left: isText(left) ? left.slice(0, 500) : null,
  };
}
