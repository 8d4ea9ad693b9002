// The program in a terminal, where there is script(1) to make one.

import { type Box, commandLine, type Live, spawn } from "./program.ts";

/**
 * Runs the program in a terminal of the given size, where there is one: see `terminal` in needs.ts.
 * Before its arguments may stand what makes a whole shell command of its command line.
 */
export function inTerminal(
  box: Box,
  columns: number,
  rows: number,
  ...[first, ...others]: [string | ((program: string) => string), ...string[]]
): Live {
  const args = typeof first === "string" ? [first, ...others] : others;
  const shell = typeof first === "string" ? (program: string) => `exec ${program}` : first;
  const quoted = commandLine(...args).map((arg) => `'${arg.replaceAll("'", `'\\''`)}'`).join(" ");
  const command = `stty cols ${columns} rows ${rows}; ${shell(quoted)}`;
  return spawn("script", ["-qfec", command, "/dev/null"], {
    cwd: box.root,
    env: { TERM: "xterm-256color", SHELL: "/bin/sh" },
  });
}
