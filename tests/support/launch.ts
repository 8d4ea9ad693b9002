// A folder for one launch, and the processes in it. Waiting is done by watching files; for the end of a
// process that is not ours the system has no event, so that is polled.

import { pause } from "../../lib/launch/pause.ts";
import type { Identity, Launcher, LaunchSpec } from "../../lib/launch/launcher.ts";
import type { Shim } from "../../lib/launch/posix/place.ts";
import { parsePidFile } from "../../lib/launch/posix/launcher.ts";
import { readProcesses } from "../../lib/launch/posix/processes.ts";
import { formatStart, openWindowsSystem } from "../../lib/launch/windows/processes.ts";
import { assert } from "./assert.ts";
import { lives, PATIENCE, processesWith, runLine } from "./program.ts";
import { removed } from "./unheld.ts";

export const LINUX = Deno.build.os === "linux";
export const WINDOWS = Deno.build.os === "windows";

/** The file with the code that an agent runs, which is none of what a launch makes. */
const CODE = "code.ts";

/** Code for Deno that waits until a line is in the file `gate` of its folder, and has it in `word`. */
const GATE = `let word = "";
while (!word.endsWith("\\n")) {
  await new Promise((resolve) => setTimeout(resolve, 20));
  try { word = Deno.readTextFileSync("gate"); } catch { /* Not there yet. */ }
}
`;

/** An identity that tells its number. */
export type Known = Identity & { readonly pid: number };

/** Numbers of those of some processes that live. */
export async function alive(
  launcher: Launcher,
  asked: readonly Identity[],
): Promise<(number | null)[]> {
  const lives = await launcher.probe(asked);
  return asked.filter(({ token }) => lives.get(token) === "alive").map(({ pid }) => pid);
}

/** A process of the same number that began at another time. */
export function later({ pid, token }: Identity): Identity {
  return { pid, token: token.replace("\n", "1\n") };
}

/** The identity of a process, as an earlier version wrote it. */
export function identity({ pid, start }: Shim): Identity {
  return { pid, token: `${pid} ${start}\n` };
}

/** A folder for one launch. */
export interface Place extends AsyncDisposable {
  readonly dir: string;
  mark: string;
  spec(command: string, args?: readonly string[], more?: Partial<LaunchSpec>): LaunchSpec;
  /**
   * A spec for a script, which runs in the folder: for sh, or where there is none for Deno's own shell, which
   * knows no more than `echo`, `rm`, `exit` and redirections.
   */
  script(text: string, more?: Partial<LaunchSpec>): LaunchSpec;
  /** A spec for code for Deno, which runs in the folder. */
  code(text: string, args?: readonly string[], more?: Partial<LaunchSpec>): LaunchSpec;
  /** A spec for what both do: the script where there is sh, else the code. */
  either(script: string, code: string, more?: Partial<LaunchSpec>): LaunchSpec;
  /** The same for what waits at a gate: the script reads the fifo `gate`, the code finds its line in `word`. */
  gated(script: string, before: string, after: string): LaunchSpec;
  /** Lets in what waits at the gate. */
  openGate(line: string): void;
  read(name: string): string;
  /** Waits until a file has a whole line that is not empty, and returns its first. */
  line(name: string): Promise<string>;
  /** The identity in the pid file, as soon as it is there. */
  shim(): Promise<Known>;
}

/** A mark that nobody else has, in this or any other run of the tests on this machine. */
export function uniqueMark(): string {
  const digits = crypto.getRandomValues(new Uint32Array(1))[0]! % 10_000_000;
  return `test/task_${Date.now()}${String(digits).padStart(7, "0")}`;
}

export async function openPlace(): Promise<Place> {
  const dir = await Deno.realPath(await Deno.makeTempDir({ prefix: "orchestra_launch_" }));
  const mark = uniqueMark();
  Deno.writeTextFileSync(`${dir}/t.json`, "{}\n");
  const spec: Place["spec"] = (command, args = [], more = {}) => ({
    pidFile: `${dir}/t.1.pid`,
    exitFile: `${dir}/exitcode`,
    logFile: `${dir}/log`,
    stdinFile: null,
    cwd: dir,
    command,
    args,
    env: { ORCHESTRA_MARK: mark },
    inherit: null,
    ...more,
  });
  const script: Place["script"] = (text, more) => {
    const { command, args } = WINDOWS ? runLine(text) : { command: "/bin/sh", args: ["-c", text] };
    return spec(command, args, more);
  };
  const code: Place["code"] = (text, args = [], more) => {
    const file = `${dir}/${CODE}`;
    Deno.writeTextFileSync(file, text);
    return spec(Deno.execPath(), ["run", "-A", "--quiet", "--no-config", file, ...args], more);
  };
  const either: Place["either"] = (script_, code_, more) =>
    WINDOWS ? code(code_, [], more) : script(script_, more);
  const read = (name: string) => Deno.readTextFileSync(`${dir}/${name}`);
  async function line(name: string): Promise<string> {
    let text = "";
    await seen(dir, () => {
      try {
        text = read(name);
      } catch {
        // Not there yet.
      }
      return /^.+\n/.test(text);
    }, name);
    return text.slice(0, text.indexOf("\n"));
  }
  return {
    dir,
    mark,
    spec,
    script,
    code,
    either,
    gated(script_, before, after) {
      if (!WINDOWS) fifo(`${dir}/gate`);
      return either(script_, before + GATE + after);
    },
    openGate: (line) => Deno.writeTextFileSync(`${dir}/gate`, `${line}\n`),
    read,
    line,
    async shim() {
      await line("t.1.pid");
      return parsePidFile(read("t.1.pid")) as Known;
    },
    async [Symbol.asyncDispose]() {
      // What a failed test leaves: all that was started in here.
      const left = WINDOWS ? processesWith("environ", [`ORCHESTRA_MARK=${mark}`]) : inFolder(dir);
      for (const process of left) {
        try {
          Deno.kill(process, "SIGKILL");
        } catch {
          // Gone.
        }
      }
      await removed(dir);
    },
  };
}

export function inFolder(dir: string): number[] {
  const pids: number[] = [];
  if (!LINUX) return pids;
  for (const pid of readProcesses().keys()) {
    try {
      const cwd = Deno.readLinkSync(`/proc/${pid}/cwd`);
      if (cwd === dir || cwd.startsWith(`${dir}/`)) pids.push(pid);
    } catch {
      // Gone, or not ours.
    }
  }
  return pids;
}

/** Waits until a check holds, asking it whenever something changes in a folder. */
export async function seen(dir: string, check: () => boolean, what: string): Promise<void> {
  using watcher = Deno.watchFs(dir);
  if (check()) return;
  let late = false;
  const timer = setTimeout(() => {
    late = true;
    watcher.close();
  }, PATIENCE);
  try {
    for await (const _ of watcher) {
      if (check()) return;
    }
  } finally {
    clearTimeout(timer);
  }
  assert(!late, `waited for ${what} in vain`);
}

export function living(pids: readonly number[]): number[] {
  if (WINDOWS) return pids.filter(lives);
  const table = readProcesses(pids);
  return pids.filter((pid) => table.get(pid)?.zombie === false);
}

/** Waits until none of some processes, which need not be ours, lives. */
export async function gone(pids: readonly number[]): Promise<void> {
  const deadline = performance.now() + PATIENCE;
  while (living(pids).length > 0) {
    assert(performance.now() < deadline, `${living(pids)} do not end`);
    await pause(5);
  }
}

/** Waits for what keeps no event loop going by itself. */
export async function held<T>(promise: Promise<T>): Promise<T> {
  const timer = setInterval(() => {}, PATIENCE);
  try {
    return await promise;
  } finally {
    clearInterval(timer);
  }
}

export function shimOf(pid: number): Shim {
  if (WINDOWS) return { pid, start: formatStart(openWindowsSystem().created(pid)!) };
  return { pid, start: readProcesses([pid]).get(pid)!.start };
}

export function fifo(path: string): void {
  assert(new Deno.Command("mkfifo", { args: [path] }).outputSync().success);
}

/** Names of what a launch left in a folder. */
export function namesIn(dir: string): string[] {
  return [...Deno.readDirSync(dir)].map((entry) => entry.name).filter((name) => name !== CODE)
    .sort();
}

export function installed(path: string): boolean {
  try {
    return Deno.statSync(path).isFile;
  } catch {
    return false;
  }
}
