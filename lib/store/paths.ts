// Where a workspace is, and its folders.

import { OrchestraError } from "../task/error.ts";
import { lstat } from "./files.ts";

export const FOLDERS = ["tasks", "plans", "logs", "workspace", "archive"] as const;

/**
 * The nearest folder, from `start` upwards, that has an `.orchestra` folder.
 *
 * @param start absolute path
 * @returns absolute path, or undefined
 */
export function findRoot(start: string): string | undefined {
  for (let folder = trimSlash(start);;) {
    if (lstat(`${folder}/.orchestra`) !== undefined) return folder === "" ? "/" : folder;
    const parent = parentOf(folder);
    if (parent === folder) return undefined;
    folder = parent;
  }
}

export function trimSlash(path: string): string {
  return path.length > 1 ? path.replace(/[/\\]+$/, "") : path === "/" ? "" : path;
}

export function parentOf(path: string): string {
  const at = Math.max(path.lastIndexOf("/"), path.lastIndexOf("\\"));
  return at < 0 ? path : path.slice(0, at);
}

/** Makes the folders of a workspace that are not there yet. */
export function createFolders(root: string): void {
  const dir = `${trimSlash(root)}/.orchestra`;
  refuseLink(dir, ".orchestra");
  Deno.mkdirSync(dir, { recursive: true, mode: 0o700 });
  for (const name of FOLDERS) {
    refuseLink(`${dir}/${name}`, `.orchestra/${name}`);
    Deno.mkdirSync(`${dir}/${name}`, { recursive: true, mode: 0o700 });
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
