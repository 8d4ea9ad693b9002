// What the program asks Deno for: the two folders of a workspace, starting programs, and a few
// environment variables. What agents may do is not decided here: they are programs of their own.

import { BASIC_ENV } from "./prepare.ts";

/** Environment variables that the program reads; the basic ones for agents that have `passEnv`. */
export const ENV: readonly string[] = [
  ...BASIC_ENV.filter((name) => !["PATH", "PATHEXT", "TERM", "LANG", "LC_ALL"].includes(name)),
  "NO_COLOR",
  "TERM",
  "COLUMNS",
  "LANG",
  "LC_ALL",
  "LC_CTYPE",
  "PATH",
  "PATHEXT",
  "ORCHESTRA_DEBUG",
  "AGENT_DEBUG",
  "JSR_URL",
];

/**
 * The flags of `deno run` for one workspace.
 *
 * @param prefix what leads to the workspace, with a slash at its end; empty for the current folder
 */
export function permissionFlags(prefix = ""): string[] {
  const folders = `${prefix}.orchestra,${prefix}.orchestra-cli`;
  return [
    "--no-prompt",
    `--allow-read=${folders}`,
    `--allow-write=${folders}`,
    "--allow-run",
    `--allow-env=${ENV.join(",")}`,
  ];
}
