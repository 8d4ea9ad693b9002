// How this program was called: its environment, what is typed for it, and what Deno lets it do. What a
// hint tells to type works as it stands, and where Deno forbids something the hint is what it allows.

import type { Store } from "../store/tasks.ts";
import { OrchestraError, quote, UNPERMITTED } from "../task/error.ts";
import type { Task } from "../task/fields.ts";

/** What it may use where it was started by the first line of its own file, or compiled. */
const LIMIT = "Deno lets this program use only .orchestra and .orchestra-cli of the folder it is " +
  "started in";

/** An environment variable; undefined where it is unset, empty, or may not be read. */
export function env(name: string): string | undefined {
  try {
    return Deno.env.get(name) || undefined;
  } catch {
    return undefined;
  }
}

/** The running task whose agent called us, or a program that it started; undefined where none did. */
export function ownTask(store: Store): Task | undefined {
  const id = env("ORCHESTRA_TASK_ID");
  if (id === undefined || env("ORCHESTRA_ROOT") !== store.root) return undefined;
  try {
    const task = store.read(id);
    return task?.status === "running" ? task : undefined;
  } catch {
    return undefined;
  }
}

/** Whether something may be read, below a path or at all. */
function mayRead(path?: string): boolean {
  return Deno.permissions.querySync({ name: "read", path }).state === "granted";
}

/** Whether the workspace in a folder may be used. */
export function mayUse(folder: string): boolean {
  return mayRead(`${folder === "/" ? "" : folder}/.orchestra`);
}

/** Whether that is all that may be used there. */
export function mayOnlyUse(folder: string): boolean {
  return mayUse(folder) && !mayRead(folder);
}

/** The file of the one-file program, or of the executable; undefined for the sources. */
function fileOf(program: string): string | undefined {
  if (Deno.build.standalone) return Deno.execPath();
  if (!program.startsWith("file:") || program.endsWith("/main.ts")) return undefined;
  const path = decodeURIComponent(program.slice("file://".length));
  return Deno.build.os === "windows" ? path.slice(1) : path;
}

/** What to type for the program; whoever has the sources has a command for them. */
function nameOf(program: string): string {
  const file = fileOf(program);
  if (file === undefined) return "orchestra";
  const command = commandOf(file, env("PATH") ?? "", Deno.build.os === "windows", isFile);
  if (command !== undefined) return command;
  return Deno.build.standalone || !mayRead() ? quote([file]) : `deno run -A ${quote([file])}`;
}

/**
 * What a shell finds a program by; undefined where its folder is not on PATH. On Windows one file is found
 * where a batch file beside it starts it.
 */
export function commandOf(
  file: string,
  path: string,
  windows: boolean,
  isFile: (path: string) => boolean,
): string | undefined {
  const at = Math.max(file.lastIndexOf("/"), file.lastIndexOf("\\"));
  const [folder, name] = [file.slice(0, at), file.slice(at + 1)];
  if (!windows) return path.split(":").includes(folder) ? name : undefined;
  const spelled = (text: string) => text.replaceAll("/", "\\").replace(/\\$/, "").toLowerCase();
  if (!path.split(";").map(spelled).includes(spelled(folder))) return undefined;
  const [stem] = name.split(/\.(?:exe|js)$/i) as [string];
  return /\.exe$/i.test(name) || isFile(`${folder}/${stem}.cmd`) ? stem : undefined;
}

function isFile(path: string): boolean {
  try {
    return Deno.statSync(path).isFile;
  } catch {
    return false;
  }
}

/** Which workspace is meant: by its folder, or by its name. */
export interface PlaceOption {
  readonly option: "-C" | "-w";
  /** Undefined where the command line ends too early. */
  readonly value: string | undefined;
  /** How many words it takes. */
  readonly words: number;
}

/** Commands that have another `-w`: behind them `--workspace` names one. */
export const OTHER_W: Readonly<Record<string, string>> = { status: "--watch", run: "--wait" };

/**
 * The option that names a workspace, where one begins at a place of a command line.
 *
 * @param command the command, where it stands before that place
 */
export function placeOption(
  words: readonly string[],
  at: number,
  command: string | undefined,
): PlaceOption | undefined {
  const word = words[at]!;
  const isShort = command === undefined || !Object.hasOwn(OTHER_W, command);
  const long = "--workspace";
  if (word === "-C" || word === long || (word === "-w" && isShort)) {
    return { option: word === "-C" ? "-C" : "-w", value: words[at + 1], words: 2 };
  }
  if (word.startsWith("-C")) return { option: "-C", value: word.slice(2), words: 1 };
  if (word.startsWith(`${long}=`)) {
    return { option: "-w", value: word.slice(long.length + 1), words: 1 };
  }
  return word.startsWith("-w") && isShort
    ? { option: "-w", value: word.slice(2).replace(/^=/, ""), words: 1 }
    : undefined;
}

/** A command line, and what it says of the workspace. */
function partPlace(words: readonly string[]): { place: string[]; rest: string[] } {
  let place: string[] = [];
  const rest: string[] = [];
  for (let at = 0; at < words.length; at++) {
    if (words[at] === "--") return { place, rest: [...rest, ...words.slice(at)] };
    const found = placeOption(words, at, rest.find((word) => !word.startsWith("-")));
    if (found === undefined) rest.push(words[at]!);
    else {
      if (found.value !== undefined) place = [found.option, found.value];
      at += found.words - 1;
    }
  }
  return { place, rest };
}

/** The rest of a command, up to the next one, that is about all workspaces. */
const FOR_ALL = /^(?:(?! {3}).)* --everywhere\b/;

/**
 * A text for a person, the commands in it as they are to be typed.
 *
 * @param workspace name of the one that it is about, where that is another than the command line's
 */
export function spell(text: string, program: string, workspace?: string): string {
  if (!text.includes("orchestra ")) return text;
  const name = nameOf(program);
  const place = workspace === undefined ? partPlace(Deno.args).place : ["-w", workspace];
  return text.replace(
    // A line of its own may be in bold.
    /(: |&& |^(?:\W\[\d+m)? *)orchestra(?= [-a-z])(?! -[Cw])( workspaces)?/gm,
    (command, before, all = "", at) => {
      // Whoever goes to the folder first needs no name for it, nor does who asks for all.
      const isPlaced = all !== "" || text.startsWith("cd ") ||
        FOR_ALL.test(text.slice(at + command.length));
      return before + name + (place.length === 0 || isPlaced ? "" : ` ${quote(place)}`) + all;
    },
  );
}

/** The command line as it was typed, but for some words of it. */
export function retyped(change: (word: string) => string): string {
  return `orchestra ${quote(Deno.args.map(change))}`;
}

/**
 * The error for a workspace that may not be used from here.
 *
 * @param attempted what named it, as the start of a sentence
 */
export function outOfReach(root: string, attempted: string): OrchestraError {
  return new OrchestraError("no-workspace", `${attempted}: ${LIMIT}`, {
    hint: `cd ${quote([root])} && orchestra ${quote(partPlace(Deno.args).rest)}`.trimEnd(),
  });
}

/**
 * The error for a file that may not be used, and what does without it; undefined for another reason.
 *
 * @param attempted what named it, as the start of a sentence
 */
export function forbiddenFile(
  error: unknown,
  attempted: string,
  hint: string,
): OrchestraError | undefined {
  if (!(error instanceof Deno.errors.NotCapable)) return undefined;
  return new OrchestraError("environment", `${attempted}: ${LIMIT}`, { hint, cause: error });
}

/**
 * The error for what is known of other workspaces, where that may not be looked at; undefined where it may.
 *
 * @param folder where it would be; undefined where not even that is told
 * @param attempted what needs it, as the start of a sentence
 */
export function beyondReach(
  folder: string | undefined,
  attempted: string,
): OrchestraError | undefined {
  const variable = Deno.build.os === "windows" ? "LOCALAPPDATA" : "HOME";
  const isTold = folder !== undefined ||
    Deno.permissions.querySync({ name: "env", variable }).state === "granted";
  if (isTold && mayRead(folder)) return undefined;
  return new OrchestraError("environment", `${attempted}: ${LIMIT}`, { hint: UNPERMITTED });
}

/** An error as it is told: what Deno forbids comes with the line that it does not forbid. */
export function explain(error: OrchestraError, program: string): OrchestraError {
  if (error.hint !== UNPERMITTED) return error;
  const file = fileOf(program) ?? program.replace(/^file:\/\//, "");
  const hint = Deno.build.standalone
    ? `${LIMIT}.`
    : `To let it do all that you may: deno run -A ${quote([file, ...Deno.args])}`;
  return new OrchestraError(error.code, error.message, { hint, cause: error.cause });
}
