// The real side: a workspace on disk, and a launcher in memory whose shims come late, die or run as
// the sequence says.

import type { Launched, Launcher, LaunchSpec } from "../../../lib/launch/launcher.ts";
import { parsePidFile } from "../../../lib/launch/posix/launcher.ts";
import { joinLaunchers } from "../../../lib/launch/mod.ts";
import { loadRules, openQueue, type Queue, type Rules } from "../../../lib/queue/queue.ts";
import type { Status } from "../../../lib/task/fields.ts";
import { crash } from "./crash.ts";

export const AGENTS = ["sentinel", "exit", "auto"] as const;
export type Completion = typeof AGENTS[number];

/** A shim that was started: late until it looks at its pid file. */
export interface FakeShim {
  pid: number;
  id: string;
  claim: number;
  spec: LaunchSpec;
  state: "late" | "running" | "ended";
  end(): void;
}

interface FakeLauncher extends Launcher {
  shims: FakeShim[];
}

function createFakeLauncher(): FakeLauncher {
  const shims: FakeShim[] = [];
  const living = (pid: number) => shims.some((shim) => shim.pid === pid && shim.state !== "ended");
  return {
    shims,
    launch(spec): Launched {
      crash.step();
      const [, id, claim] = /(task_\d+)\.(\d+)\.pid$/.exec(spec.pidFile)!;
      const { promise, resolve } = Promise.withResolvers<void>();
      const shim: FakeShim = {
        pid: 100_000 + shims.length,
        id: id!,
        claim: Number(claim),
        spec,
        state: "late",
        end() {
          shim.state = "ended";
          resolve();
        },
      };
      shims.push(shim);
      return { pid: shim.pid, ended: promise };
    },
    parsePidFile,
    probe: (asked) =>
      Promise.resolve(
        new Map(asked.map(({ pid, token }) => [token, living(pid!) ? "alive" : "dead"] as const)),
      ),
    marked(mark) {
      const found = shims.some((shim) => mark.endsWith(`/${shim.id}`) && shim.state !== "ended");
      return Promise.resolve(found ? "alive" : "dead");
    },
    survey: () => Promise.resolve({ pids: new Set(), marked: new Map() }),
    legacy: () => Promise.resolve(null),
    endTree(mark) {
      const mine = shims.filter((shim) => mark.endsWith(`/${shim.id}`) && shim.state === "running");
      for (const shim of mine) shim.end();
      return Promise.resolve({ signalled: mine.length, left: 0, unknown: false });
    },
  };
}

/** The real side: a workspace on disk, whose process can be "started again". */
export interface World {
  root: string;
  queue: Queue;
  rules: Rules;
  launcher: FakeLauncher;
  clock: { now: number };
  /** How often each task's agent ran. */
  launches: Map<string, number>;
  /** Terminal states seen so far. */
  finals: Map<string, Status>;
  reopen(): void;
}

export async function makeWorld(root: string): Promise<World> {
  Deno.mkdirSync(`${root}/.orchestra`);
  Deno.mkdirSync(`${root}/.orchestra-cli`);
  Deno.writeTextFileSync(
    `${root}/.orchestra-cli/agent-config.json`,
    JSON.stringify({
      agents: Object.fromEntries(
        AGENTS.map((completion) => [completion, { command: "true", completion }]),
      ),
    }),
  );
  const launcher = createFakeLauncher();
  const clock = { now: 1_800_000_000_000 };
  const launchers = joinLaunchers(launcher);
  const open = () => openQueue(root, { launchers, now: () => clock.now, random: () => 0.5 });
  const queue = open();
  const world: World = {
    root,
    queue,
    rules: await loadRules(queue),
    launcher,
    clock,
    launches: new Map(),
    finals: new Map(),
    reopen() {
      world.queue = open();
    },
  };
  return world;
}
