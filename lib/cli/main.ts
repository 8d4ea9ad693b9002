// Runs one command line: takes the options that every command has out of it, hands the rest to the
// command tree, and turns the outcome into an exit code.

import { run } from "@stricli/core";
import { env, type PlaceOption, placeOption } from "./calling.ts";
import { type Context, createContext, type Globals } from "./context.ts";
import { createApplication, loadMeant } from "./application.ts";
import { formatError, Misspelt } from "./errors.ts";
import { detachValues } from "./short_options.ts";
import { OrchestraError, toOrchestraError } from "../task/error.ts";
import { COMMIT, VERSION } from "../task/version.ts";

/** What remains of the command line once the global options are out. */
export interface CommandLine {
  globals: Globals;
  /** `--help` or `--version` before any command. */
  special: "help" | "version" | undefined;
  rest: string[];
}

const IDS = /^task_[0-9]{10,20}(?:,task_[0-9]{10,20})*$/;

/**
 * Splits a command line. Global options may stand before or after the command, but not behind
 * `--`; `--depends-on A B`, as the ancestor took it, becomes `--depends-on A --depends-on B`.
 */
export function parseCommandLine(args: readonly string[]): CommandLine {
  const globals: Globals = {
    dir: undefined,
    workspace: undefined,
    everywhere: false,
    json: false,
    debug: false,
    color: undefined,
  };
  const rest: string[] = [];
  let special: CommandLine["special"];
  for (let at = 0; at < args.length; at++) {
    const arg = args[at]!;
    if (arg === "--") {
      rest.push(...args.slice(at));
      break;
    }
    const place = placeOption(args, at, rest[0]);
    // The value of an option that takes a text is never an option of ours.
    if (arg === "--from" || arg === "--label" || arg === "-l" || arg === "--reason") {
      rest.push(arg);
      if (at + 1 < args.length) rest.push(args[++at]!);
    } else if (arg === "--json") globals.json = true;
    else if (arg === "--debug") globals.debug = true;
    else if (arg === "--no-color") globals.color = false;
    else if (arg === "--color") globals.color = true;
    else if (place !== undefined) {
      globals[place.option === "-C" ? "dir" : "workspace"] = valueOf(place);
      at += place.words - 1;
    } else if (rest.length === 0 && (arg === "--help" || arg === "-h")) special = "help";
    else if (rest.length === 0 && (arg === "--version" || arg === "-V")) special = "version";
    else if (rest.length === 0 && arg === "-d") globals.debug = true;
    else if (arg === "--depends-on") {
      rest.push(arg);
      if (at + 1 < args.length) rest.push(args[++at]!);
      while (at + 1 < args.length && IDS.test(args[at + 1]!)) rest.push(arg, args[++at]!);
    } else {
      // The command says whether it takes it; names of tasks are looked up accordingly.
      if (arg === "--everywhere") globals.everywhere = true;
      rest.push(arg);
    }
  }
  if (globals.dir !== undefined && globals.workspace !== undefined) {
    throw new OrchestraError("usage", "-C and -w both name the workspace", {
      hint: "Give its folder with -C, or its name with -w.",
    });
  }
  return { globals, special, rest };
}

function valueOf({ option, value }: PlaceOption): string {
  if (value !== undefined) return value;
  throw option === "-C"
    ? new OrchestraError("usage", "-C needs the folder of a workspace", {
      hint: "For example: orchestra -C ../project status",
    })
    : new OrchestraError("usage", "-w needs the name of a workspace", {
      hint: "See which there are with: orchestra workspaces",
    });
}

/**
 * Runs the program.
 *
 * @param args the command line without the program's name
 * @param program module to start for work in the background
 * @returns the exit code, and whether something is left open that would keep the program alive
 */
export async function main(
  args: readonly string[],
  program: string,
): Promise<{ code: number; force: boolean }> {
  if (args[0] === "_shim") {
    const { runWindowsShim } = await import("../launch/mod.ts");
    await runWindowsShim(args[1] ?? "");
    return { code: 0, force: true };
  }
  // A compiled program has the network for the process that delivers and for the server, and for no other.
  if (Deno.build.standalone && args[0] !== "_deliver" && !args.includes("serve")) {
    Deno.permissions.revokeSync({ name: "net" });
  }
  let context: Context | undefined;
  const code = await runCommandLine(args, program, (made) => context = made);
  return { code, force: context?.endsByExit ?? false };
}

async function runCommandLine(
  args: readonly string[],
  program: string,
  onContext: (context: Context) => void,
): Promise<number> {
  let json = args.includes("--json");
  try {
    if (args[0] === "_complete") return await complete(args.slice(1), program);
    const { globals, special, rest } = parseCommandLine(args);
    json = globals.json;
    if (env("ORCHESTRA_DEBUG") === "1" || env("AGENT_DEBUG") === "1") globals.debug = true;
    if (globals.debug) tellChildren();
    const told = globals.debug ? (await import("./trace.ts")).traceToTerminal() : undefined;
    const context = createContext(globals, program, told);
    context.trace("command", { words: rest.map(tellable), pid: Deno.pid, version: VERSION });
    onContext(context);
    if (special === "version") {
      if (json) context.printJson({ version: VERSION, commit: COMMIT, deno: Deno.version.deno });
      else context.print(`orchestra ${VERSION}${COMMIT === undefined ? "" : ` (${COMMIT})`}`);
      return 0;
    }
    if (special === "help" || rest.length === 0) {
      const { formatHelp } = await import("./help.ts");
      context.print(await formatHelp());
      return 0;
    }
    const { debug } = globals;
    const commands = await loadMeant(rest);
    const words = detachValues(rest, commands[rest[0]!]);
    await run(createApplication(commands, { json, debug, program, words }), words, context);
    await leaveNews(context, rest[0]!);
    const code = Number(context.process.exitCode ?? 0);
    // The framework's own codes for a command line that it does not understand are negative.
    return code < 0 || code === 251 || code === 252 ? 2 : code;
  } catch (error) {
    const known = error instanceof Misspelt
      ? await suggest(error)
      : toOrchestraError(error, "The command could not be carried out");
    console.error(formatError(known, json, program));
    return known.exitCode;
  }
}

/** Commands that watch tell themselves what is to be told, and leave when they are asked to. */
const WATCHING: readonly string[] = ["_supervise", "daemon"];

/** What the command has told in the history reaches hooks and webhooks, without anybody waiting for it. */
async function leaveNews(context: Context, command: string): Promise<void> {
  if (WATCHING.includes(command)) return;
  for (const queue of context.opened.filter(({ store }) => store.told.size > 0)) {
    try {
      const { mayTell } = await import("../settings/config.ts");
      if (!mayTell(queue.store, undefined, queue.store.told)) continue;
      const { leaveForNews } = await import("./supervision.ts");
      await leaveForNews(context, queue, queue.store.told);
    } catch (error) {
      // Who looks next leaves one.
      context.trace("news not left", { problem: error instanceof Error ? error.message : "" });
    }
  }
}

/** A word of the command line as it may be told: a prompt, a reason or a value stays unsaid. */
function tellable(word: string, at: number, words: readonly string[]): string {
  const before = words.slice(0, at);
  if (at === 0 || IDS.test(word)) return word;
  return before.includes("--") ? "…" : /^--?[a-zA-Z][a-zA-Z-]*/.exec(word)?.[0] ?? "…";
}

/** What we leave in the background tells what it does as well. */
function tellChildren(): void {
  try {
    Deno.env.set("ORCHESTRA_DEBUG", "1");
  } catch {
    // Not granted: then only we do.
  }
}

/** The error for what was mistyped, with what was probably meant. */
async function suggest({ kind, given, known, prefix }: Misspelt): Promise<OrchestraError> {
  const { closest } = await import("../text/suggest.ts");
  const best = closest(given, known);
  const quote = (text: string) => kind === "option" ? text : JSON.stringify(text);
  return new OrchestraError("usage", `There is no ${kind} ${quote(prefix + given)}`, {
    hint: best !== undefined
      ? `Did you mean ${quote(prefix + best)}?`
      : kind === "option"
      ? "See the options with --help."
      : `See them with: orchestra ${prefix}--help`,
  });
}

async function complete(words: readonly string[], program: string): Promise<number> {
  const { proposals, proposeWorkspaces } = await import("./complete.ts");
  const partial = words.at(-1) ?? "";
  if (/^(?:-w|--workspace)$/.test(words.at(-2) ?? "") && isPlace(words)) {
    for (const name of proposeWorkspaces(partial)) console.log(name);
    return 0;
  }
  const { globals, rest } = parseCommandLine(words.slice(0, -1));
  const context: Context = createContext(globals, program);
  for (const text of await proposals([...rest, partial], context)) {
    context.print(text);
  }
  return 0;
}

/** Whether the last word of a command line names a workspace. */
function isPlace(words: readonly string[]): boolean {
  return parseCommandLine(words).globals.workspace === words.at(-1);
}
