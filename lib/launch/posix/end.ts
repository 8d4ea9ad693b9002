// Ending a tree: what belongs to a task is asked to end, and after a grace period is stopped, looked
// for once more and killed, until nothing is left. Every look proves anew whose a process is; should we
// die in the middle, who ends the task next finds what is left by its mark.

import { pause } from "../pause.ts";
import type { Trace } from "../../task/trace.ts";
import type { EndOptions, EndReport } from "../launcher.ts";
import type { Shim } from "./place.ts";
import type { Look, Looks } from "./looks.ts";
import { exists, isAlive, type Process, readProcesses } from "./processes.ts";
import { isSettled, pickMarkable, pickTree } from "./tree.ts";

/** Milliseconds between looks at what was asked to end; the last one repeats. */
const DEAD_POLL = [1, 0.5, 0.5, 1, 1, 2, 2, 3, 5, 10, 20, 40, 80] as const;
/** Milliseconds between looks that found nothing and may have missed something. */
const UNSETTLED_POLL = [0, 1, 2, 4, 8, 16, 32, 64] as const;
/** How often who shows no environment is looked at again before it counts as having none. */
const DOUBTS = 4;
/** How often what is left of a tree is looked for again. */
const ROUNDS = 20;
/** Milliseconds that what was killed gets to be gone. */
const KILLED = 250;
/** A second: no system gives out all its numbers and comes back to one within it, milliseconds. */
const SETTLED = 1000;

/** The living processes of a task, found again and again while they are being ended. */
export interface Tree {
  /** Looks for all that belong to it and may be signalled. */
  collect(): Promise<Process[]>;
  /** Sends a signal, and returns those that it may be sent to. */
  send(members: readonly Process[], name: Deno.Signal): Process[];
  /** Stops the process groups of some members, or lets them go on: each in one step, which no fork escapes. */
  signalGroups(members: readonly Process[], name: "SIGSTOP" | "SIGCONT"): void;
  isShim(member: Process): boolean;
  /** How many were signalled, and how many may not be. */
  counts(): { signalled: number; forbidden: number };
}

/**
 * The tree of a task.
 *
 * @param shim its root, where known
 * @param first all processes, as they were just seen
 * @param looks how they are seen again
 * @param unmarked its root is proven already
 */
export function createTree(
  mark: string,
  shim: Shim | null,
  first: Look,
  looks: Looks,
  trace: Trace,
  unmarked = false,
): Tree {
  const known = new Map<number, string>();
  if (unmarked && shim !== null) known.set(shim.pid, shim.start);
  const signalled = new Set<number>();
  const forbidden = new Set<number>();
  // What is older than the shim is not of its tree, and need not be looked at again for a while.
  let older: ReadonlySet<number> = new Set();
  let olderUntil = 0;
  let seen: Look | undefined = first;
  // Who was started by an agent may be in its group, and must not stop itself.
  const ours = first.table.get(Deno.pid)?.group;

  async function look(): Promise<Look> {
    const at = performance.now();
    const taken = seen ?? await looks.take(at < olderUntil ? older : undefined);
    seen = undefined;
    if (taken.alone && at >= olderUntil) {
      const younger = new Set(pickMarkable(taken.table, shim).map(({ pid }) => pid));
      older = new Set([...taken.table.keys()].filter((pid) => !younger.has(pid)));
      olderUntil = at + SETTLED;
    }
    return taken;
  }

  return {
    async collect() {
      let dead: ReadonlySet<number> = new Set();
      for (let turn = 0;; turn++) {
        const taken = await look();
        const index = taken.index(shim);
        // What may not be signalled (an agent's `sudo`) is not waited for either.
        const members = pickTree(index, mark, shim, Deno.pid, known)
          .filter((member) => !forbidden.has(member.pid));
        const wait = UNSETTLED_POLL[turn];
        // Another task's may be among them: whose it is it tells when it has become another program.
        const isDoubtful = (member: Process) =>
          member.blank && member.session !== shim?.pid && known.get(member.pid) !== member.start;
        if (turn < DOUBTS && members.some(isDoubtful)) {
          trace("doubted", { task: mark, pids: members.filter(isDoubtful).map(({ pid }) => pid) });
          await pause(wait!);
          continue;
        }
        for (const { pid, start } of members) known.set(pid, start);
        if (members.length > 0 || wait === undefined) return members;
        if (isSettled(taken.table, taken.vanished, shim, dead)) return members;
        dead = new Set([...taken.table.values()].flatMap(({ pid, zombie }) => zombie ? pid : []));
        trace("unsettled", { task: mark });
        await pause(wait);
      }
    },
    send(members, name) {
      if (members.length > 0) {
        trace("signalled", { task: mark, name, pids: members.map(({ pid }) => pid) });
      }
      for (const { pid } of members) {
        try {
          Deno.kill(pid, name);
          signalled.add(pid);
        } catch (error) {
          // Otherwise it ended by itself in the meantime.
          if (error instanceof Deno.errors.PermissionDenied) forbidden.add(pid);
        }
      }
      return members.filter(({ pid }) => !forbidden.has(pid));
    },
    signalGroups(members, name) {
      for (const group of new Set(members.map((member) => member.group))) {
        if (!(group > 1) || group === ours) continue;
        try {
          Deno.kill(-group, name);
        } catch {
          // It has ended, or may not be signalled: its members are asked one by one.
        }
      }
    },
    isShim: (member) => member.pid === shim?.pid,
    counts: () => ({ signalled: signalled.size, forbidden: forbidden.size }),
  };
}

/** Ends a tree: asks, waits, forces. */
export async function end(
  tree: Tree,
  { grace, signal }: EndOptions,
): Promise<Omit<EndReport, "unknown">> {
  const wait = (members: readonly Process[], within: number) => allGone(members, within, signal);
  let members = await tree.collect();
  if (members.length > 0) {
    // Looked for again while they stand still: one may have ended and another begun in its place.
    tree.signalGroups(members, "SIGSTOP");
    members = await tree.collect();
    const asked = tree.send(members, "SIGTERM");
    tree.signalGroups(members, "SIGCONT");
    await wait(asked, grace);
  }
  for (let round = 0; round < ROUNDS && members.length > 0 && !signal?.aborted; round++) {
    members = await tree.collect();
    await force(tree, members, round > 0);
    await wait(members, KILLED);
  }
  const { signalled, forbidden } = tree.counts();
  return { signalled, left: forbidden + living(members).length };
}

/** Kills; the shim goes last: with the agent gone it records the exit code and ends by itself. */
async function force(tree: Tree, members: readonly Process[], late: boolean): Promise<void> {
  if (!members.every(tree.isShim)) {
    tree.send(await freeze(tree, members.filter((member) => !tree.isShim(member))), "SIGKILL");
    // It was stopped with its group.
    tree.send(members.filter(tree.isShim), "SIGCONT");
  } else if (late) tree.send(members, "SIGKILL");
}

/** Stops processes, until none is left that could start another behind our back. */
async function freeze(tree: Tree, members: readonly Process[]): Promise<Process[]> {
  const stopped = new Map<number, Process>();
  let more = members;
  for (let round = 0; more.length > 0 && round < ROUNDS; round++) {
    tree.signalGroups(more, "SIGSTOP");
    for (const member of tree.send(more, "SIGSTOP")) stopped.set(member.pid, member);
    more = (await tree.collect()).filter((member) =>
      !tree.isShim(member) && !stopped.has(member.pid)
    );
  }
  return [...stopped.values()];
}

/** Those of some processes that live; a zombie does not, though where nobody collects it, it stays. */
function living(members: readonly Process[]): Process[] {
  // Most are told by one system call each.
  const candidates = members.filter(({ pid }) => exists(pid));
  const table = readProcesses(candidates.map(({ pid }) => pid));
  return candidates.filter((member) => isAlive(member, table));
}

async function allGone(
  members: readonly Process[],
  within: number,
  signal: AbortSignal | undefined,
): Promise<void> {
  const deadline = performance.now() + within;
  let left = [...members];
  for (let turn = 0;; turn++) {
    left = living(left);
    const remaining = deadline - performance.now();
    if (left.length === 0 || remaining <= 0 || signal?.aborted) return;
    const wait = Math.min(remaining, DEAD_POLL[Math.min(turn, DEAD_POLL.length - 1)]!);
    await pause(wait, signal);
  }
}
