// Where a program is, by the rules of PATH; on Windows also by those of PATHEXT, and what a program
// that npm installed really runs.

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
  if (windows ? /^(?:\\|[A-Za-z]:)/.test(name) : name.startsWith("/")) starts = [name];
  else if (name.includes(slash)) starts = [`${root}${slash}${name.replace(/^\.[/\\]/, "")}`];
  else {
    starts = rules.path.split(windows ? ";" : ":")
      .map((folder) => windows ? folder.replaceAll('"', "") : folder)
      .filter((folder) => folder !== "")
      .map((folder) => `${folder.replace(windows ? /[/\\]+$/ : /\/+$/, "")}${slash}${name}`);
  }
  return starts.flatMap((start) => endings.map((ending) => start + ending));
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
    // Not allowed to look closer: a file is taken as a program.
    return error instanceof Deno.errors.NotCapable && isThere(path);
  }
}

function isThere(path: string): boolean {
  try {
    Deno.lstatSync(path);
    return true;
  } catch {
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
  if (command === "" || command.includes("\0")) return null;
  const rules = {
    windows: Deno.build.os === "windows",
    path: Deno.env.get("PATH") ?? "",
    pathext: Deno.build.os === "windows" ? Deno.env.get("PATHEXT") : undefined,
    root,
  };
  return programCandidates(command, rules).find(isProgram) ?? null;
}
