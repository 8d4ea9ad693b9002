// All workspaces that are known, watched over by one process: each by itself, so that what is wrong with
// one disturbs no other. One that cannot be watched is tried again, ever less often. Nothing is kept
// here that a kill could lose: which there are is read from the registry, all else from the workspaces.

import { pause } from "../launch/pause.ts";
import { messageOf } from "../store/files.ts";
import { watchFolder } from "../store/watch.ts";
import { OrchestraError } from "../task/error.ts";
import type { KnownWorkspace } from "../workspaces/registry.ts";
import type { KeptWorkspace } from "./user_daemon.ts";

/** What whoever watches over one workspace tells of it. */
export interface Telling {
  /** Somebody else has the watch: why it waits. */
  waits(reason: string): void;
  /** It is watched from now on. */
  begins(): void;
  /** Its settings have broken, and why earlier ones hold; null once they are mended. */
  stale(reason: string | null): void;
}

/** How all are watched over. */
export interface EverywhereOptions {
  /** Folder of the registry; it is there. */
  readonly folder: string;
  /** Those that are known. */
  readonly list: () => readonly KnownWorkspace[];
  /** Watches over one until the signal is aborted, or until it is not to be watched any more. */
  readonly watch: (
    workspace: KnownWorkspace,
    signal: AbortSignal,
    telling: Telling,
  ) => Promise<void>;
  /** Lets all go. */
  readonly signal: AbortSignal;
  /** Told what becomes of a workspace, or with null of all, a sentence each. */
  readonly say: (workspace: KnownWorkspace | null, text: string) => void;
  /** Called when the state of any has changed. */
  readonly onChange: (workspaces: readonly KeptWorkspace[]) => void;
  /** Whether we are still the one to do it; asked with each look at the registry. */
  readonly keeps: () => boolean;
}

/** Milliseconds between looks at the registry, where no change of it is told of. */
const LOOK = 30_000;
/** What is registered within this of each other is seen at once, milliseconds. */
const BURST = 50;
/** Milliseconds until what failed is tried again: at first, and at most. */
const AGAIN = 1000;
const AT_MOST = 60_000;

/** One that is watched over, or is to be. */
interface Kept {
  workspace: KnownWorkspace;
  state: KeptWorkspace["state"];
  reason: string | null;
  readonly stop: AbortController;
}

/** Watches over all that are known, new ones as they come, until it is stopped; all are let go then. */
export async function watchEverywhere(options: EverywhereOptions): Promise<void> {
  const { signal, say } = options;
  const kept = new Map<string, Kept>();
  const working = new Set<Promise<void>>();
  const changed = () => options.onChange([...kept.values()].map(describe));
  /** Ends the sleep: a watch that has ended may be that of a workspace which is gone. */
  let wake = () => {};
  using watch = watchFolder(
    options.folder,
    (reason) =>
      say(null, `The registry cannot be watched, it is looked at now and then: ${reason}`),
  );
  let problem: string | undefined;
  while (!signal.aborted && options.keeps()) {
    watch.take();
    const known = tryList();
    if (known !== undefined) {
      for (const [root, one] of kept) {
        if (!known.some((workspace) => workspace.root === root)) letGo(one);
      }
      for (const workspace of known) meet(workspace);
      changed();
    }
    const woken = new Promise<void>((resolve) => wake = resolve);
    await pause(LOOK, signal, [watch.changed(), woken]);
    await pause(BURST, signal);
  }
  for (const one of kept.values()) one.stop.abort();
  await Promise.all(working);

  function tryList(): readonly KnownWorkspace[] | undefined {
    try {
      const known = options.list();
      problem = undefined;
      return known;
    } catch (error) {
      // Those that we have stay.
      if (problem !== messageOf(error)) say(null, `Reading the registry: ${messageOf(error)}`);
      problem = messageOf(error);
      return undefined;
    }
  }

  function meet(workspace: KnownWorkspace): void {
    const before = kept.get(workspace.root);
    if (before !== undefined) {
      before.workspace = workspace;
      return;
    }
    const stop = new AbortController();
    const one: Kept = { workspace, state: "opening", reason: null, stop };
    kept.set(workspace.root, one);
    const work = keepWatch(one, options, changed, () => wake())
      .finally(() => working.delete(work));
    working.add(work);
  }

  function letGo(one: Kept): void {
    kept.delete(one.workspace.root);
    one.stop.abort();
    say(one.workspace, "Let go: it is not among the known workspaces any more");
  }
}

const describe = ({ workspace: { name, root }, state, reason }: Kept): KeptWorkspace => ({
  name,
  root,
  state,
  reason,
});

/** Watches over one until it is let go, whatever goes wrong. */
async function keepWatch(
  one: Kept,
  { watch, say }: EverywhereOptions,
  changed: () => void,
  ended: () => void,
): Promise<void> {
  const { signal } = one.stop;
  let failures = 0;
  let told: string | undefined;
  function become(state: Kept["state"], reason: string | null): void {
    if (one.state === state && one.reason === reason) return;
    Object.assign(one, { state, reason });
    changed();
    // Whoever watches has told of its settings.
    if (reason !== null && reason !== told && state !== "watched") say(one.workspace, reason);
    told = reason ?? undefined;
  }
  while (!signal.aborted) {
    const began = performance.now();
    try {
      await watch(one.workspace, signal, {
        waits: (reason) => become("waiting", reason),
        begins: () => become("watched", null),
        stale: (reason) => become("watched", reason),
      });
      if (!signal.aborted) become("failed", "Its watch ended");
    } catch (error) {
      if (!signal.aborted) become(stateFor(error), messageOf(error));
    }
    ended();
    if (performance.now() - began > AT_MOST) failures = 0;
    await pause(retryDelay(failures++), signal);
  }
}

const stateFor = (error: unknown): Kept["state"] =>
  error instanceof OrchestraError && error.code === "state" ? "waiting" : "failed";

/** Milliseconds until the next try. */
export function retryDelay(failures: number): number {
  return Math.min(AT_MOST, AGAIN * 2 ** Math.min(failures, 10));
}
