// Where a workspace is, and its folders.

import { OrchestraError } from "../task/error.ts";
import { lstat } from "./files.ts";

export const FOLDERS = ["tasks", "plans", "logs", "workspace", "archive"] as const;

/**
 * The nearest folder, from `start` upwards, that is a workspace.
 *
 * @param start absolute path
 * @returns absolute path, or undefined
 */
export function findRoot(start: string): string | undefined {
  for (let folder = trimSlash(start);;) {
    if (isWorkspace(folder)) return folder === "" ? "/" : folder;
    const parent = parentOf(folder);
    if (parent === folder) return undefined;
    folder = parent;
  }
}

/** Whether a folder has a queue, or a clone's agents for one that is yet to be made. */
export function isWorkspace(folder: string): boolean {
  return lstat(`${folder}/.orchestra`) !== undefined ||
    lstat(`${folder}/.orchestra-cli`)?.isDirectory === true;
}

export function trimSlash(path: string): string {
  return path.length > 1 ? path.replace(/[/\\]+$/, "") : path === "/" ? "" : path;
}

export function parentOf(path: string): string {
  const at = Math.max(path.lastIndexOf("/"), path.lastIndexOf("\\"));
  return at < 0 ? path : path.slice(0, at);
}

/**
 * Makes the folders of a workspace that are not there yet. A new one is kept out of git, for an
 * agent's `git add -A`, `git stash -u` or `git clean -fd` must not take the queue away.
 */
export function createFolders(root: string): void {
  const dir = `${trimSlash(root)}/.orchestra`;
  refuseLink(dir, ".orchestra");
  const isNew = lstat(dir) === undefined;
  Deno.mkdirSync(dir, { recursive: true, mode: 0o700 });
  for (const name of FOLDERS) {
    refuseLink(`${dir}/${name}`, `.orchestra/${name}`);
    Deno.mkdirSync(`${dir}/${name}`, { recursive: true, mode: 0o700 });
  }
  if (isNew) ignoreAll(root);
}

/** Keeps a queue out of git, unless its `.gitignore` says something already; whether it does now. */
export function ignoreAll(root: string): boolean {
  try {
    Deno.writeTextFileSync(`${trimSlash(root)}/.orchestra/.gitignore`, "*\n", {
      createNew: true,
      mode: 0o600,
    });
    return true;
  } catch (error) {
    if (error instanceof Deno.errors.AlreadyExists) return false;
    throw error;
  }
}

export function refuseLink(path: string, name: string): void {
  const info = lstat(path);
  if (info?.isSymlink) {
    throw new OrchestraError("damaged", `Opening the workspace: ${name} is a symbolic link`, {
      hint: "Orchestra follows no links there: replace it with the folder itself.",
    });
  }
  if (info !== undefined && !info.isDirectory) {
    throw new OrchestraError("damaged", `Opening the workspace: ${name} is not a folder`, {
      hint: "Move the file out of the way.",
    });
  }
}
