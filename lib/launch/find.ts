// Where a program is, by the rules of PATH; on Windows also by those of PATHEXT. For an agent the
// answer is that of its launch, which looks from the agent's own folder.

import { substituteNamed, type Variables } from "../decide/template.ts";
import { folderInside } from "../store/paths.ts";
import type { AgentDefinition } from "../task/agent.ts";
import { shellLineOf } from "../task/options.ts";

/** What a search depends on. */
export interface PathRules {
  windows: boolean;
  /** Value of PATH. */
  path: string;
  /** Value of PATHEXT; Windows only. */
  pathext?: string;
  /** Folder that a relative path starts from. */
  root: string;
}

/** Where an agent's program is, as its launch finds it. */
export interface FoundProgram {
  /** Its path; as it stands in the definition where `cwd` is undefined. */
  path: string;
  /** Folder it runs in; undefined where only a task tells. */
  cwd: string | undefined;
}

/** What Windows can start by itself; a .ps1 or .js would need to be handed to another program. */
const RUNNABLE: readonly string[] = [".COM", ".EXE", ".BAT", ".CMD"];

/**
 * The paths at which a program may be, best first.
 *
 * @param command a name, or a path
 */
export function programCandidates(command: string, rules: PathRules): string[] {
  const { windows, root } = rules;
  const slash = windows ? "\\" : "/";
  const name = windows ? command.replaceAll("/", "\\") : command;
  // npm installs `codex`, a script for sh, beside `codex.cmd`: without one of its endings Windows
  // cannot run a file.
  const endings = windows ? windowsEndings(name, rules.pathext) : [""];
  let starts: string[];
  if (isAbsolute(name, windows)) starts = [name];
  else if (name.includes(slash)) starts = [`${root}${slash}${name.replace(/^\.[/\\]/, "")}`];
  else {
    starts = rules.path.split(windows ? ";" : ":")
      .map((folder) => windows ? folder.replaceAll('"', "") : folder)
      .filter((folder) => folder !== "")
      .map((folder) => isAbsolute(folder, windows) ? folder : `${root}${slash}${folder}`)
      .map((folder) => `${folder.replace(windows ? /[/\\]+$/ : /\/+$/, "")}${slash}${name}`);
  }
  return starts.flatMap((start) => endings.map((ending) => start + ending));
}

function isAbsolute(path: string, windows: boolean): boolean {
  return windows ? /^(?:[\\/]|[A-Za-z]:)/.test(path) : path.startsWith("/");
}

function windowsEndings(name: string, pathext: string | undefined): string[] {
  const wanted = (pathext || RUNNABLE.join(";")).toUpperCase().split(";")
    .filter((ending) => RUNNABLE.includes(ending))
    .map((ending) => ending.toLowerCase());
  const has = RUNNABLE.some((ending) => name.toUpperCase().endsWith(ending));
  return has ? ["", ...wanted] : wanted;
}

function isProgram(path: string): boolean {
  try {
    const info = Deno.statSync(path);
    return info.isFile && (Deno.build.os === "windows" || ((info.mode ?? 0o111) & 0o111) !== 0);
  } catch (error) {
    if (error instanceof Deno.errors.NotCapable) throw error;
    return false;
  }
}

/**
 * Path of a program.
 *
 * @param command a name, or a path (relative to `root` where it is not absolute)
 * @returns null where there is none
 */
export function findOnPath(command: string, root: string): string | null {
  return findWith(command, Deno.env.get("PATH") ?? "", root);
}

/**
 * A command, which may be a line for the shell, `sh -c LINE`: on a Windows without `sh` such a line is
 * cmd.exe's.
 */
export function shellLine(command: readonly string[], root: string): readonly string[] {
  const line = shellLineOf(command);
  return Deno.build.os === "windows" && line !== undefined && findOnPath("sh", root) === null
    ? ["cmd", "/d", "/s", "/c", line]
    : command;
}

/**
 * The folder that an agent runs in.
 *
 * @returns undefined where it is none inside the workspace, null where it is made of the task
 */
export function findFolder(
  name: string,
  { cwd = "." }: Pick<AgentDefinition, "cwd">,
  root: string,
): string | undefined | null {
  const wanted = substituteNamed(cwd, knownOf(name, root));
  if (/\{[a-zA-Z]+\}/.test(wanted)) return null;
  return cwd === "." ? root : folderInside(root, wanted);
}

/** What is known of an agent's placeholders without a task. */
function knownOf(agent: string, root: string): Pick<Variables, "agent" | "workspace"> {
  return { agent, workspace: `${root}/.orchestra/workspace` };
}

/**
 * The program of an agent.
 *
 * @returns null where there is none, or its folder is not inside the workspace
 */
export function findProgram(
  name: string,
  { command, cwd, env }: Pick<AgentDefinition, "command" | "cwd" | "env">,
  root: string,
): FoundProgram | null {
  const folder = findFolder(name, { cwd }, root);
  if (folder === undefined) return null;
  if (folder === null) {
    const path = isRelative(command) ? command : findOnPath(command, root);
    return path === null ? null : { path, cwd: undefined };
  }
  const searched = ownPath(env);
  const path = searched === undefined
    ? findOnPath(command, folder)
    : findWith(command, substituteNamed(searched, knownOf(name, root)), folder);
  return path === null ? null : { path, cwd: folder };
}

/**
 * Whether a look for an agent's program would be a call to a server that its definition names: Windows then
 * tells that one who the user is, whoever wrote the definition. A workspace's own server has been called already.
 */
export function isOnServer(
  name: string,
  { command, cwd = ".", env }: Pick<AgentDefinition, "command" | "cwd" | "env">,
  root: string,
  windows: boolean = Deno.build.os === "windows",
): boolean {
  if (!windows) return false;
  const spell = (path: string) =>
    substituteNamed(path, knownOf(name, root)).replaceAll("/", "\\").toLowerCase();
  const folders = spell(ownPath(env, windows) ?? "").replaceAll('"', "").split(";");
  const [own, ...places] = [root, command, cwd, ...folders].map(spell) as [string, ...string[]];
  return places.some((path) =>
    /^\\(?:\\|\?\?\\)/.test(path) && path !== own && !path.startsWith(`${own}\\`)
  );
}

/** An agent's own PATH, which on Windows may be called Path. */
function ownPath(
  env: Readonly<Record<string, string>> = {},
  windows: boolean = Deno.build.os === "windows",
): string | undefined {
  if (!windows) return env.PATH;
  return Object.entries(env).find(([name]) => name.toUpperCase() === "PATH")?.[1];
}

function isRelative(command: string): boolean {
  return isPath(command) && !isAbsolute(command, Deno.build.os === "windows");
}

/** Whether a command is a path, and no name that is looked for on PATH. */
export function isPath(command: string): boolean {
  return command.includes("/") || Deno.build.os === "windows" && command.includes("\\");
}

function findWith(command: string, path: string, root: string): string | null {
  if (command === "" || command.includes("\0")) return null;
  const windows = Deno.build.os === "windows";
  const candidates = programCandidates(command, {
    windows,
    path,
    pathext: windows ? Deno.env.get("PATHEXT") : undefined,
    root,
  });
  try {
    return candidates.find(isProgram) ?? null;
  } catch (error) {
    if (!(error instanceof Deno.errors.NotCapable) || windows) throw error;
    return askShell(candidates);
  }
}

/** The first of some paths that is a program, told by `sh`: we may run programs, but not look. */
function askShell(candidates: readonly string[]): string | null {
  const script = 'for p; do [ -f "$p" ] && [ -x "$p" ] && printf %s "$p" && exit; done; exit 1';
  const { success, stdout } = new Deno.Command("/bin/sh", {
    args: ["-c", script, "sh", ...candidates],
    stdin: "null",
    stdout: "piped",
    stderr: "null",
  }).outputSync();
  return success ? new TextDecoder().decode(stdout) : null;
}
