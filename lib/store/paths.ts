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
    if (isWorkspace(folder)) return untrimmed(folder);
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

/** A path without its last slash as that of a folder: the top has nothing but that slash. */
export function untrimmed(path: string): string {
  // `C:` is whatever folder of that drive somebody is in.
  return path === "" ? "/" : /^[a-z]:$/i.test(path) ? `${path}\\` : path;
}

/** Whether a path says by itself where it leads: on Windows from a drive or a server on, too. */
export function isAbsolute(path: string, windows: boolean = Deno.build.os === "windows"): boolean {
  return windows ? /^(?:[a-z]:)?[/\\]/i.test(path) : path.startsWith("/");
}

const DEVICE =
  /^(?:con|prn|aux|nul|com[0-9\xb9\xb2\xb3]|lpt[0-9\xb9\xb2\xb3]|con(?:in|out)\$) *(?:\.|$)/i;

/**
 * Whether Windows makes no file of a name: what it takes for a device, with an ending too, what it cuts
 * short, and characters that it keeps for other purposes.
 */
export function isRefusedByWindows(name: string): boolean {
  // deno-lint-ignore no-control-regex -- They are refused as well.
  return name === "" || DEVICE.test(name) || /[\0-\x1f<>:"|?*/\\]|[. ]$/.test(name);
}

export function parentOf(path: string): string {
  const at = Math.max(path.lastIndexOf("/"), path.lastIndexOf("\\"));
  return at < 0 ? path : path.slice(0, at);
}

/**
 * The real path of a folder, as its file system spells it. On Windows a drive that stands for a folder of
 * a server stays one, for cmd.exe starts in no folder of a server; and where a file system tells no such
 * paths, as those in memory do, it is the path that was given.
 *
 * @throws where there is none, or it may not be looked at
 */
export function realFolder(path: string): string {
  if (Deno.build.os !== "windows") return Deno.realPathSync(path);
  const given = fromDrive(path, Deno.cwd());
  try {
    const real = Deno.realPathSync(path);
    return real.startsWith("\\\\") && given !== undefined ? given : real;
  } catch (error) {
    // Everything else that is known has a name of its own.
    if (error instanceof Error && error.name !== "Error") throw error;
    if (given === undefined || lstat(given)?.isDirectory !== true) throw error;
    return given;
  }
}

/**
 * A path of Windows from its drive on, without `.` and `..`; undefined where no drive is named in it.
 *
 * @param cwd folder that it is relative to
 */
export function fromDrive(path: string, cwd: string): string | undefined {
  const whole = /^(?:[a-z]:|[/\\])/i.test(path) ? path : `${cwd}\\${path}`;
  if (!/^[a-z]:[/\\]/i.test(whole)) return undefined;
  const [drive = "", ...names] = whole.split(/[/\\]+/);
  const kept: string[] = [];
  for (const name of names) {
    if (name === "..") kept.pop();
    else if (name !== "." && name !== "") kept.push(name);
  }
  return `${drive.toUpperCase()}\\${kept.join("\\")}`;
}

/**
 * The real path of a folder that must lie inside a workspace.
 *
 * @param folder absolute, or relative to the root
 * @returns undefined where it does not, or is not there
 */
export function folderInside(root: string, folder: string): string | undefined {
  const path = isAbsolute(folder) ? folder : `${trimSlash(root)}/${folder}`;
  const [real, top] = realFolders(path, root) ?? [];
  if (real === undefined || top === undefined) return undefined;
  const windows = Deno.build.os === "windows";
  const [base, slash] = [trimSlash(top), windows ? "\\" : "/"];
  if (real !== top && !real.startsWith(`${base}${slash}`)) return undefined;
  // A drive that stands for a folder of a server stays one.
  const isMapped = windows && real.startsWith("\\\\") && fromDrive(root, "") !== undefined;
  return isMapped ? untrimmed(`${trimSlash(root)}${real.slice(base.length)}`) : real;
}

function realFolders(...paths: string[]): string[] | undefined {
  try {
    return paths.map((path) => Deno.realPathSync(path));
  } catch (error) {
    return error instanceof Deno.errors.NotCapable && Deno.build.os !== "windows"
      ? askShell(paths)
      : undefined;
  }
}

/** The same, told by `sh`: we may run programs, but not look outside the folders of the workspace. */
function askShell(paths: readonly string[]): string[] | undefined {
  const script = 'for p; do cd -P -- "$p" && pwd -P || exit 1; done';
  const { success, stdout } = new Deno.Command("/bin/sh", {
    args: ["-c", script, "sh", ...paths],
    stdin: "null",
    stderr: "null",
  }).outputSync();
  const found = new TextDecoder().decode(stdout).split("\n").slice(0, -1);
  // A name with a line break in it cannot be told from two.
  return success && found.length === paths.length ? found : undefined;
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
