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
  const at = Math.max(file.lastIndexOf("/"), file.lastIndexOf("\\"));
  const folders = (env("PATH") ?? "").split(Deno.build.os === "windows" ? ";" : ":");
  if (folders.includes(file.slice(0, at))) return file.slice(at + 1).replace(/\.exe$/, "");
  return Deno.build.standalone || !mayRead() ? quote([file]) : `deno run -A ${quote([file])}`;
}

/** A text for a person, the commands in it as they are to be typed. */
export function spell(text: string, program: string): string {
  if (!text.includes("orchestra ")) return text;
  const name = nameOf(program);
  const folder = folderGiven(Deno.args);
  return text.replace(
    // A line of its own may be in bold.
    /(: |&& |^(?:\W\[\d+m)? *)orchestra(?= [-a-z])(?! -C)/gm,
    (_, before) =>
      before + name +
      // Whoever goes to the folder first needs no name for it.
      (folder === undefined || text.startsWith("cd ") ? "" : ` -C ${quote([folder])}`),
  );
}

/** What `-C` of a command line names; undefined where it has none. */
function folderGiven(words: readonly string[]): string | undefined {
  for (let at = 0; at < words.length && words[at] !== "--"; at++) {
    if (words[at] === "-C") return words[at + 1];
    if (words[at]!.startsWith("-C")) return words[at]!.slice(2);
  }
  return undefined;
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
    hint: `cd ${quote([root])} && orchestra ${quote(withoutFolder(Deno.args))}`.trimEnd(),
  });
}

/** A command line without `-C` and its value. */
function withoutFolder(words: readonly string[]): string[] {
  const found: string[] = [];
  for (let at = 0; at < words.length; at++) {
    if (words[at] === "--") return [...found, ...words.slice(at)];
    if (words[at] === "-C") at++;
    else if (!words[at]!.startsWith("-C")) found.push(words[at]!);
  }
  return found;
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

/** An error as it is told: what Deno forbids comes with the line that it does not forbid. */
export function explain(error: OrchestraError, program: string): OrchestraError {
  if (error.hint !== UNPERMITTED) return error;
  const file = fileOf(program) ?? program.replace(/^file:\/\//, "");
  const hint = Deno.build.standalone
    ? `${LIMIT}.`
    : `To let it do all that you may: deno run -A ${quote([file, ...Deno.args])}`;
  return new OrchestraError(error.code, error.message, { hint, cause: error.cause });
}
