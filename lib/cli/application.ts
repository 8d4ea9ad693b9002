// The commands by name, and the application that the framework runs. Of the commands' modules only
// that of the command that is called is loaded; help, completion and the reference load them all.

import { buildApplication, buildRouteMap, text_en } from "@stricli/core";
import type { Application, Command, RouteMap } from "@stricli/core";
import { type OrchestraError, toOrchestraError } from "../task/error.ts";
import type { Context } from "./context.ts";
import { formatError, Misspelt, noOption, usageError } from "./errors.ts";

/** A command, or several under one name. */
export type Target = Command<Context> | RouteMap<Context>;

interface Entry {
  /** Under what help shows it; null where it does not. */
  group: string | null;
  load(): Promise<{ command: Target }>;
}

/** Every command, in the order in which help shows them. */
export const COMMANDS: Readonly<Record<string, Entry>> = {
  init: { group: "Queue", load: () => import("./commands/init.ts") },
  start: { group: "Queue", load: () => import("./commands/start.ts") },
  run: { group: "Queue", load: () => import("./commands/run.ts") },
  daemon: { group: "Queue", load: () => import("./commands/daemon.ts") },
  status: { group: "Queue", load: () => import("./commands/status.ts") },
  wait: { group: "Queue", load: () => import("./commands/wait.ts") },
  show: { group: "Look closer", load: () => import("./commands/show.ts") },
  logs: { group: "Look closer", load: () => import("./commands/logs.ts") },
  diff: { group: "Look closer", load: () => import("./commands/diff.ts") },
  events: { group: "Look closer", load: () => import("./commands/events.ts") },
  deps: { group: "Look closer", load: () => import("./commands/deps.ts") },
  agents: { group: "Look closer", load: () => import("./commands/agents.ts") },
  stats: { group: "Look closer", load: () => import("./commands/stats.ts") },
  doctor: { group: "Look closer", load: () => import("./commands/doctor.ts") },
  serve: { group: "Look closer", load: () => import("./commands/serve.ts") },
  webhooks: { group: "Look closer", load: () => import("./commands/webhooks.ts") },
  worktrees: { group: "Look closer", load: () => import("./commands/worktrees.ts") },
  merge: { group: "Change", load: () => import("./commands/merge.ts") },
  pr: { group: "Change", load: () => import("./commands/pr.ts") },
  cancel: { group: "Change", load: () => import("./commands/cancel.ts") },
  retry: { group: "Change", load: () => import("./commands/retry.ts") },
  timeout: { group: "Change", load: () => import("./commands/timeout.ts") },
  clean: { group: "Change", load: () => import("./commands/clean.ts") },
  archive: { group: "Change", load: () => import("./commands/archive.ts") },
  config: { group: "Set up", load: () => import("./commands/config.ts") },
  workspaces: { group: "Set up", load: () => import("./commands/workspaces.ts") },
  completions: { group: "Set up", load: () => import("./commands/completions.ts") },
  trust: { group: "Set up", load: () => import("./commands/trust.ts") },
  upgrade: { group: "Set up", load: () => import("./commands/upgrade.ts") },
  _supervise: { group: null, load: () => import("./commands/supervise.ts") },
  _deliver: { group: null, load: () => import("./commands/deliver.ts") },
};

/** The commands that help shows, by their groups. */
export function listGroups(): Map<string, string[]> {
  const groups = new Map<string, string[]>();
  for (const [name, { group }] of Object.entries(COMMANDS)) {
    if (group === null) continue;
    const names = groups.get(group);
    if (names === undefined) groups.set(group, [name]);
    else names.push(name);
  }
  return groups;
}

/** Loads some commands; all where none are named. */
export async function loadCommands(
  names: readonly string[] = Object.keys(COMMANDS),
): Promise<Record<string, Target>> {
  const modules = await Promise.all(names.map((name) => COMMANDS[name]!.load()));
  return Object.fromEntries(names.map((name, at) => [name, modules[at]!.command]));
}

/**
 * Loads what a command line may mean: the command that it names, or all where an option comes first.
 *
 * @throws Misspelt where there is no such command
 */
export function loadMeant([first = ""]: readonly string[]): Promise<Record<string, Target>> {
  if (Object.hasOwn(COMMANDS, first)) return loadCommands([first]);
  if (first.startsWith("-")) return loadCommands();
  throw noCommand(first);
}

function noCommand(given: string): Misspelt {
  return new Misspelt("command", given, [...listGroups().values()].flat(), "");
}

/**
 * The application, for one run of the program.
 *
 * @param commands those that may be called
 * @param options how errors are printed; `words`: the command line, where it is known; `program`: the
 * module that was started
 */
export function createApplication(
  commands: Record<string, Target>,
  options: { json: boolean; debug: boolean; program: string; words?: readonly string[] },
): Application<Context> {
  const { json, debug, program, words = [] } = options;
  const known = (error: unknown): OrchestraError =>
    toOrchestraError(error, "The command could not be carried out");
  const say = (error: unknown) => {
    const stack = debug && error instanceof Error ? `\n${error.stack}` : "";
    return formatError(known(error), json, program) + stack;
  };
  return buildApplication(
    buildRouteMap({
      routes: commands,
      docs: {
        brief: "A task queue for command-line AI coding agents",
        hideRoute: { _supervise: true, _deliver: true },
      },
    }),
    {
      name: "orchestra",
      scanner: { caseStyle: "allow-kebab-for-camel", allowArgumentEscapeSequence: true },
      documentation: { caseStyle: "convert-camel-to-kebab", disableAnsiColor: true },
      completion: { includeAliases: false, includeHiddenRoutes: false },
      localization: {
        text: {
          ...text_en,
          exceptionWhileParsingArguments: (error) =>
            say(usageError(error, words, commands[words[0] ?? ""])),
          exceptionWhileLoadingCommandFunction: say,
          exceptionWhileLoadingCommandContext: say,
          exceptionWhileRunningCommand: say,
          commandErrorResult: say,
          noCommandRegisteredForInput: ({ input }) => {
            throw input.startsWith("-") ? noOption(input.replace(/^-+/, ""), []) : noCommand(input);
          },
        },
      },
      determineExitCode: (error) => known(error).exitCode,
    },
  );
}
