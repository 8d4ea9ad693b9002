// Runs git. Nothing of the caller's environment says which repository, index or configuration it means,
// nothing is asked of a person, and no hook, pager, editor or signing program of the user is started.

import { pause } from "../launch/pause.ts";
import { OrchestraError } from "../task/error.ts";
import { guard, over } from "./limit.ts";

/** What a run of git came to. */
export interface GitOutput {
  /** Its exit code. */
  readonly code: number;
  readonly stdout: string;
  /** What it said, without the line ends at its end. */
  readonly stderr: string;
}

/** How git is run. */
export interface GitOptions {
  /** What is on its standard input. */
  readonly input?: string | Uint8Array<ArrayBuffer>;
  /** Variables beside those of this process, `GIT_INDEX_FILE` for example. */
  readonly env?: Readonly<Record<string, string>>;
  /** Ends it, and what it has started; its reason is an error that says why. */
  readonly signal?: AbortSignal;
}

/** Variables that no git of ours inherits: `git rev-parse --local-env-vars`, and what changes who commits or how. */
const FOREIGN = /^GIT_/;

/** Without these nobody is asked anything, and every message is in one language. */
const SILENT: Readonly<Record<string, string>> = {
  GIT_TERMINAL_PROMPT: "0",
  GIT_EDITOR: "true",
  GIT_SEQUENCE_EDITOR: "true",
  GIT_PAGER: "cat",
  GIT_OPTIONAL_LOCKS: "0",
  LC_ALL: "C",
};

/** Where no hook is. */
const NO_HOOKS = Deno.build.os === "windows" ? "NUL" : "/dev/null";

/** Settings that hold whatever the repository and the user say. */
const SETTINGS = [
  `core.hooksPath=${NO_HOOKS}`,
  "core.fsmonitor=false",
  "commit.gpgSign=false",
  "gc.auto=0",
  "maintenance.auto=false",
  "core.quotePath=false",
  "advice.detachedHead=false",
  "submodule.recurse=false",
  // We ask in git's own folder, too, which to git is a bare repository; of others none is obeyed.
  "safe.bareRepository=all",
  "i18n.commitEncoding=UTF-8",
];

let killed = 0;

/** How many gits of this process have not come to their end: what they had locked may be locked still. */
export function killedGits(): number {
  return killed;
}

/** What is taken away by name where we may not see what there is. */
const FOREIGN_NAMES = [
  ..."ALTERNATE_OBJECT_DIRECTORIES CONFIG CONFIG_PARAMETERS CONFIG_COUNT CONFIG_GLOBAL".split(" "),
  ..."CONFIG_SYSTEM CONFIG_NOSYSTEM OBJECT_DIRECTORY DIR WORK_TREE IMPLICIT_WORK_TREE".split(" "),
  ..."GRAFT_FILE INDEX_FILE NO_REPLACE_OBJECTS REPLACE_REF_BASE PREFIX SHALLOW_FILE".split(" "),
  ..."COMMON_DIR INTERNAL_SUPER_PREFIX NAMESPACE CEILING_DIRECTORIES ATTR_SOURCE".split(" "),
  ..."DISCOVERY_ACROSS_FILESYSTEM DEFAULT_HASH INDEX_VERSION EXTERNAL_DIFF DIFF_OPTS".split(" "),
  ..."LITERAL_PATHSPECS GLOB_PATHSPECS NOGLOB_PATHSPECS ICASE_PATHSPECS QUARANTINE_PATH".split(" "),
  ..."AUTHOR_NAME AUTHOR_EMAIL AUTHOR_DATE COMMITTER_NAME COMMITTER_EMAIL".split(" "),
  ..."COMMITTER_DATE EXEC_PATH TEMPLATE_DIR TRACE TRACE2 TRACE2_EVENT".split(" "),
].map((name) => `GIT_${name}`);

/** Our own environment; undefined where Deno's permissions let us see a few variables only. */
function ownEnvironment(): Record<string, string> | undefined {
  try {
    return Deno.env.toObject();
  } catch (error) {
    if (error instanceof Deno.errors.NotCapable) return undefined;
    throw error;
  }
}

/** The command that starts git with the settings and the environment that hold in any case. */
function command(
  folder: string,
  args: readonly string[],
  variables: Readonly<Record<string, string>>,
  options: Deno.CommandOptions,
): Deno.Command {
  const words = [...SETTINGS.flatMap((setting) => ["-c", setting]), ...args];
  const own = ownEnvironment();
  if (own === undefined) {
    // Deno can add to what a program inherits and take nothing away: env(1) can.
    const without = FOREIGN_NAMES.flatMap((name) => ["-u", name]);
    const added = Object.entries(variables).map(([name, value]) => `${name}=${value}`);
    const all = [...without, ...added, "git", ...words];
    return new Deno.Command("env", { ...options, args: all, cwd: folder });
  }
  const env: Record<string, string> = {};
  for (const [name, value] of Object.entries(own)) if (!FOREIGN.test(name)) env[name] = value;
  Object.assign(env, variables);
  return new Deno.Command("git", { ...options, args: words, cwd: folder, clearEnv: true, env });
}

/**
 * Runs git in a folder.
 *
 * @param folder where
 * @param args its command and arguments
 * @returns what it came to; that it failed is for the caller
 * @throws GitError where a signal ended it, or it took longer than may be; OrchestraError `environment` where there is no git, or the
 * folder is not there
 */
export async function git(
  folder: string,
  args: readonly string[],
  options: GitOptions = {},
): Promise<GitOutput> {
  for (let wait = 5;; wait *= 2) {
    const output = await once(folder, args, options);
    if (output.code === 0 || wait > LONGEST || !HALF_MADE.test(output.stderr)) return output;
    await pause(wait * (0.5 + Math.random()));
  }
}

/**
 * Whoever looks at all worktrees while another is made may meet files in git's folder that are still empty,
 * and ends there, before it has done anything.
 */
const HALF_MADE = /failed to read \S*worktrees\/\S+: /;
/** So long it is waited for at last, milliseconds. */
const LONGEST = 1000;

async function once(
  folder: string,
  args: readonly string[],
  { input, env, signal }: GitOptions,
): Promise<GitOutput> {
  const decoder = new TextDecoder();
  const late = over(folder, signal);
  if (late !== undefined) throw stopped(args, late);
  const child = start(folder, args, { ...SILENT, ...env }, {
    stdin: input === undefined ? "null" : "piped",
    stdout: "piped",
    stderr: "piped",
  });
  using watch = guard(child, folder, signal);
  const written = input === undefined ? undefined : write(child.stdin, input);
  const whole = child.output();
  const found = await Promise.race([whole, watch.gone]);
  if (found === undefined || watch.why !== undefined) {
    await watch.gone;
    killed++;
    // Who has its output still, and was not found, may keep it.
    whole.catch(() => {});
    child.unref();
    throw stopped(args, watch.why!);
  }
  const { code, signal: ended, stdout, stderr } = found;
  await written;
  // As env(1) tells it.
  if (code === 127 && stdout.length === 0) throw noGit(args, folder);
  const output = {
    code,
    stdout: decoder.decode(stdout),
    stderr: decoder.decode(stderr).trimEnd(),
  };
  if (ended !== null) {
    killed++;
    // That it has not come to its end says nothing of what was asked.
    throw new GitError(args, { ...output, stderr: `it was ended by ${ended}` }, false);
  }
  return output;
}

/** It was ended by us. */
function stopped(args: readonly string[], why: string): GitError {
  return new GitError(args, { code: 1, stdout: "", stderr: why }, false);
}

/** Starts git with the settings that hold in any case. */
function start(
  folder: string,
  args: readonly string[],
  variables: Readonly<Record<string, string>>,
  options: Deno.CommandOptions,
): Deno.ChildProcess {
  try {
    return command(folder, args, variables, options).spawn();
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
    throw noGit(args, folder);
  }
}

function noGit(args: readonly string[], folder: string): OrchestraError {
  return new OrchestraError("environment", `git ${args[0]}: there is no git, or no ${folder}`, {
    hint: "Install git, 2.38 or newer, and see that it is on PATH.",
  });
}

/** A git that reads no further than it has to is no error. */
async function write(
  stdin: WritableStream<Uint8Array>,
  input: string | Uint8Array<ArrayBuffer>,
): Promise<void> {
  const writer = stdin.getWriter();
  try {
    await writer.write(typeof input === "string" ? new TextEncoder().encode(input) : input);
    await writer.close();
  } catch {
    await writer.abort().catch(() => {});
  }
}

/** Git refused, or was ended before it came to its own end. */
export class GitError extends Error {
  override name = "GitError";
  constructor(
    readonly args: readonly string[],
    readonly output: GitOutput,
    /** Whether it came to its own end: what it said is an answer then. */
    readonly isAnswer = true,
  ) {
    super(`git ${args.join(" ")}: ${lastLine(output)}`);
  }

  /** What it was to do, `add` for example. */
  get command(): string {
    const at = this.args.findIndex((word, at) => word !== "-c" && this.args[at - 1] !== "-c");
    return this.args[at] ?? "";
  }
}

/** The line that says what was wrong, without `fatal: `. */
export function lastLine({ stderr, stdout, code }: GitOutput): string {
  const lines = (stderr || stdout).trim().split("\n");
  const said = lines.find((line) => /^(?:fatal|error): /.test(line)) ?? lines.at(-1) ?? "";
  return said.replace(/^(?:fatal|error): /, "") || `exit code ${code}`;
}

/** The line with which it gave up, where there is one: what comes before it may not name the file. */
export function fatalLine(output: GitOutput): string {
  return /^fatal: (?!Could not reset)(.*)/m.exec(output.stderr)?.[1] ?? lastLine(output);
}

/**
 * What git printed, without the line end at its end.
 *
 * @throws GitError where it failed
 */
export async function ask(
  folder: string,
  args: readonly string[],
  options: GitOptions = {},
): Promise<string> {
  const output = await git(folder, args, options);
  if (output.code !== 0) throw new GitError(args, output);
  return output.stdout.replace(/\r?\n$/, "");
}

/** The same; null where git failed. */
export async function tryAsk(
  folder: string,
  args: readonly string[],
  options: GitOptions = {},
): Promise<string | null> {
  const { code, stdout } = await git(folder, args, options);
  return code === 0 ? stdout.replace(/\r?\n$/, "") : null;
}

/**
 * The beginning of what git prints; a git that has more to say is ended.
 *
 * @param most bytes that are read of it
 * @returns what was read, and whether there was more
 * @throws GitError where it failed before that
 */
export async function askPart(
  folder: string,
  args: readonly string[],
  most: number,
  { env, signal }: Omit<GitOptions, "input"> = {},
): Promise<{ bytes: Uint8Array<ArrayBuffer>; cut: boolean }> {
  const late = over(folder, signal);
  if (late !== undefined) throw stopped(args, late);
  const child = start(folder, args, { ...SILENT, ...env }, {
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  });
  using watch = guard(child, folder, signal);
  const said = new Response(child.stderr).text();
  const bytes = new Uint8Array(most);
  let length = 0;
  let cut = false;
  for await (const part of child.stdout) {
    const room = part.subarray(0, most - length);
    bytes.set(room, length);
    length += room.length;
    cut = room.length < part.length;
    if (cut) break;
  }
  if (cut) end(child);
  const { code, signal: ended } = await child.status;
  const stderr = (await said).trimEnd();
  if (watch.why !== undefined) throw stopped(args, watch.why);
  if (!cut && (code !== 0 || ended !== null)) {
    throw new GitError(args, { code, stdout: "", stderr });
  }
  return { bytes: bytes.slice(0, length), cut };
}

/** It may have ended meanwhile. */
function end(child: Deno.ChildProcess): void {
  try {
    child.kill("SIGKILL");
  } catch {
    // It has.
  }
}

/**
 * Runs git for who sits before the terminal: what it prints goes there, through the pager and in the
 * colours that its user has chosen.
 *
 * @returns its exit code
 */
export async function showGit(
  folder: string,
  args: readonly string[],
  { env }: Pick<GitOptions, "env"> = {},
): Promise<number> {
  const { GIT_PAGER: _, ...silent } = SILENT;
  const pager = ownEnvironment()?.GIT_PAGER;
  const chosen: Record<string, string> = pager === undefined ? {} : { GIT_PAGER: pager };
  const child = start(folder, args, { ...silent, ...chosen, ...env }, {});
  return (await child.status).code;
}
