// What the program asks Deno for: the two folders of a workspace, starting programs, and a few
// environment variables. What agents may do is not decided here: they are programs of their own.

/**
 * Environment variables that the program reads. The list is short on purpose: the first line of a
 * file is cut after 255 bytes by Linux, execve(2). Agents with `passEnv` need `-A`.
 */
export const ENV: readonly string[] = [
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
 * The flags of `deno run` for the workspace in the current folder.
 *
 * @param more environment variables that may be read beside ours
 */
export function permissionFlags(more: readonly string[] = []): string[] {
  const folders = ".orchestra,.orchestra-cli";
  return [
    "--no-prompt",
    `--allow-read=${folders}`,
    `--allow-write=${folders}`,
    "--allow-run",
    // Whose a workspace is.
    "--allow-sys=uid",
    `--allow-env=${[...ENV, ...more].join(",")}`,
  ];
}
