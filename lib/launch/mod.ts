// The places where agents run, as one: each agent has its place, and what a pid file tells of is asked
// of the place that wrote it. There is one place today, this machine; that of Windows is loaded there
// only.

import type { AgentDefinition } from "../task/agent.ts";
import type { Trace } from "../task/trace.ts";
import type {
  EndOptions,
  EndReport,
  Identity,
  Launcher,
  LegacyTask,
  Life,
  Seen,
} from "./launcher.ts";
import { FENCE } from "./launcher.ts";
import { createPosixLauncher } from "./posix/launcher.ts";

const createLocal: (options: { trace?: Trace }) => Launcher = Deno.build.os === "windows"
  ? (await import("./windows/launcher.ts")).createWindowsLauncher
  : createPosixLauncher;

/** All places. What they answer may take its time: they are asked outside the lock. */
export interface Launchers {
  /** The place where an agent's tasks are launched. */
  of(agent: AgentDefinition): Launcher;
  /**
   * The identity in a pid file, whichever place wrote it: null where the claim was fenced off,
   * undefined where it is not written yet.
   */
  parsePidFile(text: string): Identity | null | undefined;
  /** Which of the given processes live, by their tokens. */
  probe(asked: readonly Identity[]): Promise<ReadonlyMap<string, Life>>;
  /** Whether any living process carries the task's mark. */
  marked(mark: string): Promise<Life>;
  /** All processes of this machine that can be seen. */
  survey(): Promise<Seen>;
  /** The process of a task that the ancestor launched; see {@linkcode Launcher.legacy}. */
  legacy(task: LegacyTask, root: string): Promise<Identity | null | "unknown">;
  /** Ends the tree of a task, at the place of its identity. */
  endTree(mark: string, identity: Identity | null, options: EndOptions): Promise<EndReport>;
}

/** A pid file of a place that this version does not know begins with the place's name. */
const FOREIGN = /^[a-z][a-z0-9-]* [^\n]*\n/;

/**
 * Several places as one.
 *
 * @param local this machine
 * @param others further ones
 * @param choose which of them an agent's tasks are launched at; this machine unless told
 */
export function joinLaunchers(
  local: Launcher,
  others: readonly Launcher[] = [],
  choose: (agent: AgentDefinition) => Launcher = () => local,
): Launchers {
  const places = [local, ...others];
  const placeOf = (text: string) => places.find((place) => place.parsePidFile(text) !== undefined);

  return {
    of: choose,
    parsePidFile(text) {
      if (text === FENCE) return null;
      const known = placeOf(text)?.parsePidFile(text);
      // What runs at a place that nobody knows is not to be seen from here.
      return known === undefined && FOREIGN.test(text) ? { pid: null, token: text } : known;
    },
    async probe(asked) {
      const lives = new Map<string, Life>();
      for (const place of places) {
        const mine = asked.filter(({ token }) => placeOf(token) === place);
        if (mine.length === 0) continue;
        for (const [token, life] of await place.probe(mine)) lives.set(token, life);
      }
      return lives;
    },
    async marked(mark) {
      const lives = await Promise.all(places.map((place) => place.marked(mark)));
      return lives.find((life) => life === "alive") ??
        lives.find((life) => life === "unknown") ?? "dead";
    },
    survey: local.survey,
    legacy: local.legacy,
    endTree(mark, identity, options) {
      const place = identity === null ? local : placeOf(identity.token);
      return place === undefined
        ? Promise.resolve({ signalled: 0, left: 0, unknown: true })
        : place.endTree(mark, identity, options);
    },
  };
}

/** The places that this program knows. */
export function openLaunchers(options: { trace?: Trace } = {}): Launchers {
  return joinLaunchers(createLocal(options));
}

/**
 * Runs a Windows shim in this process: what the hidden command `_shim` does.
 *
 * @param specFile file with what to launch
 */
export async function runWindowsShim(specFile: string): Promise<void> {
  const { runShim } = await import("./windows/shim.ts");
  await runShim(specFile);
}
