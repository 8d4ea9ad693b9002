// What every command gets: where to write, how it should look, and the workspace. Results and comments
// go to the terminal through it alone; the live view's page and keys are in screen.ts and keys.ts.

import type { CommandContext } from "@stricli/core";
import type { Config } from "../settings/config_fields.ts";
import { asJson, OrchestraError, UNSEEN } from "../task/error.ts";
import type { Queue } from "../queue/queue.ts";
import { NO_TRACE, type Trace } from "../task/trace.ts";
import type { Store } from "../store/tasks.ts";
import type { Style } from "../text/style.ts";
import { writeAll } from "./write.ts";
import { env, mayOnlyUse, mayUse, outOfReach, spell } from "./calling.ts";

/** Options that every command takes. */
export interface Globals {
  /** Value of `-C`; undefined for the nearest workspace. */
  dir: string | undefined;
  /** Value of `-w`: a known workspace by its name. */
  workspace: string | undefined;
  /** Whether all known workspaces are meant, by a command that can do so. */
  everywhere: boolean;
  json: boolean;
  debug: boolean;
  color: boolean | undefined;
}

/** What a command works with. */
export interface Context extends CommandContext {
  /** What the framework prints on, help above all; commands do not. */
  readonly process: {
    readonly stdout: { write(text: string): void };
    readonly stderr: { write(text: string): void };
    exitCode?: number | string | null;
  };
  readonly globals: Globals;
  /** Module to start for work in the background. */
  readonly program: string;
  /** The result, as it is, in as many pieces as it comes. */
  write(text: string | Uint8Array): void;
  /** Aborted when whoever reads the result has gone (`| head`): what follows something ends then. */
  readonly readerGone: AbortSignal;
  /** The result, as text; a newline is added. */
  print(text: string): void;
  /** The result, as exactly one JSON value. */
  printJson(value: unknown): void;
  /** A comment for a person: stderr, and nothing at all with `--json`. */
  note(text: string): void;
  /** A text for a person, the commands in it as they are to be typed. */
  spell(text: string): string;
  /** How text should look on stdout. */
  style(): Style;
  /** Set by what leaves a listener or a read of the terminal open: the program ends by force. */
  endsByExit: boolean;
  /** Whether stdout is a terminal. */
  readonly interactive: boolean;
  /** The workspace that the command is about; its code is loaded only now. */
  openQueue(): Promise<Queue>;
  /** The workspace in a folder. */
  openQueueIn(root: string): Promise<Queue>;
  /** Those that were opened so far. */
  readonly opened: readonly Queue[];
  /** The settings of a workspace; what is of no use in them is noted. */
  config(store: Store): Promise<Config>;
  /** Told of what is done; nobody listens without `--debug`. */
  readonly trace: Trace;
  /** From now on tells `.orchestra/debug.log`, for what runs in the background. */
  traceToFile(store: Store): Promise<void>;
  /** Root of the workspace, or where one would be made. */
  root(): Promise<string>;
  /** The process's exit code, where the command succeeded but what it waited for did not. */
  fail(code: number): void;
}

/** Columns and rows of the terminal, or what holds without one. */
export function terminalSize(): { columns: number; rows: number } {
  try {
    return Deno.consoleSize();
  } catch {
    const columns = Number(env("COLUMNS"));
    return { columns: columns > 0 ? columns : 120, rows: 40 };
  }
}

/**
 * Help whose lines fit the terminal: what is too long for one goes on below the place where its last
 * column begins, or behind the name of the command.
 */
export function wrapHelp(text: string, columns: number): string {
  return text.split("\n").map((whole) => {
    const line = whole.replace(/ +\[separator = ,\]/, "; several as a,b");
    if (line.length <= columns) return line;
    const [head] = /^ +orchestra( [a-z]+)+ |^.*\S {2,}(?=\S)|/.exec(line)!;
    // Behind the command's name an option and its value stay together.
    const words = line.slice(head.length).split(/^ +o/.test(line) ? / (?=[[<(])/ : " ");
    let wrapped = "";
    let length = head.length;
    for (const word of words) {
      if (length > head.length && length + word.length > columns) {
        wrapped = `${wrapped.trimEnd()}\n${" ".repeat(head.length)}`;
        length = head.length;
      }
      wrapped += `${word} `;
      length += word.length + 1;
    }
    return head + wrapped.trimEnd();
  }).join("\n");
}

/**
 * Makes the context of one run of the program.
 *
 * @param program module to start for work in the background
 * @param told of what is done
 */
export function createContext(
  globals: Globals,
  program: string,
  told: Trace = NO_TRACE,
): Context {
  const interactive = Deno.stdout.isTerminal();
  const gone = new AbortController();
  const opened: Queue[] = [];
  const write = (text: string | Uint8Array) => {
    if (!writeAll(Deno.stdout, text)) gone.abort();
  };
  let listener = told;
  const trace: Trace = (what, facts) => listener(what, facts);
  return {
    trace,
    async traceToFile(store) {
      const { traceToFile } = await import("./trace.ts");
      const first = listener;
      const second = traceToFile(`${store.dir}/debug.log`);
      listener = (what, facts) => {
        first(what, facts);
        second(what, facts);
      };
    },
    process: {
      stdout: { write: (text) => write(wrapHelp(text, terminalSize().columns)) },
      stderr: { write: (text) => void writeAll(Deno.stderr, text) },
    },
    globals,
    program,
    endsByExit: false,
    interactive,
    write,
    readerGone: gone.signal,
    print: (text) => write(`${text}\n`),
    printJson: (value) => write(`${asJson(value, 2)}\n`),
    note(text) {
      if (!globals.json) writeAll(Deno.stderr, `${this.spell(text).replace(UNSEEN, "")}\n`);
    },
    spell: (text) => spell(text, program),
    style() {
      const color = globals.color ??
        (interactive && env("NO_COLOR") === undefined && env("TERM") !== "dumb");
      const locale = env("LC_ALL") ?? env("LC_CTYPE") ?? env("LANG") ?? "UTF-8";
      return {
        color,
        unicode: /utf-?8/i.test(locale) || Deno.build.os !== "linux",
        width: interactive ? terminalSize().columns : Number(env("COLUMNS")) || 160,
      };
    },
    async root() {
      return await givenRoot(globals) ?? await currentFolder();
    },
    opened,
    async openQueue() {
      const given = await givenRoot(globals);
      if (given !== undefined) return await this.openQueueIn(given);
      const [{ findRoot }, { lstat }] = await Promise.all([
        import("../store/paths.ts"),
        import("../store/files.ts"),
      ]);
      const cwd = await currentFolder();
      const found = findRoot(cwd);
      let root = env("ORCHESTRA_WORKTREE") === undefined
        ? found
        : (await import("./own_root.ts")).ownRoot(cwd, found);
      // The agents of the repository are in each of its worktrees: no reason to begin a queue there.
      if (root === found && (root === undefined || lstat(`${root}/.orchestra`) === undefined)) {
        root = (await import("./in_worktree.ts")).rootAround(cwd) ?? root;
      }
      if (root === undefined) throw await noWorkspace(cwd);
      return await this.openQueueIn(root);
    },
    async openQueueIn(root) {
      const { openQueue } = await import("../queue/queue.ts");
      const queue = openQueue(root, { trace });
      opened.push(queue);
      return queue;
    },
    async config(store) {
      const { loadConfig } = await import("../settings/config.ts");
      const { config, warnings } = await loadConfig(store);
      if (warnings.length > 0) {
        const { formatSettingsWarning } = await import("../format/settings.ts");
        const { CONFIG_ABOUT } = await import("../settings/config_fields.ts");
        const keys = Object.keys(CONFIG_ABOUT);
        for (const warning of warnings) this.note(formatSettingsWarning(warning, keys));
      }
      return config;
    },
    fail(code) {
      this.process.exitCode = code;
    },
  };
}

/** The root of the workspace that the command line names; undefined where it names none. */
async function givenRoot({ dir, workspace }: Globals): Promise<string | undefined> {
  if (dir !== undefined) return await resolveDir(dir);
  if (workspace === undefined) return undefined;
  const { rootNamed } = await import("./known.ts");
  const root = await rootNamed(workspace);
  if (!mayUse(root)) throw outOfReach(root, `-w ${workspace}`);
  return root;
}

/** The folder that we are in. On Windows a shell tells it as somebody typed it: `c:\\WORK` is `C:\\work`. */
async function currentFolder(): Promise<string> {
  const cwd = Deno.cwd();
  return Deno.build.os === "windows" && !mayOnlyUse(cwd) ? await findFolder(cwd) ?? cwd : cwd;
}

/** The absolute path of the folder that `-C` names. */
async function resolveDir(dir: string): Promise<string> {
  const { isAbsolute } = await import("../store/paths.ts");
  // Not allowed to look at the folder itself, only at what is in it: taken as it is spelled.
  if (isAbsolute(dir) && mayOnlyUse(dir)) return dir;
  const real = await findFolder(dir);
  if (real === undefined) {
    throw new OrchestraError("no-workspace", `-C ${JSON.stringify(dir)}: there is no such folder`);
  }
  if (!mayUse(real)) throw outOfReach(real, `-C ${dir}`);
  return real;
}

async function findFolder(dir: string): Promise<string | undefined> {
  const { realFolder } = await import("../store/paths.ts");
  try {
    return realFolder(dir);
  } catch (error) {
    if (!(error instanceof Deno.errors.NotCapable)) return undefined;
    const { askForFolder } = await import("./beyond.ts");
    return askForFolder(dir);
  }
}

/** The error where neither the current folder nor one above it is a workspace that may be used. */
async function noWorkspace(cwd: string): Promise<OrchestraError> {
  if (mayOnlyUse(cwd)) {
    const { askForRoot } = await import("./beyond.ts");
    const root = askForRoot(cwd);
    if (root !== undefined) return outOfReach(root, `The workspace is ${root}`);
  }
  return new OrchestraError(
    "no-workspace",
    `No workspace here: neither ${cwd} nor a folder above it has .orchestra/`,
    { hint: "Make one with: orchestra init" },
  );
}
