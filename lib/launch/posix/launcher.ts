// Agents on Linux and macOS. The shim (shim.ts) is the parent of each; no pipe leads back to us, so our
// death changes nothing for it. What is said of processes is said from where we look (place.ts): of
// those that another machine, container or sandbox has started, nothing, and none of them is signalled.

import { NO_TRACE, type Trace } from "../../task/trace.ts";
import type {
  EndOptions,
  EndReport,
  Identity,
  Launched,
  Launcher,
  LaunchSpec,
  LegacyTask,
  Life,
  Seen,
} from "../launcher.ts";
import { FENCE } from "../launcher.ts";
import { isNumber, judgeAncestral } from "./ancestral.ts";
import { createTree, end } from "./end.ts";
import { createLooks } from "./looks.ts";
import { type Lookout, parsePidText, type Sight, sightOf } from "./place.ts";
import { exists, isAlive, readLookout, readMarks, type Survey, survey } from "./processes.ts";
import { SHIM } from "./shim.ts";

/** What the launcher is made with. */
export interface PosixOptions {
  /** Program and leading arguments of a POSIX shell. */
  shell?: readonly [string, ...string[]];
  trace?: Trace;
}

let hasSetsid = Deno.build.os === "linux";

/**
 * Starts a program in a session of its own, which does not keep us alive. With `detached` Deno forks
 * its whole memory and waits for the program to be loaded, 6 to 9 ms; setsid(1) is started by
 * vfork(2), in under 1 ms, and becomes the program itself: the pid is the same.
 */
export function spawnSession(
  program: string,
  options: Omit<Deno.CommandOptions, "detached">,
): Deno.ChildProcess {
  if (hasSetsid) {
    try {
      const args = [program, ...options.args ?? []];
      const child = new Deno.Command("/usr/bin/setsid", { ...options, args }).spawn();
      child.unref();
      return child;
    } catch (error) {
      if (!(error instanceof Deno.errors.NotFound)) throw error;
      hasSetsid = false;
    }
  }
  const child = new Deno.Command(program, { ...options, detached: true }).spawn();
  child.unref();
  return child;
}

/** The launcher of Linux and macOS. */
export function createPosixLauncher(
  { shell = ["/bin/sh"], trace = NO_TRACE }: PosixOptions = {},
): Launcher {
  const [program, ...leading] = shell;
  // Where a process is does not change while it lives.
  let here: Lookout | undefined;
  const looks = createLooks();

  /** Looks at processes; where we are is known after that. */
  function look(pids?: readonly number[]): { seen: Survey; mine: Lookout } {
    const seen = survey(pids);
    here ??= seen.place ?? readLookout();
    return { seen, mine: here };
  }

  function launch(spec: LaunchSpec): Launched {
    // Deno can add to what a program inherits and take nothing away: env(1) can, and becomes the shell.
    const without = (spec.unset ?? []).flatMap((name) => ["-u", name]);
    const [first, ...before] = without.length === 0
      ? [program, ...leading]
      : ["/usr/bin/env", ...without, program, ...leading];
    const child = spawnSession(first!, {
      args: [
        ...before,
        "-c",
        SHIM,
        "orchestra-shim",
        spec.pidFile,
        spec.exitFile,
        spec.logFile,
        spec.stdinFile ?? "/dev/null",
        spec.cwd,
        spec.command,
        ...spec.args,
      ],
      stdin: "null",
      stdout: "null",
      stderr: "null",
      cwd: "/",
      ...environment(spec),
    });
    trace("launched", { pid: child.pid, command: [spec.command, ...spec.args], cwd: spec.cwd });
    return { pid: child.pid, ended: child.status.then(() => {}, () => {}) };
  }

  // Not async: most looks have nothing to ask, and none needs to wait here.
  function probe(asked: readonly Identity[]): Promise<ReadonlyMap<string, Life>> {
    const lives = new Map<string, Life>();
    if (asked.length === 0) return Promise.resolve(lives);
    const shims = asked.map(({ token }) => ({ token, shim: parsePidText(token) }));
    // A number that nobody has needs no closer look, whatever it says from where we are.
    const taken = shims.flatMap(({ shim }) =>
      shim !== undefined && exists(shim.pid) ? shim.pid : []
    );
    const { seen, mine } = look(taken);
    for (const { token, shim } of shims) {
      const sight = shim === undefined ? "elsewhere" : sightOf(shim, mine);
      const found = shim !== undefined && isAlive(shim, seen.table);
      lives.set(token, lifeOf(sight, found));
    }
    return Promise.resolve(lives);
  }

  function marked(mark: string): Promise<Life> {
    const { seen, mine } = look();
    const processes = [...seen.table.values()].filter((process) => !process.zombie);
    readMarks(processes);
    if (processes.some((process) => process.marker === mark)) return Promise.resolve("alive");
    return Promise.resolve(seen.marked && mine.whole ? "dead" : "unknown");
  }

  function surveyAll(): Promise<Seen> {
    const { table } = survey();
    const living = [...table.values()].filter(({ zombie }) => !zombie);
    const processes = living.filter(({ pid }) => pid !== Deno.pid);
    readMarks(processes);
    const marked = new Map<string, number[]>();
    for (const { pid, marker } of processes) {
      if (marker) marked.set(marker, [...marked.get(marker) ?? [], pid]);
    }
    return Promise.resolve({ pids: new Set(living.map(({ pid }) => pid)), marked });
  }

  async function endTree(
    mark: string,
    identity: Identity | null,
    options: EndOptions,
  ): Promise<EndReport> {
    const shim = identity === null ? null : parsePidText(identity.token) ?? null;
    using _ = looks.begin();
    const seen = await looks.take();
    const mine = here ??= seen.place ?? readLookout();
    const sight = shim === null ? mine.whole ? "here" : "perhaps" : sightOf(shim, mine);
    trace("ending", { task: mark, pid: shim?.pid ?? "none", sight });
    if (sight === "rebooted") return { signalled: 0, left: 0, unknown: false };
    // The numbers in another namespace's /proc are not those that a signal is sent to.
    if (sight === "elsewhere" || mine.namespace === "?") {
      return { signalled: 0, left: 0, unknown: true };
    }
    const report = await end(createTree(mark, shim, seen, looks, trace, options.unmarked), options);
    return { ...report, unknown: sight === "perhaps" && report.signalled === 0 };
  }

  function legacy(task: LegacyTask, root: string): Promise<Identity | null | "unknown"> {
    if (!isNumber(task.pid)) return Promise.resolve(null);
    const { seen, mine } = look([task.pid]);
    const process = seen.table.get(task.pid);
    if (process !== undefined && !process.zombie) {
      return Promise.resolve(judgeAncestral(task, process, root, mine));
    }
    return Promise.resolve(mine.whole ? null : "unknown");
  }

  return { launch, parsePidFile, probe, marked, survey: surveyAll, legacy, endTree };
}

function lifeOf(sight: Sight, found: boolean): Life {
  switch (sight) {
    case "here":
      return found ? "alive" : "dead";
    case "perhaps":
      return found ? "alive" : "unknown";
    case "rebooted":
      return "dead";
    case "elsewhere":
      return "unknown";
  }
}

/** What `Deno.Command` needs for the environment of a launch. */
export function environment(
  spec: Pick<LaunchSpec, "env" | "inherit">,
): { env: Record<string, string>; clearEnv?: boolean } {
  if (spec.inherit === null) return { env: { ...spec.env } };
  const env: Record<string, string> = {};
  for (const name of spec.inherit) {
    const value = Deno.env.get(name);
    if (value !== undefined) env[name] = value;
  }
  return { env: { ...env, ...spec.env }, clearEnv: true };
}

/** The identity in a pid file, as the shims of this machine write it. */
export function parsePidFile(text: string): Identity | null | undefined {
  if (text === FENCE) return null;
  const shim = parsePidText(text);
  return shim === undefined ? undefined : { pid: shim.pid, token: text };
}
