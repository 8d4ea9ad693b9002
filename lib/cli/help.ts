// The overview of all commands.

import { listGroups, loadCommands } from "./application.ts";

/** The overview that `orchestra --help` prints. */
export async function formatHelp(): Promise<string> {
  const all = await loadCommands();
  const lines = [
    "A task queue for command-line AI coding agents.",
    "",
    "Usage: orchestra <command> [options]",
  ];
  for (const [title, commands] of listGroups()) {
    lines.push("", `${title}:`);
    for (const name of commands) {
      lines.push(`  ${name.padEnd(12)} ${all[name]!.brief}`);
    }
  }
  lines.push(
    "",
    "Options of every command:",
    "  -C <dir>     Root of the workspace (the nearest folder that has .orchestra/)",
    "  -w <name>    The workspace of that name (orchestra workspaces); also --workspace",
    "  --json       Print exactly one JSON value",
    "  --no-color   No colours (also with NO_COLOR set)",
    "  --debug      Tell what is done, and stack traces (also with ORCHESTRA_DEBUG=1)",
    "  --version    Print the version",
    "  --help       Help, of a command too: orchestra start --help",
    "",
    "Start with: orchestra init",
  );
  return lines.join("\n");
}
