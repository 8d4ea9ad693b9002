// The process between Orchestra and an agent on Windows; the counterpart of the `sh` script in
// posix/shim.ts, with the same files. It creates the claim's pid file exclusively, so a second one of the
// same claim ends having done nothing; if it dies before, no agent runs, and if after, the task is
// seen to have lost it. `node:child_process` is what can hand a file to a child as its output.

import { type CmdLine, isCmd, parseCmd } from "../../decide/cmd_line.ts";
import { programCandidates } from "../find.ts";
import type { LaunchSpec } from "../launcher.ts";
import { whenShared } from "../../store/files.ts";
import { formatPidText } from "../posix/place.ts";
import { formatStart, openWindowsSystem, type WindowsSystem } from "./processes.ts";

/** Seconds for which the exit code is written again where the disk is full. */
const EXIT_TRIES = 20;
/** Variable that tells cmd.exe which batch file it is to run. */
const SCRIPT = "ORCHESTRA_SCRIPT";
/** Milliseconds that a file of the launch may be held by somebody else, as by a virus scanner. */
const OPENING = 10_000;
/** Numbers of the signals that end programs on the systems that have them. */
const SIGNALS: Readonly<Record<string, number>> = {
  SIGHUP: 1,
  SIGINT: 2,
  SIGQUIT: 3,
  SIGILL: 4,
  SIGABRT: 6,
  SIGBUS: 7,
  SIGFPE: 8,
  SIGKILL: 9,
  SIGSEGV: 11,
  SIGPIPE: 13,
  SIGTERM: 15,
};

/** What to look for where the shim runs. */
export interface ShimSystem {
  windows: boolean;
  /** What goes into the pid file of this process. */
  identity(): string;
}

/** What a shim is to run: its program and arguments, or why it cannot. */
export type Runnable = { file: string; args: string[] } | { problem: string };

/** What a batch file made by npm runs. */
export interface NpmShim {
  /** Program that is given the target; null where the target is one itself. */
  interpreter: string | null;
  args: string[];
  /** Relative to the folder of the batch file. */
  target: string;
}

/**
 * Launches what a file says, and waits for it.
 *
 * @param specFile JSON of a {@linkcode LaunchSpec}, which is removed at once
 */
export async function runShim(
  specFile: string,
  system: ShimSystem = ownSystem(),
): Promise<void> {
  const text = whenShared(specFile, () => Deno.readTextFileSync(specFile), OPENING, system.windows);
  whenShared(specFile, () => Deno.removeSync(specFile), OPENING, system.windows);
  const spec = parseSpec(text);
  if (spec === undefined || !claim(spec.pidFile, system)) return;
  let room: Deno.FsFile | undefined;
  try {
    room = openRoom(spec.exitFile);
  } catch {
    // The disk is full: nothing runs for this claim, so it may be taken back.
    Deno.removeSync(spec.pidFile);
    return;
  }
  const code = await runAgent(spec, system.windows);
  await record(spec.exitFile, room, `${code}\n`);
  try {
    if (system.windows) Deno.removeSync(scriptOf(spec));
  } catch {
    // There was none; or somebody has it open: it goes with the task.
  }
}

/** Where a line of cmd.exe's that is several becomes a batch file. */
function scriptOf({ pidFile }: Pick<LaunchSpec, "pidFile">): string {
  return `${pidFile}.cmd`;
}

/**
 * Creates the exit file with room for the code, a line of its own: a disk that is full by then does not
 * keep the code out. Undefined where a folder has its name, and no code can be told.
 */
function openRoom(exitFile: string): Deno.FsFile | undefined {
  if (isFolder(exitFile)) return undefined;
  try {
    Deno.removeSync(exitFile);
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
  const file = Deno.openSync(exitFile, { write: true, createNew: true, mode: 0o600 });
  try {
    file.writeSync(new Uint8Array([10]));
    file.seekSync(0, Deno.SeekMode.Start);
    return file;
  } catch (error) {
    file.close();
    Deno.removeSync(exitFile);
    throw error;
  }
}

function ownSystem(): ShimSystem {
  return {
    windows: true,
    identity: () => formatIdentity(Deno.pid, openWindowsSystem()),
  };
}

/** What the pid file says of a process, which must be one's own. */
export function formatIdentity(pid: number, system: WindowsSystem): string {
  const created = system.created(pid);
  if (typeof created !== "bigint") throw new Error("Windows does not tell when we started");
  return formatPidText({ pid, start: formatStart(created) }, system.place());
}

/** The launch in the text of a spec file; undefined where it is none. */
export function parseSpec(text: string): LaunchSpec | undefined {
  let value;
  try {
    value = JSON.parse(text);
  } catch {
    return undefined;
  }
  const isText = (item: unknown) => typeof item === "string";
  const isTexts = (item: unknown) => Array.isArray(item) && item.every(isText);
  const good = typeof value === "object" && value !== null &&
    [value.pidFile, value.exitFile, value.logFile, value.cwd, value.command].every(isText) &&
    (value.stdinFile === null || isText(value.stdinFile)) && isTexts(value.args) &&
    typeof value.env === "object" && value.env !== null &&
    Object.values(value.env).every(isText) &&
    (value.inherit === null || isTexts(value.inherit)) &&
    ["boolean", "undefined"].includes(typeof value.prompted);
  return good ? value : undefined;
}

/** Creates the pid file; false where another shim, or a fence, was first, or the task is gone. */
function claim(pidFile: string, system: ShimSystem): boolean {
  const line = new TextEncoder().encode(system.identity());
  let file: Deno.FsFile;
  try {
    file = Deno.openSync(pidFile, { write: true, createNew: true, mode: 0o600 });
  } catch {
    return false;
  }
  try {
    if (file.writeSync(line) === line.length && isFile(taskFileOf(pidFile))) return true;
  } catch {
    // The disk is full.
  } finally {
    file.close();
  }
  // Nothing runs for this claim, so it may be taken back.
  Deno.removeSync(pidFile);
  return false;
}

/** The task that a claim is of: it may have been archived or cleaned in the meantime. */
export function taskFileOf(pidFile: string): string {
  return `${pidFile.replace(/(?:\.(?:verify|setup))?\.[^.]*\.pid$/, "")}.json`;
}

/** Runs the agent, and tells what to record of its end. */
async function runAgent(spec: LaunchSpec, windows: boolean): Promise<string> {
  // Not at the top, for a bundle would load them whatever it is asked to do.
  const { spawn } = await import("node:child_process");
  const { closeSync, openSync } = await import("node:fs");
  const { promise, resolve } = Promise.withResolvers<string>();
  const fds: number[] = [];
  const scriptFile = scriptOf(spec);
  const open = (path: string, flags: string) => {
    fds.push(whenShared(path, () => openSync(path, flags, 0o600), OPENING, windows));
    return fds.at(-1)!;
  };
  const refuse = (problem: string) => {
    try {
      Deno.writeTextFileSync(spec.logFile, `orchestra: ${problem}\n`, {
        append: true,
        mode: 0o600,
      });
    } catch {
      // The exit file tells it too.
    }
    resolve(formatRefusal(problem));
  };
  try {
    const log = open(spec.logFile, "a");
    const env = mergeEnvironment(Deno.env.toObject(), spec.env, spec.inherit, windows);
    const runnable = resolveCommand(spec.command, spec.args, {
      prompted: spec.prompted,
      windows,
      path: pick(env, "PATH", windows) ?? "",
      pathext: pick(env, "PATHEXT", windows),
      root: spec.cwd,
      isFile,
      read: Deno.readTextFileSync,
    });
    if ("problem" in runnable) refuse(runnable.problem);
    else if (!isFolder(spec.cwd)) refuse(`the folder ${spec.cwd} is not there`);
    else {
      stopRewriting();
      const { file, args } = runnable;
      const line = windows ? parseCmd(file, args) : undefined;
      const cmd = line === undefined ? undefined : cmdArguments(line);
      if (cmd?.script !== undefined) {
        const { script } = cmd;
        const write = () => Deno.writeTextFileSync(scriptFile, script, { mode: 0o600 });
        whenShared(scriptFile, write, OPENING, windows);
        env[SCRIPT] = nameFrom(spec.cwd, scriptFile);
      }
      const child = spawn(file, cmd?.args ?? args, {
        cwd: spec.cwd,
        env,
        windowsVerbatimArguments: cmd !== undefined,
        stdio: [spec.stdinFile === null ? "ignore" : open(spec.stdinFile, "r"), log, log],
        windowsHide: true,
      });
      child.on("error", (error) => refuse(`${runnable.file} cannot be started: ${error.message}`));
      child.on("exit", (code, signal) => resolve(formatExit(code, signal)));
    }
  } catch (error) {
    refuse(error instanceof Error ? error.message : String(error));
  }
  const code = await promise;
  fds.forEach((fd) => closeSync(fd));
  return code;
}

/**
 * The arguments of cmd.exe, to be handed over as they are: with `/s` it takes all between the first quotation
 * mark and the last one as it was written. A line is all that it takes there: several become a batch file.
 *
 * @returns its text, where there is to be one: the variable {@linkcode SCRIPT} is to tell where it is, for
 *   in a path cmd.exe would take `%NAME%` for a variable, and what a variable holds it takes as it is
 */
export function cmdArguments({ leading, line }: CmdLine): { args: string[]; script?: string } {
  if (!/[\r\n]/.test(line.trim())) return { args: [...leading, `"${line.trim()}"`] };
  // UTF-8, as it was written, whatever the code page of the machine is. A name alone would be looked for in
  // the agent's folder first.
  const script = `@echo off\n@set "${SCRIPT}="\n` +
    `@"%SystemRoot%\\System32\\chcp.com" 65001 >nul\n${line}\n`;
  return { args: [...leading, `""%${SCRIPT}%""`], script: script.replace(/\r?\n/g, "\r\n") };
}

/**
 * What cmd.exe is to call a batch file: it runs none of more than 259 characters, but it is started in a
 * folder by a short name of that, and takes what is below as it is spelled from there.
 */
export function nameFrom(cwd: string, path: string): string {
  const [folder, file] = [cwd, path].map((name) => name.replaceAll("/", "\\")) as [string, string];
  return file.length > 259 && file.startsWith(`${folder}\\`) ? file.slice(folder.length + 1) : path;
}

/**
 * Keeps the runtime from changing the agent's arguments: where one of them is the path of Deno, it
 * takes those behind it for arguments of Node.js and translates them. It knows Deno by this.
 */
function stopRewriting(): void {
  Object.defineProperty(Deno, "execPath", { value: () => "\0" });
  // This one it would hand on whatever the environment is.
  Deno.env.delete("NODE_V8_COVERAGE");
}

/** What the exit file says of a launch that came to nothing: one line, in a room that a full disk leaves. */
export function formatRefusal(problem: string): string {
  return `127 spawn: ${problem.replace(/\s+/g, " ").trim().slice(0, 1000)}`;
}

/** What the exit file says of an end. */
export function formatExit(code: number | null, signal: string | null): string {
  return String(code ?? 128 + (SIGNALS[signal ?? ""] ?? 0));
}

/**
 * Writes the exit code into its room, whatever has the file's name by now. Where something else has it,
 * the file is made anew; that is tried for a while where the disk is full or a reader is in the way.
 */
async function record(
  exitFile: string,
  room: Deno.FsFile | undefined,
  text: string,
): Promise<void> {
  try {
    room?.writeSync(new TextEncoder().encode(text));
  } catch {
    // It is made anew.
  }
  // On Windows a name that was removed goes when the last one closes the file.
  room?.close();
  try {
    if (isFile(exitFile) && Deno.readTextFileSync(exitFile) === text) return;
  } catch {
    // It went just now.
  }
  const temporary = `${exitFile}.${Deno.pid}.tmp`;
  for (let attempt = 0; attempt < EXIT_TRIES; attempt++) {
    try {
      Deno.writeTextFileSync(temporary, text, { createNew: true, mode: 0o600 });
      Deno.renameSync(temporary, exitFile);
      return;
    } catch (error) {
      try {
        Deno.removeSync(temporary);
      } catch {
        // It was not there.
      }
      // The workspace is gone.
      if (error instanceof Deno.errors.NotFound) return;
      await new Promise((resolve) => setTimeout(resolve, 1000));
    }
  }
}

function isFile(path: string): boolean {
  try {
    return Deno.statSync(path).isFile;
  } catch {
    return false;
  }
}

function isFolder(path: string): boolean {
  try {
    return Deno.statSync(path).isDirectory;
  } catch {
    return false;
  }
}

/**
 * The environment of an agent.
 *
 * @param own ours
 * @param set what is set over it
 * @param inherit names that are taken from ours; null for all
 * @param caseless whether two names that differ in case are one, as on Windows
 */
export function mergeEnvironment(
  own: Readonly<Record<string, string>>,
  set: Readonly<Record<string, string>>,
  inherit: readonly string[] | null,
  caseless: boolean,
): Record<string, string> {
  const key = (name: string) => caseless ? name.toUpperCase() : name;
  const wanted = inherit === null ? null : new Set(inherit.map(key));
  const over = new Set(Object.keys(set).map(key));
  const kept = Object.entries(own).filter(([name]) =>
    !over.has(key(name)) && (wanted === null || wanted.has(key(name)))
  );
  return { ...Object.fromEntries(kept), ...set };
}

function pick(
  env: Readonly<Record<string, string>>,
  wanted: string,
  caseless: boolean,
): string | undefined {
  return Object.entries(env)
    .find(([name]) => (caseless ? name.toUpperCase() : name) === wanted)?.[1];
}

/** What the search for a program depends on. */
export interface Lookup {
  windows: boolean;
  path: string;
  pathext?: string;
  /** Folder that a relative path starts from. */
  root: string;
  /** Whether the arguments hold what somebody wrote; not unless it is said. */
  prompted?: boolean;
  isFile(path: string): boolean;
  read(path: string): string;
}

/**
 * What to start for a command. On Windows a batch file is run by cmd.exe, which reads its arguments
 * as text of a program (CVE-2024-24576, CVE-2024-27980): nothing that somebody wrote goes there. Agents
 * installed by npm are batch files, so what such a file would run is run directly: then cmd.exe reads nothing.
 */
export function resolveCommand(
  command: string,
  args: readonly string[],
  lookup: Lookup,
): Runnable {
  const file = programCandidates(command, lookup).find(lookup.isFile);
  if (file === undefined) return { problem: `${command} is not installed` };
  if (!lookup.windows) return { file, args: [...args] };
  if (!isBatch(file)) {
    if (!isCmd(file)) return { file, args: [...args] };
    // A prompt that is the whole line is meant to be the program; anywhere else it must not become one.
    if (lookup.prompted && parseCmd(file, args) === undefined) {
      return { problem: readsPrompt(`${file} takes one line, as the last argument behind "/c"`) };
    }
    return isOfServer(lookup.root) ? { problem: noCmd(lookup.root) } : { file, args: [...args] };
  }
  const direct = throughNpm(file, args, lookup);
  if (direct !== undefined) return direct;
  if (lookup.prompted || args.some((arg) => /[\r\n\0]/.test(arg))) {
    return { problem: readsPrompt(`${file} is a batch file`) };
  }
  if (isOfServer(lookup.root)) return { problem: noCmd(lookup.root) };
  return { file, args: [...args] };
}

/** What a batch file of npm's would run, where that is a program which cmd.exe has no part in. */
function throughNpm(file: string, args: readonly string[], lookup: Lookup): Runnable | undefined {
  const npm = parseNpmShim(lookup.read(file));
  if (npm === undefined) return undefined;
  const folder = file.slice(0, file.lastIndexOf("\\"));
  const target = `${folder}\\${npm.target}`;
  if (npm.interpreter === null) {
    return isDirect(target) ? { file: target, args: [...args] } : undefined;
  }
  const beside = `${folder}\\${npm.interpreter}.exe`;
  const interpreter = lookup.isFile(beside)
    ? beside
    : programCandidates(npm.interpreter, lookup).find(lookup.isFile);
  if (interpreter === undefined || !isDirect(interpreter)) return undefined;
  return { file: interpreter, args: [...npm.args, target, ...args] };
}

/** Whether Windows starts a file itself: what else has another name is handed to cmd.exe, or may be. */
function isDirect(path: string): boolean {
  return /\.(?:exe|com)$/i.test(path) && !isCmd(path);
}

const readsPrompt = (why: string) =>
  `${why}, and cmd.exe would read the prompt as a part of a program: ` +
  'let the agent read the prompt from a file ("{promptFile}" in "args") or from its ' +
  'standard input ("stdin": "{prompt}")';

/** Whether a folder is one of a server: `\\\\server\\share`. */
function isOfServer(folder: string): boolean {
  return /^[/\\]{2}(?![.?][/\\])/.test(folder);
}

/** It would say so, and go on in the folder of Windows. */
const noCmd = (folder: string) =>
  `cmd.exe starts in no folder of a server, which ${folder} is: give the server's folder a drive letter ` +
  "(net use), and use the workspace from there";

function isBatch(path: string): boolean {
  return /\.(?:bat|cmd)$/i.test(path);
}

const NPM_HEAD = [
  "@ECHO off",
  "GOTO start",
  ":find_dp0",
  "SET dp0=%~dp0",
  "EXIT /b",
  ":start",
  "SETLOCAL",
  "CALL :find_dp0",
  "",
].join("\n");
const NPM_PROGRAM = /^"%dp0%\\([^"%]+)" +%\*\n*$/;
const NPM_SCRIPT = new RegExp(
  [
    '^\\nIF EXIST "%dp0%\\\\([\\w.-]+)\\.exe" \\(',
    '  SET "_prog=%dp0%\\\\\\1\\.exe"',
    "\\) ELSE \\(",
    '  SET "_prog=\\1"',
    "  SET PATHEXT=%PATHEXT:;\\.JS;=;%",
    "\\)",
    "",
    'endLocal & goto #_undefined_# 2>NUL \\|\\| title %COMSPEC% & "%_prog%" ' +
    '([^"%&|<>^!\\n]*) "%dp0%\\\\([^"%\\n]+)" %\\*\\n*$',
  ].join("\\n"),
);

/**
 * What a batch file made by npm runs; undefined where it is another, or does more than that.
 *
 * @param text of the file
 */
export function parseNpmShim(text: string): NpmShim | undefined {
  const lines = text.replaceAll("\r\n", "\n");
  if (!lines.startsWith(NPM_HEAD)) return undefined;
  const rest = lines.slice(NPM_HEAD.length);
  const program = NPM_PROGRAM.exec(rest);
  if (program !== null) return { interpreter: null, args: [], target: program[1]! };
  const script = NPM_SCRIPT.exec(rest);
  if (script === null) return undefined;
  return {
    interpreter: script[1]!,
    args: script[2]!.split(" ").filter((arg) => arg !== ""),
    target: script[3]!,
  };
}

// Run by itself, where it is a file of its own; in a bundle the program calls.
if (import.meta.main && /[/\\]windows[/\\]shim\.ts$/.test(new URL(import.meta.url).pathname)) {
  await runShim(Deno.args[0] ?? "");
  Deno.exit(0);
}
