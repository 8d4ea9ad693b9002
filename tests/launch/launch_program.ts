// What the launch tests start as processes of their own: the Windows shim on the system that the
// tests run on, a process that launches an agent and waits for its end or to be killed, and one that
// ends a tree.

import type { Identity, Launcher, LaunchSpec } from "../../lib/launch/launcher.ts";
import { createPosixLauncher } from "../../lib/launch/posix/launcher.ts";
import { readLookout, readMarks, readProcesses } from "../../lib/launch/posix/processes.ts";
import { createWindowsLauncher } from "../../lib/launch/windows/launcher.ts";
import { openWindowsSystem, type WindowsSystem } from "../../lib/launch/windows/processes.ts";
import { formatIdentity, runShim } from "../../lib/launch/windows/shim.ts";

/** A launcher and its name in test titles. */
export type Kind = "windows" | readonly [string, ...string[]];

const WINDOWS = Deno.build.os === "windows";

/** What the Windows launcher asks of its system, answered by this one. */
const HERE: WindowsSystem = WINDOWS ? openWindowsSystem() : {
  place: () => ({ ...readLookout(), boot: "-", machine: "-", namespace: "-" }),
  list: () =>
    [...readProcesses().values()].filter(({ zombie }) => !zombie)
      .map(({ pid, ppid, start }) => ({ pid, ppid, created: createdOf(start) })),
  created: (pid) => {
    const process = readProcesses([pid]).get(pid);
    return process === undefined || process.zombie ? undefined : createdOf(process.start);
  },
  ask: (pids) => Promise.resolve(pids.forEach((pid) => kill(pid, "SIGTERM"))),
  end: (pid, created) => HERE.created(pid) === created && kill(pid, "SIGKILL"),
  marker(pid) {
    const processes = [...readProcesses([pid]).values()];
    readMarks(processes);
    return processes[0]?.marker ?? null;
  },
};

function createdOf(start: string): bigint {
  return BigInt(start.slice(start.lastIndexOf(" ") + 1));
}

function kill(pid: number, signal: Deno.Signal): boolean {
  try {
    Deno.kill(pid, signal);
    return true;
  } catch {
    return false;
  }
}

/** Variable of a launch that names a file, which the Windows shim makes before it sleeps. */
export const SLEPT = "ORCHESTRA_TEST_SLEPT";

/** A launcher that runs here. */
export function makeLauncher(kind: Kind): Launcher {
  if (kind !== "windows") return createPosixLauncher({ shell: kind });
  return createWindowsLauncher({
    shim: [Deno.execPath(), "run", "-A", "--quiet", import.meta.url, "shim"],
    system: HERE,
  });
}

/** Arguments of `deno run` that start one of the programs below. */
export function programArguments(
  order: { launch: Kind; spec: LaunchSpec; wait?: boolean } | {
    end: string;
    shim: Identity | null;
    grace: number;
  },
): string[] {
  return ["--quiet", import.meta.url, JSON.stringify(order)];
}

if (import.meta.main) {
  const [first = "", specFile = ""] = Deno.args;
  if (first === "shim") {
    const identity = () => formatIdentity(Deno.pid, HERE);
    const slept = JSON.parse(Deno.readTextFileSync(specFile)).env[SLEPT];
    const own = setTimeout;
    if (slept !== undefined) {
      globalThis.setTimeout = ((...args: Parameters<typeof setTimeout>) => {
        Deno.writeTextFileSync(slept, "");
        return own(...args);
      }) as typeof setTimeout;
    }
    await runShim(specFile, { windows: WINDOWS, identity });
  } else {
    const order = JSON.parse(first);
    if (order.launch !== undefined) {
      const { ended } = makeLauncher(order.launch).launch(order.spec);
      console.log("launched");
      const staying = setTimeout(() => {}, 600_000);
      if (order.wait) ended.then(() => clearTimeout(staying));
    } else {
      const ended = await createPosixLauncher()
        .endTree(order.end, order.shim, { grace: order.grace });
      console.log(`ended ${ended.signalled}`);
    }
  }
}
