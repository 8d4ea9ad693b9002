// Where a program is, by the rules of PATH.

import { lstat } from "../store.ts";

function isProgram(path: string): boolean {
  try {
    const info = Deno.statSync(path);
    return info.isFile && (Deno.build.os === "windows" || ((info.mode ?? 0o111) & 0o111) !== 0);
  } catch (error) {
    // Not allowed to look closer: a file is taken as a program.
    return error instanceof Deno.errors.NotCapable ? lstat(path) !== undefined : false;
  }
}

/**
 * Path of a program.
 *
 * @param command a name, or a path (relative to `root` where it is not absolute)
 * @returns null where there is none
 */
export function findOnPath(command: string, root: string): string | null {
  const windows = Deno.build.os === "windows";
  const endings = windows ? ["", ...(Deno.env.get("PATHEXT") ?? ".EXE;.CMD").split(";")] : [""];
  const folders = /[/\\]/.test(command)
    ? [""]
    : (Deno.env.get("PATH") ?? "").split(windows ? ";" : ":").filter((folder) => folder !== "");
  for (const folder of folders) {
    for (const ending of endings) {
      const path = folder !== ""
        ? `${folder}/${command}${ending}`
        : /^(?:[/\\]|[A-Za-z]:)/.test(command)
        ? `${command}${ending}`
        : `${root}/${command}${ending}`;
      if (isProgram(path)) return path;
    }
  }
  return null;
}
