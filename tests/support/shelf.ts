// Several workspaces that are known by name, in a home of the test's own.

import { assertEquals } from "./assert.ts";
import { type Box, makeBox, makeFolder } from "./box.ts";
import { type Live, type Outcome, type RunOptions, runProgram, spawnProgram } from "./spawn.ts";

/** Workspaces with real processes in them, and the program outside of all. */
export interface Shelf extends AsyncDisposable {
  /** A folder that is no workspace. */
  readonly path: string;
  readonly env: Readonly<Record<string, string>>;
  readonly boxes: Readonly<Record<string, Box>>;
  run(...args: string[]): Promise<Outcome>;
  /** Runs it, checks that the exit code is 0, and returns what it printed. */
  ok(...args: string[]): Promise<string>;
  /** Runs it with `--json`, and returns what it printed. */
  // deno-lint-ignore no-explicit-any
  json(...args: string[]): Promise<any>;
  live(...args: string[]): Live;
}

/** Makes a workspace for each name, and makes it known by that. */
export async function makeShelf(...names: string[]): Promise<Shelf> {
  const folder = await makeFolder();
  const env = {
    HOME: folder.path,
    XDG_CONFIG_HOME: `${folder.path}/config`,
    XDG_STATE_HOME: `${folder.path}/state`,
  };
  const options: RunOptions = { env };
  const run = (...args: string[]) => runProgram(folder.path, args, options);
  const boxes: Record<string, Box> = {};
  for (const name of names) {
    boxes[name] = await makeBox();
    const added = await run("workspaces", "add", boxes[name].root, "--name", name);
    assertEquals(added.code, 0, added.stderr);
  }
  return {
    path: folder.path,
    env,
    boxes,
    run,
    async ok(...args) {
      const outcome = await run(...args);
      assertEquals(outcome.code, 0, `${args.join(" ")}: ${JSON.stringify(outcome)}`);
      return outcome.stdout;
    },
    async json(...args) {
      const outcome = await run("--json", ...args);
      return JSON.parse(outcome.stdout);
    },
    live: (...args) => spawnProgram(folder.path, args, options),
    async [Symbol.asyncDispose]() {
      for (const box of Object.values(boxes)) await box[Symbol.asyncDispose]();
      await folder[Symbol.asyncDispose]();
    },
  };
}
