// A daemon for all workspaces, in state folders of the test's own: the user's are never touched.

import { addWorkspace, removeWorkspace } from "../../lib/workspaces/registry.ts";
import type { KeptWorkspace } from "../../lib/supervise/user_daemon.ts";
import { assertEquals } from "./assert.ts";
import { textIn } from "./gated.ts";
import {
  type Box,
  kill,
  lives,
  makeFolder,
  type Outcome,
  PATIENCE,
  runProgram,
} from "./program.ts";
import { type Live, spawnProgram } from "./spawn.ts";

/** A user who has workspaces. */
export interface User extends AsyncDisposable {
  /** The user's own folders, as variables. */
  readonly env: Record<string, string>;
  readonly folder: string;
  /** Makes a workspace known, or forgets it. */
  add(box: Box, name?: string): void;
  remove(box: Box): void;
  /** Runs the program as that user. */
  run(...args: string[]): Promise<Outcome>;
  runIn(box: Box, ...args: string[]): Promise<Outcome>;
  /** Starts it without waiting for its end. */
  live(...args: string[]): Live;
  /** Starts the daemon for all in the background; its pid. */
  start(...args: string[]): Promise<number>;
  /** Stops it. */
  stop(): Promise<void>;
  /** What the daemon says of a workspace now. */
  kept(box: Box): KeptWorkspace | undefined;
  /** Fulfilled when it says that of a workspace. */
  becomes(box: Box, state: KeptWorkspace["state"] | undefined): Promise<KeptWorkspace>;
  /** Fulfilled when something is so; what is told in no folder is looked at now and then. */
  until<T>(what: string, check: () => T | undefined | false | null): Promise<T>;
  /** The daemon's log so far. */
  log(): string;
}

/** A user without workspaces. */
export async function makeUser(): Promise<User> {
  const home = await makeFolder();
  const folder = `${home.path}/state/orchestra`;
  const registry = `${folder}/workspaces`;
  const env = { XDG_STATE_HOME: `${home.path}/state`, XDG_CONFIG_HOME: `${home.path}/config` };
  const run = (...args: string[]) => runProgram(home.path, args, { env });
  const record = (): { pid?: number; workspaces?: KeptWorkspace[] } =>
    JSON.parse(textIn(`${folder}/daemon.json`) ?? "{}");
  const log = () => textIn(`${folder}/daemon.log`) ?? "";

  async function until<T>(what: string, check: () => T | undefined | false | null): Promise<T> {
    const deadline = performance.now() + PATIENCE;
    for (;;) {
      const found = check();
      if (found !== undefined && found !== false && found !== null) return found;
      if (performance.now() > deadline) throw new Error(`Waited in vain for ${what}: ${log()}`);
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }

  const user: User = {
    env,
    folder,
    add: (box, name) => void addWorkspace(box.root, name, registry),
    remove: (box) => void removeWorkspace(box.root, registry),
    run,
    runIn: (box, ...args) => box.runWith({ env }, ...args),
    live: (...args) => spawnProgram(home.path, args, { env }),
    async start(...args) {
      const outcome = await run("--json", "daemon", "start", "--everywhere", ...args);
      assertEquals(outcome.code, 0, JSON.stringify(outcome));
      return JSON.parse(outcome.stdout).pid;
    },
    async stop() {
      const outcome = await run("daemon", "stop", "--everywhere");
      assertEquals(outcome.code, 0, JSON.stringify(outcome));
    },
    kept: (box) => record().workspaces?.find(({ root }) => root === box.root),
    becomes: (box, state) =>
      until(`${box.root} to be ${state}`, () => {
        const kept = user.kept(box);
        return kept?.state === state && (kept ?? ({} as KeptWorkspace));
      }),
    until,
    log,
    async [Symbol.asyncDispose]() {
      const { pid } = record();
      if (pid !== undefined && lives(pid)) {
        kill(pid, "SIGKILL");
        await until("the end of the daemon", () => !lives(pid));
      }
      await home[Symbol.asyncDispose]();
    },
  };
  return user;
}

/** What `daemon.json` of a workspace says. */
// deno-lint-ignore no-explicit-any
export function recordOf(box: Box): any {
  return JSON.parse(textIn(box.path("daemon.json")) || "{}");
}
