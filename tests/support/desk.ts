// The one file as a user has it: made once, with an empty Deno cache, no network and no settings.

import {
  type Box,
  kill,
  makeFolder,
  openBox,
  type Outcome,
  processesWith,
  type RunOptions,
  spawn,
} from "./program.ts";
import { DENO, execute, ROOT, succeeded, WINDOWS } from "./execute.ts";

/** The one file, and what it needs. */
interface Shipped {
  readonly path: string;
  /** What is started: the file itself, and on Windows the batch file beside it. */
  readonly command: string;
  /** A folder of programs in which `deno` is ours. */
  readonly programs: string;
}

/** A prompt of the agent `shell` that goes on until it is ended. */
export const ENDLESS = WINDOWS ? 'deno eval --no-config "setTimeout(() => {}, 6e5)"' : "sleep 600";

/** Made once for all tests of a file. */
let shipped: Promise<Shipped> | undefined;

export function ship(): Promise<Shipped> {
  shipped ??= (async () => {
    const folder = await Deno.realPath(await Deno.makeTempDir({ prefix: "orchestra-ship-" }));
    globalThis.addEventListener("unload", () => Deno.removeSync(folder, { recursive: true }));
    // As it is released: what V8 is to compile at once is found for a file with this ending.
    const path = `${folder}/bin/orchestra.js`;
    const args = ["run", "-A", ".ci/bundle.ts", "--output", path];
    Deno.mkdirSync(`${folder}/bin`);
    succeeded(await execute(DENO, args, { cwd: ROOT }), "the bundler");
    if (WINDOWS) {
      const command = `${folder}/bin/orchestra.cmd`;
      return { path, command, programs: DENO.replace(/[^\\]*$/, "") };
    }
    Deno.mkdirSync(`${folder}/programs`);
    Deno.symlinkSync(DENO, `${folder}/programs/deno`);
    return { path, command: path, programs: `${folder}/programs` };
  })();
  return shipped;
}

/** What starts a program without a network; nothing where the system does not let us. */
const isolation: readonly string[] = (() => {
  for (const command of [["unshare", "-n"], ["unshare", "-rn"]]) {
    try {
      const [name, ...args] = command;
      const { success } = new Deno.Command(name!, { args: [...args, "true"], stderr: "null" })
        .outputSync();
      if (success) return command;
    } catch {
      // No such program here.
    }
  }
  return [];
})();

/** A workspace for the one file: an empty Deno cache, no network, no settings of Deno in the way. */
interface Desk extends AsyncDisposable {
  readonly box: Box;
  /** Deno's cache folder. */
  readonly cache: string;
  /** What is set in the environment of all that runs here. */
  readonly env: Readonly<Record<string, string>>;
  run(args: readonly string[], options?: RunOptions): Promise<Outcome>;
  live(args: readonly string[]): ReturnType<typeof spawn>;
  /** Queues a script, and returns its id. */
  start(script: string, ...options: string[]): Promise<string>;
}

export async function makeDesk(): Promise<Desk> {
  const shipped = await ship();
  const folder = await makeFolder();
  // A comma parts names in what Deno is allowed.
  const root = `${folder.path}/work,play`;
  const cache = `${folder.path}/cache`;
  Deno.mkdirSync(root);
  Deno.mkdirSync(cache);
  const env = {
    PATH: `${shipped.programs}${WINDOWS ? ";" : ":"}${Deno.env.get("PATH")}`,
    DENO_DIR: cache,
    // Where the network cannot be taken away, nothing gets through this.
    HTTP_PROXY: "http://127.0.0.1:9",
    HTTPS_PROXY: "http://127.0.0.1:9",
  };
  const [command, ...rest] = [...isolation, shipped.command];
  const box = openBox(root);
  const run = (args: readonly string[], options: RunOptions = {}) =>
    execute(command!, [...rest, ...args], { cwd: root, ...options, env });
  return {
    box,
    cache,
    env,
    run,
    live: (args) => spawn(command!, [...rest, ...args], { cwd: root, env, console: true }),
    async start(script, ...options) {
      const args = ["start", "--quiet", ...options, "shell", script];
      return succeeded(await run(args), args.join(" ")).stdout.trim();
    },
    async [Symbol.asyncDispose]() {
      for (const pid of processesWith("cmdline", ["-C", root])) kill(pid, "SIGKILL");
      await box[Symbol.asyncDispose]();
      await folder[Symbol.asyncDispose]();
    },
  };
}
