// Programs as users start them: a real process, its output and its exit code.

import { filePath } from "./file_path.ts";
import { which } from "./needs.ts";
import { familyOf } from "./processes.ts";

// Node.js' streams cost every file of tests some time.
const windows = Deno.build.os === "windows" ? await import("./console.ts") : undefined;

/** The module that users run. */
export const MAIN = filePath(new URL("../../main.ts", import.meta.url));

/**
 * How long anything may take before a test gives it up, milliseconds. It ends what hangs and measures
 * no speed: what takes a second here may take a minute on a machine that has ten times as much to do.
 */
export const PATIENCE = 300_000;

/** What a process said and how it ended. */
export interface Outcome {
  code: number;
  stdout: string;
  stderr: string;
}

/** How a process is run. */
export interface RunOptions {
  /** Text for its standard input; nothing where absent. */
  stdin?: string | Uint8Array;
  /** Variables over those of the tests. */
  env?: Record<string, string>;
  /** Folder it runs in; the workspace root where absent. */
  cwd?: string;
  /** Whether it has a console of its own on Windows: without one nobody can press Ctrl+C there. */
  console?: boolean;
}

/** A process that goes on while the test looks at it. */
export interface Live extends AsyncDisposable {
  readonly pid: number;
  /** What it has printed so far. */
  readonly stdout: () => string;
  readonly stderr: () => string;
  /** Fulfilled when the text on stdout passes the check. */
  printed(check: (stdout: string) => boolean): Promise<string>;
  /** Writes to its standard input. */
  type(text: string): Promise<void>;
  kill(signal: Deno.Signal): void;
  /** Waits for its end. */
  ended(): Promise<Outcome>;
}

/** Where the user's own settings and records would be: nowhere, for nothing can be made there. */
const NOBODY = `/dev/null/${crypto.randomUUID()}`;

/** The environment of the tests without what would change how the program behaves. */
export function cleanEnv(): Record<string, string> {
  const env = Deno.env.toObject();
  for (const name of Object.keys(env)) {
    if (/^(?:ORCHESTRA_|AGENT_DEBUG$|NO_COLOR$|COLUMNS$|LC_|LANG$)/.test(name)) delete env[name];
  }
  const home = { XDG_CONFIG_HOME: `${NOBODY}/config`, XDG_STATE_HOME: `${NOBODY}/state` };
  return { ...env, ...home, LANG: "C.UTF-8", COLUMNS: "200" };
}

/** Runs the program in a folder. */
export async function runProgram(
  cwd: string,
  args: readonly string[],
  options: RunOptions = {},
): Promise<Outcome> {
  await using live = spawnProgram(cwd, args, { console: false, ...options });
  if (options.stdin === undefined) await live.type("");
  return await live.ended();
}

/** Command line of the program, for those who start it by other means. */
export function commandLine(...args: string[]): string[] {
  return [Deno.execPath(), "run", "-A", "--quiet", "--no-prompt", MAIN, ...args];
}

/** Starts the program in a folder. */
export function spawnProgram(
  cwd: string,
  args: readonly string[],
  options: RunOptions = {},
): Live {
  const [command, ...rest] = commandLine(...args);
  return spawn(command!, rest, { cwd, console: true, ...options });
}

/** Command line of a process that does nothing. */
export const IDLE: readonly [string, string[]] = which("sleep") === undefined
  ? [Deno.execPath(), ["eval", "--no-config", "setTimeout(() => {}, 1e6)"]]
  : ["sleep", ["1000"]];

/** Starts any program, with its output gathered. */
export function spawn(command: string, args: string[], options: RunOptions): Live {
  const place = { cwd: options.cwd, env: { ...cleanEnv(), ...options.env } };
  const child = windows !== undefined && options.console
    ? windows.spawnInConsole(command, args, place)
    : new Deno.Command(command, {
      args,
      ...place,
      clearEnv: true,
      stdin: "piped",
      stdout: "piped",
      stderr: "piped",
    }).spawn();
  const texts = { stdout: "", stderr: "" };
  let wake: (() => void)[] = [];
  const gather = async (name: "stdout" | "stderr") => {
    for await (const text of child[name].pipeThrough(new TextDecoderStream())) {
      texts[name] += text;
      const waiting = wake;
      wake = [];
      for (const resolve of waiting) resolve();
    }
  };
  const gathered = Promise.all([gather("stdout"), gather("stderr")]);
  const input = child.stdin.getWriter();
  let open = true;
  const closeInput = async () => {
    if (!open) return;
    open = false;
    await input.close().catch(() => {});
  };
  const { stdin } = options;
  if (stdin !== undefined) {
    const bytes = typeof stdin === "string" ? new TextEncoder().encode(stdin) : stdin;
    input.write(bytes).catch(() => {}).then(closeInput);
  }
  let over = false;
  child.status.then(() => over = true);
  return {
    pid: child.pid,
    stdout: () => texts.stdout,
    stderr: () => texts.stderr,
    async printed(check) {
      const ended = gathered.then(() => "ended" as const);
      for (;;) {
        if (check(texts.stdout)) return texts.stdout;
        const next = await withPatience(
          () => `${args.join(" ")} to print what is awaited; so far ${hanging(child.pid, texts)}`,
          Promise.race([ended, new Promise<void>((resolve) => wake.push(resolve))]),
        );
        if (next === "ended" && !check(texts.stdout)) {
          const { code } = await child.status;
          const said = JSON.stringify({ code, ...texts });
          throw new Error(`${args.join(" ")} ended without printing what was awaited: ${said}`);
        }
      }
    },
    async type(text) {
      if (text === "") return await closeInput();
      await input.write(new TextEncoder().encode(text));
    },
    kill(signal) {
      if (!over) child.kill(signal);
    },
    async ended() {
      await withPatience(
        () => `${args.join(" ")} to end; it printed ${hanging(child.pid, texts)}`,
        gathered,
      );
      const { code } = await child.status;
      return { code, ...texts };
    },
    async [Symbol.asyncDispose]() {
      if (!over) {
        try {
          child.kill("SIGKILL");
        } catch {
          // Ended just now.
        }
      }
      await closeInput();
      await gathered;
      await child.status;
    },
  };
}

/** What a process that hangs has printed, and which processes it waits for. */
function hanging(pid: number, texts: Readonly<Record<string, string>>): string {
  return JSON.stringify({ ...texts, processes: familyOf(pid) });
}

/** The promise's value, or an error that says what did not come, in words that are asked for only then. */
export async function withPatience<T>(
  what: string | (() => string),
  promise: Promise<T>,
): Promise<T> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  try {
    return await Promise.race([
      promise,
      new Promise<never>((_, reject) => {
        timer = setTimeout(
          () => {
            const words = typeof what === "string" ? what : what();
            reject(new Error(`Waited ${PATIENCE / 1000} s in vain for ${words}`));
          },
          PATIENCE,
        );
      }),
    ]);
  } finally {
    clearTimeout(timer);
  }
}
